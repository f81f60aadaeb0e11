"""What a step frees, the next one uses again."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from nnlab.training.allocator import keep_freed_memory

# the pages of each round of twelve tensors of 8 MiB
ROUNDS = """
import resource, torch
from nnlab.training.allocator import keep_freed_memory
assert keep_freed_memory(torch.device("cpu"))
faults = []
for _ in range(5):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    some = [torch.ones(2 * 2**20) for _ in range(12)]
    del some
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(*faults)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_the_pages_of_a_step_are_used_again() -> None:
    done = subprocess.run([sys.executable, "-c", ROUNDS], capture_output=True, text=True, check=True)
    first, _, *others = map(int, done.stdout.split())  # the second round may lie otherwise in memory
    assert max(others) < first / 10


def test_other_devices_and_the_users_own_settings_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not keep_freed_memory(torch.device("meta"))
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")
    assert not keep_freed_memory(torch.device("cpu"))
