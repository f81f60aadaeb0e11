"""The random numbers that a sampler draws, as inputs: a program that runs the exported sampler brings its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

MOST = 16  # draws of an example: a longer chain becomes a graph of thousands of operations
TRACED = 3  # examples of the batch that is traced; a size that no layer is likely to have
OTHERS = ("bernoulli", "normal", "poisson", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli_", "normal_")
OTHERS += ("uniform_", "exponential_", "random_", "cauchy_", "geometric_", "log_normal_")


class CannotDraw(Exception):
    """Random numbers that cannot become inputs; its text says why."""


@dataclass(frozen=True)
class Draw:
    """One draw of a sampler, for N examples.

    kind   normal: N(0, 1); uniform: U(0, 1); integer: 0 … high − 1, all as likely
    shape  of an example, without N
    """

    kind: Literal["normal", "uniform", "integer"]
    shape: tuple[int, ...]
    high: int = 0

    def example(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, *shape) such numbers: float32, or int64 of integers."""
        if self.kind == "integer":
            return torch.randint(self.high, (n, *self.shape), generator=generator)
        return (torch.randn if self.kind == "normal" else torch.rand)((n, *self.shape), generator=generator)


class Draws(TorchFunctionMode):
    """While it is entered, torch draws nothing: `source` gives the numbers, by the draw and the number of examples.

    A choice by probabilities p becomes the smallest i with u < p_0 + … + p_i, u uniform: as likely as before.
    Raises CannotDraw for other random functions of torch.
    """

    def __init__(self, source: Callable[[Draw, Any], Tensor]) -> None:
        super().__init__()
        self.source = source

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if function in (torch.randn, torch.rand):
            size = kwargs["size"] if "size" in kwargs else args[0] if isinstance(args[0], tuple | list) else args
            drawn = self.drawn("normal" if function is torch.randn else "uniform", size)
            return drawn.to(kwargs.get("dtype") or drawn.dtype)
        if function is torch.randint:
            *low, high, size = args
            return self.drawn("integer", size, high - sum(low)) + sum(low)
        if function in (torch.multinomial, Tensor.multinomial):
            return self.chosen(*args, **kwargs)
        if function is Tensor.__len__:
            size = args[0].shape[0]
            return size if isinstance(size, int) else TRACED  # a true len would fix the size of the batch
        if getattr(function, "__name__", "") in OTHERS:
            raise CannotDraw(f"its sampler draws with torch's {function.__name__}, which cannot become an input")
        return function(*args, **kwargs)

    def drawn(self, kind: Literal["normal", "uniform", "integer"], size: Iterable, high: int = 0) -> Tensor:
        """(N, …) of a kind; a copy, since samplers change their numbers in place."""
        n, *shape = size
        return self.source(Draw(kind, tuple(shape), high), n).clone()

    def chosen(self, p: Tensor, n: int, replacement: bool = False, *, generator: torch.Generator | None = None) -> Tensor:
        """What torch.multinomial gives: (n,) of p (K,), or (N, 1) of p (N, K)."""
        if (p.ndim == 2 and n != 1) or (p.ndim == 1 and not replacement):
            raise CannotDraw("its sampler draws without replacement, which cannot become an input")
        bounds = p.cumsum(-1)
        u = self.drawn("uniform", (n,) if p.ndim == 1 else (p.shape[0],))[:, None] * bounds[..., -1:]
        choice = (bounds <= u).sum(1).clamp(max=p.shape[-1] - 1)
        return choice if p.ndim == 1 else choice[:, None]


def recorded(sample: Callable[..., Tensor], conditions: Callable[[int], Iterable[Tensor]]) -> list[Draw]:
    """The draws of `sample(n, *conditions(n))`, which returns (n, …).

    Raises CannotDraw if they are too many, or not the same for each n.
    """

    def of(n: int) -> list[Draw]:
        generator, given, found = torch.Generator().manual_seed(0), conditions(n), []

        def source(draw: Draw, count: int) -> Tensor:
            if count != n:
                raise CannotDraw("its sampler draws random numbers that are not one set for each example")
            if 0 not in draw.shape:
                found.append(draw)
            if len(found) > MOST:
                raise CannotDraw(f"its sampler draws random numbers more than {MOST} times, one after the other")
            return draw.example(count, generator)

        with Draws(source):
            sample(n, *given)
        return found

    first, second = of(TRACED), of(2 * TRACED - 1)
    if not first:
        raise CannotDraw("its sampler draws no random numbers")
    if first != second:
        raise CannotDraw("its sampler draws other random numbers for another number of examples")
    return first


def replayed(sample: Callable[..., Tensor], conditions: Iterable[Tensor], numbers: Sequence[Tensor]) -> Tensor:
    """`sample(n, *conditions)` with these numbers (n, …) for its draws, in their order."""
    n, waiting = numbers[0].shape[0], iter(numbers)

    def source(draw: Draw, count: int) -> Tensor:
        return numbers[0].new_zeros((n, *draw.shape)) if 0 in draw.shape else next(waiting)

    with Draws(source):
        return sample(n, *conditions)
