"""What tests of games share: the gradients of an answer, before anybody moves by them."""

from __future__ import annotations

import torch
from conftest import built
from torch import Tensor, nn

from nnlab.families.gan.base import Play
from nnlab.families.gan.trainer import GameTrainer
from nnlab.model import Turn

SMALL = ["data=digits", "trainer.precision=float32", "trainer.batch_size=48", "trainer.show_every=never", "device=cpu"]


def trainer(*overrides: str) -> GameTrainer:
    """Of a model on digits that is about to learn."""
    experiment = built(*SMALL, *overrides)
    experiment.initialize()
    experiment.model.train()
    return experiment.trainer


def round_of(trained: GameTrainer) -> Play:
    """What the first batch makes of the game."""
    return trained.play(trained.feed.batch(trained.rows(0), trained.generator))


def train_discriminator(trained: GameTrainer, play: Play) -> dict[str, Tensor]:
    """The discriminator's turn with these tensors; its terms."""
    return trained.make(trained.critic(trained.model.discriminate, play.real, play.fake))


def answer(trained: GameTrainer, play: Play) -> dict[str, Tensor]:
    """The turn of the others with these tensors; its terms."""
    found = trained.model.answer(play, trained.objective)
    return trained.make(Turn(found.losses, found.terms))


def hold_still(trained: GameTrainer, monkeypatch) -> None:
    """Gradients are computed, but nobody makes a step, which would remove them."""
    for player in trained.players.values():
        monkeypatch.setattr(player, "step", lambda clip: None)


def gradients_of_answer(trained: GameTrainer, monkeypatch) -> tuple[Play, dict[str, Tensor | None]]:
    """A round, and the gradient of every parameter by name as those who play against the discriminator are about to move.

    The round is made twice: the gradients' own is used up.
    """
    hold_still(trained, monkeypatch)
    state = trained.generator.get_state()
    answer(trained, round_of(trained))
    trained.generator.set_state(state)
    return round_of(trained), {name: p.grad for name, p in trained.model.named_parameters() if p.requires_grad}


def agree(found: dict[str, Tensor | None], part: str, module: nn.Module, loss: Tensor) -> bool:
    """Whether the gradients found for a part of the model are those of a loss."""
    names, weights = zip(*module.named_parameters(), strict=True)
    wanted = torch.autograd.grad(loss, weights, retain_graph=True)
    return all(torch.allclose(found[f"{part}.{name}"], g, rtol=1e-4, atol=1e-6) for name, g in zip(names, wanted, strict=True))


def untouched(found: dict[str, Tensor | None], part: str) -> bool:
    """Whether not even a gradient was computed for a part."""
    return all(g is None for name, g in found.items() if name.startswith(f"{part}."))
