"""The generative recurrent adversarial network: an image is painted in steps."""

from __future__ import annotations

from copy import deepcopy
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.config.constraints import Between
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.latent import ImageCritic, Prior
from nnlab.families.gan.networks import (
    Channels,
    Normalization,
    chosen,
    conv_body,
    conv_discriminator,
    conv_features,
    conv_generator,
    init_weights,
    with_spectral_norm,
)
from nnlab.nn.mlp import Width
from nnlab.plotting.images import sheet, to_pixels

ROWS = 6  # samples in the picture of the steps
NORMALIZATIONS = (nn.BatchNorm1d, nn.BatchNorm2d)


class GRAN(ImageCritic):
    """The generative recurrent adversarial network (Im et al. 2016, "Generating images with recurrent adversarial networks").

    min_G max_D E log D(x) + E log(1 − D(G(z))),   z = (z_1, …, z_T), each (latent_dim,) from the prior
    ΔC_t = f(z_t, g(s(C_{t−1}))),   C_t = Σ_{i ≤ t} ΔC_i,   G(z) = s(C_T)

    f is the generator of `dcgan`, g is an encoder with the layers of its discriminator, and s is tanh, scaled to the data's
    range. In the paper g sees the last change alone, before the squashing, and z passes a layer of its own; here g sees what is
    painted so far. All steps share f and g. Only the layers of batch normalisation are those of one step each, since the maps
    of different steps have different statistics. The first step has no canvas to look at: with one step the model is `dcgan`.

    The codes that decoding and traversals use are the noises of all steps, (N, T · latent_dim).

    Figures:
    step_1_frechet, step_2_frechet, step_3_frechet, step_4_frechet
                 by the judge, as frechet_distance, of the canvas after this step instead of the last one; lower is better

    steps        T; the paper has 3 and 5
    latent_dim   length of the noise of a step
    channels, normalization, spectral_norm   as in `dcgan`
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        steps: Annotated[int, Between(1, 5)] = 3,
        latent_dim: Width = 100,
        prior: Prior = "gaussian",
        channels: Channels = "auto",
        normalization: Normalization = "batch",
        spectral_norm: bool = False,
    ) -> None:
        widths = chosen(channels, spec)
        discriminator = conv_discriminator(spec, widths, normalization)
        super().__init__(
            spec,
            generator=RecurrentGenerator(spec, latent_dim, widths, steps),
            discriminator=with_spectral_norm(discriminator) if spectral_norm else discriminator,
        )
        self.steps, self.latent_dim, self.prior = steps, steps * latent_dim, prior

    def sample_steps(self, n: int, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """The canvases s(C_t), (n, *shape), of new samples, by the names `step_1` … `step_T`; by the averages."""
        canvases = self.averaged["generator"].canvases(self.noise(n, generator))
        return {f"step_{t}": canvas for t, canvas in enumerate(canvases, start=1)}

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """Samples as they are painted: a row for each, the canvas after each step, and between two what the step changed."""
        canvases = self.sample_steps(ROWS, generator)
        shown, names, before = [], [], None
        middle = (self.spec.low + self.spec.high) / 2
        for name, canvas in canvases.items():
            if before is not None:
                shown.append(to_pixels(middle + (canvas - before) / 2, self.spec))  # gray is no change
                names.append("+")
            shown.append(to_pixels(canvas, self.spec))
            names.append(name.replace("_", " "))
            before = canvas
        return {"canvas": sheet(np.stack(shown, 1), [f"sample {i + 1}" for i in range(ROWS)], names)}


class RecurrentGenerator(nn.Module):
    """f and g: noise of all steps (N, T · latent_dim) → images (N, *shape), the canvas after the last step."""

    def __init__(self, spec: DataSpec, latent_dim: int, channels: list[int], steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.start, *layers, self.squash = conv_generator(spec, latent_dim, channels)
        self.layers = nn.ModuleList(EachStep(layer, steps) if isinstance(layer, NORMALIZATIONS) else layer for layer in layers)
        if steps > 1:
            head = init_weights(nn.Linear(conv_features(spec, channels), latent_dim))
            self.look = nn.Sequential(*conv_body(spec, channels, "none"), nn.Flatten(), head, nn.Tanh())
            self.seen = init_weights(nn.Linear(latent_dim, self.start.out_features, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        """s(C_T)."""
        return self.canvases(z)[-1]

    def canvases(self, z: Tensor) -> list[Tensor]:
        """s(C_1), …, s(C_T), each (N, *shape): the sum is squashed, not its parts, which would fill the range at once."""
        total, found = None, []
        for step, noise in enumerate(z.chunk(self.steps, 1)):
            change = self.change(noise, found[-1] if found else None, step).float()  # a sum in bfloat16 would lose digits
            total = change if total is None else total + change
            found.append(self.squash(total))
        return found

    def change(self, noise: Tensor, canvas: Tensor | None, step: int) -> Tensor:
        """ΔC_t, (N, *shape), from the noise of a step (N, latent_dim) and the squashed canvas before it, None at the first."""
        x = self.start(noise)
        if canvas is not None:
            x = x + self.seen(self.look(canvas))
        for layer in self.layers:
            x = layer(x, step) if isinstance(layer, EachStep) else layer(x)
        return x


class EachStep(nn.Module):
    """A layer for each step, all alike at the start."""

    def __init__(self, layer: nn.Module, steps: int) -> None:
        super().__init__()
        self.of_step = nn.ModuleList([layer, *(deepcopy(layer) for _ in range(steps - 1))])

    def forward(self, x: Tensor, step: int) -> Tensor:
        """The layer of the step, of any input that it takes."""
        return self.of_step[step](x)
