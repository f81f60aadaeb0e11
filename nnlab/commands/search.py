"""nnlab search: values of keys that make a metric better, found by Optuna over runs of nnlab."""

from __future__ import annotations

import gc
import os
import shlex
import sys
import time
from argparse import Namespace
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlab.commands import resume, search_report, train
from nnlab.commands.arguments import make_parser, positive
from nnlab.commands.job import discard
from nnlab.commands.parsing import Parser
from nnlab.config import composition, search, spaces
from nnlab.config.spaces import Numbers, Search
from nnlab.errors import BadInput, Interrupted, NnlabError, explain, file_error, printable, shortened
from nnlab.extras import require
from nnlab.recording.patience import after_a_while
from nnlab.runs.files import own
from nnlab.runs.find import as_typed
from nnlab.runs.folder import RunFolder
from nnlab.runs.lock import locked
from nnlab.runs.objective import measured
from nnlab.runs.search import Plan, is_search, read_plan, refuse_foreign_words, refuse_links, write_plan
from nnlab.runs.sweep import key_of

if TYPE_CHECKING:
    from nnlab.experiment.study import Claimed, Study

TRIALS = 20
SAMPLERS, PRUNERS = ("tpe", "random", "gp", "qmc"), ("median", "hyperband", "none")
LOCAL = ("device", "data.root")
FINAL = ("completed", "pruned")  # states of a run that ends a trial
EPILOG = """
values to try:
  KEY='log(1e-4,1e-2)'    any number between, each decade as often as the others
  KEY='interval(0,4)'     any number between; a whole one where the key takes whole numbers
  KEY='range(4,33,4)'     4, 8, …, 32
  KEY=relu,tanh           one of these, as in a sweep; also optimizer=adam,sgd
The other words are those of nnlab train, and the same in each trial. Trial 0 is the config
as it stands, if the values to try hold it.

A search in a folder that exists goes on: it makes the trials that are missing. Several
processes may share a folder, also at once: start the same command in each.
"""


def main(argv: list[str]) -> int:
    """Make the trials of a search that are missing, and say which is the best. Returns the exit status."""
    args = arguments().parse_intermixed_args(argv)
    require("search", "search", "optuna")
    os.environ["NNLAB_COMMAND_BEGAN"] = str(time.time())
    if args.config_dir:
        search.check_folder(args.config_dir)
        args.config_dir = os.path.abspath(args.config_dir)
    path, before = args.output, None
    if path and is_search(path):
        before = read_plan(path)
    elif path and os.path.lexists(path) and not (path.is_dir() and empty(path)):
        raise BadInput(f"-o {printable(path)}: exists already and is no search; choose another folder")
    words = typed_words(args, before)
    found = spaces.check(words, args.config_dir)
    if not found.names.problems:
        train.greet(words)
    with after_a_while(lambda: print("loading torch …", flush=True)):
        train.check_before(found.names, args.config_dir, quick=False)
    config = composition.to_dict(composition.compose_config(found.names.jobs()[0], args.config_dir))
    plan = before or planned(args, found)
    if args.trials:
        plan = replace(plan, trials=args.trials)
    if args.dry_run:
        search_report.preview(plan, found, args.config_dir)
        return 0
    path = path or Path(config["outputs"]) / "searches" / datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
    return run(path, plan, found, int(config["seed"]), args)


def arguments() -> Parser:
    """The parser of the verb."""
    parser = make_parser(
        "search",
        "Search values of keys that make a metric of the validation split better, by Optuna. Each trial is a run.",
        "search model=vae data=digits optimizer.lr='log(1e-4,1e-2)' model.latent_dim='interval(2,32)' --trials 20",
        "search model=ae data=mnist model.activation=relu,tanh trainer.batch_size=32,64,128 --metric validation/psnr",
        "search -o outputs/searches/2026-01-31_12-00-00-000000 --trials 40",
        run=False,
        keyed=True,
    )
    parser.epilog += f"\n{EPILOG}"
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for nnlab train, some with values to try")
    parser.add_argument("--trials", type=positive, metavar="N", help=f"how many trials in all, by default {TRIALS}")
    parser.add_argument(
        "--metric",
        action="append",
        metavar="NAME",
        help="what to make better, such as validation/mse; by default what chooses the weights of the model. Given several "
        "times, a trial is among the best if no other is better in one of the metrics and as good in the rest",
    )
    parser.add_argument("--sampler", choices=SAMPLERS, help="how values are drawn: tpe (by default), random, gp or qmc")
    parser.add_argument("--pruner", choices=PRUNERS, help="which trials end early: median (by default), hyperband or none")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="by default outputs/searches/DATE_TIME")
    parser.add_argument("--dry-run", action="store_true", help="show what would be searched, and train nothing")
    parser.add_argument("--take-over", action="store_true", help="also trials of a process on another machine, which is gone")
    parser.add_argument("-cd", "--config-dir", help="a folder with your own configs, as for nnlab train")
    return parser


def empty(path: Path) -> bool:
    """Whether a folder holds nothing but what another process of the same search needs to begin."""
    return all(entry.name.startswith(("claim", ".")) for entry in path.iterdir())


def typed_words(args: Namespace, before: Plan | None) -> list[str]:
    """The words of a search: what was typed, or what was typed when it began.

    Raises BadInput if it began with other words or options.
    """
    if before is None:
        return args.overrides
    begun = f"-o {printable(args.output)}: a search that began with"
    for name, was in (("sampler", before.sampler), ("pruner", before.pruner)):
        if getattr(args, name) not in (None, was):
            raise BadInput(f"{begun} --{name} {printable(was)}; leave --{name} out, or choose another folder")
    names = [metric.place for metric in before.metrics]
    if args.metric and [f"validation/{name.partition(':')[0].removeprefix('validation/')}" for name in args.metric] != names:
        raise BadInput(f"{begun} --metric {printable(' --metric '.join(names))}; leave --metric out, or choose another folder")
    mine = [word for word in args.overrides if local(word)]
    others = [word for word in args.overrides if not local(word) and key_of(word) != "outputs"]
    stored = [word for word in before.words if key_of(word) not in map(key_of, mine)]
    if others and sorted(others) != sorted(word for word in before.words if not local(word)):
        raise BadInput(f"{begun} {shortened(shlex.join(before.words))}; give the same words or none, or choose another folder")
    refuse_links(args.output)
    if not others:
        refuse_foreign_words(args.output, stored)
    return [*stored, *mine]


def local(word: str) -> bool:
    """Whether each process of a search may have its own value of a key: where it trains, and to whom results are sent."""
    return key_of(word) in LOCAL or key_of(word).split(".")[0] == "recorder"


def planned(args: Namespace, found: Search) -> Plan:
    """The plan of a search that begins. Raises BadInput where no metric can be compared."""
    from nnlab.checkpoints.reference import resolve_references
    from nnlab.experiment.objectives import objectives

    configs = {}
    for job in found.names.jobs():
        config, _ = resolve_references(composition.to_dict(composition.compose_config(job, args.config_dir)))
        configs.setdefault(config["model"]["_target_"], config)
    metrics = objectives(list(configs.values()), args.metric or [])
    if len(metrics) > 1 and args.pruner not in (None, "none"):
        raise BadInput(f"--pruner {args.pruner}: trials are not pruned by several metrics; leave it out")
    pruner = "none" if len(metrics) > 1 else args.pruner or "median"
    words = [word for word in found.typed if key_of(word) != "outputs"]
    return Plan(words, [space.key for space in found.spaces], metrics, args.sampler or "tpe", pruner, args.trials or TRIALS)


def run(path: Path, plan: Plan, found: Search, seed: int, args: Namespace) -> int:
    """Make the trials that are missing. Returns 1 if one of this process failed, else 0."""
    from nnlab.experiment.study import Study, one_at_a_time

    try:
        with one_at_a_time(own(path) / "journal"):
            if is_search(path) and not same(read_plan(path), plan):  # another process began in this moment
                raise BadInput(f"-o {printable(path)}: another search has just begun there; choose another folder")
            write_plan(path, plan)
    except OSError as error:
        raise BadInput(explain(error, path)) from error
    with locked(path, shared=True):
        study = Study(path, plan, [word for word in found.fixed if key_of(word) != "outputs"], found.spaces, seed)
        print(f"{len(study.trials)} of {plan.trials} trials are there; {printable(as_typed(path))}", flush=True)
        first, failed = as_it_stands(found, args.config_dir), 0
        try:
            while claimed := study.claim(first, args.take_over):
                failed += not made(study, claimed, args)
                gc.collect()  # the networks of a trial, before those of the next
        finally:
            search_report.show(path, study, args.config_dir)
    return 1 if failed else 0


def same(one: Plan, other: Plan) -> bool:
    """Whether two plans are the same search, which may grow."""
    shared = [replace(plan, trials=1, words=sorted(word for word in plan.words if not local(word))) for plan in (one, other)]
    return shared[0] == shared[1]


def made(study: Study, claimed: Claimed, args: Namespace) -> bool:
    """Train a trial, or go on with it, and tell the study. Returns whether it did not fail.

    Raises what is no fault of its values: an interruption, or a file system that fails. Then another start goes on with it.
    """
    folder = RunFolder(study.folder / str(claimed.number))
    try:
        if folder.read_status().get("status") not in FINAL:
            print(f"\ntrial {claimed.number} of {study.plan.trials}: {printable(' '.join(claimed.chosen))}", flush=True)
            trained(study, claimed, folder, args)
    except NnlabError as error:
        if isinstance(error, Interrupted) or (error.__cause__ and file_error(error.__cause__)):
            if folder.read_status().get("status") in FINAL:  # the last trial that this process makes
                ended(study, claimed, folder)
            else:
                study.release(claimed)
            raise
        for problem in str(error).splitlines():
            print(f"nnlab: trial {claimed.number} ({' '.join(claimed.chosen)}): {printable(problem)}", file=sys.stderr)
        study.tell(claimed, "failed", [])
        return False
    except BaseException:
        study.release(claimed)
        raise
    return ended(study, claimed, folder)


def ended(study: Study, claimed: Claimed, folder: RunFolder) -> bool:
    """Tell the study how a run ended, with its metrics. Returns whether it has them."""
    values = measured(folder, study.plan.metrics)
    if not values:
        places = ", ".join(metric.place for metric in study.plan.metrics)
        print(f"nnlab: trial {claimed.number}: did not record {printable(places)}", file=sys.stderr)
    study.tell(claimed, folder.read_status()["status"] if values else "failed", values)
    return bool(values)


def trained(study: Study, claimed: Claimed, folder: RunFolder, args: Namespace) -> None:
    """Train the run of a trial, from its checkpoint if it has one."""
    watch = study.watch(claimed)
    if folder.status.is_file():
        mine = [word for word in args.overrides if local(word)]
        resume.resume(resume.arguments([str(folder.path), *mine, *["--take-over"] * args.take_over]), watch)
        return
    discard(folder, study.folder)  # if it was killed before it began
    words = [*study.fixed, *claimed.chosen]
    train.under_hydra(lambda: train.run_alone(words, folder.path, watch), multirun=False)


def as_it_stands(found: Search, config_dir: str | None) -> dict[str, Any]:
    """The values that the searched keys have without the search; {} if one of them is not among the values to try."""
    from omegaconf import OmegaConf

    composition.register_config_dir(config_dir)
    with composition.hydra():
        config = composition.compose_or_complain(found.fixed, whole=True)
    choices, values = config.hydra.runtime.choices, {}
    for space in found.spaces:
        key = space.key
        value = choices[key] if key in choices else OmegaConf.select(config, key)
        if isinstance(space, Numbers):
            inside = isinstance(value, int | float) and not isinstance(value, bool) and space.low <= value <= space.high
            steps = (value - space.low) / space.step if inside and space.step else 0.0
            inside = inside and abs(steps - round(steps)) < 1e-9
            value = value if inside else None
        else:
            value = next((text for text in space.values if text == str(value).replace(", ", ",")), None)
        if value is None:
            return {}
        values[key] = value
    return values
