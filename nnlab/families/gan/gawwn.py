"""The generative adversarial what-where network: it draws what a text says, where it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.data.words import decode
from nnlab.errors import ArgumentError
from nnlab.families.gan.base import Play
from nnlab.families.gan.gawwn_networks import Discriminator, Generator, Place
from nnlab.families.gan.given import GivenParts
from nnlab.families.gan.latent import Prior, sample_prior
from nnlab.families.gan.networks import Channels, Normalization, chosen, with_spectral_norm
from nnlab.families.gan.show import framed, moved
from nnlab.metrics.boxes import ink, painted, share_inside
from nnlab.metrics.boxes import intersection_over_union as iou
from nnlab.model import Joint, Metric
from nnlab.model.metric import Direction
from nnlab.nn.float64 import to_float64
from nnlab.nn.mlp import Width
from nnlab.plotting.images import sheet, to_pixels

ROWS = 6  # texts of a picture
BOX_FIGURES: dict[str, Direction] = {"box_iou": "higher", "real_box_iou": None, "ink_in_box": "higher", "real_ink_in_box": None}


class GAWWN(GivenParts):
    """The generative adversarial what-where network (Reed et al. 2016, "Learning what and where to draw").

    min_G max_D E log D(x, w, b) + E log(1 − D(G(z, w, b), w, b)),   z (latent_dim,) from the prior; words w, a place b of data

    The place is the box of the one object of an image, or its keypoints. Both networks have a global pathway, which sees the
    whole image, and a local one, which sees the place alone; `gawwn_networks.py` has their equations. The generator makes a map
    of the object and pastes it into the box, and the discriminator cuts the box out of the image. So neither can ignore the
    place, and the object stays nearly the same where only the place changes (`class_kept`, by a judge).

    A text is a weighted mean of its words' vectors. Each player learns vectors and weights of its own; in the paper an encoder
    of texts is trained before. The discriminator sees an image, of data or a sample, beside the text and the place that belong
    to it. In the paper data beside a wrong text are a third kind of example. Here the score is a product of the features of
    image and text, as in `cgan`, and needs none.

    Samples have texts and places of the training data; `sample_given` takes any.

    Figures:
    box_iou            intersection over union of the box that is asked for and of the tight bounds of the ink that is painted,
                       0 to 1, the mean over examples; higher is better. Ink are the pixels whose brightest channel is at least
                       32/255 of the range; without ink it is 0
    real_box_iou       the same of the data, the most to hope for
    ink_in_box         share of the ink that is inside the box that is asked for, the mean over examples; higher is better
    real_ink_in_box    the same of the data, the most to hope for
                       All of them only with model.place=box

    place          box: the part `box`, (4,) left, top, width, height. keypoints: the part `keypoints`, (P, 2), each a bump in
                   a plane of its own
    text_dim       length of a word's vector
    channels       of the discriminator's layers; each halves the image. The generator has them in reverse, its global pathway
                   has half of them
    normalization, spectral_norm   as in `dcgan`
    """

    needs: ClassVar[tuple[str, ...]] = ("caption",)
    places: ClassVar[tuple[str, ...]] = ("box", "keypoints")

    def __init__(
        self,
        spec: DataSpec,
        *,
        place: Literal["box", "keypoints"] = "box",
        latent_dim: Width = 64,
        prior: Prior = "gaussian",
        text_dim: Width = 32,
        channels: Channels = "auto",
        normalization: Normalization = "batch",
        spectral_norm: bool = False,
    ) -> None:
        self.conditions = ("caption", place)
        widths, where = chosen(channels, spec), place_of(spec, place)
        words = len(spec["caption"].names)
        discriminator = Discriminator(spec, where, words, text_dim, widths, normalization)
        super().__init__(
            spec,
            generator=Generator(spec, where, words, latent_dim, text_dim, widths),
            discriminator=with_spectral_norm(discriminator) if spectral_norm else discriminator,
        )
        self.latent_dim, self.prior, self.place = latent_dim, prior, place

    def noise(self, n: int, generator: torch.Generator | None) -> Tensor:
        """(n, latent_dim) from the prior."""
        return sample_prior(self.prior, n, self.latent_dim, self.averaged.updates.device, generator)

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        beside = batch["caption"], batch[self.place]
        return Play(real=(batch.target, *beside), fake=(self.generator(self.noise(len(batch), generator), *beside), *beside))

    def discriminate(self, x: Tensor, caption: Tensor, place: Tensor) -> Tensor:
        """D(x, w, b), (N,), of images (N, *shape), texts (N, L) and boxes (N, 4) or keypoints (N, P, 2)."""
        return self.discriminator(self.check(x), caption, place).float()

    def draw(self, z: Tensor, caption: Tensor, place: Tensor) -> Tensor:
        """G(z, w, b), (N, *shape), by the averaged generator."""
        return self.averaged["generator"](z, caption, place)

    def sample_given(self, parts: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """G(z, w, b), (n, *shape), of the texts and places (n, …) by name, by the averaged generator.

        Raises ValueError for a part of another shape than in the training data.
        """
        for name in self.conditions:
            shape = self.spec[name].shape
            if parts[name].shape[1:] != shape:
                expected = ", ".join(map(str, shape))
                raise ValueError(f"GAWWN: expected {name} (N, {expected}), got {tuple(parts[name].shape)}")
        caption, place = (parts[name] for name in self.conditions)
        return self.draw(self.noise(len(caption), generator), caption, place)

    def metrics(self) -> list[Metric]:
        """How well the box is kept to, by a sample for each example's text and box, and by the example itself."""
        if self.place != "box":
            return []

        def values(batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
            box, made = batch["box"], self.sample_given({name: batch[name] for name in self.conditions}, generator)
            levels = [ink(x, self.spec) for x in (made, batch.target)]
            return *(iou(painted(level), box) for level in levels), *(share_inside(level, box) for level in levels)

        def means(*values: Tensor) -> dict[str, float]:
            return {name: to_float64(part).mean().item() for name, part in zip(BOX_FIGURES, values, strict=True)}

        return [Joint(values, means, BOX_FIGURES)]

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """One row per text, with one noise: the example's own place and others, framed or marked."""
        n = min(ROWS, len(few))
        caption, places = few["caption"][:n], moved(few[self.place][:n], self.spec.shape)  # (n, K, …)
        columns = places.shape[1]
        z = self.noise(n, generator)
        images = self.draw(*(each.repeat_interleave(columns, 0) for each in (z, caption)), places.flatten(0, 1))
        tiles = framed(to_pixels(images.unflatten(0, (n, columns)), self.spec), places.cpu().numpy())
        titles = [decode(text, self.spec["caption"].names) for text in caption.tolist()]
        return {"places": sheet(tiles, titles, ["its own", *[""] * (columns - 1)])}


def place_of(spec: DataSpec, name: str) -> Place:
    """The places that the examples have. Raises ArgumentError for examples without them, and for boxes of several objects."""
    if name not in spec:
        other = next((each for each in GAWWN.places if each in spec), None)
        hint = (
            f"give model.place={other}"
            if other
            else "data=scenes has them, and data=captions, if a file annotations.json gives them for each image"
        )
        raise ArgumentError("place", f"the examples of {spec.name} have no part '{name}'; {hint}")
    part = spec[name]
    if name == "box" and len(part.shape) > 1:
        more = f"{spec.name} has {part.shape[0]}"
        raise ArgumentError("place", f"expected one box in each image, but {more}; choose data of one object each")
    return Place("box", 1, spec.shape) if name == "box" else Place("points", part.shape[0], spec.shape)
