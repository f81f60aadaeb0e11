"""nnlab train: check what was typed, let Hydra compose it, and train (or sweep)."""

from __future__ import annotations

import os
import shlex
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import closing, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import nnlab
from nnlab.commands.parsing import Parser
from nnlab.commands.processes import follow
from nnlab.commands.train_help import page
from nnlab.commands.verbs import VERBS
from nnlab.config import composition, names, search
from nnlab.config.sentences import sentence
from nnlab.errors import BadInput, NnlabError, explain, printable
from nnlab.nn.launch import rank, world_size
from nnlab.recording.patience import after_a_while
from nnlab.runs.folder import RunFolder, labels
from nnlab.runs.trust import refuse

if TYPE_CHECKING:
    from nnlab.experiment.loading import LoadedRun
    from nnlab.training.loop import Watch

INFO = ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"]
FLAGS = {"help": "-h", "run": "-r", "multirun": "-m", "shell-completion": "-sc", "resolve": "", "hydra-help": ""}
OWN = ("image_folder", "npz", "csv")  # a user's own files, which are called by their own name
BEFORE_STATUS = (".hydra/*.yaml", ".lock", "train.log", "config.yaml", "metrics.jsonl", "events.out.tfevents.*", ".*.tmp")
trained: list[RunFolder] = []  # of this process, for `nnlab.train`
failures: list[NnlabError] = []  # of a single run: Hydra would print its own lines around an exception


def main(argv: list[str]) -> int:
    """Check what was typed, then train one run or sweep over several. Returns the exit status."""
    args = make_parser().parse_intermixed_args(argv)
    args.typed, args.overrides = args.overrides, composition.expanded(args.overrides)
    if args.shell_completion:
        return complete(argv)
    os.environ["NNLAB_COMMAND_BEGAN"] = str(time.time())
    if args.config_dir:
        search.check_folder(args.config_dir)
        args.config_dir = os.path.abspath(args.config_dir)
    if (args.resolve or args.package) and not args.cfg:
        raise BadInput("--resolve, --package: belong to --cfg; for example: nnlab train model=vae --cfg job --resolve")
    if not args.hydra_help:
        check_typed(args)
    if args.help:
        print(page(args.overrides, args.config_dir))
        return 0
    composition.register_config_dir(args.config_dir)
    if world_size() > 1 and args.multirun:
        raise BadInput("torchrun: several processes train one run; a sweep takes its jobs one after another, without torchrun")
    if rank() and not (args.cfg or args.info or args.hydra_help):
        return follow(args)
    if plain_run(args):
        return under_hydra(lambda: run_alone(args.overrides), multirun=False)
    options = list(argv)
    for line in args.typed:  # Hydra wants them together
        options.remove(line)
    return hydra_main([*options, *args.overrides], multirun=args.multirun)


def train(*overrides: str) -> LoadedRun:
    """Train as `nnlab train` does with the same KEY=VALUE, in this process, and open the run.

        run = nnlab.train("model=vae", "data=digits", "trainer.epochs=5")
        run.model.sample(64), run.data.test, run.metrics

    Raises nnlab.errors.BadInput, RunFailed or Interrupted, whose messages name what is wrong.
    """
    from nnlab.experiment.loading import open_run

    if any(not isinstance(line, str) or line.startswith("-") for line in overrides):
        raise BadInput(f"nnlab.train: expected texts KEY=VALUE, got {overrides}; options such as -m are the command line's")
    argv = sys.argv
    try:
        main(list(overrides))
    finally:
        sys.argv = argv
    return open_run(trained[-1].path)


def check_typed(args: Namespace) -> None:
    """Raise BadInput with every problem of a command line; before torch is imported, say what was asked for."""
    typed = names.check(args.overrides, args.config_dir, sweep=args.multirun)
    if args.package:
        names.check_package(typed, args.package, args.config_dir)
    if args.help or args.info:  # these pages need no more than the names to be right
        typed.refuse()
        return
    if not args.cfg and not typed.problems and not rank():
        greet(args.typed)  # torch takes seconds to import
        if whole := None if args.multirun else sweep_of(typed, args.config_dir):
            print(f"this recipe is meant as a sweep, of which this is one run; the whole: {whole}", flush=True)
    silent = args.cfg or rank()
    loading = nullcontext() if silent else after_a_while(lambda: print("loading torch …", flush=True))
    with loading:
        check_before(typed, args.config_dir, quick=bool(args.cfg))
    if not args.cfg:
        refuse_existing_folder(names.hydra_values(typed, args.config_dir))


def sweep_of(typed: names.CommandLine, config_dir: str | None) -> str | None:
    """The command line of the sweep that a chosen recipe is; None where it is none."""
    recipes = search.options("experiment", config_dir)
    chosen = [line.partition("=")[2] for o in typed.groups if o.key_or_group == "experiment" for line in names.texts(o)]
    commands = [search.header(recipes[name])[0] for name in chosen if name in recipes]
    return next((command for command in commands if command.endswith(" -m")), None)


def make_parser() -> Parser:
    """Those of Hydra's options that make sense here."""
    parser = Parser("train", keyed=True, add_help=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-c", "--cfg", choices=["job", "hydra", "all"])
    parser.add_argument("-i", "--info", nargs="?", const="all", choices=INFO)
    parser.add_argument("-p", "--package")
    parser.add_argument("-cd", "--config-dir")
    for name, short in FLAGS.items():
        parser.add_argument(*([short] if short else []), f"--{name}", action="store_true")
    return parser


def greet(overrides: list[str]) -> None:
    """The first line: what was asked for."""
    print(f"nnlab {nnlab.__version__}: {printable(' '.join(overrides)) or 'the defaults of nnlab train'}", flush=True)


def check_before(typed: names.CommandLine, config_dir: str | None, quick: bool) -> None:
    """Raise BadInput with every problem of a command line, before anything is written.

    Where a name is wrong already, the values typed are checked too, but torch is imported only if some were typed.
    """
    from nnlab.experiment import checks

    problems = list(typed.problems)
    nodes = {override.key_or_group.split(".")[0] for override in typed.values} if problems or quick else None
    if nodes is None or nodes:
        for job in typed.jobs():
            config, unresolved = composition.to_dict(composition.compose_config(job, config_dir)), []
            if nodes is None or nodes & {"model", "judge"}:
                from nnlab.checkpoints.reference import resolve_references  # imports torch

                config, unresolved = resolve_references(config)
            found = unresolved or checks.check(config, nodes)
            problems += [problem for problem in found if problem.partition(":")[0] not in typed.refused]
            if nodes is None and not problems:
                problems += check_device(config) + check_task(config, typed.keys())
    if problems:
        raise BadInput(*dict.fromkeys(problems))


def check_task(config: dict, typed: set[str]) -> list[str]:
    """A model that learns to undo a noise learns nothing without one, unless it was typed that there is to be none."""
    from nnlab.config.build import target
    from nnlab.training.trainer import trainer_of

    model, noise, data = (target(config[node]["_target_"], node) for node in ("model", "noise", "data"))
    if "noise" not in trainer_of(model).mandatory - typed or not noise.identity or "input" in data.parts:
        return []
    return [f"noise: {model.__name__} learns to undo one; add noise=gaussian, noise=hole, … (noise=none trains it without)"]


def check_device(config: dict) -> list[str]:
    """What is wrong with the device of a config; nothing if it is there."""
    from nnlab.training.device import resolve

    try:
        resolve(str(config["device"]))
    except BadInput as error:
        return list(error.problems)
    return []


def refuse_existing_folder(typed: dict[str, object]) -> None:
    """Raise BadInput if a folder that was typed (Hydra's keys and their values) holds something."""
    made = {".hydra"} if rank() else set()  # by the first process, which may be ahead; it writes no more before all have met
    for key in typed.keys() & {"hydra.run.dir", "hydra.sweep.dir"}:
        folder = Path(str(typed[key]))
        if folder.is_dir() and {entry.name for entry in folder.iterdir()} - made:
            remedy = f"go on with nnlab resume {folder}, or choose another folder"
            raise BadInput(f"{key}: {folder} exists already; {remedy}")


def plain_run(args: Namespace) -> bool:
    """Whether a command line asks for one run, and for none of Hydra's pages and settings."""
    asked = (args.cfg, args.info, args.multirun, args.resolve, args.package, args.hydra_help, args.config_dir)
    return not any(asked) and not any(line.lstrip("+~").startswith("hydra") for line in args.overrides)


def run_alone(overrides: list[str], folder: Path | None = None, watch: Watch | None = None) -> None:
    """One run, of the config that was composed when it was checked: Hydra would compose it twice more.

    folder  where the run lies; by default where the config says
    """
    from hydra.core.global_hydra import GlobalHydra

    with composition.hydra(job="train"):
        engine, config = GlobalHydra.instance().hydra, composition.run_config(overrides)
        if folder:
            OmegaConf.update(config, "hydra.run.dir", str(folder))
        engine.compose_config = lambda **_: config
        engine.run("train", partial(job, watch=watch), overrides)


def hydra_main(argv: list[str], multirun: bool) -> int:
    """Hydra's own command line: sweeps, its pages, its settings. Returns the exit status."""
    import hydra

    sys.argv = ["nnlab train", *argv]
    main = hydra.main(version_base="1.3", config_path="pkg://nnlab.configs", config_name="train")
    return under_hydra(main(job), multirun)


def under_hydra(run: Callable[[], None], multirun: bool) -> int:
    """Let Hydra call `job`, once per run. Returns the exit status; a sweep's is its first failure's."""
    import hydra

    from nnlab.commands import sweep_table

    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach cli.main instead of being printed with half a traceback
    failures.clear()
    try:
        run()
    except (hydra.errors.HydraException, OmegaConfBaseException) as error:
        raise BadInput(f"config: {sentence(error)}") from error
    except NnlabError as error:  # of a sweep, whose other jobs have had their turn
        failures.append(error)
    except OSError as error:  # the folder could not be made
        raise BadInput(explain(error, Path(error.filename or "outputs"))) from error
    finally:
        if multirun:
            sweep_table.show()
    if failures:
        if multirun:
            return failures[0].status
        raise failures[0]
    return 0


def job(config, watch: Watch | None = None) -> float | None:
    """One run, in the folder that Hydra has made. Returns the best value of the monitored figure, to a sweeper."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra = HydraConfig.get()
    folder = RunFolder(Path(hydra.runtime.output_dir))
    sweep = hydra.mode == RunMode.MULTIRUN
    choices = {group: name for group, name in hydra.runtime.choices.items() if not group.startswith("hydra/") and name}
    try:
        command = f"nnlab train {shlex.join(hydra.overrides.task)}"
        return run(composition.to_dict(config), folder, choices, command, hydra.job.num if sweep else None, watch)
    except NnlabError as error:
        if not sweep:
            failures.append(error)
            return None
        for problem in str(error).splitlines():
            print(f"nnlab: job {hydra.job.num} ({', '.join(hydra.overrides.task)}): {printable(problem)}", file=sys.stderr)
        if error.status == 130:  # Ctrl-C is meant for the whole sweep
            raise KeyboardInterrupt from error
        raise


def run(
    config: dict,
    folder: RunFolder,
    choices: dict[str, str],
    command: str,
    number: int | None = None,
    watch: Watch | None = None,
) -> float | None:
    """Train one run from its config in an empty folder. Returns the best value of the monitored figure.

    choices  which config was chosen of each group
    command  what was typed, for status.json
    number   of the job, in a sweep
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
            config = judging.with_judge(config, Console())
            with Console().waiting("reading the data"):
                experiment = build_experiment(config, world=join())
                experiment.initialize()
    except BaseException:  # nothing has begun: Ctrl-C while the judge is trained, too, leaves no trace
        discard(folder, Path(config["outputs"]))
        raise
    with readable_errors(folder), closing(Console(folder.log)) as console:
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


def complete(argv: list[str]) -> int:
    """Answer the shell: verbs for the first word, Hydra's choices and keys after `train`."""

    words = os.environ.get("COMP_LINE", "").split(" ")
    if "query" in " ".join(argv) and len(words) > 1:
        if len(words) == 2:
            print("\n".join(verb for verb in VERBS if verb.startswith(words[1])))
            return 0
        if words[1] != "train":
            return 0
        line = " ".join([words[0], *words[2:]])
        shift = len(os.environ["COMP_LINE"]) - len(line)
        os.environ["COMP_POINT"] = str(max(0, int(os.environ.get("COMP_POINT", len(line) + shift)) - shift))
        os.environ["COMP_LINE"] = line
    return hydra_main(argv, multirun=False)
