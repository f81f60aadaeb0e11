"""A run opened again: its trained model, and when asked for its data and its trainer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from nnlab.checkpoints import checkpoint
from nnlab.checkpoints.reference import resolve_references
from nnlab.config.build import build, target
from nnlab.data.dataset import Dataset, own_root
from nnlab.data.extra import open_data
from nnlab.data.identity import as_trained
from nnlab.data.noise.base import Noise
from nnlab.data.spec import DataSpec
from nnlab.data.split import Data
from nnlab.errors import BadInput, one_line, shortened
from nnlab.experiment import checks
from nnlab.experiment.judging import with_judge
from nnlab.experiment.run import Experiment, build_experiment
from nnlab.export import weights
from nnlab.model import Model
from nnlab.recording.console import Console
from nnlab.runs.find import resolve
from nnlab.runs.folder import RunFolder
from nnlab.training import device as devices


@dataclass
class LoadedRun:
    """A run folder with the state of one of its checkpoints; model, data and trainer are made when first asked for.

    judged  whether the trainer is to have the run's judge
    data_changed  whether data other than those it was trained on are used all the same
    """

    folder: RunFolder
    config: dict
    checkpoint: str
    state: dict
    device: torch.device
    judged: bool = False
    data_changed: bool = False

    @property
    def metadata(self) -> dict:
        """What the figures of a verb are of."""
        changed = {"data_changed": self._differs} if self._differs else {}
        return {"run": str(self.folder.path), "checkpoint": self.checkpoint, "step": self.state["progress"]["step"], **changed}

    @property
    def metrics(self) -> list[dict]:
        """The records of metrics.jsonl in their order: step, epoch, split, and each metric by its name."""
        return self.folder.read_metrics()

    @property
    def _differs(self) -> list[str]:
        """What of the data that were opened is not as it was in training."""
        opened = self.__dict__.get("_opened")
        experiment = self.__dict__.get("experiment")
        return opened[1] if opened else experiment.differs if experiment else []

    @property
    def data(self) -> Data:
        """The run's data, without its trainer. Raises BadInput if they are not there, or not what they were."""
        experiment = self.__dict__.get("experiment")
        return experiment.data if experiment else self._opened[0]

    @cached_property
    def _opened(self) -> tuple[Data, list[str]]:
        data = open_data(build(self.config["data"], Dataset, place="data"), self.device)
        return as_trained(data, DataSpec.from_state(self.state["spec"]), self.data_changed)

    @cached_property
    def model(self) -> Model:
        """The trained model, built without its data, in evaluation mode."""
        with usable(self.folder):
            spec = DataSpec.from_state(self.state["spec"])
            model = build(self.config["model"], Model, spec, place="model").to(self.device)
            model.start_stage(self._stage)
            return self._fill(model)

    @property
    def _stage(self) -> int:
        """The stage of the training that the weights are of."""
        return self.state["trainer"].get("stage", 0)

    @cached_property
    def reshaping(self) -> Noise | None:
        """The noise of the training if the model needs it, since it makes another image its input; else None."""
        spec = DataSpec.from_state(self.state["spec"])
        return build(self.config["noise"], Noise, spec, place="noise") if "corrupted" in spec.parts else None

    @cached_property
    def experiment(self) -> Experiment:
        """Everything the run was made of, with the trained weights. Raises BadInput as `data` does."""
        with usable(self.folder):
            return self._assembled()

    def _assembled(self) -> Experiment:
        judge = self.config["judge"] if self.judged else "none"
        config, known = {**self.config, "judge": judge, "device": str(self.device)}, DataSpec.from_state(self.state["spec"])
        experiment = build_experiment(config, known, self.data_changed)
        experiment.trainer.start_stage(self._stage)
        self._fill(experiment.model)
        if experiment.trainer.judge:
            experiment.trainer.judge.load_weights(self.state["trainer"].get("judge"))
        return experiment

    def use_judge(self, judge: str, console: Console) -> None:
        """Another judge than the run's own: auto, inception, or a run. Raises BadInput if it has no use, or cannot be had."""
        self.config, problems = resolve_references({**self.config, "judge": judge})
        problems = problems or checks.check(self.config)
        if problems:
            raise BadInput(*(problem.replace("judge: ", "--judge: ") for problem in problems))
        self.config = with_judge({**self.config, "device": str(self.device)}, console, own_root())
        self.state["trainer"].pop("judge", None)  # the weights of the run's own

    def _fill(self, model: Model) -> Model:
        try:
            model.load_state_dict(self.state["trainer"]["model"])
        except (RuntimeError, KeyError) as error:
            _, *reasons = str(error).splitlines() if isinstance(error, RuntimeError) else ("", str(error))
            why = shortened((reasons or [str(error)])[0].strip())
            raise BadInput(
                f"{self.folder.path}: checkpoint '{self.checkpoint}' and config.yaml disagree, or nnlab has changed ({why})"
            ) from error
        return model.eval()


def open_run(
    run: str | Path, checkpoint_name: str | None = None, device: str = "auto", data_changed: bool = False
) -> LoadedRun:
    """A run folder (or `last`) with its `best` checkpoint, or `last` where there is no best, or the one named.

    Raises BadInput if the folder is no run, its config names a class outside nnlab, or the checkpoint cannot be read.
    """
    folder = resolve(str(run))
    if (folder.path / weights.FILE).is_file():
        raise BadInput(f"{folder.path}: an exported model, not a run; give the run's folder, or in Python use nnlab.load")
    config = checked_config(folder)
    names = checkpoint.available(folder.checkpoints)
    name = checkpoint_name or ("best" if "best" in names else "last")
    where = devices.resolve(device)
    return LoadedRun(folder, config, name, checkpoint.load(folder.checkpoints, name), where, data_changed=data_changed)


@contextmanager
def usable(folder: RunFolder) -> Iterator[None]:
    """While a stranger's config and checkpoint are made into objects: whatever they upset is told in a sentence."""
    try:
        yield
    except (torch.OutOfMemoryError, NotImplementedError):
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError) as error:
        reason = shortened(f"{type(error).__name__}: {one_line(error)}")
        raise BadInput(f"{folder.path}: no run can be made of its config.yaml and its checkpoint ({reason})") from error


WITHOUT = {"augmentation": {"_target_": "nnlab.data.augmentation.none.NoAugmentation"}, "judge": "none", "recorder": {}}


def checked_config(folder: RunFolder) -> dict:
    """The config of a run, upgraded and checked, with a root where the data can be. Raises BadInput with its problems."""
    config = folder.read_config()
    data = config.get("data")
    root = data.get("root") if isinstance(data, dict) else None
    if "NNLAB_DATA" in os.environ and isinstance(root, str) and not os.path.isdir(root):
        data["root"] = os.environ["NNLAB_DATA"]  # the run comes from another machine
    for key, absent in WITHOUT.items():  # a run of an older version
        config.setdefault(key, absent)
    with usable(folder):
        problems = checks.check(config)
    if problems:
        raise BadInput(*(f"{folder.config}: {problem}" for problem in problems))
    if target(data["_target_"], "data").downloads and not build(data, Dataset, place="data").folder.exists():
        data["root"] = str(own_root())  # what is fetched is written where the user has his data, not where the folder says
    return config


def load(run: str | Path, checkpoint: str | None = None, device: str = "auto") -> Model:
    """The trained model of a run, on a device, in evaluation mode, with all it can do: sample, encode, decode, …

    run         a run folder, "last", or a folder of `nnlab export`
    checkpoint  "best", "last", "step-000500"; by default the best, or the last where there is no validation split

        model = nnlab.load("outputs/vae/fashion_mnist/…")
        with torch.inference_mode():
            images = model.sample(64)             # (64, 1, 28, 28), values within model.spec.low … high

    Raises nnlab.errors.BadInput, whose message names what is wrong.
    """
    if (Path(run) / weights.FILE).is_file():
        if checkpoint is not None:
            raise BadInput(f"checkpoint: {run} is an exported model, which has one; leave it out")
        return exported(Path(run), device).model
    return open_run(run, checkpoint, device).model


def exported(folder: Path, device: str = "auto") -> LoadedRun:
    """A folder of `nnlab export`, with its weights as the state. Raises BadInput if it is not whole."""
    found = resolve(str(folder))
    config, state = checked_config(found), weights.read(folder / weights.FILE)
    return LoadedRun(found, config, state["checkpoint"], state, devices.resolve(device))
