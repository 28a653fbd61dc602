"""Finds whom to add to a group and whom to remove so that its members are exactly those wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.backends.port import (
    Backend,
    ById,
    CountPrecision,
    GroupRef,
    MembershipEdit,
    Position,
    Window,
)
from gateway.errors import InvalidAnswer, InvalidInput, LimitExceeded, NotFound
from gateway.records import Customer, CustomerGroup, Omission, Projection

READ: Final = Projection.reading({Customer: ["customer_group_uids"], CustomerGroup: []})
"""The fields of members that a comparison reads."""


async def difference(
    backend: Backend, group: GroupRef, wanted: Sequence[str], *, limit: int
) -> MembershipEdit:
    """The edit after which the members are those `wanted`: it adds in their order, and removes in
    the backend's own.

    Reads all members, in pages of the largest size. If members join or leave meanwhile, a page may
    miss one: if the backend's count differs, the list is read a second time, and that one counts.
    Raises NotFound; LimitExceeded for a group of more than `limit` members; and InvalidAnswer if
    the backend does not show all members, because a hidden one could not be removed, and the caller
    would not know. `backend` reads at least `READ`.
    """
    found = group if isinstance(group, ById) else await _by_id(backend, group)
    reading = await _members(backend, found, limit=limit)
    if not reading.certain:
        first, reading = reading, await _members(backend, found, limit=limit)
        # An estimated count may never agree: then two equal readings have to suffice.
        exact = backend.capabilities.total_count is CountPrecision.EXACT
        agreed = reading.ended and not exact and reading.members == first.members
        if not reading.certain and not agreed:
            raise InvalidAnswer(
                "The backend's list of the members and its count of them disagree, or they keep "
                "changing: nothing was sent."
            )
    members = reading.members
    if not members:
        await _by_id(backend, found)  # to some backends, an unknown group is an empty list
    kept = set(wanted)
    edit = MembershipEdit(
        found,
        add=[uid for uid in wanted if uid not in members],
        remove=[uid for uid in members if uid not in kept],
    )
    hold_apart(edit.add, edit.remove, field="customerUids")
    return edit


def hold_apart(add: Sequence[str], remove: Sequence[str], *, field: str) -> None:
    """Raises InvalidInput for a customer in both lists, also if the uids differ only in case: some
    backends do not distinguish them, and would add and then remove the customer.
    """
    if not (add and remove):
        return
    removed = {uid.lower(): uid for uid in remove}
    both = [uid for uid in add if uid.lower() in removed]
    if both:
        spelt = [" and ".join(sorted({uid, removed[uid.lower()]})) for uid in both[:3]]
        named = ", ".join(spelt) + (", ..." if len(both) > 3 else "")
        raise InvalidInput(f"To be added and removed at once: {named}.", field=[field])


async def _by_id(backend: Backend, group: GroupRef) -> ById:
    """The group by its uid; raises NotFound, or why it could not be looked up."""
    match (await backend.get_groups([group])).get(group):
        case CustomerGroup(uid=uid):
            return ById(uid)
        case None:
            raise NotFound("There is no such customer group.", field=["customerGroup"])
        case failure:
            raise failure


@dataclass(frozen=True, slots=True)
class _MemberList:
    members: Mapping[str, None]
    """Their uids, in order."""
    ended: bool
    """Whether the list's end was reached, and no member can have been missed."""
    certain: bool
    """Whether also the backend counts as many."""


async def _members(backend: Backend, group: ById, *, limit: int) -> _MemberList:
    size = backend.capabilities.max_page_size or 100
    exact = backend.capabilities.total_count is CountPrecision.EXACT
    on_customer = not backend.capabilities.atomic_membership_updates
    found: dict[str, None] = {}
    counted, fell = 0, False
    window = Window(size=size)
    while True:
        page = await backend.list_members(group, window)
        for omission in page.omissions:
            if _costs_a_row(omission):
                raise InvalidAnswer(
                    "A member can't be read, so nothing was sent: "
                    f"{omission.where}: {omission.problem}"
                )
        for row in page.rows:
            _require_member(row.record, group, on_customer=on_customer)
            found[row.record.uid] = None
        seen = max(page.total or 0, len(found))
        if seen > limit:
            raise LimitExceeded(
                f"The group has {seen} members; at most {limit} can be compared at once.",
                field=["customerGroup"],
                limit="max_membership_uids",
                allowed=limit,
                found=seen,
            )
        total = counted if page.total is None else page.total
        # When a member leaves, later rows move up, one of them to a page that was read already. A
        # member who joins moves none to such a page. (An estimate may fall for any reason.)
        fell = fell or (exact and total < counted)
        counted = total
        if not page.has_next or not page.rows:
            ended, count = not page.has_next and not fell, page.total
            if ended and not exact and page.has_previous:
                # The last page only estimates how many rows follow: who joined or left on pages
                # before it shows only in a count of all.
                count = (await backend.list_members(group, Window(size=0))).total
            return _MemberList(found, ended, ended and count in (None, len(found)))
        last = page.rows[-1]
        window = Window(size=size, after=Position(last.offset, last.record.uid))


def _require_member(customer: Customer, group: ById, *, on_customer: bool) -> None:
    """Raises InvalidAnswer if the customer is listed as a member but its own groups lack the group.
    If membership is not stored `on_customer`, a customer without any groups passes.
    """
    groups = {uid.casefold() for uid in customer.customer_group_uids}
    if (groups or on_customer) and group.uid.casefold() not in groups:
        raise InvalidAnswer(
            "A customer is listed as a member, and its own groups do not show that: nothing was "
            "sent."
        )


def _costs_a_row(omission: Omission) -> bool:
    """Whether a whole row was left out, `items[7]`, rather than a part of it."""
    return "." not in omission.where
