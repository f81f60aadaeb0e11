"""nnlab's models from image to image, driven as its loop drives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.peers.translation.handwritten import BATCH, MODELS, STEPS, built


def loop(name: str, settings: Sequence[str], batch: int = BATCH) -> Callable[[], float]:
    """STEPS updates of all players; gives the mean of a term."""
    trainer, step = built(name, settings, batch).trainer, 0

    def some() -> float:
        nonlocal step
        step += trainer.train(step, STEPS, lambda: False)
        if trainer.meter.look():
            raise RuntimeError("a loss that is not finite")
        terms = trainer.meter.window.take()
        return next(value for term, value in terms.items() if term.endswith(("loss", "l1", "pixel_error")))

    return some


def prepare() -> dict[str, Callable[[], float]]:
    return {name: loop(name, settings) for name, settings in MODELS.items()}
