"""One training run: its config made into objects, and lived through in its folder."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

import torch

from nnlab.config.build import build
from nnlab.data.dataset import Data, Dataset
from nnlab.errors import Interrupted, NnlabError, RunFailed, explain
from nnlab.model import Model
from nnlab.noise import Noise
from nnlab.recording.console import Console, figures, seconds
from nnlab.recording.recorder import Recorder
from nnlab.runs.folder import RunFolder, process_facts, versions, write_whole
from nnlab.training import device as devices
from nnlab.training import randomness
from nnlab.training.interruption import Interruption
from nnlab.training.loop import Diverged, Loop
from nnlab.training.options import GradientOptions
from nnlab.training.trainer import Setting, Trainer


@dataclass
class Experiment:
    """A config made into objects."""

    config: dict
    options: GradientOptions
    device: torch.device
    data: Data
    model: Model
    trainer: Trainer

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())


def trainer_of(model: Model) -> type[Trainer]:
    """The trainer that a model's base class names."""
    module, _, name = model.trainer.partition(":")
    return getattr(importlib.import_module(module), name)


def assemble(config: Mapping) -> Experiment:
    """Build everything that a checked config names. Raises BadInput where the parts do not go together."""
    device = devices.resolve(config["device"])
    torch.set_flush_denormal(True)  # Adam's running means of silent weights fade into denormals, which CPUs add slowly
    options = build(config["trainer"], GradientOptions, place="trainer")
    data = build(config["data"], Dataset, place="data").open(device)
    randomness.seed_everything(config["seed"])
    noise = build(config["noise"], Noise, data.spec, place="noise")
    model = build(config["model"], Model, data.spec, place="model").to(device)
    setting = Setting(model, data, noise, device, config["seed"])
    trainer = trainer_of(model)(setting, options, config["optimizer"])
    return Experiment(dict(config), options, device, data, model, trainer)


def carry_out(experiment: Experiment, folder: RunFolder, console: Console, state: dict | None = None, **facts) -> float | None:
    """Train to the end, from a checkpoint's state if given, and leave the run folder complete.

    facts  for status.json: what was chosen, tags
    Returns the best value of the monitored figure. Raises RunFailed (Diverged, a full disk, …) or Interrupted.
    """
    e = experiment
    folder.write_status(
        "running",
        **({} if state else {"began": time.time()}),
        **facts,
        **process_facts(),
        device=str(e.device),
        precision=str(e.trainer.precision),
        threads=torch.get_num_threads(),
        versions={**versions(), "torch": torch.__version__},  # which says the CUDA build, too
        parameters=e.parameters,
    )
    with closing(Recorder(folder)) as recorder, Interruption() as stop:
        loop = Loop(e.trainer, e.options, folder, recorder, console, stop)
        with honest_status(folder, loop, e):
            if state is None:
                recorder.text("config", f"```yaml\n{folder.config.read_text(encoding='utf-8')}\n```")
                e.model.start(e.data.train)
            else:
                loop.resume(state)
            status = loop.run()
            if status == "completed":
                values = loop.finish()
                console.line(f"test  {figures(values)}")
                recorder.hparams(
                    hyper_parameters(e.config, folder.read_status().get("choices", {})),
                    loop.progress.figures,
                    step=loop.progress.step,
                )
            folder.write_summary(loop.summary(e.parameters, status))
            folder.write_status(status, **loop.where())
    if status == "interrupted":
        raise Interrupted(f"interrupted at step {loop.progress.step} and saved; go on with: nnlab resume {folder.path}")
    console.line(f"done in {seconds(loop.progress.seconds)}: {folder.path}")
    console.line(f"pictures: {folder.images}    curves: nnlab tensorboard {folder.path}")
    return loop.progress.best


@contextmanager
def honest_status(folder: RunFolder, loop: Loop, experiment: Experiment) -> Iterator[None]:
    """Whatever ends a run is written into its status; a full disk or memory is told in a sentence."""
    try:
        yield
    except BaseException as error:
        status = "diverged" if isinstance(error, Diverged) else "failed"
        reason = str(error) or type(error).__name__
        with suppress(OSError, ValueError):  # on a full disk the reason is told on the console alone
            folder.write_summary(loop.summary(experiment.parameters, status))
            folder.write_status(status, **loop.where(), reason=reason)
        if isinstance(error, NnlabError | KeyboardInterrupt):
            raise
        if isinstance(error, OSError):
            raise RunFailed(explain(error, folder.path)) from error
        if isinstance(error, torch.OutOfMemoryError):
            size = experiment.trainer.batch_size
            raise RunFailed(
                f"{experiment.device}: out of memory; try a trainer.batch_size under {size}, or a smaller model"
            ) from error
        raise


def hyper_parameters(config: Mapping, choices: Mapping[str, str]) -> dict[str, float | str | bool]:
    """What TensorBoard's HParams compares runs by: the choices, and the values that bear on the result."""
    flat: dict[str, float | str | bool] = dict(choices)

    def walk(node: Mapping, place: str) -> None:
        for key, value in node.items():
            if isinstance(value, Mapping):
                walk(value, f"{place}{key}.")
            elif key not in WITHOUT_BEARING and not key.endswith("_every"):
                flat[place + key] = value if isinstance(value, bool | int | float | str) else str(value)

    walk(config, "")
    return flat


WITHOUT_BEARING = ("_target_", "root", "outputs", "device", "tags")


def write_config(folder: RunFolder, config: Mapping) -> None:
    """config.yaml: the whole config, resolved."""
    from omegaconf import OmegaConf

    write_whole(folder.config, OmegaConf.to_yaml(OmegaConf.create(dict(config))))
