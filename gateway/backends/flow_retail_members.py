"""Flow Retail's membership edit: long lists in chunks, and what became of each customer.

One PUT adds and removes any number of customers and answers nothing (204). So all that is known of
a customer follows from how the PUT that named it ended; what is not known is called UNKNOWN.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from gateway.backends.port import MemberAction, MemberOutcome, MembershipEdit, MemberStatus
from gateway.errors import GatewayError, NotFound, OutcomeUnknown, Rejected
from gateway.rest.answer import Answer

Edit = tuple[MemberAction, str]
Put = Callable[[Sequence[str], Sequence[str]], Awaitable[Answer]]


async def edit_members(
    put: Put,
    exists: Callable[[], Awaitable[bool]],
    *,
    add: Sequence[str],
    remove: Sequence[str],
    chunk: int,
    atomic: bool,
    conflict_is_unchanged: bool,
    isolation: int,
    allows: Callable[[int], bool],
) -> MembershipEdit:
    """Send `add` and `remove` in chunks, one after another, and tell what became of each.

    A refused chunk is sent again in halves until the customers at fault stand alone, at most
    `isolation` more times, and only with calls that the operation `allows` beyond those of the
    chunks still to be sent. A failure that is not about the customers ends the edit: it comes back
    as `failure`, and what was never sent is FAILED. Raises NotFound where the group does not exist.
    """
    edits: list[Edit] = [(MemberAction.ADD, uid) for uid in add]
    edits += [(MemberAction.REMOVE, uid) for uid in remove]
    todo = deque(edits[at : at + chunk] for at in range(0, len(edits), chunk))
    in_doubt: set[Edit] = set()  # sent in a refused request, which may have made some changes
    ended: dict[Edit, MemberOutcome] = {}
    failure: GatewayError | None = None
    group_seen = False

    def end(part: Sequence[Edit], status: MemberStatus, error: GatewayError | None = None) -> None:
        for edit in part:
            action, uid = edit
            ended[edit] = MemberOutcome(uid, action, status, error)

    while todo:
        part = todo.popleft()
        try:
            answer = await put(_uids(part, MemberAction.ADD), _uids(part, MemberAction.REMOVE))
        except OutcomeUnknown as lost:
            end(part, MemberStatus.UNKNOWN)
            failure = lost
            break
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
        if answer.status == 404 and not group_seen and allows(1 + len(todo)):
            # 404 is about the group or about a customer; only the group can be asked for.
            if not await exists():
                raise NotFound("There is no such customer group.", field=["customerGroup"])
            group_seen = True
        if len(part) == 1:
            doubt = not in_doubt.isdisjoint(part)
            if answer.status == 409 and conflict_is_unchanged:
                # As wanted now; but in doubt, it may be so by the request that was refused.
                end(part, MemberStatus.ACCEPTED if doubt else MemberStatus.UNCHANGED)
            elif answer.status == 409 and doubt:
                end(part, MemberStatus.UNKNOWN, _refusal(answer, part[0][0], group_seen))
            else:
                end(part, MemberStatus.FAILED, _refusal(answer, part[0][0], group_seen))
        elif isolation >= 2 and allows(2 + len(todo)):
            isolation -= 2
            if not atomic:
                in_doubt.update(part)
            middle = len(part) // 2
            todo.extendleft((part[middle:], part[:middle]))
        else:
            status = MemberStatus.FAILED if atomic else MemberStatus.UNKNOWN
            end(part, status, _shared_refusal(answer, len(part)))

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
