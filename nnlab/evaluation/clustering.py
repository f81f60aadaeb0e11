"""How clusters agree with classes."""

from __future__ import annotations

import warnings

from torch import Tensor


def agreement(clusters: Tensor, labels: Tensor) -> dict[str, float]:
    """Normalised mutual information (arithmetic mean) and adjusted Rand index (Hubert & Arabie 1985) of (N,) and (N,)."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    a, b = labels.cpu().numpy(), clusters.cpu().numpy()
    with warnings.catch_warnings():  # sklearn warns of few clusters, which is no matter here
        warnings.simplefilter("ignore")
        return {"nmi": float(normalized_mutual_info_score(a, b)), "ari": float(adjusted_rand_score(a, b))}
