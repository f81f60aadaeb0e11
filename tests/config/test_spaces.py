"""The values that a search tries of a key: what is typed is what is meant, or is answered."""

from __future__ import annotations

import pytest

from nnlab.config.spaces import Numbers, Search, Values, check


def typed(*words: str) -> Search:
    return check(["model=vae", "data=digits", *words])


@pytest.mark.parametrize(
    ("word", "space"),
    [
        ("optimizer.lr=log(1e-4,1e-2)", Numbers("optimizer.lr", 1e-4, 1e-2, log=True)),
        ("optimizer.lr=tag(log, interval(1e-4, 1e-2))", Numbers("optimizer.lr", 1e-4, 1e-2, log=True)),
        ("optimizer.weight_decay=interval(0,1)", Numbers("optimizer.weight_decay", 0, 1)),
        ("model.latent_dim=interval(2,32)", Numbers("model.latent_dim", 2, 32, whole=True)),
        ("model.latent_dim=log(2,32)", Numbers("model.latent_dim", 2, 32, log=True, whole=True)),
        ("optimizer.weight_decay=int(interval(0,3))", Numbers("optimizer.weight_decay", 0, 3, whole=True)),
        ("trainer.batch_size=range(32,129,32)", Numbers("trainer.batch_size", 32, 128, step=32, whole=True)),
        ("optimizer.weight_decay=range(0,0.5,0.1)", Numbers("optimizer.weight_decay", 0, 0.4, step=0.1)),
        ("model.activation=relu,tanh", Values("model.activation", ("relu", "tanh"))),
        ("model.activation=choice(relu,tanh)", Values("model.activation", ("relu", "tanh"))),
        ("optimizer=adam,sgd", Values("optimizer", ("adam", "sgd"))),
        ("model.hidden=[64],[64,32]", Values("model.hidden", ("[64]", "[64,32]"))),
        ("trainer.evaluate_every='1 epochs','2 epochs'", Values("trainer.evaluate_every", ("'1 epochs'", "'2 epochs'"))),
    ],
)
def test_a_word_gives_its_key_a_space(word: str, space: Numbers | Values) -> None:
    found = typed(word)
    assert not found.names.problems
    assert found.spaces == [space]
    assert found.fixed == ["model=vae", "data=digits"]


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("optimizer.lr=log(0,1)", "a logarithm needs a lower end above 0"),
        ("optimizer.lr=log(1e-2,1e-4)", "the lower end comes first"),
        ("optimizer.lr=interval(1,inf)", "both ends must be finite numbers"),
        ("optimizer.lr=interval(nan,1)", "both ends must be finite numbers"),
        ("optimizer.lr=interval(1,1)", "one value is no search; write optimizer.lr=1,"),
        ("model.activation=choice(relu)", "one value is no search; write model.activation=relu,"),
        ("model.latent_dim=range(3,4)", "one value is no search; write model.latent_dim=3,"),
        ("model.latent_dim=range(4,4)", "an empty range; its end is not part of it"),
        ("model.latent_dim=range(1,1e9)", "more than 1,000 values"),
        ("model.activation=choice()", "no value to try"),
        ("optimizer.lr=log(a,b)", "values to try are written log(1e-4,1e-2), interval(0,1)"),
        ("optimizer.lr=log(1e-4", "values to try are written log(1e-4,1e-2), interval(0,1)"),
        ("optimizer.lr=tag(x,interval(1,2))", "the only tags of a search are log and int, not x"),
        ("model.latent_dim=int(2,32)", "write model.latent_dim='interval(2,32)'; where the key takes whole numbers"),
        ("optimizer.lr=uniform(0,1)", "write optimizer.lr='interval(0,1)'"),
        ("optimizer.lr=loguniform(1e-4,1)", "write optimizer.lr='log(1e-4,1)'"),
        ("search.optimizer.lr=log(1e-4,1)", "write optimizer.lr=log(1e-4,1)"),
        ("hydra.sweep.dir=x", "-o FOLDER says where it lies"),
        ("optimizer.lrr=log(1e-4,1)", "optimizer.lrr: unknown key; did you mean 'lr'?"),
        ("optimizer=adam,sgdd", "optimizer=sgdd: no such optimizer; did you mean 'sgd'?"),
        ("model=ae,vae", "model: given twice (model=vae, model=ae,vae)"),
        ("noise=gaussian,hole", "noise: trials that are measured on other examples cannot be compared"),
        ("seed=3", "search: no key has values to try"),
    ],
)
def test_a_bad_space_is_answered(word: str, problem: str) -> None:
    problems = typed(word).names.problems
    assert len(problems) == 1, problems
    assert problem in problems[0]


def test_several_problems_are_told_at_once() -> None:
    words = ["optimizer.lr=log(0,1)", "model.latent_dim=int(2,3)", "modle=vae", "trainer.epochs=interval(3,1)"]
    assert len(typed(*words).names.problems) == 4


@pytest.mark.parametrize("other", ["seed=3", "seed=interval(1,9)"])
def test_a_key_is_given_once(other: str) -> None:
    assert typed("seed=1,2", other).names.problems == ["seed: has values to try, and is given twice; give one of them"]


def test_a_value_is_rounded_but_stays_in_its_space() -> None:
    space = Numbers("optimizer.lr", 0.001, 0.01234567, log=True)
    assert space.word(0.00345678912) == "optimizer.lr=0.0034568"
    assert space.word(0.012345669) == "optimizer.lr=0.012345669", "0.012346 would be above the upper end"
    assert Numbers("model.latent_dim", 2, 32, whole=True).word(7.0) == "model.latent_dim=7"


def test_both_ends_of_each_space_are_checked() -> None:
    jobs = typed("optimizer.lr=log(1e-4,1e-2)", "model.latent_dim=interval(2,32)").names.jobs()
    assert {word for job in jobs for word in job} >= {
        "optimizer.lr=0.0001",
        "optimizer.lr=0.01",
        "model.latent_dim=2",
        "model.latent_dim=32",
    }
