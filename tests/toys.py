"""Five small models of kinds that nnlab does not ship, each one Python file and its YAMLs; and the data that they need.

TOYS  by name: the Python file, and its YAMLs by path below the folder of configs
"""

from __future__ import annotations

DATA = '''
from dataclasses import replace

import torch

from nnlab.data.dataset import Dataset
from nnlab.data.spec import Part
from nnlab.data.split import Arrays, Other

WORDS = ("left", "right", "top", "bottom")


class Quarters(Dataset):
    """Coloured images of 8×8 with one bright half, which a caption names; and other images, which belong to none of these."""

    parts = ("caption", "other")

    def size(self):
        return 0

    def load(self):
        draw = torch.Generator().manual_seed(0)
        word = torch.arange(120) % 4
        x = torch.randint(0, 60, (120, 3, 8, 8), generator=draw, dtype=torch.uint8)
        for i, half in enumerate((x[..., :4], x[..., 4:], x[..., :4, :], x[..., 4:, :])):
            half[word == i] += torch.randint(100, 190, (30, 3, 1, 1), generator=draw, dtype=torch.uint8)
        other = torch.randint(0, 256, (75, 1, 8, 8), generator=draw, dtype=torch.uint8)
        caption = torch.stack([word, word], 1)
        others = {
            "caption": Other(Part("text", (2,), WORDS), *caption.split((100, 20))),
            "other": Other(Part("image", (1, 8, 8)), *other.split((65, 10)), scale=1 / 255, paired=False),
        }
        return Arrays(x[:100], word[:100], x[100:], word[100:], WORDS, others=others)


class Pairs(Quarters):
    """The same with an input of one channel: the brightest colour of each pixel."""

    parts = ("input",)

    def load(self):
        arrays = super().load()
        train, test = (x.amax(1, keepdim=True) for x in (arrays.x_train, arrays.x_test))
        return replace(arrays, others={"input": Other(Part("image", (1, 8, 8)), train, test, scale=1 / 255)})
'''
DATA_YAML = """
# nnlab train data=NAME
# Images with a bright half.
defaults:
  - common/splits@_here_
_target_: mytoys.quarters."""

STAGES_YAML = """
# nnlab train trainer=game_stages
# A game in stages, for a model that has some, such as a pyramid: each stage has its own optimizers.
defaults:
  - game
  - /optimizer@pretraining.optimizer: adam_gan       # optimizer@trainer.pretraining.optimizer=sgd chooses another
  - _self_
_target_: nnlab.families.gan.options.StagedGameOptions
pretraining:
  _target_: nnlab.training.options.Pretraining
  epochs: auto           # per stage before the last; auto is half of the auto of trainer.epochs; a list: one number per stage
"""

TRANSLATOR = '''
import torch
from torch import nn

from nnlab.families.gan.base import Adversarial, Answer, Play


class Translator(Adversarial):
    """From an input to its target, judged in patches beside the input (Isola et al. 2017)."""

    needs = ("input",)
    resizes = True

    def __init__(self, spec, *, l1: float = 10.0) -> None:
        given, wanted = spec.input.shape[0], spec.shape[0]
        generator = nn.Sequential(nn.Conv2d(given, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, wanted, 1), nn.Sigmoid())
        patches = nn.Sequential(nn.Conv2d(given + wanted, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 1, 3, padding=1))
        super().__init__(spec, generator=generator, discriminator=patches)
        self.l1 = l1

    def play(self, batch, generator):
        fake = self.generator(batch.input)
        kept = {"fake": fake, "target": batch.target}
        return Play(real=(batch.target, batch.input), fake=(fake, batch.input), kept=kept)

    def discriminate(self, x, given):
        return self.discriminator(torch.cat([given, x], 1)).float()

    def answer(self, play, objective):
        game = objective.generator(self.discriminate(*play.fake)).mean()
        error = (play.kept["fake"] - play.kept["target"]).abs().mean()
        return Answer({"generator": game + self.l1 * error}, {"generator_loss": game, "error": error})

    def reconstruct(self, x):
        return self.averaged["generator"](self.check(x))
'''

CYCLE = '''
from torch import nn

from nnlab.families.gan.base import Adversarial
from nnlab.model import Turn
from nnlab.nn.pool import ImagePool


def translator(i, o):
    return nn.Sequential(nn.Conv2d(i, 12, 3, padding=1), nn.SiLU(), nn.Conv2d(12, o, 1), nn.Sigmoid())


def critic(i):
    return nn.Sequential(nn.Conv2d(i, 12, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(12, 1, 3, padding=1))


class Cycle(Adversarial):
    """Two domains without pairs: G: A → B, F: B → A, each with a critic; F(G(a)) ≈ a, G(F(b)) ≈ b (Zhu et al. 2017)."""

    needs = ("other",)
    parts = ("G", "F")
    critics = ("D_a", "D_b")

    def __init__(self, spec, *, cycle: float = 10.0, pool: int = 8) -> None:
        a, b = spec.shape, spec["other"].shape
        networks = {"G": translator(a[0], b[0]), "F": translator(b[0], a[0]), "D_a": critic(a[0]), "D_b": critic(b[0])}
        super().__init__(spec, **networks)
        self.pool_a, self.pool_b = ImagePool(pool, a), ImagePool(pool, b)
        self.cycle = cycle

    def players(self):
        return {name: [getattr(self, name)] for name in ("G", "F", "D_a", "D_b")}

    def turns(self, batch, game):
        a, b = batch.target, batch["other"]
        with game.forward():
            fake_b, fake_a = self.G(a), self.F(b)
            judged = game.objective.generator(self.D_b(fake_b)).mean() + game.objective.generator(self.D_a(fake_a)).mean()
            back = (self.F(fake_b) - a).abs().mean() + (self.G(fake_a) - b).abs().mean()
            loss = judged + self.cycle * back
        yield Turn({"G": loss, "F": loss}, {"generator_loss": judged, "cycle": back})
        yield game.critic(self.D_a, (a,), (self.pool_a(fake_a, game.generator),), "D_a")
        yield game.critic(self.D_b, (b,), (self.pool_b(fake_b, game.generator),), "D_b")

    def reconstruct(self, x):
        return self.averaged["F"](self.averaged["G"](self.check(x)))
'''

CONTRAST = '''
import torch
from torch import nn

from nnlab.model import Model


class Contrast(Model):
    """Two views of an image have nearby codes, views of two images distant ones (NT-Xent, Chen et al. 2020)."""

    views = 2

    def __init__(self, spec, *, latent_dim: int = 8) -> None:
        super().__init__(spec)
        self.latent_dim = latent_dim
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(spec.features, 32), nn.SiLU(), nn.Linear(32, latent_dim))

    def encode(self, x):
        return nn.functional.normalize(self.body(self.check(x)).float(), dim=1)

    def loss(self, batch, generator):
        n = len(batch)
        z = torch.cat([self.encode(batch.target), self.encode(batch["view_2"])])
        alike = (z @ z.T / 0.5).masked_fill(torch.eye(2 * n, dtype=torch.bool, device=z.device), -torch.inf)
        partner = torch.arange(2 * n, device=z.device).roll(n)
        both = nn.functional.cross_entropy(alike, partner, reduction="none")
        return {"loss": (both[:n] + both[n:]) / 2}
'''

PYRAMID = '''
import torch
from torch import nn
from torch.nn import functional

from nnlab.families.gan.base import Adversarial, Play


def network(i, o, size):
    layers = (nn.Linear(i, 64), nn.SiLU(), nn.Linear(64, o * size * size))
    return nn.Sequential(nn.Flatten(), *layers, nn.Unflatten(1, (o, size, size)))


class Pyramid(Adversarial):
    """Two levels, a stage each: a coarse image from noise, then the details over the enlarged one (Denton et al. 2015)."""

    trainer = "nnlab.families.gan.trainer:StagedGameTrainer"
    parts = ("coarse", "fine")

    def __init__(self, spec, *, latent_dim: int = 8) -> None:
        c, side, _ = spec.shape
        half = side // 2
        judges = {"judge_coarse": nn.Sequential(nn.Flatten(), nn.Linear(c * half**2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))}
        judges["judge_fine"] = nn.Sequential(nn.Flatten(), nn.Linear(2 * c * side**2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
        makers = {"coarse": network(latent_dim, c, half), "fine": network(latent_dim + c * side**2, c, side)}
        super().__init__(spec, **makers, **judges)
        self.latent_dim, self.level = latent_dim, 1

    def stages(self):
        return ("coarse", "")

    def start_stage(self, stage):
        self.level = stage

    @property
    def discriminator(self):
        return self.judge_fine if self.level else self.judge_coarse

    def players(self):
        return {"discriminator": [self.discriminator], "generator": [self.fine if self.level else self.coarse]}

    def blurred(self, x):
        return functional.interpolate(x, scale_factor=2)

    def details(self, fine, coarse, generator):
        z = torch.randn(len(coarse), self.latent_dim, device=coarse.device, generator=generator)
        return fine(torch.cat([z, coarse.flatten(1)], 1))

    def play(self, batch, generator):
        small = functional.avg_pool2d(batch.target, 2)
        if not self.level:
            z = torch.randn(len(batch), self.latent_dim, device=small.device, generator=generator)
            return Play(real=(small,), fake=(self.coarse(z),))
        below = self.blurred(small)
        return Play(real=(batch.target - below, below), fake=(self.details(self.fine, below, generator), below))

    def discriminate(self, *objects):
        return self.discriminator(torch.cat(objects, 1)).float().squeeze(1)

    def sample(self, n, generator=None):
        z = torch.randn(n, self.latent_dim, device=self.averaged.updates.device, generator=generator)
        below = self.blurred(self.averaged["coarse"](z))
        return below + self.details(self.averaged["fine"], below, generator) if self.level else below
'''

CAPTIONED = '''
import torch
from torch import nn

from nnlab.families.gan.base import Adversarial, Play


class Captioned(Adversarial):
    """An image of what a caption says: generator and discriminator see the mean of its words' vectors (Reed et al. 2016)."""

    needs = ("caption",)

    def __init__(self, spec, *, latent_dim: int = 8, width: int = 4) -> None:
        n = spec.features
        generator = nn.Sequential(nn.Linear(latent_dim + width, 64), nn.SiLU(), nn.Linear(64, n), nn.Unflatten(1, spec.shape))
        discriminator = nn.Sequential(nn.Linear(n + width, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
        super().__init__(spec, generator=generator, discriminator=discriminator)
        self.words = nn.Embedding(len(spec["caption"].names), width).requires_grad_(False)
        self.latent_dim = latent_dim

    def made(self, generator_network, caption, generator):
        z = torch.randn(len(caption), self.latent_dim, device=caption.device, generator=generator)
        return generator_network(torch.cat([z, self.words(caption).mean(1)], 1))

    def play(self, batch, generator):
        caption = batch["caption"]
        return Play(real=(batch.target, caption), fake=(self.made(self.generator, caption, generator), caption))

    def discriminate(self, x, caption):
        return self.discriminator(torch.cat([x.flatten(1), self.words(caption).mean(1)], 1)).float().squeeze(1)

    def sample_caption(self, caption, generator=None):
        return self.made(self.averaged["generator"], caption, generator)

    def sample(self, n, generator=None):
        words = torch.randint(len(self.spec["caption"].names), (n, 1), device=self.words.weight.device, generator=generator)
        return self.sample_caption(words.expand(-1, 2), generator)
'''


def yaml(name: str, choices: str = "", keys: str = "") -> str:
    """The YAML of a toy: the groups that it chooses, and its keys."""
    defaults = f"defaults:\n{choices}  - _self_\n" if choices else ""
    return f"# nnlab train model={name} data=quarters\n# A toy.\n{defaults}_target_: mytoys.{name}.{name.capitalize()}\n{keys}"


GAME = "  - override /optimizer@_global_.optimizer: adam_gan\n  - override /trainer@_global_.trainer: game\n"
STAGED = GAME.replace("trainer: game", "trainer: game_stages")
TOYS: dict[str, tuple[str, str, list[str]]] = {
    "translator": (TRANSLATOR, yaml("translator", GAME, "l1: 10.0\n"), ["data=halves"]),
    "cycle": (CYCLE, yaml("cycle", GAME, "cycle: 10.0\npool: 8\n"), ["data=quarters", "trainer.objective=least_squares"]),
    "contrast": (CONTRAST, yaml("contrast", "", "latent_dim: 8\n"), ["data=quarters", "augmentation=affine"]),
    "pyramid": (PYRAMID, yaml("pyramid", STAGED, "latent_dim: 8\n"), ["data=quarters", "trainer.pretraining.epochs=1"]),
    "captioned": (CAPTIONED, yaml("captioned", GAME, "latent_dim: 8\nwidth: 4\n"), ["data=quarters"]),
}
