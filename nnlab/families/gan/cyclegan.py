"""CycleGAN: two generators between two sets of images without pairs, each the inverse of the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec, Part
from nnlab.errors import ArgumentError
from nnlab.families.gan.base import Adversarial, Game
from nnlab.families.gan.networks import Channels
from nnlab.families.gan.objectives import LeastSquares, Objective
from nnlab.families.gan.translation import absolute_error
from nnlab.families.gan.translation_networks import (
    Norm,
    ResidualGenerator,
    UNetGenerator,
    patch_discriminator,
    patch_layers,
)
from nnlab.model import Metric, Turn
from nnlab.model.metric import Direction
from nnlab.nn.conv import spatial_sizes
from nnlab.nn.mlp import Width
from nnlab.nn.pool import ImagePool
from nnlab.plotting.images import sheet, to_pixels

RESIDUAL = (64, 128, 256)  # channels of the paper's generator
BLOCKS, LARGE = {False: 6, True: 9}, 256  # its blocks, for sides below and from LARGE pixels on
FIRST, WIDEST, MOST_LEVELS = 64, 512, 8  # of the U-Net
WHOLE_SQUARES = 2.0  # the paper's generators minimise (D − 1)², but the objective is ½ (D − 1)²
SHOWN = 12  # images per picture


class CycleGAN(Adversarial):
    """Two domains without pairs (Zhu et al. 2017, "Unpaired image-to-image translation using cycle-consistent adversarial …").

    G: a → b (generator_b) and F: b → a (generator_a); D_a and D_b are discriminators of patches. G and F minimise

        game(D_b(G(a))) + game(D_a(F(b)))                     by default (D_b(G(a)) − 1)² + (D_a(F(b)) − 1)²
        + cycle · (|F(G(a)) − a| + |G(F(b)) − b|)             there and back again
        + identity · (|G(b) − b| + |F(a) − a|)                what is in a domain already stays as it is

    |·| is the mean over the values, of images within −1 … 1, as in the paper. The sums of both directions count, not their
    means. D_a and D_b see an image of a pool of past translations with probability ½. The domain a is the target of the
    examples, b their part `b`.

    `reconstruct` is the cycle F(G(a)), so `psnr`, `ssim` and `mse` are those of the cycle. Nothing of that says that G(a) is
    the right image of b: a permutation of the classes has perfect cycles, too. For that there are judges (`judge=auto`).

    generator      residual: halvings, residual blocks, doublings, as in the paper; unet: as in pix2pix
    channels       residual: at the image's size, then after each halving; auto: [64, 128, 256]
                   unet: after each halving; auto: down to one pixel, from 64 channels on, at most 512
    blocks         residual blocks; auto: 6, and 9 for images of 256 pixels or more
    cycle          weight of the cycle
    identity       weight of the identity; auto: half of `cycle`, as in the paper, or 0 if a and b differ in channels
    pool           past translations of each direction that the discriminators still see
    width          channels of a discriminator's first layer
    layers         how often a discriminator halves the image; 1, 2, 3: patches of 16×16, 34×34, 70×70 pixels;
                   auto: the largest that the image holds
    normalization  instance: each image's maps for themselves; batch: the batch's maps together
    """

    trainer = "nnlab.families.gan.domain_trainer:DomainGameTrainer"
    needs: ClassVar[tuple[str, ...]] = ("b",)
    parts: ClassVar[tuple[str, ...]] = ("generator_b", "generator_a")
    critics: tuple[str, ...] = ("discriminator_a", "discriminator_b")
    regularizers = ("gradient_penalty", "label_smoothing")

    def __init__(
        self,
        spec: DataSpec,
        *,
        generator: Literal["residual", "unet"] = "residual",
        channels: Channels = "auto",
        blocks: Literal["auto"] | Annotated[int, AtLeast(0)] = "auto",
        cycle: Annotated[float, AtLeast(0)] = 10.0,
        identity: Literal["auto"] | Annotated[float, AtLeast(0)] = "auto",
        pool: Annotated[int, AtLeast(0)] = 50,
        width: Width = 64,
        layers: Literal["auto"] | Annotated[int, AtLeast(1)] = "auto",
        normalization: Norm = "instance",
    ) -> None:
        a, b = spec.target, spec["b"]
        check_domains(spec, a, b)
        alike = a.shape[0] == b.shape[0]
        if identity == "auto":
            identity = 0.5 * cycle if alike else 0.0
        if identity and not alike:
            channels_of = f"a has {a.shape[0]}, b has {b.shape[0]}"
            raise ArgumentError("identity", f"the identity loss needs equal channels, {channels_of}; give model.identity=0")
        if generator == "unet" and blocks != "auto":
            raise ArgumentError("blocks", "has no effect with model.generator=unet, which has none; leave it out")

        def translator(given: Part, made: Part) -> nn.Module:
            if generator == "unet":
                return unet(given, made, channels, normalization)
            several = BLOCKS[min(given.shape[1:]) >= LARGE] if blocks == "auto" else blocks
            widths = list(RESIDUAL if channels == "auto" else channels)
            return ResidualGenerator(given, made, widths, several, normalization)

        depth = patch_layers(a.shape, layers)
        super().__init__(
            spec,
            generator_b=translator(a, b),
            generator_a=translator(b, a),
            discriminator_a=patch_discriminator([a], width, depth, normalization),
            discriminator_b=patch_discriminator([b], width, depth, normalization),
        )
        self.pool_a, self.pool_b = ImagePool(pool, a.shape), ImagePool(pool, b.shape)
        self.cycle, self.identity = cycle, identity
        self.b = b

    # -- the game -------------------------------------------------------------------------------------------------

    def players(self) -> dict[str, list[nn.Module]]:
        """Both generators and both discriminators, each with an optimizer."""
        return {name: [getattr(self, name)] for name in (*self.parts, *self.critics)}

    def turns(self, batch: Batch, game: Game) -> Iterator[Turn]:
        """The generators' turn, then those of the discriminators, which see the translations that the generators made for it.

        With several updates of the discriminators per step the others come first.
        """
        *first, last = game.parts(batch)
        for part in first:
            with torch.no_grad(), game.forward():
                fakes = self.generator_b(part.target), self.generator_a(part["b"])
            yield from self.discriminators(part, fakes, game)
        with game.forward():
            fakes, losses = self.generators(last, game.objective)
            fooled = losses["generator_b_loss"] + losses["generator_a_loss"]
            squares = isinstance(game.objective, LeastSquares)
            loss = (WHOLE_SQUARES if squares else 1.0) * fooled + self.cycle * losses["cycle_loss"]
            loss = loss + self.identity * losses["identity_loss"] if self.identity else loss
        yield Turn(gradients=self.gradients(loss), terms=losses)
        yield from self.discriminators(last, fakes, game)

    def generators(self, batch: Batch, objective: Objective) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
        """The translations G(a) and F(b), and the terms of the generators' common loss.

        Figures:
        generator_b_loss  the objective's loss of D_b's answers about G(a)
        generator_a_loss  the objective's loss of D_a's answers about F(b)
        cycle_loss        |F(G(a)) − a| + |G(F(b)) − b|, means over values, on a scale on which the range of the data is 2
        identity_loss     |G(b) − b| + |F(a) − a|, means over values, on a scale on which the range of the data is 2
        """
        a, b = batch.target, batch["b"]
        fake_b, fake_a = self.generator_b(a), self.generator_a(b)
        losses = {
            "generator_b_loss": objective.generator(self.discriminator_b(fake_b)).mean(),
            "generator_a_loss": objective.generator(self.discriminator_a(fake_a)).mean(),
            "cycle_loss": self.far(self.generator_a(fake_b), a, self.generator_b(fake_a), b),
        }
        if self.identity:
            losses["identity_loss"] = self.far(self.generator_a(a), a, self.generator_b(b), b)
        return (fake_b, fake_a), losses

    def far(self, made_a: Tensor, a: Tensor, made_b: Tensor, b: Tensor) -> Tensor:
        """The mean absolute error in a and that in b, added."""
        return absolute_error(made_a, a, self.spec).mean() + absolute_error(made_b, b, self.b).mean()

    def gradients(self, loss: Tensor) -> dict[str, list[tuple[nn.Parameter, Tensor]]]:
        """Those of both generators' common loss, in one pass; the discriminators get none."""
        owned = {name: list(getattr(self, name).parameters()) for name in self.parts}
        found = iter(torch.autograd.grad(loss, list(chain.from_iterable(owned.values()))))
        return {name: [(parameter, next(found)) for parameter in own] for name, own in owned.items()}

    def discriminators(self, batch: Batch, fakes: tuple[Tensor, Tensor], game: Game) -> Iterator[Turn]:
        """The turns of D_a and D_b, which see translations of the past among the new ones.

        Figures:
        discriminator_a_loss, discriminator_b_loss                    of D_a and D_b, by trainer.objective
        discriminator_a_real_accuracy, discriminator_b_real_accuracy  share of the patches of data taken for data
        discriminator_a_fake_accuracy, discriminator_b_fake_accuracy  share of the patches of translations taken for such
        discriminator_a_diversity, discriminator_b_diversity          variance of the translations, as a share of the data's
        discriminator_a_gradient_penalty, discriminator_b_gradient_penalty  mean (‖∇D‖ − 1)² between data and translations
        discriminator_a_weighted_penalty, discriminator_b_weighted_penalty  its gradient_penalty times the penalty's weight
        discriminator_a_gradient, discriminator_b_gradient, generator_a_gradient, generator_b_gradient
                        Euclidean norm of a player's gradient
        discriminator_a_lr, discriminator_b_lr, generator_a_lr, generator_b_lr
                        learning rate of a player at this step
        """
        fake_b, fake_a = fakes
        shown_a, shown_b = self.pool_a(fake_a, game.generator), self.pool_b(fake_b, game.generator)
        yield game.critic(self.discriminator_a, (batch.target,), (shown_a,), "discriminator_a")
        yield game.critic(self.discriminator_b, (batch["b"],), (shown_b,), "discriminator_b")

    # -- what it can do -------------------------------------------------------------------------------------------

    def reconstruct(self, x: Tensor) -> Tensor:
        """The cycle F(G(x)), (N, *shape), by the averages."""
        return self.averaged["generator_a"](self.averaged["generator_b"](self.check(x)))

    def directions(self) -> dict[str, tuple[Part, Part]]:
        """Both: to b and to a."""
        a = self.spec.target
        return {"b": (a, self.b), "a": (self.b, a)}

    def translate(self, x: Tensor, to: str = "b") -> Tensor:
        """G(x) to b, or F(x) to a, of images (N, C, H, W) of any size that the generator takes, by the averages.

        Raises BadInput for a smaller one.
        """
        generator = self.averaged[f"generator_{to}"]
        generator.check_size(x.shape[1:])
        return generator(x)

    def metrics(self) -> list[Metric]:
        return [CycleErrors(self)]

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """Both cycles: images of a, what G makes of them, and what F makes of that; and the reverse."""
        return {"cycle_a": self.cycle_picture(few.target, "b", "a"), "cycle_b": self.cycle_picture(few["b"], "a", "b")}

    def cycle_picture(self, x: Tensor, there: str, back: str) -> np.ndarray:
        """Three rows: images, their translations, and the translations of these."""
        other, own = self.directions()[back]
        x = x[:SHOWN]
        made = self.translate(x, there)
        rows = [(x, own), (made, other), (self.translate(made, back), own)]
        g, f = ("G", "F") if there == "b" else ("F", "G")
        labels = [back, f"as {there}: {g}({back})", f"back: {f}({g}({back}))"]
        return sheet(np.stack([to_pixels(images, part) for images, part in rows]), labels)


class CycleErrors(Metric):
    """The mean error of both cycles, over the images of a in a split and as many of b.

    Figures:
    cycle_error_a  the mean |F(G(a)) − a| over images and values, as a share of the range of the data; lower is better
    cycle_error_b  the mean |G(F(b)) − b| over images and values, as a share of the range of the data; lower is better
    """

    sums = ("total_a", "total_b", "count")

    def __init__(self, model: CycleGAN) -> None:
        super().__init__("cycle_error_a and cycle_error_b", direction="lower")
        self.model = model
        self.total_a, self.total_b, self.count = torch.zeros(()), torch.zeros(()), 0

    @property
    def directions(self) -> dict[str, Direction]:
        return {"cycle_error_a": "lower", "cycle_error_b": "lower"}

    def update(self, batch: Batch, generator: torch.Generator) -> None:
        """Add the errors of a batch, in float64 where the device has it."""
        wide = torch.float32 if batch.target.device.type == "mps" else torch.float64
        for key, x, there, back in (("total_a", batch.target, "b", "a"), ("total_b", batch["b"], "a", "b")):
            part = self.model.directions()[back][1]
            error = absolute_error(self.model.translate(self.model.translate(x, there), back), x, part) / 2  # its range is 2
            setattr(self, key, getattr(self, key).to(error.device) + error.sum(dtype=wide))
        self.count += len(batch)

    def compute(self) -> float:
        """There is no single number. Raises TypeError."""
        raise TypeError("these are two metrics: use results()")

    def results(self) -> dict[str, float]:
        """Both, by name."""
        return {"cycle_error_a": float(self.total_a) / self.count, "cycle_error_b": float(self.total_b) / self.count}


def check_domains(spec: DataSpec, a: Part, b: Part) -> None:
    """Raise ArgumentError unless both domains are images of one size."""
    spatial_sizes(a.shape, 0)  # raises for a table
    if b.kind != "image":
        raise ArgumentError("", f"it translates images, but the part b of {spec.name} is of the kind {b.kind}")
    if a.shape[1:] != b.shape[1:]:
        sizes = " and ".join("×".join(map(str, part.shape[1:])) for part in (a, b))
        raise ArgumentError("", f"the images of both domains must have one size, those of {spec.name} have {sizes}")


def unet(given: Part, made: Part, channels: Channels, norm: Norm) -> UNetGenerator:
    """The generator of pix2pix without dropout. Raises ArgumentError for an image that cannot be halved as often."""
    levels = min(min(given.shape[1:]).bit_length() - 1, MOST_LEVELS)
    widths = [min(FIRST * 2**i, WIDEST) for i in range(levels)] if channels == "auto" else list(channels)
    spatial_sizes(given.shape, len(widths))
    return UNetGenerator(given, made, widths, norm)
