"""The process that trains a run: which one it is, what it runs with, and whether it still exists. No torch."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import Any

LONGEST_GIT = 5  # seconds; in a huge repository the state is left out


def process_facts() -> dict[str, Any]:
    """This process: its number and its start, since a later process may have the same number."""
    pid = os.getpid()
    return {"process": {"pid": pid, "started": start_of(pid)}, "host": socket.gethostname()}


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that a run depends on, by name."""
    from importlib.metadata import version

    names = ("nnlab", "torch", "torchvision", "numpy", "hydra-core")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def code_facts() -> dict[str, Any]:
    """The git commit of the folder in which a command runs, and whether its files are as in it; {} outside a repository."""
    try:
        head, changes = (git(*words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no")))
    except (OSError, subprocess.SubprocessError):  # no git, no repository, no commit in it, or files that take too long
        return {}
    return {"git": {"commit": head.strip(), "clean": not changes.strip()}}


def git(*words: str) -> str:
    """What a git command prints. Raises SubprocessError or OSError."""
    command = ["git", "--no-optional-locks", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=LONGEST_GIT, errors="replace").stdout


def start_of(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None where there is no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def is_alive(process: dict | None, host: str | None) -> bool:
    """Whether a process still runs. On another host the answer is yes."""
    if not isinstance(process, dict) or not isinstance(process.get("pid"), int):
        return False
    if host != socket.gethostname():
        return True
    try:
        if process["pid"] < 1:
            return False
        os.kill(process["pid"], 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return process.get("started") in (None, start_of(process["pid"]))
