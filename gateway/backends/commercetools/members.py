"""commercetools' membership edit: one versioned request per customer, several at once.

Membership is on the customer: in `customerGroupAssignments`, or in the older `customerGroup`,
which holds one group only. Which of them counts is a setting. The customers' versions are read in
as few queries as possible; a customer that changed meanwhile is read again and tried once more, and
one whose answer was lost, or does not show the change, is looked at: where that leaves calls enough
for those whose turn is still to come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from gateway.backends.commercetools.changes import is_newer
from gateway.backends.commercetools.lists import is_one_of
from gateway.backends.commercetools.refusals import code, current_version
from gateway.backends.commercetools.wire import Assignment, CommercetoolsListing, Reference
from gateway.backends.lists import side_by_side
from gateway.backends.port import (
    EditOutcome,
    MemberAction,
    MemberOutcome,
    MembershipEdit,
    MemberStatus,
)
from gateway.backends.writes import PROMISED, contradicted
from gateway.errors import GatewayError, InvalidAnswer, NotFound, OutcomeUnknown, Rejected
from gateway.records import Int64, Record, Uid
from gateway.rest import Answer, CallerUpstream, Query
from gateway.rest.decoding import ListingDecoder, RowDecoder
from gateway.settings import CommercetoolsSettings

CUSTOMERS: Final = "/{projectKey}/customers"
CUSTOMER: Final = "/{projectKey}/customers/{id}"
IDS_PER_QUERY: Final = 100
"""Keeps the query's URL at about 4 000 characters, which every proxy takes."""


class Member(Record, frozen=True, kw_only=True, rename="camel"):
    """What an edit has to know of a customer.

    The assignments may be null, unlike those that are shown: so one of them that can't be read is
    not left out, but makes the leaf an InvalidAnswer.
    """

    id: Uid
    version: Int64 | None = None
    customer_group: Reference | None = None
    customer_group_assignments: tuple[Assignment, ...] | None = None


MEMBER: Final = RowDecoder(Member)
MEMBERS: Final = ListingDecoder[Member](CommercetoolsListing, Member)


class CustomerEditor:
    """Edits the members of one group, for one caller."""

    def __init__(
        self,
        upstream: CallerUpstream,
        path: Mapping[str, str],
        group_uid: str,
        settings: CommercetoolsSettings,
        *,
        tenant_uid: str,
    ) -> None:
        self._upstream = upstream
        self._outcome = partial(MemberOutcome, tenant_uid)
        self._path = path
        self._group = group_uid
        self._settings = settings
        self._gate = asyncio.Semaphore(settings.membership_concurrency)
        self._failure: GatewayError | None = None
        self._due = 0  # customers whose change may still have to be sent

    async def edit(self, edit: MembershipEdit) -> EditOutcome:
        """An outcome per customer, in order; after a failure that is not about one, nothing more is
        sent.
        """
        uids = [uid for _, uid in edit.changes]
        parts = [uids[at : at + IDS_PER_QUERY] for at in range(0, len(uids), IDS_PER_QUERY)]
        customers: dict[str, Member | InvalidAnswer] = {}
        for found in await side_by_side(map(self._read, parts)):
            customers |= found
        self._due = sum(isinstance(customer, Member) for customer in customers.values())
        outcomes = await side_by_side(
            self._edit_one(action, uid, customers.get(uid)) for action, uid in edit.changes
        )
        return EditOutcome(outcomes, self._failure, self._group)

    async def _read(self, uids: Sequence[str]) -> dict[str, Member | InvalidAnswer]:
        """The customers of these uids as they are now. One that does not exist is not there; one
        that may be a row without an id is an InvalidAnswer.
        """
        query: Query = {"where": is_one_of(uids), "limit": len(uids), "withTotal": "false"}
        answer = await self._upstream.send("GET", CUSTOMERS, self._path, query=query)
        if not answer.ok:
            raise Rejected("The backend refused to look the customers up." + answer.reason())
        _, rows, _ = answer.decoded(MEMBERS.decode)
        found: dict[str, Member | InvalidAnswer] = {row.id: row for row in rows if row is not None}
        if None in rows:
            unknown = InvalidAnswer("The backend does not tell whether there is such a customer.")
            return dict.fromkeys(uids, unknown) | found
        return found

    async def _edit_one(
        self, action: MemberAction, uid: str, customer: Member | InvalidAnswer | None
    ) -> MemberOutcome:
        if not isinstance(customer, Member):
            missing = customer or NotFound("There is no such customer.")
            return self._outcome(uid, action, MemberStatus.FAILED, missing)
        self._upstream.due()
        async with self._gate:
            if self._failure is not None:
                unsent = Rejected("Not sent: the edit ended before its turn.")
                return self._outcome(uid, action, MemberStatus.FAILED, unsent)
            try:
                status, error = await self._apply(action, customer)
            except OutcomeUnknown as lost:
                self._failure = self._failure or lost
                status, error = MemberStatus.UNKNOWN, lost
            except GatewayError as stopped:
                self._failure = self._failure or stopped
                status, error = MemberStatus.FAILED, Rejected("Not done: the edit failed here.")
            return self._outcome(uid, action, status, error)

    async def _apply(
        self, action: MemberAction, customer: Member | GatewayError
    ) -> tuple[MemberStatus, GatewayError | None]:
        refused: Answer | None = None
        while True:
            self._due -= 1
            if not isinstance(customer, Member):
                return MemberStatus.FAILED, customer
            actions = self._actions(action, customer)
            if actions is None:
                unread = InvalidAnswer("The backend does not tell which groups the customer is in.")
                return MemberStatus.FAILED, unread
            if not actions and refused is None:
                return MemberStatus.UNCHANGED, None
            if not actions:
                # It was not so before the edit; who has made it so since is not known.
                return MemberStatus.ACCEPTED, None
            if not isinstance(customer.version, int):
                no_total = InvalidAnswer("The backend does not tell the customer's version.")
                return MemberStatus.FAILED, no_total
            path = {**self._path, "id": customer.id}
            body = {"version": customer.version, "actions": actions}
            try:
                answer = await self._upstream.send("POST", CUSTOMER, path, body=body)
                if answer.ok and not self._shows(answer, action, customer):
                    raise contradicted()
            except OutcomeUnknown:
                if await self._is_so(action, customer.id):
                    return MemberStatus.ACCEPTED, None
                raise
            if answer.ok:
                return MemberStatus.ACCEPTED, None
            conflict = code(answer) == "ConcurrentModification"
            if not conflict or refused is not None or self._failure is not None:
                break
            if not self._upstream.allows(2 + self._due):
                break
            self._due += 1
            refused = answer
            now = await self._again(customer.id)
            if isinstance(now, Member) and self._actions(action, now) == []:
                # What a look shows that is no newer than what was refused is no state to go by.
                newest = current_version(answer)
                if not is_newer(now.version, refused=customer.version, current=newest):
                    break
            customer = now
        return MemberStatus.FAILED, _refusal(answer)

    def _shows(self, answer: Answer, action: MemberAction, customer: Member) -> bool:
        """Whether the answer to a change is the customer, and in the wanted state."""
        try:
            shown = answer.decoded(MEMBER.one)
        except InvalidAnswer:
            return False
        meant = answer.status != PROMISED and shown.id == customer.id
        return meant and self._actions(action, shown) == []

    async def _is_so(self, action: MemberAction, uid: str) -> bool:
        """Whether a look shows the customer in the wanted state; False if that is not known."""
        if not self._upstream.allows(1 + self._due):
            return False
        try:
            customer = await self._again(uid)
        except GatewayError:
            return False
        return isinstance(customer, Member) and self._actions(action, customer) == []

    async def _again(self, uid: str) -> Member | GatewayError:
        """The customer as it is now, or why this one can't be changed."""
        answer = await self._upstream.send("GET", CUSTOMER, {**self._path, "id": uid})
        if not answer.ok:
            return _refusal(answer)
        try:
            customer = answer.decoded(MEMBER.one)
        except InvalidAnswer as unusable:
            return unusable
        if customer.id != uid:
            return InvalidAnswer("The backend answered with another customer.")
        return customer

    def _actions(self, action: MemberAction, customer: Member) -> list[dict[str, object]] | None:
        """What is to be sent so that the customer is in the wanted state; nothing if it is, and
        None if that is not known.
        """
        mode = self._settings.membership
        group = {"typeId": "customer-group", "id": self._group}
        newer = None if mode == "legacy" else customer.customer_group_assignments
        older = None if mode == "assignments" else customer.customer_group
        assigned = isinstance(newer, tuple) and any(
            assignment.customer_group.id == self._group for assignment in newer
        )
        held = isinstance(older, Reference) and older.id == self._group
        if action is MemberAction.ADD and (assigned or held):
            return []
        if any(isinstance(leaf, GatewayError) for leaf in (newer, older)):
            return None
        if action is MemberAction.ADD:
            if mode == "legacy":
                return [{"action": "setCustomerGroup", "customerGroup": group}]
            assignment = {"customerGroup": group}
            return [{"action": "addCustomerGroupAssignment", "customerGroupAssignment": assignment}]
        actions: list[dict[str, object]] = []
        if assigned:
            actions.append({"action": "removeCustomerGroupAssignment", "customerGroup": group})
        if held:
            actions.append({"action": "setCustomerGroup"})
        return actions


def _refusal(answer: Answer) -> GatewayError:
    if answer.status == 404:
        return NotFound("There is no such customer.")
    if code(answer) == "ConcurrentModification":
        return Rejected("The customer keeps changing: try again.")
    return Rejected("The backend refused this customer." + answer.reason())
