"""The GAN that enlarges images: trained by the pixel error first, then by what a network sees and by a game."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from math import log2, prod
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.checkpoints.reference import RunReference
from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.gan.base import Answer, Game, Play
from nnlab.families.gan.content import content_loss
from nnlab.families.gan.networks import SLOPE, Standardize, init_weights
from nnlab.families.gan.objectives import Objective
from nnlab.families.gan.srresnet import Norm, SuperResolutionNetwork, factor_of
from nnlab.families.gan.translation import Translation
from nnlab.metrics.reconstruction import mse, psnr
from nnlab.metrics.structure import ssim
from nnlab.model import Mean, Metric, Turn
from nnlab.nn.mlp import Width
from nnlab.plotting.images import input_pixels, sheet, to_pixels

SMALLEST_MAP = 3  # pixels: the discriminator halves the image down to this
MOST_HALVINGS = 4  # of the paper's discriminator
SHOWN = 6  # images in the comparison


class SRGAN(Translation):
    """Super-resolution by a game (Ledig et al. 2017, "Photo-realistic single image super-resolution …").

    stage 1:  min_G  E Σ (G(x) − y)²,   x the small image, y the large one: G is then `srresnet`
    stage 2:  min_G max_D  w (E log D(y) + E log(1 − D(G(x))))  +  E |φ(G(x)) − φ(y)|² / E |φ(y)|²  +  p E (G(x) − y)²

    The pixel error alone gives the mean of all images that x may have come from, which is blurred. φ are the maps of a trained
    network: they differ less between two sharp images than between a sharp and a blurred one. The game does the rest.

    Figures:
    content            E |φ(ŷ) − φ(y)|² / E |φ(y)|² of a batch; lower is better
    pixel_error        mean squared error per value of a batch, of values scaled to −1 … 1; lower is better
    srresnet_psnr      PSNR of the network after the first stage, dB; higher is better
    srresnet_ssim      its structural similarity; higher is better
    srresnet_frechet   by the judge, as reconstruction_frechet, of the network after the first stage; lower is better
    srresnet_class_agreement  by the judge, as class_agreement, of the network after the first stage; higher is better

    width, blocks, normalization  of G, as in `srresnet`
    content        φ: auto, the classifier that nnlab trains on the data; a RUN with a classifier; or vgg19, as in the paper
    adversarial    w
    pixels         p; 0 in the paper
    discriminator_width           channels of D's first layer; each halving doubles them
    discriminator_normalization   of D: batch as in the paper; a gradient penalty needs none
    """

    trainer = "nnlab.families.gan.trainer:StagedGameTrainer"

    def __init__(
        self,
        spec: DataSpec,
        *,
        width: Width = 64,
        blocks: Annotated[int, AtLeast(1)] = 8,
        normalization: Norm = "none",
        content: RunReference | Literal["auto", "vgg19"] = "auto",
        adversarial: Annotated[float, AtLeast(0)] = 1e-3,
        pixels: Annotated[float, AtLeast(0)] = 0.0,
        discriminator_width: Width = 32,
        discriminator_normalization: Norm = "batch",
    ) -> None:
        networks = [
            SuperResolutionNetwork(spec.input, spec.target, factor_of(spec), width, blocks, normalization) for _ in "12"
        ]
        super().__init__(
            spec,
            generator=networks[0],
            discriminator=image_discriminator(spec, discriminator_width, discriminator_normalization),
        )
        self.srresnet = networks[1].requires_grad_(False).eval()
        self.content = content_loss(spec, content)
        self.adversarial, self.pixels = adversarial, pixels
        self.start_stage(1)

    # -- the stages ---------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[str, ...]:
        return ("srresnet", "")

    def start_stage(self, stage: int) -> None:
        """In the first stage nobody plays."""
        self.playing = stage > 0
        self.critics = ("discriminator",) if self.playing else ()

    @property
    def plays_by_turns(self) -> bool:
        """Whether there is no discriminator to measure."""
        return not self.playing

    def init_from_data(self, split: Split) -> None:
        """Load the weights of φ, and measure its scale."""
        self.content.init_from_data(split)

    def init_stage(self, batches: Iterable[Batch]) -> None:
        """Keep what the first stage has learned, for comparison; the game starts from it."""
        self.srresnet.load_state_dict(self.averaged["generator"].state_dict())
        self.generator.load_state_dict(self.averaged["generator"].state_dict())

    def train(self, mode: bool = True) -> SRGAN:
        """Set the training mode of the players alone. Returns itself."""
        super().train(mode)
        self.srresnet.eval()
        return self

    # -- the step -----------------------------------------------------------------------------------------------------

    def players(self) -> dict[str, list[nn.Module]]:
        return super().players() if self.playing else {"generator": [self.generator]}

    def turns(self, batch: Batch, game: Game) -> Iterator[Turn]:
        """The pixel error alone, then the turns of a game."""
        if self.playing:
            yield from super().turns(batch, game)
            return
        with game.forward():
            error = self.pixel_error(self.generator(batch.input), batch.target)
        yield Turn({"generator": error}, {"pixel_error": error})

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        """The large images alone: D does not see what they were made of."""
        play = super().play(batch, generator)
        return Play(play.real[:1], play.fake[:1], play.kept)

    def discriminate(self, y: Tensor) -> Tensor:
        """D, (N,), of large images y."""
        return self.discriminator(y).float().squeeze(1)

    def answer(self, play: Play, objective: Objective) -> Answer:
        """The generator's loss, with its parts as terms."""
        fake, target = play.kept["fake"], play.kept["target"]
        terms = {"content": self.content(fake, target), "pixel_error": self.pixel_error(fake, target)}
        terms["generator_loss"] = objective.generator(self.discriminate(*play.fake)).mean()
        loss = terms["content"] + self.adversarial * terms["generator_loss"]
        return Answer({"generator": loss + self.pixels * terms["pixel_error"] if self.pixels else loss}, terms)

    def pixel_error(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean squared error per value, a scalar, of values scaled to −1 … 1."""
        return (output - target).square().mean() * (2 / self.spec.value_range) ** 2

    # -- figures and pictures -----------------------------------------------------------------------------------------

    def rivals(self) -> dict[str, Callable[[Batch], Tensor]]:
        """The input, enlarged, and in the second stage what the first has learned."""
        learned = {"srresnet": lambda batch: self.srresnet(batch.input)} if self.playing else {}
        return {**super().rivals(), **learned}

    def metrics(self) -> list[Metric]:
        if not self.playing:
            return super().metrics()

        def of_first_stage(batch: Batch, figure: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
            return figure(self.srresnet(batch.input), batch.target)

        spec = self.spec
        figures = {
            "srresnet_psnr": ("dB", lambda x, y: psnr(mse(x, y), spec)),
            "srresnet_ssim": ("", lambda x, y: ssim(x, y, spec)),
        }
        own = [
            Mean(name, lambda batch, _, figure=figure: of_first_stage(batch, figure), unit=unit, direction="higher")
            for name, (unit, figure) in figures.items()
        ]
        return [*super().metrics(), *own]

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """In the second stage, rows of the small image, bicubic, srresnet, srgan and the truth."""
        if not self.playing:
            return {}
        rows = {"input": input_pixels(few.input, self.spec)}
        outputs = {"bicubic" if name == "input" else name: made(few) for name, made in self.rivals().items()}
        outputs |= {"srgan": self.reconstruct(few.input), "target": few.target}
        rows |= {name: to_pixels(images, self.spec) for name, images in outputs.items()}
        return {"comparison": sheet(np.stack([images[:SHOWN] for images in rows.values()]), list(rows))}


def image_discriminator(spec: DataSpec, width: int, norm: Norm) -> nn.Sequential:
    """The discriminator of SRGAN: (N, C, H, W) → (N, 1); at each size a 3×3 convolution, and one of stride 2.

    Raises BadInput for an image that cannot be halved.
    """
    h, w = spec.shape[1:]
    halvings = min(MOST_HALVINGS, int(log2(min(h, w) / SMALLEST_MAP)))
    if halvings < 1:
        raise BadInput(f"model: the discriminator needs sides of {2 * SMALLEST_MAP} pixels or more, the targets have {h}×{w}")
    layers: list[nn.Module] = [Standardize(spec)]
    widths = [spec.shape[0], *(width * 2**i for i in range(halvings))]
    for i, (before, after) in enumerate(pairwise(widths)):
        for stride, inputs in ((1, before), (2, after)):
            first = i == 0 and stride == 1
            own = [nn.BatchNorm2d(after)] if norm == "batch" and not first else []
            layers += [nn.Conv2d(inputs, after, 3, stride, 1, bias=not own), *own, nn.LeakyReLU(SLOPE)]
            h, w = (-(-side // stride) for side in (h, w))
    hidden = 16 * width  # 1024 of the paper
    layers += [nn.Flatten(), nn.Linear(prod((widths[-1], h, w)), hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, 1)]
    return init_weights(nn.Sequential(*layers)).to(memory_format=torch.channels_last)
