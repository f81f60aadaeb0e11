"""A part of a model as ONNX: converted by torch.onnx, then run in onnxruntime and compared with torch."""

from __future__ import annotations

import io
import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.errors import one_line, out_of_memory, shortened
from nnlab.export.draws import TRACED
from nnlab.export.parts import ModelPart
from nnlab.model import Model
from nnlab.runs.text_formats import legible

TOLERANCE = 1e-4
SIZES = (1, 2 * TRACED + 1)  # of the batches that are compared; neither is the one that was traced


class CannotConvert(Exception):
    """A part that is no ONNX, or another function in ONNX than in torch; its text says why."""


@dataclass(frozen=True)
class Converted:
    """A part as ONNX.

    content     the bytes of the file
    difference  the largest from torch, as a share of the output's scale
    about       the shapes and meanings of its inputs and outputs, by name
    """

    content: bytes
    difference: float
    about: dict[str, dict[str, dict[str, Any]]]


class Standalone(nn.Module):
    """A part as a module of its own, which holds the model's weights."""

    def __init__(self, model: Model, part: ModelPart) -> None:
        super().__init__()
        self.model, self.function = model, part.function
        self.eval()

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the part makes of its inputs, (N, …) each."""
        return self.function(*inputs)


def convert(model: Model, part: ModelPart, facts: Mapping[str, Any]) -> Converted:
    """A part as ONNX with a free batch axis; `facts`, of which `model` is one, go into its metadata. Raises CannotConvert."""
    try:
        with torch.no_grad(), quiet():
            program = exported(model, part)
            about = annotate(program, part, facts)
            content = program.model_proto.SerializeToString()
    except Exception as error:  # of many types: whatever torch or onnxscript cannot express
        if out_of_memory(error):
            raise
        raise CannotConvert(f"torch.onnx cannot express it ({reason(error)})") from error
    return Converted(content, difference(content, part), about)


def reason(error: BaseException) -> str:
    """The first line of the error that began it: exporters wrap one into another, each with pages of advice."""
    while error.__cause__:
        error = error.__cause__
    return shortened(f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}")


def exported(model: Model, part: ModelPart) -> Any:
    """The ONNX program of a part, an `ONNXProgram` of torch, with a batch axis N."""
    batch = (tuple({0: "N"} for _ in part.inputs),)
    names = {"input_names": [value.name for value, _ in part.inputs], "output_names": [part.output.name]}
    return torch.onnx.export(traced(model, part), dynamo=True, dynamic_shapes=batch, verbose=False, **names)


def traced(model: Model, part: ModelPart) -> torch.export.ExportedProgram:
    """The graph of a part, for any number of examples.

    Traced as it runs; where that fixes the number of examples, by way of the bytecode, which takes longer.
    """
    inputs = part.examples(TRACED, seed=0)
    part.function(*inputs)  # what a model computes once, and keeps, becomes constants
    module, free = Standalone(model, part), (tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs),)
    try:
        return torch.export.export(module, inputs, dynamic_shapes=free, strict=False)
    except Exception as error:
        if out_of_memory(error):
            raise
        return torch.export.export(module, inputs, dynamic_shapes=free, strict=True)


def annotate(program: Any, part: ModelPart, facts: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Write into an ONNX program what its inputs and outputs are. Returns the same: shape, type and meaning by name."""
    graph, values = program.model.graph, [value for value, _ in part.inputs]
    about = {}
    for kind, mine, theirs in (("inputs", values, graph.inputs), ("outputs", [part.output], graph.outputs)):
        about[kind] = {}
        for value, tensor in zip(mine, theirs, strict=True):
            tensor.doc_string = value.meaning
            shape = [size if isinstance(size, int) else str(size) for size in tensor.shape]
            about[kind][value.name] = {"shape": shape, "type": str(tensor.dtype.numpy()), "meaning": value.meaning}
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # lines of source and paths of the machine that exported it
    for value in graph.initializers.values():
        value.metadata_props.clear()
    program.model.doc_string = f"{part.name} of {facts['model']}"
    metadata = {**facts, "part": part.name, **about}
    program.model.metadata_props.update({k: v if isinstance(v, str) else as_line(v) for k, v in metadata.items()})
    return about


def as_line(value: Any) -> str:
    """A plain value as JSON in one line, in letters of every language."""
    return legible(json.dumps(value, ensure_ascii=False))


@torch.no_grad()
def difference(content: bytes, part: ModelPart) -> float:
    """The largest difference between onnxruntime and torch, as a share of the scale of the output's values.

    The scale of examples is the range of the data, that of probabilities 1, and that of all else the largest value, or 1 if
    that is more. Raises CannotConvert if it is above 1e-4, or if onnxruntime cannot run the file.
    """
    import onnxruntime

    largest = 0.0
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        for n in SIZES:
            inputs = part.examples(n, seed=n)
            named = {value.name: x.numpy() for (value, _), x in zip(part.inputs, inputs, strict=True)}
            (found,) = session.run(None, named)
            expected = part.function(*inputs).numpy()
            largest = max(largest, apart(found, expected, part.output.scale))
    except Exception as error:  # onnxruntime has a type for each of its codes, and no base class
        if out_of_memory(error):
            raise
        if isinstance(error, CannotConvert):
            raise
        raise CannotConvert(f"onnxruntime cannot run it ({shortened(one_line(error))})") from error
    if largest > TOLERANCE:
        raise CannotConvert(f"onnxruntime's output differs from torch's by {largest:.2g} of its scale, more than {TOLERANCE:g}")
    return largest


def apart(found: np.ndarray, expected: np.ndarray, scale: float) -> float:
    """max |found − expected| / scale. Raises CannotConvert for another shape or type, and for values that are not finite."""
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        raise CannotConvert(
            f"onnxruntime's output is {found.dtype} {list(found.shape)}, torch's {expected.dtype} {list(expected.shape)}"
        )
    if not np.isfinite(expected).all():
        raise CannotConvert("its output is not finite: are the weights huge?")
    worst = float(np.abs(found.astype(np.float64) - expected).max(initial=0))
    largest = max(1.0, float(np.abs(expected).max(initial=0)))
    return worst / (scale or largest) if math.isfinite(worst) else math.inf


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings, log lines and listings of an exporter that tries one way after the other."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
