"""A run of `nnlab train`, or a job of a sweep, in the folder that Hydra has made: also in the process of a launcher."""

from __future__ import annotations

import atexit
import os
import shlex
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands import worker
from nnlab.config import composition
from nnlab.errors import BadInput, NnlabError, one_line, printable
from nnlab.runs.folder import RunFolder, labels
from nnlab.runs.sweep import measure, ranked_by
from nnlab.runs.sweep import refuse as refuse_job
from nnlab.runs.table import figures, seconds
from nnlab.runs.trust import refuse

if TYPE_CHECKING:
    from nnlab.training.loop import Watch

OWN = ("image_folder", "npz", "csv")  # a user's own files, which are called by their own name
BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"  # one job after another, in this process
BEFORE_STATUS = (".hydra/*.yaml", ".lock", "train.log", "config.yaml", "metrics.jsonl", "events.out.tfevents.*", ".*.tmp")
trained: list[RunFolder] = []  # of this process, for `nnlab.train`
failures: list[NnlabError] = []  # of a single run: Hydra would print its own lines around an exception


def job(config, watch: Watch | None = None) -> float | None:
    """One run, in the folder that Hydra has made. Returns to a sweeper the value of what ranks the jobs.

    watch  is told of each evaluation of a single run, and may prune it
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra = HydraConfig.get()
    folder = RunFolder(Path(hydra.runtime.output_dir))
    sweep = hydra.mode == RunMode.MULTIRUN
    choices = {group: name for group, name in hydra.runtime.choices.items() if not group.startswith("hydra/") and name}
    command = f"nnlab train {shlex.join(hydra.overrides.task)}"
    if not sweep:
        try:
            return run(composition.to_dict(config), folder, choices, command, watch=watch)
        except NnlabError as error:
            failures.append(error)
            return None
    launched = hydra.launcher["_target_"] != BASIC
    number, words = hydra.job.num, " ".join(hydra.overrides.task)
    config = composition.to_dict(config)
    if launched:
        print(f"job {number} begins: {printable(words)}", flush=True)
        config["device"] = worker.device_of(str(config["device"]), number)
        worker.follow_parent()
    try:
        run(config, folder, choices, command, number, quiet=launched)
    except NnlabError as error:
        tell_failure(folder, number, words, error)
        if error.status == 130:  # Ctrl-C is meant for the whole sweep
            raise KeyboardInterrupt from error
        raise
    finally:
        if launched:
            trained.clear()
            worker.clean_up()
    values = measure(folder.read_status(), folder, ranked_by(folder.path.parent))
    if launched:
        done = f"job {number} is done in {seconds(folder.read_status().get('seconds', 0))}"
        print(": ".join(filter(None, (done, figures(values)))), flush=True)  # of some models nothing ranks the jobs
    return next(iter(values.values()), None)


def tell_failure(folder: RunFolder, number: int, words: str, error: NnlabError) -> None:
    """Say at once why a job of a sweep has failed, and write it down if it left no run; the table says it again."""
    for problem in str(error).splitlines():
        print(f"nnlab: job {number} ({printable(words)}): {printable(problem)}", file=sys.stderr, flush=True)
    if not folder.status.is_file():
        with suppress(OSError):
            refuse_job(folder.path.parent, number, one_line(error))
    if "SUBMITIT_FOLDER" in os.environ:  # Hydra keeps the failure to itself, and SLURM would take the job for completed
        atexit.register(lambda: os._exit(error.status))


def run(
    config: dict,
    folder: RunFolder,
    choices: dict[str, str],
    command: str,
    number: int | None = None,
    quiet: bool = False,
    watch: Watch | None = None,
) -> float | None:
    """Train one run from its config in an empty folder. Returns the best value of the monitored figure.

    choices  which config was chosen of each group
    command  what was typed, for status.json
    number   of the job, in a sweep
    quiet    whether the lines go into train.log alone, since other jobs run beside this one
    watch    is told of each evaluation, and may prune the run

    Raises BadInput if the folder is not empty. A run that cannot be built leaves no trace.
    """
    from nnlab.checkpoints.reference import resolve_references
    from nnlab.experiment import judging
    from nnlab.experiment.run import build_experiment, readable_errors, run_experiment
    from nnlab.nn.world import join
    from nnlab.recording.console import Console
    from nnlab.runs.find import as_typed
    from nnlab.training.device import describe

    folder = RunFolder(as_typed(folder.path))
    trained.append(folder)
    if {entry.name for entry in folder.path.iterdir()} - {".hydra"}:
        raise BadInput(f"{folder.path} exists already; go on with nnlab resume {folder.path}, or choose another folder")
    try:
        config, problems = resolve_references(config)
        if problems:
            raise BadInput(*problems)
        with readable_errors(folder):
            config = judging.with_judge(config, Console(quiet=quiet))
            with Console(quiet=quiet).waiting("reading the data"):
                experiment = build_experiment(config, world=join())
                experiment.initialize()
    except BaseException:  # nothing has begun: Ctrl-C while the judge is trained, too, leaves no trace
        discard(folder, Path(config["outputs"]))
        raise
    with readable_errors(folder), closing(Console(folder.log, quiet=quiet)) as console:
        prefix = "" if number is None else f"job {number}: "
        data = experiment.data
        console.line(
            f"{prefix}{choices['model']} on {choices['data']}: {experiment.parameters:,} parameters, "
            f"{describe(experiment.device)}, {experiment.trainer.precision}"
        )
        console.line(
            f"{len(data.train):,} to train on, {len(data.validation):,} to validate, {len(data.test):,} to test; {folder.path}"
        )
        for remark in (*data.remarks, *experiment.model.remarks(data.train)):
            console.line(remark)
        named = data.spec.name if choices["data"] in OWN else choices["data"]
        metadata = {"choices": choices, "model": choices["model"], "data": named, **labels(config), "command": command}
        with console.noting(NnlabError):
            return run_experiment(experiment, folder, console, watch=watch, **metadata)


def discard(folder: RunFolder, outputs: Path) -> None:
    """Remove what was written for a run that never began, and the folders that are empty then; nothing else.

    Raises BadInput if a link lies there, which may lead to other files.
    """
    if folder.path.is_dir():
        refuse(folder.path)
    written = [path for pattern in BEFORE_STATUS for path in folder.path.glob(pattern)]
    for path in written if not os.path.lexists(folder.status) else ():
        path.unlink()
    outputs, path = outputs.absolute(), folder.path.absolute()
    parents = [parent for parent in path.parents if parent == outputs or outputs in parent.parents]
    for empty in (folder.path / ".hydra", folder.path, *parents):
        with suppress(OSError):
            empty.rmdir()
