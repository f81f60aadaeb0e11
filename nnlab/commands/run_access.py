"""What the verbs that show data to a trained model share: the run, a split, the images asked for."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from nnlab.commands.capability import require
from nnlab.config.constraints import is_none
from nnlab.data.feed import BatchBuilder
from nnlab.data.inputs import Inputs, Reader, of_split
from nnlab.data.own_files import of_path
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Data, Split
from nnlab.errors import BadInput
from nnlab.evaluators.build import build_judge
from nnlab.evaluators.judge import Judge
from nnlab.experiment.loading import LoadedRun, open_run
from nnlab.model import Classifies, can
from nnlab.recording.console import Console


def load_capable(args: Namespace, verb: str, *capabilities: type) -> LoadedRun:
    """The run asked for. Raises BadInput if it cannot be used, or its model lacks one of the capabilities."""
    run = open_run(args.run, args.checkpoint, args.device, getattr(args, "data_changed", False))
    require(run.model, verb, *capabilities)
    return run


def nonempty_split(data: Data, name: str) -> Split:
    """One of the three splits. Raises BadInput if it is empty."""
    split = data.split(name)
    if not len(split):
        raise BadInput(f"--split {name}: it is empty in this run")
    return split


def select_examples(run: LoadedRun, name: str, indices: list[int], option: str) -> Batch:
    """The images at these places of a split, as `batches_of` reads them.

    Raises BadInput, naming the option and the first index that lies beyond the split.
    """
    split = nonempty_split(run.data, name)
    for index in indices:
        if not 0 <= index < len(split):
            raise BadInput(f"{option} {index}: the {name} split has images 0 … {len(split) - 1}")
    rows = split.at(torch.tensor(indices))
    return BatchBuilder(split, run.reshaping).batch(rows, torch.Generator(split.device).manual_seed(0))


def batches_of(run: LoadedRun, split: Split, rows: Tensor | None = None) -> Iterator[Batch]:
    """Batches of these rows of a split, by default of all. What is drawn at each reading is drawn by one seed.

    They are without noise, except for one that makes another image the input, which is what the model has learned to read.
    """
    return BatchBuilder(split, run.reshaping).sequential(torch.Generator(split.device).manual_seed(0), rows)


def titles(indices: list[int], batch: Batch, spec: DataSpec) -> list[str]:
    """The images' numbers, with their classes where they are known."""
    if batch.label is None or not spec.classes:
        return [str(index) for index in indices]
    return [f"{index} {spec.classes[label]}" for index, label in zip(indices, batch.label.tolist(), strict=True)]


def open_inputs(run: LoadedRun, split: str, generator: torch.Generator) -> Inputs:
    """A split, as `batches_of` reads it, but `generator` draws. Raises BadInput if it is empty."""
    inputs = of_split(nonempty_split(run.data, split), split, run.model.spec, generator, run.reshaping)
    return replace(inputs, classes=run.data.classes_of(split))


def open_own(run: LoadedRun, path: Path, generator: torch.Generator, most: int | None = None) -> Inputs:
    """A user's own files, read as the run's data were; at most so many. Raises BadInput if they do not fit the model."""
    spec, binarize = run.model.spec.of_given(), run.config["data"].get("binarize")
    if is_none(binarize) or "input" in run.model.spec.parts:  # which binarizes targets
        binarize = None
    reader = Reader(spec, binarize, run.device, generator, run.reshaping)
    return of_path(path, reader, most)


def judge_of(run: LoadedRun, data: Data, typed: str | None = None) -> Judge | None:
    """A judge that tells the data's classes apart: the one typed, or the run's own if it has one.

    Raises BadInput if the one typed cannot be had.
    """
    if typed is not None:
        run.use_judge(typed, Console(stream=sys.stderr))
    if run.config["judge"] == "inception":  # whose classes are others
        return None
    judge = build_judge(run.config["judge"], data.spec, run.config["data"], run.device)
    if judge is None or not can(judge.model, Classifies):
        return None
    judge.load_weights(run.state["trainer"].get("judge"))
    return judge
