"""The trainer of encoders without a decoder: at each evaluation it tells what the codes are good for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nnlab.data.classes import need_test_labels
from nnlab.data.feed import BatchBuilder
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.contrastive.options import EncoderOptions
from nnlab.families.contrastive.show import neighbours_picture, views_picture
from nnlab.metrics import probe
from nnlab.metrics.representation import alignment, effective_rank, knn_accuracy, uniformity
from nnlab.nn.float64 import to_float64
from nnlab.plotting.embedding import code_plot
from nnlab.training.gradient import LossTrainer
from nnlab.training.randomness import fork_rng
from nnlab.training.trainer import Preview, TrainerContext, evaluating

CODED = 5000  # at most this many examples of a split are encoded for the figures of its codes
PAIRED = 1000  # and this many in two views
LOOKS = 3  # records in a row at which all codes are one point, before a run says so


class EncoderTrainer(LossTrainer):
    """Gradient descent; loss and figures of codes.

    Figures:
    knn_accuracy    share of the examples whose class the 20 nearest training codes (by the cosine) predict correctly; higher is
                    better
    probe_accuracy  accuracy of a logistic regression on the codes; higher is better. It and the neighbours are of
                    trainer.probe_labels labelled training examples. Both are left out if a class has no labelled example, and
                    for the training split
    effective_rank  exp of the entropy of the singular values of the codes, as shares (Roy & Vetterli 2007): how many directions
                    are used; 1: the codes lie on a line, 0: all are one point
    uniformity      log E exp(−2 ‖z − z′‖²) of codes of length 1 (Wang & Isola 2020): 0 if all are one point, about −4 if they
                    are spread over a sphere; lower is better
    alignment       E ‖z − z′‖² of the codes, of length 1, of two views of an example (Wang & Isola 2020); lower is better
    """

    options = EncoderOptions
    uses = frozenset({"optimizer", "augmentation"})
    drop_last = True  # a small last batch has few others to compare with
    lower = LossTrainer.lower | {"uniformity", "alignment", "invariance", "redundancy"}
    higher = LossTrainer.higher | {"knn_accuracy", "probe_accuracy", "contrastive_accuracy"}

    collapsed = 0
    """Records in a row at which all codes are one point."""

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        if self.batch_size < 2 and self.model.compares:
            raise BadInput("trainer.batch_size: 1 example has no other to compare with; give more")
        if self.model.of_classes:
            need_test_labels(self.data)
        if self.settings.probe_labels == 1:
            raise BadInput("trainer.probe_labels: a classifier needs two labelled examples; give more, or 0 for no classifier")

    def evaluate_split(self, split: str) -> dict[str, float]:
        """The loss, in groups about as large as in training, on which it depends; and the figures of the codes."""
        own, sums = self.data.split(split), {}
        with fork_rng(self.seed, self.device) as generator, evaluating(self.model):
            feed, groups = self.builder(own), self.groups(own)
            for rows in groups:
                for name, values in self.loss_terms(feed.batch(rows, generator), generator).items():
                    sums[name] = sums.get(name, 0) + to_float64(values).sum()
            means = {name: total.item() / sum(map(len, groups)) for name, total in sums.items()}
            return means | self.code_figures(split, generator)

    def groups(self, own: Split) -> Sequence[Tensor]:
        """The rows of a split in random groups about as large as a batch."""
        mixed = own.rows[torch.randperm(len(own), generator=torch.Generator().manual_seed(0)).to(own.rows.device)]
        return mixed.tensor_split(max(1, round(len(own) / self.batch_size)))

    def code_figures(self, split: str, generator: torch.Generator) -> dict[str, float]:
        """The figures of the codes of a split."""
        own = self.data.split(split)
        rows = own.spread(CODED)
        codes, label = self.codes(own, rows, generator), own.labels(rows)
        if not codes.isfinite().all():
            return {"effective_rank": float("nan")}
        figures = {"effective_rank": effective_rank(codes), "uniformity": uniformity(codes)} if len(codes) > 1 else {}
        if self.model.views > 1:
            figures["alignment"] = alignment(*self.codes_of_views(own, generator))
        if label is None:
            return figures
        known = {} if split in ("held_out", "train") else self.classified(codes, label, generator)
        return figures | known | self.retrieved(codes, label)

    def codes_of_views(self, own: Split, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(n, d) float32 of two views of examples of a split."""
        batches = self.builder(own).sequential(generator, own.spread(PAIRED))
        pairs = [[self.model.encode(view) for view in (batch.target, batch["view_2"])] for batch in batches]
        first, second = (torch.cat(codes).float() for codes in zip(*pairs, strict=True))
        return first, second

    def retrieved(self, codes: Tensor, label: Tensor) -> dict[str, float]:
        """Figures of codes (N, d) as queries for each other, with their classes (N,). By default none."""
        return {}

    def classified(self, codes: Tensor, label: Tensor, generator: torch.Generator) -> dict[str, float]:
        """How well classifiers of labelled training codes tell these; nothing for other classes."""
        train, wanted = self.data.train, self.settings.probe_labels
        rows = train.spread(wanted)
        known = train.labels(rows) if wanted else None
        if known is None or not torch.isin(label, known).all() or len(known.unique()) < 2:
            return {}
        own = self.codes(train, rows, generator)
        scaling = probe.scaling_of(own.cpu().numpy())
        fit = [scaling(own.cpu().numpy()), known.cpu().numpy(), scaling(codes.cpu().numpy()), label.cpu().numpy()]
        return {"knn_accuracy": knn_accuracy(codes, label, own, known), "probe_accuracy": probe.accuracy(*fit)[0]}

    def codes(self, split: Split, rows: Tensor, generator: torch.Generator) -> Tensor:
        """(n, d) float32 of these rows of a split, which are not augmented."""
        return torch.cat([self.model.encode(batch.target) for batch in BatchBuilder(split).sequential(generator, rows)]).float()

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        """Codes on their principal plane; the nearest to some examples; and what two views of an example are."""
        spec, batches = self.model.spec, view.batches
        x = torch.cat([batch.target for batch in batches])
        if self.model.views > 1:  # these are augmented; the codes are of the examples as they are
            split = self.data.validation if len(self.data.validation) else self.data.train
            x = split.values(split.spread(len(x)))
        label = torch.cat([batch.label for batch in batches]) if batches[0].label is not None else None
        codes = self.model.encode(x).float()
        numbers = None if label is None else label.cpu().numpy()
        pictures = {"codes": code_plot(codes.cpu().numpy(), numbers, spec.classes)}
        if spec.kind == "image":
            pictures["neighbours"] = neighbours_picture(x, codes, label, spec, self.model.compared_by)
            if self.model.views > 1:
                pictures["views"] = views_picture(view.few, spec)
        return pictures

    def check_health(self, means: dict[str, float]) -> None:
        remedy = self.model.collapse(means, min(self.batch_size, self.sampler.images_per_epoch))
        self.collapsed = self.collapsed + 1 if remedy else 0
        if self.collapsed == LOOKS:
            self.notices.append(f"the loss stays at {means['loss']:.3g}: all embeddings have become one point. {remedy}")

    def state(self) -> dict:
        return {**super().state(), "collapsed": self.collapsed}

    def restore(self, state: dict) -> None:
        """Restore what `state` returned, and how often the embeddings were one point."""
        super().restore(state)
        self.collapsed = state["collapsed"]
