"""Batch normalisation over the whole batch, where several processes share it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nnlab.nn.world import World


class SharedBatchNorm(_BatchNorm):
    """y = (x − μ)/√(σ² + ε) · w + b, per channel; in training μ and σ² are of the batch of all processes.

    As `torch.nn.SyncBatchNorm`, which does not work on a CPU. In evaluation mode it is torch's own layer.
    """

    world: World

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of dimensions, (N, C, …)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, …) of the same shape; in training the running statistics follow."""
        if not self.training:
            return super().forward(x)
        axes, shape = [0, *range(2, x.ndim)], (1, -1, *[1] * (x.ndim - 2))
        with torch.autocast(x.device.type, enabled=False):
            values = x.to(torch.promote_types(x.dtype, torch.float32))
            mean = self.world.mean(values.mean(axes))
            centred = values - mean.view(shape)
            variance = self.world.mean(centred.square().mean(axes))
            if self.track_running_stats:
                self.follow(mean.detach(), variance.detach(), x.numel() / x.shape[1] / self.world.share)
            y = centred * (variance + self.eps).rsqrt().view(shape)
            if self.affine:
                y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)

    def follow(self, mean: Tensor, variance: Tensor, n: float) -> None:
        """One step of the running statistics towards those of a batch of n values per channel; the variance's is unbiased."""
        self.num_batches_tracked += 1
        step = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, step)
        self.running_var.lerp_(variance * (n / (n - 1)), step)


SHARED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)  # a subclass may compute something else


def share_batches(model: nn.Module, world: World) -> None:
    """Tell each layer that uses statistics of the batch about the processes that share the batch."""
    if world.size == 1:
        return
    for module in model.modules():
        if type(module) in SHARED:
            module.__class__ = SharedBatchNorm
            module.world = world
        elif isinstance(getattr(module, "world", None), World):
            module.world = world
