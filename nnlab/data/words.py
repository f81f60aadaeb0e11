"""Words of texts: the rule that finds them, the vocabulary of a dataset, and texts as numbers of words.

The rule: a word is a run of letters of any script, with their combining marks, in lower case. Digits and signs separate
words: "T-shirt/top 2" is t, shirt, top. Two ways to write one letter (é as one character or as two) are one word.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from nnlab.errors import BadInput, near, shortened

PADDING, UNKNOWN = "", "<unknown>"  # the first two names of a vocabulary: number 0 fills up, 1 is every other word
RESERVED = (PADDING, UNKNOWN)
MOST_TOLD = 5  # unknown words that a message names


def words_of(text: str) -> list[str]:
    """The words of a text, in order, by the rule above; none if it has no letter."""
    characters = []
    for character in unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()):
        mark = unicodedata.category(character).startswith("M") and characters and characters[-1] != " "
        characters.append(character if mark or character.isalpha() else " ")
    return "".join(characters).split()


def vocabulary(counts: Counter[str], seen: int) -> tuple[str, ...]:
    """The padding, the unknown word, and the words that occur at least `seen` times: most frequent first, ties by alphabet."""
    known = sorted((word for word, n in counts.items() if n >= seen), key=lambda word: (-counts[word], word))
    return *RESERVED, *known


def numbered(captions: Sequence[Sequence[str]]) -> tuple[Tensor, tuple[str, ...]]:
    """(N, K, L) int64 and the words: up to K captions of each of N images; unused captions and places are 0, and last.

    captions  of each image, each as its words with spaces between
    All words are known, in the order of the alphabet; `restricted` makes the vocabulary of a training split of them.
    """
    place = {text: i for i, text in enumerate(dict.fromkeys(text for own in captions for text in own), 1)}
    split = [text.split() for text in place]
    words = *RESERVED, *sorted({word for own in split for word in own})
    number = {word: i for i, word in enumerate(words)}
    k, length = max(map(len, captions)), max(map(len, split))
    table = [[0] * length, *([*(number[word] for word in own), *[0] * (length - len(own))] for own in split)]
    rows = [[*(place[text] for text in own), *[0] * (k - len(own))] for own in captions]  # 0 is no caption
    return torch.tensor(table)[torch.tensor(rows)], words


def restricted(names: Sequence[str], train: Tensor, seen: int) -> tuple[tuple[str, ...], Tensor]:
    """The vocabulary of a training split, and its number of each known word: a map (len(names),) int64.

    names  of all words, as `numbered` gives them; train  (n, K, L) int64: their numbers in the training split
    Raises BadInput if no word occurs often enough.
    """
    counts = torch.bincount(train.flatten(), minlength=len(names)).tolist()
    found = Counter({word: n for word, n in zip(names[2:], counts[2:], strict=True) if n})
    kept = vocabulary(found, seen)
    if len(kept) == len(RESERVED):
        most = max(found.values(), default=0)
        raise BadInput(f"data.words_seen: no word occurs {seen:,} times in the training captions; give {most} or fewer")
    number = {word: i for i, word in enumerate(kept)}
    return kept, torch.tensor([0, 1, *(number.get(word, 1) for word in names[2:])])


def encode(text: str, words: Sequence[str], length: int, place: str = "caption") -> tuple[list[int], list[str]]:
    """A text that a user typed → `length` numbers of words, filled up with 0, and its unknown words, each once.

    words  a vocabulary; place  where the text was typed, for messages
    An unknown word has the number 1. Raises BadInput for a text without a known word, and for one of more words than `length`.
    """
    number = {word: i for i, word in enumerate(words) if i >= len(RESERVED)}
    found = words_of(text)
    unknown = list(dict.fromkeys(word for word in found if word not in number))
    if not found:
        raise BadInput(f"{place}: '{shortened(text)}' holds no word; write one of {some(words)}")
    if len(unknown) == len(set(found)):
        raise BadInput(f"{place}: no word of '{shortened(text)}' is known; {unknown_words(unknown, words, place, False)}")
    if len(found) > length:
        told = f"; {unknown_words(unknown, words, place, False)}" if unknown else ""
        raise BadInput(
            f"{place}: '{shortened(text)}' has {len(found)} words, the captions have {length} at most; shorten it{told}"
        )
    return [*(number.get(word, 1) for word in found), *[0] * (length - len(found))], unknown


def unknown_words(unknown: Sequence[str], words: Sequence[str], place: str, whole: bool = True) -> str:
    """A message for the user: which words of a text are unknown, each with the nearest known one; else some known ones.

    whole  False: without the place, as a part of another message
    """
    told = []
    for word in unknown[:MOST_TOLD]:
        meant = near(word, words[len(RESERVED) :], 0.6)
        told.append(f"'{shortened(word)}'" + (f" (did you mean '{shortened(meant)}'?)" if meant else ""))
    more = f" and {len(unknown) - MOST_TOLD:,} more" if len(unknown) > MOST_TOLD else ""
    hint = "" if any("?" in each for each in told) else f"; some of those known are {some(words)}"
    if not whole:
        return f"unknown: {', '.join(told)}{more}{hint}"
    return f"{place}: the model has learned no such word: {', '.join(told)}{more}{hint}"


def decode(numbers: Iterable[int], words: Sequence[str]) -> str:
    """Numbers of words → the text: its words with spaces between, without the padding."""
    return " ".join(words[int(number)] for number in numbers if int(number))


def some(words: Sequence[str]) -> str:
    """The most frequent words of a vocabulary."""
    return ", ".join(shortened(word) for word in words[len(RESERVED) :][:12])
