"""The stacked GAN: a small image of a text first, then a large one of the small image and the text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.words import decode
from nnlab.errors import ArgumentError
from nnlab.families.gan.base import Answer, Game, Play, Wrong
from nnlab.families.gan.given import GivenParts
from nnlab.families.gan.latent import Prior, sample_prior
from nnlab.families.gan.networks import (
    Channels,
    Normalization,
    chosen,
    conv_body,
    conv_features,
    conv_inverse,
    init_weights,
    with_spectral_norm,
)
from nnlab.families.gan.objectives import Objective
from nnlab.families.gan.stackgan_networks import FirstGenerator, SecondGenerator, TextProjection
from nnlab.families.gan.text import JointEmbedding, TextEncoder, another_text
from nnlab.model import Joint, Metric, Turn
from nnlab.nn import pyramid
from nnlab.nn.bodies import channels_last
from nnlab.nn.conv import spatial_sizes
from nnlab.nn.gaussian import gaussian_kl
from nnlab.nn.mlp import Width
from nnlab.nn.resize import enlarged
from nnlab.nn.whitening import Whitening
from nnlab.plotting.images import lines, sheet, to_pixels

TEXTS, STYLES, PAIRS = 10, 8, 4  # rows and columns of the picture of captions; pairs of a row in that of both stages
RIVAL_SEED = 0x57AC
BLOCKS = 2  # of G_2, unless the config says otherwise


class StackGAN(GivenParts):
    """Images from texts in two stages (Zhang et al. 2017, "StackGAN: text to photo-realistic image synthesis …").

    text      φ(t), learned first with an image encoder ψ, so that texts and images that belong together are near
              (`text.JointEmbedding`; Reed et al. 2016, "Generative adversarial text to image synthesis"); frozen afterwards,
              and whitened over the training texts (`nn.whitening.Whitening`), so that all that it tells apart counts alike
    stage I   x̃_1 = G_1(z, c_1),   z (latent_dim,) from the prior, x̃_1 of half the height and width
    stage II  x̃_2 = G_2(x̃_1, c_2), with G_1 as it is after its own stage
    of each   c = μ(φ(t)) + σ(φ(t)) ε,  ε from N(0, I); μ and log σ² are linear, of each stage its own

    max_D  E log D(x, t) + ½ E log(1 − D(x̃, t)) + ½ E log(1 − D(x, t′))
    min_G  −E log D(x̃, t) + kl · E KL(N(μ, diag σ²) ‖ N(0, I)) + consistency · E mean (d(x̃_2) − x̃_1)²,   the last in stage II

    with another objective if trainer.objective says so. t′ is the text of another image of the batch that differs from t, drawn
    with a probability proportional to e^{s cos(φ(t), φ(t′))}, s the scale of the embedding and φ not whitened; in the paper it
    is any other. An image without such a partner does not count there. Texts of other words count as different, also if they
    mean the same: of 64 scenes of one digit 3.6 % have such a partner, of two digits hardly any. So D learns whether image and
    text belong together. It is the projection D(x, t) = a′h(x) + b + h(x)′Wφ(t) (Miyato & Koyama 2018); in the paper it sees
    φ(t) beside each place of a map.

    The KL divergence is a sum over the coordinates of c, nats per image. The authors' code has the mean over coordinates:
    its weight of 2 for 128 coordinates is a weight of 2/128 of the sum. Stage I in stage II is the average of its weights that
    also makes the samples, in evaluation mode; the paper's ReLU before μ and log σ² is left out, so that σ may be small.

    The last term is not in the paper (consistency 0). d halves an image, and values are shares of the data's range. It keeps
    what stage I has drawn: without it, of two digits, stage II made other digits even from small images of data.

    Figures:
    text_loss        mean of the cross-entropies of finding the text of an image and the image of a text among those of a batch,
                     or of 64 random examples of a split, nats; lower is better
    text_accuracy    share of the images to which their own text is nearest of these; higher is better
    condition_kl     KL(N(μ, diag σ²) ‖ N(0, I)), nats per image, the sum over the coordinates of c
    inconsistency    mean (d(x̃_2) − x̃_1)² over pixels, of values as shares of the data's range; lower is better
    stage_1_frechet  by the judges, as frechet_distance, of the images of stage I, enlarged (bicubic); lower is better
    stage_1_all_as_asked  by the judges, as all_as_asked, of the same; higher is better

    levels      2; 1: a single stage makes the whole image, which suits small ones
    latent_dim, prior  of z
    text_dim    length of φ(t), and the width of the text encoder
    whiten      False, as in the paper: stages I and II get φ as it is learned
    condition_dim      length of c
    augment_condition  False: c = μ(φ(t)), and there is no KL divergence
    kl          its weight, per nat; without augment_condition it does nothing
    consistency  weight of the difference between stage II's image, reduced, and stage I's
    hidden      units of G_1 before its smallest map, which bring together what and where; 0, as in the paper: none
    channels    of the layers of ψ and of the last stage's D; each halves the image. Stage I has one less, G_1 in reverse
    blocks      residual blocks of G_2
    normalization, spectral_norm   of D, as in `dcgan`
    near_texts  True: from its second epoch on, the text encoder learns from batches of texts that it finds near. In a batch of
                any texts the colours alone may tell whose image it is, and nothing is learned from the rest of a text. It is
                for data in which few images have the same content: two sentences of one meaning count as different

    stage       number of the stage that learns: 0 the text encoder; in it samples are of networks that have not learned
    """

    trainer = "nnlab.families.gan.trainer:StagedGameTrainer"
    parts: ClassVar[tuple[str, ...]] = ("generators",)
    needs = ("caption",)

    def __init__(
        self,
        spec: DataSpec,
        *,
        levels: Literal[1, 2] = 2,
        latent_dim: Width = 64,
        prior: Prior = "gaussian",
        text_dim: Width = 128,
        whiten: bool = False,  # the YAML says true; a run from before it has no such key
        condition_dim: Width = 64,
        augment_condition: bool = True,
        kl: Annotated[float, AtLeast(0)] = 0.02,
        consistency: Annotated[float, AtLeast(0)] = 0.0,
        hidden: Annotated[int, AtLeast(0)] = 512,
        channels: Channels = "auto",
        blocks: Annotated[int, AtLeast(0)] = BLOCKS,
        normalization: Normalization = "none",
        spectral_norm: bool = False,
        near_texts: bool = False,
    ) -> None:
        if consistency and levels == 1:
            raise ArgumentError("consistency", "has no effect with one stage; give 0")
        if blocks != BLOCKS and levels == 1:
            raise ArgumentError("blocks", "has no effect with one stage, which is without stage II; leave it out")
        widths = chosen(channels, spec)
        sizes = pyramid.level_sizes(spec.shape, levels) if levels > 1 else spatial_sizes(spec.shape, 0)
        self.specs = [replace(spec, shape=(spec.shape[0], *size)) for size in sizes]
        of_level = [widths[: len(widths) - 1] or widths, widths][-levels:]
        generators: list[nn.Module] = [
            FirstGenerator(self.specs[0], latent_dim, text_dim, condition_dim, hidden, of_level[0], augment_condition)
        ]
        if levels > 1:
            generators.append(SecondGenerator(self.specs, text_dim, condition_dim, widths[0], blocks, augment_condition))
        discriminators: list[nn.Module] = [
            init_weights(TextProjection(conv_body(level, own, normalization), conv_features(level, own), text_dim))
            for level, own in zip(self.specs, of_level, strict=True)
        ]
        for network in (*generators, *discriminators):
            channels_last(network)
        caption = spec["caption"]
        text = TextEncoder(len(caption.names), caption.shape[0], text_dim)
        super().__init__(
            spec,
            embedding=JointEmbedding(text, conv_inverse(spec, text_dim, widths)),
            generators=nn.ModuleList(generators),
            discriminators=nn.ModuleList(map(with_spectral_norm, discriminators) if spectral_norm else discriminators),
        )
        self.whitening = Whitening(text_dim) if whiten else None
        self.latent_dim, self.prior, self.augments = latent_dim, prior, augment_condition
        self.kl, self.consistency = kl, consistency
        self.normalization, self.near_texts = normalization, near_texts
        if consistency:
            for name, matrix in zip(("down_rows", "down_columns"), pyramid.down_matrices(sizes[-1], sizes[0]), strict=True):
                self.register_buffer(name, matrix, persistent=False)
        self.start_stage(levels)

    # -- stages ---------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[str, ...]:
        """The text encoder's, stage I if there are two, and the last."""
        return ("text", *(["stage_1"] if len(self.specs) > 1 else []), "")

    def start_stage(self, stage: int) -> None:
        """In the first stage nobody plays."""
        self.stage = stage
        self.critics = ("discriminator",) if stage else ()

    def init_stage(self, batches: Iterable[Batch]) -> None:
        """Measure the texts as they are now learned."""
        if self.stage == 1 and self.whitening is not None:
            self.whitening.fit(torch.cat([self.text(batch["caption"]) for batch in batches]))

    def get_extra_state(self) -> Tensor:
        """The stage, a scalar int64; it is in `state_dict`, so that a checkpoint has it."""
        return torch.tensor(self.stage)

    def set_extra_state(self, state: Tensor) -> None:
        """Sample and learn as in the stage that `get_extra_state` returned."""
        self.start_stage(int(state))

    @property
    def level(self) -> int:
        """Number of the image that is made: 0 of stage I, 1 of stage II. While the text encoder learns, the last."""
        return (self.stage or len(self.specs)) - 1

    @property
    def generator(self) -> nn.Module:
        """The generator of the stage."""
        return self.generators[self.level]

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator of the stage."""
        return self.discriminators[self.level]

    @property
    def makes_examples(self) -> bool:
        return self.stage > 0

    @property
    def plays_by_turns(self) -> bool:
        """Whether there is no discriminator to measure: while the text encoder learns."""
        return not self.makes_examples

    @property
    def uses_batch_norm(self) -> bool:
        return self.normalization == "batch"

    @property
    def near_batches(self) -> bool:
        return self.near_texts and not self.makes_examples

    def nearness(self, batch: Batch) -> Tensor:
        """The texts in the space of the joint embedding, (N, text_dim) of length 1."""
        return functional.normalize(self.text(batch["caption"]), dim=1)

    def players(self) -> dict[str, list[nn.Module]]:
        return super().players() if self.makes_examples else {"": [self.embedding]}

    # -- the game -------------------------------------------------------------------------------------------------

    def turns(self, batch: Batch, game: Game) -> Iterator[Turn]:
        """The joint embedding's alone, then the turns of a game."""
        if self.makes_examples:
            yield from super().turns(batch, game)
            return
        caption = batch["caption"]
        with game.forward():
            embedded = self.embedding.embedded(self.check(batch.target), caption)
        loss, accuracy = self.embedding.losses(*embedded, caption)
        yield Turn({"": loss}, {"text_loss": loss, "text_accuracy": accuracy})

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        """Of the stage: images of data and of G beside φ of their texts, and images of data beside φ of others."""
        caption = batch["caption"]
        x, text = self.of_level(batch.target), self.text(caption)
        phi = self.whitened(text)
        own = self.generator
        below = () if self.level == 0 else (self.first(phi, generator),)
        fake, mean, log_variance = own(phi, self.own_noise(len(x), generator), *below)
        other, counts = another_text(caption, generator, self.embedding.likeness(text))
        kept = {"mean": mean, "log_variance": log_variance} if self.augments else {}
        kept |= {"small": below[0]} if below and self.consistency else {}
        return Play((x, phi), (fake, phi), kept, Wrong((phi[other],), counts))

    @torch.no_grad()
    def text(self, caption: Tensor) -> Tensor:
        """φ as it is learned, (N, text_dim) float32, of texts (N, L), without gradients."""
        return self.embedding.text(caption)

    def whitened(self, text: Tensor) -> Tensor:
        """φ (N, text_dim) as the games get it."""
        return text if self.whitening is None else self.whitening(text)

    def encoded(self, caption: Tensor) -> Tensor:
        """φ, (N, text_dim) float32, of texts (N, L), as the games get it."""
        return self.whitened(self.text(caption))

    def of_level(self, x: Tensor) -> Tensor:
        """Images (N, *shape) of data, of the size that the stage makes."""
        return pyramid.down(x, self.specs[0].shape[1:]) if self.level < len(self.specs) - 1 else x

    def own_noise(self, n: int, generator: torch.Generator | None) -> Tensor:
        """The noise of the stage's generator for n images, (n, …): z and ε of the first, ε of the second."""
        return self.noise_of(self.level, n, generator)

    def noise_of(self, level: int, n: int, generator: torch.Generator | None) -> Tensor:
        """The noise of a generator for n images: z and ε side by side, (n, latent_dim + condition_dim); of stage II only ε."""
        device, own = self.averaged.updates.device, self.generators[level]
        z = [sample_prior(self.prior, n, self.latent_dim, device, generator)] if level == 0 else []
        epsilon = torch.randn((n, own.condition.length if self.augments else 0), device=device, generator=generator)
        return torch.cat([*z, epsilon], 1)

    @torch.no_grad()
    def first(self, phi: Tensor, generator: torch.Generator | None) -> Tensor:
        """x̃_1 (N, C, h, w) of φ (N, text_dim), by the averages and without gradients."""
        return self.averaged["generators"][0](phi, self.noise_of(0, len(phi), generator))[0]

    def discriminate(self, x: Tensor, phi: Tensor) -> Tensor:
        """D, (N,), of images of the size that the stage makes, and φ (N, text_dim); of several φ (K, N, text_dim) (K, N)."""
        shape = self.specs[self.level].shape
        if x.shape[1:] != shape:
            expected = ", ".join(map(str, shape))
            raise ValueError(f"{type(self).__name__}: expected inputs (N, {expected}), got {tuple(x.shape)}")
        return self.discriminator(x, phi).float()

    def answer(self, play: Play, objective: Objective) -> Answer:
        """The generator's loss, with the KL divergence of its conditions and what stage II changes of stage I's image."""
        answer = super().answer(play, objective)
        loss, terms = answer.losses["generator"], answer.terms
        if self.augments:
            terms["condition_kl"] = gaussian_kl(play.kept["mean"], play.kept["log_variance"]).sum(1).mean()
            loss = loss + self.kl * terms["condition_kl"]
        if "small" in play.kept:
            with torch.autocast(play.fake[0].device.type, enabled=False):
                reduced = self.down_rows @ play.fake[0] @ self.down_columns.mT
            terms["inconsistency"] = ((reduced - play.kept["small"]) / self.spec.value_range).square().mean()
            loss = loss + self.consistency * terms["inconsistency"]
        return Answer({"generator": loss}, terms)

    # -- what it can do -------------------------------------------------------------------------------------------

    def made(self, caption: Tensor, generator: torch.Generator | None) -> list[Tensor]:
        """x̃_1 and, unless stage I is the one that learns, x̃_2 of texts (N, L), by the averages."""
        phi = self.encoded(caption)
        found = [self.first(phi, generator)]
        if self.level:
            second = self.averaged["generators"][1]
            found.append(second(phi, self.noise_of(1, len(phi), generator), found[0])[0])
        return found

    def sample_given(self, parts: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """(n, *shape) of the texts (n, L) in `caption`. After stage I its image, enlarged (bicubic)."""
        return self.whole(self.made(parts["caption"], generator)[-1])

    def whole(self, x: Tensor) -> Tensor:
        """Images of a stage as images (N, *shape), enlarged (bicubic) and within the data's bounds if there are any."""
        large = enlarged(x, self.spec.shape)
        return large.clamp(self.spec.low, self.spec.high) if large is not x and self.spec.bounded else large

    def rivals(self) -> dict[str, Callable[[Batch], Tensor]]:
        """In stage II `stage_1`: the images of stage I, enlarged; always of the same noise."""
        if self.level == 0:
            return {}
        generator = torch.Generator(self.averaged.updates.device).manual_seed(RIVAL_SEED)
        return {"stage_1": lambda batch: self.whole(self.first(self.encoded(batch["caption"]), generator))}

    # -- figures and pictures -------------------------------------------------------------------------------------

    def metrics(self) -> list[Metric]:
        """While the text encoder learns, how well it does."""
        if self.makes_examples:
            return []

        def values(batch: Batch, _: torch.Generator) -> tuple[Tensor, ...]:
            return (*self.embedding.embedded(batch.target, batch["caption"]), batch["caption"])

        def of_groups(image: Tensor, text: Tensor, caption: Tensor) -> dict[str, float]:
            means = self.embedding.mean_losses(image, text, caption)
            return dict(zip(("text_loss", "text_accuracy"), means.tolist(), strict=True))

        return [Joint(values, of_groups, {"text_loss": "lower", "text_accuracy": "higher"})]

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """A row per caption, a column per noise; and in stage II images of stage I, enlarged, beside those of stage II."""
        if not self.makes_examples:
            return {}
        caption = torch.unique(few["caption"], dim=0)[:TEXTS]
        titles = [lines(decode(text, self.spec["caption"].names)) for text in caption.tolist()]
        made = [self.whole(x) for x in self.made(caption.repeat_interleave(STYLES, 0), generator)]
        tiles = [to_pixels(x, self.spec).reshape(len(caption), STYLES, *self.spec.shape[1:], 3) for x in made]
        pictures = {"captions": sheet(tiles[-1], titles)}
        if len(tiles) > 1:
            both = np.stack([x[:, :PAIRS] for x in tiles], 2).reshape(len(caption), 2 * PAIRS, *self.spec.shape[1:], 3)
            pictures["stages"] = sheet(both, titles, PAIRS * ["I", "II"])
        return pictures
