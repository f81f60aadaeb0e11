"""A recipe's keys for another choice: whose fault a message says it is."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("typed", "key", "said"),
    [
        (["experiment=simclr_mnist", "augmentation=affine"], "augmentation.crop", "augmentation=affine"),
        (["experiment=triplet_faces", "augmentation=none"], "augmentation.crop", "augmentation=none"),
        (["experiment=gawwn_mnist", "data=digits"], "data.places", "data=digits"),
    ],
)
def test_a_key_that_a_recipe_sets_for_another_choice(nnlab, typed: list[str], key: str, said: str) -> None:
    status, _, error = nnlab("train", *typed)
    name, group = typed[0].partition("=")[2], said.partition("=")[0]
    (line,) = (line for line in error.splitlines() if line.startswith(f"nnlab: {key}: "))
    assert status == 2
    assert line.endswith(f"; experiment={name} sets it for another {group}, so leave out {said} or the experiment")


def test_a_key_that_was_typed_is_the_users(nnlab) -> None:
    _, _, error = nnlab("train", "experiment=gawwn_mnist", "data=digits", "data.validation=-3")
    (line,) = (line for line in error.splitlines() if line.startswith("nnlab: data.validation"))
    assert "experiment" not in line


def test_recipes_of_ones_own(nnlab) -> None:
    Path("conf/experiment").mkdir(parents=True)
    text = "# @package _global_\n# nnlab train experiment=mine\n# Mine.\nmodel:\n  latent_dim: 3\n"
    Path("conf/experiment/mine.yaml").write_text(text, encoding="utf-8")
    error = nnlab("train", "-cd", "conf", "experiment=mine", "model=cnn")[2]
    assert error.startswith("nnlab: model.latent_dim: unknown key")
    assert error.endswith("; experiment=mine sets it for another model, so leave out model=cnn or the experiment\n")
