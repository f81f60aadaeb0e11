"""nnlab attribute: give images an attribute by adding the difference of two mean codes."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnlab.commands.arguments import (
    MOST_STEPS,
    add_data_changed,
    add_model,
    add_output,
    add_split,
    make_parser,
    positive,
    reals,
    write_picture,
)
from nnlab.errors import BadInput, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import torch
    from torch import Tensor

    from nnlab.data.selection import Selection
    from nnlab.data.spec import Batch
    from nnlab.evaluators.judge import Judge
    from nnlab.experiment.loading import LoadedRun


def arguments(argv: list[str]) -> Namespace:
    """The parsed command line of the verb. Exits with a message if it is wrong."""
    parser = make_parser(
        "attribute",
        "Decode the codes e(X) + t · S. S is the difference from the mean code of the images without an attribute (--minus) "
        "to the mean code of those with it (--plus). S is measured on the training split and added to other images, those of "
        "--split. A SELECTION is classes by name, or else by number (sneaker or 3,5), or a file of indices into the split: "
        "whole numbers, one a line in a .txt, or an array in a .npy.",
        "attribute last --plus trouser --minus t-shirt/top",
        "attribute last --plus 1 --minus 0 --strength 0.5,1,1.5 --judge auto",
        "attribute last --plus smiling.txt --minus sad.txt --apply-to faces.npy --strength=-1,0,1",
    )
    parser.add_argument("--plus", required=True, metavar="SELECTION", help="training images with the attribute")
    parser.add_argument("--minus", required=True, metavar="SELECTION", help="training images without it")
    parser.add_argument(
        "--apply-to", metavar="SELECTION", help="the images of --split that get it; by default the classes of --minus"
    )
    parser.add_argument(
        "--strength",
        type=reals,
        default=[0, 0.5, 1.0, 1.5],
        metavar="T,…",
        help="values of t, one column each; by default 0,0.5,1,1.5",
    )
    parser.add_argument("-n", type=positive, default=8, help="images in the picture; by default 8. The metrics use all images")
    parser.add_argument(
        "--judge",
        metavar="JUDGE",
        help="counts the images classified as --plus: auto (a classifier trained once per dataset) or RUN; by "
        "default the run's own, if it has one",
    )
    add_split(parser, "test")
    add_output(parser, "attribute")
    add_model(parser)
    add_data_changed(parser)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Measure the direction of an attribute, give it to other images, print and draw the result. Returns the exit status."""
    args = arguments(argv)
    check(args)

    import torch

    from nnlab.commands.capability import require_image
    from nnlab.commands.run_access import judge_of, load_capable
    from nnlab.model import Decodes, Encodes

    run = load_capable(args, "attribute", Encodes, Decodes)
    require_image(run.model, "attribute")
    data = run.data
    plus, minus, applied = chosen(args, run)
    judge = judge_of(run, data, args.judge) if plus.selection.classes else None
    with torch.inference_mode():
        direction = leading(run, minus, plus)
        rows = measured(run, args.strength, direction, applied, {"plus": plus, "minus": minus}, judge)
        picture = drawn(run, args, direction, applied)
    figures = {
        **run.metadata,
        **{"plus": plus.metadata, "minus": minus.metadata, "applied": applied.metadata},
        **({"judge": judge.name} if judge else {}),
        **{"length": direction.norm().item(), "input": rows[0], "strengths": rows[1:]},
    }
    print(summary(figures))
    return write_picture(picture, args, run, "attribute", figures)


def check(args: Namespace) -> None:
    """Raise BadInput with all problems of the command line."""
    for option, count in (("--strength", len(args.strength)), ("-n", args.n)):
        if count > MOST_STEPS:
            raise BadInput(f"{option}: expected at most {MOST_STEPS} for a picture, got {count}")
    if args.judge == "inception":
        raise BadInput("--judge inception: it has other classes than these data; give auto, or the run of a classifier")


@dataclass(frozen=True)
class Group:
    """Images that were selected: `rows` (n,) of the array of a split."""

    selection: Selection
    run: LoadedRun
    split: str
    rows: Tensor

    @property
    def metadata(self) -> dict:
        """What the figures say of the group: the words typed, its name, its split and how many images it has."""
        return {"selection": self.selection.typed, "name": self.selection.name, "split": self.split, "n": len(self.rows)}

    def batches(self) -> Iterator[Batch]:
        """The group's examples in batches."""
        from nnlab.commands.run_access import batches_of

        return batches_of(self.run, self.run.data.split(self.split), self.rows)


def chosen(args: Namespace, run: LoadedRun) -> tuple[Group, Group, Group]:
    """The groups: with the attribute, without it, and the images that get it.

    Raises BadInput if a selection is none or empty, or it is not said whom to give the attribute.
    """
    from nnlab.commands.run_access import nonempty_split
    from nnlab.data.selection import selection

    data = run.data
    plus, minus = selection(args.plus, "--plus", data.spec), selection(args.minus, "--minus", data.spec)
    if args.apply_to is None and minus.classes is None:
        raise BadInput(f"--apply-to: needed, since {args.minus} lists training images; give classes, or indices of --split")
    if args.judge is not None and plus.classes is None:
        raise BadInput(f"--judge {args.judge}: recognizes classes, but {args.plus} is not a class; leave it out")
    applied = minus if args.apply_to is None else selection(args.apply_to, "--apply-to", data.spec)
    places = ((plus, "train"), (minus, "train"), (applied, args.split))
    groups = tuple(Group(each, run, split, each.rows(nonempty_split(data, split), split)) for each, split in places)
    if set(groups[0].rows.tolist()) == set(groups[1].rows.tolist()):
        raise BadInput("--plus, --minus: the same images, so the difference is 0; choose others")
    return groups


def leading(run: LoadedRun, minus: Group, plus: Group) -> Tensor:
    """S (d,), from the mean code of one group to that of another."""
    from nnlab.latent.codes import moments

    return moments(run.model, plus.batches())[0] - moments(run.model, minus.batches())[0]


def measured(
    run: LoadedRun, strengths: list[float], direction: Tensor, applied: Group, named: dict[str, Group], judge: Judge | None
) -> list[dict]:
    """For each strength the mean squared error to the images, and the classes that a judge sees in both."""
    from nnlab.latent.codes import shift
    from nnlab.metrics.reconstruction import mse

    classes = {f"judged_{name}": group.selection.classes for name, group in named.items() if judge and group.selection.classes}
    rows = [dict.fromkeys(classes, 0.0), *({"strength": t, "mse": 0.0, **dict.fromkeys(classes, 0.0)} for t in strengths)]
    n = len(applied.rows)

    def see(outputs: Tensor, into: dict) -> None:
        seen = judge.model.classify(judge.adapt(outputs)).argmax(1) if classes else None
        for name, some in classes.items():
            into[name] += among(seen, some) / n

    for batch in applied.batches():
        see(batch.target, rows[0])
        codes = run.model.encode(batch.input)
        for row in rows[1:]:
            outputs = shift(run.model, codes, direction, direction.new_tensor([row["strength"]]))[:, 0]
            row["mse"] += mse(outputs, batch.target).double().sum().item() / n
            see(outputs, row)
    return rows


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
        judged = {figures[key]["name"]: row.get(f"judged_{key}") for key in ("plus", "minus")}
        seen = [f"{share:.1%} seen as {name}" for name, share in judged.items() if share is not None]
        lines.append(f"{row['strength']:g} S: {', '.join([*seen, 'mse'])} {row['mse']:.5g} to the input")
    return "\n".join(map(printable, lines))


def drawn(run: LoadedRun, args: Namespace, direction: Tensor, applied: Group) -> np.ndarray:
    """The picture of some of the images, evenly spaced."""
    import torch

    from nnlab.commands.run_access import select_examples, titles
    from nnlab.data.inputs import spread
    from nnlab.latent.codes import shift
    from nnlab.plotting.latent import attribute_picture

    few = applied.rows[torch.from_numpy(spread(len(applied.rows), args.n)).to(applied.rows.device)]
    places = torch.searchsorted(run.data.split(applied.split).rows, few).tolist()  # a split is in the order of the file
    batch = select_examples(run, applied.split, places, "--apply-to")
    shifted = shift(run.model, run.model.encode(batch.input), direction, direction.new_tensor(args.strength))
    return attribute_picture(run.model, batch.input, shifted, args.strength, titles(places, batch, run.data.spec))
