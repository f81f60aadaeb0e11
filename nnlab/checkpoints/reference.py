"""An earlier run's model as a part of a new run: `model.encoder=RUN`.

What the config of the new run then holds suffices to build that model again; its weights come from the earlier run when the
new one begins, and from the new run's own checkpoints ever after, so that the earlier run may be deleted.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from torch import Tensor

from nnlab.checkpoints import checkpoint
from nnlab.config import values
from nnlab.config.build import build, parameters, target
from nnlab.config.constraints import JUDGES, is_none
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.model import Model
from nnlab.runs.find import as_typed, resolve
from nnlab.runs.folder import RunFolder

BEGAN = "NNLAB_COMMAND_BEGAN"  # set by `train`, also for the processes of a launcher: a sweep's own runs are no `last`


class RunReference:
    """An earlier run's model: where it is, and how it is built.

    run          its folder
    checkpoint   best, last, step-000500
    fingerprint  of its weights: the first 16 hexadecimal digits of their SHA-256
    spec         of the data that it was built with
    model, data  the nodes of its config
    """

    config_hint = "a run folder, or last"  # what a config may say

    def __init__(self, *, run: str, checkpoint: str, fingerprint: str, spec: Mapping, model: Mapping, data: Mapping) -> None:
        self.run, self.checkpoint, self.fingerprint = run, checkpoint, fingerprint
        self.spec = DataSpec.from_state(spec)
        self.node, self.data = model, data

    def build(self) -> Model:
        """The model, its weights at random."""
        return build(self.node, Model, self.spec, place="model")

    def weights(self) -> dict[str, Tensor]:
        """Those of the earlier run. Raises BadInput if the run is gone, or has been trained on since."""
        folder = resolve(self.run)
        state = checkpoint.load(folder.checkpoints, self.checkpoint)["trainer"]["model"]
        if fingerprint(state) != self.fingerprint:
            raise BadInput(f"{folder.path}: its checkpoint '{self.checkpoint}' has changed since the run was named")
        return state


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """16 hexadecimal digits of the SHA-256 of named weights: their names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        digest.update(value.detach().cpu().contiguous().flatten().numpy().tobytes())
    return digest.hexdigest()[:16]


def reference_node(run: str, place: str) -> dict[str, Any]:
    """The node of an `RunReference`: of a run folder or `last`, its best checkpoint, or the last where there is no best.

    Raises BadInput if there is no such run.
    """
    try:
        folder = resolve(run, before=float(os.environ.get(BEGAN, math.inf)))
        config = folder.read_config()
        problems = values.check_node(config["model"], "model")
        if problems:
            raise BadInput(*(f"{folder.config}: {problem}" for problem in problems))
        name = "best" if "best" in checkpoint.available(folder.checkpoints) else "last"
        state = checkpoint.load(folder.checkpoints, name)
    except BadInput as error:
        raise BadInput(*(f"{place}: {problem}" for problem in error.problems)) from error
    return loaded_node(folder, config, name, state)


def loaded_node(folder: RunFolder, config: Mapping, name: str, state: Mapping) -> dict[str, Any]:
    """The node of an `RunReference`: of a run folder with its config, and the state of its checkpoint of this name."""
    return {
        "_target_": f"{RunReference.__module__}.{RunReference.__name__}",
        "run": str(as_typed(folder.path)),
        "checkpoint": name,
        "fingerprint": fingerprint(state["trainer"]["model"]),
        "spec": state["spec"],
        "model": config["model"],
        "data": config["data"],
    }


def resolve_references(config: Mapping) -> tuple[dict, list[str]]:
    """The config with each RUN that stands for an earlier run's model replaced by its node; and the problems met.

    RUNs are the judge, and those parameters of the model's class that may be a `RunReference`.
    """
    if not isinstance(config.get("model"), Mapping):  # which the check of the values will tell
        return dict(config), []
    new, problems = {**config, "model": dict(config["model"])}, []

    def replace(node: dict, key: str, place: str, otherwise: str = "") -> None:
        if not isinstance(node[key], str) or is_none(node[key]) or node[key] == "???":
            return
        try:
            node[key] = reference_node(node[key], place)
        except BadInput as error:
            problems.extend(problem + otherwise for problem in error.problems)

    if new.get("judge") not in JUDGES:
        replace(new, "judge", "judge", f"; or give {' or '.join(JUDGES)}")
    try:
        legal = parameters(target(new["model"].get("_target_"), "model"))
    except BadInput:  # which the check of the values will tell
        legal = {}
    for key in legal.keys() & new["model"].keys():
        if takes_run(legal[key].annotation) and new["model"][key] not in words(legal[key].annotation):
            replace(new["model"], key, f"model.{key}")
    return new, problems


def takes_run(annotation: Any) -> bool:
    """Whether a parameter with this annotation may be an earlier run's model."""
    return annotation is RunReference or any(map(takes_run, get_args(annotation)))


def words(annotation: Any) -> tuple[Any, ...]:
    """The words that an annotation allows beside an earlier run: `auto`, …"""
    parts = [annotation, *get_args(annotation)]
    return tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))


def auto_classifiers(config: Mapping) -> list[str]:
    """The keys of the model that are `auto` and may be an earlier run: the classifier that nnlab trains for the data."""
    legal = parameters(target(config["model"]["_target_"], "model"))
    return [key for key, p in legal.items() if config["model"].get(key) == "auto" and takes_run(p.annotation)]
