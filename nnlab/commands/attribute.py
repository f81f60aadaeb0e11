"""nnlab attribute: give images an attribute by the vector that leads, in the codes, from those without it to those with it."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnlab.commands.arguments import (
    MOST_STEPS,
    add_model,
    add_output,
    add_split,
    check_picture,
    parser,
    positive,
    reals,
    write_picture,
)
from nnlab.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor

    from nnlab.data.dataset import Data
    from nnlab.data.selection import Selection
    from nnlab.data.spec import Batch
    from nnlab.evaluation.judge import Judge
    from nnlab.loading import OpenRun


def main(argv: list[str]) -> int:
    made = parser(
        "attribute",
        "What the codes e(X) + t · S decode to, where S leads from the mean code of the images without an attribute (--minus) to "
        "the mean code of those with it (--plus). S is measured on the training split and given to images that it has not seen, "
        "those of --split. A SELECTION is classes by name, or else by number (sneaker or 3,5), or a file of indices into the "
        "split: whole numbers, one a line in a .txt, or an array in a .npy.",
        "attribute last --plus trouser --minus t-shirt/top",
        "attribute last --plus 1 --minus 0 --strength 0.5,1,1.5 --judge auto",
        "attribute last --plus smiling.txt --minus sad.txt --apply-to faces.npy --strength=-1,0,1",
    )
    made.add_argument("--plus", required=True, metavar="SELECTION", help="training images with the attribute")
    made.add_argument("--minus", required=True, metavar="SELECTION", help="training images without it")
    made.add_argument("--apply-to", metavar="SELECTION", help="who is given it, in --split; by default the classes of --minus")
    made.add_argument(
        "--strength", type=reals, default=[0, 0.5, 1.0, 1.5], metavar="T,…", help="t, a column each; by default 0,0.5,1,1.5"
    )
    made.add_argument("-n", type=positive, default=8, help="images in the picture; by default 8. The figures are of all")
    made.add_argument(
        "--judge",
        metavar="JUDGE",
        help="says which images are seen as the classes of --plus: auto (a classifier trained once a dataset) or RUN; by default "
        "the run's own, if it has one",
    )
    add_split(made, "test")
    add_output(made, "attribute")
    add_model(made)
    asked = made.parse_args(argv)
    check(asked)

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.trained import clean, judge_of, open_able, open_data, take
    from nnlab.model import Decodes, Encodes

    run = open_able(asked, "attribute", Encodes, Decodes)
    require_image(run.model, "attribute")
    data = open_data(run)
    task = read(asked, data)
    judge = judge_of(run, data, asked.judge) if task.plus.classes is not None else None
    rows = task.applied.rows(take(data, asked.split), asked.split)
    with torch.inference_mode():
        direction = task.direction(run, data)
        batches = clean(data.split(asked.split), data.spec, rows)
        figures = measured(run, task, asked, direction, batches, judge)
        picture = drawn(run, data, asked, direction, rows)
    print(summary(figures))
    return write_picture(picture, asked.output, run.folder, "attribute", figures)


def check(asked: Namespace) -> None:
    """Raise BadInput with all that can be told from the command line alone."""
    check_picture(asked.output)
    for option, count in (("--strength", len(asked.strength)), ("-n", asked.n)):
        if count > MOST_STEPS:
            raise BadInput(f"{option}: {count} are too many for a picture, which holds {MOST_STEPS}")
    if asked.judge == "inception":
        raise BadInput("--judge inception: it knows other classes than these data have; give auto, or the run of a classifier")


@dataclass
class Task:
    """Whom to learn an attribute from, and whom to give it."""

    plus: Selection
    minus: Selection
    applied: Selection

    def direction(self, run: OpenRun, data: Data) -> Tensor:
        """S (d,): the mean code of plus less the mean code of minus, over the training split."""
        import torch

        from nnlab.commands.trained import clean
        from nnlab.latent.codes import moments

        with_it, without = (chosen.rows(data.train, "train") for chosen in (self.plus, self.minus))
        if torch.equal(with_it, without):
            raise BadInput("--plus, --minus: the same images, between which nothing leads anywhere; choose others")
        self.counts = len(with_it), len(without)
        means = [moments(run.model, clean(data.train, data.spec, rows))[0] for rows in (with_it, without)]
        return means[0] - means[1]


def read(asked: Namespace, data: Data) -> Task:
    """The selections. Raises BadInput if one is none, or it is not said whom to give the attribute."""
    from nnlab.data.selection import selection

    plus, minus = selection(asked.plus, "--plus", data.spec), selection(asked.minus, "--minus", data.spec)
    if asked.apply_to is None and minus.classes is None:
        raise BadInput(f"--apply-to: needed, since {asked.minus} lists training images; give classes, or indices of --split")
    if asked.judge is not None and plus.classes is None:
        raise BadInput(f"--judge {asked.judge}: tells classes apart, and {asked.plus} is none; leave it out")
    return Task(plus, minus, minus if asked.apply_to is None else selection(asked.apply_to, "--apply-to", data.spec))


def measured(
    run: OpenRun, task: Task, asked: Namespace, direction: Tensor, batches: Iterable[Batch], judge: Judge | None
) -> dict:
    """What was asked, and of each strength the mean squared error to the image, and which classes a judge sees."""
    from nnlab.evaluation.reconstruction import mse
    from nnlab.latent.codes import shift

    targets = {name: chosen.classes for name, chosen in (("plus", task.plus), ("minus", task.minus)) if chosen.classes}
    sums = [dict.fromkeys(["mse", *(f"judged_{name}" for name in targets if judge)], 0.0) for _ in [None, *asked.strength]]
    n = 0

    def add(sums: dict[str, float], outputs: Tensor, images: Tensor) -> None:
        sums["mse"] += mse(outputs, images).double().sum().item()
        seen = judge.model.classify(judge.sees(outputs)).argmax(1) if judge else None
        for name, classes in targets.items() if judge else ():
            sums[f"judged_{name}"] += among(seen, classes)

    for batch in batches:
        codes = run.model.encode(batch.target)
        add(sums[0], batch.target, batch.target)
        for strength, into in zip(asked.strength, sums[1:], strict=True):
            add(into, shift(run.model, codes, direction, direction.new_tensor([strength]))[:, 0], batch.target)
        n += len(batch)
    given, *rows = ({name: total / n for name, total in each.items()} for each in sums)
    del given["mse"]
    return {
        **run.facts,
        "plus": {"selection": asked.plus, "name": task.plus.name, "split": "train", "n": task.counts[0]},
        "minus": {"selection": asked.minus, "name": task.minus.name, "split": "train", "n": task.counts[1]},
        "applied": {"selection": task.applied.typed, "name": task.applied.name, "split": asked.split, "n": n, **given},
        **({"judge": judge.name} if judge else {}),
        "length": direction.norm().item(),
        "strengths": [{"strength": strength, **row} for strength, row in zip(asked.strength, rows, strict=True)],
    }


def among(seen: torch.Tensor, classes: tuple[int, ...]) -> int:
    """How many of the classes that were seen (N,) are one of these."""
    import torch

    return int(torch.isin(seen, torch.tensor(classes, device=seen.device)).sum())


def summary(figures: dict) -> str:
    """The figures as sentences."""
    plus, minus, applied = figures["plus"], figures["minus"], figures["applied"]
    lines = [
        f"S: from {minus['n']:,} of {minus['name']} to {plus['n']:,} of {plus['name']} of the train split, length "
        f"{figures['length']:.4g}; given to {applied['n']:,} of {applied['name']} of the {applied['split']} split"
    ]
    for row in figures["strengths"]:
        seen = [f"{row[f'judged_{key}']:.1%} seen as {figures[key]['name']}" for key in ("plus", "minus") if f"judged_{key}" in row]
        lines.append(f"{row['strength']:g} S: {', '.join([*seen, 'mse {:.5g} to the input'.format(row['mse'])])}")
    return "\n".join(lines)


def drawn(run: OpenRun, data: Data, asked: Namespace, direction: Tensor, rows: Tensor):
    """The picture of some of the images, at even distances."""
    import torch

    from nnlab.commands.trained import clean, titles
    from nnlab.data.inputs import spread
    from nnlab.latent.codes import shift
    from nnlab.latent.show import attribute_picture

    split = data.split(asked.split)
    few = rows[torch.from_numpy(spread(len(rows), asked.n)).to(rows.device)]
    (batch,) = clean(split, data.spec, few)
    places = torch.searchsorted(split.rows, few).tolist()  # rows stand in the order of the file
    strengths = direction.new_tensor(asked.strength)
    shifted = shift(run.model, run.model.encode(batch.target), direction, strengths)
    return attribute_picture(run.model, batch.target, shifted, asked.strength, titles(places, batch, data.spec))
