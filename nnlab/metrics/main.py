"""The most important metrics. No torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def main_figures(names: Collection[str], extra: Sequence[str] = ()) -> list[str]:
    """The most important metrics: the loss, or the loss of each player of a game; then `extra`."""
    losses = [name for name in names if name.endswith("_loss")]
    return list(dict.fromkeys([*(["loss"] if "loss" in names else losses), *extra]))
