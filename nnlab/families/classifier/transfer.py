"""Transfer learning: a classifier on the codes of an earlier run's encoder."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from nnlab.checkpoints.reference import RunReference
from nnlab.data.feed import BatchBuilder
from nnlab.data.sampler import shuffled
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.classifier.base import Classifier
from nnlab.model import Encodes, Model, can, code_width
from nnlab.nn.float64 import to_float64
from nnlab.nn.mlp import ACTIVATIONS, Activation, Dropout, Width
from nnlab.nn.settle import settle


class Transfer(Classifier):
    """A classifier on the encoder of an earlier run (Yosinski et al. 2014, "How transferable are features …").

    φ(x) = h((e(x) − m)/s), e the earlier run's encoder, m and s the mean and the standard deviation of each coordinate of
    its codes over the training set, h fully connected layers of the widths `hidden`; [] is a linear probe. The
    earlier run may have learned without labels, or from other classes.

    encoder  the earlier run
    weights  earlier: the learned weights; random: initial weights, for comparison. Their batch normalisation starts with the
             statistics of the training set
    frozen   True: e does not change; False: it learns with the head
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        encoder: RunReference,
        weights: Literal["earlier", "random"] = "earlier",
        frozen: bool = True,
        hidden: list[Width] = (),
        activation: Activation = "silu",
        dropout: Dropout = 0.0,
    ) -> None:
        if dropout and not hidden:
            raise BadInput("model.dropout: has no effect without hidden layers; give model.hidden, or leave it out")
        body = Encoder(encoder.build(), frozen)
        refuse_other_inputs(encoder.spec, spec)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([body.width, *hidden]):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation](), nn.Dropout(dropout)]
        super().__init__(spec, nn.Sequential(body, *layers), [body.width, *hidden][-1])
        self.earlier, self.learned = encoder, weights == "earlier"

    def init_from_data(self, split: Split) -> None:
        encoder = self.body[0]
        if self.learned:
            encoder.model.load_state_dict(self.earlier.weights())
        if code_width(encoder.model) != encoder.width:
            raise BadInput(f"model.encoder: {self.earlier.run} has not reached its last stage; resume it first")
        generator = torch.Generator(split.device).manual_seed(0)  # for bits that are drawn again at each reading
        feed = BatchBuilder(split)
        if not self.learned:
            mixed = shuffled(split.rows, 0)  # a file may be sorted by class
            settle(encoder.model, encoder.model.encode, (batch.input for batch in feed.sequential(generator, mixed)))
        encoder.standardize(batch.input for batch in feed.sequential(generator))


class Encoder(nn.Module):
    """The standardised codes of a model; if frozen, it does not learn and has no dropout."""

    def __init__(self, model: Model, frozen: bool) -> None:
        super().__init__()
        if not can(model, Encodes):
            raise BadInput(
                f"model.encoder: {type(model).__name__} cannot {Encodes.__doc__}; give a run of an encoder, such as ae"
            )
        self.model, self.frozen = model, frozen
        self.width = code_width(model)
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("std", torch.ones(self.width))
        if frozen:
            model.requires_grad_(False)
        elif not any(parameter.requires_grad for parameter in model.parameters()):
            raise BadInput(f"model.frozen: {type(model).__name__} has no weights that learn by gradient; leave it true")

    def train(self, mode: bool = True) -> Encoder:
        """Set the training mode as `nn.Module.train` does; a frozen encoder stays in evaluation mode. Returns itself."""
        return super().train(mode and not self.frozen)

    @torch.no_grad()
    def standardize(self, batches: Iterable[Tensor]) -> None:
        """Measure m and s; for a coordinate that never changes s is 1."""
        was = self.model.training
        codes = to_float64(torch.cat([self.model.eval().encode(x) for x in batches]))
        self.model.train(was)
        std = codes.std(0, correction=0)
        self.mean.copy_(codes.mean(0))
        self.std.copy_(torch.where(std > 1e-6 * codes.abs().amax(0), std, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """(e(x) − m)/s, (N, width), of inputs (N, *shape)."""
        return (self.model.encode(x) - self.mean) / self.std


KIND = {"image": "images", "table": "rows"}


def refuse_other_inputs(earlier: DataSpec, now: DataSpec, place: str = "model.encoder") -> None:
    """Raise BadInput unless the new run's data have the same kind of inputs as the earlier run's, which `place` names."""
    if (earlier.kind, earlier.shape) != (now.kind, now.shape):
        shapes = ["×".join(map(str, spec.shape)) for spec in (earlier, now)]
        raise BadInput(
            f"{place}: it takes {KIND[earlier.kind]} of {shapes[0]} ({earlier.name}), "
            f"but {now.name} has {KIND[now.kind]} of {shapes[1]}"
        )
    if (earlier.mean, earlier.std) != (now.mean, now.std):
        raise BadInput(
            f"{place}: it has learned from columns that were standardised in another way ({earlier.name}); "
            "use the same data, data.seed, data.validation and data.limit, or data.standardize=false for both"
        )
