"""Checkpoints: after a kill at any moment there is a complete one; they are read as data, never as code."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import IO

import torch

from nnlab.checkpoints.progress import Progress
from nnlab.config.stored import holds
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput
from nnlab.runs.files import flush, own, replacing

FORMAT = 1
JUDGE = "judge.pt"  # beside the checkpoints: the weights of the run's judge, which no checkpoint repeats


class Witness:
    """A file that keeps the OSError of a failed write, since torch raises another error."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write bytes and return how many. Raises the file's OSError, which `error` then holds."""
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Flush the file."""
        self.file.flush()


def save(state: dict, path: Path) -> None:
    """Write under a temporary name, flush, rename; the old `last.pt` becomes `previous.pt`. Raises OSError."""
    own(path.parent)
    with replacing(path) as file:
        witness = Witness(file)
        try:
            torch.save({"format": FORMAT, **state}, witness)
        except RuntimeError as error:
            raise witness.error or error from error
        file.flush()
        os.fsync(file.fileno())
        if path.name == "last.pt" and path.exists():
            os.replace(path, path.with_name("previous.pt"))
    flush(path.parent)


def save_judge(weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Write the weights of a run's judge, once, beside the folder of its checkpoints. Raises OSError."""
    save({"judge": weights}, folder.parent / JUDGE)


def available(folder: Path) -> list[str]:
    """Names of the checkpoints in a run's checkpoints folder: last, best, step-000500, …, newest first."""
    paths = sorted(folder.glob("*.pt"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.stem for path in paths]


def load(folder: Path, name: str) -> dict:
    """The checkpoint `name` of a run, on the CPU: `load_state_dict` copies to the device, and generators want it there.

    Raises BadInput if it is absent or damaged, naming those that can be used instead.
    """
    path = folder / f"{name}.pt"
    if name == "last" and not path.exists():  # killed between the two renames of `save`
        path = folder / "previous.pt"
    if not path.exists():
        others = available(folder)
        if not others:
            raise BadInput(
                f"{folder}: no checkpoint here: the run has not saved one. Wait for it if it is still running, else train again"
            )
        raise BadInput(f"{folder}: no checkpoint '{name}'; there are {', '.join(others)}")
    try:
        return with_judge(read(path), folder)
    except DAMAGED as error:
        usable = [stem for stem in available(folder) if stem != path.stem and is_whole(folder / f"{stem}.pt")]
        offer = f"Usable: {', '.join(usable)}; add --checkpoint {usable[0]}" if usable else "No other is usable; train again"
        raise BadInput(f"{path}: damaged ({str(error).splitlines()[0]}). {offer}") from error


def with_judge(state: dict, folder: Path) -> dict:
    """A checkpoint's state with the weights of the run's judge, if it has one of its own.

    Checkpoints of before 2026-11-26 hold them themselves.
    """
    path = folder.parent / JUDGE
    if "judge" not in state["trainer"] and path.is_file() and not path.is_symlink():
        judge = whole(path).get("judge")
        if not isinstance(judge, dict) or not all(isinstance(value, torch.Tensor) for value in judge.values()):
            raise ValueError(f"{JUDGE} holds no weights")
        state["trainer"]["judge"] = judge
    return state


DAMAGED = (RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError)
DAMAGED += (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, MemoryError)


def read(path: Path) -> dict:
    """The state that a checkpoint file holds, on the CPU. Raises one of DAMAGED if the file is not whole or not of FORMAT."""
    state = whole(path)
    check(state)
    return state


def whole(path: Path) -> dict:
    """What a file that `save` wrote holds, on the CPU, as data alone. Raises one of DAMAGED if it is not whole."""
    with zipfile.ZipFile(path) as archive:  # torch.load does not compare checksums
        spoilt = archive.testzip()
    if spoilt:
        raise zipfile.BadZipFile(f"wrong checksum of {spoilt}")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(f"expected a checkpoint of format {FORMAT}")
    return state


def check(state: dict) -> None:
    """Raise ValueError unless the parts of a checkpoint that every verb reads are of their kinds. Extra keys do not matter."""
    missing = [key for key in ("trainer", "progress", "spec", "lengths") if not isinstance(state.get(key), dict)]
    if missing:
        raise ValueError(f"it holds no {missing[0]}")
    weights, lengths = state["trainer"].get("model"), state["lengths"]
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise ValueError("it holds no weights")
    if not all(holds(int, lengths.get(key)) for key in ("metrics", "events")):
        raise ValueError("it does not say how long metrics.jsonl and the event file were")
    if not holds(int, state["trainer"].get("stage", 0)):
        raise ValueError("its stage is no number")
    Progress.from_state(state["progress"])
    DataSpec.from_state(state["spec"])


def is_whole(path: Path) -> bool:
    """Whether a checkpoint file can be read."""
    try:
        read(path)
    except DAMAGED:
        return False
    return True


def step_of(path: Path) -> int | None:
    """The step that a checkpoint was written at; None if it cannot be read."""
    try:
        return read(path)["progress"]["step"]
    except DAMAGED:
        return None
