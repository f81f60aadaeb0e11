"""What a model is.

A model has only the mathematics: its loss in named terms, and capabilities. The family's base class names its trainer
(`trainer`); a verb needs a capability, not a family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.model.capabilities import Classifies, Encodes, Reconstructs, can
from nnlab.model.metric import Metric
from nnlab.model.turn import Step, Turn
from nnlab.nn.resize import enlarged
from nnlab.nn.world import ALONE, World


class Model(nn.Module):
    """Base of every model; built from the data's spec and the keys of its YAML (keyword-only parameters)."""

    trainer: ClassVar[str] = "nnlab.training.gradient:LossTrainer"
    """The trainer, as "module:class"; a family's base class sets it. It is text, since models do not import trainers."""
    needs: ClassVar[tuple[str, ...]] = ()
    """The parts of an example that it needs besides the target: "caption"; "input" if it must be another than the target."""
    places: ClassVar[tuple[str, ...]] = ()
    """Parts that say where something is in an image, such as `box`: of these its config chooses the one that it needs."""
    resizes: ClassVar[bool] = False
    """Whether its input may differ from its target in shape. Then a noise may make the input of the target."""
    views: ClassVar[int] = 1
    """How many views of an example it learns from, each augmented by another draw: the target, `view_2`, …"""
    distributes: ClassVar[bool] = False
    """Whether several processes can train it together. A statistic of a batch must go through `world`."""
    world: World = ALONE
    """The processes that share a batch; in training `world.mean` turns each process's mean into that of the batch."""
    examples_per_class: int | None = None
    """K, if a training batch must hold groups of K examples of a class, side by side; None: any examples."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.spec = spec
        self._input_shape = spec.input.shape

    @property
    def size(self) -> int:
        """The number of learned parameters."""
        return sum(p.numel() for p in self.parameters())

    @property
    def makes_examples(self) -> bool:
        """Whether the model learns to make examples in this stage, or has; False before: then none are judged or shown."""
        return True

    def check(self, x: Tensor) -> Tensor:
        """The inputs themselves. Raises ValueError unless they are (N, *shape), the shape of the input."""
        shape = self._input_shape
        if x.shape[1:] != shape:
            expected = ", ".join(map(str, shape))
            raise ValueError(f"{type(self).__name__}: expected inputs (N, {expected}), got {tuple(x.shape)}")
        return x

    def init_from_data(self, split: Split) -> None:
        """Initialize from the training data, once, before the first step. By default nothing."""

    def remarks(self, split: Split) -> list[str]:
        """Messages about these training data and this model; shown once at the start of a run."""
        return []

    def metrics(self) -> list[Metric]:
        """The model's own metrics, besides those of its family; new objects at each call.

        Each is explained in the docstring of the model's class, under `Figures:`.
        """
        return []

    def rivals(self) -> dict[str, Callable[[Batch], Tensor]]:
        """Simpler ways to make an output (N, *shape) of a batch, by name; a judge compares them with the model's own outputs.

        By default, of pairs of images, `input`: the input itself, enlarged (bicubic) if it is smaller.
        """
        spec = self.spec
        if spec.kind != "image" or not spec.paired or spec.input.shape[0] not in (1, spec.shape[0]):
            return {}
        return {"input": lambda batch: enlarged(batch.input, spec.shape)}

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """Pictures of the model's own, each (H, W, 3) uint8 by its name.

        few      a few examples to show
        batches  about a thousand examples for statistics
        """
        return {}

    def forward(self, x: Tensor) -> Tensor:
        """The output for inputs (N, *shape): reconstructions, else class probabilities (N, C), else codes (N, d).

        Raises TypeError if it can do none of it, as a GAN without an encoder.
        """
        for capability, name in ((Reconstructs, "reconstruct"), (Classifies, "classify"), (Encodes, "encode")):
            if can(self, capability):
                return getattr(self, name)(x)
        raise TypeError(f"{type(self).__name__} takes no input; it draws new examples: model.sample(16)")

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Named terms, each (N,) float32, one value per image; training minimises the mean of `loss`.

        An update calls it in training mode, an evaluation in evaluation mode, without gradients. All random numbers come from
        `generator`.
        """
        raise NotImplementedError

    # -- how it learns: stages of a run, players and turns of a step ----------------------------------------------

    def stages(self) -> tuple[str, ...]:
        """The names of the stages in which it learns, in order; the last has none. By default there is only this one.

        Each stage has its own length, optimizers, early stopping and best weights (`trainer.pretraining`).
        """
        return ("",)

    def start_stage(self, stage: int) -> None:
        """Called when a stage starts (from 0), and before a run goes on in it: `players`, `loss` and `turns` are now its."""

    def init_stage(self, batches: Iterable[Batch]) -> None:
        """Initialize what a later stage trains, from the training data; called once, before its first update."""

    @property
    def near_batches(self) -> bool:
        """Whether the batches of this stage are of examples that are near by `nearness`, from its second epoch on.

        It is for a trainer by gradient, and goes neither with `examples_per_class` nor with parts that are not paired.
        """
        return False

    def nearness(self, batch: Batch) -> Tensor:
        """(N, d): examples whose vectors are near come into the same batches, if `near_batches`."""
        raise NotImplementedError

    def players(self) -> dict[str, list[nn.Module]]:
        """The modules that learn in this stage, those of each player; each has its optimizer. A single player has no name."""
        return {"": [self]}

    def undecayed(self) -> list[nn.Parameter]:
        """The parameters that weight decay leaves as they are. By default it makes all smaller."""
        return []

    def turns(self, batch: Batch, step: Step) -> Iterator[Turn]:
        """The turns of an update. After each the players that have a loss make a step; then the next turn is computed.

        By default one turn, which minimises the mean of `loss`. On a GPU all turns are captured as one CUDA graph: device code
        alone, and nothing that depends on the data in Python.
        """
        terms = {name: term.mean() for name, term in step.losses(batch).items()}
        yield Turn({"": terms["loss"]}, terms)
