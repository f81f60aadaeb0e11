"""Energy-based models against what is known of them: recall by load of a Hopfield net, and log Z by counting and by annealing.

Recall: random patterns of 784 units from a tenth of them turned, the share that comes back with an overlap of 0.95 or more; at
most 100 patterns are tried. log Z: an RBM of 16 hidden units that has learned the digits' bits, 200 chains and 1,000
temperatures; annealed forwards it errs downwards, backwards from exact samples upwards.
"""

from __future__ import annotations

import torch

from benchmarks.measure import table
from nnlab.config.composition import compose_config, to_dict
from nnlab.data.spec import DataSpec
from nnlab.experiment.run import build_experiment
from nnlab.families.rbm.hopfield import CAPACITY
from nnlab.families.rbm.hopfield_trainer import LOADS, by_load, random_patterns
from nnlab.families.rbm.rbm import RBM
from nnlab.metrics import partition

SPEC = DataSpec("coins", "image", (1, 28, 28))
DIGITS = ("model=rbm", "model.hidden=16", "data=digits", "data.binarize=fixed", "trainer.persistent=true")
LEARNED = ("optimizer.lr=0.5", "trainer.epochs=60", "trainer.precision=float32", "device=cpu")


@torch.no_grad()
def run(rounds: int) -> str:
    return "\n\n".join([recall(), log_z()])


def recall() -> str:
    generator = torch.Generator().manual_seed(0)
    patterns = random_patterns(round(LOADS[-1] * SPEC.features), SPEC.features, generator)
    found = {rule: dict(by_load(SPEC, patterns, rule, generator)) for rule in CAPACITY}
    rows = [(f"{load:g}", *(f"{100 * shares[load]:.0f}" for shares in found.values())) for load in LOADS]
    return table(("patterns a unit", *(f"{rule}, recalled in %" for rule in found)), rows)


def log_z() -> str:
    experiment = build_experiment(to_dict(compose_config([*DIGITS, *LEARNED])))
    experiment.initialize()
    trainer, model, generator = experiment.trainer, experiment.model, torch.Generator().manual_seed(0)
    trainer.train(0, trainer.total_steps, lambda: False)
    below = partition.ais(model, 200, 1000, generator)
    above = partition.reverse_ais(model, exact_samples(model, 200, generator), 1000, generator)
    rows = [
        ("all hidden states counted", f"{partition.exact_log_z(model):.3f}", ""),
        ("AIS", f"{below.log_z:.3f}", f"{below.standard_error:.3f}"),
        ("reverse AIS from exact samples", f"{above.log_z:.3f}", f"{above.standard_error:.3f}"),
    ]
    return table(("", "log Z, nats", "standard error"), rows)


def exact_samples(model: RBM, n: int, generator: torch.Generator) -> torch.Tensor:
    """(n, D) states of v: h drawn out of all its states, then v given h."""
    h = partition.states(model.latent_dim, dtype=torch.float32)
    p = (h @ model.hidden_bias + model.units.log_partition(model.visible_field(h))).softmax(0)
    chosen = h[torch.multinomial(p, n, replacement=True, generator=generator)]
    return model.units.sample(model.visible_field(chosen), generator)
