"""A run folder that somebody else might have sent."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from conftest import only_run

from nnlab import cli
from nnlab.runs.folder import RunFolder

RUN = ("train", "model=ae", "model.hidden=[8]", "model.latent_dim=2", "data.limit=60", "trainer.steps=1", "outputs=made")


def make() -> RunFolder:
    assert cli.main([*RUN]) == 0
    return only_run("made")


def copied_run(shared_run) -> Path:
    """The folder `run` of this test's own: a copy of a small run that is made once."""
    shutil.copytree(shared_run("stranger", make).path, "run")
    return Path("run")


def fingerprint(folder: Path) -> dict[str, str]:
    """What lies in a folder, and what it holds."""
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "" for p in sorted(folder.rglob("*"))}
