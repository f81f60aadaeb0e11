"""argv → a verb. Every expected error is shown as a short message. Imports no torch and no Hydra."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from contextlib import suppress

import nnlab
from nnlab.commands.verbs import TELLING, VERBS
from nnlab.config import renamed
from nnlab.errors import BadInput, NnlabError, RunFailed, explain, nearest, out_of_memory, printable, shortened
from nnlab.nn.launch import world_size
from nnlab.recording.patience import after_a_while

HELP = """nnlab {version}: experiments with unsupervised and generative neural networks

  nnlab train model=vae data=fashion_mnist     train; leaves a run folder under outputs/
  nnlab VERB --help                            what a verb takes, with an example

{verbs}

RUN is a run folder, or 'last' for the newest. nnlab list shows what model=, data=, noise= may be.
"""


def usage() -> str:
    """The page of `nnlab --help`: what the program is, and every verb with a line about it."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    return HELP.format(version=nnlab.__version__, verbs=verbs)


def main(argv: list[str] | None = None) -> int:
    """Run a command line. Returns its exit status: 0 done, 1 the run failed, 2 bad usage or config, 130 interrupted."""
    argv = list(sys.argv[1:] if argv is None else argv)
    mend_streams()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)
    try:
        status = dispatch(argv)
        sys.stdout.flush()  # a full disk or a closed pipe is told of here, not when Python ends
        return status
    except NnlabError as error:
        tell(*str(error).splitlines())
        return error.status
    except KeyboardInterrupt:
        print("nnlab: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `nnlab runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # of a file that no verb expected to fail
        tell(explain(error, "standard output"))
        return RunFailed.status
    except Exception as error:
        if not out_of_memory(error):
            raise
        tell("what was asked for does not fit into memory; ask for less at once (-n, trainer.batch_size, a smaller model)")
        return RunFailed.status


def tell(*problems: str) -> None:
    """Print problems to stderr, a line each."""
    for problem in problems:
        print(f"nnlab: {printable(problem)}", file=sys.stderr)


def mend_streams() -> None:
    """Characters that the terminal's encoding lacks are escaped, and a closed stream is written to nowhere."""
    for number, (name, mode) in enumerate({"stdin": "r", "stdout": "w", "stderr": "w"}.items()):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.fstat(number)
                continue
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, so that no file of a run does
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def interrupt(number: int, frame: object) -> None:
    """SIGTERM before and after training: as Ctrl-C there."""
    raise KeyboardInterrupt


def dispatch(argv: list[str]) -> int:
    """Import the verb's module and run its `main`. Returns the exit status. Raises BadInput if there is no such verb."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"nnlab {nnlab.__version__}")
        return 0
    verb, rest = argv[0], argv[1:]
    if verb in ("-sc", "--shell-completion") or verb.startswith(("-sc=", "--shell-completion=")):
        verb, rest = "train", argv  # what the shell asks while one types
    if verb in renamed.VERBS:
        raise BadInput(f"{verb}: is called {renamed.VERBS[verb]} now; nnlab {renamed.VERBS[verb]} takes the same words")
    if verb not in VERBS:
        raise BadInput(f"'{shortened(verb)}' is no verb; {nearest(verb, VERBS)}")
    if verb != "train" and world_size() > 1:
        raise BadInput(f"torchrun: several processes can only train; start nnlab {verb} without torchrun")
    command = importlib.import_module(f"nnlab.commands.{verb.replace('-', '_')}")
    if verb in TELLING or not sys.stderr.isatty():
        return command.main(rest) or 0
    with after_a_while(lambda: print(f"nnlab {verb}: at work …", file=sys.stderr, flush=True)):
        return command.main(rest) or 0
