"""argv → a verb. Every expected error is shown as a short message. Imports no torch and no Hydra."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading

import nnlab
from nnlab.errors import NnlabError

VERBS = {
    "train": "train a model: nnlab train model=vae data=fashion_mnist",
    "fit": "the largest batch that a GPU's memory holds, by trial",
    "resume": "go on with a run that was stopped, or train it longer",
    "evaluate": "the figures of a run on a split",
    "sample": "a picture of new examples",
    "reconstruct": "a picture of inputs and what the model makes of them",
    "traverse": "a picture of motion along the latent coordinates",
    "interpolate": "a picture of the way from one image to another through the latent space",
    "walk": "a film of a walk through the latent space",
    "vary": "new examples near an image, from codes near its own",
    "attribute": "images given an attribute: the vector from the codes without it to those with it",
    "encode": "images as codes in a small file: the model as an archiver",
    "decode": "the images that a file of codes stands for",
    "embed": "the codes of a split or of your own images, for TensorBoard's projector and as pictures",
    "outliers": "the examples that are most unusual to the model",
    "probe": "how well a linear classifier does on the codes, from few labels",
    "runs": "all runs, their state and their best figure",
    "show": "one run: its config, its figures, its files",
    "list": "models, data, noises, optimizers and experiments to choose from",
    "tensorboard": "open TensorBoard on all runs, or on one",
}

HELP = """nnlab {version}: experiments with unsupervised and generative neural networks

  nnlab train model=vae data=fashion_mnist     train; leaves a run folder under outputs/
  nnlab VERB --help                            what a verb takes, with an example

{verbs}

RUN is a run folder, or 'last' for the newest. nnlab list shows what model=, data=, noise= may be.
"""


def usage() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    return HELP.format(version=nnlab.__version__, verbs=verbs)


def nearest_verb(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, VERBS, n=1)
    return f"did you mean '{near[0]}'?" if near else f"verbs: {', '.join(VERBS)}"


def main(argv: list[str] | None = None) -> int:
    """Run a command line. Returns its exit status: 0 done, 1 the run failed, 2 bad usage or config, 130 interrupted."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)
    try:
        return dispatch(argv)
    except NnlabError as error:
        for problem in str(error).splitlines():
            print(f"nnlab: {problem}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("nnlab: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `nnlab runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def interrupt(number: int, frame: object) -> None:
    """SIGTERM before and after training: as Ctrl-C there."""
    raise KeyboardInterrupt


def dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"nnlab {nnlab.__version__}")
        return 0
    verb, rest = argv[0], argv[1:]
    if verb in ("-sc", "--shell-completion") or verb.startswith(("-sc=", "--shell-completion=")):
        verb, rest = "train", argv  # what the shell asks while one types
    if verb not in VERBS:
        print(f"nnlab: '{verb}' is no verb; {nearest_verb(verb)}", file=sys.stderr)
        return 2
    command = importlib.import_module(f"nnlab.commands.{verb}")
    return command.main(rest) or 0
