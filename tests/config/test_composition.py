"""A config is what Hydra composes, though nnlab composes the choices of groups once and lays the values over them."""

from __future__ import annotations

import pytest
from hydra import compose
from omegaconf import OmegaConf

from nnlab.config import composition
from nnlab.config.sentences import UNREADABLE, sentence
from nnlab.errors import BadInput

LINES = {
    "nothing": [],
    "choices": ["model=gan", "data=moons", "optimizer=sgd"],
    "values": ["model=vae", "optimizer.lr=3e-4", "trainer.epochs=5", "seed=7"],
    "a value before its choice": ["model.hidden=[32,16]", "model=ae", "model.hidden=[8]"],
    "texts": ["tags=[a,'b c']", 'outputs="a=b,c"', "data=npz", "data.file='x y.npz'"],
    "nulls and interpolations": ["trainer.epochs=${seed}", "seed=null"],
    "a recipe": ["experiment=vae_mnist_binarized", "model.latent_dim=3"],
    "a group in a group": ["optimizer/schedule=cosine", "optimizer.lr=0.1"],
    "a whole node": ["trainer.early_stopping={patience:3}"],
}


@pytest.mark.parametrize("name", LINES)
def test_it_is_hydras(name: str) -> None:
    overrides = LINES[name]
    with composition.hydra():
        expected = compose("train", overrides=overrides, return_hydra_config=True)
    for _ in range(2):  # the second time out of what is known
        config = composition.compose_config(overrides)
        assert OmegaConf.to_container(config) == {k: v for k, v in OmegaConf.to_container(expected).items() if k != "hydra"}


@pytest.mark.parametrize("name", LINES)
def test_a_run_is_told_what_hydra_tells_it(name: str, own_folder) -> None:
    overrides = LINES[name]
    with composition.hydra(job="train"):
        expected = compose("train", overrides=overrides, return_hydra_config=True)
        expected.hydra.mode = "RUN"
        config = composition.run_config(overrides)
    assert OmegaConf.to_yaml(config) == OmegaConf.to_yaml(expected)


def test_one_config_does_not_change_another() -> None:
    composition.compose_config(["model=ae", "model.latent_dim=3"])["model"]["hidden"].append(5)
    assert composition.compose_config(["model=ae"])["model"]["latent_dim"] != 3
    assert 5 not in composition.compose_config(["model=ae"])["model"]["hidden"]


@pytest.mark.parametrize("line", ["model.hidden.x=3", "trainer.nope=1", "optimizer.lr=${"])
def test_a_value_that_does_not_fit_is_told_as_hydra_tells_it(line: str) -> None:
    with composition.hydra(), pytest.raises(UNREADABLE) as expected:
        compose("train", overrides=["model=ae", line])
    with pytest.raises(BadInput) as error:
        composition.compose_config(["model=ae", line])
    assert str(error.value) == f"config: {sentence(expected.value)}"
