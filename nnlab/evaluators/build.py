"""The judge that a config names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from nnlab.checkpoints.reference import RunReference
from nnlab.config.build import build
from nnlab.config.constraints import is_none
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.evaluators import inception
from nnlab.evaluators.judge import Judge
from nnlab.evaluators.panel import PanelReferences
from nnlab.model import Classifies, ClassifiesLabels, can

SAME_EXAMPLES_KEYS = ("root", "validation", "limit", "train_size", "seed", "imbalance", "oversample", "extra", "repeats")
"""Keys of a dataset that leave what it holds as it is: they say which of it is in a split."""


def identity(data: Mapping) -> dict:
    """What of a dataset's node says which examples there are. What is absent is left out: an older run has not every key."""
    kept = {key: value for key, value in data.items() if key not in SAME_EXAMPLES_KEYS and not is_none(value)}
    return {key: identity(value) if isinstance(value, Mapping) else value for key, value in kept.items()}


def build_judge(node: Any, spec: DataSpec, data: Mapping, device: torch.device) -> Judge | None:
    """The judge of a config's `judge`, without weights if it is an earlier run's (`Judge.load_weights`).

    Raises BadInput if that run's model tells no classes apart, or has learned from other data.
    """
    if isinstance(node, Mapping):
        known = build(node, RunReference, place="judge")
        if isinstance(known, PanelReferences):
            return known.judges(spec, device)
        model = known.build().to(device)
        if not can(model, Classifies):
            also = "; judge=auto trains one that reads what captions say" if can(model, ClassifiesLabels) else ""
            raise BadInput(f"judge: {known.run} holds {type(model).__name__}, which cannot {Classifies.__doc__}{also}")
        refuse_other_data(known, spec, data)
        return Judge(model, spec, known.fingerprint, known.weights)
    if node == "inception":
        return Judge(inception.inception(spec).to(device), spec, inception.NAME)
    return None


def refuse_other_data(known: RunReference, spec: DataSpec, data: Mapping) -> None:
    """Raise BadInput unless a judge's run learned from the data that it is to judge, naming the keys that differ."""
    mine, theirs = identity(data), identity(known.data)
    same = (known.spec.kind, known.spec.shape, known.spec.classes) == (spec.kind, spec.shape, spec.classes)
    if mine == theirs and same and known.spec.digest == spec.digest:
        return
    differs = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key) and key != "_target_"]
    how = f" ({', '.join(f'data.{key}' for key in differs)})" if differs else ""
    raise BadInput(
        f"judge: {known.run} was trained on other data than {spec.name}{how}; "
        "give the run of a classifier of the same data, or judge=auto, which nnlab trains itself"
    )
