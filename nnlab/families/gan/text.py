"""Texts as vectors, and the embedding of texts and images in one space from which they are learned."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.data.words import RESERVED
from nnlab.nn.products import exact_product
from nnlab.nn.transformer import TransformerBlock

BLOCKS, HEADS, WIDER = 2, 4, 2  # of the text encoder; its hidden layers against its width
GROUP = 64  # examples whose texts and images are matched, in an evaluation
SPREAD = 0.02  # of the vectors of words and places at the start
TINY = torch.finfo(torch.float32).tiny
SCALE, MOST_SCALE = 14.0, 100.0  # of the cosines at the start, and at most (Radford et al. 2021)


class TextEncoder(nn.Module):
    """φ: (N, L) numbers of words → (N, width): vectors of words and of their places, two blocks of attention, and their mean.

    Padding (0) is neither seen nor counted. The vectors of the padding and of an unknown word begin at zero: an unknown word
    that never occurs in training only takes its place.
    """

    def __init__(self, words: int, length: int, width: int) -> None:
        super().__init__()
        heads = next(heads for heads in (HEADS, 2, 1) if width % heads == 0)
        self.words, self.places = nn.Embedding(words, width), nn.Parameter(torch.randn(length, width) * SPREAD)
        nn.init.normal_(self.words.weight, 0.0, SPREAD)
        self.words.weight.data[: len(RESERVED)] = 0
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, WIDER) for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(width)

    def forward(self, caption: Tensor) -> Tensor:
        """(N, width) float32 of texts (N, L) int64; a text without a word is taken for one unknown word."""
        seen = caption != 0
        seen = seen | ((torch.arange(caption.shape[1], device=caption.device) == 0) & ~seen.any(1, keepdim=True))
        x = self.words(caption) + self.places
        for block in self.blocks:
            x = block(x, seen)
        counts = seen[..., None].float()
        return self.norm((x.float() * counts).sum(1) / counts.sum(1)).float()


class JointEmbedding(nn.Module):
    """Texts and images in one space, where those that belong together are near (Reed et al. 2016; Radford et al. 2021).

    s_ij = e^τ cos(ψ(x_i), φ(t_j)),   p_ij = [t_i = t_j] / Σ_k [t_i = t_k]
    loss = ½ Σ_i (−Σ_j p_ij log softmax_j s_ij  −  Σ_j p_ij log softmax_j s_ji) / N

    Several images of a batch may have the same text: each of them is right for each of these texts, in equal shares.

    text   φ: (N, L) → (N, d)
    image  ψ: (N, *shape) → (N, d)
    """

    def __init__(self, text: nn.Module, image: nn.Module) -> None:
        super().__init__()
        self.text, self.image, self.scale = text, image, nn.Parameter(torch.tensor(log(SCALE)))

    def embedded(self, x: Tensor, caption: Tensor) -> tuple[Tensor, Tensor]:
        """(N, d) each, float32, of length 1: images (N, *shape) and texts (N, L)."""
        return tuple(functional.normalize(part.float(), dim=1) for part in (self.image(x), self.text(caption)))

    @torch.no_grad()
    def likeness(self, phi: Tensor) -> Tensor:
        """e^τ cos(φ_i, φ_j), (N, N) float32, of texts by φ (N, d): the scale on which texts of images are told apart."""
        unit = functional.normalize(phi.float(), dim=1)
        return self.scale.exp().clamp(max=MOST_SCALE) * exact_product(unit, unit)

    def losses(self, image: Tensor, text: Tensor, caption: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, nats, and the share of images to which one of their own texts is nearest; scalars.

        image, text  (N, d) each, of length 1; caption  (N, L) the texts
        """
        same = same_texts(caption)
        scores = self.scale.exp().clamp(max=MOST_SCALE) * image @ text.mT
        right = same / same.sum(1, keepdim=True)
        loss = -0.5 * (right * (scores.log_softmax(1) + scores.mT.log_softmax(1))).sum(1).mean()
        nearest = same.gather(1, scores.argmax(1, keepdim=True))
        return loss, nearest.float().mean()

    def mean_losses(self, image: Tensor, text: Tensor, caption: Tensor) -> Tensor:
        """The same of a whole split in groups of 64 random examples: the means over the examples, (2,)."""
        total = torch.zeros(2, device=image.device)
        # a folder may be sorted, with texts that are alike side by side
        order = torch.randperm(len(image), generator=torch.Generator().manual_seed(0)).to(image.device)
        for parts in zip(*(part[order].split(GROUP) for part in (image, text, caption)), strict=True):
            total += len(parts[0]) * torch.stack(self.losses(*parts))
        return total / len(image)


def same_texts(caption: Tensor) -> Tensor:
    """(N, N) bool: whether two of the texts (N, L) are equal."""
    return (caption[:, None] == caption).all(2)


def another_text(caption: Tensor, generator: torch.Generator | None, scores: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """For each of texts (N, L) the place of another one, drawn of those that differ, (N,); and whether there is one, (N,).

    scores  (N, N): text j is drawn for text i with a probability proportional to exp(scores_ij); None: all are as probable
    """
    other = ~same_texts(caption)
    u = torch.rand(other.shape, device=caption.device, generator=generator)
    gumbel = -(-u.clamp(min=TINY).log()).log()  # the largest of scores + Gumbel noise is such a draw
    keys = u if scores is None else scores + gumbel
    return torch.where(other, keys, -torch.inf).argmax(1), other.any(1)
