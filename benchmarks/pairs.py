"""Two digits from a text: `stackgan` in two stages, 28×28 and 56×56, with and without conditioning augmentation; 3 seeds.

A tenth of the ordered pairs of digits is in the test alone: "unseen". "Both right" is the share of the samples in which the
judge reads both digits as asked; beside it stands its accuracy on real scenes. "Stage I" is the Fréchet distance of its
images, enlarged (bicubic). A row per run, and below them means ± standard deviations over the seeds; test split. Runs that are
there already are not trained again: their folders are under outputs/pairs.
"""

from __future__ import annotations

from benchmarks.measure import table
from benchmarks.rare_class import spread
from benchmarks.runs import figures_of

RECIPE = ["experiment=stackgan_pairs", "judge=auto"]
RUNS = {
    "augmented": [*RECIPE, "model.augment_condition=true"],
    "not augmented": [*RECIPE, "model.augment_condition=false"],
}
SEEDS = 3
COLUMNS = {
    "both right, seen": ("class_as_asked_seen", 100),
    "judge": ("judge_class_accuracy_seen", 100),
    "both right, unseen": ("class_as_asked_unseen", 100),
    "judge, unseen": ("judge_class_accuracy_unseen", 100),
    "colours": ("colour_as_asked", 100),
    "places": ("place_as_asked", 100),
    "Fréchet": ("frechet_distance", 1),
    "stage I": ("stage_1_frechet", 1),
}


def run(rounds: int) -> str:
    chosen = {f"{name} {seed}": [*typed, f"seed={seed}"] for name, typed in RUNS.items() for seed in range(SEEDS)}
    found, missing = figures_of("pairs", chosen)
    rows, means = [], []
    for kind in RUNS:
        values = {}
        for name, figures in found.items():
            if name.startswith(f"{kind} "):
                values[name.replace(kind, f"{kind}, seed")] = [factor * figures[key] for key, factor in COLUMNS.values()]
        rows += [(name, *map("{:.1f}".format, each)) for name, each in values.items()]
        if len(values) > 1:
            means.append((f"{kind}, mean", *map(spread, zip(*values.values(), strict=True))))
    return table(("in %, and distances", *COLUMNS), [*rows, *means]) + missing
