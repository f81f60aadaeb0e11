"""A conditional VAE sees the class in both networks, and does without where none is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built, small
from small_vaes import batch, generator, of_seed

from nnlab.families.vae.cvae import CVAE
from nnlab.model import Decodes, SamplesClasses, can


def test_both_networks_of_a_cvae_see_the_label():
    model, b = of_seed(CVAE), batch(3)
    with torch.no_grad():
        means = [model.posterior(b.input, torch.full((3,), y))[0] for y in range(3)]
        images = [model.sample_class(torch.full((5,), y), generator()) for y in range(3)]
    for kind in (means, images):
        assert not torch.allclose(kind[0], kind[1])
        assert not torch.allclose(kind[1], kind[2])


def test_a_cvae_without_a_label_takes_the_likeliest_and_scores_by_all():
    model, b = of_seed(CVAE), batch(10)
    model.shares.copy_(torch.tensor([0.2, 0.5, 0.3]))
    with torch.no_grad():
        bounds = torch.stack([-model.negative_elbo(b.input, torch.full((10,), y)) for y in range(3)], 1)
        joint = bounds + torch.tensor([0.2, 0.5, 0.3]).log()
        assert torch.allclose(model.score(b.input), -joint.exp().sum(1).log(), atol=1e-4)
        assert torch.allclose(model.encode(b.input), model.posterior(b.input, joint.argmax(1))[0])
    assert can(model, SamplesClasses)
    assert not can(model, Decodes)


def test_a_cvae_samples_classes_as_often_as_they_are(nnlab):
    model = of_seed(CVAE)
    model.shares.copy_(torch.tensor([0.0, 1.0, 0.0]))
    with torch.no_grad():
        drawn = model.sample(4, generator())
        torch.multinomial(model.shares, 4, replacement=True, generator=(g := generator()))
        assert torch.equal(drawn, model.sample_class(torch.ones(4, dtype=torch.int64), g))
    e = built(*small("cvae"))
    e.initialize()
    labels = e.data.train.labels(e.data.train.rows)
    assert torch.allclose(e.model.shares, torch.bincount(labels) / len(labels))


def test_a_cvae_learns_to_draw_the_class_that_is_asked_for():
    e = built("model=cvae", "model.hidden=[128]", "model.latent_dim=8", "trainer.epochs=30", "trainer.precision=float32")
    e.initialize()
    e.trainer.train(0, e.trainer.total_steps, lambda: False)
    train, model = e.data.train, e.model.eval()
    means = torch.stack([train.values(train.rows[train.labels(train.rows) == y]).mean(0) for y in range(10)]).flatten(1)
    asked = torch.arange(10).repeat_interleave(20)
    with torch.no_grad():
        nearest = torch.cdist(model.sample_class(asked, generator()).flatten(1), means).argmin(1)
    assert (nearest == asked).float().mean() > 0.85


def test_data_without_labels_are_refused_to_a_cvae(own_folder):
    np.savez("own.npz", x_train=np.zeros((30, 8, 8), np.uint8))
    status = built_error("model=cvae", "data=npz", "data.root=.", "data.file=own.npz")
    assert "a conditional VAE learns what images of a class are like, but own has no labels" in status


def built_error(*overrides: str) -> str:
    from nnlab.errors import BadInput

    with pytest.raises(BadInput) as caught:
        built(*overrides)
    return str(caught.value)
