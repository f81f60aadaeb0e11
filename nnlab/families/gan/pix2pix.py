"""The conditional GAN from image to image: an adversarial loss that learns what a good output looks like, and L1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from torch import Tensor, nn

from nnlab.config.constraints import AtLeast, Between
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.families.gan.base import Answer, Game, Play
from nnlab.families.gan.networks import Channels
from nnlab.families.gan.objectives import Objective
from nnlab.families.gan.translation import Translation, absolute_error, require_images
from nnlab.families.gan.translation_networks import Norm, UNetGenerator, patch_discriminator, patch_layers
from nnlab.model import Turn
from nnlab.nn.conv import spatial_sizes
from nnlab.nn.mlp import Width
from nnlab.nn.resize import enlarged_likewise

FIRST, WIDEST, MOST_LEVELS = 64, 512, 8  # of the paper's generator


class Pix2Pix(Translation):
    """Image to image with pairs (Isola et al. 2017, "Image-to-image translation with conditional adversarial networks").

    min_G max_D  E log D(x, y) + E log(1 − D(x, G(x)))  +  λ E |y − G(x)|,   x the input, y the target

    G is a U-Net, D a discriminator of patches that sees input and output together. L1 is a mean over values, of images within
    −1 … 1. Alone it gives the mean of all likely targets, which is blurred; the game makes the output sharp. The noise of G is
    dropout in its innermost levels.

    A smaller x is first enlarged (bicubic).

    Figures:
    l1  the mean of |ŷ − y| over the values, on a scale on which the data's range is 2; lower is better

    channels       of the generator's levels; each halves the image; auto: down to one pixel, from 64 channels on, at most 512
    l1             λ; 0: the game alone
    adversarial    weight of the game; 0: L1 alone, without a discriminator, whose settings then do not matter
    dropout        share, in the innermost three levels of the way up
    sample_dropout  whether it stays on when images are made, as in the paper; then an output differs from call to call
    width          channels of the discriminator's first layer
    layers         how often the discriminator halves the image; 1, 2, 3: patches of 16×16, 34×34, 70×70 pixels;
                   auto: the largest that the image holds
    normalization  instance: each image's maps for themselves; batch: the batch's maps together
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        channels: Channels = "auto",
        l1: Annotated[float, AtLeast(0)] = 100.0,
        adversarial: Annotated[float, AtLeast(0)] = 1.0,
        dropout: Annotated[float, Between(0, 0.9)] = 0.5,
        sample_dropout: bool = False,
        width: Width = 64,
        layers: Literal["auto"] | Annotated[int, AtLeast(1)] = "auto",
        normalization: Norm = "instance",
    ) -> None:
        require_images(spec)
        if not l1 and not adversarial:
            raise BadInput("model.l1, model.adversarial: both are 0, so nothing is learned; give one of them a weight")
        if sample_dropout and not dropout:
            raise BadInput("model.sample_dropout: has no effect with model.dropout=0; give a dropout, or leave it out")
        given = replace(spec.input, shape=(spec.input.shape[0], *spec.shape[1:]))
        widths = levels(given.shape) if channels == "auto" else list(channels)
        spatial_sizes(given.shape, len(widths))  # raises for an image that cannot be halved this often
        networks = {"generator": UNetGenerator(given, spec.target, widths, normalization, (dropout, sample_dropout))}
        if adversarial:
            depth = patch_layers(spec.shape, layers)
            networks["discriminator"] = patch_discriminator([spec.target, given], width, depth, normalization)
        super().__init__(spec, **networks)
        self.l1, self.adversarial = l1, adversarial
        self.critics = ("discriminator",) if adversarial else ()

    def given(self, x: Tensor) -> Tensor:
        """Inputs (N, C, H, W) at the size of their targets."""
        return enlarged_likewise(x, self.spec.input.shape, self.spec.shape)

    def players(self) -> dict[str, list[nn.Module]]:
        return super().players() if self.adversarial else {"generator": [self.generator]}

    def turns(self, batch: Batch, game: Game) -> Iterator[Turn]:
        """The turns of a game; with L1 alone one turn of the generator."""
        if self.adversarial:
            yield from super().turns(batch, game)
            return
        with game.forward():
            answer = self.answer(self.play(batch, game.generator), game.objective)
        yield Turn(answer.losses, answer.terms)

    def discriminate(self, y: Tensor, given: Tensor) -> Tensor:
        """D, (N, h, w), one answer per patch of targets or outputs y (N, *shape) beside what they were made of."""
        return self.discriminator(y, given)

    def answer(self, play: Play, objective: Objective) -> Answer:
        """The generator's loss; the terms `generator_loss` and `l1`, the mean of |ŷ − y| on the scale −1 … 1."""
        l1 = absolute_error(play.kept["fake"], play.kept["target"], self.spec).mean()
        if not self.adversarial:
            return Answer({"generator": self.l1 * l1}, {"l1": l1})
        game = objective.generator(self.discriminate(*play.fake)).mean()
        loss = self.adversarial * game + self.l1 * l1
        return Answer({"generator": loss}, {"generator_loss": game, "l1": l1})

    @property
    def plays_by_turns(self) -> bool:
        """Whether there is no discriminator to measure."""
        return not self.adversarial


def levels(shape: tuple[int, ...]) -> list[int]:
    """The channels of the levels for images (C, H, W), as many as halve the smaller side to one pixel."""
    return [min(FIRST * 2**i, WIDEST) for i in range(min(min(shape[1:]).bit_length() - 1, MOST_LEVELS))]
