"""Files are written whole, and never through a link."""

from __future__ import annotations

import ast
import csv
import errno
import io
import os
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import nnlab
from nnlab.checkpoints import checkpoint
from nnlab.errors import printable
from nnlab.runs.csv_file import write_csv
from nnlab.runs.files import appending, clear, own, replacing, write_whole


def test_a_link_is_replaced_and_what_it_points_to_stays(own_folder: Path) -> None:
    Path("outside").write_text("mine")
    Path("inside").symlink_to("outside")
    write_whole(Path("inside"), "new")
    assert not Path("inside").is_symlink()
    assert (Path("inside").read_text(), Path("outside").read_text()) == ("new", "mine")


def test_what_fails_leaves_what_was_there(own_folder: Path) -> None:
    Path("a").write_text("before")
    with pytest.raises(TypeError), replacing(Path("a")) as file:
        file.writelines([b"half", None])
    assert Path("a").read_text() == "before"
    assert os.listdir() == ["a"]


def test_nothing_is_appended_through_a_link_or_to_a_pipe(own_folder: Path) -> None:
    Path("outside").write_text("mine")
    Path("inside").symlink_to("outside")
    os.mkfifo("pipe")
    for name in ("inside", "pipe"):
        with pytest.raises(OSError, match="not a regular file"):
            appending(Path(name))
    assert Path("outside").read_text() == "mine"


def test_a_second_name_of_a_file_keeps_its_content(own_folder: Path) -> None:
    Path("outside").write_text("mine")
    os.link("outside", "inside")
    with appending(Path("inside")) as file:
        file.write(b" and more")
    assert (Path("inside").read_text(), Path("outside").read_text()) == ("mine and more", "mine")


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\nb", "\u202eabc", "\x9b2J", "\udc80", "\x00"])
def test_what_a_terminal_would_obey_is_shown(text: str) -> None:
    assert printable(text).isprintable()
    assert "\\" in printable(text)


def test_letters_of_every_script_stay() -> None:
    assert printable("Größe, número, число 数 — ½") == "Größe, número, число 数 — ½"


WRITERS = {"write_text", "write_bytes", "savetxt", "savez", "savez_compressed", "savefig", "tofile", "touch", "truncate"}
WRITERS |= {"unlink", "rmtree", "symlink_to", "hardlink_to", "rename", "copyfile", "copytree", "copy2"}
WRITERS |= {"FileHandler", "SummaryWriter", "NamedTemporaryFile", "mkstemp", "ZipFile"}
OF_MODULES = {
    "os.open",
    "os.replace",
    "os.remove",
    "os.link",
    "os.symlink",
    "shutil.copy",
    "shutil.move",
    "torch.save",
    "np.save",
}
ALLOWED = {  # each either reads, or writes into a file that nnlab.runs.files has opened
    ("commands/rm.py", "rmtree"): "a run, whose files were walked and hold no link",
    ("cli.py", "os.open"): "the null device",
    ("commands/sample.py", "savez"): "into `replacing`",
    ("commands/job.py", "unlink"): "what Hydra has just written for a run that never began",
    ("commands/tensorboard.py", "symlink_to"): "in a temporary folder of its own",
    ("experiment/judging.py", "os.replace"): "a folder that this process has made, to its place",
    (
        "experiment/judging.py",
        "rmtree",
    ): "a folder that this process has made, or the judge that it replaces; it follows no link",
    ("runs/npz_file.py", "ZipFile"): "into `replacing`",
    ("recording/console.py", "os.open"): "the null device",
    ("recording/projector.py", "savetxt"): "into `replacing`",
    ("checkpoints/checkpoint.py", "ZipFile"): "read",
    ("checkpoints/checkpoint.py", "os.replace"): "from last.pt to previous.pt",
    ("checkpoints/checkpoint.py", "torch.save"): "into `replacing`",
    ("checkpoints/manager.py", "unlink"): "in a folder that is `own`",
    ("data/datasets/npz.py", "ZipFile"): "read",
    ("data/member.py", "ZipFile"): "read",
    ("latent/code_file.py", "ZipFile"): "read",
    ("plotting/axes.py", "savefig"): "into memory",
}


def writers(path: Path) -> set[str]:
    """The calls in a source file that can write, by their names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        if name in OF_MODULES or (last in WRITERS and name != "warnings.warn"):
            found.add(name if name in OF_MODULES else last)
        modes = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
        texts = [each.value for each in modes if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if (
            last == "open"
            and not name.startswith("into.")
            and any(re.fullmatch("[rbt]*[wax+][wax+bt]*", text) for text in texts)
        ):
            found.add("open")
    return found


def test_nothing_else_writes() -> None:
    root = Path(nnlab.__file__).parent
    found = {(str(path.relative_to(root)), name) for path in root.rglob("*.py") for name in writers(path)}
    assert {pair for pair in found if pair[0] != "runs/files.py"} <= ALLOWED.keys()
    assert ALLOWED.keys() <= found, "a permission that nobody uses"


def test_a_folder_that_is_a_link_is_not_written_into(own_folder: Path) -> None:
    Path("outside").mkdir()
    Path("images").symlink_to("outside")
    with pytest.raises(OSError, match="is a link"):
        own(Path("images"))


def test_what_a_kill_left_is_removed(own_folder: Path) -> None:
    for name in (".a.png.00.tmp", ".b.png.00.tmp", "c.tmp", "d.png"):
        Path(name).write_text("")
    os.utime(".a.png.00.tmp", (0, 0))
    clear(own_folder)
    assert sorted(os.listdir()) == [".b.png.00.tmp", "c.tmp", "d.png"]
    clear(own_folder, at_once=True)
    assert sorted(os.listdir()) == ["c.tmp", "d.png"]


class Full(io.RawIOBase):
    """A file on a disk that is full after so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, data: bytes) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)


@pytest.mark.parametrize("room", [0, 1000, 30_000])
def test_a_disk_that_fills_in_a_checkpoint_is_told_as_such(room: int, own_folder: Path, monkeypatch) -> None:
    checkpoint.save({"x": torch.zeros(10)}, Path("checkpoints/last.pt"))
    before = Path("checkpoints/last.pt").read_bytes()

    @contextmanager
    def full(path: Path):
        yield Full(room)

    monkeypatch.setattr(checkpoint, "replacing", full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        checkpoint.save({"x": torch.zeros(10_000)}, Path("checkpoints/last.pt"))
    assert Path("checkpoints/last.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        ("\tx", "'\tx"),
        ("-1.5e3", "-1.5e3"),
        (-2, "-2"),
        ("7", "7"),
    ],
)
def test_a_cell_is_no_formula(value: object, shown: str, own_folder: Path) -> None:
    write_csv(Path("a.csv"), [[value, "b"]])
    with Path("a.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [[shown, "b"]]
