"""The contract carries models of kinds that nnlab does not ship: each trains, resumes to the bit, and can be captured."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import same_bits, weights
from tape import capture
from torch import Tensor
from toys import DATA, DATA_YAML, STAGES_YAML, TOYS

from nnlab.config import composition
from nnlab.errors import BadInput
from nnlab.experiment.run import build_experiment
from nnlab.nn.pool import ImagePool
from nnlab.runs.folder import RunFolder
from nnlab.training import graph
from nnlab.training.gradient import GradientTrainer

pytestmark = pytest.mark.usefixtures("blank_charts")
QUICK = ["trainer.batch_size=24", "trainer.precision=float32", "optimizer=adam", "optimizer.lr=1e-3"]


@pytest.fixture(params=list(TOYS))
def toy(request: pytest.FixtureRequest, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = request.param
    python, yaml, _ = TOYS[name]
    files = {f"site/mytoys/{name}.py": python, "site/mytoys/quarters.py": DATA}
    files |= {f"conf/model/{name}.yaml": yaml, "conf/data/quarters.yaml": DATA_YAML + "Quarters"}
    files |= {"conf/data/halves.yaml": DATA_YAML + "Pairs", "conf/trainer/game_stages.yaml": STAGES_YAML}
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text.lstrip(), encoding="utf-8")
    monkeypatch.syspath_prepend(own_folder / "site")
    monkeypatch.setenv("NNLAB_PLUGINS", "mytoys")
    yield name
    for module in [module for module in sys.modules if module.partition(".")[0] == "mytoys"]:
        del sys.modules[module]


def overrides(toy: str, *more: str) -> list[str]:
    return [f"model={toy}", *TOYS[toy][2], *QUICK, *more]


def trainer(toy: str, *more: str) -> GradientTrainer:
    config = composition.to_dict(composition.compose_config(overrides(toy, "device=cpu", *more), "conf"))
    experiment = build_experiment(config)
    experiment.initialize()
    return experiment.trainer


def test_it_trains_and_every_verb_that_fits_works(toy: str, nnlab) -> None:
    run = ["train", "-cd", "conf", *overrides(toy, "trainer.epochs=3"), "hydra.run.dir=run"]
    status, _, error = nnlab(*run)
    assert status == 0, error
    records = RunFolder(Path("run")).read_metrics()
    learned = {"translator": "error", "cycle": "cycle", "contrast": "loss"}.get(toy)
    if learned:
        first, *_, last = [record[learned] for record in records if record["split"] == "train" and learned in record]
        assert last < first
    assert nnlab("evaluate", "run")[0] == 0
    if toy in ("translator", "cycle"):
        assert nnlab("reconstruct", "run")[0] == 0
    if toy in ("pyramid", "captioned"):
        assert nnlab("sample", "run", "-n", "4", "-o", "sample.png")[0] == 0
    if toy == "contrast":
        assert nnlab("embed", "run", "--tsne", "0")[0] == 0
    if toy == "pyramid":
        assert {"coarse_sample.png", "sample.png"} <= {path.name for path in Path("run/images").iterdir()}
        assert {record.get("stage", "") for record in records} == {"coarse", ""}


def test_the_average_of_a_level_ends_with_its_stage(toy: str) -> None:
    if toy != "pyramid":
        pytest.skip("has no stages")
    learner = trainer(toy, "trainer.epochs=2")
    learner.train(0, 3, lambda: False)
    coarse = learner.model.averaged["coarse"].state_dict()
    kept = {name: value.clone() for name, value in coarse.items()}
    learner.start_stage(1)
    learner.train(0, 3, lambda: False)
    assert all(torch.equal(coarse[name], value) for name, value in kept.items())
    assert learner.model.averaged.updates == 3


def test_a_pair_may_be_made_by_a_noise_but_not_by_nothing(toy: str) -> None:
    if toy != "translator":
        pytest.skip("needs no pairs")
    learner = trainer(toy, "data=quarters", "noise=grayscale")
    batch = learner.feed.batch(learner.rows(0), learner.generator)
    assert (batch.input.shape[1:], batch.target.shape[1:]) == ((1, 8, 8), (3, 8, 8))
    assert learner.train(0, 2, lambda: False) == 2
    with pytest.raises(BadInput, match=r"Translator needs the part 'input', which Quarters lacks; .* such as noise=grayscale"):
        trainer(toy, "data=quarters")


def test_it_resumes_to_the_bit(toy: str, nnlab) -> None:
    train = ["train", "-cd", "conf", *overrides(toy), "trainer.show_every=never"]
    for folder, epochs in (("short", 1), ("long", 2)):
        status, _, error = nnlab(*train, f"trainer.epochs={epochs}", f"hydra.run.dir={folder}")
        assert status == 0, error
    status, _, error = nnlab("resume", "short", "trainer.epochs=2")
    assert status == 0, error
    assert same_bits(*(weights(RunFolder(Path(name))) for name in ("short", "long")))


def trained(learner: GradientTrainer, steps: int) -> list[Tensor]:
    done = 0
    while done < steps:
        done += learner.train(done, min(3, steps - done), lambda: False)
    return [value.detach().clone().double() for value in learner.model.state_dict().values()]


def test_it_is_captured(toy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over two ends of epochs, also with parts that are not paired and with a pool."""
    monkeypatch.setattr(graph, "available", lambda device: True)
    monkeypatch.setattr(graph, "capture", capture)
    monkeypatch.setattr(graph, "side_stream", contextlib.nullcontext)
    monkeypatch.setattr(graph, "PER_LAUNCH", 2)
    eager, captured = (trainer(toy, f"trainer.graph={choice}") for choice in ("none", "always"))
    set_rates = eager.set_rates
    eager.set_rates = lambda rates: set_rates([torch.tensor(rate).item() for rate in rates])  # as the captured ones
    steps = 2 * eager.steps_per_epoch + 2
    pairs = list(zip(trained(eager, steps), trained(captured, steps), strict=True))
    assert all(torch.allclose(a, b, rtol=2e-6, atol=2e-6) for a, b in pairs)
    assert not captured.notices
    assert {(1, 24), (2, 24)} <= set(captured._graphed.launches)


def test_a_pool_shows_old_images_half_the_time() -> None:
    pool, generator = ImagePool(10, (1,)), torch.Generator().manual_seed(0)
    first = torch.arange(10.0)[:, None]
    assert torch.equal(pool(first, generator), first), "while it fills, each is shown itself"
    new = torch.arange(10.0, 1010.0)[:, None]
    shown = pool(new, generator)
    own = shown == new
    assert 0.45 < own.float().mean() < 0.55
    assert (shown[~own] < new[~own]).all(), "the others are older"
    assert len(shown.unique()) == len(shown), "an old image leaves the pool when it is shown"
    assert torch.equal(ImagePool(0, (1,))(new, generator), new)
