"""The generative adversarial what-where network: it draws what a text says, where it is told."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from nnlab.data.feed import drawn
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.data.words import decode
from nnlab.errors import ArgumentError
from nnlab.families.gan.base import Adversarial, Play
from nnlab.families.gan.gawwn_networks import Discriminator, Generator, Place
from nnlab.families.gan.latent import Prior, sample_prior
from nnlab.families.gan.networks import Channels, Normalization, chosen, with_spectral_norm
from nnlab.families.gan.show import framed, moved
from nnlab.metrics.boxes import ink, intersection_over_union, painted, share_inside
from nnlab.model import Mean, Metric
from nnlab.nn.mlp import Width
from nnlab.plotting.images import sheet, to_pixels

KEPT = 512  # texts and places of training examples, which samples are drawn from
ROWS = 6  # texts of a picture


class GAWWN(Adversarial):
    """The generative adversarial what-where network (Reed et al. 2016, "Learning what and where to draw").

    min_G max_D E log D(x, w, b) + E log(1 − D(G(z, w, b), w, b)),   z (latent_dim,) from the prior, w a text and b a place of data

    The place is the box of the one object of an image, or its keypoints. Both networks have a global pathway, which sees the whole
    image, and a local one, which sees the place alone (`gawwn_networks.py` has their equations): the generator makes a map of the
    object and pastes it into the box, and the discriminator cuts the box out of the image. So neither can ignore the place, and the
    object does not depend on where it is.

    The text is the mean of its words' vectors. Each player learns vectors of its own; in the paper an encoder of texts is trained
    before. The discriminator learns from pairs of images with their own texts and places alone, of data and of samples: a wrong
    text or a wrong box beside a real image, as a third kind of example, is not needed, since the score is a product of the features
    of image and text (`Projection` in `cgan`).

    Samples have texts and places of the training data; `sample_given` takes others.

    Figures:
    box_iou            intersection over union of the box that is asked for and of the tight bounds of the ink that is painted, the
                       mean over examples, 0 to 1; higher is better. Ink are pixels whose brightest channel is at least 32/255 of
                       the range; without ink it is 0
    real_box_iou       the same of the data: what a perfect model has
    ink_in_box         share of the ink that is within the box that is asked for, the mean over examples; higher is better
    real_ink_in_box    the same of the data
    Only with model.place=box.

    place          box: the part `box`, (4,) left, top, width, height; keypoints: the part `keypoints`, (P, 2), as bumps in planes
    text_dim       length of a word's vector
    channels       of the discriminator's layers; each halves the image. The generator has them in reverse, its global pathway
                   half as many
    normalization, spectral_norm   as in `dcgan`
    """

    needs: ClassVar[tuple[str, ...]] = ("caption",)
    places: ClassVar[tuple[str, ...]] = ("box", "keypoints")
    captions_kept: Tensor
    places_kept: Tensor

    def __init__(
        self,
        spec: DataSpec,
        *,
        place: Literal["box", "keypoints"] = "box",
        latent_dim: Width = 64,
        prior: Prior = "gaussian",
        text_dim: Width = 32,
        channels: Channels = "auto",
        normalization: Normalization = "none",
        spectral_norm: bool = False,
    ) -> None:
        widths, where = chosen(channels, spec), place_of(spec, place)
        words, length = len(spec["caption"].names), spec["caption"].shape[0]
        discriminator = Discriminator(spec, where, words, text_dim, widths, normalization)
        super().__init__(
            spec,
            generator=Generator(spec, where, words, latent_dim, text_dim, widths),
            discriminator=with_spectral_norm(discriminator) if spectral_norm else discriminator,
        )
        self.latent_dim, self.prior, self.place, self.conditions = latent_dim, prior, place, ("caption", place)
        whole = torch.tensor([0.0, 0.0, spec.shape[2], spec.shape[1]])
        start = whole if place == "box" else whole[2:].expand(where.planes, 2) / 2
        self.register_buffer("captions_kept", torch.zeros(KEPT, length, dtype=torch.long))
        self.register_buffer("places_kept", start.repeat(KEPT, *[1] * start.ndim))

    def init_from_data(self, split: Split) -> None:
        """Keep texts and places of the training data."""
        rows = split.spread(KEPT)
        rows = rows[torch.arange(KEPT, device=rows.device) % len(rows)]
        texts = split.values(rows, "caption").to(self.captions_kept.device)
        if texts.ndim == 3:  # several of each example, of which one is drawn
            texts = drawn(texts, torch.Generator(texts.device).manual_seed(0))
        self.captions_kept.copy_(texts)
        self.places_kept.copy_(split.values(rows, self.place))

    def noise(self, n: int, generator: torch.Generator | None) -> Tensor:
        """(n, latent_dim) from the prior."""
        return sample_prior(self.prior, n, self.latent_dim, self.captions_kept.device, generator)

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        beside = batch["caption"], batch[self.place]
        return Play(real=(batch.target, *beside), fake=(self.generator(self.noise(len(batch), generator), *beside), *beside))

    def discriminate(self, x: Tensor, caption: Tensor, place: Tensor) -> Tensor:
        """D(x, w, b), (N,), of images (N, *shape), texts (N, L) and boxes (N, 4) or keypoints (N, P, 2)."""
        return self.discriminator(self.check(x), caption, place).float()

    def draw(self, z: Tensor, caption: Tensor, place: Tensor) -> Tensor:
        """G(z, w, b), (N, *shape), by the averaged generator."""
        return self.averaged["generator"](z, caption, place)

    def sample_given(self, parts: dict[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """G(z, w, b), (n, *shape), of the texts and places (n, …) by name, by the averaged generator."""
        caption, place = (parts[name] for name in self.conditions)
        return self.draw(self.noise(len(caption), generator), caption, place)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """G(z, w, b), (n, *shape), of texts and places of training examples."""
        kept = torch.randint(KEPT, (n,), device=self.captions_kept.device, generator=generator)
        return self.draw(self.noise(n, generator), self.captions_kept[kept], self.places_kept[kept])

    def metrics(self) -> list[Metric]:
        """How well the box is kept to, of a sample for each example's text and box, and of the example itself."""
        if self.place != "box":
            return []

        def kept_to(figure, real: bool):
            def values(batch: Batch, generator: torch.Generator) -> Tensor:
                return figure(ink(batch.target if real else self.sample_given(batch, generator), self.spec), batch["box"])

            return values

        figures = {"box_iou": lambda level, box: intersection_over_union(painted(level), box), "ink_in_box": share_inside}
        return [
            Mean(f"{'real_' * real}{name}", kept_to(figure, real), direction=None if real else "higher")
            for name, figure in figures.items()
            for real in (False, True)
        ]

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
        hint = f"give model.place={other}" if other else "data that have them: captions, scenes"
        raise ArgumentError("place", f"the examples of {spec.name} have no part '{name}'; {hint}")
    part = spec[name]
    if name == "box" and len(part.shape) > 1:
        raise ArgumentError(
            "place", f"expected one box for each image of {spec.name}, which has {part.shape[0]}; choose data of one object each"
        )
    return Place("box", 1, spec.shape) if name == "box" else Place("points", part.shape[0], spec.shape)
