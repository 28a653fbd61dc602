"""Making a group's members exactly those wanted: what differs, found over the port."""

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
"""What has to be read of members so that they can be compared."""


async def difference(
    backend: Backend, group: GroupRef, wanted: Sequence[str], *, limit: int
) -> MembershipEdit:
    """The edit after which the members are those `wanted`: it adds in their order, and removes in
    the backend's own.

    Reads all members, in pages of the largest size. Where they come or go meanwhile, a page may
    miss one: a count that does not add up is read once more, and then the later reading holds.
    Raises LimitExceeded for a group of more than `limit` members, NotFound, and InvalidAnswer where
    the backend does not show who all the members are: those it hides could not be removed, and
    nobody would hear of it. `backend` reads `READ` of a customer at least.
    """
    found = group if isinstance(group, ById) else await _by_id(backend, group)
    reading = await _members(backend, found, limit=limit)
    if not reading.certain:
        first, reading = reading, await _members(backend, found, limit=limit)
        # An estimate may be off for good: then two readings that agree are all there is to go by.
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
        group,
        add=[uid for uid in wanted if uid not in members],
        remove=[uid for uid in members if uid not in kept],
    )
    hold_apart(edit.add, edit.remove, field="customerUids")
    return edit


def hold_apart(add: Sequence[str], remove: Sequence[str], *, field: str) -> None:
    """Raises InvalidInput for a customer in both, also where they differ in capital letters only:
    backends may not distinguish them, and what comes of it then would be the second of the two.
    """
    removed = {uid.lower(): uid for uid in remove}
    both = [uid for uid in add if uid.lower() in removed]
    if both:
        spelt = [" and ".join(sorted({uid, removed[uid.lower()]})) for uid in both[:3]]
        named = ", ".join(spelt) + (", ..." if len(both) > 3 else "")
        raise InvalidInput(f"To be added and removed at once: {named}.", field=[field])


async def _by_id(backend: Backend, group: GroupRef) -> ById:
    """The group's uid; raises NotFound, and the failure of the look-up."""
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
    """Whether it came to the list's end, and nobody can have slipped through."""
    certain: bool
    """Whether they are as many as the backend counts, too."""


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
        # Whoever leaves moves the rows behind up, one of them to a page that was read before. Who
        # joins moves none so. (An estimate may fall for any reason.)
        fell = fell or (exact and total < counted)
        counted = total
        if not page.has_next or not page.rows:
            ended, count = not page.has_next and not fell, page.total
            if ended and not exact and page.has_previous:
                # What such a page estimates is how many follow: of who came or went behind it, only
                # a count of all knows.
                count = (await backend.list_members(group, Window(size=0))).total
            return _MemberList(found, ended, ended and count in (None, len(found)))
        last = page.rows[-1]
        window = Window(size=size, after=Position(last.offset, last.record.uid))


def _require_member(customer: Customer, group: ById, *, on_customer: bool) -> None:
    """Raises InvalidAnswer for a customer that is listed, and whose own groups do not show it; they
    need not be listed where membership is not kept `on_customer`.
    """
    groups = {uid.casefold() for uid in customer.customer_group_uids}
    if (groups or on_customer) and group.uid.casefold() not in groups:
        raise InvalidAnswer(
            "A customer is listed as a member, and its own groups do not show that: nothing was "
            "sent."
        )


def _costs_a_row(omission: Omission) -> bool:
    """Whether the row itself was left out, `items[7]`, and not a part of one that was kept."""
    return "." not in omission.where
