"""The masked autoencoder: an encoder that sees a quarter of an image, and a small decoder that paints the rest."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast, Between
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import ArgumentError
from nnlab.families.contrastive.losses import Distance
from nnlab.model import Model
from nnlab.nn.bodies import undecayed
from nnlab.nn.mlp import Width
from nnlab.nn.transformer import SPREAD, PatchTransformer, TransformerBlock, images_of, patches_of
from nnlab.plotting.images import sheet, to_pixels

SHOWN = 10  # images of a picture
LEAST = 1e-6  # is added to the variance of a patch, as a share of the squared range of the values: it may be 0


class MAE(Model):
    """The masked autoencoder (He et al. 2022, "Masked autoencoders are scalable vision learners").

    Of the T patches of an image a random share is hidden. The encoder, a transformer, sees the others alone. The decoder, a
    smaller transformer, sees their codes at their places and a learned vector at each hidden place, and paints all patches.

    loss = mean over the pixels of the hidden patches of (x̂ − x)²
           with normalize_patches of (x̂ − (x − m)/s)², m and s the mean and the standard deviation of the patch

    A code is the mean of the encoder's outputs over all patches, with none hidden. The decoder is not used after training.

    Picture: `masked`, images, what the encoder sees of them, and the painted patches beside the seen ones.

    Figures:
    loss  mean squared error of the pixels of the hidden patches; lower is better

    patch, width, depth, heads, mlp_ratio  of the encoder, as of `transformer`
    mask_ratio     share of the patches that are hidden
    decoder_width, decoder_depth  of the decoder, which has as many heads
    normalize_patches  predict each patch less its mean and over its standard deviation: fine structure counts as much as light
    """

    trainer = "nnlab.families.contrastive.trainer:EncoderTrainer"
    compares: ClassVar[bool] = False
    of_classes: ClassVar[bool] = False
    compared_by: ClassVar[Distance] = "cosine"

    def __init__(
        self,
        spec: DataSpec,
        *,
        patch: Width = 4,
        width: Width = 64,
        depth: Width = 4,
        heads: Width = 4,
        mlp_ratio: Width = 2,
        mask_ratio: Annotated[float, Between(0, 1)] = 0.75,
        decoder_width: Width = 32,
        decoder_depth: Annotated[int, AtLeast(1)] = 2,
        normalize_patches: bool = False,
    ) -> None:
        super().__init__(spec)
        shape = {"patch": patch, "width": width, "depth": depth, "heads": heads, "mlp_ratio": mlp_ratio}
        self.body = PatchTransformer(spec.shape, **shape, pool="mean")
        if decoder_width % heads:
            raise ArgumentError("decoder_width", f"{heads} heads do not divide a width of {decoder_width}; give a multiple")
        self.patch, self.count = patch, self.body.size[0] * self.body.size[1]
        if self.count == 1:
            raise ArgumentError("patch", f"{patch} makes one patch of the whole image; give a smaller one")
        self.kept = self.count - round(mask_ratio * self.count)
        if not 0 < self.kept < self.count:
            which = "all" if not self.kept else "none"
            raise ArgumentError("mask_ratio", f"{mask_ratio:g} hides {which} of the {self.count} patches; give another share")
        self.normalize_patches = normalize_patches
        self.decoder_embed = nn.Linear(width, decoder_width)
        self.mask_token = nn.Parameter(torch.randn(decoder_width) * SPREAD)
        self.decoder_positions = nn.Parameter(torch.randn(self.count, decoder_width) * SPREAD)
        self.blocks = nn.ModuleList(TransformerBlock(decoder_width, heads, mlp_ratio) for _ in range(decoder_depth))
        self.decoder_head = nn.Sequential(nn.LayerNorm(decoder_width), nn.Linear(decoder_width, spec.shape[0] * patch**2))

    def encode(self, x: Tensor) -> Tensor:
        """(N, width): the mean over all patches of images (N, *shape)."""
        return self.body(self.check(x)).float()

    def orders(self, n: int, generator: torch.Generator) -> Tensor:
        """(N, T) int64: the patches of n images in random orders; the first of each are seen, the others hidden."""
        return torch.rand((n, self.count), device=self.mask_token.device, generator=generator).argsort(1)

    def predict(self, x: Tensor, order: Tensor) -> Tensor:
        """(N, T, C·p²) float32: all patches of images (N, *shape), of which those are seen that come first in `order`."""
        tokens, seen = self.body.tokens(self.check(x)), order[:, : self.kept, None]
        codes = self.decoder_embed(self.body.encode_tokens(tokens.gather(1, seen.expand(-1, -1, tokens.shape[2]))))
        y = self.mask_token.to(codes.dtype).expand(len(x), self.count, -1)
        y = y.scatter(1, seen.expand(-1, -1, codes.shape[2]), codes) + self.decoder_positions
        for block in self.blocks:
            y = block(y)
        return self.decoder_head(y).float()

    def targets(self, x: Tensor) -> Tensor:
        """(N, T, C·p²) what is to be painted."""
        patches = patches_of(x, self.patch)
        if not self.normalize_patches:
            return patches
        mean, std = self.moments(patches)
        return (patches - mean) / std

    def moments(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each patch, (N, T, 1)."""
        variance = patches.var(2, correction=0, keepdim=True)
        return patches.mean(2, keepdim=True), (variance + LEAST * self.spec.value_range**2).sqrt()

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        x = batch.target
        order = self.orders(len(x), generator)
        error = (self.predict(x, order) - self.targets(x)).square().mean(2)  # (N, T)
        return {"loss": error.gather(1, order[:, self.kept :]).mean(1)}

    def collapse(self, means: dict[str, float], batch_size: int) -> str:
        """Nothing: a code that is one point would leave nothing to paint from."""
        return ""

    def undecayed(self) -> list[nn.Parameter]:
        biases = [p for part in (self.decoder_embed, self.blocks, self.decoder_head) for p in undecayed(part)]
        return [*self.body.undecayed(), self.mask_token, self.decoder_positions, *biases]

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """Images, what is seen of them, and the painted patches beside those that are seen."""
        x = few.target[:SHOWN]
        order, patches = self.orders(len(x), generator), patches_of(x, self.patch)
        made = self.predict(x, order)
        if self.normalize_patches:
            mean, std = self.moments(patches)
            made = made * std + mean
        seen = torch.zeros_like(order, dtype=torch.bool).scatter(1, order[:, : self.kept], True)[..., None]
        gray = self.spec.low + self.spec.value_range / 2
        shown = [patches, torch.where(seen, patches, gray), torch.where(seen, patches, made)]
        tiles = np.stack([to_pixels(images_of(part, self.spec.shape, self.patch), self.spec) for part in shown])
        return {"masked": sheet(tiles, ["image", "seen", "painted"])}
