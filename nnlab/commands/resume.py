"""nnlab resume: go on with a run in the same folder, to the same bits as without the interruption."""

from __future__ import annotations

import copy
import socket
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.arguments import add_checkpoint, add_data_changed, make_parser, parse_override
from nnlab.commands.sweep_table import show
from nnlab.config.search import options
from nnlab.errors import BadInput, NnlabError, nearest, printable, shortened
from nnlab.runs.folder import RunFolder, labels
from nnlab.runs.lock import locked, sharing
from nnlab.runs.search import is_search
from nnlab.runs.sweep import members, planned, refuse_foreign

if TYPE_CHECKING:
    from nnlab.experiment.run import Experiment
    from nnlab.recording.console import Console
    from nnlab.training.loop import Watch
    from nnlab.training.trainer import Trainer

CHANGEABLE = ("trainer.epochs", "trainer.steps", "trainer.early_stopping", "device", "data.root", "tags", "note", "recorder")
TRACKER = "recorder."  # keys that a stranger's run must not choose: to whom results are sent
CADENCES = ("log", "evaluate", "show", "save", "keep")


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "resume",
        "Go on with a run that was stopped, or train it longer, in the same folder.",
        "resume last",
        "resume outputs/sweeps/2026-01-31_12-00-00-000000",
        "resume outputs/vae/fashion_mnist/2026-01-31_12-00-00-000000 trainer.epochs=40",
        keyed=True,
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="a new length, cadence, device, tags or note")
    add_checkpoint(parser, "last")
    add_data_changed(parser)
    parser.add_argument("--take-over", action="store_true", help="even if status.json names a process on another machine")
    parser.add_argument("-cd", "--config-dir", help="for a sweep whose jobs use your own configs: the same folder as for train")
    return parser.parse_intermixed_args(argv)


def main(argv: list[str]) -> int:
    """Go on with an interrupted run, or with the jobs of a sweep that are left. Returns the exit status."""
    args = arguments(argv)

    if is_search(Path(args.run)):
        raise BadInput(f"{printable(args.run)}: is a search, which goes on with: nnlab search -o {printable(args.run)}")
    if (jobs := planned(Path(args.run))) is not None:
        return the_rest(Path(args.run), jobs, args)
    if args.config_dir:
        raise BadInput(f"-cd: not used for a run, whose config.yaml is complete; leave it out: nnlab resume {args.run}")
    resume(args)
    return 0


def resume(args: Namespace, watch: Watch | None = None) -> None:
    """Go on with a run, as the parsed words say; `watch` is told of each evaluation, and may prune the run."""
    from contextlib import closing

    from nnlab.checkpoints import checkpoint
    from nnlab.data.spec import DataSpec
    from nnlab.experiment import checks
    from nnlab.experiment.loading import checked_config, usable
    from nnlab.experiment.run import build_experiment, build_tracker, readable_errors, run_experiment
    from nnlab.recording.console import Console
    from nnlab.runs.find import outputs, resolve

    folder = resolve(args.run)
    config = changed(checked_config(folder), args.overrides)
    refuse_strange_tracker(config, args.overrides)
    refuse_running(folder, args.take_over)
    problems = checks.check(config)
    if problems:
        raise BadInput(*problems)
    build_tracker(config)
    if args.checkpoint is None and not checkpoint.available(folder.checkpoints):
        from_the_beginning(folder, config, watch)
        return
    state = checkpoint.load(folder.checkpoints, args.checkpoint or "last")
    with usable(folder):
        experiment = build_experiment(config, DataSpec.from_state(state["spec"]), args.data_changed)
        refuse_ended(folder, state, experiment)
        refuse_without_optimizer(folder, state, experiment)
        experiment.trainer.restore(state["trainer"])  # before anything is written
    with readable_errors(folder), closing(Console(folder.log)) as console, console.noting(NnlabError):
        console.line(f"resumed at step {state['progress']['step']} of {experiment.trainer.total_steps}; {folder.path}")
        tell_rate(console, state, experiment.trainer)
        changed_facts = {}
        if experiment.differs:
            step = state["progress"]["step"]
            console.line(f"from step {step} on different data than before: {'; '.join(experiment.differs)}")
            changed_facts = {"data_changed": {"step": step, "differs": experiment.differs}}
        run_experiment(experiment, folder, console, state, outputs(), watch, **labels(config), **changed_facts)


def the_rest(sweep: Path, jobs: list[list[str]], args: Namespace) -> int:
    """Go on with the jobs of a sweep that were stopped, and train those that never began. Returns the worst status.

    Several processes may do so at the same time: each takes the next job that no other one has.
    """
    from nnlab.commands import train
    from nnlab.commands.job import discard

    if args.checkpoint:
        raise BadInput(f"--checkpoint: belongs to one run; resume a job of the sweep by its folder, such as {sweep / '0'}")
    again = {word.partition("=")[0] for word in args.overrides if word.startswith(("data.root=", TRACKER))}
    jobs = [[word for word in job if word.partition("=")[0] not in again] for job in jobs]  # typed: instead of the sweep's file
    refuse_foreign(sweep, jobs)
    members(sweep)  # refuses links before anything is written
    as_asked = [*["--data-changed"] * args.data_changed, *["--take-over"] * args.take_over]
    configs = ["-cd", args.config_dir] if args.config_dir else []

    def go_on(folder: RunFolder, job: list[str]) -> None:
        if folder.status.is_file():
            main([str(folder.path), *args.overrides, *as_asked])
        else:
            discard(folder, sweep)  # killed before it began: Hydra's files alone are there
            train.main([*configs, *job, *args.overrides, f"hydra.run.dir={folder.path}"])

    status = 0
    with locked(sweep, shared=True), sharing(sweep) as take:
        for number, job in enumerate(jobs):
            folder = RunFolder(sweep / str(number))
            if not take(number) or folder.read_status().get("status") == "completed":
                continue
            print(f"job {number} of {len(jobs)}: {printable(' '.join(job))}", flush=True)
            try:
                go_on(folder, job)
            except NnlabError as error:
                if error.status == 130:  # Ctrl-C is meant for the whole
                    raise
                for problem in str(error).splitlines():
                    print(f"nnlab: job {number}: {problem}", file=sys.stderr)
                status = max(status, error.status)
    show(sweep)
    return status


def from_the_beginning(folder: RunFolder, config: dict, watch: Watch | None = None) -> None:
    """Train a run that was killed before it saved a checkpoint."""
    from contextlib import closing

    from nnlab.experiment.run import build_experiment, readable_errors, run_experiment
    from nnlab.recording.console import Console
    from nnlab.runs.find import outputs

    with readable_errors(folder), closing(Console(folder.log)) as console, console.noting(NnlabError):
        console.line(f"no checkpoint was saved, so the run starts again; {folder.path}")
        run_experiment(build_experiment(config), folder, console, outputs=outputs(), watch=watch, **labels(config))


def refuse_running(folder: RunFolder, take_over: bool) -> None:
    """Raise BadInput if the run is still training, unless it runs on another machine and `take_over` says it is gone."""
    status = folder.read_status()
    if status.get("status") != "running" or (take_over and status.get("host") != socket.gethostname()):
        return
    who = f"process {status.get('process', {}).get('pid')} on {status.get('host')}"
    here = status.get("host") == socket.gethostname()
    remedy = "stop it first" if here else f"if it is gone: nnlab resume {folder.path} --take-over"
    raise BadInput(f"{folder.path}: still running, as {who}; {remedy}")


def refuse_strange_tracker(config: dict, overrides: list[str]) -> None:
    """Raise BadInput if a run's tracker has values that are neither nnlab's, the environment's nor typed now.

    A run folder from a stranger would otherwise say to whom results are sent.
    """
    node, typed = config["recorder"], {word.partition("=")[0] for word in overrides}
    own = next((tracker for tracker in trackers().values() if node and tracker.get("_target_") == node["_target_"]), {})
    given = {key: value for key, value in node.items() if key != "_target_"}
    strange = [key for key, value in given.items() if own.get(key) != value and TRACKER + key not in typed]
    if strange:
        raise BadInput(
            *(
                f"{TRACKER}{key}: the run folder says {shortened(node[key])}; if that is yours, add it: {TRACKER}{key}=…"
                for key in strange
            )
        )


def trackers() -> dict[str, dict]:
    """The node of each choice of the group recorder, by its name."""
    from nnlab.config import composition

    return {
        name: composition.to_dict(composition.compose_config([f"recorder={name}"]))["recorder"] for name in options("recorder")
    }


def refuse_ended(folder: RunFolder, state: dict, experiment: Experiment) -> None:
    """Raise BadInput where there is nothing left to train."""
    from nnlab.checkpoints.progress import Progress

    progress, trainer = Progress.from_state(state["progress"]), experiment.trainer
    step, end = progress.step - progress.stage_began, trainer.stages[progress.stage].steps
    patience, since = experiment.options.early_stopping.patience, progress.since_best
    completed = folder.read_status().get("status") == "completed"
    if step > end:
        raise BadInput(f"{folder.path}: is already at step {progress.step}, after the new end {progress.stage_began + end}")
    if not completed:
        return
    if state["trainer"].get("converged"):
        raise BadInput(f"{folder.path}: has converged; nothing is left to train")
    if patience and since >= patience:
        raise BadInput(f"{folder.path}: stopped early; to go on: trainer.early_stopping.patience={2 * since}")
    if step == end:
        epochs = -(-step // trainer.steps_per_epoch)
        raise BadInput(f"{folder.path}: completed; to train longer: nnlab resume {folder.path} trainer.epochs={2 * epochs}")


def refuse_without_optimizer(folder: RunFolder, state: dict, experiment: Experiment) -> None:
    """Raise BadInput where a checkpoint lacks what the steps that are left would begin with."""
    from nnlab.checkpoints.progress import Progress

    progress, trainer = Progress.from_state(state["progress"]), experiment.trainer
    patience = experiment.options.early_stopping.patience
    ended = progress.step - progress.stage_began >= trainer.stages[progress.stage].steps
    over = progress.stage == len(trainer.stages) - 1 and (ended or 0 < patience <= progress.since_best)
    if experiment.options.keep_optimizer or "optimizer" in state["trainer"] or over:
        return
    raise BadInput(
        f"{folder.path}: this checkpoint holds no optimizer's state (trainer.keep_optimizer=false), so training cannot go on "
        "from it; train a new run"
    )


def tell_rate(console: Console, state: dict, trainer: Trainer) -> None:
    """A schedule that depends on the length is stretched by a new one, which would be a surprise in the curves."""
    from nnlab.checkpoints.progress import Progress
    from nnlab.recording.recorder import named

    progress = Progress.from_state(state["progress"])
    step, stage = progress.step - progress.stage_began, trainer.stages[progress.stage]
    before = progress.figures.get(named("train", stage.name) + "lr")
    trainer.start_stage(progress.stage)
    now = trainer.rates(step).get("lr") if step < stage.steps else None
    if before and now and not 0.5 < now / before < 2:
        console.line(f"learning rate {before:.3g} → {now:.3g}: the schedule now ends at the new end")


def changed(config: dict, overrides: list[str]) -> dict:
    """The config with what may change in a run that has begun; the rest would make it another run."""
    legal = [*CHANGEABLE, *(f"trainer.{cadence}_every" for cadence in CADENCES)]
    problems, keys = [], set()
    new = copy.deepcopy(config)
    for line in sorted(overrides, key=lambda line: not line.startswith("recorder=")):  # a choice, and then its values
        key, value = parse_override(line, "trainer.epochs=40")
        keys.add(key)
        if key == "recorder":
            known = trackers()
            new[key] = known.get(value, {})
            problems += [] if value in known else [f"{shortened(line)}: no such recorder; {nearest(value, known)}"]
            continue
        *path, last = key.split(".")
        node = new
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        if not any(key == name or key.startswith(name + ".") for name in legal):
            problems.append(f"{key}: cannot change in a run that has begun; these can: {', '.join(legal)}")
        elif not isinstance(node, dict) or last not in node or isinstance(node[last], dict):
            problems.append(f"{key}: unknown key")
        else:
            node[last] = value
    if {"trainer.epochs", "trainer.steps"} <= keys:
        problems.append("trainer.epochs, trainer.steps: two lengths of one run; give one of them")
    elif "trainer.epochs" in keys and "steps" in new["trainer"]:
        new["trainer"]["steps"] = "none"
    if problems:
        raise BadInput(*problems)
    return new
