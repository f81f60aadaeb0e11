"""scikit-learn's BernoulliRBM: the steps of one pass of its `fit`, which would begin anew at each call.

It takes the set in slices in the order of the file, and draws one Gibbs step an update in chains that go on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from sklearn.neural_network import BernoulliRBM
from sklearn.utils import gen_even_slices

from benchmarks.peers.rbm.nnlab import BATCH, HIDDEN, RATE, assembled, negative_pseudo_likelihood


def prepare() -> dict[str, Callable[[], float]]:
    experiment = assembled("float32")
    train, shown = experiment.data.train, experiment.model
    images = train.values(train.rows).flatten(1).numpy()
    model = BernoulliRBM(HIDDEN, learning_rate=RATE, batch_size=BATCH, random_state=0)
    slices = list(gen_even_slices(-(-len(images) // BATCH) * BATCH, -(-len(images) // BATCH), n_samples=len(images)))

    @torch.no_grad()
    def epoch() -> float:
        for part in slices:
            model.partial_fit(images[part])
        fitted = model.components_.T, model.intercept_visible_, model.intercept_hidden_
        for name, value in zip(("weight", "visible_bias", "hidden_bias"), fitted, strict=True):
            shown.get_parameter(name).copy_(torch.from_numpy(np.ascontiguousarray(value)))
        return negative_pseudo_likelihood(shown, experiment.data)

    return {"scikit-learn, float32": epoch}
