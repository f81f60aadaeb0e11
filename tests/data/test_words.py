"""Words of texts: the rule, vocabularies, and what a user is told about unknown words."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from nnlab.data.words import decode, encode, numbered, restricted, unknown_words, vocabulary, words_of
from nnlab.errors import BadInput

WORDS = ("", "<unknown>", "red", "three", "purple", "large")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A red THREE, at the top-left.", ["a", "red", "three", "at", "the", "top", "left"]),
        ("T-shirt/top 2 x3y", ["t", "shirt", "top", "x", "y"]),
        ("Ёлка и ёлка", ["ёлка", "и", "ёлка"]),
        ("Straße", ["strasse"]),
        ("caf\u0065\u0301 café", ["café", "café"]),  # é as two characters and as one
        ("हिन्दी 漢字", ["हिन्दी", "漢字"]),  # letters with marks that have no form of one character
        ("\u0301 42 <unknown> ❤\ufe0f", ["unknown"]),
        ("", []),
    ],
)
def test_a_word_is_a_run_of_letters_with_their_marks_in_lower_case(text: str, words: list[str]) -> None:
    assert words_of(text) == words
    assert words_of(" ".join(words)) == words, "a word is its own word"


def test_the_most_frequent_words_come_first_and_rare_ones_are_unknown() -> None:
    counts = Counter({"b": 3, "a": 3, "c": 7, "d": 1})
    assert vocabulary(counts, 1) == ("", "<unknown>", "c", "a", "b", "d")
    assert vocabulary(counts, 2) == ("", "<unknown>", "c", "a", "b")


def test_captions_become_numbers_and_back() -> None:
    captions = [["a red three", "three"], ["blue"]]
    numbers, names = numbered(captions)
    assert numbers.shape == (2, 2, 3)
    assert names == ("", "<unknown>", "a", "blue", "red", "three")
    assert [[decode(text.tolist(), names) for text in own] for own in numbers] == [["a red three", "three"], ["blue", ""]]
    words, number = restricted(names, numbers[:1], 1)
    assert words == ("", "<unknown>", "three", "a", "red")
    assert [[decode(text.tolist(), words) for text in own] for own in number[numbers]] == [
        ["a red three", "three"],
        ["<unknown>", ""],
    ]
    assert restricted(names, numbers[:1], 2)[0] == ("", "<unknown>", "three")
    with pytest.raises(BadInput, match=r"data\.words_seen: no word occurs 3 times in the training captions; give 2 or fewer"):
        restricted(names, numbers[:1], 3)


def test_a_typed_text_is_encoded_and_its_unknown_words_are_told() -> None:
    assert encode("Large, RED three!", WORDS, 5) == ([5, 2, 3, 0, 0], [])
    numbers, unknown = encode("a purpel purpel three", WORDS, 4)
    assert (numbers, unknown) == ([1, 1, 1, 3], ["a", "purpel"])
    assert decode(numbers, WORDS) == "<unknown> <unknown> <unknown> three"
    told = unknown_words(unknown, WORDS, "--caption")
    assert told == "--caption: the model has learned no such word: 'a', 'purpel' (did you mean 'purple'?)"
    assert "some of those known are red, three, purple, large" in unknown_words(["xyzzy"], WORDS, "--caption")
    assert "and 4 more" in unknown_words([letter * 9 for letter in "abcdefghi"], WORDS, "--caption")


def test_texts_that_say_nothing_to_the_model_are_refused() -> None:
    for text, problem in {
        "purpel": r"--caption: no word of 'purpel' is known; unknown: 'purpel' \(did you mean 'purple'\?\)",
        "unknown": "no word of 'unknown' is known",  # which is not the name of the unknown word
        " 3 ": r"--caption: ' 3 ' holds no word; write one of red, three",
        "red " * 6: "has 6 words, the captions have 5 at most",
        "\x1b[31m": r"\\x1b\[31m' is known; unknown: 'm'",
    }.items():
        with pytest.raises(BadInput, match=problem):
            encode(text, WORDS, 5, "--caption")


def test_numbers_do_not_depend_on_the_order_of_the_images() -> None:
    captions = [["b a"], ["a c", "b"], ["c"]]
    numbers, names = numbered(captions)
    turned, same = numbered(captions[::-1])
    assert names == same
    assert torch.equal(numbers, turned.flip(0))
