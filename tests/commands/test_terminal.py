"""Whatever a terminal cannot show, or no longer takes, is no traceback."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import QUIET, small
from PIL import Image

from nnlab import cli


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1251"])
def test_what_the_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    pages = [["list"], ["--help"], *([["train", "--help"]] if encoding == "ascii" else [])]
    for argv in pages:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        with suppress(SystemExit):  # Hydra's end of its own page
            assert cli.main(argv) == 0
        sys.stdout.flush()
        assert raw.getvalue().decode(encoding)


def test_a_closed_or_full_output_is_no_traceback(own_folder: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m nnlab list models"
    for ending, status in ((">&-", 0), ("| true", 0), (">/dev/full", 1)):
        if ending == ">/dev/full" and not Path("/dev/full").exists():
            continue
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} {ending}"], capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr


def test_names_that_are_no_utf8_are_read_and_shown_escaped(nnlab, own_folder: Path) -> None:
    for name in (b"ours", b"their\xff"):
        folder = Path(os.fsdecode(b"images/" + name))
        folder.mkdir(parents=True)
        for i in range(12):
            Image.new("L", (8, 8), 20 * i).save(folder / os.fsdecode(b"\xfe%d.png" % i))
    data = ["data=image_folder", "data.root=.", "data.folder=images"]
    assert nnlab("train", *small("ae"), *data, "trainer.steps=1", *QUIET)[0] == 0
    assert nnlab("embed", "last", "--input", "images", "--tsne", "0")[0] == 0
    assert nnlab("compress", "last", "images", "-o", "codes.npz")[0] == 0
    assert nnlab("decompress", "last", "codes.npz", "-o", "decoded")[0] == 0
    assert len(list(Path("decoded").rglob("*.png"))) == 24
