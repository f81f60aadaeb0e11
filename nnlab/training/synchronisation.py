"""Detection of operations that make the host wait for the device."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

TORCH = str(Path(torch.__file__).parent)
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2", "bincount", "is_nonzero", "equal"}


class SyncError(Exception):
    """An operation whose result or shape the host needs before it can go on."""


class Watch(TorchDispatchMode):
    """Raises SyncError at the first operation that waits, with the line that called it."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        leaves = tree_leaves((args, kwargs))
        masks = name in ("index", "index_put", "index_put_") and any(
            isinstance(x, Tensor) and x.dtype in (torch.bool, torch.uint8) for x in tree_leaves(args[1])
        )
        if name in WAITING or masks:
            raise SyncError(f"{caller()} waits for the device ({name})")
        result = function(*args, **(kwargs or {}))
        devices = {x.device.type for x in (*leaves, *tree_leaves(result)) if isinstance(x, Tensor)}
        if name in ("_to_copy", "copy_") and len(devices) > 1:
            raise SyncError(f"{caller()} copies between host and device")
        return result


@contextmanager
def forbid_sync() -> Iterator[None]:
    """Raise SyncError at the first operation inside that makes the host wait for the device."""
    with Watch():
        yield


def caller() -> str:
    """file:line (function) of the innermost frame outside torch and this file."""
    frame = sys._getframe(1)
    while frame.f_back and (frame.f_code.co_filename == __file__ or frame.f_code.co_filename.startswith(TORCH)):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{frame.f_lineno} ({frame.f_code.co_name})"
