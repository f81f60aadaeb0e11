"""How indices become a batch: gather, cast, augment, binarize, noise.

Only device code, without copies to the host, so that a CUDA graph can hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nnlab.data.augmentation.base import Augmentation
from nnlab.data.images import bernoulli
from nnlab.data.noise.base import Noise
from nnlab.data.spec import Batch
from nnlab.data.split import Split


def eval_batch_size(split: Split) -> int:
    """The batch size without gradients: smaller for large images, to save memory."""
    return max(1, min(1000, 2**22 // split.features))


@dataclass
class BatchBuilder:
    """Batches of a split, corrupted by a noise if there is one; training batches may be augmented.

    views  number of views of an example: `target` and, each augmented by another draw, `view_2`, `view_3`, …
    """

    split: Split
    noise: Noise | None = None
    augmentation: Augmentation | None = None
    views: int = 1

    def batch(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """The batch of these rows of the split's array; `generator` is used for everything random."""
        return self.assemble(self.gather(rows), generator)

    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """The parts of these rows as they are stored, (n, …) each, on the device. Of a file this is work of the CPU.

        rows  (n,), or (n, 1 + unpaired parts) from a sampler; without them row r has the unpaired example r modulo their number
        A part of an unpaired part has that one's rows.
        """
        own = rows if rows.ndim == 1 else rows[:, 0]
        places = {
            name: others[own.to(others.device) % len(others)] if rows.ndim == 1 else rows[:, i]
            for i, (name, others) in enumerate(self.split.unpaired.items(), start=1)
        }
        shared = self.split.shared
        return {name: source.raw(places.get(shared.get(name, name), own)) for name, source in self.split.sources.items()}

    def assemble(self, raw: Mapping[str, Tensor], generator: torch.Generator) -> Batch:
        """The batch of stored parts: device code alone, so that a CUDA graph can hold it."""
        parts = {name: self.split.sources[name].cast(part) for name, part in raw.items()}
        parts |= {name: drawn(parts[name], generator) for name in sorted(self.split.drawn & parts.keys())}
        label = parts.pop("label", None)
        views = {
            f"view_{i}": self.augmented({"target": parts["target"]}, generator)["target"] for i in range(2, self.views + 1)
        }
        parts = self.augmented(parts, generator)
        clean = parts.pop("target")
        if self.split.dynamic_binarization:
            clean = bernoulli(clean, generator)
            views = {name: bernoulli(view, generator) for name, view in views.items()}
        given = parts.pop("input", clean)
        extra = {**parts, **views}
        if self.noise is None:
            return Batch(given, clean, None, label, extra=extra)
        corrupted, mask = self.noise(given, generator)
        return Batch(corrupted, clean, mask, label, erased=self.noise.erases, extra=extra)

    def augmented(self, parts: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The parts with all images changed by the same draw."""
        if self.augmentation is None or self.augmentation.identity:
            return parts
        images = {name: x for name, x in parts.items() if x.ndim == parts["target"].ndim and x.is_floating_point()}
        changed = {**parts, **self.augmentation.together(images, generator)}
        if self.split.is_binary:  # an enlarged image of bits must be bits again
            changed["target"] = changed["target"].round()
        return changed

    def raw(self, rows: Tensor) -> Batch:
        """The batch of these rows, in ascending order, as they are stored, not cast and not scaled; only for data without
        noise and without dynamic binarization. On the CPU consecutive rows are not copied.
        """
        x = self.split.target.sequential(rows)
        return Batch(input=x, target=x, label=self.split.labels(rows), scale=self.split.target.scale)

    def sequential(self, generator: torch.Generator, rows: Tensor | None = None) -> Iterator[Batch]:
        """Batches of the whole split, or of these rows of it, in the order of the file."""
        for part in (self.split.rows if rows is None else rows).split(eval_batch_size(self.split)):
            yield self.batch(part, generator)


def drawn(captions: Tensor, generator: torch.Generator) -> Tensor:
    """(N, K, L) texts → (N, L), one of each example's at random. A text that is not used begins with 0; the first is used."""
    used = (captions[..., 0] != 0).sum(1)
    u = torch.rand(len(captions), device=captions.device, generator=generator)
    chosen = (u * used).long().clamp(max=captions.shape[1] - 1)  # u · used may be rounded to `used`
    return captions[torch.arange(len(captions), device=captions.device), chosen]


def clean_batches(split: Split) -> Iterator[Batch]:
    """Batches of a whole split, cast to float, but not binarized and not corrupted, in the order of the file."""
    for rows in split.rows.split(eval_batch_size(split)):
        x = split.values(rows)
        yield Batch(input=x, target=x)
