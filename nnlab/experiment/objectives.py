"""What compares runs: metrics that the models record on the validation split, each with its better direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnlab.config.build import target
from nnlab.errors import BadInput, nearest, shortened
from nnlab.experiment.judging import with_judge
from nnlab.experiment.run import build_experiment
from nnlab.model import Samples, can
from nnlab.recording.console import Console
from nnlab.runs.objective import Objective
from nnlab.training.trainer import Trainer, trainer_of

DIRECTIONS = {"lower": False, "higher": True}  # what a user writes behind a metric that has no direction of its own


def objectives(configs: Sequence[Mapping], asked: Sequence[str], place: str = "--metric ") -> list[Objective]:
    """The metrics that were asked for, by their names, with the directions that they have; by default the model's monitor.

    configs  a checked config of each model that is compared
    place    what stands before the name of a metric where the user typed it

    Raises BadInput for a metric that one of them does not record, or one without a direction, naming those that there are.
    """
    for config in configs:
        if config["data"].get("validation") == 0:
            raise BadInput("data.validation=0: runs are compared on the validation split; leave some examples for it")
        if config["trainer"].get("evaluate_every") == "never":
            raise BadInput("trainer.evaluate_every=never: runs are compared on the validation split; evaluate on it")
    if not asked:
        return [monitored(configs)]
    found: dict[str, Objective] = {}
    for config in configs:
        trainer, recorded = evaluated(config)
        found |= {name: objective(name, trainer, recorded, place) for name in asked}
    names = [metric.name for metric in found.values()]
    if len({*names}) < len(asked):
        raise BadInput(f"--metric: {', '.join(names)}: the same metric twice; give it once")
    return list(found.values())


def monitored(configs: Sequence[Mapping]) -> Objective:
    """The monitored metric of a model. Raises BadInput if there is none, or if there are several models."""
    if len(configs) > 1:
        raise BadInput(
            "--metric: missing; the losses of different models cannot be compared, so name a metric that all of them record, "
            "such as --metric validation/mse"
        )
    monitor = trainer_of(target(configs[0]["model"]["_target_"], "model")).monitor
    if monitor is None:
        trainer, recorded = evaluated(configs[0])
        known = sorted(name for name in recorded if direction(name, trainer) is not None)
        others = ", ".join(sorted(recorded - {*known}))
        able = [*known, *([f"or, with :lower or :higher behind it, {others}"] if others else [])]
        hint = "; judge=auto adds frechet_distance" if trainer.judge is None and can(trainer.model, Samples) else ""
        raise BadInput(f"--metric: missing; no metric chooses the weights of this model, so name one: {', '.join(able)}{hint}")
    return Objective(monitor.name, monitor.higher_is_better)


def evaluated(config: Mapping) -> tuple[Trainer, set[str]]:
    """The trainer of a config, and the names of the metrics that it records of a model that has not learned yet."""
    config = with_judge(dict(config), Console())
    with Console().waiting("looking which metrics the model records"):
        experiment = build_experiment(config)
        experiment.initialize()
        trainer = experiment.trainer
        trainer.start_stage(len(trainer.stages) - 1)
        return trainer, set(trainer.evaluate("validation", full=False))


def objective(asked: str, trainer: Trainer, recorded: set[str], before: str = "--metric ") -> Objective:
    """A metric by what was typed: validation/NAME, NAME, or one of them with :lower or :higher behind it."""
    place, _, typed = asked.partition(":")
    split, _, name = place.rpartition("/")
    if typed and typed not in DIRECTIONS:
        raise BadInput(f"{before}{shortened(asked)}: behind the colon stands lower or higher, whichever is better")
    if split not in ("", "validation"):
        raise BadInput(f"{before}{shortened(asked)}: runs are compared on the validation split alone; write validation/{name}")
    if name not in recorded:
        raise BadInput(f"{before}{shortened(asked)}: the model records no such validation metric; {nearest(name, recorded)}")
    own = direction(name, trainer)
    if own is None and not typed:
        raise BadInput(f"{before}{place}: which direction is better? write {place}:lower or {place}:higher")
    if own is not None and typed and DIRECTIONS[typed] != own:
        raise BadInput(f"{before}{asked}: {'higher' if own else 'lower'} is better; leave out :{typed}")
    return Objective(name, DIRECTIONS[typed] if own is None else own)


def direction(name: str, trainer: Trainer) -> bool | None:
    """Whether higher is better of a metric; None if neither is."""
    monitor = trainer.monitor
    if monitor and monitor.name == name:
        return monitor.higher_is_better
    return name in trainer.higher if name in trainer.higher | trainer.lower else None
