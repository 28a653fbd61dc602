"""What Flow Retail's documents leave open, each with a switch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.simulator.flow_retail.order import CUSTOMER_SORTS, GROUP_SORTS
from gateway.simulator.overrides import Overridable


@dataclass(kw_only=True, slots=True)
class Switches(Overridable):
    """Read anew for every request, so that a test can turn one at any time.

    Where the documents say nothing the default is what seems most likely; nothing here was tried
    on the live API.
    """

    first_page: Literal[0, 1] = 1
    """The number of the first page."""

    before_the_start: Literal["refuse", "first"] = "refuse"
    """A page number below the first: 400, or the first page."""

    past_the_end: Literal["empty", "not_found", "last"] = "empty"
    """A page past the last: no items, 404, or the last page under its own number."""

    default_page_size: int = 20
    """Items on a page when the request does not say."""

    max_page_size: int = 100
    """The most items on a page."""

    oversized_page: Literal["clamp", "refuse"] = "clamp"
    """A larger pageSize: answered with `max_page_size`, or 400."""

    group_sorts: Mapping[str, str] = field(default_factory=lambda: dict(GROUP_SORTS))
    """The sortBy values of groups, and the store's column for each."""

    customer_sorts: Mapping[str, str] = field(default_factory=lambda: dict(CUSTOMER_SORTS))
    """The sortBy values of a group's customers, and the store's column for each."""

    unknown_sort: Literal["ignore", "refuse"] = "ignore"
    """Any other sortBy: the default order, or 400."""

    group_order: Literal["creation", "uid", "name"] = "creation"
    """The order of groups without sortBy; creation is oldest first."""

    member_order: Literal["creation", "joining", "uid"] = "creation"
    """The order of a group's customers without sortBy: by its own age, or its membership's."""

    ties: Literal["mirrored", "fixed"] = "mirrored"
    """Rows that sort alike: DESC is ASC backwards, or they are oldest first in both."""

    uid_pattern: Literal["as_printed", "anchored"] = "as_printed"
    """Uids in a body: the printed pattern, which allows anything after a first good character,
    or the same with an end."""

    uid_style: Literal["uuid", "short", "sequence"] = "uuid"
    """Uids made for groups: 36 characters, 12 characters, or group-1, group-2 ..."""

    content_type: Literal["require", "ignore"] = "require"
    """A body that is not declared application/json: 415, or read all the same."""

    put_semantics: Literal["partial", "full", "full_blank"] = "partial"
    """PUT on a group without a name: kept, 400, or the name becomes empty."""

    duplicate_uid: Literal["conflict", "bad_request", "replace"] = "conflict"
    """Creating a group with a uid in use: 409, 400, or the group gets the new name."""

    duplicate_name: Literal["allow", "conflict"] = "allow"
    """A second group of the same name: created or renamed to, or 409."""

    delete_nonempty: Literal["allow", "conflict"] = "allow"
    """Deleting a group with members: memberships go with it, or 409."""

    unknown_customer: Literal["not_found", "bad_request", "ignore"] = "not_found"
    """A uid of no customer in a membership list: 404, 400, or skipped."""

    already_member: Literal["ok", "conflict", "bad_request"] = "ok"
    """Adding a member again: no change, 409 or 400."""

    absent_member: Literal["ok", "conflict"] = "ok"
    """Removing a customer that is no member: no change, or 409."""

    in_both_lists: Literal["refuse", "add_wins", "remove_wins"] = "refuse"
    """A uid to be added and removed: 400, or one of the two."""

    max_membership_uids: int | None = None
    """The most uids in one membership request, both lists together; None for no limit."""

    too_many_uids: Literal["bad_request", "too_large"] = "bad_request"
    """More than that: 400 or 413."""

    membership_atomic: bool = True
    """Whether a refused membership request changes nothing, or all before the refused uid."""

    error_body: Literal["json_message", "json_errors", "html", "empty"] = "json_message"
    """The body of an error: {"message"}, {"errors": [{"message"}]}, a page, or nothing."""

    latency: float = 0.0
    """Seconds before a request is looked at."""

    def value_of(self, name: str, text: str, hint: object) -> object:
        """A table of sorts is written ``group_sorts=name,created:created_at``: sortBy values, each
        with its column unless that has the usual one.

        >>> Switches().with_overrides(["first_page=0", "latency=0.05"]).first_page
        0
        """
        match name:
            case "group_sorts":
                return sorts(name, text, GROUP_SORTS)
            case "customer_sorts":
                return sorts(name, text, CUSTOMER_SORTS)
            case _:
                return Overridable.value_of(self, name, text, hint)


def sorts(name: str, text: str, usual: Mapping[str, str]) -> dict[str, str]:
    """A table of sortBy values; only columns that the usual table has are columns at all."""
    table: dict[str, str] = {}
    columns = sorted(set(usual.values()))
    for part in filter(None, text.split(",")):
        value, colon, column = part.partition(":")
        column = column if colon else usual.get(value, value)
        if column not in columns:
            legal = ", ".join(usual)
            raise ValueError(
                f"The switch {name} is a list of {legal}, or of value:column with a column of "
                f"{', '.join(columns)}; not {part!r}."
            )
        table[value] = column
    return table
