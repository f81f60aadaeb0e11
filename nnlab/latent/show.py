"""Pictures of what a model does with images: reconstructions, samples, motion in the latent space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.latent.traversal import manifold, traverse
from nnlab.model import Decodes, Latent, Model, Reconstructs, Samples
from nnlab.pictures import grid, sheet, titled_grid, to_pixels

PER_ROW = 12
COMPONENTS_PER_ROW = 9


def reconstruction_picture(model: Reconstructs, batch: Batch) -> np.ndarray:
    """Rows of inputs over their outputs; with a noise, the clean images, what the model was given, and its outputs."""
    spec = model.spec
    rows = {"input": batch.target, "output": model.reconstruct(batch.input)}
    if batch.mask is not None:
        rows = {"clean": batch.target, "input": batch.input, "output": rows["output"]}
    tiles, labels = [], []
    for start in range(0, len(batch) - len(batch) % PER_ROW or len(batch), PER_ROW):
        for label, images in rows.items():
            tiles.append(to_pixels(images[start : start + PER_ROW], spec))
            labels.append(label)
    return sheet(np.stack(tiles), labels)


def sample_picture(model: Samples, n: int, generator: torch.Generator) -> np.ndarray:
    return grid(model.sample(n, generator), model.spec)


def traversal_picture(
    model: Decodes,
    latent: Latent,
    base: Tensor | None = None,
    coordinates: list[int] | None = None,
    values: Tensor | None = None,
) -> np.ndarray:
    """A row a coordinate, the most informative first, its name and what it carries in the margin.

    Every coordinate, around the middle of the latent space and ±3 standard deviations, unless told otherwise.
    """
    base = latent.mean if base is None else base
    coordinates = latent.order() if coordinates is None else coordinates
    values = torch.linspace(-3, 3, 11, device=base.device) if values is None else values
    images = traverse(model, base, latent, coordinates, values)
    carried = (
        [f"s.d. {s:.2f}" for s in latent.std.tolist()] if latent.kl is None else [f"{k:.2f} nats" for k in latent.kl.tolist()]
    )
    rows = [f"z{i}\n{carried[i]}" for i in coordinates]
    return sheet(to_pixels(images, model.spec), rows, [f"{v:+.1f}" if abs(v) > 0.05 else "0" for v in values.tolist()])


def manifold_picture(model: Decodes, latent: Latent) -> np.ndarray:
    return sheet(to_pixels(manifold(model, latent), model.spec))


def motion(model: Model, latent: Latent) -> dict[str, np.ndarray]:
    """The pictures of a latent space: every coordinate's motion, and the plane where there are just two."""
    pictures = {"traversal": traversal_picture(model, latent)}
    if model.latent_dim == 2:
        pictures["manifold"] = manifold_picture(model, latent)
    return pictures


def components_picture(model: Model) -> np.ndarray:
    """The mean and the principal components as images, each with the share of the variance that it carries.

    A component is a direction: gray is zero, and each is scaled to its own largest entry.
    """
    spec, shown = model.spec, min(model.latent_dim, 5 * COMPONENTS_PER_ROW - 1)
    directions = model.components[:shown]
    scaled = spec.low + (spec.high - spec.low) * (0.5 + 0.5 * directions / directions.abs().amax(1, keepdim=True))
    images = torch.cat([model.mean[None], scaled]).unflatten(1, spec.shape)
    names = ["mean", *(f"{i + 1}: {share:.1%}" for i, share in enumerate(model.explained[:shown].tolist()))]
    return titled_grid(images, spec, names, COMPONENTS_PER_ROW)
