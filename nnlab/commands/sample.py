"""nnlab sample: new examples, as a picture, or where they are rows of a table as a file of numbers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from nnlab.commands.arguments import add_model, parser, positive, seed, write_picture
from nnlab.errors import BadInput, explain
from nnlab.runs.find import as_typed

if TYPE_CHECKING:
    from torch import Tensor

    from nnlab.data.spec import DataSpec


def main(argv: list[str]) -> int:
    made = parser(
        "sample",
        "New examples: a picture of images, or the rows of a table in its own units.",
        "sample last",
        "sample last -n 100 --seed 7 -o samples.png",
        "sample last -n 1000 -o samples.csv",
    )
    made.add_argument("-n", type=positive, default=64, help="how many; by default 64")
    made.add_argument("--seed", type=seed, default=0, help="another seed, other examples")
    made.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="a .png of images, by default images/sample.png of the run; a .npz or .csv of a table, by default its samples.npz",
    )
    add_model(made)
    asked = made.parse_args(argv)

    import torch

    from nnlab.commands.capability import require
    from nnlab.latent.show import sample_picture
    from nnlab.loading import open_run
    from nnlab.model import Samples

    run = open_run(asked.run, asked.checkpoint, asked.device)
    require(run.model, Samples, "sample")
    generator = torch.Generator(run.device).manual_seed(asked.seed)
    with torch.inference_mode():
        if run.model.spec.kind == "table":
            examples = run.model.sample(asked.n, generator)
            return write_table(examples, run.model.spec, asked.output or run.folder.path / "samples.npz")
        picture = sample_picture(run.model, asked.n, generator)
    return write_picture(picture, asked.output, run.folder, "sample")


def write_table(examples: Tensor, spec: DataSpec, path: Path) -> int:
    """(N, D) examples in the units of the file that was learned from, under the names of its columns; and say where.

    .npz  `x` (N, D) float64 and `columns` (D,)
    .csv  a header and a line an example, with the nine digits that float32 holds
    """
    import numpy as np

    x = spec.original(examples).double().cpu().numpy()
    try:
        if path.suffix.lower() not in (".npz", ".csv"):
            raise BadInput(f"-o {path}: {spec.name} is a table, written as numbers; give a name that ends in .npz or .csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".npz":
            with path.open("wb") as file:
                np.savez(file, x=x, columns=np.array(spec.column_names))
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(spec.column_names)
                rows.writerows([f"{value:.9g}" for value in row] for row in x.tolist())
    except OSError as error:
        raise BadInput(explain(error, path)) from error
    print(as_typed(path))
    return 0
