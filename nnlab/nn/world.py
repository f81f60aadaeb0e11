"""The processes that train one model together: torch.distributed, as `torchrun` starts them; one process needs none of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nnlab.errors import BadInput, RunFailed, one_line
from nnlab.nn.launch import world_size


class World:
    """A process and its peers. With a single process every method returns what it is given.

    rank   the number of this process, from 0; process 0 writes the files
    size   how many there are
    share  the part of the current batch's examples that is in this process; the shares of all processes add up to 1

    All peers must call the same methods in the same order.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self.share = 1 / size

    def mean(self, x: Tensor) -> Tensor:
        """The mean over the whole batch, of means over the examples of each process; of the same shape.

        It is differentiable: `average_gradients` after a backward pass through it gives the gradient of the loss of the whole
        batch.
        """
        return x if self.size == 1 else WeightedSum.apply(x, self.share)

    def sum(self, x: Tensor) -> Tensor:
        """The sum over the processes, of the same shape; without a gradient."""
        return x if self.size == 1 else WeightedSum.apply(x.detach(), 1)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient of a mean loss by that of the mean over the examples of all processes."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = self.mean(torch.cat([g.flatten() for g in gradients]))
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def shard(self, rows: Tensor) -> Tensor:
        """The rows (n, …) of this process; `concat` puts those of all processes together again."""
        return rows if self.size == 1 else rows.tensor_split(self.size)[self.rank]

    def concat(self, batches: Iterable[Sequence[Tensor]]) -> list[Tensor]:
        """Concatenate the tensors (n, …) of all batches of all processes, in the order of the split; (Σ n, …) each."""
        own = [torch.cat(parts) for parts in zip(*batches, strict=True)]
        if self.size == 1:
            return own
        lengths = [int(part["n"]) for part in self.gather({"n": torch.tensor(len(own[0]))})]
        padded = {str(i): torch.cat([x, x.new_zeros(max(lengths) - len(x), *x.shape[1:])]) for i, x in enumerate(own)}
        parts = self.gather(padded)
        return [torch.cat([part[i][:n] for part, n in zip(parts, lengths, strict=True)]) for i in padded]

    def gather(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """The tensors of each process, by rank; they have the same names and shapes everywhere."""
        if self.size == 1:
            return [dict(tensors)]
        parts: list[dict[str, Tensor]] = [{} for _ in range(self.size)]
        for name, x in tensors.items():
            received = [torch.empty_like(x) for _ in range(self.size)]
            with peer_errors():
                dist.all_gather(received, x.contiguous())
            for part, value in zip(parts, received, strict=True):
                part[name] = value
        return parts

    def of_first(self, value: float) -> float:
        """The value of process 0, by which all decide: on other hardware the last bit may differ."""
        if self.size == 1:
            return value
        received = torch.tensor(value, dtype=torch.float64)
        self.broadcast([received])
        return received.item()

    def agree(self, flag: bool) -> bool:
        """Whether it is true for any of the processes."""
        if self.size == 1:
            return flag
        return bool(self.sum(torch.tensor(float(flag))) > 0)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of process 0."""
        if self.size > 1:
            with peer_errors():
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


@contextmanager
def peer_errors() -> Iterator[None]:
    """Raise RunFailed where a peer cannot be reached any more."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = f"torchrun: another process has ended, or cannot be reached ({one_line(error)}); what it printed says why"
        raise RunFailed(reason) from error


class WeightedSum(torch.autograd.Function):
    """Σ_r w_r x_r over the processes r. A gradient goes back as Σ_r w_r g_r.

    With the loss Σ_r w_r L_r of all processes, this is 1/w_r of the gradient at x_r; averaging the parameters' gradients
    multiplies by w_r.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        """The sum; every process gets the same bits."""
        ctx.weight = weight
        total = x * weight
        with peer_errors():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The same sum, of gradients."""
        return WeightedSum.apply(gradient.contiguous(), ctx.weight), None


def tensors_of(model: nn.Module) -> list[Tensor]:
    """The parameters and buffers of a model."""
    return [*model.parameters(), *model.buffers()]


ALONE = World()


@cache
def join() -> World:
    """The world that `torchrun` has started, or this process alone.

    Raises BadInput if the peers cannot be reached.
    """
    if world_size() == 1:
        return ALONE
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    except (RuntimeError, ValueError) as error:
        raise BadInput(f"torchrun: the other processes cannot be reached ({str(error).splitlines()[0]})") from error
    return World(dist.get_rank(), dist.get_world_size())
