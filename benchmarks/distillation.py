"""Hinton's setting on MNIST: a large teacher, a student that learns from it, and the same student alone; 5 seeds.

The teacher has two layers of 1,200 units with dropout, and sees shifted, rotated and zoomed images. The student has two
layers of 800 units, sees the images as they are, and learns for as many epochs with the teacher as alone. "Errors" are of the
10,000 test images, means ± standard deviations. "Without a 3": the student never sees an image of a 3, but the answers of the
teacher, who has. Then one number is set, the bias of this class: to the value with the fewest errors on 5,000 training images
that the teacher did not learn from. "3s" is the share of the 1,010 threes of the test that are told right. Hinton et al. (2015)
had 67 errors of the teacher, 146 of the student alone, 74 with the teacher; without a 3 206, after the bias 109, and 98.6 % of
the 3s.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.measure import ROOT, table
from benchmarks.rare_class import spread
from benchmarks.runs import run_of
from nnlab.experiment.loading import LoadedRun, open_run
from nnlab.runs.folder import RunFolder

SEEDS, LEFT_OUT = 5, 3
ALONE = ("model.activation=relu", "model.dropout=0", "trainer.epochs=30")
TAUGHT = ["experiment=distillation_mnist", f"model.teacher={ROOT / 'outputs/distillation/teacher'}"]
RUNS = {
    "teacher": ["experiment=teacher_mnist"],
    "student alone": ["model=fcnn", "data=mnist", "model.hidden=[800,800]", *ALONE],
}


def run(rounds: int) -> str:
    teacher = run_of("distillation", "teacher", RUNS["teacher"])
    own = answers(teacher)
    rows = [("teacher", str(errors(*own)), f"{threes(*own):.1%}")]
    for name, typed in {"student alone": RUNS["student alone"], "student with the teacher": TAUGHT}.items():
        runs = [run_of("distillation", f"{name} {seed}", [*typed, f"seed={seed}"]) for seed in range(SEEDS)]
        rows.append((name, *figures([answers(each) for each in runs])))
    without = [
        run_of("distillation", f"without a 3 {seed}", [*TAUGHT, f"data.imbalance={{{LEFT_OUT}:0}}", f"seed={seed}"])
        for seed in range(SEEDS)
    ]
    as_it_is = [answers(each) for each in without]
    corrected = [after_bias(each, teacher) for each in without]
    for name, found in {"without a 3": as_it_is, "without a 3, the bias set": corrected}.items():
        rows.append((name, *figures(found)))
    return table(("", "errors", "3s"), rows)


def figures(found: list[tuple[Tensor, Tensor]]) -> tuple[str, str]:
    """Errors and the share of the 3s, of logits and labels of each seed."""
    return spread([errors(*each) for each in found]), spread([100 * threes(*each) for each in found]) + "%"


def errors(logits: Tensor, label: Tensor) -> int:
    """How many are told wrong."""
    return int((logits.argmax(1) != label).sum())


def answers(folder: RunFolder, split: str = "test") -> tuple[Tensor, Tensor]:
    """Logits (N, 10) and labels (N,) of a split."""
    return open_run(folder.path).experiment.trainer.outputs(split)


def threes(logits: Tensor, label: Tensor) -> float:
    """The share of the 3s that are told right."""
    return (logits.argmax(1) == label)[label == LEFT_OUT].double().mean().item()


def after_bias(folder: RunFolder, teacher: RunFolder) -> tuple[Tensor, Tensor]:
    """Test logits and labels with the bias of the 3s set on the teacher's validation images."""
    run, whole = open_run(folder.path), open_run(teacher.path)
    logits, label = of_images(run, whole)
    bias = torch.arange(-5, 15, 0.05)
    wrong = [errors(with_bias(logits, b), label) for b in bias.tolist()]
    best = bias[torch.tensor(wrong) == min(wrong)].mean().item()
    logits, label = answers(folder)
    return with_bias(logits, best), label


def of_images(run: LoadedRun, other: LoadedRun) -> tuple[Tensor, Tensor]:
    """A run's logits of the validation images of another, and their labels."""
    split = other.data.validation
    with torch.inference_mode():
        return run.model.logits(split.values(split.rows)), split.labels(split.rows)


def with_bias(logits: Tensor, bias: float) -> Tensor:
    """Logits with more for the class that was left out."""
    changed = logits.clone()
    changed[:, LEFT_OUT] += bias
    return changed
