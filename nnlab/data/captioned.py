"""What datasets of captioned images share: the vocabulary is that of the training split."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast
from nnlab.data.dataset import Dataset
from nnlab.data.spec import Part
from nnlab.data.split import Arrays, Other
from nnlab.data.words import restricted

Count = Annotated[int, AtLeast(1)]


class Captioned(Dataset):
    """Base of the datasets with a part `caption`, texts (N, K, L) of K captions for each image; a batch has one of them.

    words_seen  a word belongs to the vocabulary if the captions of the training split have it at least so often; all others
                are <unknown>
    """

    def __init__(self, *, words_seen: Count = 1, **common) -> None:
        super().__init__(**common)
        self.words_seen = words_seen

    def prepare(self, arrays: Arrays, train: Tensor) -> Arrays:
        """The captions in the words of the training split's vocabulary, most frequent first. Raises BadInput without words."""
        arrays = super().prepare(arrays, train)
        caption = arrays.others["caption"]
        words, number = restricted(caption.part.names, caption.train[train], self.words_seen)
        part = replace(caption.part, names=words)
        caption = replace(caption, part=part, train=number[caption.train], test=number[caption.test])
        return replace(arrays, others={**arrays.others, "caption": caption})


def captions_of(numbers: Tensor, words: tuple[str, ...], n: int) -> Other:
    """The part of captions (N, K, L) int64 of these words, the first `n` of them for training and the others for the test."""
    part = Part("text", (numbers.shape[-1],), words)
    return Other(part, numbers[:n].contiguous(), numbers[n:].contiguous())


def bytes_of(images: int, captions: int, length: int) -> int:
    """Bytes of `captions` texts of `length` words for each of `images` images."""
    return images * captions * length * torch.int64.itemsize
