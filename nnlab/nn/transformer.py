"""Blocks of attention, and images as sequences of patches."""

from __future__ import annotations

from math import sqrt
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.errors import ArgumentError
from nnlab.nn.mlp import Shape

SPREAD = 0.02  # standard deviation of learned positions and of the class token at the start
Pool = Literal["token", "mean"]
Positions = Literal["learned", "none"]


class OldNames(nn.Module):
    """Base of a module that also loads weights from before 2026-11-30, when some had other names.

    old  today's name of a weight or a part, by its old name
    """

    old: ClassVar[dict[str, str]] = {}

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest: object) -> None:
        for key in [key for key in state_dict if key.startswith(prefix)]:
            part, dot, inside = key.removeprefix(prefix).partition(".")
            if part in self.old:
                state_dict[f"{prefix}{self.old[part]}{dot}{inside}"] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class TransformerBlock(OldNames):
    """x ← x + W_o Attention(LN x), x ← x + MLP(LN x) (Vaswani et al. 2017; normalised before each part, Xiong et al. 2020).

    Attention of a head = softmax(q k′ / √d) v, with d the width over the number of heads; the heads stand side by side.

    mlp_ratio  hidden units of the MLP, as a multiple of the width
    dropout    share of the outputs of both parts that are set to 0 in a step
    """

    old: ClassVar[dict[str, str]] = {"before": "norm_1", "between": "norm_2", "look": "qkv", "out": "projection"}

    def __init__(self, width: int, heads: int, mlp_ratio: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_ratio * width), nn.GELU(), nn.Linear(mlp_ratio * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """(N, T, width) of (N, T, width).

        seen  (N, T) bool: which of the T are attended to; None: all
        """
        mask = None if seen is None else seen[:, None, None]
        looked = attend(*self.parts(x), mask)
        x = x + self.dropout(self.projection(looked.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.mlp(self.norm_2(x)))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k and v, (N, heads, T, d) each, of x (N, T, width)."""
        q, k, v = self.qkv(self.norm_1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v

    def attention(self, x: Tensor) -> Tensor:
        """softmax(q k′ / √d), (N, heads, T, T) float32, of x (N, T, width): how much each looks at each; rows sum to 1.

        For pictures: torch's attention in `forward` computes the same, but does not return it.
        """
        q, k, _ = self.parts(x)
        return (q.float() @ k.float().mT / sqrt(q.shape[-1])).softmax(-1)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(q k′ / √d) v, (N, heads, T, d), by torch's own kernel.

    mask  (N, 1, 1 or T, T) bool: who is looked at
    """
    if not (q.is_cpu and q.dtype == torch.bfloat16):
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    with torch.autocast("cpu", enabled=False):  # in bfloat16 torch's kernel takes four times as long on a CPU
        return functional.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask)


class PatchTransformer(OldNames):
    """Images as sequences of patches (Dosovitskiy et al. 2021, "An image is worth 16x16 words").

    A patch of p×p pixels becomes a vector by one linear layer, plus a learned vector for its position. Blocks of attention over
    all patches follow, and a layer normalisation. The output is that of a class token, which is added to the patches at the
    start, or the mean over the patches.

    shape      (C, H, W) of the images; p divides H and W
    patch      p
    width      length of a patch's vector
    depth      number of blocks
    heads      of each block; they divide the width
    pool       token: the class token; mean: the mean over the patches
    positions  none: the output does not depend on the order of the patches
    dropout    share of the values that are set to 0 in a step: of the patches' vectors, of the class token, and in each block

    Raises ArgumentError for patches that do not divide the image, and for heads that do not divide the width.
    """

    old: ClassVar[dict[str, str]] = {"places": "positions"}

    def __init__(
        self,
        shape: Shape,
        *,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        mlp_ratio: int = 2,
        dropout: float = 0.0,
        pool: Pool = "token",
        positions: Positions = "learned",
    ) -> None:
        super().__init__()
        check_patches(shape, patch)
        if width % heads:
            fitting = ", ".join(str(n) for n in range(1, width + 1) if width % n == 0 and n <= 64)
            raise ArgumentError("heads", f"{heads} heads do not divide a width of {width}; these do: {fitting}")
        self.patch, self.size = patch, (shape[1] // patch, shape[2] // patch)
        count = self.size[0] * self.size[1]
        self.embed = nn.Linear(shape[0] * patch**2, width)
        self.positions = nn.Parameter(torch.randn(count, width) * SPREAD) if positions == "learned" else None
        self.token = nn.Parameter(torch.randn(width) * SPREAD) if pool == "token" else None
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, mlp_ratio, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) of images (N, C, H, W)."""
        return self.pooled(self.encode_tokens(self.tokens(x)))

    def tokens(self, x: Tensor) -> Tensor:
        """(N, T, width): the vectors of the patches of images (N, C, H, W), with their positions."""
        patches = self.embed(patches_of(x, self.patch))
        return patches if self.positions is None else patches + self.positions

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """(N, T, width) of patches (N, T, width), any of an image; with a class token, which comes first, (N, 1 + T, width)."""
        x = self.dropout(self.with_token(tokens))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def with_token(self, tokens: Tensor) -> Tensor:
        """The patches, and before them the class token if there is one."""
        if self.token is None:
            return tokens
        return torch.cat([self.token.to(tokens.dtype).expand(tokens.shape[0], 1, -1), tokens], 1)

    def pooled(self, x: Tensor) -> Tensor:
        """(N, width) of what `encode_tokens` returned."""
        return x.mean(1) if self.token is None else x[:, 0]

    def attention(self, x: Tensor) -> Tensor:
        """How much each looks at each, (N, depth, heads, T, T), of images (N, C, H, W); a class token is the first of the T."""
        x, found = self.with_token(self.tokens(x)), []
        for block in self.blocks:
            found.append(block.attention(x))
            x = block(x)
        return torch.stack(found, 1)

    def maps(self, attention: Tensor) -> Tensor:
        """Maps (…, h, w) over the patches of attention (…, T, T): from the class token, or the mean over all that look.

        A map's sum is 1.
        """
        looks = attention.mean(-2) if self.token is None else attention[..., 0, 1:]
        return (looks / looks.sum(-1, keepdim=True)).unflatten(-1, self.size)

    def undecayed(self) -> list[nn.Parameter]:
        """What weight decay leaves as it is: positions, the class token, biases and what scales a normalisation."""
        return [p for name, p in self.named_parameters() if p.ndim < 2 or name == "positions"]


def rollout(attention: Tensor) -> Tensor:
    """Attention through all blocks, (N, T, T), of attention (N, depth, heads, T, T) (Abnar & Zuidema 2020).

    R = A_L … A_1 with A_l = ½ (mean over the heads of block l + I): the identity stands for x + …; rows sum to 1.
    """
    mean = attention.mean(2)
    through = 0.5 * (mean + torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device))
    found = through[:, 0]
    for block in through.unbind(1)[1:]:
        found = block @ found
    return found


def patches_of(x: Tensor, patch: int) -> Tensor:
    """(N, C, H, W) → (N, T, C·p²): the patches of p×p pixels, row by row."""
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // patch, patch, w // patch, patch)
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, c * patch**2)


def images_of(patches: Tensor, shape: Shape, patch: int) -> Tensor:
    """(N, T, C·p²) → (N, C, H, W), the inverse of `patches_of`."""
    c, h, w = shape
    parts = patches.reshape(len(patches), h // patch, w // patch, c, patch, patch)
    return parts.permute(0, 3, 1, 4, 2, 5).reshape(len(patches), c, h, w)


def check_patches(shape: Shape, patch: int) -> None:
    """Raise ArgumentError unless the shape is an image's and patches of p×p pixels divide it."""
    if len(shape) != 3:
        raise ArgumentError("", "patches are of images, but the data are a table; use a fully connected model")
    h, w = shape[1:]
    if h % patch or w % patch:
        fitting = ", ".join(str(p) for p in range(1, min(h, w) + 1) if h % p == 0 and w % p == 0)
        raise ArgumentError("patch", f"patches of {patch}×{patch} do not divide an image of {h}×{w}; these sides do: {fitting}")
