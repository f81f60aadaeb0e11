"""Which metrics of many one looks at first. No torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def main_figures(names: Collection[str], extra: Sequence[str] = ()) -> list[str]:
    """The figures that one looks at first: the loss, of a game the loss of each player; then those that were chosen."""
    losses = [name for name in names if name.endswith("_loss")]
    return list(dict.fromkeys([*(["loss"] if "loss" in names else losses), *extra]))
