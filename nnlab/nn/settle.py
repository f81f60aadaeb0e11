"""The running statistics of batch normalisation, of weights that have not learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def settle(network: nn.Module, forward: Callable[[Tensor], object], batches: Iterable[Tensor]) -> None:
    """Make the running statistics of batch normalisation those of these batches.

    m = Σ_b n_b m_b / Σ_b n_b of a layer's inputs, m_b their mean over batch b of n_b examples, and likewise of the variance

    Without learning they are still 0 and 1, and evaluation mode computes something else than training mode. As
    `torch.optim.swa_utils.update_bn`, but a small batch counts less, and dropout stays off. Does nothing without such layers.

    forward  passes a batch through the network, such as `model.encode`
    batches  inputs (N, …); a batch of one example has no variance and is left out
    """
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not layers:
        return
    modes, momenta = [(module, module.training) for module in network.modules()], [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.train()
    try:
        seen = 0
        for x in batches:
            if len(x) > 1:
                seen += len(x)
                for layer in layers:
                    layer.momentum = len(x) / seen
                forward(x)
    finally:
        for module, training in modes:
            module.training = training
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
