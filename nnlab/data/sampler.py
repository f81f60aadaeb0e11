"""Which rows of a split are in a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.nn.world import ALONE, World

STAGE_STRIDE = 2**32  # more epochs than a stage has, so that each stage has its own orders


class Sampler:
    """Batches of the rows of a split: a new permutation in each epoch.

    The order depends only on the seed, the stage and the epoch. So a run that resumes in the middle of an epoch, or with more
    epochs, sees the same batches.

    drop_last  whether a last, smaller batch of an epoch is left out, if it is not the only one
    world      the processes that share each batch; a last batch with fewer examples than processes is left out
    """

    def __init__(self, split: Split, batch_size: int, seed: int, *, drop_last: bool = False, world: World = ALONE) -> None:
        """Raises BadInput if the processes do not divide a batch."""
        if batch_size % world.size:
            raise BadInput(
                f"trainer.batch_size: {batch_size} images cannot be divided among {world.size} processes; "
                f"give a multiple of {world.size}"
            )
        self.split, self.batch_size, self.seed, self.world = split, batch_size, seed, world
        whole, rest = divmod(len(split), batch_size)
        self.steps_per_epoch = whole + (rest >= world.size and not (whole and drop_last))
        self._order: tuple[int, int, Tensor] | None = None

    @property
    def images_per_epoch(self) -> int:
        """The number of examples per epoch; smaller than the split if the last, smaller batch is left out."""
        return min(len(self.split), self.steps_per_epoch * self.batch_size)

    def order(self, stage: int, epoch: int) -> Tensor:
        """(n,) the rows in the order of an epoch of a stage."""
        if self._order is None or self._order[:2] != (stage, epoch):
            self._order = (stage, epoch, self.drawn(self.seed_of(stage, epoch)))
        return self._order[2]

    def seed_of(self, stage: int, epoch: int) -> int:
        """The seed of the order of an epoch of a stage."""
        return hash_seed(self.seed, epoch + stage * STAGE_STRIDE)

    def drawn(self, seed: int) -> Tensor:
        """(n,) the rows in a random order, by this seed; with unpaired parts (n, 1 + parts), a column for each.

        A longer part shows other rows in each epoch, a shorter one is shuffled anew as often as it is used up.
        """
        own = shuffled(self.split.rows, seed)
        columns = [own]
        for i, rows in enumerate(self.split.unpaired.values(), start=1):
            times = -(-len(own) // len(rows))
            columns.append(torch.cat([shuffled(rows, hash_seed(seed, i + STAGE_STRIDE * j)) for j in range(times)])[: len(own)])
        return torch.stack([column.to(own.device) for column in columns], 1) if self.split.unpaired else own

    def rows(self, stage: int, step: int) -> Tensor:
        """The rows of this process in the batch of a step (from 0) of a stage."""
        return self.of_batch(self.order(stage, step // self.steps_per_epoch), step)

    def of_batch(self, order: Tensor, step: int) -> Tensor:
        """The rows of this process in the batch of a step, by an order (n,) of its epoch."""
        return self.world.shard(order[self.part(step % self.steps_per_epoch)])

    def length(self, step: int) -> int:
        """The number of examples in the batch of a step, in all processes."""
        return min(self.batch_size, len(self.split) - step % self.steps_per_epoch * self.batch_size)

    def sequential(self, step: int) -> Tensor:
        """The rows of this process in the batch of a step, in the order of the file; a pass reads each row once."""
        return self.of_batch(self.split.rows, step)

    def part(self, position: int) -> slice:
        """The places of a batch within an epoch."""
        return slice(position * self.batch_size, (position + 1) * self.batch_size)


class GroupSampler(Sampler):
    """Batches of groups of K examples of one class, side by side. In an epoch each example is in one group at most.

    Several groups of a batch may be of the same class. Examples of a class that do not fill a group are left out of an epoch;
    another epoch has others.

    each  K
    """

    def __init__(self, split: Split, batch_size: int, seed: int, each: int, world: World = ALONE) -> None:
        """Raises BadInput if batches of this kind are impossible."""
        super().__init__(split, batch_size, seed, drop_last=True, world=world)
        if not split.labelled:
            raise BadInput("model: its batches are of classes, but the data have no labels")
        if batch_size // world.size % each:
            raise BadInput(
                f"trainer.batch_size: a step has {batch_size // world.size} examples, no multiple of {each}; "
                f"the model compares {each} examples of a class"
            )
        if len(split.rows.unique()) < len(split.rows):
            raise BadInput("data.oversample: repeats examples, which this model would compare with themselves; leave it out")
        self.each = each
        labels = split.labels(split.rows).cpu()
        rows = split.rows.cpu()
        groups = [rows[labels == c] for c in labels.unique()]
        self.groups = [group for group in groups if len(group) >= each]
        if not self.groups:
            raise BadInput(
                f"model: it learns from {each} examples of a class together, but no class has so many; give more data, or a "
                "smaller model.examples_per_class"
            )
        whole = sum(len(group) // each for group in self.groups) * each
        self.images = min(whole, max(whole // batch_size, 1) * batch_size)
        self.steps_per_epoch = -(-self.images // batch_size)

    @property
    def images_per_epoch(self) -> int:
        return self.images

    def length(self, step: int) -> int:
        return min(self.batch_size, self.images - step % self.steps_per_epoch * self.batch_size)

    def drawn(self, seed: int) -> Tensor:
        """(n,) the rows of an epoch's batches."""
        generator = torch.Generator().manual_seed(seed)
        groups = torch.cat([self.grouped(rows, generator) for rows in self.groups])
        chosen = groups[torch.randperm(len(groups), generator=generator)].flatten()
        return chosen[: self.images].to(self.split.rows.device)

    def grouped(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """(groups, K) the rows of a class in groups, drawn anew."""
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        return shuffled[: len(rows) // self.each * self.each].view(-1, self.each)


def shuffled(rows: Tensor, seed: int) -> Tensor:
    """(n,) the rows in a random order, by this seed."""
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).to(rows.device)]


def hash_seed(seed: int, number: int) -> int:
    """One seed from two numbers; (0, 1) and (1, 0) give independent seeds (the finalizer of splitmix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + number + 0xD1B54A32D192ED03) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return (z ^ (z >> 31)) % 2**63
