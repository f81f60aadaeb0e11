"""The training loop: stages, epochs and steps; when to log, evaluate, show and save; the best and the last checkpoint; errors.

The loop is the same for every trainer. Between two events the trainer makes all updates in one call. The recorder's thread
writes the files; a GPU goes on with the next updates while the record of the last ones is made.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from nnlab.checkpoints.manager import CheckpointManager
from nnlab.checkpoints.progress import Progress, best_figures
from nnlab.checkpoints.snapshot import snapshot
from nnlab.nn.world import tensors_of
from nnlab.recording.console import Console
from nnlab.recording.recorder import Recorder, named
from nnlab.runs.folder import RunFolder
from nnlab.training.diagnosis import divergence, finite
from nnlab.training.meter import Fetched
from nnlab.training.options import Cadences, Options
from nnlab.training.report import TerminalReport
from nnlab.training.trainer import Stage, Trainer

Watch = Callable[[int, dict[str, float]], bool]
"""Called after each evaluation of the last stage with how much of it is done, in whole percent, and the validation metrics.

True prunes the run: it ends, since it is not worth its time. For runs of one process.
"""


@dataclass(frozen=True)
class PendingRecord:
    """A record of updates that the device has not finished yet."""

    fetched: Fetched | None
    step: int
    epoch: float
    rates: dict[str, float]
    images: int


class Loop:
    """Runs a trainer's updates and writes the results into the run folder.

    stop   returns whether to interrupt the run; called between two updates
    watch  is told of each evaluation, and may prune the run
    """

    def __init__(
        self,
        trainer: Trainer,
        options: Options,
        folder: RunFolder | None,
        recorder: Recorder,
        console: Console,
        stop: Callable[[], bool],
        watch: Watch | None = None,
    ) -> None:
        self.trainer, self.options = trainer, options
        self.folder, self.recorder, self.console = folder, recorder, console
        self.stop, self.watch, self.world = stop, watch, trainer.world
        self.pruned = False
        self.progress = Progress()
        self.spec = trainer.model.spec.state()
        self.checkpoints = CheckpointManager(folder, recorder) if folder else recorder
        self.every = Cadences(options, trainer.steps_per_epoch)
        self.report = TerminalReport(trainer, self.every, console)
        self.runs_ahead = trainer.device.type == "cuda"  # whether updates go on during the record of the last ones
        self._late: PendingRecord | None = None
        self._looked = 0  # the step up to which the meter has been read
        self._since = time.perf_counter()
        self._updating: float | None = None  # when the device started the updates that are not finished

    # -- the loop -------------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> float:
        """Of the run."""
        return self.progress.step / self.trainer.steps_per_epoch

    @property
    def stage(self) -> Stage:
        """The stage that is trained now."""
        return self.trainer.stages[self.progress.stage]

    @property
    def step(self) -> int:
        """The step of the stage; events, schedules and the order of the data count from the stage's start."""
        return self.progress.step - self.progress.stage_began

    def resume(self, state: dict) -> None:
        """Go on from a checkpoint. Everything after it is removed.

        First the checkpoint becomes last.pt: so records and checkpoint fit together even after a kill.
        """
        self.checkpoints.begin_from(state)
        self.trainer.restore(state["trainer"])
        self.progress = p = Progress.from_state(state["progress"])
        self._looked = p.step
        for name in self.recorder.truncate_to(state["lengths"]):
            self.console.line(f"{name} is shorter than at the time of the checkpoint: the missing part is lost")
        if state["trainer"]["random"]["kind"] != self.trainer.device.type:
            self.console.line(f"the random numbers of another kind of device cannot go on on {self.trainer.device}: new ones")
        self.checkpoints.delete_after(p.step, self.stage.name, p.best_step)

    def run(self) -> str:
        """Train to the end. Returns the status: completed, pruned or interrupted. Raises Diverged."""
        self._since = time.perf_counter()
        if self.progress.step == 0:
            self.save()
            self.recorder.drain()  # so that a run killed in the first epoch can be resumed
        self.report.begin(self.progress.step)
        try:
            while not self.finished():
                if self.stage_finished():
                    self.next_stage()
                n = self.every.next(self.step, self.stage.steps) - self.step
                if self.advance(n) == n:
                    self.events()
                ending = "pruned" if self.pruned else "interrupted" if self.world.agree(self.stop()) else None
                if ending and not self.finished():
                    self.save()
                    self.recorder.drain()
                    return ending
        finally:
            self.report.end()
        self.recorder.drain()
        return "completed"

    def finished(self) -> bool:
        """Whether the last stage is over."""
        return self.stage_finished() and self.progress.stage == len(self.trainer.stages) - 1

    def stage_finished(self) -> bool:
        """Whether the stage is over: all steps are made, early stopping applies, or the trainer has converged."""
        return self.step >= self.stage.steps or self.patience_exhausted() or self.trainer.converged

    def next_stage(self) -> None:
        """Start the next stage from the best weights of this one, which are kept as best-STAGE.pt.

        A kill in between loses nothing: until the new stage is saved, the run resumes at the end of the old one.
        """
        p = self.progress
        best = self.checkpoints.close_stage(self.stage.name) if p.best is not None else None
        if best:
            self.trainer.model.load_state_dict(best["trainer"]["model"])
        self.world.broadcast(tensors_of(self.trainer.model))
        self.trainer.meter.epoch.take()
        p.start_stage(p.stage + 1)
        self.trainer.start_stage(p.stage)
        self.save()

    def advance(self, n: int) -> int:
        """Make `n` updates, or fewer if `stop` says so. Returns how many are made, or are running on a GPU."""
        began = time.perf_counter()
        alone = self.world.size == 1  # several processes stop together, at the next event
        done = self.trainer.train(self.step, n, self.stop if alone else lambda: False)
        if done and self._updating is None:
            self._updating = began
        self.progress.step += done
        self.progress.epoch_images = self.step % self.trainer.steps_per_epoch * self.trainer.batch_size
        self.emit_notices(self.progress.step)
        self.flush_pending()
        return done

    def emit_notices(self, step: int) -> None:
        """Show the trainer's notices."""
        while self.trainer.notices:
            text = self.trainer.notices.pop(0)
            self.console.line(text)
            self.recorder.text("remarks", text, step=step)

    def events(self) -> None:
        """Do the events of this step: log, evaluate, print a row, draw pictures, save checkpoints."""
        every, step, end = self.every, self.step, self.stage.steps
        ends_epoch = every.due(self.trainer.steps_per_epoch, step, end)
        if self.runs_ahead and every.only_log(step, end):
            p = self.progress
            fetched = self.trainer.meter.fetch()
            self._late = PendingRecord(fetched, p.step, self.epoch, self.trainer.rates(step - 1), p.epoch_images)
            return
        self.synchronize()
        if every.due(every.log, step, end) or ends_epoch:
            self.log()
        evaluated = every.due(every.evaluate, step, end) and len(self.trainer.data.validation) > 0
        better = self.evaluate() if evaluated else False
        if self.stage_finished():
            self.log()  # the terms of a stage that stops early
        if evaluated or every.due(every.tell, step, end):
            means = self.trainer.meter.epoch.take() if step % self.trainer.steps_per_epoch == 0 else {}
            self.report.row(self.progress, means, evaluated, better)
        if ends_epoch:
            self.trainer.meter.epoch.take()
        if every.due(every.show, step, end) and not self.finished():  # `finish` makes the last pictures
            self.show(self.progress.step)
        if better:
            self.save("best")
        if every.due(every.keep, step, end):
            self.save(f"step-{self.progress.step:06d}")
        if every.due(every.save, step, end) or self.stage_finished():
            self.save()

    # -- the events -----------------------------------------------------------------------------------------------

    def synchronize(self) -> None:
        """Wait for the device, and read the meter. Raises Diverged at the first value that is not finite."""
        self.flush_pending()
        self.accumulate(self.trainer.meter.fetch())
        if self._updating is None:
            return
        p = self.progress
        p.epoch_seconds += time.perf_counter() - self._updating
        self._updating = None
        if self.step % self.trainer.steps_per_epoch == 0:
            p.rates.append(self.trainer.sampler.images_per_epoch / p.epoch_seconds)
            p.epoch_seconds = 0.0

    def accumulate(self, fetched: Fetched | None) -> None:
        """Add fetched terms to the means. Raises Diverged if one of them is not finite."""
        trouble = self.trainer.meter.accumulate(fetched)
        if trouble:
            self.diverged(self._looked + trouble.offset, f"train/{trouble.term}")
        self._looked += len(fetched.weights) if fetched else 0

    def flush_pending(self) -> None:
        """Make the pending record; the device goes on at the same time."""
        late, self._late = self._late, None
        if late:
            self.accumulate(late.fetched)
            self.write_log(late.step, late.epoch, late.rates, late.images)

    def log(self) -> None:
        """Record the means of the training terms since the last record."""
        self.write_log(self.progress.step, self.epoch, self.trainer.rates(self.step - 1), self.progress.epoch_images)

    def write_log(self, step: int, epoch: float, rates: dict[str, float], images: int) -> None:
        """The means of the training terms since the last record."""
        p, means = self.progress, self.trainer.meter.window.take()
        if means:
            self.record("train", {**means, **rates}, step=step, epoch=epoch)
            self.trainer.check_health(means)
            self.emit_notices(step)
            spent = p.epoch_seconds + (time.perf_counter() - self._updating if self._updating else 0.0)
            self.report.bar(step, p, means, images / spent if images and spent else p.rates[-1])

    def evaluate(self) -> bool:
        """Compute the metrics of the validation split. Returns whether the monitored metric is the best so far."""
        with self.console.waiting("evaluating on the validation split"):
            values = self.trainer.evaluate("validation", full=False)
        self.check_finite("validation", values)
        self.record("validation", values, n=len(self.trainer.data.validation), **self.trainer.metadata)
        if self.watch and not self.stage.name:
            self.pruned = self.watch(100 * self.step // self.stage.steps, values)
        monitor, p = self.trainer.monitor, self.progress
        if monitor is None:
            return False
        value = self.world.of_first(values[monitor.name])
        if monitor.better(value, p.reference, self.options.early_stopping.min_delta):
            p.reference, p.since_best = value, 0
        else:
            p.since_best += 1
        if monitor.better(value, p.best):
            p.best, p.best_step = value, p.step
            return True
        return False

    def show(self, step: int) -> None:
        """Draw the pictures of the current weights."""
        self.trainer.epoch = epoch = step / self.trainer.steps_per_epoch
        with self.console.waiting("drawing the pictures"):
            drawn = self.trainer.images()
        self.recorder.pictures(drawn, step=step, epoch=epoch, titles=self.options.titles)

    def patience_exhausted(self) -> bool:
        """Whether early stopping applies."""
        patience = self.options.early_stopping.patience
        return patience > 0 and self.progress.since_best >= patience

    def record(self, split: str, values: dict[str, float], **metadata) -> None:
        """Write the metrics of a split into metrics.jsonl and TensorBoard, and keep them as the newest."""
        stage = self.stage.name
        now = {"step": self.progress.step, "epoch": self.epoch}
        self.recorder.metrics(split, values, stage=stage, **{**now, **metadata})
        self.progress.figures |= {named(split, stage) + name: value for name, value in values.items()}

    def save(self, name: str = "last") -> None:
        """Save a checkpoint; not if the model is not finite, so that the last good one is kept."""
        self.synchronize()
        if not finite(self.trainer.model.state_dict().values()):
            self.diverged(self.progress.step, "a weight", after=True)
        self.progress.seconds += time.perf_counter() - self._since
        self._since = time.perf_counter()
        kept = self.trainer.state()
        if not self.options.keep_optimizer and (name != "last" or self.finished()):
            kept.pop("optimizer", None)
        state = {"trainer": kept, "progress": asdict(self.progress), "spec": self.spec}
        self.checkpoints.save(name, snapshot(state, self.trainer.device), self.status())

    def status(self) -> dict:
        """For status.json."""
        p, monitor = self.progress, self.trainer.monitor
        metadata = {"step": p.step, "epoch": round(self.epoch, 4), "seconds": round(p.seconds, 2), "stage": self.stage.name}
        if monitor and p.best is not None:
            metadata |= {
                "best": {named("validation", self.stage.name) + monitor.name: p.best},
                "higher_is_better": monitor.higher_is_better,
            }
        return metadata

    # -- the ends -------------------------------------------------------------------------------------------------

    def check_finite(self, split: str, values: dict[str, float]) -> None:
        """Raise Diverged if a metric of a split is not finite."""
        bad = next((name for name, value in values.items() if not math.isfinite(value)), None)
        if bad:
            self.diverged(self.progress.step, f"{split}/{bad}", after=True)

    def diverged(self, step: int, term: str, after: bool = False) -> None:
        """Write all pending files, then raise Diverged, which names the term and the layer."""
        self.recorder.drain()
        raise divergence(self.trainer, self.folder, self.progress, step, term, after)

    def finish(self) -> dict[str, float]:
        """The test metrics and the last pictures, of the best weights if there is a validation split.

        Returns the test metrics.

        Figures:
        n                number of examples of the split
        checkpoint_step  the step of the weights of the test metrics
        """
        used = {"checkpoint": "last", "checkpoint_step": self.progress.step}
        best = self.checkpoints.best() if self.progress.best is not None else None
        if best:
            self.trainer.model.load_state_dict(best["trainer"]["model"])
            used = {"checkpoint": "best", "checkpoint_step": self.progress.best_step}
        self.world.broadcast(tensors_of(self.trainer.model))
        with self.console.waiting("evaluating on the test split"):
            values = self.trainer.evaluate("test")
        self.check_finite("test", values)
        self.record("test", values, n=len(self.trainer.data.test), **self.trainer.metadata, **used)
        self.show(used["checkpoint_step"])
        self.progress.seconds += time.perf_counter() - self._since
        return values

    def summary(self, parameters: int, status: str) -> dict:
        """The contents of summary.json: final and best metrics, seconds, images per second, parameters and the status."""
        p = self.progress
        return {
            "final": p.figures,
            "best": best_figures(self.folder.read_metrics(), self.trainer.lower, self.trainer.higher),
            "best_step": p.best_step,
            "seconds": round(p.seconds, 2),
            "images_per_second": round(statistics.median(p.rates), 1) if p.rates else None,
            "parameters": parameters,
            "status": status,
        }
