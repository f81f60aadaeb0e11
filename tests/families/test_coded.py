"""The games with an encoder: every objective, every verb of a latent space, and whose weights are shown."""

from __future__ import annotations

import json

import pytest
import torch
from conftest import only_run, small
from games import trainer

from nnlab.errors import BadInput
from nnlab.families.gan.objectives import OBJECTIVES
from nnlab.training.trainer import evaluating

MODELS = ["aae", "bigan", "vae_gan"]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("model", MODELS)
def test_every_objective_is_played_or_the_legal_ones_are_named(model: str, objective: str) -> None:
    overrides = [*small(model), f"trainer.objective={objective}"]
    if objective == "wasserstein":
        with pytest.raises(BadInput, match="or use minimax, non_saturating, least_squares, hinge"):
            trainer(*overrides)
        overrides += ["trainer=wgan_gp", *(["model.normalization=none"] if model == "vae_gan" else [])]
    trained = trainer(*overrides)
    trained.train(0, 3, lambda: False)
    means = trained.meter.look() or trained.meter.window.take()
    assert means["discriminator_loss"] == pytest.approx(means["discriminator_loss"])  # not NaN
    assert ("gradient_penalty" in means) == (objective == "wasserstein")


@pytest.mark.parametrize("model", MODELS)
def test_what_is_shown_is_made_by_the_averages(model: str) -> None:
    trained = trainer(*small(model), "trainer.ema_decay=0.999")
    shown = trained.model
    x = shown.check(trained.data.train.values(trained.data.train.rows[:8]))
    with evaluating(shown):
        codes, images = shown.encode(x), shown.reconstruct(x)
        for part in (shown.encoder, getattr(shown, shown.maker)):
            for p in part.parameters():
                p.zero_()
        assert torch.equal(shown.encode(x), codes)
        assert torch.equal(shown.reconstruct(x), images)
        assert torch.equal(shown.decode(codes), images)


@pytest.mark.parametrize("model", MODELS)
def test_the_verbs_of_a_latent_space(model: str, nnlab) -> None:
    assert nnlab("train", *small(model), "data.limit=200", "trainer.steps=3", "trainer.precision=float32")[0] == 0
    for verb in ("traverse", "interpolate --from 0,1 --to 2,3", "embed", "reconstruct", "sample"):
        name, *rest = verb.split()
        status, _, error = nnlab(name, "last", *rest)
        assert status == 0, error
    status, out, _ = nnlab("evaluate", "last")
    assert status == 0
    assert {"test/mse", "test/psnr", "test/real_score"} <= set(json.loads(out))
    names = {path.stem for path in only_run().images.iterdir()}
    assert {"sample", "reconstruction", "traversal"} <= names
