"""The study behind a search: which values the next trial tries, and whether a trial is worth its time. By Optuna.

All processes of a search share the journal in its folder. Under a lock they take one trial after another, so no two make
the same trial. The draws of trial n depend on the seed, on n and on the trials before it: a search that was killed goes on
as if it had not been.
"""

from __future__ import annotations

import socket
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from nnlab.config.spaces import Space, Values
from nnlab.errors import BadInput, one_line, printable, shortened
from nnlab.runs.files import write_whole
from nnlab.runs.process import is_alive, process_facts
from nnlab.runs.search import JOURNAL, Plan
from nnlab.runs.sweep import PLAN
from nnlab.runs.text_formats import as_json
from nnlab.training.loop import Watch

NAME = "nnlab"  # of the only study in the journal
WARM_UP = 25  # percent of a run before which its metric says little of its end
SHORTEST = 11  # percent of a run that hyperband's hardest bracket gives each trial; a third of the next
TREES = 64  # of the forest that estimates importances
SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, constant_liar=True),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed, deterministic_objective=True),
    "qmc": lambda seed: optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_asynchronous_seeding=False),
}
PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "median": lambda: optuna.pruners.MedianPruner(n_warmup_steps=WARM_UP),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=SHORTEST, max_resource=100),
    "none": optuna.pruners.NopPruner,
}


@dataclass(frozen=True)
class Claimed:
    """A trial that this process makes.

    chosen  KEY=VALUE of each searched key
    """

    trial: optuna.Trial
    chosen: list[str]

    @property
    def number(self) -> int:
        """Of the trial, from 0."""
        return self.trial.number


class Study:
    """The trials of a search, as all its processes see them. Raises BadInput for a journal that cannot be read."""

    def __init__(self, folder: Path, plan: Plan, fixed: Sequence[str], spaces: Sequence[Space], seed: int) -> None:
        self.folder, self.plan, self.fixed, self.spaces, self.seed = folder, plan, fixed, spaces, seed
        self.path = folder / JOURNAL
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        directions = ["maximize" if metric.higher_is_better else "minimize" for metric in plan.metrics]
        pruner = PRUNERS[plan.pruner]()
        with readable(self.path), silent(), one_at_a_time(self.path):  # one process makes the study
            mend(self.path)
            storage = optuna.storages.JournalStorage(
                JournalFileBackend(str(self.path), lock_obj=JournalFileOpenLock(str(self.path)))
            )
            self.study = optuna.create_study(
                storage=storage, study_name=NAME, directions=directions, pruner=pruner, load_if_exists=True
            )

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials that any process has taken, by their numbers."""
        return self.study.get_trials(deepcopy=False)

    @property
    def made(self) -> int:
        """How many trials have ended."""
        return sum(trial.state.is_finished() for trial in self.trials)

    @property
    def running(self) -> list[int]:
        """The numbers of the trials that some process makes now."""
        return [trial.number for trial in self.trials if trial.state == TrialState.RUNNING and not abandoned(trial, False)]

    def claim(self, first: Mapping[str, float | str], take_over: bool = False) -> Claimed | None:
        """Take the first trial whose process is gone, else the next; None if all are taken.

        first      the values of the searched keys in trial 0; {} if they are drawn as those of the others
        take_over  also a trial of a process on another machine, of which one cannot see whether it is gone
        """
        with readable(self.path), silent(), one_at_a_time(self.path):
            trials = self.trials
            if first and not trials:
                self.study.enqueue_trial(dict(first))
            trials = [trial for trial in trials if trial.state != TrialState.WAITING]
            left = next((trial for trial in trials if abandoned(trial, take_over)), None)
            if left is None and len(trials) >= self.plan.trials:
                return None
            self.study.sampler = self.sampler(left.number if left else len(trials))
            trial = optuna.Trial(self.study, left._trial_id) if left else self.study.ask()
            trial.set_user_attr("process", process_facts())
            chosen = [space.word(suggested(trial, space)) for space in self.spaces]  # of one that was left: the same again
            jobs = [[*self.fixed, *self.words(trial.params)] for trial in self.trials]
            write_whole(self.folder / PLAN, as_json({"jobs": jobs}))
        return Claimed(trial, chosen)

    def words(self, params: Mapping) -> list[str]:
        """KEY=VALUE of each searched key that a trial has a value of."""
        return [space.word(params[space.key]) for space in self.spaces if space.key in params]

    def sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Of one trial. A quasi-random sequence is one for all trials."""
        seeds = [self.seed] if self.plan.sampler == "qmc" else [self.seed, number]
        return SAMPLERS[self.plan.sampler](int(np.random.SeedSequence(seeds).generate_state(1)[0]))

    def watch(self, claimed: Claimed) -> Watch | None:
        """Reports each evaluation of a run to the study, and says whether to prune it; None if none is pruned."""
        if self.plan.pruner == "none":
            return None
        name, trial = self.plan.metrics[0].name, claimed.trial
        known = set(self.trials[claimed.number].intermediate_values)  # of a run that was resumed

        def report(percent: int, values: Mapping[str, float]) -> bool:
            if name not in values:
                return False
            if percent not in known:
                trial.report(values[name], percent)
                known.add(percent)
            return trial.should_prune()

        return report

    def tell(self, claimed: Claimed, status: str, values: Sequence[float]) -> None:
        """How a trial ended: completed with values, pruned, or failed."""
        states = {"completed": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        state = states.get(status, TrialState.FAIL)
        with silent():
            told = list(values) if state == TrialState.COMPLETE else None
            self.study.tell(claimed.number, told, state=state, skip_if_finished=True)

    def release(self, claimed: Claimed) -> None:
        """This process makes a trial no longer; the next that asks goes on with it."""
        claimed.trial.set_user_attr("process", {})

    def importances(self) -> dict[str, list[float]]:
        """The share of each searched key in the variance of each metric, by fANOVA (Hutter et al. 2014).

        {} for fewer than four complete trials, or if all have the same values.
        """
        complete = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        found: dict[str, list[float]] = {space.key: [] for space in self.spaces}
        for i in range(len(self.plan.metrics)):
            if len(complete) < 4 or len({trial.values[i] for trial in complete}) < 2:
                return {}
            with silent():
                evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0)
                shares = optuna.importance.get_param_importances(
                    self.study, evaluator=evaluator, target=lambda trial, i=i: trial.values[i]
                )
            for key, share in shares.items():
                found[key].append(share)
        return found


def suggested(trial: optuna.Trial, space: Space) -> float | str:
    """The value of a searched key in a trial."""
    if isinstance(space, Values):
        return trial.suggest_categorical(space.key, space.values)
    if space.whole:
        return trial.suggest_int(space.key, round(space.low), round(space.high), step=round(space.step or 1), log=space.log)
    return trial.suggest_float(space.key, space.low, space.high, step=space.step, log=space.log)


def abandoned(trial: FrozenTrial, take_over: bool) -> bool:
    """Whether a trial has begun and its process is gone."""
    owner = trial.user_attrs.get("process") or {}
    elsewhere = owner.get("host") != socket.gethostname()
    gone = not is_alive(owner.get("process"), owner.get("host")) or (take_over and elsewhere)
    return trial.state == TrialState.RUNNING and gone


@contextmanager
def one_at_a_time(journal: Path) -> Iterator[None]:
    """Only one process at a time, also on a network file system; a lock that a kill has left is removed after 30 seconds."""
    lock = JournalFileOpenLock(str(journal.with_name("claim")))
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def mend(journal: Path) -> None:
    """Remove half a line at the end of a journal, as a kill may leave it."""
    if not journal.exists():
        return
    lock = JournalFileOpenLock(str(journal))
    lock.acquire()
    try:
        content = journal.read_bytes()
        if content and not content.endswith(b"\n"):
            write_whole(journal, content[: content.rfind(b"\n") + 1])
    finally:
        lock.release()


@contextmanager
def readable(journal: Path) -> Iterator[None]:
    """What a damaged journal, or a stranger's, upsets, as a sentence."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError, RuntimeError) as error:
        reason = shortened(f"{type(error).__name__}: {one_line(error)}")
        raise BadInput(f"{printable(journal)}: cannot be used as the journal of this search ({reason})") from error


@contextmanager
def silent() -> Iterator[None]:
    """Without Optuna's warnings that something is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
