"""Distillation: a classifier that learns from the answers of an earlier one."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.checkpoints.reference import RunReference
from nnlab.config.constraints import Between, MoreThan
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import ArgumentError
from nnlab.families.classifier.base import Classifier, classification
from nnlab.families.classifier.transfer import refuse_other_inputs
from nnlab.model import Classifies, Joint, Metric, Model, can
from nnlab.nn.bodies import Body, undecayed
from nnlab.nn.float64 import to_float64

LEAST = torch.finfo(torch.float32).tiny  # of a probability, before its logarithm; smaller numbers are flushed to 0
TAUGHT = "teacher"  # the part of a batch that holds the teacher's logits, where they are known already


class Distillation(Classifier):
    """A student that learns from the softened answers of a teacher, and from the labels (Hinton, Vinyals & Dean 2015,
    "Distilling the knowledge in a neural network").

    p = softmax(teacher's logits / T),   q = softmax(student's logits / T)
    loss = α T² KL(p ‖ q) + (1 − α) (−log q₁(label|x)),   nats per example, q₁ with T = 1

    KL(p ‖ q) = Σ_c p_c log (p_c / q_c) is a sum over the classes. Its gradient is about 1/T² of that of the labels; T² makes up
    for it. The teacher, an earlier run, does not learn, and has no dropout and no statistics of the batch. Its logits of the
    whole training set are computed once, unless inputs differ from epoch to epoch (augmentation, noise, drawn bits): then it
    sees what the student sees.

    Figures:
    loss       in training as above; on the other splits −log q₁(label|x) alone, as of any classifier; nats per example
    soft_loss  T² KL(p ‖ q), nats per example; recorded in training
    hard_loss  −log q₁(label|x), nats per example; recorded in training
    teacher_accuracy   share of the examples that the teacher classifies right
    teacher_agreement  share of the examples that student and teacher take for the same class; higher is better

    body         the student's
    teacher      the earlier run: any classifier of the same classes
    temperature  T
    alpha        α
    """

    trainer = "nnlab.families.classifier.distillation_trainer:DistillationTrainer"

    def __init__(
        self,
        spec: DataSpec,
        *,
        body: Body,
        teacher: RunReference,
        temperature: Annotated[float, MoreThan(0)] = 20.0,
        alpha: Annotated[float, Between(0, 1)] = 0.9,
    ) -> None:
        super().__init__(spec, *body.build(spec.shape))
        self.teacher, self.earlier = teacher_of(teacher, spec), teacher
        self.temperature, self.alpha = temperature, alpha

    def init_from_data(self, split: Split) -> None:
        """Take over the teacher's weights."""
        self.teacher.load_state_dict(self.earlier.weights())

    def players(self) -> dict[str, list[nn.Module]]:
        return {"": [self.body, self.head]}

    @property
    def size(self) -> int:
        return sum(p.numel() for module in (self.body, self.head) for p in module.parameters())

    def train(self, mode: bool = True) -> Distillation:
        """Set the training mode; the teacher stays in evaluation mode. Returns itself."""
        super().train(mode)
        self.teacher.eval()
        return self

    def undecayed(self) -> list[nn.Parameter]:
        return [*undecayed(self.body), self.head.bias]

    @torch.no_grad()
    def taught(self, x: Tensor) -> Tensor:
        """The teacher's logits, (N, classes) float32, up to a constant of each example."""
        if isinstance(self.teacher, Classifier):
            return self.teacher.logits(x)
        return self.teacher.classify(x).float().clamp(min=LEAST).log()

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        logits = self.logits(batch.input)
        hard = classification(logits, batch.label)
        known = batch[TAUGHT] if TAUGHT in batch.extra else self.taught(batch.input)
        p, q = ((each / self.temperature).log_softmax(1) for each in (known, logits))
        soft = self.temperature**2 * (p.exp() * (p - q)).sum(1)
        loss = self.alpha * soft + (1 - self.alpha) * hard["loss"]
        return {"loss": loss, "accuracy": hard["accuracy"], "soft_loss": soft, "hard_loss": hard["loss"]}

    def metrics(self) -> list[Metric]:
        def values(batch: Batch, _: torch.Generator) -> tuple[Tensor, ...]:
            own, other = self.logits(batch.input).argmax(1), self.taught(batch.input).argmax(1)
            return other == batch.label, own == other

        def shares(right: Tensor, same: Tensor) -> dict[str, float]:
            return {"teacher_accuracy": to_float64(right).mean().item(), "teacher_agreement": to_float64(same).mean().item()}

        return [Joint(values, shares, {"teacher_accuracy": None, "teacher_agreement": "higher"})]


def teacher_of(run: RunReference, spec: DataSpec) -> Model:
    """The teacher, its weights at random. Raises ArgumentError for one that is no classifier of these data's classes."""
    model = run.build().requires_grad_(False).eval()
    if not can(model, Classifies):
        raise ArgumentError(
            "teacher",
            f"{run.run} holds {type(model).__name__}, which cannot {Classifies.__doc__}; give a classifier, such as cnn",
        )
    refuse_other_inputs(run.spec, spec, "model.teacher")
    if run.spec.classes != spec.classes:
        mine, other = (", ".join(names) for names in (spec.classes, run.spec.classes))
        raise ArgumentError("teacher", f"{run.run} tells other classes apart ({other}) than {spec.name} has ({mine})")
    return model
