"""Test accuracy of a classifier from few labels of MNIST: fine-tuned from a deep belief network, and from a random start.

The network (784-500-500, `experiment=dbn_mnist_few_labels`) has learned from all training images without a label. The same
network with its weights at random is one rival, `fcnn` of the same widths the other. As many labels of each class, drawn by
the seed; 10,000 test images; mean ± standard deviation over 5 seeds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import NNLAB, call, data_root, table
from nnlab.config.names import composed, plain
from nnlab.earlier import with_earlier
from nnlab.experiment import assemble

LABELS, SEEDS = (100, 1000), 5
UPDATES = 2000
HIDDEN = "[500,500]"
COMMON = ("data=mnist", "data.validation=0", "optimizer=adam_cosine", "optimizer.lr=1e-3", f"trainer.steps={UPDATES}")
TUNED = ("model=transfer", "model.frozen=false")


def run(rounds: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "dbn"
        call([*NNLAB, "train", "experiment=dbn_mnist_few_labels", f"hydra.run.dir={earlier}"], NNLAB_DATA=data_root())
        starts = {
            "from the deep belief network": (*TUNED, f"model.encoder={earlier}"),
            "the same network, random start": (*TUNED, f"model.encoder={earlier}", "model.weights=random"),
            "fcnn of the same widths": ("model=fcnn", f"model.hidden={HIDDEN}"),
        }
        rows = []
        for name, start in starts.items():
            cells = []
            for labels in LABELS:
                found = [100 * accuracy(start, labels, seed) for seed in range(SEEDS)]
                cells.append(f"{statistics.mean(found):.1f} ± {statistics.stdev(found):.1f}")
                print(f"{name}, {labels}: {cells[-1]} %", file=sys.stderr)
            rows.append((name, *cells))
    return table(("accuracy in %", *(f"{labels:,} labels" for labels in LABELS)), rows)


def accuracy(start: tuple[str, ...], labels: int, seed: int) -> float:
    draw = [f"data.few={labels}", f"data.seed={seed}", f"seed={seed}"]
    typed = [*start, *COMMON, *draw, "trainer.batch_size=100"]
    config, problems = with_earlier(plain(composed(typed)))
    if problems:
        raise RuntimeError("; ".join(problems))
    experiment = assemble(config)
    experiment.begin()
    trainer = experiment.trainer
    trainer.train(0, trainer.total_steps, lambda: False)
    trainer.meter.look()
    return trainer.evaluate("test")["accuracy"]
