"""Where configs are found: first the folder given by -cd, then the package `nnlab.configs`. No torch."""

from __future__ import annotations

import fnmatch
from importlib.resources import files
from pathlib import Path

from nnlab.errors import BadInput


def folders(config_dir: str | None = None) -> list[Path]:
    """Config folders; the first that has a file is used."""
    own = [Path(config_dir)] if config_dir else []
    return [*own, Path(str(files("nnlab.configs")))]


def options(group: str, config_dir: str | None = None) -> dict[str, Path]:
    """The choices of a group (`model`, `optimizer/schedule`) and their files, sorted by name."""
    paths: dict[str, Path] = {}
    for folder in reversed(folders(config_dir)):
        paths |= {path.stem: path for path in (folder / group).glob("*.yaml") if path.is_file()}
    return dict(sorted(paths.items()))


def matching(group: str, patterns: list[str], config_dir: str | None = None) -> dict[str, Path]:
    """The choices of a group that match any of the patterns (`*vae`); all of them without a pattern."""
    paths = options(group, config_dir)
    return {n: p for n, p in paths.items() if not patterns or any(fnmatch.fnmatch(n, pattern) for pattern in patterns)}


def header(path: Path) -> tuple[str, str]:
    """The comment a config begins with: the command that runs it, and what it is, each as one line."""
    lines = []
    for line in path.read_text(encoding="utf-8", errors="backslashreplace").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    lines = [line for line in lines if line != "@package _global_"]
    return (lines[0] if lines else ""), " ".join(lines[1:])


def check_folder(config_dir: str) -> None:
    """Raise BadInput if the folder given by -cd does not exist."""
    if not Path(config_dir).is_dir():
        raise BadInput(
            f"-cd {config_dir}: no such folder. Give a folder with your own configs, e.g. {config_dir}/model/mine.yaml"
        )
