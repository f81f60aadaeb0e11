"""The processes that train one model together: torch.distributed, as `torchrun` starts them; one process needs none of it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from functools import cache

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nnlab.errors import BadInput


class World:
    """A process and its peers. With a single process every method returns what it is given.

    rank  the number of this process, from 0; process 0 writes the files
    size  how many there are
    All peers must call the same methods in the same order.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def mean(self, x: Tensor, share: float) -> Tensor:
        """The weighted sum of a tensor over the processes, of the same shape: a mean over the examples of all.

        share  of the batch's examples that this process has; the shares of all processes add up to 1
        """
        if self.size == 1:
            return x
        total = x * share
        dist.all_reduce(total)
        return total

    def average_gradients(self, parameters: Iterable[nn.Parameter], share: float) -> None:
        """Replace each gradient of a mean loss by that of the mean over the examples of all processes; `share` as in `mean`."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = self.mean(torch.cat([g.flatten() for g in gradients]), share)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def gather(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """The tensors of each process, by rank; they have the same names and shapes everywhere."""
        if self.size == 1:
            return [dict(tensors)]
        parts: list[dict[str, Tensor]] = [{} for _ in range(self.size)]
        for name, x in tensors.items():
            received = [torch.empty_like(x) for _ in range(self.size)]
            dist.all_gather(received, x.contiguous())
            for part, value in zip(parts, received, strict=True):
                part[name] = value
        return parts

    def agree(self, flag: bool) -> bool:
        """Whether it is true for any of the processes."""
        if self.size == 1:
            return flag
        votes = torch.tensor(float(flag))
        dist.all_reduce(votes)
        return bool(votes > 0)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of process 0."""
        if self.size > 1:
            for x in tensors:
                dist.broadcast(x.detach(), 0)

    def check_same(self, what: Mapping[str, str]) -> None:
        """Raise BadInput, naming the first difference, unless these texts are the same in every process."""
        if self.size == 1:
            return
        marks = torch.tensor([zlib.crc32(text.encode()) for text in what.values()], dtype=torch.int64)
        for rank, part in enumerate(self.gather({"marks": marks})):
            for name, own, other in zip(what, marks.tolist(), part["marks"].tolist(), strict=True):
                if own != other:
                    dist.barrier()  # until the others have seen it, too: one that ends at once would cut them off
                    raise BadInput(f"torchrun: processes {self.rank} and {rank} differ in {name}; start all of them alike")


def tensors_of(model: nn.Module) -> list[Tensor]:
    """The parameters and buffers of a model."""
    return [*model.parameters(), *model.buffers()]


ALONE = World()


@cache
def join() -> World:
    """The world that `torchrun` has started, or this process alone.

    Raises BadInput if the peers cannot be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    try:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    except (RuntimeError, ValueError) as error:
        raise BadInput(f"torchrun: the other processes cannot be reached ({str(error).splitlines()[0]})") from error
    return World(dist.get_rank(), dist.get_world_size())
