"""What a step frees, the next one uses again."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest
import torch

from nnlab.training.allocator import OWN, keep_freed_memory

# Pages that are new in each round of twelve blocks of 8 MiB. The blocks are malloc's own and are freed from the last to the
# first: whether the end of the heap is free, and could go back to the system, then hangs on nothing else in the process.
ROUNDS = """
import ctypes, resource, torch
from nnlab.training.allocator import keep_freed_memory
assert keep_freed_memory(torch.device("cpu"))
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [libc.malloc(2**23) for _ in range(12)]
    for block in blocks:
        ctypes.memset(block, 1, 2**23)
    for block in reversed(blocks):
        libc.free(block)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_the_pages_of_a_step_are_used_again() -> None:
    plain = {name: value for name, value in os.environ.items() if name not in OWN}
    done = subprocess.run([sys.executable, "-c", ROUNDS], capture_output=True, text=True, check=True, env=plain)
    first, *others = map(int, done.stdout.split())
    assert first > 12 * 2**23 / resource.getpagesize() / 2  # half of the pages at least: they are counted at all
    assert max(others) < first / 10


def test_other_devices_and_the_users_own_settings_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not keep_freed_memory(torch.device("meta"))
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")
    assert not keep_freed_memory(torch.device("cpu"))
