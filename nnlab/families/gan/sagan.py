"""The GAN with self-attention: its layers see the whole image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.latent import ImageCritic, Prior
from nnlab.families.gan.networks import Channels, chosen, conv_discriminator, conv_generator, with_spectral_norm
from nnlab.families.gan.show import attention_picture
from nnlab.nn.attention import SelfAttention
from nnlab.nn.mlp import Width

SHOWN = 6  # samples whose attention is shown


class SAGAN(ImageCritic):
    """The GAN with self-attention (Zhang et al. 2019, "Self-attention generative adversarial networks"), without labels.

    Both networks have attention on their largest feature map (`nn/attention.py`), and in both each layer's weight is divided by
    its largest singular value (Miyato et al. 2018). The paper uses the hinge objective, and four times the generator's learning
    rate for the discriminator, as `trainer=ttur` does.

    channels  of the discriminator's layers; each halves the image; the generator has them in reverse
    """

    def __init__(
        self, spec: DataSpec, *, latent_dim: Width = 128, prior: Prior = "gaussian", channels: Channels = "auto"
    ) -> None:
        widths = chosen(channels, spec)
        super().__init__(
            spec,
            generator=with_spectral_norm(conv_generator(spec, latent_dim, widths, attends=True)),
            discriminator=with_spectral_norm(conv_discriminator(spec, widths, "none", attends=True)),
        )
        self.latent_dim, self.prior = latent_dim, prior

    def attention(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """G(z) (N, C, H, W), and where each place (h, w) of its largest map looks: β (N, h, w, h′, w′)."""
        maps, x = [], z
        for layer in self.averaged["generator"]:
            if isinstance(layer, SelfAttention):
                pooled = layer.pooled(x).shape[2:]
                maps.append(layer.attention(x).unflatten(2, pooled).unflatten(1, x.shape[2:]))
            x = layer(x)
        return x, maps[0]

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        images, maps = self.attention(self.noise(SHOWN, generator))
        return {"attention": attention_picture(images, maps, self.spec)}
