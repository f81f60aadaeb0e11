"""The check of a composed config's values against the signatures of the classes that it names.

Types, ranges, unknown and missing keys, and the combinations that make no sense; all problems are told at once. Torch is
imported only where a node's class needs it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from nnlab.config.build import extends, parameters, target
from nnlab.config.constraints import JUDGES, SEED, complaint, is_none
from nnlab.config.names import nearest
from nnlab.errors import BadInput

TOP_LEVEL = {
    "seed": Annotated[int, SEED],
    "device": str,
    "tags": list[str],
    "outputs": str,
    "judge": Literal[JUDGES] | None | Mapping,
}

NODES = {
    "model": "vae",
    "data": "digits",
    "noise": "none",
    "augmentation": "none",
    "optimizer": "adam",
    "trainer": "gradient",
}


def check(config: Mapping, nodes: Iterable[str] | None = None) -> list[str]:
    """Problems of a plain config; with `nodes`, of these top-level keys alone."""
    chosen = [key for key in config if nodes is None or key in nodes]
    problems = [f"{key}: missing" for key in (*NODES, *TOP_LEVEL) if nodes is None and key not in config]
    for key in chosen:
        if key in TOP_LEVEL and not isinstance(config[key], Mapping):
            problems += check_value(TOP_LEVEL[key], config[key], key)
        elif isinstance(config[key], Mapping):
            problems += check_node(config[key], key)
        elif key in NODES:
            problems.append(f"{key}: expected a choice, e.g. {key}={NODES[key]}, got {config[key]}")
        else:
            problems.append(f"{key}: unknown key; {nearest(key, config)}")
    if not problems and nodes is None:
        problems += check_together(config)
    return problems


def check_value(annotation: Any, value: Any, place: str) -> list[str]:
    if value == "???":
        return [f"{place}: needs a value; add {place}=…"]
    trouble = complaint(annotation, value)
    return [f"{place}: {trouble}"] if trouble else []


def check_node(node: Mapping, place: str) -> list[str]:
    """Problems of a node that names a class, and of the nodes inside it. An empty node chooses nothing."""
    if not node:
        return []
    try:
        cls = target(node.get("_target_"), place)
    except BadInput as error:
        return list(error.problems)
    legal = parameters(cls)
    if cls.__module__.startswith("torch.optim"):
        legal["schedule"] = inspect.Parameter("schedule", inspect.Parameter.KEYWORD_ONLY, annotation=Any)
        legal["lr"] = legal["lr"].replace(default=inspect.Parameter.empty)  # what a schedule multiplies
    problems = []
    for key, value in node.items():
        where = f"{place}.{key}"
        if key == "_target_":
            continue
        if key not in legal:
            problems.append(f"{where}: unknown key; {nearest(key, legal)}")
        elif isinstance(value, Mapping) and "_target_" in value:
            problems += check_node(value, where)
        else:
            problems += check_value(legal[key].annotation, value, where)
    required = [k for k, p in legal.items() if p.default is inspect.Parameter.empty]
    problems += [f"{place}.{key}: missing; add {place}.{key}=…" for key in required if key not in node]
    if not problems and cls.__module__.startswith("torch.optim"):
        problems += check_optimizer(cls, node, place)
    return problems


def check_optimizer(cls: type, node: Mapping, place: str) -> list[str]:
    """torch's optimizers state their ranges only by raising: each value is tried alone, so that its key can be named."""
    import torch

    from nnlab.training.eager import spare_the_compiler

    spare_the_compiler()
    options = {k: v for k, v in node.items() if k not in ("_target_", "schedule")}

    def complaint_of(some: Mapping) -> str | None:
        try:
            cls([torch.zeros(1)], **some)
        except (ValueError, TypeError) as error:
            return str(error)
        return None

    together = complaint_of(options)
    if together is None:
        return []
    alone = {key: complaint_of({key: value}) for key, value in options.items()}
    return [f"{place}.{key}: {text}" for key, text in alone.items() if text] or [f"{place}: {together}"]


def check_together(config: Mapping) -> list[str]:
    """Combinations that make no sense, of values that each are legal."""
    problems = check_learning(config)
    trainer, data = config.get("trainer", {}), config.get("data", {})
    epochs, steps = trainer.get("epochs"), trainer.get("steps")
    if "steps" in trainer and is_none(epochs) and is_none(steps):
        problems.append("trainer.epochs, trainer.steps: none of the two is given; a run needs a length")
    patience = trainer.get("early_stopping", {}).get("patience", 0)
    if patience and data.get("validation") == 0:
        problems.append("trainer.early_stopping.patience: nothing to watch with data.validation=0")
    if patience and trainer.get("evaluate_every") == "never":
        problems.append("trainer.early_stopping.patience: nothing to watch with trainer.evaluate_every=never")
    if is_none(steps) and not is_none(epochs):
        problems += check_length(config.get("optimizer") or {}, "optimizer", epochs, "run")
    return problems + check_pretraining(trainer.get("pretraining", {}))


def check_pretraining(node: Mapping) -> list[str]:
    """Of a run in stages: the optimizer of the stages before the last."""
    place, epochs = "trainer.pretraining.optimizer", node.get("epochs")
    if not node:
        return []
    if not node.get("optimizer"):
        return [f"{place}: the stages learn by gradient and need one, e.g. optimizer@{place}=adam"]
    shortest = min(epochs) if isinstance(epochs, list) else epochs
    return check_length(node["optimizer"], place, shortest, "stage")


def check_length(optimizer: Mapping, place: str, epochs: float, what: str) -> list[str]:
    """A schedule that needs more epochs than it has."""
    schedule = optimizer.get("schedule", {})
    warmup, at = schedule.get("warmup", 0), schedule.get("at", [])
    if warmup > epochs:
        return [f"{place}.schedule.warmup: {warmup} epochs of warm-up in a {what} of {epochs}"]
    if at and warmup + max(at) >= epochs:
        return [f"{place}.schedule.at: {max(at):g} is never reached in a {what} of {epochs} epochs; leave it out"]
    return []


def check_learning(config: Mapping) -> list[str]:
    """The trainer and what it uses are the model's to say: what has no effect on its learning is refused."""
    from nnlab.model import Model, Reconstructs, Samples, can
    from nnlab.training.trainer import trainer_of

    cls, node = target(config["model"]["_target_"], "model"), config["trainer"]
    if not issubclass(cls, Model):
        return [f"model._target_: {cls.__name__} is no Model"]
    trainer, name = trainer_of(cls), cls.__name__
    problems = []
    if not extends(trainer.options, target(node["_target_"], "trainer")):
        problems.append(f"trainer: {name} learns {trainer.learns}; leave trainer= out, so that the model chooses it")
    if "optimizer" in trainer.uses and not config["optimizer"]:
        problems.append(f"optimizer: {name} learns {trainer.learns} and needs one, e.g. optimizer=adam")
    if "optimizer" not in trainer.uses and config["optimizer"]:
        problems.append(f"optimizer: has no use, {name} learns {trainer.learns}; leave it out")
    if "noise" not in trainer.uses and not config["noise"]["_target_"].endswith(".NoNoise"):
        problems.append(f"noise: has no use, {name} learns {trainer.learns} from clean data; leave it out")
    if not is_none(config["judge"]) and not can(cls, Samples) and not can(cls, Reconstructs):
        problems.append(f"judge: has no use, {name} neither samples nor reconstructs; leave it out")
    if "augmentation" not in trainer.uses and not config["augmentation"]["_target_"].endswith(".NoAugmentation"):
        problems.append(f"augmentation: has no use, {name} learns {trainer.learns} from the data as they are; leave it out")
    return problems
