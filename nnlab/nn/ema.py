"""Running averages of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

WARM_UP = 10  # the average of the first updates is faster: after t updates its decay is at most (1 + t)/(WARM_UP + t)
EXCLUDED_SUFFIXES = ("_u", "_v")  # singular vectors of spectral normalisation, which cannot be averaged


class ExponentialMovingAverage(nn.ModuleDict):
    """Copies of modules whose weights follow theirs, θ̄ ← d θ̄ + (1 − d) θ (Polyak & Juditsky 1992; Yazıcı et al. 2019).

    The statistics of batch normalisation are averaged too. The copies do not learn and are always in evaluation mode.
    """

    updates: Tensor

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__({name: deepcopy(module) for name, module in modules.items()})
        self.requires_grad_(False).eval()
        self.register_buffer("updates", torch.zeros(()))
        self._pairs: tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]] | None = None
        self._followed: list[nn.Module] | None = None

    def follow(self, modules: Iterable[nn.Module]) -> None:
        """From now on only the averages of the weights of these modules move, by default of all."""
        self._followed, self._pairs = list(modules), None

    @torch.no_grad()
    def restart(self, modules: Mapping[str, nn.Module]) -> None:
        """Start the averages that move again, at the weights and with the fast average of the first updates."""
        averages, weights, _ = self._paired(modules)
        if averages:
            torch._foreach_copy_(averages, weights)
        self.updates.zero_()

    def train(self, mode: bool = True) -> ExponentialMovingAverage:
        """Stay in evaluation mode for any `mode`. Returns itself."""
        return super().train(False)

    def _apply(self, fn: Callable, recurse: bool = True) -> ExponentialMovingAverage:
        self._pairs = None  # other tensors on another device
        return super()._apply(fn, recurse)

    @torch.no_grad()
    def update_parameters(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        """A step of the averages towards the modules of the same names, whose tensors must stay the same ones."""
        if self._pairs is None:
            self._pairs = self._paired(modules)
        averages, weights, copied = self._pairs
        self.updates += 1
        if not averages:  # of a stage in which none of them learns
            return
        rate = 1 - ((1 + self.updates) / (WARM_UP + self.updates)).clamp(max=decay)
        if rate.is_cpu:
            torch._foreach_lerp_(averages, weights, [rate] * len(weights))  # one pass instead of three
        else:  # where a list of rates would be a kernel for each weight
            step = torch._foreach_sub(weights, averages)
            torch._foreach_mul_(step, rate)
            torch._foreach_add_(averages, step)
        for copy, value in copied:
            copy.copy_(value)

    def _paired(self, modules: Mapping[str, nn.Module]) -> tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]]:
        averages, weights, copied = [], [], []
        followed = {id(x) for part in self._followed or () for x in (*part.parameters(), *part.buffers())}
        for name, module in modules.items():
            own = self[name].state_dict()
            for key, value in module.state_dict(keep_vars=True).items():
                if self._followed is not None and id(value) not in followed:
                    continue
                value = value.detach()
                if value.is_floating_point() and not key.endswith(EXCLUDED_SUFFIXES):
                    averages.append(own[key])
                    weights.append(value)
                else:
                    copied.append((own[key], value))
        return averages, weights, copied
