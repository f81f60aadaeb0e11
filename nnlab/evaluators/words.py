"""The judges of words: classifiers that read back from an image what its caption says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from nnlab.checkpoints.reference import RunReference
from nnlab.config.build import build
from nnlab.data.feed import BatchBuilder
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.evaluators.judge import FEWEST, HIGHER, LOWER, PAIRS, FeatureStatistics, Judge, distances
from nnlab.evaluators.panel import Panel, PanelReferences
from nnlab.metrics.boxes import moved_by_half
from nnlab.metrics.frechet import frechet_distance
from nnlab.model import ClassifiesLabels, Model, SamplesGiven, can
from nnlab.nn.float64 import to_float64

ATTRIBUTES = ("class", "colour", "size", "place")
NAME = re.compile(rf"({'|'.join(ATTRIBUTES)})_[1-9]")
KEPT = ("class", "colour")  # what an object keeps where it is drawn elsewhere
PLACES = ("box", "keypoints")  # the parts that say where
ALL = "all"


def told_parts(spec: DataSpec) -> list[str]:
    """The names of the parts that say what a caption does, and that differ between images: class_1, colour_1, …"""
    labels = {name: part.names for name, part in spec.parts.items() if part.kind == "label" and NAME.fullmatch(name)}
    return [name for name, names in labels.items() if len(names) > 1]


class WordReferences(PanelReferences):
    """The earlier runs that judge what captions say, as the `judge` of a config.

    judges  nodes of classifiers that together read all that captions say: one of several labels, by any name, or one for each
            label, by the label's: class_1, …
    """

    def __init__(self, *, judges: Mapping) -> None:
        self.known = {name: build(node, RunReference, place=f"judge.{name}") for name, node in judges.items()}

    def judges(self, spec: DataSpec, device: torch.device) -> WordJudges:
        """The judges, without weights. Raises BadInput if one has learned from other images, or to tell other things apart."""
        told = {name: spec[name].names for name in told_parts(spec)}
        judges = WordJudges({name: self.reader(name, spec, told, device) for name in self.known}, spec)
        missing = [name for name in told if name not in judges.model.labels]
        if missing:
            raise BadInput(f"judge: none of its classifiers reads {', '.join(missing)}; give judge=auto")
        return judges

    def reader(self, name: str, spec: DataSpec, told: Mapping[str, tuple[str, ...]], device: torch.device) -> Judge:
        """One of the judges, without weights. Raises BadInput if it has learned from other images, or to tell other things.

        told  the names of the values of each label that captions say
        """
        known = self.known[name]
        model = known.build().to(device)
        if not can(model, ClassifiesLabels):
            return self.judge(name, spec.target, told.get(name, ()), device)
        same_images = (known.spec.kind, known.spec.shape) == (spec.kind, spec.shape)
        if not same_images or any(told.get(label) != known.spec[label].names for label in model.labels):
            raise BadInput(f"judge.{name}: {known.run} was trained on other images or labels than {spec.name}; give judge=auto")
        return Judge(model, known.spec, known.fingerprint, known.weights)


class SideBySide(nn.Module):
    """Several classifiers as one: their features, and the probabilities of the classes of each, side by side.

    judges  by name; one that tells a single label apart has the label's name
    """

    def __init__(self, judges: Mapping[str, Judge]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict({name: judge.model for name, judge in judges.items()})

    @property
    def labels(self) -> list[str]:
        """The names of the J labels that they read, in the order of `decide`."""
        several = {name: net.labels if can(net, ClassifiesLabels) else (name,) for name, net in self.networks.items()}
        return [label for labels in several.values() for label in labels]

    def features(self, x: Tensor) -> Tensor:
        """(N, Σ d) of images (N, *shape)."""
        found = [network.features(x) for network in self.networks.values()]
        self.widths = [part.shape[1] for part in found]
        return torch.cat(found, 1)

    def decide(self, features: Tensor) -> Tensor:
        """(N, J) int64 the most probable class of each of the J labels, of what `features` returned last."""
        found = []
        for net, part in zip(self.networks.values(), features.split(self.widths, 1), strict=True):
            found += net.decide_labels(part).values() if can(net, ClassifiesLabels) else [net.decide(part)]
        return torch.stack([probabilities.argmax(1) for probabilities in found], 1)

    def classify(self, x: Tensor) -> Tensor:
        """(N, J) int64 the most probable class of each of the J labels, of images (N, *shape)."""
        return self.decide(self.features(x))


class WordJudges(Panel):
    """The judges of all that captions say. Their features side by side are the space in which images are compared.

    judges  by name (`SideBySide`)
    spec    of the data
    """

    higher = (
        HIGHER
        | {f"{name}_as_asked{of}" for name in (*ATTRIBUTES, ALL) for of in ("", "_seen", "_unseen")}
        | {f"{name}_kept" for name in KEPT}
    )
    lower = LOWER

    def __init__(self, judges: Mapping[str, Judge], spec: DataSpec) -> None:
        super().__init__(judges)
        self.spec, self.model = spec, SideBySide(judges).eval()
        self._real = {}

    def adapt(self, x: Tensor) -> Tensor:
        return x

    def figures(self, model: Model, feed: BatchBuilder, rows: Tensor, generator: torch.Generator) -> dict[str, float]:
        """What a model paints for the captions of these rows: how near it is to their images, and whether it is as asked.

        Of several objects all must be right. With pairs of classes that are not in the training data (data.held_out), the
        figures of seen and of unseen pairs stand beside those of all rows.

        Figures:
        class_as_asked, colour_as_asked, size_as_asked, place_as_asked  share of the images made for captions in which the
                    judges read the class, colour, size or place that the caption says; higher is better
        all_as_asked  share of these images of which they read all of it as the caption says
        class_as_asked_seen, colour_as_asked_seen, size_as_asked_seen, place_as_asked_seen, all_as_asked_seen
                    of the captions of pairs of classes that are in the training data
        class_as_asked_unseen, colour_as_asked_unseen, size_as_asked_unseen, place_as_asked_unseen, all_as_asked_unseen
                    of the captions of the other pairs
        class_kept, colour_kept  of a model that is told where: share of these images in which they read the same where, for
                    the same noise and text, the box or points have moved by half of the image's free room; higher is better
        judge_class_accuracy, judge_colour_accuracy, judge_size_accuracy, judge_place_accuracy, judge_all_accuracy
                    share of the images of data that they read right: the most to hope for
        judge_class_accuracy_seen, judge_colour_accuracy_seen, judge_size_accuracy_seen, judge_place_accuracy_seen
                    of the images of pairs that are in the training data
        judge_class_accuracy_unseen, judge_colour_accuracy_unseen, judge_size_accuracy_unseen, judge_place_accuracy_unseen
                    of the images of the other pairs
        judge_all_accuracy_seen, judge_all_accuracy_unseen  of all that is said, of the images of pairs that are in the training
                    data, and of the others
        """
        if not can(model, SamplesGiven):
            return {}

        def made(batch: Batch) -> Tensor:
            return model.sample_given({name: batch[name] for name in model.conditions}, generator)

        start = generator.get_state()
        real, fake = self.real(feed.split, rows), self.seen(made, feed, rows, generator)
        if not fake.finite:
            return {"frechet_distance": float("nan")}
        groups, told = self.groups(feed, rows), self.told(feed, rows)
        figures = distances(real, fake) if len(rows) >= FEWEST else {}
        figures |= shares(self.right(fake, told), groups, "{}_as_asked")
        figures |= shares(self.right(real, told), groups, "judge_{}_accuracy")
        figures |= self.kept(fake, model, feed, rows, start)
        for name, rival in model.rivals().items():
            other = self.seen(rival, feed, rows, generator)
            if len(rows) >= FEWEST:
                figures[f"{name}_frechet"] = frechet_distance(real.moments, other.moments)
            figures[f"{name}_all_as_asked"] = to_float64(self.right(other, told)[ALL]).mean().item()
        return figures

    def headline(self, model: Model) -> list[str]:
        return ["frechet_distance", "all_as_asked"] if can(model, SamplesGiven) else []

    def kept(self, fake: FeatureStatistics, model: Model, feed: BatchBuilder, rows: Tensor, start: Tensor) -> dict[str, float]:
        """How often the judges read the same if only the place moves: of a model that is told where, else nothing.

        fake   of the images of these rows
        start  the state of the generator before these were made, so that the noise is the same
        """
        if not set(PLACES) & set(model.conditions):
            return {}
        again = torch.Generator(feed.split.device)
        again.set_state(start)

        def moved(batch: Batch) -> Tensor:
            parts = {name: batch[name] for name in model.conditions}
            parts |= {name: moved_by_half(parts[name], self.spec.shape) for name in PLACES if name in parts}
            return model.sample_given(parts, again)

        elsewhere = self.seen(moved, feed, rows, again)
        right = self.right(fake, torch.cat(elsewhere.probabilities)) if elsewhere.finite else {}
        return {f"{of}_kept": to_float64(right[of]).mean().item() for of in KEPT if of in right}

    def seen(
        self, made: Callable[[Batch], Tensor], feed: BatchBuilder, rows: Tensor, generator: torch.Generator
    ) -> FeatureStatistics:
        """The images that are made of batches of these rows, as the judges see them."""
        batches: Iterator[Batch] = feed.sequential(generator, rows)
        return self.extract((made(batch) for batch in batches), -(-len(rows) // PAIRS))

    def told(self, feed: BatchBuilder, rows: Tensor) -> Tensor:
        """(n, J) int64 what the captions of rows (n,) say, in the order of what the judges read."""
        return torch.stack([feed.split.labels(rows, name) for name in self.model.labels], 1)

    def groups(self, feed: BatchBuilder, rows: Tensor) -> dict[str, Tensor]:
        """(n,) bool by the end of a figure's name: all rows, and of seen and unseen pairs those that there are."""
        pair = feed.split.labels(rows, "pair")
        if pair is None:
            return {"": torch.ones(len(rows), dtype=torch.bool, device=rows.device)}
        found = {"": pair >= 0, "_seen": pair == 0, "_unseen": pair == 1}
        return {end: those for end, those in found.items() if those.any()}

    def right(self, found: FeatureStatistics, told: Tensor) -> dict[str, Tensor]:
        """(n,) bool for each attribute, and for all: whether the judges read of each object what was told, (n, J)."""
        right = torch.cat(found.probabilities) == told
        owners = [name.rpartition("_")[0] for name in self.model.labels]
        by = {of: right[:, [owner == of for owner in owners]].all(1) for of in ATTRIBUTES if of in owners}
        return {**by, ALL: right.all(1)}


def shares(right: Mapping[str, Tensor], groups: Mapping[str, Tensor], name: str) -> dict[str, float]:
    """The share of rows that are right, by attribute and group; `name` is the figure's, with {} for the attribute."""
    return {
        name.format(of) + end: to_float64(each[those]).mean().item()
        for end, those in groups.items()
        for of, each in right.items()
    }
