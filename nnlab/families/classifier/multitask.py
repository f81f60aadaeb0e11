"""A classifier of several labels at once."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.config.constraints import NonEmpty
from nnlab.data.classes import need_classes
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import ArgumentError, nearest, shortened
from nnlab.families.classifier.base import classification
from nnlab.model import Model
from nnlab.nn.bodies import Body, undecayed
from nnlab.plotting.images import lines, sheet, to_pixels

SHOWN = 8  # images of a picture


class MultiTask(Model):
    """One body with a linear layer for each of K labels (Caruana 1997, "Multitask learning").

    p_k(c|x) = softmax(V_k φ(x) + b_k),   loss = Σ_k −log p_k(label_k|x), nats per example

    The data have the labels as parts, as `scenes` has the class, the colour, the size and the place of each object. Of data
    without such parts it learns the label, as any classifier.

    Pictures: `read_labels` shows images and what is read from them; in brackets behind it what is right, where that is wrong.
    `codes` shows φ on its principal plane.

    body    φ
    labels  the names of the labels; auto: all that can be read from an example and have several values
    """

    trainer = "nnlab.families.classifier.trainer:MultiTaskTrainer"
    distributes = True

    def __init__(
        self, spec: DataSpec, *, body: Body, labels: Literal["auto"] | Annotated[list[str], NonEmpty()] = "auto"
    ) -> None:
        super().__init__(spec)
        self.labels = chosen_labels(labels, spec)
        self.body, width = body.build(spec.shape)
        self.heads = nn.ModuleList(nn.Linear(width, len(spec[name].names)) for name in self.labels)

    def features(self, x: Tensor) -> Tensor:
        """φ(x), (N, width)."""
        return self.body(self.check(x)).float()

    def encode(self, x: Tensor) -> Tensor:
        """φ(x), (N, width)."""
        return self.features(x)

    def logits(self, features: Tensor) -> dict[str, Tensor]:
        """log p_k(c|x) up to a constant, (N, classes of the label), by the label's name, of φ(x), (N, width)."""
        return {name: head(features).float() for name, head in zip(self.labels, self.heads, strict=True)}

    def decide_labels(self, features: Tensor) -> dict[str, Tensor]:
        """p_k(c|x), (N, classes of the label), by the label's name, of φ(x), (N, width)."""
        return {name: logits.softmax(1) for name, logits in self.logits(features).items()}

    def of_each(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """−log p_k(label_k|x) in nats, and whether the label is read right, (N, K) each."""
        logits = self.logits(self.features(batch.input))
        terms = [classification(own, batch[name]) for name, own in logits.items()]
        loss, right = (torch.stack([term[of] for term in terms], 1) for of in ("loss", "accuracy"))
        return loss, right

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        loss, right = self.of_each(batch)
        return {"loss": loss.sum(1), "accuracy": right.mean(1), "exact_match": right.amin(1)}

    def undecayed(self) -> list[nn.Parameter]:
        return [*undecayed(self.body), *(head.bias for head in self.heads)]

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """Images beside the labels that are read from them."""
        if self.spec.kind != "image":
            return {}
        few = few.map(lambda part: part[:SHOWN])
        read = {name: own.argmax(1).tolist() for name, own in self.logits(self.features(few.input)).items()}
        right = {name: few[name].tolist() for name in read}
        titles = [
            lines(", ".join(self.said(name, read[name][i], right[name][i]) for name in self.labels)) for i in range(len(few))
        ]
        return {"read_labels": sheet(to_pixels(few.input, self.spec)[:, None], titles)}

    def said(self, name: str, read: int, right: int) -> str:
        """What is read of a label, in brackets the right one where it is another."""
        names = self.spec[name].names
        return names[read] if read == right else f"{names[read]} ({names[right]})"


def chosen_labels(labels: str | list[str], spec: DataSpec) -> tuple[str, ...]:
    """The names of the labels to learn. Raises ArgumentError for one that the data do not have, or that has one value alone."""
    legal = {name: part.names for name, part in spec.parts.items() if part.kind == "label" and part.of_target}
    if not any(set(spec.classes) <= set(names) for names in legal.values()):  # else the label is one of these parts
        legal["label"] = spec.classes
    able = [name for name, names in legal.items() if len(names) > 1]
    if not able:
        need_classes(spec, "a classifier learns from classes")
    for i, name in enumerate(() if labels == "auto" else labels):
        if name not in able:
            why = f"has one value alone, {legal[name][0]}" if name in legal else f"is no label of {spec.name}"
            raise ArgumentError("labels", f"{shortened(name)} {why}; {nearest(name, able)}")
        if name in labels[:i]:
            raise ArgumentError("labels", f"{name} is there twice; give each once")
    return tuple(able if labels == "auto" else labels)
