"""What commercetools' documents leave open, each with a switch."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Literal, Self, get_args, get_type_hints


@dataclass(kw_only=True, slots=True)
class Switches:
    """Read anew for every request, so that a test can turn one at any time.

    Where the documents say nothing the default is what seems most likely; nothing here was tried
    on the live API.
    """

    assignments_predicate: Literal["supported", "refused"] = "supported"
    """Customers by ``customerGroupAssignments(customerGroup(id="..."))``: found, or 400."""

    group_predicates: Literal["name", "id", "key"] = "id"
    """What predicates on groups know: the name, which is all that is documented; the id beside it,
    as paging without offsets needs it; or also the key."""

    conflict_version: Literal["given", "absent"] = "given"
    """Whether a 409 says what the current version is."""

    version_step: Literal["actions", "one"] = "actions"
    """An update's step: its number of actions, or 1. Without actions nothing changes."""

    delete_referenced: Literal["bad_request", "conflict", "remove", "dangle"] = "bad_request"
    """Deleting a group that customers are in: ReferenceExists with 400 or with 409, the references
    go with it, or they stay and refer to nothing."""

    add_assigned: Literal["ok", "error"] = "ok"
    """Adding an assignment that is there: no second one, or 400 InvalidOperation."""

    remove_unassigned: Literal["ok", "error"] = "ok"
    """Removing an assignment that is not there: no change, or 400 InvalidOperation."""

    missing_member: Literal["invalid_json", "required_field"] = "invalid_json"
    """A body without a member that is required: 400 InvalidJsonInput or RequiredField."""

    default_order: Literal["creation", "id"] = "creation"
    """The order of rows without sort, and of those that sort alike: oldest first, or by id."""

    total: Literal["exact", "low", "high"] = "exact"
    """The total of a query, which is called an estimate: right, or wrong by at least one."""

    no_assignments: Literal["list", "absent"] = "list"
    """A customer without assignments: an empty list, or no such member."""

    max_groups: int = 10_000
    """The most groups in a project; 1000 by the older documents."""

    latency: float = 0.0
    """Seconds before a request is looked at."""

    @classmethod
    def parse(cls, pairs: Iterable[str]) -> Self:
        """The defaults, changed by "name=value" strings; see `with_overrides`."""
        return cls().with_overrides(pairs)

    def with_overrides(self, pairs: Iterable[str]) -> Self:
        """A copy changed by "name=value" strings, as on a command line; the last of a name wins.

        ValueError names the switch, the value and what is legal.

        >>> Switches().with_overrides(["version_step=one", "latency=0.05"]).version_step
        'one'
        """
        hints = get_type_hints(type(self))
        names = [each.name for each in fields(self)]
        values: dict[str, object] = {}
        for pair in pairs:
            name, equals, text = pair.partition("=")
            if not equals:
                raise ValueError(f"A switch is written name=value, not {pair!r}.")
            if name not in names:
                raise ValueError(f"There is no switch {name!r}; there are {', '.join(names)}.")
            values[name] = value_of(name, text, hints[name])
        return replace(self, **values)  # type: ignore[arg-type]  # value_of checked each


def value_of(name: str, text: str, hint: object) -> object:
    """The value of a switch's type that the text stands for, or a ValueError."""
    if hint is float:
        legal = "a number of seconds, 0 or more"
        try:
            if 0 <= (seconds := float(text)) < float("inf"):
                return seconds
        except ValueError:
            pass
    elif hint is int:
        legal = "a whole number, 1 or more"
        if text.isascii() and text.isdigit() and int(text) > 0:
            return int(text)
    else:
        legal = " or ".join(get_args(hint))
        if text in get_args(hint):
            return text
    raise ValueError(f"The switch {name} is {legal}, not {text!r}.")
