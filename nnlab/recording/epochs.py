"""A run as a table on the terminal: one row per epoch, in columns of fixed widths. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnlab.metrics.main import main_figures

NARROWEST = 10  # characters of a figure's column
GAP = "  "


@dataclass(frozen=True)
class Row:
    """The values of an epoch.

    epoch       e.g. 3/20
    train       means of the training terms over the epoch
    validation  figures, if there was an evaluation
    best        whether the monitored figure is the best so far
    rate        examples per second; None before the first epoch
    left        until the run ends, as minutes and seconds
    """

    epoch: str
    train: Mapping[str, float]
    validation: Mapping[str, float]
    best: bool
    rate: float | None
    left: str


class EpochTable:
    """Rows under a header, which is repeated if the metrics change, as in another stage.

    unit       what a rate counts: images or examples
    watched    figures that have a column beside the losses
    validated  whether they are measured on the validation split; then the first of them chooses the best weights, if `chooses`
    """

    def __init__(self, unit: str, watched: Sequence[str], epoch_width: int, *, validated: bool, chooses: bool) -> None:
        self.unit, self.watched, self.validated, self.chooses = unit, list(watched), validated, chooses
        self.epoch_width = max(epoch_width, len("epoch"))
        self.columns: list[tuple[str, str]] = []
        self.begun = False

    def lines(self, row: Row) -> list[str]:
        """A row, after the header if that has changed."""
        train = main_figures(row.train) or [name for name in self.watched if name in row.train] or list(row.train)[:1]
        shown = [("train", name) for name in train]
        shown += [("validation", name) for name in main_figures(row.validation, self.watched if self.validated else ())]
        known = [column for column in self.columns if column not in shown]
        columns = sorted([*known, *shown], key=lambda column: column[0]) if shown else self.columns
        header = []
        if set(columns) != set(self.columns) or not self.begun:
            self.columns, self.begun = columns, True
            cells = ["epoch".rjust(self.epoch_width), *map(self.heading, columns), f"{self.unit}/s".rjust(10), "left".rjust(7)]
            header = [GAP.join(cells)]
        rate = f"{row.rate:,.0f}" if row.rate else ""
        cells = [row.epoch.rjust(self.epoch_width), *(self.cell(row, *column) for column in self.columns)]
        return [*header, GAP.join([*cells, rate.rjust(10), row.left.rjust(7)]).rstrip()]

    def heading(self, column: tuple[str, str]) -> str:
        """The name of a column; of the monitored figure with the sign of the best."""
        name = " ".join(column)
        return (f"{name} (*best)" if self.is_monitored(*column) else name).rjust(NARROWEST)

    def is_monitored(self, split: str, name: str) -> bool:
        """Whether this figure of a split chooses the best weights."""
        return split == "validation" and self.chooses and name == self.watched[0]

    def cell(self, row: Row, split: str, name: str) -> str:
        """A figure of a row as text, as wide as its column; the monitored one has a * where it is the best so far."""
        values = row.train if split == "train" else row.validation
        text = f"{values[name]:.5g}" if name in values else ""
        if self.is_monitored(split, name):
            text += "*" if row.best and text else " "
        return text.rjust(len(self.heading((split, name))))
