"""Autoencoders of fully connected layers, of any depth."""

from __future__ import annotations

import pytest
import torch
from conftest import built
from torch import nn


@pytest.mark.parametrize("model", ["ae", "stacked_ae", "contractive_ae"])
@pytest.mark.parametrize("hidden", ["[]", "[12]", "[24,12,8]"])
def test_an_autoencoder_of_any_depth_learns_and_gives_its_code_back(model: str, hidden: str) -> None:
    experiment = built(f"model={model}", f"model.hidden={hidden}", "model.latent_dim=6", "trainer.precision=float32")
    experiment.initialize()
    trainer, net = experiment.trainer, experiment.model
    trainer.start_stage(len(trainer.stages) - 1)
    before = trainer.evaluate("validation")["loss"]
    trainer.train(0, 5 * trainer.steps_per_epoch, lambda: False)
    assert trainer.evaluate("validation")["loss"] < before
    depth = len([part for part in net.encoder if isinstance(part, nn.Linear)])
    assert depth == hidden.count(",") + (hidden != "[]") + 1
    assert net.encode(torch.zeros(3, 1, 8, 8)).shape == (3, 6)


def test_without_hidden_layers_a_code_is_linear() -> None:
    net = built("model=ae", "model.hidden=[]").model.requires_grad_(False)
    a, b = torch.rand(2, 5, 1, 8, 8)
    sums = net.encode(a) + net.encode(b)
    torch.testing.assert_close(sums, net.encode(a + b) + net.encode(torch.zeros_like(a)))
