"""One training run: its config made into objects, and lived through in its folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from nnlab.checkpoints.checkpoint import save_judge
from nnlab.config.build import build, target
from nnlab.config.constraints import is_none
from nnlab.config.flat import bears, flat
from nnlab.data.augmentation.base import Augmentation
from nnlab.data.dataset import Dataset
from nnlab.data.extra import open_data
from nnlab.data.identity import as_trained
from nnlab.data.noise.base import Noise
from nnlab.data.spec import DataSpec
from nnlab.data.split import Data, Split
from nnlab.errors import BadInput, Interrupted, RunFailed, explain, file_error, out_of_memory, printable
from nnlab.evaluators.build import build_judge
from nnlab.experiment.checks import check_length, check_pretraining
from nnlab.experiment.parts import check_parts, check_views, seen_through
from nnlab.model import Model
from nnlab.nn.batch_norm import SHARED, share_batches
from nnlab.nn.world import ALONE, World, tensors_of
from nnlab.plotting.picture import save
from nnlab.recording.console import Console
from nnlab.recording.recorder import Recorder
from nnlab.recording.tracker import RunFacts, Tracker
from nnlab.runs.files import own, write_whole
from nnlab.runs.folder import RunFolder
from nnlab.runs.process import code_facts, process_facts, versions
from nnlab.runs.sweep import name_of
from nnlab.runs.table import figures, seconds
from nnlab.training import device as devices
from nnlab.training import randomness
from nnlab.training.allocator import keep_freed_memory
from nnlab.training.diagnosis import Diverged
from nnlab.training.follower import Follower
from nnlab.training.interruption import SignalHandler
from nnlab.training.loop import Loop, Watch
from nnlab.training.options import AUTOMATIC, Options
from nnlab.training.trainer import Trainer, TrainerContext, trainer_of


@dataclass
class Experiment:
    """A config made into objects.

    differs  what of the data is not as it was when the run was trained, where that is allowed
    """

    config: dict
    options: Options
    device: torch.device
    data: Data
    model: Model
    trainer: Trainer
    differs: list[str]
    initialized: bool = False

    def initialize(self, split: Split | None = None) -> None:
        """Read off the data, once, what the model starts from. Raises BadInput where it cannot.

        split  by default the training split; or one with more examples than the model learns from
        """
        if not self.initialized:
            self.model.init_from_data(self.data.train if split is None else split)
            if self.trainer.judge:
                self.trainer.judge.load_weights()
            world = self.trainer.world
            world.broadcast(tensors_of(self.model))
            if world.rank:  # layers draw from the global generators: each process other numbers for its examples
                randomness.seed_everything(randomness.seed_of_rank(self.trainer.seed, world.rank))
            self.initialized = True

    @property
    def parameters(self) -> int:
        """How many numbers the model learns."""
        return self.model.size


def build_experiment(
    config: Mapping, known: DataSpec | None = None, data_changed: bool = False, world: World = ALONE
) -> Experiment:
    """Build everything that a checked config names. Raises BadInput where the parts do not go together.

    known         of a run: what it was trained on. Other data are refused, unless `data_changed` allows them
    world         the processes that train together
    """
    device = devices.resolve(config["device"])
    if device.type == "cuda":  # the same bits at each run, and float32 that is float32
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_flush_denormal(True)  # Adam's running means of silent weights fade into denormals, which CPUs add slowly
    data, differs = open_data(build(config["data"], Dataset, place="data"), device), []
    if known:
        data, differs = as_trained(data, known, data_changed)
    return assemble(config, data, device, differs, world)


def assemble(
    config: Mapping, data: Data, device: torch.device, differs: Sequence[str] = (), world: World = ALONE
) -> Experiment:
    """All parts of a checked config, with data that are open already. Raises BadInput where they do not go together."""
    judge = build_judge(config["judge"], data.spec, config["data"], device)
    randomness.seed_everything(config["seed"])  # after the judge, which is no part of the model
    noise = build(config["noise"], Noise, data.spec, place="noise")
    check_views(target(config["model"]["_target_"], "model"), data.spec)
    augmentation = build(config["augmentation"], Augmentation, data.spec, place="augmentation")
    spec = seen_through(noise, data.spec)
    check_parts(target(config["model"]["_target_"], "model"), spec, noise, augmentation)
    model = build(config["model"], Model, spec, place="model").to(device)
    trainer = trainer_of(model)
    # what an older run, or a model of one's own, says of a base of these options
    named = {"_target_": f"{trainer.options.__module__}.{trainer.options.__qualname__}"}
    options = build({**config["trainer"], **named}, trainer.options, place="trainer")
    if options.early_stopping.patience and not len(data.validation):
        raise BadInput("trainer.early_stopping.patience: nothing to watch, no image is left for validation")
    shared = {"their config": repr({**config, "judge": None}), "their data": data.spec.digest + data.spec.splits}
    check_world(world, model, data, shared)
    share_batches(model, world)
    context = TrainerContext(
        model, data, noise, augmentation, judge, options, config["optimizer"], device, config["seed"], world
    )
    learner = trainer(context)
    learner.prepare()
    return Experiment(settled(config, options), options, device, data, model, learner, list(differs))


def check_world(world: World, model: Model, data: Data, shared: Mapping[str, str]) -> None:
    """Raise BadInput if several processes cannot train a model together, or were started with other configs or data."""
    if world.size == 1:
        return
    short = [name for name in ("train", "validation", "test") if 0 < len(data.split(name)) < world.size]
    if short:
        raise BadInput(f"data: the {short[0]} split has fewer examples than there are processes, {world.size}; start fewer")
    odd = next((part for part in model.modules() if isinstance(part, _BatchNorm) and type(part) not in SHARED), None)
    if not model.distributes or odd:
        cause = f", since its {type(odd).__name__} would see only a part of the batch" if odd and model.distributes else ""
        raise BadInput(f"torchrun: {type(model).__name__} is trained by one process only{cause}; start it without torchrun")
    world.check_same(shared)


def follow_experiment(experiment: Experiment) -> None:
    """Train to the end together with the first process, which writes the run folder. Raises Interrupted or RunFailed."""
    experiment.initialize()
    with SignalHandler() as stop:
        follower = Follower(experiment.trainer, experiment.options, stop)
        if follower.run() == "interrupted":
            raise Interrupted("interrupted")
        follower.finish()


def settled(config: Mapping, options: Options) -> dict:
    """A config whose trainer's `auto` is what it has become. Raises BadInput if the run is too short for a schedule."""
    node, problems = dict(config["trainer"]), []
    if node.get("epochs") == "auto":
        node["epochs"] = options.epochs or "none"
        problems += check_length(config["optimizer"] or {}, "optimizer", options.epochs, "run") if options.epochs else []
    stages = node.get("pretraining") or {}
    if stages.get("epochs") == "auto":
        node["pretraining"] = {**stages, "epochs": options.pretraining.epochs}
        problems += check_pretraining(node["pretraining"])
    if problems:
        raise BadInput(*problems)
    node |= {key: getattr(options, key) for key in AUTOMATIC if node.get(key) == "auto"}
    return {**config, "trainer": node}


def run_experiment(
    experiment: Experiment,
    folder: RunFolder,
    console: Console,
    state: dict | None = None,
    outputs: Path | None = None,
    watch: Watch | None = None,
    **metadata,
) -> float | None:
    """Train to the end, from a checkpoint's state if given, and leave the run folder complete.

    outputs   the folder of all runs; None is that of the config
    watch     is told of each evaluation, and may prune the run, which then has neither test metrics nor last pictures
    metadata  for status.json: what was chosen, tags

    Returns the best value of the monitored figure. Raises RunFailed (Diverged, a full disk, …) or Interrupted.
    """
    e = experiment
    keep_freed_memory(e.device)
    tracker = build_tracker(e.config)
    with (
        readable_errors(folder),
        folder.locked(),
        closing(Recorder(folder, tracker, console.line)) as recorder,
        SignalHandler() as stop,
    ):
        write_config(folder, e.config)  # under the lock: of two runs into one folder it is the one that trains
        folder.write_status(
            "running",
            **({} if state else {"began": time.time()}),
            **metadata,
            **process_facts(),
            **code_facts(),
            device=str(e.device),
            precision=str(e.trainer.precision),
            threads=torch.get_num_threads(),
            versions={**versions(), "torch": torch.__version__},  # which says the CUDA build, too
            parameters=e.parameters,
        )
        loop = Loop(e.trainer, e.options, folder, recorder, console, stop, watch)
        with record_failure(folder, loop, e):
            if state is None:
                recorder.start(run_facts(loop, e, outputs))
                with console.waiting("reading off the data what the model begins with"):
                    e.initialize()
                if e.trainer.judge and (weights := e.trainer.judge.state()):
                    save_judge(weights, folder.checkpoints)
            else:
                loop.resume(state)
                recorder.start(run_facts(loop, e, outputs))
            status = loop.run()
            if status == "completed":
                values = loop.finish()
                console.line(f"test  {figures(values)}")
            end_records(loop, status)
            recorder.drain()
            folder.write_summary(loop.summary(e.parameters, status))
            folder.write_status(status, **loop.status())
            draw_curves(folder, e.options.titles)
    if status == "interrupted":
        raise Interrupted(f"interrupted at step {loop.progress.step} and saved; go on with: nnlab resume {folder.path}")
    if status == "pruned":
        console.line(f"pruned at step {loop.progress.step} of {e.trainer.total_steps}: {folder.path}")
        return loop.progress.best
    console.line(f"done in {seconds(loop.progress.seconds)}: {folder.path}")
    pictures = f"pictures: {folder.images}    " if folder.images.exists() else ""
    console.line(f"{pictures}curves: nnlab tensorboard {folder.path}")
    if stop():  # too late to interrupt this run, but not the sweep that it may belong to
        raise Interrupted(f"interrupted; {folder.path} was complete")
    return loop.progress.best


def draw_curves(folder: RunFolder, titles: bool) -> None:
    """images/curves.png, from the records of metrics.jsonl."""
    from nnlab.plotting.curves import curves  # matplotlib takes half a second to import

    picture = curves({folder.title(): (folder.read_metrics(), folder.read_status())}, folder.title() if titles else "")
    if picture is not None:
        save(picture, own(folder.images) / "curves.png")


@contextmanager
def readable_errors(folder: RunFolder) -> Iterator[None]:
    """Errors of the file system and of memory as a sentence."""
    try:
        yield
    except Exception as error:
        if failed := file_error(error):
            resumable = any(folder.checkpoints.glob("*.pt"))
            hint = f". Then go on with: nnlab resume {folder.path}" if resumable else ""
            raise RunFailed(explain(failed, folder.path) + hint) from error
        if isinstance(error, torch.OutOfMemoryError):
            remedy = "nnlab batch-size with the same arguments finds the largest trainer.batch_size that does, by trial"
            raise RunFailed(f"it does not fit into the device's memory; {remedy}") from error
        if out_of_memory(error):  # the CPU's
            remedy = "give a smaller trainer.batch_size, a smaller model, smaller images, or fewer of them (data.limit)"
            raise RunFailed(f"it does not fit into memory; {remedy}") from error
        raise


@contextmanager
def record_failure(folder: RunFolder, loop: Loop, experiment: Experiment) -> Iterator[None]:
    """Whatever ends a run is written into its status."""
    try:
        yield
    except BaseException as error:
        status = "diverged" if isinstance(error, Diverged) else "failed"
        with suppress(Exception):  # else its thread would write a status after this one
            loop.recorder.drain()
        if isinstance(error, KeyboardInterrupt):  # the second Ctrl-C: nothing since the last checkpoint is saved
            status = "interrupted"
        with suppress(Exception):
            end_records(loop, status)
            loop.recorder.drain()
        with suppress(OSError, ValueError, BadInput):  # on a full disk the reason is told on the console alone
            folder.write_status(status, **loop.status(), reason=str(error) or type(error).__name__)
            folder.write_summary(loop.summary(experiment.parameters, status))
        raise


def end_records(loop: Loop, status: str) -> None:
    """Tell TensorBoard and the tracker how the run has ended, and its best metric."""
    loop.recorder.finish(status, loop.status().get("best", {}), loop.progress.best_step)


def build_tracker(config: Mapping) -> Tracker | None:
    """The tracker of a config, not yet begun; None if TensorBoard is enough. Raises BadInput for one that cannot be used."""
    node = config.get("recorder")
    return build(node, Tracker, place="recorder") if node else None


def run_facts(loop: Loop, experiment: Experiment, outputs: Path | None) -> RunFacts:
    """What TensorBoard and the tracker are told of a run."""
    folder, trainer, config = loop.folder, experiment.trainer, experiment.config
    status = folder.read_status()
    about = {key: status[key] for key in ("model", "data", "command", "host", "device") if key in status}
    about |= {"commit": str(status["git"].get("commit", ""))} if status.get("git") else {}
    name, sweep = name_of(folder.path, outputs or Path(config["outputs"]))
    return RunFacts(
        folder=folder.path,
        outputs=outputs or Path(config["outputs"]),
        name=printable(name),
        sweep=printable(sweep),
        config="\n".join(map(printable, folder.config.read_text(encoding="utf-8").split("\n"))),
        parameters=hyper_parameters(config, status.get("choices", {})),
        about={**{key: printable(text) for key, text in about.items() if text}, "folder": printable(folder.path)},
        tags=tuple(map(printable, status.get("tags", []))),
        note=printable(status.get("note", "")),
        scheduled=frozenset(trainer.rates(loop.step)),
        judged=trainer.judge.lower | trainer.judge.higher if trainer.judge else frozenset(),
        recorded=tuple(loop.progress.figures),
    )


def hyper_parameters(config: Mapping, choices: Mapping[str, str]) -> dict[str, float | str | bool]:
    """What runs are compared by: the choices, and the values that bear on the result, under flat names.

    A value that is none is left out: beside the numbers of other runs it would make a column of texts.
    """
    found: dict[str, float | str | bool] = {group: name for group, name in choices.items() if bears(group)}
    for place, value in flat(config).items():
        if bears(place) and not place.endswith("_every") and not is_none(value) and value != {}:
            found[place] = value if isinstance(value, bool | int | float | str) else str(value)
    return found


def write_config(folder: RunFolder, config: Mapping) -> None:
    """config.yaml: the whole config, resolved."""
    from omegaconf import OmegaConf

    write_whole(folder.config, OmegaConf.to_yaml(OmegaConf.create(dict(config))))
