"""The check of a whole config, before anything is built: its values, and whether its parts go together.

Torch is imported only where a class that is named needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nnlab.config import values
from nnlab.config.build import classes_of, extends, target
from nnlab.config.constraints import is_none
from nnlab.config.kinds import role
from nnlab.errors import one_line


def check(config: Mapping, nodes: Iterable[str] | None = None) -> list[str]:
    """Problems of a plain config; with `nodes`, of these top-level keys alone."""
    problems = values.check(config, nodes)
    for place, node in optimizers({key: config[key] for key in config if nodes is None or key in nodes}):
        if not any(problem.startswith(f"{place}.") for problem in problems):
            problems += check_optimizer(target(node["_target_"], place), node, place)
    if not problems and nodes is None:
        problems += check_together(config)
    return problems


def optimizers(node: Mapping, place: str = "") -> Iterator[tuple[str, Mapping]]:
    """Each optimizer of a config with its place, where one is chosen."""
    for key, value in node.items():
        where = f"{place}.{key}" if place else key
        if isinstance(value, Mapping) and role(where) == "optimizer" and value:
            yield where, value
        elif isinstance(value, Mapping):
            yield from optimizers(value, where)


def check_optimizer(cls: type, node: Mapping, place: str) -> list[str]:
    """torch's optimizers state their ranges only by raising: each value is tried alone, so that its key can be named."""
    import torch

    from nnlab.training.eager import spare_the_compiler, stepper

    spare_the_compiler()
    options = {k: v for k, v in node.items() if k not in ("_target_", "schedule")}
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.ones(1)

    def complaint_of(arguments: Mapping) -> str | None:
        try:
            optimizer = cls([weight], **arguments)
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
    from nnlab.model import Reconstructs, Samples, Varies, can
    from nnlab.training.trainer import trainer_of

    cls, node = target(config["model"]["_target_"], "model"), config["trainer"]
    trainer, name = trainer_of(cls), cls.__name__
    uses = trainer.uses | ({"noise"} if cls.resizes else set())
    problems = []
    if not extends(trainer.options, target(node["_target_"], "trainer")):
        able = [known for known, options in classes_of("trainer").items() if options is trainer.options]
        remedy = "leave trainer= out, so that the model chooses it"
        if able and not cls.__module__.startswith("nnlab."):
            remedy += f" by a line under defaults of its YAML: - override /trainer@_global_.trainer: {able[0]}"
        problems.append(f"trainer: {name} learns {trainer.description}; {remedy}")
    if "optimizer" in uses and not config["optimizer"]:
        problems.append(f"optimizer: {name} learns {trainer.description} and needs one, e.g. optimizer=adam")
    if "optimizer" not in uses and config["optimizer"]:
        problems.append(f"optimizer: has no use, {name} learns {trainer.description}; leave it out")
    if "noise" not in uses and not target(config["noise"]["_target_"], "noise").identity:
        problems.append(f"noise: has no use, {name} learns {trainer.description} from clean data; leave it out")
    if not is_none(config["judge"]) and not any(can(cls, made) for made in (Samples, Reconstructs, Varies)):
        problems.append(f"judge: has no use, {name} neither samples nor reconstructs; leave it out")
    augmentation = target(config["augmentation"]["_target_"], "augmentation")
    if "augmentation" not in uses and not augmentation.identity:
        problems.append(
            f"augmentation: has no use, {name} learns {trainer.description} from the data as they are; leave it out"
        )
    return problems
