"""The judges of two domains: a classifier for each, which sees what a model translates into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from nnlab.checkpoints.reference import RunReference
from nnlab.data.feed import BatchBuilder, eval_batch_size
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.evaluators.judge import VALIDATION_SAMPLES, FeatureStatistics, Judge
from nnlab.evaluators.panel import Panel, PanelReferences
from nnlab.metrics.frechet import frechet_distance
from nnlab.metrics.mode_coverage import class_agreement
from nnlab.model import Model, Translates, can
from nnlab.nn.spaced import evenly_spaced
from nnlab.plotting.charts import confusion_chart

OTHER = {"a": "b", "b": "a"}
LOWER = frozenset(f"frechet_distance_{side}" for side in OTHER)
HIGHER = frozenset(f"class_agreement_{side}" for side in OTHER)


class DomainReferences(PanelReferences):
    """The earlier runs that judge two domains, as the `judge` of a config: for each domain with classes one.

    a, b  a classifier of the images of this domain
    """

    def __init__(self, *, a: RunReference | None = None, b: RunReference | None = None) -> None:
        self.known = {side: known for side, known in (("a", a), ("b", b)) if known}

    def judges(self, spec: DataSpec, device: torch.device) -> DomainJudges:
        """The judges, without weights. Raises BadInput if one has learned from other images than those of its domain."""
        own = {"a": (spec.target, spec.classes)}
        own |= {"b": (spec["b"], spec["b_label"].names)} if "b" in self.known else {}
        return DomainJudges({side: self.judge(side, *own[side], device) for side in self.known})


class DomainJudges(Panel):
    """A judge for each of two domains, or for one of them: b's judge looks at what was translated to b, a's judge at the rest.

    judges  by the name of their domain
    """

    model = None  # there is no single one

    def __init__(self, judges: Mapping[str, Judge]) -> None:
        super().__init__(judges)
        self._seen: dict[tuple[str, int, int], FeatureStatistics] = {}

    def figures(self, model: Model, feed: BatchBuilder, rows: Tensor, generator: torch.Generator) -> dict[str, float]:
        """How translations compare with the images of the domain that they were translated to.

        They are of these rows of a, and of as many images of b, but of 2,000 if there are more and only few of a. Classes are
        compared if those of both domains have the same names.

        Figures:
        class_agreement_b, class_agreement_a  share of the translations to b, or to a, that the judge of this domain takes for
                    the class of their original; higher is better. A permutation of the classes shows here, in no cycle error
        untranslated_agreement_b, untranslated_agreement_a  share of the originals, without a translation, that the judge of the
                    other domain takes for their class: what class_agreement has to exceed; only if the channels are equal
        judge_accuracy_b, judge_accuracy_a    share of a domain's own images that its judge takes for their class: the most
                    to hope for
        frechet_distance_b, frechet_distance_a  squared Fréchet distance of the judge's features of translations and of the
                    domain's own images, each taken as a Gaussian; lower is better, compare equal judges only
        """
        if not can(model, Translates):
            return {}
        chosen = {"a": rows, "b": rows_of_b(feed.split, max(len(rows), VALIDATION_SAMPLES))}
        figures = {}
        for to, judge in self.judges.items():
            given, own = chosen[OTHER[to]], chosen[to]
            real = self.seen(to, to, feed.split, own)
            made = judge.extract(model.translate(x, to) for x in images(feed.split, OTHER[to], given))
            if not made.finite:
                figures[f"frechet_distance_{to}"] = float("nan")
                continue
            figures[f"frechet_distance_{to}"] = frechet_distance(real.moments, made.moments)
            figures[f"judge_accuracy_{to}"] = class_agreement(torch.cat(real.probabilities), labels(feed.split, to, own))
            wanted = self.wanted(model, feed.split, to, given)
            if wanted is None:
                continue
            figures[f"class_agreement_{to}"] = class_agreement(torch.cat(made.probabilities), wanted)
            if model.directions()[to][0].shape == model.directions()[to][1].shape:
                as_it_is = self.seen(to, OTHER[to], feed.split, given)
                figures[f"untranslated_agreement_{to}"] = class_agreement(torch.cat(as_it_is.probabilities), wanted)
        return figures

    def headline(self, model: Model) -> list[str]:
        return sorted(f"frechet_distance_{to}" for to in self.judges)

    def seen(self, by: str, side: str, split: Split, rows: Tensor) -> FeatureStatistics:
        """The images of a domain as the judge of one sees them, looked at once."""
        key = (by + side, id(split), len(rows))
        if key not in self._seen:
            self._seen[key] = self.judges[by].extract(images(split, side, rows))
        return self._seen[key]

    def wanted(self, model: Translates, split: Split, to: str, given: Tensor) -> Tensor | None:
        """(n,) the classes of the originals at rows (n,), numbered as the judge of the other domain does; None without such."""
        part = "label" if to == "b" else "b_label"
        label = labels(split, OTHER[to], given)
        if label is None or part not in model.spec:
            return None
        names, known = model.spec[part].names, self.judges[to].model.spec.classes
        if set(names) != set(known):
            return None
        return torch.tensor([known.index(name) for name in names], device=label.device)[label]

    def confusions(self, model: Translates, split: Split, rows: Tensor) -> dict[str, np.ndarray]:
        """Which class of an original (row) is judged to be which (column) after translation: charts by name.

        `confusion_b` is of images of a that were translated to b.
        """
        chosen = {"a": rows, "b": rows_of_b(split, len(rows))}
        charts = {}
        for to, judge in self.judges.items():
            wanted = self.wanted(model, split, to, chosen[OTHER[to]])
            made = judge.extract(model.translate(x, to) for x in images(split, OTHER[to], chosen[OTHER[to]]))
            if wanted is not None and made.finite:
                said = torch.cat(made.probabilities).argmax(1)
                charts[f"confusion_{to}"] = confusion_chart(said, wanted, judge.model.spec.classes)
        return charts


def rows_of_b(split: Split, most: int) -> Tensor:
    """Rows of images of b in a split, at most so many, evenly spaced."""
    own = split.unpaired.get("b", split.rows)
    return own[evenly_spaced(len(own), most).to(own.device)]


def images(split: Split, side: str, rows: Tensor) -> Iterator[Tensor]:
    """Images (N, C, H, W) of a domain, batch after batch."""
    for part in rows.split(eval_batch_size(split)):
        yield split.values(part, "target" if side == "a" else "b")


def labels(split: Split, side: str, rows: Tensor) -> Tensor | None:
    """(n,) int64 the classes of the images of a domain at rows (n,); None if it has none."""
    return split.labels(rows, "label" if side == "a" else "b_label")
