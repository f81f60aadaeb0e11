"""The networks of gawwn: words as a vector, and a generator and a discriminator that see an image and a place in it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nnlab.data.spec import DataSpec
from nnlab.data.words import RESERVED
from nnlab.families.gan.networks import Normalization, ScaledSigmoid, conv_body, conv_features, init_weights
from nnlab.nn import boxes
from nnlab.nn.conv import KERNEL, PADDING, STRIDE, spatial_sizes

JOINT = 3  # sides of the convolution that joins the pathways
BUMP = 0.04  # standard deviation of a keypoint's bump, as a share of the image's sides: 2 pixels of 48


class WordMean(nn.Module):
    """t = Σ_l e^{s(w_l)} v(w_l) / Σ_l e^{s(w_l)}: the mean of the vectors of a text's words.

    v and s, a vector and a number for each word, are learned; at first s is 0. A word that says nothing loses its weight, so
    that "a three" and "a picture of a three" become nearly the same. Unknown words do not count: training has few of them, or
    none, from which a vector could be learned.

    words  size of the vocabulary, which begins with the padding and the unknown word
    """

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.vectors, self.scores = nn.Embedding(words, width), nn.Embedding(words, 1)
        nn.init.zeros_(self.scores.weight)

    def forward(self, caption: Tensor) -> Tensor:
        """(N, width) of texts (N, L) int64; zeros of a text without a known word."""
        word = (caption >= len(RESERVED))[..., None]
        weights = (self.scores(caption) * word).exp() * word
        return (weights * self.vectors(caption)).sum(1) / weights.sum(1).clamp(min=1e-6)


class Place(NamedTuple):
    """Which places a model is given.

    kind    box or points
    planes  how many planes show it beside an image: 1, or one per point
    shape   (C, H, W) of the images whose pixels it is in
    """

    kind: str
    planes: int
    shape: tuple[int, ...]

    def relative(self, place: Tensor) -> Tensor:
        """Boxes (N, 4) or points (N, P, 2) in pixels → as shares of the sides; a missing point stays negative."""
        return boxes.relative(place, self.shape)

    def drawn(self, place: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, planes, *size): the share of each cell that the box covers, or a bump for each point."""
        return boxes.covered(place, size) if self.kind == "box" else boxes.bumps(place, size, BUMP)

    def spread(self, vectors: Tensor, place: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, T) → (N, T, *size): vectors replicated at the place, zeros elsewhere; of several planes the largest value."""
        return self.drawn(place, size).amax(1, keepdim=True) * vectors[:, :, None, None]


def upwards(widths: list[int], size: list[tuple[int, int]]) -> list[nn.Module]:
    """From each of the widths to the next a doubling of the sides, as in dcgan; `size` from the smallest on."""
    layers: list[nn.Module] = []
    for (before, width), larger in zip(pairwise(widths), size[1:], strict=True):
        odd = tuple(side % STRIDE for side in larger)
        layers += [nn.ConvTranspose2d(before, width, KERNEL, STRIDE, PADDING, output_padding=odd, bias=False)]
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
    return layers


def first_map(inputs: int, width: int, size: tuple[int, int]) -> nn.Sequential:
    """(N, inputs) → (N, width, *size)."""
    return nn.Sequential(nn.Linear(inputs, width * prod(size), bias=False), nn.Unflatten(1, (width, *size)))


class Generator(nn.Module):
    """x = G(z, w, b) of noise z, words w and a place b (Reed et al. 2016, section 4).

    t = the mean of the words' vectors (`WordMean`)
    global pathway   the smallest map from (z, t) and t replicated at b, doubled until the sides are half of the image's
    local pathway    of a box: a map of the object alone from (z, t), as large as the last of the global pathway, pasted into b;
                     of points: a vector from (z, t) for each point, at its bump
    joined           the maps of both beside each other, a 3×3 convolution, and the last doubling

    channels  as the discriminator's; the global pathway has half of them
    """

    def __init__(self, spec: DataSpec, place: Place, words: int, latent_dim: int, text_dim: int, channels: list[int]) -> None:
        super().__init__()
        self.place, inputs = place, latent_dim + text_dim
        size = spatial_sizes(spec.shape, len(channels))[::-1]  # of all maps, the smallest first
        local, half = channels[::-1], [max(1, width // 2) for width in channels[::-1]]
        self.sizes = size
        self.text = WordMean(words, text_dim)
        self.whole_start = first_map(inputs, half[0], size[0])
        self.whole = nn.Sequential(
            nn.Conv2d(half[0] + text_dim + place.planes, half[0], JOINT, padding=JOINT // 2, bias=False),
            nn.BatchNorm2d(half[0]),
            nn.ReLU(),
            *upwards(half, size[:-1]),
        )
        if place.kind == "box":
            start = [first_map(inputs, local[0], size[0]), nn.BatchNorm2d(local[0]), nn.ReLU()]
            self.part = nn.Sequential(*start, *upwards(local, size[:-1]))
        else:
            self.part = nn.Sequential(nn.Linear(inputs, place.planes * local[-1]), nn.Unflatten(1, (place.planes, local[-1])))
        self.joined = nn.Sequential(
            nn.Conv2d(half[-1] + local[-1] + place.planes, local[-1], JOINT, padding=JOINT // 2, bias=False),
            nn.BatchNorm2d(local[-1]),
            nn.ReLU(),
            nn.ConvTranspose2d(
                local[-1], spec.shape[0], KERNEL, STRIDE, PADDING, output_padding=tuple(s % STRIDE for s in size[-1])
            ),
            ScaledSigmoid(spec),
        )
        init_weights(self)

    def forward(self, z: Tensor, caption: Tensor, place: Tensor) -> Tensor:
        """(N, C, H, W) of noise (N, latent_dim), texts (N, L) and boxes (N, 4) or points (N, P, 2) in pixels."""
        place, text, (first, size) = self.place.relative(place), self.text(caption), (self.sizes[0], self.sizes[-2])
        given = torch.cat([z, text], 1)
        start = [self.whole_start(given), self.place.spread(text, place, first), self.place.drawn(place, first)]
        maps = [self.whole(torch.cat(start, 1)), self.local(given, place, size), self.place.drawn(place, size)]
        return self.joined(torch.cat(maps, 1))

    def local(self, given: Tensor, place: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, C, *size): the map of the local pathway at its place."""
        part = self.part(given)
        if self.place.kind == "box":
            return boxes.paste(part, place, size)
        return torch.einsum("npc,nphw->nchw", part, self.place.drawn(place, size))


class Discriminator(nn.Module):
    """D(x, w, b) = D_global + D_local, each (a + W t)′φ + c with its own features φ, t the mean of the words' vectors.

    global pathway   φ of the image, with the place drawn in planes beside it
    local pathway    of a box: φ of what the image shows in b, cut out; of points: φ of maps of the image at the points
    The form is that of the projection discriminator (`cgan`), since both features and texts are many.
    """

    def __init__(
        self, spec: DataSpec, place: Place, words: int, text_dim: int, channels: list[int], normalization: Normalization
    ) -> None:
        super().__init__()
        self.place = place
        sizes = spatial_sizes(spec.shape, len(channels))
        fewer, self.cut = (channels[:-1], sizes[1]) if len(channels) > 1 else (channels, sizes[0])
        beside = replace(spec, shape=(spec.shape[0] + place.planes, *spec.shape[1:]))
        self.text = WordMean(words, text_dim)
        self.whole = conv_body(beside, channels, normalization)
        cut = replace(spec, shape=(spec.shape[0], *self.cut))
        self.part = conv_body(cut, fewer, normalization)
        features = conv_features(cut, fewer) if place.kind == "box" else place.planes * fewer[-1]
        self.whole_score = init_weights(Match(conv_features(beside, channels), text_dim))
        self.part_score = init_weights(Match(features, text_dim))

    def forward(self, x: Tensor, caption: Tensor, place: Tensor) -> Tensor:
        """(N,) of images (N, C, H, W), texts (N, L) and boxes (N, 4) or points (N, P, 2) in pixels."""
        place, text = self.place.relative(place), self.text(caption)
        whole = self.whole(torch.cat([x, self.place.drawn(place, x.shape[2:])], 1))
        return self.whole_score(whole.flatten(1), text) + self.part_score(self.local(x, place).flatten(1), text)

    def local(self, x: Tensor, place: Tensor) -> Tensor:
        """(N, …): the features of what is at the place."""
        if self.place.kind == "box":
            return self.part(boxes.crop(x, place, self.cut))
        return boxes.at_points(self.part(x), place)


class Match(nn.Module):
    """(a + W t)′φ + c: a′φ + c says whether φ is of data at all, (W t)′φ whether it belongs to the text t."""

    def __init__(self, features: int, text_dim: int) -> None:
        super().__init__()
        self.data = nn.Linear(features, 1)
        self.of_text = nn.Linear(text_dim, features, bias=False)

    def forward(self, features: Tensor, text: Tensor) -> Tensor:
        """(N,) of features (N, F) and texts (N, T)."""
        return self.data(features).squeeze(1) + (self.of_text(text) * features).sum(1)
