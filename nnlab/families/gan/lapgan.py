"""The Laplacian pyramid of GANs: a coarse image first, then the details of each finer level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.base import Adversarial, Play
from nnlab.families.gan.hourglass import Hourglass
from nnlab.families.gan.latent import Prior, sample_prior
from nnlab.families.gan.networks import (
    Channels,
    Normalization,
    Standardize,
    beside,
    conv_discriminator,
    mlp_discriminator,
    mlp_generator,
    with_spectral_norm,
)
from nnlab.nn import pyramid
from nnlab.nn.mlp import Width
from nnlab.plotting.images import sheet, to_pixels

USUAL_CHANNELS, LEAST = (64, 128), 3  # of a finer level with `auto`: fewer layers if the smallest map has a side below LEAST
DATA_ROWS, SAMPLE_ROWS, TILE = 3, 6, 72  # of the picture of the levels; the least width of a tile, for the name above it


class LAPGAN(Adversarial):
    """A pyramid of GANs (Denton et al. 2015, "Deep generative image models using a Laplacian pyramid of adversarial networks").

    x_0 the image, x_{k+1} = d(x_k), h_k = x_k − u(x_{k+1}), K the coarsest level (`nn/pyramid.py`)

    coarsest level:  min_G max_D E log D(x_K) + E log(1 − D(G(z))),   z (latent_dim,) from the prior
    finer levels:    min_G max_D E log D(x_k, u(x_{k+1})) + E log(1 − D(u(x_{k+1}) + G(z_k, u(x_{k+1})), u(x_{k+1}))),
                     z_k (1, h, w) from the prior, a plane of noise of the level's size
    a sample:        x̃_K = G(z),   x̃_k = u(x̃_{k+1}) + G(z_k, u(x̃_{k+1}))

    Each level is a stage of the run, the coarsest first. It learns on coarser images of data; the other levels do not change.
    A sample has generated coarser images instead, which may be unlike those of data. So there are three figures of a judge:
    frechet_distance of whole samples, reconstruction_frechet of generated details on coarser images of data, and
    coarser_frechet of the same images without details.

    In the paper the discriminator of a finer level sees only the sum of residual and enlarged image. Here it also sees the
    enlarged image, so that it can tell details that do not belong to it. The sum is cut off at the data's bounds.

    The coarsest level has the fully connected networks of `gan`, as in the paper. A finer generator halves its input and
    enlarges it again, with connections between maps of the same size; a finer discriminator is that of `dcgan`.

    Figures:
    coarser_frechet          by the judge, as reconstruction_frechet, of the images of the coarser level, enlarged; lower is
                             better. It is the result of a level that adds no details
    coarser_class_agreement  by the judge, as class_agreement, of the same; higher is better

    levels    how many; auto: each half as large as the next, as long as the shorter side of the coarsest has 7 pixels
    hidden    widths of the coarsest discriminator's layers; its generator has them in reverse
    channels  of each finer discriminator's layers, and of the layers of its generator that halve; auto is [64, 128], in a level
              of less than 12 pixels [64]
    normalization  of the finer discriminators' layers; the finer generators always have batch normalisation. With `batch` a
              finer discriminator wins: after 2,000 steps on MNIST at 14×14 pixels it is right about 97 % of the data and the
              details are at a Fréchet distance of 13.3, without it about 56 % and 4.1
    spectral_norm  as in `dcgan`

    stage     number of the level that learns, from 0, the coarsest; samples have the details of the levels up to it
    """

    trainer = "nnlab.families.gan.trainer:StagedGameTrainer"
    parts: ClassVar[tuple[str, ...]] = ("generators",)

    def __init__(
        self,
        spec: DataSpec,
        *,
        levels: Literal["auto"] | Annotated[int, AtLeast(2)] = "auto",
        latent_dim: Width = 64,
        prior: Prior = "gaussian",
        hidden: list[Width] = (512, 512),
        channels: Channels = "auto",
        normalization: Normalization = "none",
        spectral_norm: bool = False,
    ) -> None:
        self.sizes = pyramid.level_sizes(spec.shape, None if levels == "auto" else levels)
        coarsest, *finer = (replace(spec, shape=(spec.shape[0], *size)) for size in self.sizes)
        generators = [mlp_generator(coarsest, latent_dim, hidden)]
        discriminators = [nn.Sequential(Standardize(spec), mlp_discriminator(coarsest.features, hidden))]
        for level in finer:
            widths = level_channels(channels, level)
            generators.append(DetailGenerator(level, widths))
            discriminators.append(conv_discriminator(beside(level, level), widths, normalization))
        if spectral_norm:
            discriminators = [with_spectral_norm(discriminator) for discriminator in discriminators]
        super().__init__(spec, generators=nn.ModuleList(generators), discriminators=nn.ModuleList(discriminators))
        self.latent_dim, self.prior, self.normalization = latent_dim, prior, normalization
        self.stage = len(self.sizes) - 1
        # the noise of a reconstruction, which is not drawn
        self.register_buffer("still", sample_prior(prior, 1, prod(self.sizes[-1]), torch.device("cpu"), None))

    # -- stages ---------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[str, ...]:
        """One per level, named by its size."""
        return (*(f"{h}x{w}" for h, w in self.sizes[:-1]), "")

    def start_stage(self, stage: int) -> None:
        self.stage = stage

    def get_extra_state(self) -> Tensor:
        """The stage, a scalar int64; it is in `state_dict`, so that a checkpoint has it."""
        return torch.tensor(self.stage)

    def set_extra_state(self, state: Tensor) -> None:
        """Sample and learn as in the stage that `get_extra_state` returned."""
        self.stage = int(state)

    @property
    def generator(self) -> nn.Module:
        """The generator of the level that learns."""
        return self.generators[self.stage]

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator of the level that learns."""
        return self.discriminators[self.stage]

    @property
    def uses_batch_norm(self) -> bool:
        return self.normalization == "batch"  # of any stage: what cannot be is said before the first

    # -- the game -------------------------------------------------------------------------------------------------

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        """Of the level that learns: its images of data, and generated ones; of a finer level with the enlarged images."""
        x, coarser = self.level_of(batch.target)
        if coarser is None:
            return Play(real=(x,), fake=(self.generator(self.noise(len(x), generator)),))
        below = pyramid.up(coarser, x.shape[2:])
        return Play(real=(x, below), fake=(self.detailed(self.generator, below, self.plane(below, generator)), below))

    def level_of(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """x_k of images (N, *shape), of the level that learns, and x_{k+1}; None of the coarsest."""
        for size in reversed(self.sizes[self.stage : -1]):
            x = pyramid.down(x, size)
        return x, pyramid.down(x, self.sizes[self.stage - 1]) if self.stage else None

    def discriminate(self, x: Tensor, *below: Tensor) -> Tensor:
        return self.discriminator(torch.cat([x, *below], 1) if below else x).float().squeeze(1)

    def detailed(self, network: nn.Module, below: Tensor, plane: Tensor) -> Tensor:
        """u(x_{k+1}) + G(z_k, u(x_{k+1})), (N, C, h, w) float32, within the data's bounds if there are any."""
        x = below + network(below, plane)
        return x.clamp(self.spec.low, self.spec.high) if self.spec.bounded else x

    # -- what it can do -------------------------------------------------------------------------------------------

    def noise(self, n: int, generator: torch.Generator | None) -> Tensor:
        """z, (n, latent_dim), of the coarsest level."""
        return sample_prior(self.prior, n, self.latent_dim, self.still.device, generator)

    def plane(self, below: Tensor, generator: torch.Generator | None) -> Tensor:
        """z_k, (N, 1, h, w), for enlarged images (N, C, h, w)."""
        n, _, h, w = below.shape
        return sample_prior(self.prior, n, h * w, below.device, generator).unflatten(1, (1, h, w))

    def sample_levels(self, n: int, generator: torch.Generator | None = None) -> list[Tensor]:
        """n samples by the averages: x̃_K and, up to the level that learns, of each finer one u(x̃_{k+1}) and x̃_k."""
        averaged = self.averaged["generators"]
        found = [averaged[0](self.noise(n, generator))]
        for network, size in zip(averaged[1 : self.stage + 1], self.sizes[1:], strict=False):
            below = pyramid.up(found[-1], size)
            found += [below, self.detailed(network, below, self.plane(below, generator))]
        return found

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """x̃_0, (n, *shape), by the averages. Before the last stage the residuals of the levels to come are zero."""
        return self.enlarged(self.sample_levels(n, generator)[-1])

    def enlarged(self, x: Tensor) -> Tensor:
        """Images of a level as images (N, *shape), with residuals of zero."""
        for size in self.sizes[self.sizes.index(tuple(x.shape[2:])) + 1 :]:
            x = pyramid.up(x, size)
        return x

    def reconstruct(self, x: Tensor) -> Tensor:
        """u(x_1) + G(z_0, u(x_1)): images (N, *shape) whose finest details are generated anew, always of the same noise.

        Before the last stage the details of the level that learns are generated, and residuals of finer levels are zero.
        """
        fine, coarser = self.level_of(self.check(x))
        if coarser is None:
            return self.enlarged(fine)
        below = pyramid.up(coarser, fine.shape[2:])
        h, w = below.shape[2:]
        plane = self.still[:, : h * w].unflatten(1, (1, h, w)).expand(len(x), -1, -1, -1)
        return self.enlarged(self.detailed(self.averaged["generators"][self.stage], below, plane))

    def without_details(self, x: Tensor) -> Tensor:
        """u(x_1): what `reconstruct` is with a residual of zero, (N, *shape)."""
        fine, coarser = self.level_of(self.check(x))
        return self.enlarged(fine if coarser is None else pyramid.up(coarser, fine.shape[2:]))

    def rivals(self) -> dict[str, Callable[[Batch], Tensor]]:
        """`coarser`: `reconstruct` without the generated details; not in the stage of the coarsest level, which has none."""
        coarser = {"coarser": lambda batch: self.without_details(batch.input)}
        return super().rivals() | (coarser if self.stage else {})

    # -- pictures -------------------------------------------------------------------------------------------------

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """Images of data taken apart, and samples as they are made: of each level the enlarged image, the residual, the sum."""
        data = few.target[:DATA_ROWS]
        known = pyramid.images(data, self.sizes)[: self.stage + 1]
        rows = [known[0]]
        for coarse, fine in pairwise(known):
            rows += [pyramid.up(coarse, fine.shape[2:]), fine]
        made = self.sample_levels(SAMPLE_ROWS, generator)
        return {"levels": self.levels_picture([torch.cat(pair) for pair in zip(rows, made, strict=True)], len(data))}

    def levels_picture(self, levels: list[Tensor], data: int) -> np.ndarray:
        """A row per image, data above samples: x_K, and of each finer level u(x_{k+1}), h_k (gray is zero) and x_k."""
        columns, names = [self.shown(levels[0])], [self.named(0)]
        middle = (self.spec.low + self.spec.high) / 2
        for i in range(1, len(levels), 2):
            below, fine = levels[i], levels[i + 1]
            columns += [self.shown(below), self.shown(middle + (fine - below) / 2), self.shown(fine)]
            names += ["enlarged", "+ details", f"= {self.named(i // 2 + 1)}"]
        labels = ["data" if i < data else "sample" for i in range(len(levels[0]))]
        return sheet(np.stack(columns, 1), labels, names)

    def shown(self, x: Tensor) -> np.ndarray:
        """Images of a level as tiles of one size, (N, H, W, 3) uint8: each pixel becomes a block."""
        tiles = to_pixels(interpolate(x.float(), self.sizes[-1], mode="nearest-exact"), self.spec)
        scale = -(-TILE // max(self.sizes[-1]))
        return tiles.repeat(scale, axis=1).repeat(scale, axis=2)

    def named(self, level: int) -> str:
        """The size of a level."""
        h, w = self.sizes[level]
        return f"{h}×{w}"


def level_channels(channels: Channels, spec: DataSpec) -> list[int]:
    """The channels of the halving layers of a finer level's networks; `auto` has as many as leave LEAST pixels a side."""
    if channels != "auto":
        return list(channels)
    side = min(spec.shape[1:])
    return [width for i, width in enumerate(USUAL_CHANNELS) if i == 0 or side >> (i + 1) >= LEAST]


class DetailGenerator(Hourglass):
    """The residual of a level, from the enlarged image of the coarser one and a plane of noise.

    The residual is tanh within ± the data's range, if they have bounds.

    spec  of the level
    """

    def __init__(self, spec: DataSpec, channels: list[int]) -> None:
        super().__init__(spec.shape[0] + 1, spec.shape[0], spec.shape[1:], channels)
        self.standardize, self.reach = Standardize(spec), spec.value_range if spec.bounded else None

    def forward(self, below: Tensor, plane: Tensor) -> Tensor:
        """(N, C, H, W) float32, of enlarged images (N, C, H, W) and noise (N, 1, H, W)."""
        x = super().forward(torch.cat([self.standardize(below), plane], 1)).float()
        return self.reach * x.tanh() if self.reach else x
