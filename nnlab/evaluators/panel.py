"""Several judges of one run, each a classifier of its own: what those of two domains and those of words share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nnlab.checkpoints.reference import RunReference
from nnlab.data.spec import Part
from nnlab.errors import BadInput
from nnlab.evaluators.judge import Judge
from nnlab.model import Classifies, can


class PanelReferences(RunReference):
    """Base of what a config's `judge` names instead of one run: several, by name.

    known  the earlier runs by name
    """

    known: Mapping[str, RunReference]

    @classmethod
    def node(cls, **keys: Any) -> dict[str, Any]:
        """The node of a config, with the constructor's arguments."""
        return {"_target_": f"{cls.__module__}.{cls.__name__}", **keys}

    def judge(self, name: str, images: Part, classes: tuple[str, ...], device: torch.device) -> Judge:
        """One of the judges, without weights. Raises BadInput if it has learned from other images than these."""
        known = self.known[name]
        if (known.spec.kind, known.spec.shape, known.spec.classes) != (images.kind, images.shape, classes):
            raise BadInput(f"judge.{name}: {known.run} was trained on other images than those of {name}; give judge=auto")
        model = known.build().to(device)
        if not can(model, Classifies):
            raise BadInput(f"judge.{name}: {known.run} holds {type(model).__name__}, which cannot {Classifies.__doc__}")
        return Judge(model, known.spec, known.fingerprint, known.weights)


class Panel(Judge):
    """Base of several judges in place of one.

    judges  by name
    """

    def __init__(self, judges: Mapping[str, Judge]) -> None:
        self.judges = dict(judges)
        self.name = ", ".join(f"{name}: {judge.name}" for name, judge in judges.items())

    def load_weights(self, weights: dict[str, Tensor] | None = None) -> None:
        for name, judge in self.judges.items():
            mine = {key.removeprefix(f"{name}."): w for key, w in (weights or {}).items() if key.startswith(f"{name}.")}
            judge.load_weights(mine or None)

    def state(self) -> dict[str, Tensor] | None:
        return {f"{name}.{key}": w for name, judge in self.judges.items() for key, w in (judge.state() or {}).items()} or None
