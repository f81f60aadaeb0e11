"""What a CUDA graph does, on a CPU: operations recorded once with their tensors and Python's numbers, and done again.

So a number of Python's that changes is frozen, and a tensor that is not written in place is not seen, just as on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Tape(TorchDispatchMode):
    """Records every operation with the very tensors that it reads and writes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        # an alias, since a later squeeze_ changes the shape of the result itself
        kept = [x.detach() if isinstance(x, Tensor) else x for x in tree_leaves(result)]
        self.calls.append((function, args, kwargs or {}, kept))
        return result

    @torch.no_grad()
    def play(self) -> None:
        """Do it all again, each result into the memory that it had."""
        for function, args, kwargs, result in self.calls:
            again = function(*args, **kwargs)
            for old, new in zip(result, tree_leaves(again), strict=True):
                if isinstance(old, Tensor) and old.numel() and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def capture(body: Callable[[], None], generators: Iterable[torch.Generator], pool: object = None) -> Callable[[], None]:
    """As `nnlab.training.graph.capture`: what the body does is undone by the caller, and done by what is given back."""
    tape = Tape()
    random = [(generator, generator.get_state()) for generator in (*generators, torch.default_generator)]
    with tape:
        body()
    for generator, state in random:
        generator.set_state(state)
    return tape.play
