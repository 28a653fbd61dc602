"""Flow Retail's membership edit: long lists in chunks, and what became of each customer.

One PUT adds and removes any number of customers and answers nothing (204). So what is known of a
customer follows from how the PUT that named it ended. If that says nothing, the group's members are
read; what is not known then is UNKNOWN.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.backends.port import (
    EditOutcome,
    MemberAction,
    MemberOutcome,
    MembershipEdit,
    MemberStatus,
)
from gateway.errors import GatewayError, NotFound, OutcomeUnknown, Rejected
from gateway.rest import Answer
from gateway.settings import FlowRetailSettings

Edit = tuple[MemberAction, str]


@dataclass(frozen=True, slots=True)
class KnownMembers:
    """Who is in the group, as far as it was read."""

    members: Collection[str] = frozenset()
    whole: bool = False
    """Whether these are all of them."""
    calls: int = 0
    """The REST calls that it took."""

    def has(self, uid: str) -> bool | None:
        """Whether the customer is a member; None if that is not known."""
        if uid in self.members:
            return True
        # Some upstreams may ignore letters' case.
        similar = uid.casefold() in {member.casefold() for member in self.members}
        return False if self.whole and not similar else None


@dataclass(frozen=True, slots=True)
class _Open:
    """The outcome of a customer that depends on whether it is a member now."""

    met: MemberStatus
    """Where it is as wanted."""
    unmet: MemberStatus
    """Where it is not."""
    error: GatewayError | None = None
    """Why not."""


class EditedGroup(Protocol):
    """One group's membership in Flow Retail, for one caller."""

    tenant_uid: str

    async def put(self, add: Sequence[str], remove: Sequence[str]) -> Answer:
        """Send one request; raises OutcomeUnknown if its answer does not show what became of it."""

    async def exists(self) -> bool | None:
        """Whether there is such a group; None if that is not known."""

    async def look(self, calls: int) -> KnownMembers:
        """Read who is a member, in at most so many calls."""

    def allows(self, calls: int) -> bool:
        """Whether the operation may make so many more calls."""


class ChunkEditor:
    """Edits the members of one group: sends the customers in chunks, one after another.

    A refused chunk is sent again in halves until the customers at fault stand alone. 409 to one of
    them may mean that it is as wanted already, or anything else, and after a lost answer the change
    may have been made: then the members are read. All of this takes at most `membership_isolation`
    more calls, and only those that the operation allows beyond those of the chunks still to be
    sent.
    """

    def __init__(self, group: EditedGroup, settings: FlowRetailSettings) -> None:
        self._group = group
        self._settings = settings
        self._more_calls = settings.membership_isolation
        self._todo: deque[Sequence[Edit]] = deque()
        self._in_doubt: set[Edit] = set()
        """Sent in a refused request, which may have made some changes."""
        self._ended: dict[Edit, MemberOutcome] = {}
        self._open: dict[Edit, _Open] = {}
        self._group_seen = False
        self._group_asked_for = False

    async def edit(self, edit: MembershipEdit) -> EditOutcome:
        """An outcome for each customer. A failure that is not about the customers ends the edit: it
        is returned as `failure`, and the customers that were never sent are FAILED. Raises NotFound
        if the group does not exist.
        """
        edits = edit.changes
        self._todo += _chunks(edits, self._settings.membership_chunk)
        failure: GatewayError | None = None
        while self._todo and failure is None:
            failure = await self._send(self._todo.popleft())
        if self._open and failure is None:
            await self._settle()
        for part in self._todo:
            if self._in_doubt.isdisjoint(part):
                unsent = Rejected("Not sent: the edit ended before its turn.")
                self._end(part, MemberStatus.FAILED, unsent)
            else:
                unsettled = "A refused request named it, and the edit ended before its own turn."
                self._end(part, MemberStatus.UNKNOWN, OutcomeUnknown(unsettled))
        return EditOutcome([self._ended[change] for change in edits], failure)

    async def _send(self, part: Sequence[Edit]) -> GatewayError | None:
        """Send a chunk; returns the failure that ends the edit, if there is one."""
        try:
            answer = await self._group.put(
                _uids(part, MemberAction.ADD), _uids(part, MemberAction.REMOVE)
            )
        except OutcomeUnknown as lost:
            self._end(part, MemberStatus.UNKNOWN, lost)
            # Where it was not made by now, it may still be on its way.
            self._leave_open(part, _Open(MemberStatus.ACCEPTED, MemberStatus.UNKNOWN, lost))
            await self._settle()
            unknown = any(self._ended[edit].status is MemberStatus.UNKNOWN for edit in part)
            return lost if unknown else None
        except GatewayError as stopped:
            self._todo.appendleft(part)
            return stopped
        if answer.ok:
            self._end(part, MemberStatus.ACCEPTED)
            self._group_seen = True
        elif answer.status == 413 and len(part) > 1:
            # Too long, whoever is in it: all that is left goes in shorter ones.
            left = [edit for each in (part, *self._todo) for edit in each]
            self._todo = _chunks(left, len(part) // 2)
        else:
            await self._refused(part, answer)
        return None

    async def _refused(self, part: Sequence[Edit], answer: Answer) -> None:
        if answer.status == 404 and not (self._group_seen or self._group_asked_for):
            await self._require_group()
        if len(part) == 1:
            self._refused_alone(part[0], answer)
        elif self._more_calls >= 2 and self._allows(2):
            self._more_calls -= 2
            if not self._settings.membership_atomic:
                self._in_doubt.update(part)
            middle = len(part) // 2
            self._todo.extendleft((part[middle:], part[:middle]))
        else:
            refused = _shared_refusal(answer, len(part))
            if self._settings.membership_atomic:
                self._end(part, MemberStatus.FAILED, refused)
            else:
                self._end(part, MemberStatus.UNKNOWN, refused)
                self._leave_open(part, _Open(MemberStatus.ACCEPTED, MemberStatus.FAILED, refused))

    async def _require_group(self) -> None:
        """404 is about the group or about a customer; only the group can be asked for."""
        if not self._allows(1):
            return
        self._group_asked_for, found = True, await self._group.exists()
        if found is False:
            raise NotFound("There is no such customer group.", field=["customerGroup"])
        self._group_seen = found is True

    def _refused_alone(self, edit: Edit, answer: Answer) -> None:
        refused = _refusal(answer, edit[0], self._group_seen)
        doubt = edit in self._in_doubt
        # In doubt, it may be so by the request that was refused.
        so = MemberStatus.ACCEPTED if doubt else MemberStatus.UNCHANGED
        conflict = answer.status == 409
        # Of who is not there, or is not in the group any more, the refusal says so.
        may_be_so = doubt and edit[0] is MemberAction.ADD and answer.status != 404
        if conflict and self._settings.membership_conflict_is_unchanged:
            self._end([edit], so)
        elif conflict or may_be_so:
            self._end([edit], MemberStatus.UNKNOWN if doubt else MemberStatus.FAILED, refused)
            self._leave_open([edit], _Open(so, MemberStatus.FAILED, refused))
        else:
            self._end([edit], MemberStatus.FAILED, refused)

    async def _settle(self) -> None:
        """Read the members, and end the edits that are open by who is one."""
        calls = self._more_calls
        while calls and not self._allows(calls):
            calls -= 1
        known = await self._group.look(calls)
        self._more_calls = max(0, self._more_calls - known.calls)
        for edit, way in self._open.items():
            action, uid = edit
            member = known.has(uid)
            if member is (action is MemberAction.ADD):
                self._end([edit], way.met)
            elif member is not None:
                self._end([edit], way.unmet, way.error)
        self._open.clear()

    def _allows(self, calls: int) -> bool:
        """Whether so many calls may be made beside those of the chunks still to be sent."""
        return self._group.allows(calls + len(self._todo))

    def _end(
        self, part: Sequence[Edit], status: MemberStatus, error: GatewayError | None = None
    ) -> None:
        for edit in part:
            action, uid = edit
            self._ended[edit] = MemberOutcome(self._group.tenant_uid, uid, action, status, error)

    def _leave_open(self, part: Sequence[Edit], way: _Open) -> None:
        self._open |= dict.fromkeys(part, way)


def _chunks(edits: Sequence[Edit], size: int) -> deque[Sequence[Edit]]:
    return deque(edits[at : at + size] for at in range(0, len(edits), size))


def _uids(part: Sequence[Edit], action: MemberAction) -> list[str]:
    return [uid for what, uid in part if what is action]


def _refusal(answer: Answer, action: MemberAction, group_seen: bool) -> GatewayError:
    if answer.status == 404:
        # Of a removal it may be about the membership, which the edit itself may have ended.
        member = ", or it is not a member" if action is MemberAction.REMOVE else ""
        group = "" if group_seen else ", or no such customer group"
        return NotFound(f"There is no such customer{member}{group}.")
    return Rejected("The backend refused this customer." + answer.reason())


def _shared_refusal(answer: Answer, size: int) -> GatewayError:
    return Rejected(
        f"The backend refused a request for {size} customers, this one among them."
        + answer.reason()
    )
