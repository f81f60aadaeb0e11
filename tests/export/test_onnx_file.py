"""A part as ONNX: what onnxruntime computes is what torch does, and a file that computes something else is refused."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from fresh import fresh

from nnlab.export import onnx_file
from nnlab.export.onnx_file import CannotConvert, apart, convert
from nnlab.export.parts import parts_of

# one of each kind: a network, conditions beside noise, choices and constants, attention, a U-shaped network, a search
KINDS = {
    "cgan": "generator",
    "gmm": "generator",
    "transformer": "classifier",
    "pix2pix": "translator",
    "som": "encoder",
}


@pytest.mark.parametrize("model", KINDS)
def test_onnxruntime_computes_what_torch_does_for_any_number_of_examples(model: str) -> None:
    net = fresh(model)
    part = parts_of(net)[0][KINDS[model]]
    made = convert(net, part, {"model": model, "classes": ["null", "eins"]})
    assert made.difference <= 1e-4
    session = onnxruntime.InferenceSession(made.content, providers=["CPUExecutionProvider"])
    for n in (2, 33):
        inputs = part.examples(n, seed=n)
        feed = {value.name: x.numpy() for (value, _), x in zip(part.inputs, inputs, strict=True)}
        (found,) = session.run([part.output.name], feed)
        with torch.no_grad():
            expected = part.function(*inputs).numpy()
        assert np.abs(found - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())
    says(made, session, part, model)


def says(made, session, part, model: str) -> None:
    """Names, shapes, types and meanings stand in the file, and nothing of the machine that made it."""
    metadata = session.get_modelmeta().custom_metadata_map
    assert (metadata["model"], metadata["part"], metadata["classes"]) == (model, part.name, '["null", "eins"]')
    assert (json.loads(metadata["inputs"]), json.loads(metadata["outputs"])) == (made.about["inputs"], made.about["outputs"])
    types = {"tensor(float)": "float32", "tensor(int64)": "int64"}
    for kind, theirs in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
        found = {value.name: (value.shape, types[value.type]) for value in theirs}
        assert found == {name: (about["shape"], about["type"]) for name, about in made.about[kind].items()}
        assert all(shape[0] == "N" for shape, _ in found.values())
    graph = onnx.load_from_string(made.content).graph
    assert [x.doc_string for x in graph.input] == [value.meaning for value, _ in part.inputs]
    assert b"site-packages" not in made.content
    assert b"nnlab/" not in made.content


def test_a_file_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    net = fresh("ae")
    part = parts_of(net)[0]["encoder"]
    compare = onnx_file.difference

    def after_a_change(content: bytes, part) -> float:
        with torch.no_grad():
            next(net.parameters()).mul_(1.01)
        return compare(content, part)

    monkeypatch.setattr(onnx_file, "difference", after_a_change)
    with pytest.raises(CannotConvert, match=r"differs from torch's by .* of its scale, more than 0\.0001"):
        convert(net, part, {"model": "ae"})


def test_what_torch_cannot_express_is_told_in_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    net = fresh("gmm", "model.covariance=full", "model.components=2", "model.init=random")
    with pytest.raises(CannotConvert) as told:
        convert(net, parts_of(net)[0]["generator"], {"model": "gmm"})
    assert str(told.value).startswith("torch.onnx cannot express it (")
    assert len(str(told.value)) < 200
    assert "\n" not in str(told.value)
    assert capfd.readouterr() == ("", "")


def test_a_difference_is_a_share_of_the_scale() -> None:
    x = np.array([[1.0, -8.0]], np.float32)
    assert apart(x + np.float32(0.5), x, scale=0.0) == 0.5 / 8
    assert apart(x + np.float32(0.5), x, scale=2.0) == 0.25
    assert apart(x / 8 + np.float32(0.5), x / 8, scale=0.0) == 0.5, "small values are not blown up"
    assert apart(x + np.float32(np.nan), x, scale=0.0) == np.inf
    for other in (x[:, :1], x.astype(np.float64)):
        with pytest.raises(CannotConvert, match="onnxruntime's output is"):
            apart(other, x, scale=0.0)
    with pytest.raises(CannotConvert, match="not finite"):
        apart(x, x * np.float32(np.inf), scale=0.0)
