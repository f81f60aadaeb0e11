"""Fine-tuning: a run's encoder and a new linear layer learn a few labels together."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from torch import Tensor

from nnlab.checkpoints.reference import loaded_node
from nnlab.config.composition import compose_config, to_dict
from nnlab.data.split import Data
from nnlab.errors import BadInput
from nnlab.experiment.loading import LoadedRun
from nnlab.experiment.run import assemble
from nnlab.metrics.probe import Result
from nnlab.runs.find import as_typed
from nnlab.training.diagnosis import finite
from nnlab.training.randomness import fork_rng

BATCH = 100  # examples per update, if so many are labelled
MEASURED = 10_000  # training examples by which codes are standardised, at the most


def learns(run: LoadedRun) -> bool:
    """Whether the run's encoder has weights that learn by gradient, which one by k-means or PCA does not."""
    return any(parameter.requires_grad for parameter in run.model.parameters())


def fine_tuned(
    run: LoadedRun, data: Data, draws: dict[int, list[Tensor]], updates: int, weights: Literal["earlier", "random"] = "earlier"
) -> dict[int, Result]:
    """The accuracy on the test split of classifiers `transfer` whose encoder learns too, for each number of labels and draw.

    run      whose encoder they start from, at its best weights; with random weights the network alone is the same
    data     of the run
    draws    for each number of labels n, places (n,) in the training split; the k-th draw trains with the seed k
    updates  of each classifier, by the optimizer of `transfer`; the inputs are not augmented

    The codes are standardised by 10,000 training examples, which needs no labels. Raises BadInput if a classifier diverges.
    """
    chosen = ["model=transfer", "model.encoder=last", "model.frozen=false", f"model.weights={weights}"]
    config = to_dict(compose_config([*chosen, f"trainer.steps={updates}", "trainer.show_every=never"]))
    config["model"]["encoder"] = loaded_node(run.folder, run.config, run.checkpoint, run.state)
    config |= {"data": run.config["data"], "device": str(run.device)}
    if run.reshaping:  # what the encoder sees
        config["noise"] = run.config["noise"]
    results, measured = {}, replace(data.train, rows=data.train.spread(MEASURED))
    for n, drawn in draws.items():
        accuracies = []
        for seed, places in enumerate(drawn):
            train = replace(data.train, rows=data.train.at(places))
            part = replace(data, train=train, validation=replace(data.train, rows=train.rows[:0]))
            own = {**config, "seed": seed, "trainer": {**config["trainer"], "batch_size": min(BATCH, n)}}
            with fork_rng(seed, run.device):
                experiment = assemble(own, part, run.device)
                experiment.initialize(measured)
                trainer = experiment.trainer
                trainer.train(0, trainer.total_steps, lambda: False)
                if trainer.meter.look() or not finite(trainer.model.state_dict().values()):
                    raise BadInput(diverged(run, n, seed, weights, config["optimizer"]["lr"]))
                accuracies.append(trainer.evaluate("test")["accuracy"])
        results[n] = Result(accuracies)
    return results


def diverged(run: LoadedRun, n: int, seed: int, weights: str, rate: float) -> str:
    """The message for a classifier whose loss or weights are not finite any more."""
    path = as_typed(run.folder.path)
    return (
        f"--fine-tune: {path} with {n:,} labels, seed {seed} and {weights} weights diverged: its loss or its weights are not "
        f"finite. Leave --fine-tune out, or train the classifier on the same data with a smaller optimizer.lr than {rate:g}: "
        f"nnlab train model=transfer model.encoder={path} model.weights={weights} model.frozen=false"
    )
