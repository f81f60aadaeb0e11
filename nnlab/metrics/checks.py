"""Checks of the inputs of metrics for generated examples."""

from __future__ import annotations

from torch import Tensor

from nnlab.nn.float64 import to_float64

BLOCK = 2**23  # pairs whose values are held at once: 64 MiB in float64


def feature_matrix(features: Tensor, name: str, least: int = 1) -> Tensor:
    """Features (N, d) in float64, without their graph.

    Raises ValueError, which begins with `name`, unless they are a finite (N, d) with N ≥ `least` and d ≥ 1.
    """
    if features.dim() != 2 or not features.shape[1]:
        raise ValueError(f"{name}: expected features (N, d), got {tuple(features.shape)}")
    if len(features) < least:
        raise ValueError(f"{name}: expected {least} or more examples, got {len(features)}")
    if not features.isfinite().all():
        raise ValueError(f"{name}: expected finite features, got NaN or ∞")
    return to_float64(features.detach())


def feature_sets(sets: dict[str, Tensor], least: int) -> list[Tensor]:
    """Each set by `feature_matrix`, all of one width."""
    checked = [feature_matrix(features, name, least) for name, features in sets.items()]
    widths = [x.shape[1] for x in checked]
    if len(set(widths)) > 1:
        raise ValueError(f"{' and '.join(sets)}: expected features of one width, got {' and '.join(map(str, widths))}")
    return checked


def class_scores(scores: Tensor) -> Tensor:
    """(N, C) scores as they came. Raises ValueError unless they are a finite (N, C) with N, C ≥ 1."""
    if scores.dim() != 2 or not scores.numel():
        raise ValueError(f"expected class probabilities (N, C) of at least one example, got {tuple(scores.shape)}")
    if not scores.isfinite().all():
        raise ValueError("expected finite class probabilities, got NaN or ∞")
    return scores


def row_blocks(x: Tensor, columns: int) -> list[slice]:
    """Slices of the rows of x, so that a block of rows × `columns` values holds at most `BLOCK`, or is a single row."""
    rows = max(1, BLOCK // columns)
    return [slice(place, place + rows) for place in range(0, len(x), rows)]
