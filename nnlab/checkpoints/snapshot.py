"""A copy of the current state of a run, while the run goes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor


def each_tensor(state: Any, function: Callable[[Tensor], Any]) -> Any:
    """A nested state of dicts and lists, each tensor in it replaced by what the function makes of it."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, dict):
        return {key: each_tensor(value, function) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(each_tensor(value, function) for value in state)
    return state


def snapshot(state: Any, device: torch.device) -> Callable[[], Any]:
    """Copies of all tensors, made on their device without waiting for it. The function given back brings them to the host.

    On a GPU that takes a stream of its own: a thread that calls it holds up neither the run nor the GPU.
    """
    copies = each_tensor(state, Tensor.clone)
    if device.type != "cuda":
        return lambda: copies
    ready = torch.cuda.Event()
    ready.record()
    return partial(_to_host, copies, device, ready)


def _to_host(copies: Any, device: torch.device, ready: torch.cuda.Event) -> Any:
    stream = torch.cuda.Stream(device)

    def fetch(x: Tensor) -> Tensor:
        if x.device.type != "cuda":
            return x
        return torch.empty(x.shape, dtype=x.dtype, pin_memory=True).copy_(x, non_blocking=True)

    with torch.cuda.stream(stream):
        stream.wait_event(ready)
        copied = each_tensor(copies, fetch)
    stream.synchronize()
    return copied
