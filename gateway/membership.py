"""Making a group's members exactly those wanted: what differs, found over the port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.backends.port import (
    Backend,
    ById,
    ByKey,
    GroupRef,
    MemberAction,
    MemberOutcome,
    MemberStatus,
)
from gateway.errors import LimitExceeded, NotFound
from gateway.paging import Position, Window
from gateway.records import CustomerGroup


@dataclass(frozen=True, slots=True)
class Difference:
    """Whom to add and whom to remove so that the members are those wanted."""

    add: Sequence[str]
    remove: Sequence[str]

    def planned(self) -> list[MemberOutcome]:
        """An outcome for each, as for an edit that was not sent."""
        edits = [(uid, MemberAction.ADD) for uid in self.add]
        edits += [(uid, MemberAction.REMOVE) for uid in self.remove]
        return [MemberOutcome(uid, action, MemberStatus.PLANNED) for uid, action in edits]


async def difference(
    backend: Backend, group: GroupRef, wanted: Sequence[str], *, most: int
) -> Difference:
    """How the members differ from `wanted`, in the order of `wanted`, then in the backend's own.

    Reads all members, in pages of the largest size. Where they come or go meanwhile, a page may
    miss one: a count that does not add up is read once more. Raises LimitExceeded for a group of
    more than `most` members, and NotFound.
    """
    if isinstance(group, ByKey):
        group = await _by_id(backend, group)
    members, complete = await _members(backend, group, most=most)
    if not members:
        await _by_id(backend, group)  # to some backends, an unknown group is an empty list
    if not complete:
        again, _ = await _members(backend, group, most=most)
        members |= again
    kept = set(wanted)
    return Difference(
        add=[uid for uid in wanted if uid not in members],
        remove=[uid for uid in members if uid not in kept],
    )


async def _by_id(backend: Backend, group: GroupRef) -> ById:
    """The group's uid; raises NotFound, and the failure of the look-up."""
    match (await backend.get_groups([group])).get(group):
        case CustomerGroup(uid=uid):
            return ById(uid)
        case None:
            raise NotFound("There is no such customer group.", field=["customerGroup"])
        case failure:
            raise failure


async def _members(backend: Backend, group: GroupRef, *, most: int) -> tuple[dict[str, None], bool]:
    """The uids of all members, in order, and whether they are as many as the backend counts."""
    size = backend.capabilities.max_page_size or 100
    found: dict[str, None] = {}
    window = Window(size=size)
    while True:
        page = await backend.list_members(group, window)
        found |= dict.fromkeys(row.record.uid for row in page.rows)
        seen = max(page.total or 0, len(found))
        if seen > most:
            raise LimitExceeded(
                f"The group has {seen} members; at most {most} can be compared at once.",
                field=["customerGroup"],
            )
        if not page.has_next or not page.rows:
            return found, page.total in (None, len(found))
        last = page.rows[-1]
        window = Window(size=size, after=Position(last.offset, last.record.uid))
