"""The examples of a split that are most unusual to a model."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.errors import BadInput
from nnlab.model import Scores


@dataclass
class Scored:
    """Examples of one set with their scores, in the order of the file.

    name     name of the set: train, validation, test, or others for the classes that data.classes excludes
    score    (N,) float64, larger is more unusual
    label    (N,) int64 numbers in `classes`, or None
    places   (k,) int64: the indices of the k most unusual examples, the most unusual first
    worst    (k, *shape) these examples, as inputs of the model
    """

    name: str
    score: np.ndarray
    label: np.ndarray | None
    classes: tuple[str, ...]
    places: np.ndarray
    worst: Tensor

    @property
    def kept_out(self) -> bool:
        """Whether these are examples of the classes that data.classes excludes."""
        return self.name == "others"

    def rank(self, place: int) -> int:
        """The position in `worst` of the example at a place. Raises ValueError if it is not there."""
        return self.places.tolist().index(place)

    def class_of(self, place: int) -> str:
        """The name of the class of the example at a place; empty without labels."""
        return "" if self.label is None or not self.classes else self.classes[self.label[place]]


def scored(model: Scores, name: str, batches: Iterable[Batch], classes: tuple[str, ...], most: int) -> Scored:
    """The scores of batches, read once; only the `most` most unusual examples are kept.

    For equal scores the earlier example comes first. Raises BadInput if a score is not finite.
    """
    scores, labels = [], []
    best, places, kept, start = None, None, None, 0  # the scores, places and examples of the worst so far
    for batch in batches:
        score = model.score(batch.input).cpu().double()  # Metal has no float64
        if not score.isfinite().all():
            row = start + int((~score.isfinite()).nonzero()[0])
            raise BadInput(f"the score of example {row} of {name} is not finite: are the inputs, or the weights, huge?")
        scores.append(score)
        labels.append(batch.label)
        own = torch.arange(start, start + len(batch))
        best, places = (score, own) if best is None else (torch.cat([best, score]), torch.cat([places, own]))
        order = best.argsort(descending=True, stable=True)[:most]
        images = batch.input if kept is None else torch.cat([kept, batch.input])
        best, places, kept = best[order], places[order], images[order.to(images.device)]
        start += len(batch)
    label = None if labels[0] is None else torch.cat(labels).cpu().numpy()
    return Scored(name, torch.cat(scores).numpy(), label, classes, places.numpy(), kept)


def ranked(sets: list[Scored]) -> Iterator[tuple[Scored, int]]:
    """All examples of the sets as (set, place in the set), the largest score first."""
    number = np.concatenate([np.full(len(each.score), i) for i, each in enumerate(sets)])
    place = np.concatenate([np.arange(len(each.score)) for each in sets])
    for i in np.argsort(-np.concatenate([each.score for each in sets]), kind="stable"):
        yield sets[number[i]], int(place[i])


def auc(inside: np.ndarray, outside: np.ndarray) -> float:
    """P(score outside > score inside) of scores (N,) and (M,), ties half: the area under the ROC curve, ½ by chance."""
    from sklearn.metrics import roc_auc_score  # a second to import

    truth = np.r_[np.zeros(len(inside)), np.ones(len(outside))]
    return float(roc_auc_score(truth, np.r_[inside, outside]))


def meaning(model: Scores) -> str:
    """The meaning of the model's score, from its docstring, without the shape."""
    text = inspect.getdoc(type(model).score) or inspect.getdoc(Scores.score) or ""
    return " ".join(text.split("\n\n")[0].split()).replace(", (N,)", "").removesuffix(".")
