"""The vision transformer, for images."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.classifier.base import Classifier
from nnlab.nn.bodies import TransformerBody
from nnlab.nn.mlp import Dropout, Width
from nnlab.nn.transformer import Pool, Positions, rollout
from nnlab.plotting.attention import attention_columns, looked_at
from nnlab.plotting.images import sheet, to_pixels

ROWS = 8  # images of a picture
SCALES = "orange: attention, each map on its own scale"


class Transformer(Classifier):
    """The vision transformer (Dosovitskiy et al. 2021, "An image is worth 16x16 words").

    x_i = W p_i + b + e_i for each patch p_i of the image, e_i a learned vector for its position; before them a class token
    L blocks: x ← x + W_o Attention(LN x), x ← x + MLP(LN x); the features are LN x of the class token

    Without e (model.positions=none) the output does not depend on the order of the patches.

    Pictures: `attention` shows where each block looks, the mean over its heads, and `rollout`, the attention through all
    blocks (Abnar & Zuidema 2020); `attention_heads` shows each head of each block for one image. It is the attention of the
    class token, or the mean over all patches.

    patch      height and width of a patch in pixels; it divides the image
    width      length of a patch's vector, the number of features
    depth      L
    heads      of each block, side by side; they divide the width
    mlp_ratio  hidden units of the MLPs, as a multiple of the width
    dropout    share of the values that are set to 0 in a step: of x_i, of the class token, and of each block's parts
    pool       token: the features are those of the class token; mean: their mean over the patches, without a class token
    positions  learned or none
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        patch: Width = 4,
        width: Width = 64,
        depth: Width = 6,
        heads: Width = 4,
        mlp_ratio: Width = 2,
        dropout: Dropout = 0.1,
        pool: Pool = "token",
        positions: Positions = "learned",
    ) -> None:
        shape = {"patch": patch, "width": width, "depth": depth, "heads": heads, "mlp_ratio": mlp_ratio}
        settings = TransformerBody(**shape, dropout=dropout, pool=pool, positions=positions)
        super().__init__(spec, *settings.build(spec.shape))

    def undecayed(self) -> list[nn.Parameter]:
        return [*self.body.undecayed(), self.head.bias]

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """Where each block looks, and through all of them; and for one image where each head does."""
        x, label = few.input[:ROWS], few.label[:ROWS]
        attention = self.body.attention(x).float()  # (N, L, heads, T, T)
        maps = torch.cat([self.body.maps(attention.mean(2)), self.body.maps(rollout(attention))[:, None]], 1)
        titles = [self.spec.classes[c] for c in label.tolist()]
        blocks = [f"block {i + 1}" for i in range(attention.shape[1])]
        pixels = to_pixels(x, self.spec)
        each = self.body.maps(attention[0])  # (L, heads, h, w)
        same = np.broadcast_to(pixels[0], (*each.shape[:2], *pixels.shape[1:]))
        heads = looked_at(same.reshape(-1, *pixels.shape[1:]), each.flatten(0, 1), "nearest").reshape(same.shape)
        return {
            "attention": sheet(attention_columns(pixels, maps), titles, ["image", *blocks, "rollout"], SCALES),
            "attention_heads": sheet(heads, blocks, [f"head {i + 1}" for i in range(each.shape[1])], SCALES),
        }
