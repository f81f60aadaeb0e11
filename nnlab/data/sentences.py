"""Captions of scenes: sentences about objects, their looks and their places, always true and in correct English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nnlab.data.words import words_of

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NINE = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")
FOUR = ("top left", "top right", "bottom left", "bottom right")
PREPOSITIONS = {"left": "on the left", "right": "on the right", "middle": "in the middle"}  # the others are "at the …"
SPELT = frozenset("aefhilmnorsx")  # letters whose names begin with a vowel
# beginnings that sound like "you" or "won"
LIKE_YOU = ("one", "once", "unic", "unif", "unio", "unit", "univ", "use", "usu", "eu", "ewe", "uten", "util", "uto")
SILENT = ("hour", "hones", "honor", "honou", "heir")  # beginnings whose h is silent


class Object(NamedTuple):
    """One object of a scene in words.

    noun   its class: three, ankle boot
    looks  its size and colour: large, red; those that the scenes do not vary are absent
    place  where it is: top left; empty if the captions do not say it
    """

    noun: str
    looks: tuple[str, ...]
    place: str = ""

    @property
    def phrase(self) -> str:
        """a large red three"""
        words = " ".join([*self.looks, self.noun])
        return f"{article(words)} {words}"

    @property
    def where(self) -> str:
        """at the top left"""
        return PREPOSITIONS.get(self.place, f"at the {self.place}")

    @property
    def there(self) -> str:
        """a large red three at the top left"""
        return f"{self.phrase} {self.where}" if self.place else self.phrase

    @property
    def said(self) -> str:
        """the three at the top left is large and red; empty without looks"""
        subject = f"the {self.noun} {self.where}" if self.place else f"the {self.noun}"
        return f"{subject} is {' and '.join(self.looks)}" if self.looks else ""


def spoken(name: str) -> str:
    """The name of a class in words, digits as words, too: "T-shirt/top" → t shirt top, "3" → three; empty without any."""
    return " ".join(words_of("".join(f" {DIGITS[int(c)]} " if c.isascii() and c.isdigit() else c for c in name)))


def article(words: str) -> str:
    """a or an, as the first word sounds: a one, an eight, a t shirt, an x ray."""
    first = words.partition(" ")[0]
    if len(first) == 1:
        return "an" if first in SPELT else "a"
    vowel = first[0] in "aeiou" and not first.startswith(LIKE_YOU)
    return "an" if vowel or first.startswith(SILENT) else "a"


def sentences(objects: Sequence[Object]) -> list[str]:
    """At least four different captions of one, two or three objects, as words with spaces between and without commas.

    Several objects are named in the order of reading. Their places are those of FOUR.
    """
    return of_one(objects[0]) if len(objects) == 1 else of_several(objects)


def of_one(o: Object) -> list[str]:
    """Captions of one object, with or without its place."""
    if not o.place:
        return [o.phrase, f"there is {o.phrase}", o.said or f"this is {o.phrase}", f"a picture of {o.phrase}"]
    return [
        o.there,
        f"{o.where} there is {o.phrase}",
        o.said or f"this is {o.there}",
        f"there is {o.there}",
        f"{o.phrase} is {o.where}",
    ]


def of_several(objects: Sequence[Object]) -> list[str]:
    """Captions of two or three objects; one of them says where the second lies from the first."""
    first, second, *others = objects
    told = [f"{o.where} {o.phrase}" for o in (second, *others)]
    return [
        " ".join(o.there for o in objects),
        listed([o.there for o in objects]),
        " ".join([first.where, "there is", first.phrase, listed(told)]),
        listed([o.said for o in objects]) if first.looks else f"there is {listed([o.there for o in objects])}",
        listed([first.there, f"{second.phrase} {relation(first.place, second.place)}", *(o.there for o in others)], " "),
    ]


def listed(parts: Sequence[str], pair: str = " and ") -> str:
    """Parts of a sentence, the last after "and"; `pair` stands between only two."""
    return pair.join(parts) if len(parts) < 3 else f"{' '.join(parts[:-1])} and {parts[-1]}"


def relation(first: str, second: str) -> str:
    """Where the second of two places of FOUR lies from the first, which comes before it: to the right of it, below it, …"""
    rows, columns = zip(*(divmod(FOUR.index(place), 2) for place in (first, second)), strict=True)
    beside = {1: "to the right", 0: "", -1: "to the left"}[columns[1] - columns[0]]
    below = "below it" if rows[1] > rows[0] else ""
    return f"{below} {beside}".strip() if below else f"{beside} of it"
