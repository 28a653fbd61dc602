"""Flow Retail's membership edit: long lists in chunks, and what became of each customer.

One PUT adds and removes any number of customers and answers nothing (204). So what is known of a
customer follows from how the PUT that named it ended. If that says nothing, the group's members are
read; what is not known then is UNKNOWN.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from gateway.backends.port import MemberAction, MemberOutcome, MembershipEdit, MemberStatus
from gateway.errors import GatewayError, NotFound, OutcomeUnknown, Rejected
from gateway.rest import Answer

Edit = tuple[MemberAction, str]
Put = Callable[[Sequence[str], Sequence[str]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Roll:
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
        # An upstream of another mind takes no notice of letters' case.
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


async def edit_members(
    put: Put,
    exists: Callable[[], Awaitable[bool | None]],
    look: Callable[[int], Awaitable[Roll]],
    *,
    add: Sequence[str],
    remove: Sequence[str],
    chunk: int,
    atomic: bool,
    conflict_is_unchanged: bool,
    isolation: int,
    allows: Callable[[int], bool],
) -> MembershipEdit:
    """Send `add` and `remove` in chunks, one after another; an outcome for each customer.

    A refused chunk is sent again in halves until the customers at fault stand alone. 409 to one of
    them may mean that it is as wanted already, or anything else, and after a lost answer the change
    may have been made: then `look` reads who is a member, in as many calls as it is given. All of
    this takes at most `isolation` more calls, and only those that the operation `allows` beyond
    those of the chunks still to be sent. A failure that is not about the customers ends the edit:
    it is returned as `failure`, and the customers that were never sent are FAILED. Raises NotFound
    if the group does not exist; `exists` returns None if that is not known.
    """
    edits: list[Edit] = [(MemberAction.ADD, uid) for uid in add]
    edits += [(MemberAction.REMOVE, uid) for uid in remove]
    todo = deque(edits[at : at + chunk] for at in range(0, len(edits), chunk))
    in_doubt: set[Edit] = set()  # sent in a refused request, which may have made some changes
    ended: dict[Edit, MemberOutcome] = {}
    open_: dict[Edit, _Open] = {}
    failure: GatewayError | None = None
    group_seen, asked = False, False

    def end(part: Sequence[Edit], status: MemberStatus, error: GatewayError | None = None) -> None:
        for edit in part:
            action, uid = edit
            ended[edit] = MemberOutcome(uid, action, status, error)

    async def settle() -> None:
        """Read the members, and end the edits that are open by who is one."""
        nonlocal isolation
        calls = isolation
        while calls and not allows(calls + len(todo)):
            calls -= 1
        roll = await look(calls)
        isolation = max(0, isolation - roll.calls)
        for edit, way in open_.items():
            action, uid = edit
            member = roll.has(uid)
            if member is (action is MemberAction.ADD):
                end([edit], way.met)
            elif member is not None:
                end([edit], way.unmet, way.error)
        open_.clear()

    while todo:
        part = todo.popleft()
        try:
            answer = await put(_uids(part, MemberAction.ADD), _uids(part, MemberAction.REMOVE))
        except OutcomeUnknown as lost:
            end(part, MemberStatus.UNKNOWN)
            # Where it was not made by now, it may still be on its way.
            open_ |= dict.fromkeys(part, _Open(MemberStatus.ACCEPTED, MemberStatus.UNKNOWN))
            await settle()
            if any(ended[edit].status is MemberStatus.UNKNOWN for edit in part):
                failure = lost
                break
            continue
        except GatewayError as stopped:
            todo.appendleft(part)
            failure = stopped
            break
        if answer.ok:
            end(part, MemberStatus.ACCEPTED)
            group_seen = True
            continue
        if answer.status == 413 and len(part) > 1:
            # Too long, whoever is in it: all that is left goes in shorter ones.
            chunk = len(part) // 2
            left = [edit for each in (part, *todo) for edit in each]
            todo = deque(left[at : at + chunk] for at in range(0, len(left), chunk))
            continue
        if answer.status == 404 and not group_seen and not asked and allows(1 + len(todo)):
            # 404 is about the group or about a customer; only the group can be asked for.
            asked, found = True, await exists()
            if found is False:
                raise NotFound("There is no such customer group.", field=["customerGroup"])
            group_seen = found is True
        if len(part) == 1:
            refused = _refusal(answer, part[0][0], group_seen)
            doubt = not in_doubt.isdisjoint(part)
            # In doubt, it may be so by the request that was refused.
            so = MemberStatus.ACCEPTED if doubt else MemberStatus.UNCHANGED
            conflict = answer.status == 409
            # Of who is not there, or is not in the group any more, the refusal says so.
            may_be_so = doubt and part[0][0] is MemberAction.ADD and answer.status != 404
            if conflict and conflict_is_unchanged:
                end(part, so)
            elif conflict or may_be_so:
                end(part, MemberStatus.UNKNOWN if doubt else MemberStatus.FAILED, refused)
                open_[part[0]] = _Open(so, MemberStatus.FAILED, refused)
            else:
                end(part, MemberStatus.FAILED, refused)
        elif isolation >= 2 and allows(2 + len(todo)):
            isolation -= 2
            if not atomic:
                in_doubt.update(part)
            middle = len(part) // 2
            todo.extendleft((part[middle:], part[:middle]))
        else:
            refused = _shared_refusal(answer, len(part))
            end(part, MemberStatus.FAILED if atomic else MemberStatus.UNKNOWN, refused)
            if not atomic:
                way = _Open(MemberStatus.ACCEPTED, MemberStatus.FAILED, refused)
                open_ |= dict.fromkeys(part, way)

    if open_ and failure is None:
        await settle()
    for part in todo:
        if in_doubt.isdisjoint(part):
            end(part, MemberStatus.FAILED, Rejected("Not sent: the edit ended before its turn."))
        else:
            end(part, MemberStatus.UNKNOWN)
    return MembershipEdit([ended[edit] for edit in edits], failure)


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
