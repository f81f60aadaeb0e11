"""nnlab batch-size [KEY=VALUE …]: the largest trainer.batch_size that fits into a GPU's memory, by trial."""

from __future__ import annotations

from collections.abc import Callable

from nnlab.commands.arguments import make_parser
from nnlab.commands.train import check_before
from nnlab.config import composition, names
from nnlab.errors import BadInput

LEAST = 2  # examples: batch normalisation needs at least two for a variance
FINE = 1 / 32  # relative accuracy of the result: a better one has no use, since memory changes


def main(argv: list[str]) -> int:
    """Find the largest batch size by trial and print it. Returns the exit status. Raises BadInput if none fits."""
    parser = make_parser(
        "batch-size",
        "The largest trainer.batch_size that fits into a GPU's memory, by trial.",
        "batch-size model=conv_vae data=cifar10",
        run=False,
        keyed=True,
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for nnlab train")
    args = parser.parse_args(argv)
    typed = names.check(args.overrides, sweep=True)  # reported below
    check_before(typed, None, quick=False)
    jobs = list(typed.jobs())
    if len(jobs) > 1:
        raise BadInput(f"fit: takes one experiment, not a sweep of {len(jobs)}")
    from nnlab.checkpoints.reference import resolve_references

    config, _ = resolve_references(composition.to_dict(composition.compose_config(jobs[0])))
    config = {**config, "judge": "none"}  # it looks after the training step
    size = largest(lambda size: fits(config, size), most=training_examples(config))
    if size == 0:
        raise BadInput(f"fit: not even a batch of {LEAST} examples fits; use a smaller model")
    print(f"trainer.batch_size={size}")
    return 0


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number from LEAST to `most` that fits, within a share FINE of it: doubled until one does not, then bisected.

    0 if none does.
    """
    good, size = 0, LEAST
    while good < most and fits(min(size, most)):
        good, size = min(size, most), 2 * size
    bad = min(size, most + 1)
    while good and bad - good > max(1, FINE * good):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


def training_examples(config: dict) -> int:
    """How many there are. Raises BadInput where there is nothing to try."""
    from nnlab.experiment.run import build_experiment
    from nnlab.training import device
    from nnlab.training.options import UpdateOptions

    found = device.resolve(config["device"])
    if found.type != "cuda":
        raise BadInput(f"fit: works only on a GPU, but the device is {found}")
    experiment = build_experiment({**config, "trainer": {**config["trainer"], "batch_size": LEAST}})
    if not isinstance(experiment.options, UpdateOptions):
        kind = f"{type(experiment.model).__name__} learns {experiment.trainer.description}"
        raise BadInput(f"fit: {kind}; its trainer.batch_size only bounds the memory of what is looked at together")
    return len(experiment.data.train)


def fits(config: dict, size: int) -> bool:
    """Whether some updates with batches of `size` go through."""
    import gc

    import torch

    from nnlab.experiment.run import build_experiment
    from nnlab.training.graph import PER_LAUNCH

    experiment = trainer = None
    try:
        experiment = build_experiment({**config, "trainer": {**config["trainer"], "batch_size": size}})
        experiment.initialize()
        trainer = experiment.trainer
        trainer.train(0, min(PER_LAUNCH + 2, trainer.stages[0].steps), lambda: False)
        trainer.meter.look()
    except torch.OutOfMemoryError:
        return False
    finally:
        experiment = trainer = None  # else this trial's memory is still taken in the next
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True
