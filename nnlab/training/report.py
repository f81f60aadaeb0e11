"""The output of a run on the terminal: one row per epoch, the progress bar, the time that is left."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from nnlab.checkpoints.progress import Progress
from nnlab.metrics.main import main_figures
from nnlab.recording.console import Console
from nnlab.recording.epochs import EpochTable, Row
from nnlab.recording.recorder import named
from nnlab.runs.table import figures, seconds
from nnlab.training.options import Cadences
from nnlab.training.trainer import Stage, Trainer


class TerminalReport:
    """Rows and progress of a run on its console.

    Times count from `begin`: a resumed run may have another speed than before.
    """

    def __init__(self, trainer: Trainer, cadences: Cadences, console: Console) -> None:
        self.trainer, self.console = trainer, console
        self.table = self._table(validated=bool(len(trainer.data.validation) and cadences.evaluate))
        self._began = time.perf_counter()
        self._first_step = 0

    def _table(self, validated: bool) -> EpochTable:
        """The table's columns: the losses, and the metric that chooses the best weights, or the judge's distance."""
        trainer = self.trainer
        beside = [trainer.monitor.name] if trainer.monitor else trainer.judge.headline(trainer.model) if trainer.judge else []
        unit = "images" if trainer.model.spec.kind == "image" else "examples"
        widest = max(len(f"{stage.name} {self._epochs(stage)}/{self._epochs(stage)}") for stage in trainer.stages)
        return EpochTable(unit, beside, widest, validated=validated, chooses=validated and bool(trainer.monitor))

    def begin(self, step: int) -> None:
        """Start the progress bar at a step of the run."""
        self._began, self._first_step = time.perf_counter(), step
        self.console.start(self.trainer.total_steps, step)

    def end(self) -> None:
        """Remove the progress bar."""
        self.console.stop()

    def bar(self, step: int, progress: Progress, means: Mapping[str, float], rate: float) -> None:
        """The bar at a step of the run, with the losses (means since the last record) and the examples per second."""
        epoch = math.ceil((step - progress.stage_began) / self.trainer.steps_per_epoch)
        losses = figures({name: means[name] for name in main_figures(means)})
        text = f"{self._left(progress)} left  {losses}  {rate:,.0f} {self.table.unit}/s"
        self.console.progress(step, self._place(progress, epoch), text)

    def row(self, progress: Progress, means: Mapping[str, float], evaluated: bool, better: bool) -> None:
        """A row of the table: the training means over the epoch, and the validation metrics if there are new ones."""
        prefix = named("validation", self.trainer.stages[progress.stage].name)
        now = {k.removeprefix(prefix): v for k, v in progress.figures.items() if k.rpartition("/")[0] + "/" == prefix}
        rate = progress.rates[-1] if progress.rates else None
        place = self._place(progress, (progress.step - progress.stage_began) / self.trainer.steps_per_epoch)
        for line in self.table.lines(Row(place, means, now if evaluated else {}, better, rate, self._left(progress))):
            self.console.row(line)

    def _epochs(self, stage: Stage) -> str:
        return f"{stage.steps / self.trainer.steps_per_epoch:.4g}"

    def _place(self, progress: Progress, epoch: float) -> str:
        """The epoch of the stage, e.g. 3/20."""
        stage = self.trainer.stages[progress.stage]
        return f"{stage.name} {epoch:.4g}/{self._epochs(stage)}".lstrip()

    def _left(self, progress: Progress) -> str:
        """Minutes and seconds until the end, from the mean time per step of this process."""
        done = progress.step - self._first_step
        each = (time.perf_counter() - self._began) / done if done else 0.0
        return seconds(each * (self.trainer.total_steps - progress.step))
