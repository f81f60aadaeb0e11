"""How far a run is, and the best of what it has recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


@dataclass
class Progress:
    """How far a run is: what a checkpoint keeps of the loop."""

    step: int = 0
    seconds: float = 0.0  # of the run, over all its processes
    epoch_seconds: float = 0.0  # of the updates of this epoch alone
    epoch_images: int = 0
    rates: list[float] = field(default_factory=list)  # images a second of each whole epoch
    best: float | None = None
    best_step: int = 0
    reference: float | None = None  # what early stopping compares with: the last figure that was better by min_delta
    since_best: int = 0  # evaluations
    figures: dict[str, float] = field(default_factory=dict)  # the last of each, by split/name

    @classmethod
    def from_state(cls, state: dict) -> Progress:
        return cls(**{f.name: state[f.name] for f in fields(cls)})


LOWER = {"loss", "reconstruction", "negative_elbo", "mse", "inertia"}
HIGHER = {"psnr", "ssim", "accuracy", "log_likelihood", "nmi", "ari"}


def best_figures(records: list[dict]) -> dict[str, float]:
    """The best of each figure that has a better direction, by split/name."""
    best: dict[str, float] = {}
    for record in records:
        for name in record.keys() & (LOWER | HIGHER):
            key = f"{record['split']}/{name}"
            pick = min if name in LOWER else max
            best[key] = pick(best.get(key, record[name]), record[name])
    return dict(sorted(best.items()))
