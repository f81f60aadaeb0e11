"""How far a run is, and the best of what it has recorded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields

from nnlab.config.renamed import metrics
from nnlab.config.stored import restored
from nnlab.recording.recorder import named


@dataclass
class Progress:
    """How far a run is: what a checkpoint keeps of the loop."""

    step: int = 0  # of the run
    stage: int = 0
    stage_began: int = 0  # the step of the run that the stage began with
    seconds: float = 0.0  # of the run, over all its processes
    epoch_seconds: float = 0.0  # of the updates of this epoch alone
    epoch_images: int = 0
    rates: list[float] = field(default_factory=list)  # images per second of each whole epoch
    best: float | None = None
    best_step: int = 0
    reference: float | None = None  # what early stopping compares with: the last figure that was better by min_delta
    since_best: int = 0  # evaluations
    figures: dict[str, float] = field(default_factory=dict)  # the last of each, by split/name

    @classmethod
    def from_state(cls, state: dict) -> Progress:
        """What an older checkpoint does not say keeps its default. Raises ValueError if a part is of another type."""
        progress = restored(cls, {f.name: state[f.name] for f in fields(cls) if f.name in state})
        progress.figures = metrics(progress.figures)
        return progress

    def start_stage(self, stage: int) -> None:
        """A stage begins; what is best is its own."""
        self.stage, self.stage_began = stage, self.step
        self.epoch_seconds, self.epoch_images = 0.0, 0
        self.best, self.best_step, self.reference, self.since_best = None, 0, None, 0


def best_figures(records: list[dict], lower: Collection[str], higher: Collection[str]) -> dict[str, float]:
    """The best of each figure that has a better direction, by its name with split and stage before it."""
    best: dict[str, float] = {}
    for record in records:
        for name in record.keys() & {*lower, *higher}:
            key = named(record["split"], record.get("stage", "")) + name
            pick = min if name in lower else max
            best[key] = pick(best.get(key, record[name]), record[name])
    return dict(sorted(best.items()))
