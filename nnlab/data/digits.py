from __future__ import annotations

import torch

from nnlab.data.dataset import Arrays
from nnlab.data.images import Images
from nnlab.data.parts import with_test

COUNT = 1797


class Digits(Images):
    """Handwritten digits of 8×8 pixels with 17 gray levels, from scikit-learn (Alpaydin & Kaynak 1998).

    Values are k/16, k = 0 … 16. The set comes without a test: a fifth of each class, always the same, is set aside.
    """

    def size(self) -> int:
        return COUNT * (64 + 8)

    def load(self) -> Arrays:
        from sklearn.datasets import load_digits  # a second to import

        digits = load_digits()
        x = torch.from_numpy(digits.images).to(torch.uint8).unsqueeze(1)
        y = torch.from_numpy(digits.target).long()
        return with_test(x, y, 0.2, tuple("0123456789"), scale=1 / 16)
