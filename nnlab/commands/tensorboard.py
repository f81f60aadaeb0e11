"""nnlab tensorboard: open TensorBoard on all runs, or on one."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nnlab.commands.arguments import make_parser, port
from nnlab.errors import BadInput, shortened
from nnlab.runs.find import outputs, resolve


def main(argv: list[str]) -> int:
    """Open TensorBoard and wait for its end. Returns its exit status. Raises BadInput if there are no runs."""
    parser = make_parser(
        "tensorboard", "Open TensorBoard on all runs, or on one.", "tensorboard", "tensorboard last", run=False
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run folder, a folder of runs, or 'last'; by default all runs")
    parser.add_argument("--port", type=port, default=6006)
    parser.add_argument("--host", default="localhost", help="0.0.0.0 lets other machines see it")
    args = parser.parse_args(argv)

    folder = resolve(args.run).path if args.run else outputs()
    if not folder.is_dir():
        raise BadInput(f"{folder}: no runs yet; train one: nnlab train model=vae data=digits")
    check_address(args.host, args.port)
    with named(folder) as place:
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(place)]
        return subprocess.call([*command, "--host", args.host, "--port", str(args.port)])


@contextmanager
def named(folder: Path) -> Iterator[Path]:
    """A folder for TensorBoard; a run alone is put into one by a link, since without a name it has no metrics among HParams."""
    if not (folder / "status.json").is_file():
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="nnlab-") as place:
        try:
            (Path(place) / folder.resolve().name).symlink_to(folder.resolve(), target_is_directory=True)
        except OSError:  # a file system without links
            yield folder
        else:
            yield Path(place)


def check_address(host: str, port: int) -> None:
    """Raise BadInput if no server can listen there."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
    except (OSError, UnicodeError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = f"is taken; try --port {port % 65535 + 1}" if taken else "cannot be listened on; --host localhost can"
        raise BadInput(f"--host {shortened(host)} --port {port}: {reason}") from error
