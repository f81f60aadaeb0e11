"""Time: stages, epochs and steps, when to log, evaluate, show and save, the best and the last, interruption and divergence.

Written once for every trainer. Between two events the trainer is asked for all updates in one go.
"""

from __future__ import annotations

import math
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from nnlab.recording.console import Console, figures
from nnlab.recording.recorder import Recorder, named
from nnlab.runs.folder import RunFolder
from nnlab.training import checkpoint
from nnlab.training.diagnosis import divergence, finite
from nnlab.training.options import Options, period
from nnlab.training.progress import Progress, best_figures
from nnlab.training.trainer import Stage, Trainer


class Loop:
    """Drives a trainer through its updates and leaves what happens in the run folder.

    stop  says whether the run is to be interrupted; asked between two updates
    """

    def __init__(
        self,
        trainer: Trainer,
        options: Options,
        folder: RunFolder,
        recorder: Recorder,
        console: Console,
        stop: Callable[[], bool],
    ) -> None:
        self.trainer, self.options = trainer, options
        self.folder, self.recorder, self.console = folder, recorder, console
        self.stop = stop
        self.progress = Progress()
        self.spec = trainer.model.spec.state()
        per_epoch = trainer.steps_per_epoch
        self.log_every, self.evaluate_every, self.show_every, self.save_every, self.keep_every = (
            period(cadence, per_epoch)
            for cadence in (
                options.log_every,
                options.evaluate_every,
                options.show_every,
                options.save_every,
                options.keep_every,
            )
        )
        self._looked = 0  # the step up to which the meter has been read
        self._since = time.perf_counter()

    # -- the walk -------------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> float:
        """Of the run."""
        return self.progress.step / self.trainer.steps_per_epoch

    @property
    def stage(self) -> Stage:
        return self.trainer.stages[self.progress.stage]

    @property
    def step(self) -> int:
        """Of the stage; cadences, schedules and the order of the data count from its beginning."""
        return self.progress.step - self.progress.stage_began

    def resume(self, state: dict) -> None:
        """Go on where a checkpoint was. What was made after it, of which this run knows nothing, is forgotten."""
        self.trainer.restore(state["trainer"])
        self.progress = p = Progress.from_state(state["progress"])
        self._looked = p.step
        for name in self.recorder.cut(state["lengths"]):
            self.console.line(f"{name} is shorter than it was when the checkpoint was written: what is missing is lost")
        if state["trainer"]["random"]["kind"] != self.trainer.device.type:
            self.console.line(f"the random numbers of another kind of device cannot go on on {self.trainer.device}: new ones")
        for path in self.folder.checkpoints.glob("*.pt"):
            kept = path.stem.removeprefix("step-")
            if kept.isdigit() and int(kept) > p.step:
                path.unlink()
        best = self.folder.checkpoints / "best.pt"
        if best.exists() and checkpoint.step_of(best) != p.best_step:
            best.unlink()
        kept = self.best_of_stage()
        if not best.exists() and kept.exists() and checkpoint.step_of(kept) == p.best_step:
            shutil.copy(kept, best)

    def run(self) -> str:
        """Train to the end. Returns the status: completed or interrupted. Raises Diverged."""
        self._since = time.perf_counter()
        if self.progress.step == 0:
            self.save()  # a kill in the first epoch, too, leaves something to resume
        self.console.start(self.trainer.total_steps, self.progress.step)
        try:
            while not self.over():
                if self.stage_over():
                    self.next_stage()
                n = self.next_event() - self.step
                if self.advance(n) == n:
                    self.events()
                if self.stop() and not self.over():
                    self.save()
                    return "interrupted"
        finally:
            self.console.stop()
        return "completed"

    def over(self) -> bool:
        return self.stage_over() and self.progress.stage == len(self.trainer.stages) - 1

    def stage_over(self) -> bool:
        return self.step >= self.stage.steps or self.exhausted() or self.trainer.converged

    def next_stage(self) -> None:
        """Go on to the next stage from the best weights of this one, which stay as best-STAGE.pt.

        A kill in between loses nothing: until the new stage has been saved, the run resumes at the end of the old one.
        """
        p = self.progress
        if p.best is not None:
            best = self.folder.checkpoints / "best.pt"
            if best.exists():
                best.replace(self.best_of_stage())
            state = checkpoint.load(self.folder.checkpoints, self.best_of_stage().stem)
            self.trainer.model.load_state_dict(state["trainer"]["model"])
        self.trainer.meter.epoch.take()
        p.enter(p.stage + 1)
        self.trainer.enter(p.stage)
        self.save()

    def best_of_stage(self) -> Path:
        """Where the best weights of a stage stay when the next one begins."""
        return self.folder.checkpoints / f"best-{self.stage.name}.pt"

    def advance(self, n: int) -> int:
        """Make `n` updates, fewer when asked to stop. Returns how many were made."""
        began = time.perf_counter()
        done = self.trainer.train(self.step, n, self.stop)
        self.progress.step += done
        self.look()  # waits for the device, so that the time is the updates'
        p, n_train = self.progress, len(self.trainer.data.train)
        p.epoch_seconds += time.perf_counter() - began
        position = self.step % self.trainer.steps_per_epoch
        p.epoch_images = position * self.trainer.batch_size
        if position == 0 and done:
            p.rates.append(n_train / p.epoch_seconds)
            p.epoch_seconds = 0.0
        return done

    def next_event(self) -> int:
        step, end = self.step, self.stage.steps
        cadences = [self.trainer.steps_per_epoch, self.log_every, self.evaluate_every, self.show_every, self.save_every]
        return min(end, *((step // every + 1) * every for every in [*cadences, self.keep_every] if every))

    def due(self, every: int | None) -> bool:
        """Whether an event falls on this step; at the end of a stage each does that is not `never`."""
        return every is not None and (self.step % every == 0 or self.step == self.stage.steps)

    def events(self) -> None:
        ends_epoch = self.due(self.trainer.steps_per_epoch)
        if self.due(self.log_every) or ends_epoch:
            self.log()
        evaluated = self.due(self.evaluate_every) and len(self.trainer.data.validation) > 0
        better = self.evaluate() if evaluated else False
        if self.stage_over():
            self.log()  # what a stage that ends early has gathered
        if ends_epoch or evaluated:
            self.tell()
        if self.due(self.show_every) and not self.over():  # the last pictures are those of `finish`
            self.recorder.pictures(self.trainer.show(), step=self.progress.step)
        if better:
            self.save("best")
        if self.due(self.keep_every):
            self.save(f"step-{self.progress.step:06d}")
        if self.due(self.save_every) or self.stage_over():
            self.save()

    # -- the events -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read the meter. Raises Diverged at the first value that is not finite."""
        trouble = self.trainer.meter.look()
        if trouble:
            self.diverged(self._looked + trouble.offset, f"train/{trouble.term}")
        self._looked = self.progress.step

    def log(self) -> None:
        p = self.progress
        means = self.trainer.meter.window.take()
        if means:
            self.record("train", {**means, **self.trainer.rates(self.step - 1)})
            rate = p.epoch_images / p.epoch_seconds if p.epoch_seconds else p.rates[-1]  # of this epoch so far
            self.console.progress(p.step, means, rate)

    def evaluate(self) -> bool:
        """Figures on the validation split. Returns whether the monitored one is the best so far."""
        values = self.trainer.evaluate("validation")
        self.check_finite("validation", values)
        self.record("validation", values, n=len(self.trainer.data.validation), **self.trainer.facts)
        monitor, p = self.trainer.monitor, self.progress
        if monitor is None:
            return False
        value = values[monitor.name]
        if monitor.better(value, p.reference, self.options.early_stopping.min_delta):
            p.reference, p.since_best = value, 0
        else:
            p.since_best += 1
        if monitor.better(value, p.best):
            p.best, p.best_step = value, p.step
            return True
        return False

    def exhausted(self) -> bool:
        """Whether early stopping has seen enough."""
        patience = self.options.early_stopping.patience
        return patience > 0 and self.progress.since_best >= patience

    def tell(self) -> None:
        """One line: the epoch, the training means over it, the last validation figures."""
        p, per_epoch = self.progress, self.trainer.steps_per_epoch
        means = self.trainer.meter.epoch.take() if self.step % per_epoch == 0 else {}
        prefix = named("validation", self.stage.name)
        evaluated = {k.removeprefix(prefix): v for k, v in p.figures.items() if k.rpartition("/")[0] + "/" == prefix}
        parts = [f"{self.stage.name} epoch {self.step / per_epoch:.4g}/{self.stage.steps / per_epoch:.4g}".lstrip()]
        parts += [f"{split}  {figures(values)}" for split, values in (("train", means), ("validation", evaluated)) if values]
        parts += [f"{p.rates[-1]:,.0f} images/s"] if p.rates else []
        self.console.line(" | ".join(parts))

    def record(self, split: str, values: dict[str, float], **facts) -> None:
        stage = self.stage.name
        self.recorder.figures(split, values, stage=stage, step=self.progress.step, epoch=self.epoch, **facts)
        self.progress.figures |= {named(split, stage) + name: value for name, value in values.items()}

    def save(self, name: str = "last") -> None:
        """A checkpoint; refused to a model that is not finite, so that the last good one stays."""
        if not finite(self.trainer.model.state_dict().values()):
            self.diverged(self.progress.step, "a weight", after=True)
        self.progress.seconds += time.perf_counter() - self._since
        self._since = time.perf_counter()
        state = {
            "trainer": self.trainer.state(),
            "progress": asdict(self.progress),
            "spec": self.spec,
            "lengths": self.recorder.lengths(),
        }
        checkpoint.save(state, self.folder.checkpoints / f"{name}.pt")
        self.folder.write_status("running", **self.where())

    def where(self) -> dict:
        """For status.json."""
        p, monitor = self.progress, self.trainer.monitor
        facts = {"step": p.step, "epoch": round(self.epoch, 4), "seconds": round(p.seconds, 2), "stage": self.stage.name}
        if monitor and p.best is not None:
            facts |= {
                "best": {named("validation", self.stage.name) + monitor.name: p.best},
                "higher_is_better": monitor.higher_is_better,
            }
        return facts

    # -- the ends -------------------------------------------------------------------------------------------------

    def check_finite(self, split: str, values: dict[str, float]) -> None:
        bad = next((name for name, value in values.items() if not math.isfinite(value)), None)
        if bad:
            self.diverged(self.progress.step, f"{split}/{bad}", after=True)

    def diverged(self, step: int, term: str, after: bool = False) -> None:
        raise divergence(self.trainer, self.folder, self.progress, step, term, after)

    def finish(self) -> dict[str, float]:
        """The test figures and the last pictures, of the best weights where there is a validation split.

        Returns the test figures.
        """
        used = {"checkpoint": "last", "checkpoint_step": self.progress.step}
        if self.progress.best is not None and (self.folder.checkpoints / "best.pt").exists():
            best = checkpoint.load(self.folder.checkpoints, "best")
            self.trainer.model.load_state_dict(best["trainer"]["model"])
            used = {"checkpoint": "best", "checkpoint_step": self.progress.best_step}
        values = self.trainer.evaluate("test")
        self.check_finite("test", values)
        self.record("test", values, n=len(self.trainer.data.test), **self.trainer.facts, **used)
        self.recorder.pictures(self.trainer.show(), step=self.progress.step)
        self.progress.seconds += time.perf_counter() - self._since
        return values

    def summary(self, parameters: int, status: str) -> dict:
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
