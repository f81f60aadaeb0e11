"""nnlab train: check what was typed, let Hydra compose it, and train (or sweep)."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import nnlab
from nnlab.commands import sweep_options
from nnlab.commands.job import failures, job, trained
from nnlab.commands.parsing import Parser
from nnlab.commands.processes import follow
from nnlab.commands.train_help import page
from nnlab.commands.verbs import VERBS
from nnlab.config import composition, names, recipes, search
from nnlab.config.sentences import sentence
from nnlab.errors import BadInput, Interrupted, NnlabError, RunFailed, explain, printable
from nnlab.nn.launch import rank, world_size
from nnlab.recording.patience import after_a_while
from nnlab.runs.objective import Objective
from nnlab.runs.sweep import SweepFolder, jobs_of

if TYPE_CHECKING:
    from nnlab.experiment.loading import LoadedRun
    from nnlab.training.loop import Watch

INFO = ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"]
FLAGS = {"help": "-h", "run": "-r", "multirun": "-m", "shell-completion": "-sc", "resolve": "", "hydra-help": ""}
EARLIER = "--from"  # RUN whose config a new run has


def main(argv: list[str]) -> int:
    """Check what was typed, then train one run or sweep over several. Returns the exit status."""
    args = make_parser().parse_intermixed_args(argv)
    options = [word for word in argv if word not in args.overrides]  # Hydra wants them together
    if args.earlier:
        from nnlab.runs.again import words_from

        options = without_earlier(options)
        args.overrides = words_from(args.earlier, args.overrides, args.config_dir)
    args.overrides, metric = sweep_options.split_metric(args.overrides, args.multirun)
    sweep_options.check_launcher(args.overrides, args.multirun)
    args.typed, args.overrides = args.overrides, composition.expanded(args.overrides)
    if args.shell_completion:
        return complete(argv)
    os.environ["NNLAB_COMMAND_BEGAN"] = str(time.time())
    if args.config_dir:
        search.check_folder(args.config_dir)
        args.config_dir = os.path.abspath(args.config_dir)
    if (args.resolve or args.package) and not args.cfg:
        raise BadInput("--resolve, --package: belong to --cfg; for example: nnlab train model=vae --cfg job --resolve")
    SweepFolder.forget()
    if not args.hydra_help:
        SweepFolder.ranking = check_typed(args, metric)
    if args.help:
        print(page(args.overrides, args.config_dir))
        return 0
    composition.register_config_dir(args.config_dir)
    if world_size() > 1 and args.multirun:
        raise BadInput("torchrun: several processes train one run; a sweep takes its jobs one after another, without torchrun")
    if args.dry_run:
        print(preview(args))
        return 0
    if rank() and not (args.cfg or args.info or args.hydra_help):
        return follow(args)
    if plain_run(args):
        return under_hydra(lambda: run_alone(args.overrides), multirun=False)
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


def check_typed(args: Namespace, metric: str) -> Objective | None:
    """Raise BadInput with every problem of a command line; before torch is imported, say what was asked for.

    Returns what ranks the jobs of a sweep.
    """
    typed = names.check(args.overrides, args.config_dir, sweep=args.multirun)
    if args.package:
        names.check_package(typed, args.package, args.config_dir)
    if args.help or args.info:  # these pages need no more than the names to be right
        typed.refuse()
        return None
    if not args.cfg and not typed.problems and not rank():
        greet(args.typed)  # torch takes seconds to import
        if whole := None if args.multirun else sweep_of(typed, args.config_dir):
            print(f"this recipe is meant as a sweep, of which this is one run; the whole: {whole}", flush=True)
    silent = args.cfg or rank()
    loading = nullcontext() if silent else after_a_while(lambda: print("loading torch …", flush=True))
    with loading:
        check_before(typed, args.config_dir, quick=bool(args.cfg))
    if args.cfg:
        return None
    refuse_existing_folder(names.hydra_values(typed, args.config_dir))
    return sweep_options.ranking(metric, typed, args.config_dir) if args.multirun else None


def preview(args: Namespace) -> str:
    """The jobs that a command line stands for, a line each, and where they would lie."""
    with composition.hydra():
        jobs = jobs_of(args.overrides)
    count = f"{len(jobs)} job{'s, each' * (len(jobs) > 1)} in a folder of its own" if args.multirun else "one run"
    width = len(str(len(jobs) - 1))
    lines = [f"{number:>{width}}  {printable(' '.join(job))}" for number, job in enumerate(jobs)]
    return "\n".join([f"{count}:", *lines, "no job was trained (--dry-run)"])


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
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument(EARLIER, dest="earlier", metavar="RUN")
    for name, short in FLAGS.items():
        parser.add_argument(*([short] if short else []), f"--{name}", action="store_true")
    return parser


def without_earlier(options: list[str]) -> list[str]:
    """The options of a command line without --from RUN, which is not Hydra's."""
    at = next(i for i, word in enumerate(options) if word.partition("=")[0] == EARLIER)
    return [*options[:at], *options[at + (2 if options[at] == EARLIER else 1) :]]


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
            chosen = dict(word.split("=", 1) for word in job if "=" in word)
            found = [recipes.blamed(problem, chosen, typed.keys(), config_dir) for problem in found]
            problems += [problem for problem in found if problem.partition(":")[0] not in typed.refused]
            if nodes is None and not problems:
                problems += check_device(config) + check_task(config, typed.keys()) + check_recorder(config)
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


def check_recorder(config: dict) -> list[str]:
    """What is wrong with the tracker of a config: its package is not installed, or its address is none."""
    from nnlab.experiment.run import build_tracker

    try:
        build_tracker(config)
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
            SweepFolder.lock.close()
    if failures:
        if not multirun:
            raise failures[0]
        return next((error.status for error in failures if isinstance(error, Interrupted)), RunFailed.status)
    return 0


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
