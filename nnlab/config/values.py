"""The check of a composed config's values against the signatures of the classes that it names.

Types, ranges, unknown and missing keys, and the combinations that make no sense; all problems are told at once. Torch is
imported only where a node's class needs it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from nnlab.config.build import extends, parameters, target
from nnlab.config.constraints import JUDGES, SEED, NonEmpty, complaint, describe, is_none
from nnlab.config.kinds import MAY_BE_EMPTY, accepts, kind_of, misfit, positionals, role
from nnlab.errors import BadInput, nearest, one_line

TOP_LEVEL = {
    "seed": Annotated[int, SEED],
    "device": str,
    "tags": list[str],
    "outputs": Annotated[str, NonEmpty()],
    "judge": Literal[JUDGES] | None,
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
        if key in TOP_LEVEL and not (key == "judge" and isinstance(config[key], Mapping)):
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


def check_node(node: Mapping, place: str, annotation: Any = Any) -> list[str]:
    """Problems of a node that names a class, and of the nodes inside it. An empty node chooses nothing, where that may be.

    annotation  of the parameter that takes what the node names
    """
    if not node:
        return [] if role(place) in MAY_BE_EMPTY or annotation is Mapping else [f"{place}: empty; it must name a class"]
    try:
        cls = target(node.get("_target_"), place)
    except BadInput as error:
        return list(error.problems)
    if not accepts(annotation, cls):
        return [f"{place}: expected {describe(annotation)}, got the class {cls.__module__}.{cls.__qualname__}"]
    if trouble := misfit(cls, place):
        return [trouble]
    legal = parameters(cls)
    if role(place) == "optimizer":
        if "lr" not in legal:
            return [f"{place}._target_: {cls.__name__} has no learning rate lr; choose another"]
        schedule = kind_of("optimizer.schedule")
        legal["schedule"] = inspect.Parameter("schedule", inspect.Parameter.KEYWORD_ONLY, annotation=schedule)
        legal["lr"] = legal["lr"].replace(default=inspect.Parameter.empty)  # what a schedule multiplies
    problems = []
    for key, value in node.items():
        where = f"{place}.{key}"
        if key == "_target_":
            continue
        if key not in legal:
            problems.append(f"{where}: {unknown(key, cls, legal)}")
        elif isinstance(value, Mapping) and ("_target_" in value or role(where) in MAY_BE_EMPTY):
            problems += check_node(value, where, legal[key].annotation)
        else:
            problems += check_value(legal[key].annotation, value, where)
    required = [k for k, p in legal.items() if p.default is inspect.Parameter.empty]
    problems += [f"{place}.{key}: missing; add {place}.{key}=…" for key in required if key not in node]
    if not problems and role(place) == "optimizer":
        problems += check_optimizer(cls, node, place)
    return problems


def unknown(key: str, cls: type, legal: Iterable[str]) -> str:
    if key in (parameter.name for parameter in positionals(cls)):
        return f"is no keyword-only parameter of {cls.__name__}; its constructor must be def __init__(self, spec, *, {key}, …)"
    return f"unknown key; {nearest(key, legal)}"


def check_optimizer(cls: type, node: Mapping, place: str) -> list[str]:
    """torch's optimizers state their ranges only by raising: each value is tried alone, so that its key can be named."""
    import torch

    from nnlab.training.eager import spare_the_compiler, stepper

    spare_the_compiler()
    options = {k: v for k, v in node.items() if k not in ("_target_", "schedule")}
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.ones(1)

    def complaint_of(some: Mapping) -> str | None:
        try:
            optimizer = cls([weight], **some)
        except (ValueError, TypeError, RuntimeError) as error:
            return one_line(error)
        try:
            stepper(optimizer)()
        except (ValueError, TypeError, RuntimeError):
            return f"{cls.__name__} makes no step from a dense gradient alone; choose another"
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
    if is_none(steps) and not is_none(epochs) and epochs != "auto":  # whose number is known when the data are
        problems += check_length(config.get("optimizer") or {}, "optimizer", epochs, "run")
    return problems + check_pretraining(trainer.get("pretraining", {}))


def check_pretraining(node: Mapping) -> list[str]:
    """Of a run in stages: the optimizer of the stages before the last."""
    place, epochs = "trainer.pretraining.optimizer", node.get("epochs")
    if not node:
        return []
    if not node.get("optimizer"):
        return [f"{place}: the stages learn by gradient and need one, e.g. optimizer@{place}=adam"]
    if epochs == "auto":  # whose number is known when the data are
        return []
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
    from nnlab.model import Reconstructs, Samples, can
    from nnlab.training.trainer import trainer_of

    cls, node = target(config["model"]["_target_"], "model"), config["trainer"]
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
