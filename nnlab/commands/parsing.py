"""The parser of command lines: argparse, whose every complaint is one of nnlab's own messages. No torch, no Hydra."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from nnlab.errors import LIKELY, BadInput, near, nearest, shortened


class Parser(argparse.ArgumentParser):
    """A verb's parser. Raises BadInput where argparse would print its usage and exit.

    example  a command line of the verb, shown where a word is missing
    keyed    whether the verb takes KEY=VALUE, which a stranger types as --key value
    """

    def __init__(self, verb: str, *, example: str = "", keyed: bool = False, **options) -> None:
        super().__init__(f"nnlab {verb}", allow_abbrev=False, **options)
        self.verb, self.example, self.keyed = verb, example, keyed

    def error(self, message: str) -> None:
        """Raise BadInput with argparse's complaint in nnlab's words."""
        place, _, text = message.removeprefix("argument ").partition(": ")
        if place == "the following arguments are required":
            needed = text.removesuffix(", KEY=VALUE")  # which may be none
            raise BadInput(f"{self.verb}: {needed} missing" + (f"; for example: nnlab {self.example}" if self.example else ""))
        if text.startswith("not allowed with argument "):
            text = f"not together with {text.removeprefix('not allowed with argument ')}; give one of them"
        if text.startswith("ignored explicit argument "):
            text = f"takes no value, got {text.removeprefix('ignored explicit argument ')}"
        if text == "expected one argument":
            text = f"needs a value; one that begins with - is written {place.rpartition('/')[2]}=VALUE"
        raise BadInput(f"{place}: {text}")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            hint = nearest(str(value), action.choices)
            raise argparse.ArgumentError(action, f"'{shortened(value)}' is no choice; {hint}")

    def parse_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:
        """The words as a namespace. Raises BadInput for words that no argument takes."""
        args, unknown = self.parse_known_args(args, namespace)
        self.refuse(unknown, args)
        return args

    def parse_intermixed_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:
        """The same where options may stand between the positional words."""
        args, unknown = self.parse_known_intermixed_args(args, namespace)
        self.refuse(unknown, args)
        return args

    def refuse(self, unknown: Sequence[str], args: Sequence[str]) -> None:
        """Raise BadInput if there are words that the verb does not know."""
        options = [word for word in unknown if word.startswith("-") and word != "-"]
        if options:
            raise BadInput(*(f"{shortened(word)}: no option of nnlab {self.verb}; {self.hint(word, args)}" for word in options))
        if unknown:
            words = shortened(" ".join(unknown))
            raise BadInput(f"{self.verb}: {words} is more than it takes; nnlab {self.verb} --help shows examples")

    def hint(self, word: str, args: Sequence[str]) -> str:
        """What may have been meant by an unknown option."""
        name, equals, value = word.partition("=")
        meant = near(name, [option for option in self._option_string_actions if option.startswith("--")], LIKELY)
        if meant:
            return f"did you mean '{meant}'?"
        if self.keyed and name.startswith("--"):
            following = args[args.index(word) + 1 :] if word in args else []
            if not equals and following and not following[0].startswith("-") and "=" not in following[0]:
                value = following[0]
            return f"values are written KEY=VALUE: {shortened(name.lstrip('-'))}={shortened(value or '…')}"
        return f"nnlab {self.verb} --help lists the options"
