"""Commands in processes of their own, each forked from one that has imported torch, which alone takes seconds."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["nnlab.commands.train", "nnlab.experiment.run", "nnlab.families.vae.vae", "nnlab.families.ae.ae"]
)


class Command:
    """`nnlab ARGV`, begun in this folder; what it prints stands in the files `name.out` and `name.err` there.

    more         more commands for the same process, one after another, if the ones before succeed
    sighup       what the closing of its terminal does to it: signal.SIG_DFL, or signal.SIG_IGN under nohup
    environment  variables that are set for it
    """

    def __init__(
        self,
        name: str,
        *argv: str,
        more: Sequence[Sequence[str]] = (),
        sighup: signal.Handlers = signal.SIG_DFL,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.out, self.error = Path(f"{name}.out").absolute(), Path(f"{name}.err").absolute()
        where = (Path.cwd(), self.out, self.error)
        self.process = CONTEXT.Process(target=run, args=([argv, *more], *where, int(sighup), environment or {}))
        self.process.start()

    def send_signal(self, number: int) -> None:
        """As `kill -NUMBER`."""
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """As `kill -9`, and wait until it is gone; nothing if it is."""
        self.process.kill()
        self.process.join()

    def wait(self, seconds: float = 60) -> int:
        """Its exit status."""
        return ended([self], seconds)[0]

    def where(self) -> str:
        """Its exit status and what it has printed as an error; if it goes on, where each of its threads stands now."""
        if self.process.exitcode is None:
            self.send_signal(signal.SIGUSR1)
            self.process.join(2)
        return f"{self.error.stem} ({self.process.exitcode}):\n{self.error.read_text()}"


def ended(commands: Sequence[Command], seconds: float = 120) -> list[int]:
    """The exit statuses of commands. Fails, and kills them, if one goes on for longer."""
    until = time.monotonic() + seconds
    for command in commands:
        command.process.join(max(0.0, until - time.monotonic()))
    if any(command.process.exitcode is None for command in commands):
        places = [command.where() for command in commands]
        for command in commands:
            command.kill()
        raise AssertionError("a command hung\n" + "\n".join(places))
    return [command.process.exitcode for command in commands]


def run(
    commands: Sequence[Sequence[str]], folder: Path, out: Path, error: Path, sighup: int, environment: dict[str, str]
) -> None:
    """In the new process."""
    os.chdir(folder)
    os.environ.update(environment)
    for path, stream in ((out, 1), (error, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    signal.signal(signal.SIGHUP, sighup)
    faulthandler.register(signal.SIGUSR1)
    from nnlab import cli

    sys.exit(next((status for argv in commands if (status := cli.main(list(argv)))), 0))
