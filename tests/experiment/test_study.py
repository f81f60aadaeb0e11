"""The study of a search, without any training: what is drawn, who makes which trial, and what a kill leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from nnlab.config.spaces import Numbers, Space, Values
from nnlab.errors import BadInput
from nnlab.experiment.study import Claimed, Study
from nnlab.runs.objective import Objective
from nnlab.runs.process import process_facts
from nnlab.runs.search import JOURNAL, Plan

SPACES: list[Space] = [
    Numbers("optimizer.lr", 1e-4, 1e-1, log=True),
    Numbers("model.latent_dim", 2, 32, whole=True),
    Numbers("trainer.batch_size", 32, 128, step=32, whole=True),
    Values("model.activation", ("relu", "tanh")),
]
LOSS = Objective("loss")


def study(folder: str, trials: int = 20, sampler: str = "tpe", pruner: str = "median", *metrics: Objective, seed: int = 0):
    Path(folder).mkdir(exist_ok=True)
    plan = Plan(["model=vae"], [space.key for space in SPACES], list(metrics or [LOSS]), sampler, pruner, trials)
    return Study(Path(folder), plan, plan.words, SPACES, seed)


def values(claimed: Claimed) -> dict[str, str]:
    return dict(word.split("=") for word in claimed.chosen)


def bowl(claimed: Claimed) -> float:
    """A loss with its minimum, 0, at lr 3e-3 and a code of 12."""
    tried = values(claimed)
    width = (int(tried["model.latent_dim"]) - 12) / 30
    return math.log10(float(tried["optimizer.lr"]) / 3e-3) ** 2 + width**2 + 0.3 * (tried["model.activation"] == "tanh")


def search(make: Callable[[], Study], count: int) -> list[list[str]]:
    """What is tried in some trials, each asked of the study that `make` gives."""
    tried = []
    for _ in range(count):
        own = make()
        claimed = own.claim({})
        own.tell(claimed, "completed", [bowl(claimed)])
        tried.append(claimed.chosen)
    return tried


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "qmc"])
def test_what_is_drawn_lies_in_the_space_and_differs(sampler: str) -> None:
    one = study("a", 12, sampler)  # the first ten of tpe and gp are random
    tried = search(lambda: one, 12)
    assert one.claim({}) is None
    assert len({tuple(words) for words in tried}) == 12
    for words in tried:
        found = dict(word.split("=") for word in words)
        assert 1e-4 <= float(found["optimizer.lr"]) <= 1e-1
        assert 2 <= int(found["model.latent_dim"]) <= 32
        assert int(found["trainer.batch_size"]) in (32, 64, 96, 128)
        assert found["model.activation"] in ("relu", "tanh")
    below = sum(float(dict(word.split("=") for word in words)["optimizer.lr"]) < 1e-2 for words in tried)
    assert below > 3, "two of three decades"


@pytest.mark.parametrize("sampler", ["tpe", "qmc"])
def test_a_process_for_each_trial_tries_what_one_process_for_all_does(sampler: str) -> None:
    """So a search that was killed is the search that was not."""
    one = study("a", 13, sampler)
    assert search(lambda: one, 13) == search(lambda: study("b", 13, sampler), 13)


def test_another_seed_draws_other_values_and_trial_0_may_be_given() -> None:
    assert study("a", seed=0).claim({}).chosen != study("b", seed=1).claim({}).chosen
    given = {"optimizer.lr": 2e-3, "model.latent_dim": 16, "trainer.batch_size": 128, "model.activation": "relu"}
    one = study("c")
    assert one.claim(given).chosen == [f"{key}={value}" for key, value in given.items()]
    assert one.claim(given).number == 1


def test_tpe_learns_where_the_loss_is_low() -> None:
    one = study("a", 40)
    losses = []
    for _ in range(40):
        claimed = one.claim({})
        losses.append(bowl(claimed))
        one.tell(claimed, "completed", losses[-1:])
    assert sum(losses[-15:]) < 0.75 * sum(losses[:15])


def test_a_trial_whose_process_is_gone_is_made_with_the_same_values() -> None:
    first = study("a", 3)
    mine, killed = first.claim({}), first.claim({})
    killed.trial.set_user_attr("process", {**process_facts(), "process": {"pid": 2**22 + 5, "started": None}})
    after = study("a", 3)
    again = after.claim({})
    assert (again.number, again.chosen) == (1, killed.chosen)
    assert after.claim({}).number == 2
    assert after.claim({}) is None, "the first is made by a process that lives"
    assert (after.running, after.made) == ([0, 1, 2], 0)
    first.release(mine)
    assert after.claim({}).number == 0


def test_a_process_on_another_machine_is_believed_to_live() -> None:
    first = study("a", 1)
    first.claim({}).trial.set_user_attr("process", {**process_facts(), "host": "elsewhere"})
    assert study("a", 1).claim({}) is None
    assert study("a", 1).claim({}, take_over=True).number == 0


def test_a_trial_that_has_some_values_when_its_process_is_killed_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = study("a").claim({}).chosen
    broken, calls = study("b"), []

    def killed(*args: object) -> float:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args)

    from nnlab.experiment import study as module

    original = module.suggested
    monkeypatch.setattr(module, "suggested", killed)
    with pytest.raises(KeyboardInterrupt):
        broken.claim({})
    broken.study._storage.set_trial_user_attr(broken.trials[0]._trial_id, "process", {})
    monkeypatch.setattr(module, "suggested", original)
    again = study("b").claim({})
    assert (again.number, again.chosen[:2]) == (0, whole[:2])
    assert len(again.chosen) == len(SPACES)


def test_half_a_line_at_the_end_of_the_journal_is_no_hindrance() -> None:
    one = study("a", 5)
    tried = search(lambda: one, 3)
    with open(f"a/{JOURNAL}", "ab") as file:
        file.write(b'{"op_code":4,"wor')
    after = study("a", 5)
    assert [[*after.words(trial.params)] for trial in after.trials] == tried
    assert after.claim({}).number == 3
    study("a", 5)


@pytest.mark.parametrize("content", [b"no journal\n[]\n", b'{"op_code":0}\n', b"[1]\n\n{}\n"])
def test_a_damaged_journal_is_answered(content: bytes) -> None:
    Path("a").mkdir()
    Path(f"a/{JOURNAL}").write_bytes(content)
    with pytest.raises(BadInput, match="cannot be used as the journal of this search"):
        study("a")


def reported(own: Study, curve: list[float]) -> int:
    """How many evaluations a trial with these losses lives for, with its number and an outcome told."""
    claimed = own.claim({})
    watch = own.watch(claimed)
    for i, loss in enumerate(curve):
        if watch(100 * (i + 1) // len(curve), {"loss": loss, "mse": 0.0}) and i < len(curve) - 1:
            own.tell(claimed, "pruned", [])
            return i + 1
    own.tell(claimed, "completed", [min(curve)])
    return len(curve)


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_trial_that_falls_behind_is_pruned_and_a_good_one_is_not(pruner: str) -> None:
    own = study("a", 60, "random", pruner)
    for k in range(8):
        reported(own, [10.0 - 0.01 * k - i for i in range(10)])  # each a little better than the one before
    lived = [reported(own, [50.0 - 0.01 * i for i in range(10)]) for _ in range(6)]
    assert min(lived) < 10
    if pruner == "median":
        assert set(lived) == {3}, "at the first look after a quarter of the run"
    assert 10 in [reported(own, [5.0 - i for i in range(10)]) for _ in range(6)]


def test_evaluations_are_compared_at_the_same_share_of_the_run() -> None:
    own = study("a", 20, "random")
    for _ in range(6):
        assert reported(own, [10.0 - i for i in range(10)]) == 10
    assert reported(own, [9.9, *[9.4 - 0.5 * i for i in range(19)]]) == 20, "twice as many evaluations, each better"
    assert reported(own, [30.0, 30.0, 0.0, 0.0, 0.0]) == 2, "at 40 % of the run: the others are at 7"


def test_no_trial_is_pruned_before_a_quarter_of_its_length() -> None:
    own = study("a", 20, "random")
    for _ in range(6):
        reported(own, [10.0 - i / 10 for i in range(100)])
    assert reported(own, [99.0] * 100) == 25


def test_values_are_told_once_and_importance_finds_what_matters() -> None:
    own = study("a", 30, "random")
    for _ in range(30):
        claimed = own.claim({})
        own.tell(claimed, "completed", [math.log10(float(values(claimed)["optimizer.lr"]))])
        own.tell(claimed, "failed", [])
    assert {trial.state.name for trial in own.trials} == {"COMPLETE"}
    shares = {key: share for key, (share,) in own.importances().items()}
    assert set(shares) == {space.key for space in SPACES}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["optimizer.lr"] > 0.8


def test_few_or_equal_trials_have_no_importances() -> None:
    own = study("a", 9)
    for _ in range(6):
        own.tell(own.claim({}), "completed", [1.0])
    assert own.importances() == {}
