"""A metric that compares runs: of the validation split, with its better direction. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnlab.runs.folder import RunFolder
from nnlab.runs.text_formats import is_number


@dataclass(frozen=True)
class Objective:
    """A metric of the validation split that ranks the jobs of a sweep, or that a search makes better."""

    name: str
    higher_is_better: bool = False

    @property
    def place(self) -> str:
        """Its name in a run's records."""
        return f"validation/{self.name}"

    @property
    def typed(self) -> str:
        """As a user types it, with its direction."""
        return f"{self.place}:{'higher' if self.higher_is_better else 'lower'}"

    def worse_first(self, value: float) -> float:
        """A key that sorts values from the worst to the best."""
        return value if self.higher_is_better else -value


def measured(folder: RunFolder, metrics: Sequence[Objective]) -> list[float]:
    """The validation metrics of the weights that a run keeps: the best of its monitor, else the last. [] if it has not all."""
    records = [r for r in folder.read_metrics() if r.get("split") == "validation" and not r.get("stage")]
    if not records:
        return []
    best = folder.read_summary().get("best_step")
    kept = next((r for r in records if r.get("step") == best), records[-1])
    values = [kept.get(metric.name) for metric in metrics]
    return [float(value) for value in values] if all(map(is_number, values)) else []
