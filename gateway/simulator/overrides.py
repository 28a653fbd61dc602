"""Switches from a command line: "name=value" strings over a dataclass of defaults."""

from collections.abc import Iterable
from dataclasses import fields, replace
from types import NoneType
from typing import Self, get_args, get_type_hints


class Overridable:
    """A dataclass of switches: booleans, numbers, seconds, and choices of one of several words."""

    __slots__ = ()

    @classmethod
    def parse(cls, pairs: Iterable[str]) -> Self:
        """The defaults, changed by "name=value" strings; see `with_overrides`."""
        return cls().with_overrides(pairs)

    def with_overrides(self, pairs: Iterable[str]) -> Self:
        """A copy changed by "name=value" strings, as on a command line; the last of a name wins.

        ValueError names the switch, the value and what is legal.
        """
        hints = get_type_hints(type(self))
        names = [each.name for each in fields(self)]  # type: ignore[arg-type]  # a subclass is one
        values: dict[str, object] = {}
        for pair in pairs:
            name, equals, text = pair.partition("=")
            if not equals:
                raise ValueError(f"A switch is written name=value, not {pair!r}.")
            if name not in names:
                raise ValueError(f"There is no switch {name!r}; there are {', '.join(names)}.")
            values[name] = self.value_of(name, text, hints[name])
        return replace(self, **values)  # type: ignore[type-var]  # a subclass is a dataclass

    def value_of(self, name: str, text: str, hint: object) -> object:
        """The value of a switch's type that the text stands for, or a ValueError."""
        if hint is bool:
            choices: dict[str, object] = {"true": True, "false": False}
        else:
            choices = {
                str(choice): choice for choice in get_args(hint) if not isinstance(choice, type)
            }
        if NoneType in get_args(hint):
            choices["none"] = None
        if text in choices:
            return choices[text]
        if hint is float:
            legal = "a number of seconds, 0 or more"
            try:
                if 0 <= (seconds := float(text)) < float("inf"):
                    return seconds
            except ValueError:
                pass
        elif hint is int or int in get_args(hint):
            legal = " or ".join(["a whole number, 1 or more", *choices])
            if text.isascii() and text.isdigit() and int(text) > 0:
                return int(text)
        else:
            legal = " or ".join(choices)
        raise ValueError(f"The switch {name} is {legal}, not {text!r}.")
