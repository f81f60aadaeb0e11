"""Scenes made of the images of another dataset: objects of a colour, a size and a place on a canvas, with captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast, Between, NonEmpty
from nnlab.data.captioned import Captioned, bytes_of, captions_of
from nnlab.data.dataset import free_memory
from nnlab.data.ink import bounds
from nnlab.data.nodes import built, check_images, of_its_classes, placed
from nnlab.data.scene_plans import Plan, drawn, gray_levels, grouped
from nnlab.data.sentences import FOUR, NINE, Object, sentences, spoken
from nnlab.data.spec import Part
from nnlab.data.split import Arrays, Other
from nnlab.data.words import numbered
from nnlab.errors import BadInput, nearest, printable, shortened

PALETTE = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (40, 80, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "orange": (255, 128, 0),
    "white": (255, 255, 255),
}  # the largest value of each is 255, so that the brightest channel of a scene is its gray image
COLOURS = tuple(PALETTE)
SIZES = ("small", "large")
SCENE_SEED, PAIR_SEED = 0x5CE7E, 0xFA12
INK = 32  # the gray level from which a pixel belongs to an object; below it there is haze around scanned objects
JITTER = 1  # pixels by which an object may stand beside its place
ROOM = 10  # pixels that are free beside the largest object, so that its places in a row differ in spite of JITTER


class Scenes(Captioned):
    """Canvases with one, two or three objects, each an image of another dataset, cut out along its ink and resized.

    An object is tinted by multiplying its gray levels. Training scenes are made of the training images of `of`, test scenes of
    its test images; each image is in one scene at most, or in as many as `repeats` says. All is drawn once, by a fixed seed.
    Objects do not overlap.
    Parts, with D objects and C classes of `of`:

    caption    five sentences about each scene, four without places; all are true
    box        (4,), of several objects (D, 4): the bounds of the pixels of each that are not black
    keypoints  (3·D, 2): for each object the centre of its ink and the ends of its principal axis (`ink.keypoints`)
    class_1, colour_1, size_1, place_1, class_2, …   what the captions say, as labels; without those that have one value alone
    pair       with `held_out`: whether the pair of classes of the first two objects is in training, "seen", or not, "unseen"

    of        the node of a dataset of images with classes; its keys are data.of.KEY. White on black is meant; colours become
              gray. `validation`, `limit` and `train_size` are refused there, as they count scenes
    size      height and width of the canvas in pixels
    objects   1, 2 or 3; several stand in different quarters, numbered in the order of reading
    colours   one of these is drawn for each object; None: gray images of one channel
    sizes     the longest side of an object's ink in pixels: [small, large], or one number; auto: by the size of the canvas
    places    grid: one object is at one of nine places. free: anywhere, and its size is any between both of `sizes`; then the
              captions say neither
    held_out  share of the ordered pairs (class_1, class_2) that are in the test alone, always the same, whatever `seed` is
    repeats   scenes that each training image is in, with other images, colours, sizes and places each time. No image of a
              validation scene is in a training scene, and the test scenes stay as they are
    label     the part that is the label of the scenes: class_1, …
    """

    downloads = True  # what it is made of may
    parts = (
        "caption",
        "box",
        "keypoints",
        *(f"{what}_{i}" for i in (1, 2, 3) for what in ("class", "colour", "size", "place")),
    )
    parts = (*parts, "pair")

    def __init__(
        self,
        *,
        of: Mapping,
        size: Annotated[int, AtLeast(20)] = 32,
        objects: Literal[1, 2, 3] = 1,
        colours: Annotated[list[Literal[COLOURS]], NonEmpty()] | None = COLOURS,
        sizes: Literal["auto"] | Annotated[list[Annotated[int, AtLeast(4)]], NonEmpty()] = "auto",
        places: Literal["grid", "free"] = "grid",
        held_out: Annotated[float, Between(0, 0.5)] = 0.0,
        repeats: Annotated[int, AtLeast(1)] = 1,
        label: str = "class_1",
        **common,
    ) -> None:
        super().__init__(**common)
        self.source = built(of, "of", self.root, role="what scenes are made of", counts_in="scenes")
        self.side, self.objects, self.free, self.held_out, self.label = size, objects, places == "free", held_out, label
        self.repeats = repeats
        self.colours = tuple(colours or ())
        self.sizes = self.chosen_sizes(sizes)
        if self.free and objects > 1:
            raise BadInput("data.places: free is for one object; leave it out, or give data.objects=1")
        if held_out and objects == 1:
            raise BadInput(
                "data.held_out: is a share of pairs, but a scene has one object; add data.objects=2, or leave it out"
            )
        if len(set(self.colours)) < len(self.colours):
            raise BadInput("data.colours: has a colour twice; give each once")
        self.plans: list[Plan] = []

    def chosen_sizes(self, sizes: str | list[int]) -> tuple[int, ...]:
        """The sides of a small and a large object, or of all. Raises BadInput if they do not fit."""
        one = self.objects == 1
        most = self.side if self.free else self.side - ROOM if one else self.side // 2
        if sizes == "auto":
            small, large = (0.25, 0.67) if self.free else (0.375, 0.625) if one else (0.3, 0.45)
            return int(small * self.side), min(int(large * self.side), most)
        if len(sizes) > 2 or sorted(set(sizes)) != list(sizes):
            raise BadInput(f"data.sizes: expected [small,large] in pixels, or one number in brackets, got {list(sizes)}")
        if self.free and len(sizes) == 1:
            sizes = [*sizes, *sizes]
        if sizes[-1] > most:
            why = "for nine places" if one and not self.free else "in a quarter" if not one else ""
            fits = f"{most} pixels fit {why}".strip()
            raise BadInput(f"data.sizes: {sizes[-1]} is too large for a canvas of {self.side}, where {fits}; change data.size")
        return tuple(sizes)

    @property
    def name(self) -> str:
        """That of the images."""
        return f"scenes of {self.source.name}"

    @property
    def folder(self) -> Path:
        """Of images that can be downloaded their folder, else `root`."""
        return self.source.folder if self.source.downloads else self.root

    def size(self) -> int:
        """Bytes of the canvases and of all parts; the images that they are made of are read for it."""
        with placed("of"):
            least = self.source.size()
        if least > free_memory(torch.device("cpu")):
            return least  # which is too much already
        self._prepare()
        n, (_, k, length) = sum(map(len, self.plans)), self.captions.shape
        per_scene = self.channels * self.side**2 + self.objects * (16 + 24) + 8 + 8 * len(self.plans[0].labels)
        return n * per_scene + bytes_of(n, k, length)

    def load(self) -> Arrays:
        """x (N, C, S, S) uint8, C = 3 or 1; labels (N,) of the part that `label` names. Raises BadInput."""
        if not self.plans:
            self._prepare()
        scenes = [drawn(plan, self.side) for plan in self.plans]
        train, test = (plan.labels for plan in self.plans)
        shape = {"box": (self.objects, 4) if self.objects > 1 else (4,), "keypoints": (3 * self.objects, 2)}
        kinds = {"box": "box", "keypoints": "points"}
        others = {"caption": captions_of(self.captions, self.words, len(self.plans[0]))}
        for name, own in shape.items():
            others[name] = Other(Part(kinds[name], own), *(scene[name].reshape(-1, *own) for scene in scenes))
        labels = {name: Part("label", (), self.names[name], of_target=name != "pair") for name in train}
        others |= {name: Other(part, train[name], test[name]) for name, part in labels.items()}
        images = [scene["target"] for scene in scenes]
        self.plans = []  # with the images that the scenes were made of
        return Arrays(images[0], train[self.label], images[1], test[self.label], self.names[self.label], others=others)

    def original(self, arrays: Arrays) -> Arrays:
        """Without the scenes in which an image is again: their judges are the same, and so is what they are."""
        if self.repeats == 1:
            return arrays
        n = self.once
        others = {name: replace(other, train=other.train[:n]) for name, other in arrays.others.items()}
        return replace(arrays, x_train=arrays.x_train[:n], y_train=arrays.y_train[:n], others=others)

    def _split_rows(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows for training and for validation, which share no image."""
        if self.repeats == 1:
            return super()._split_rows(rows, generator)
        order = rows[torch.randperm(len(rows), generator=generator)[: self.limit]]
        first = order[order < self.once]
        validation = first[: self.validation_of(len(first))]
        held = torch.zeros(int(self.used.max()) + 1, dtype=torch.bool)
        held[self.used[validation].flatten()] = True
        return order[~held[self.used[order]].any(1)].sort().values, validation.sort().values

    @property
    def channels(self) -> int:
        """3, or 1 of gray images."""
        return 3 if self.colours else 1

    def _prepare(self) -> None:
        """Read the images, plan the scenes of both splits, and write their captions."""
        with placed("of"):
            arrays = self.source.load()
        check_images(self.source, arrays, "of", "scenes are made of images")
        with placed("of"):
            arrays = of_its_classes(self.source, arrays)
        self.remark(*self.source.remarks)
        classes = self._spoken(arrays)
        self.names = self._names(classes)
        legal = [name for name in self.names if name != "pair"]
        if self.label not in legal:
            raise BadInput(f"data.label: these scenes have no {shortened(self.label)}; {nearest(self.label, legal)}")
        held = self._held_out(len(classes))
        self.plans = []
        for i, split in enumerate(("train", "test")):
            x, y = getattr(arrays, f"x_{split}"), getattr(arrays, f"y_{split}")
            gray, rounds = gray_levels(x, arrays.scale, self.source.name), self.repeats if split == "train" else 1
            seeds = (SCENE_SEED + (i if number == 0 else number + 1) for number in range(rounds))
            plans = [self._planned(gray, y, held, split, torch.Generator().manual_seed(seed)) for seed in seeds]
            self.plans.append(Plan.joined(plans))
            if split == "train":
                self.once, self.used = len(plans[0]), self.plans[0].rows
        texts = [text for plan in self.plans for text in captions(plan.labels, self.names, self.objects)]
        self.captions, self.words = numbered(texts)

    def _spoken(self, arrays: Arrays) -> tuple[str, ...]:
        """The classes in words. Raises BadInput without labels, and for classes that a caption cannot tell apart."""
        name = self.source.name
        if arrays.y_train is None or arrays.y_test is None:
            raise BadInput(f"data.of: the images of {name} have no labels, which captions are made of; choose others")
        words = tuple(map(spoken, arrays.classes))
        for i, word in enumerate(words):
            if not word:
                raise BadInput(f"data.of: a caption cannot say the class '{printable(arrays.classes[i])}' of {name}; rename it")
            if word in words[:i]:
                both = " and ".join(f"'{printable(arrays.classes[j])}'" for j in (words.index(word), i))
                raise BadInput(
                    f"data.of: the classes {both} of {name} are both called {word}; rename one, or choose by data.of.classes"
                )
        return words

    def _names(self, classes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """The names of the values of each label part."""
        places = () if self.free else NINE if self.objects == 1 else FOUR
        values = {
            "class": classes,
            "colour": self.colours,
            "size": () if self.free else SIZES[: len(self.sizes)],
            "place": places,
        }
        kept = {what: names for what, names in values.items() if len(names) > 1 or what == "class"}
        names = {f"{what}_{i}": own for i in range(1, self.objects + 1) for what, own in kept.items()}
        return names | ({"pair": ("seen", "unseen")} if self.held_out else {})

    def _held_out(self, classes: int) -> Tensor:
        """(C, C) bool: the pairs (class_1, class_2) that are in the test alone. Each class keeps a pair as each of the two."""
        held = torch.zeros(classes, classes, dtype=torch.bool)
        number = round(self.held_out * classes**2)
        for pair in torch.randperm(classes**2, generator=torch.Generator().manual_seed(PAIR_SEED)).tolist():
            first, second = divmod(pair, classes)
            if held.sum() < number and held[first].sum() + 1 < classes and held[:, second].sum() + 1 < classes:
                held[first, second] = True
        if self.held_out and not held.any():
            raise BadInput(f"data.held_out: {self.held_out:g} of {classes**2} pairs of classes is none; give a larger share")
        return held

    def _planned(self, gray: Tensor, y: Tensor, held: Tensor, split: str, draw: torch.Generator) -> Plan:
        """Scenes of the images (M, H, W) with labels (M,), all but those of the pairs `held` (C, C) from training."""
        crop = bounds(gray, INK)
        able = (crop[:, 2] > 0).nonzero().flatten()
        rows = grouped(able, self.objects, y, held if split == "train" else torch.zeros_like(held), draw)
        n, d = rows.shape
        if not n:
            raise BadInput(f"data.of: {self.source.name} has too few {split} images for a scene of {d}; choose another")
        labels = {f"class_{i}": y[rows[:, i - 1]] for i in range(1, d + 1)}
        tint = torch.full((n, d, 1), 255)
        if self.colours:
            which = torch.randint(len(self.colours), (n, d), generator=draw)
            tint = torch.tensor([PALETTE[name] for name in self.colours])[which]
            labels |= {f"colour_{i + 1}": which[:, i] for i in range(d)}
        if self.free:
            longest = torch.randint(self.sizes[0], self.sizes[1] + 1, (n, d), generator=draw)
        else:
            which = torch.randint(len(self.sizes), (n, d), generator=draw)
            longest = torch.tensor(self.sizes)[which]
            labels |= {f"size_{i + 1}": which[:, i] for i in range(d)}
        sides = crop[rows][..., 2:]
        most = sides.amax(-1, keepdim=True)
        sides = ((2 * sides * longest[..., None] + most) // (2 * most)).clamp(min=1)  # rounded
        if self.free:
            start = (torch.rand((n, d, 2), generator=draw) * (self.side - sides + 1)).long()
        else:
            start, where = self._placed(sides, draw)
            labels |= {f"place_{i + 1}": where[:, i] for i in range(d)}
        if self.held_out:
            labels["pair"] = held[labels["class_1"], labels["class_2"]].long()
        labels = {name: labels[name].contiguous() for name in self.names}
        return Plan(gray, crop, rows, torch.cat([start, sides], -1), tint, labels)

    def _placed(self, sides: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """Where boxes (N, D, 2) of these widths and heights begin (N, D, 2), and the numbers of their places (N, D)."""
        n, d, _ = sides.shape
        if d == 1:
            where, columns, cell = torch.randint(len(NINE), (n, 1), generator=draw), 3, self.side
        else:
            where = torch.rand((n, len(FOUR)), generator=draw).argsort(1)[:, :d].sort(1).values
            columns, cell = 2, self.side // 2
        jitter = torch.randint(-JITTER, JITTER + 1, (n, d, 2), generator=draw)
        step = torch.stack([where % columns, where // columns], -1)
        room = cell - sides
        if d == 1:  # at the border, in the middle, or at the other border; JITTER pixels away from a border
            return (JITTER + (room - 2 * JITTER) * step // 2 + jitter), where
        return step * (self.side - cell) + (room // 2 + jitter).clamp(min=0).minimum(room), where


def captions(labels: Mapping[str, Tensor], names: Mapping[str, Sequence[str]], objects: int) -> list[list[str]]:
    """The sentences about each scene; `names` are those of the values of the labels (N,)."""
    known: dict[tuple[int, ...], Object] = {}
    columns = []
    for i in range(1, objects + 1):
        own = {what: names.get(f"{what}_{i}") for what in ("class", "size", "colour", "place")}
        keys = list(zip(*(labels[f"{what}_{i}"].tolist() for what, values in own.items() if values), strict=True))
        for key in set(keys) - known.keys():
            value = dict(zip((what for what, values in own.items() if values), key, strict=True))
            word = {what: own[what][number] for what, number in value.items()}
            looks = tuple(word[what] for what in ("size", "colour") if what in word)
            known[key] = Object(word["class"], looks, word.get("place", ""))
        columns.append([known[key] for key in keys])
    told: dict[tuple[Object, ...], list[str]] = {}
    scenes = list(zip(*columns, strict=True))
    for scene in scenes:
        if scene not in told:
            told[scene] = sentences(scene)
    return [told[scene] for scene in scenes]
