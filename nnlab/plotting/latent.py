"""Pictures of a model of images: reconstructions, samples, motion in the latent space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.latent.interpolation import Path, between, interpolate
from nnlab.latent.traversal import axes, manifold, traverse
from nnlab.model import Decodes, Latent, Model, Reconstructs, Samples, SamplesClasses, Varies
from nnlab.plotting.charts import kl_chart
from nnlab.plotting.images import GAP, directions, grid, input_pixels, sheet, titled, to_pixels
from nnlab.plotting.picture import BACKGROUND

PER_ROW = 12
COMPONENTS_PER_ROW = 9
ROWS = 16  # at most this many coordinates in one picture


def reconstruction_picture(model: Reconstructs, batch: Batch, output: Tensor | None = None, known: bool = True) -> np.ndarray:
    """Rows of inputs over their outputs; with a noise: clean images, corrupted images and outputs.

    Of pairs: inputs, outputs, and targets where they are known.

    output  (N, *shape), by default the reconstructions
    known   whether the batch has the targets
    """
    spec = model.spec
    target, given = to_pixels(batch.target, spec) if known else None, input_pixels(batch.input, spec)
    made = to_pixels(model.reconstruct(batch.input) if output is None else output, spec)
    if spec.paired:
        rows = {"input": given, "output": made, **({"target": target} if known else {})}
    elif batch.mask is not None:
        rows = {"clean": target, "input": given, "output": made}
    else:
        rows = {"input": target, "output": made}
    tiles, labels = [], []
    for start in range(0, len(batch) - len(batch) % PER_ROW or len(batch), PER_ROW):
        for label, images in rows.items():
            tiles.append(images[start : start + PER_ROW])
            labels.append(label)
    return sheet(np.stack(tiles), labels)


def sample_picture(model: Samples, n: int, generator: torch.Generator) -> np.ndarray:
    """n samples of the model in a sheet (H, W, 3), nearly square."""
    return grid(model.sample(n, generator), model.spec)


def class_picture(model: SamplesClasses, each: int, generator: torch.Generator, classes: list[int] | None = None) -> np.ndarray:
    """One row per class, its name in the margin, with `n` new examples each; by default of all classes.

    The examples of a single class make a sheet, nearly square.
    """
    spec = model.spec
    classes = list(range(len(spec.classes))) if classes is None else classes
    label = torch.tensor(classes, device=generator.device).repeat_interleave(each)
    images = model.sample_class(label, generator)
    if len(classes) == 1:
        return grid(images, spec)
    return sheet(to_pixels(images.unflatten(0, (len(classes), each)), spec), [spec.classes[i] for i in classes])


def traversal_picture(
    model: Decodes,
    latent: Latent,
    base: Tensor | None = None,
    coordinates: list[int] | None = None,
    values: Tensor | None = None,
    example: Batch | None = None,
) -> np.ndarray:
    """One row per coordinate, the most informative first; its name and its KL are in the margin.

    At most the 16 most informative coordinates, by default around the middle of the latent space and
    with ±3 standard deviations.

    example  a batch of one, whose code is the base; it is shown next to the rows, with its output
    """
    base = latent.mean if base is None else base
    coordinates = latent.order()[:ROWS] if coordinates is None else coordinates
    values = torch.linspace(-3, 3, 11, device=base.device) if values is None else values
    images = traverse(model, base, latent, coordinates, values)
    carried = (
        [f"s.d. {s:.2f}" for s in latent.std.tolist()] if latent.kl is None else [f"{k:.2f} nats" for k in latent.kl.tolist()]
    )
    rows = [f"z{i}\n{carried[i]}" for i in coordinates]
    count = f", {len(rows)} of {len(latent.mean)} coordinates" if len(rows) < len(latent.mean) else ""
    caption = f"standard deviations of the coordinate{count}"
    motion = sheet(to_pixels(images, model.spec), rows, signed(values), caption)
    return motion if example is None else beside(shown(model, example, model.decode(base[None])[0], len(rows), " "), motion)


def shown(model: Model, example: Batch, output: Tensor, rows: int, caption: str = "") -> np.ndarray:
    """A batch of one and its output at the head of columns of so many rows, under a caption as its neighbour has.

    If its input is another image than its target, the target too.
    """
    images = {"input": input_pixels(example.input, model.spec), "output": to_pixels(output[None], model.spec)}
    if model.spec.paired:
        images["target"] = to_pixels(example.target, model.spec)
    head = np.stack(list(images.values()), 1)
    blank = np.full((rows - 1, *head.shape[1:]), BACKGROUND, np.uint8)
    return sheet(np.concatenate([head, blank]), None, list(images), caption)


def signed(values: Tensor) -> list[str]:
    """Of each number its sign and a digit behind the point, as a title of a column; of zero neither."""
    return [f"{v:+.1f}" if abs(v) > 0.05 else "0" for v in values.tolist()]


def manifold_picture(model: Decodes, latent: Latent, side: int = 20) -> np.ndarray:
    """The plane of a code of two coordinates, with the values of both in the margins: z0 grows to the right, z1 upwards."""
    across, up = ([f"{v:+.1f}" for v in axis.tolist()] for axis in axes(latent, side))
    labels = [text if i % 2 == 0 else "" for i, text in enumerate(across)]  # each would run into the next
    return sheet(to_pixels(manifold(model, latent, side), model.spec), [f"z1 {text}" for text in up], labels, "z0")


def motion(model: Model, latent: Latent) -> dict[str, np.ndarray]:
    """The pictures of a latent space: the motion and the KL of every coordinate, and the plane if there are two."""
    pictures = {"traversal": traversal_picture(model, latent)}
    if latent.kl is not None:
        pictures["kl"] = kl_chart(latent.kl)
    if model.latent_dim == 2:
        pictures["manifold"] = manifold_picture(model, latent)
    return pictures


def components_picture(model: Model) -> np.ndarray:
    """The mean and the principal components as images, each with its share of the variance.

    A component is a direction: gray is zero, and each has its own scale.
    """
    spec, shown = model.spec, min(model.latent_dim, 5 * COMPONENTS_PER_ROW - 1)
    tiles = [to_pixels(model.mean[None].unflatten(1, spec.shape), spec)]
    tiles += [directions(model.components[:shown].unflatten(1, spec.shape))]
    names = ["mean", *(f"z{i}: {share:.1%}" for i, share in enumerate(model.explained[:shown].tolist()))]
    return titled(np.concatenate(tiles), names, COMPONENTS_PER_ROW)


def interpolation_picture(
    model: Model,
    start: Tensor,
    end: Tensor,
    shares: Tensor,
    names: list[str],
    blended: bool = False,
    path: Path = between,
) -> np.ndarray:
    """One row per pair: the image A, decoded codes from A's to B's for each α, and the image B.

    start, end  (N, …) inputs, as many as there are names of rows
    path        from code to code, by default the straight one
    blended     under each row the pixels (1 − α)·A + α·B: what a path without a code would be
    """
    spec = model.spec
    middle = to_pixels(interpolate(model, start, end, shares, path), spec)
    left, right = (input_pixels(images[:, None], spec) for images in (start, end))
    if blended:
        middle = alternating(middle, input_pixels(between(start, end, shares), spec))
        left, right = (alternating(images, np.full_like(images, BACKGROUND)) for images in (left, right))
        names = [row for name in names for row in (f"{name}\nby codes", "by pixels")]
    middle = sheet(middle, None, [f"{alpha:.2g}" for alpha in shares.tolist()])
    return beside(sheet(left, names, ["A"]), middle, sheet(right, None, ["B"]))


def variation_picture(model: Model, example: Batch, output: Tensor, varied: Tensor, scales: list[float]) -> np.ndarray:
    """The image X and its output next to a row of variations for each scale.

    example  a batch of one
    output   (*shape)
    varied   (k, n, *shape), as `codes.vary` makes them
    """
    made = sheet(to_pixels(varied, model.spec), [f"s = {scale:g}" for scale in scales], [""] * varied.shape[1])
    return beside(shown(model, example, output, len(scales)), made)


def variations_picture(model: Varies, x: Tensor, z: Tensor) -> np.ndarray:
    """One row per image x (n, *shape): the image, and its variations, those of a column by the same noise z (k, latent_dim)."""
    made = model.vary(x.repeat_interleave(len(z), 0), z.repeat(len(x), 1)).unflatten(0, (len(x), len(z)))
    names = [f"z{i + 1}" for i in range(len(z))]
    return beside(sheet(to_pixels(x[:, None], model.spec), None, ["data"]), sheet(to_pixels(made, model.spec), None, names))


def attribute_picture(model: Model, images: Tensor, shifted: Tensor, strengths: list[float], names: list[str]) -> np.ndarray:
    """One row per input (N, …): the image, then the decoded shifted codes (N, k, *shape) for each strength."""
    made = sheet(to_pixels(shifted, model.spec), None, [f"{strength:g} S" if strength else "0" for strength in strengths])
    return beside(sheet(input_pixels(images[:, None], model.spec), names, ["input"]), made)


def beside(*parts: np.ndarray) -> np.ndarray:
    """Sheets of the same height side by side: inputs are separated from outputs."""
    gap = np.full((len(parts[0]), 4 * GAP, 3), BACKGROUND, np.uint8)
    return np.concatenate([part for each in parts for part in (each, gap)][:-1], axis=1)


def alternating(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Rows (N, …) of one kind and of another → (2N, …): each of the first over its partner."""
    return np.stack([above, below], axis=1).reshape(-1, *above.shape[1:])
