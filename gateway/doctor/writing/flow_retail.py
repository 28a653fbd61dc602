"""What changes do in Flow Retail: asked of groups of our own, and of named customers in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from gateway.backends.flow_retail.adapter import GROUP, GROUPS, MEMBERS
from gateway.doctor.asking import CannotTell, Reply
from gateway.doctor.report import Certainty, LeftBehind
from gateway.doctor.writing.run import ChangeProbe, ChangeRun, Found, Gone, Unclear, mapping, told
from gateway.settings import FlowRetailSettings
from gateway.settings.printed import masked

LONGEST: Final = 1_000
"""Customers in the longest list that is tried."""
GROUPS_SEARCHED: Final = 8
"""Groups in whose first pages the named customers are looked for."""
SHORT: Final = re.compile(r"[0-9a-f-]{8,}|[0-9]+")
"""What differs between two messages that say the same: times, numbers, ids."""


class FlowRetailChanges:
    """The probes of one run, in an order in which each finds what it needs."""

    def __init__(self, run: ChangeRun, settings: FlowRetailSettings) -> None:
        self._run = run
        self._settings = settings
        self._url = masked(settings.url or "").rstrip("/")
        self._guard = run.guard
        self._names = [f"{run.guard.mark}-{name}" for name in ("first", "second")]
        self._nobody = f"{run.guard.mark}-nobody"
        self._unknown: dict[str, Reply] = {}
        """What came of nobody's uid in each list."""
        self._conflicts: dict[str, bool] = {}
        """Whether adding a member, or removing none, was answered with 409."""
        self._refusals: list[_Refused] = []
        self._customer, self._other = [*run.guard.customers, "", ""][:2]
        self._been_in: set[str] = set()
        """Customers that were in a group of ours: they exist."""
        self._seen_in: dict[str, str] = {}
        """A group in which a customer was seen before."""
        self._first = _Group(self, self._names[0])
        self._second = _Group(self, self._names[1])

    def probes(self) -> Sequence[ChangeProbe]:
        return (
            ChangeProbe("creating with a uid in use", self.duplicate_uid),
            ChangeProbe("creating with a name in use", self.duplicate_name),
            ChangeProbe("renaming to a name in use", self.rename),
            ChangeProbe("PUT without a name", self.nameless),
            ChangeProbe("a body not declared as JSON", self.undeclared),
            ChangeProbe("removing an unknown customer", self.unknown_removed),
            ChangeProbe("adding an unknown customer", self.unknown_added),
            ChangeProbe("other characters in a uid", self.characters),
            ChangeProbe("adding a member", self.already_member, customer=True),
            ChangeProbe("a customer's other groups", self.other_groups, customer=True),
            ChangeProbe("the longest membership list", self.longest),
            ChangeProbe("removing a customer that is no member", self.absent_member, customer=True),
            ChangeProbe("what 409 means in membership", self.conflicts, customer=True),
            ChangeProbe("a customer in both lists", self.both_lists, customer=True),
            ChangeProbe("a refused membership request", self.atomic, customer=True),
            ChangeProbe("deleting a group with members", self.delete_with_members, customer=True),
            ChangeProbe("deleting an empty group", self.delete_empty),
        )

    async def begin(self) -> None:
        await self._make(self._first)
        if self._guard.customers:
            with suppress(CannotTell):
                await self._find_homes()

    # -- groups

    async def duplicate_uid(self) -> Found:
        second = self._names[1]
        reply = await self.create(self._first, second)
        if (await self.look(self._first.uid)).get("name") != second:
            return told(reply, "a success, and the group is as it was")
        await self._rename(self._first, self._names[0])
        return told(reply, "the group has got the new name")

    async def duplicate_name(self) -> Found:
        return told(await self.create(self._second, self._names[0]), "allowed")

    async def rename(self) -> Found:
        await self._make(self._second)
        await self._rename(self._second, self._names[1])
        return told(await self._rename(self._second, self._names[0]), "allowed")

    async def nameless(self) -> Found:
        reply = await self._run.change("PUT", GROUP, self._path(self._first.uid), {})
        name = (await self.look(self._first.uid)).get("name")
        if name == self._names[0]:
            return told(reply, "the name is kept")
        await self._rename(self._first, self._names[0])
        return told(reply, "the name is lost: PUT replaces the group")

    async def undeclared(self) -> Found:
        path, body = self._path(self._first.uid), {"name": self._names[0]}
        reply = await self._run.change("PUT", GROUP, path, body, content_type="text/plain")
        return told(reply, "read all the same")

    async def delete_empty(self) -> Found:
        await self._make(self._second)
        reply = await self.delete(self._second.uid)
        gone = await self._second.gone()
        again = await self.delete(self._second.uid)
        now = "it is gone" if gone else "it is still there"
        return Found(f"{reply.status}, and {now}; once more: {again.status}")

    # -- nobody's uids in lists

    async def unknown_removed(self) -> Found:
        return await self._unknown_in("remove")

    async def unknown_added(self) -> Found:
        return await self._unknown_in("add")

    async def _unknown_in(self, which: str) -> Found:
        reply = await self._edit(**{which: [self._nobody]})
        self._unknown[which] = reply
        mine, nobodys = self._customer, self._nobody
        if not reply.ok and which == "add":
            self._refusals.append(_Refused(add=[mine, nobodys], watched=mine))
            self._refusals.append(_Refused(add=[nobodys, mine], watched=mine))
        elif not reply.ok:
            self._refusals.append(_Refused(add=[mine], remove=[nobodys], watched=mine))
        elif nobodys in await self.members():
            await self._edit(remove=[nobodys])
            return told(reply, "nobody is a member now")
        return told(reply, "ignored")

    async def characters(self) -> Found:
        """Only removed: a group or a customer of such a uid could have no URL."""
        usual = self._unknown_reply()
        reply = await self._edit(remove=[f"{self._nobody}~1"])
        if reply.status != usual.status:
            return Found(f"refused with {reply.status}", "likely")
        if reply.ok:
            return Found(f"~ is taken ({reply.status})")
        if self._says(reply) != self._says(usual):
            return Found(f"refused with {reply.status}, for another reason", "likely")
        if reply.status == 404:
            return Found("~ is taken: looked for, and not found", "likely")
        raise CannotTell(f"refused as any uid of nobody is ({reply.status})")

    async def longest(self) -> Found:
        """By removing nobody many times, or by adding a member many times: neither changes a thing.
        A list that is refused like one of nobody alone says nothing of its length.
        """
        usual, of = self._unknown_reply(), ""

        async def refused(size: int) -> int | None:
            if of:
                reply = await self._edit(add=[self._customer] * size)
                return None if reply.ok else reply.status
            uids = [f"{self._nobody}-{number}" for number in range(size)]
            reply = await self._edit(remove=uids)
            same = reply.status == usual.status and self._says(reply) == self._says(usual)
            return None if same else reply.status

        in_force = self._settings.membership_chunk
        status = await refused(LONGEST)
        if status is None and not usual.ok:
            if not self._customer:
                raise CannotTell(
                    f"{LONGEST} unknown customers are refused as one is ({usual.status}): "
                    "--customer would tell more"
                )
            await self._put(self._customer, member=True)
            of = ", of one customer"
            status = await refused(LONGEST)
        sure: Certainty = "likely" if of else "certain"
        if status is None:
            chunk = ("membership_chunk", in_force) if in_force <= LONGEST else None
            return Found(f"at least {LONGEST}{of}", sure, chunk)
        most, least = 0, LONGEST
        while least - most > 1:
            middle = (most + least) // 2
            if await refused(middle) is None:
                most = middle
            else:
                least = middle
        if not most:
            raise CannotTell(f"even short lists are refused with {status}")
        found = f"{most}{of}; longer ones are refused with {status}"
        return Found(found, sure, ("membership_chunk", min(in_force, most)))

    def _unknown_reply(self) -> Reply:
        try:
            return self._unknown["remove"]
        except KeyError:
            raise CannotTell("what becomes of an unknown customer was not found out") from None

    def _says(self, reply: Reply) -> str:
        """The body of a refusal, without what differs between two that say the same."""
        text = reply.answer.body.decode(errors="replace")
        return SHORT.sub("", text.replace(self._guard.mark, ""))

    # -- named customers, in the first group

    async def already_member(self) -> Found:
        customer = self._customer
        await self._put(customer, member=True)
        reply = await self._edit(add=[customer])
        self._conflicts["adding a member"] = reply.status == 409
        if not reply.ok and (other := self._other):
            refused = _Refused(add=[other, customer], members=[customer], watched=other)
            self._refusals.append(refused)
        return told(reply, "a success")

    async def other_groups(self) -> Found:
        await self._put(self._customer, member=True)
        member = (await self.members()).get(self._customer, {})
        if not isinstance(member.get("customerGroupUids"), list):
            raise CannotTell("the list of members does not say which groups a customer is in")
        now, before = groups_of(member), self._guard.homes.get(self._customer, set())
        if lost := before - now:
            found = f"{len(lost)} of {len(before)} were lost: they are put back"
            return Found(found, "likely")
        if not before:
            others = len(now - self._guard.created)
            return Found(f"{others} beside ours; before, none was seen", "likely")
        return Found(f"the {len(before)} that it was in are kept")

    async def absent_member(self) -> Found:
        await self._put(self._customer, member=False)
        reply = await self._edit(remove=[self._customer])
        self._conflicts["removing a customer that is none"] = reply.status == 409
        if not reply.ok and (other := self._other):
            refused = _Refused(add=[self._customer], remove=[other], watched=self._customer)
            self._refusals.append(refused)
        return told(reply, "a success")

    async def conflicts(self) -> Found:
        if len(self._conflicts) < 2:
            raise CannotTell("adding a member and removing none were not both found out")
        name = "membership_conflict_is_unchanged"
        so = [what for what, conflict in self._conflicts.items() if conflict]
        unknown = [each for each in self._unknown.values() if each.status == 409]
        if unknown:
            found = "an unknown customer is one too, so it says nothing"
            return Found(found, "certain", (name, False))
        if so:
            return Found(f"it is so already: {' and '.join(so)}", "likely", (name, True))
        found = "something else: neither adding a member nor removing none is answered so"
        return Found(found, "likely", (name, False))

    async def both_lists(self) -> Found:
        await self._put(self._customer, member=False)
        both = [self._customer]
        reply = await self._edit(add=both, remove=both)
        return told(reply, "added" if self._customer in await self.members() else "removed")

    async def atomic(self) -> Found:
        tried = 0
        for each in self._refusals:
            for customer in {*each.add, *each.remove} & self._guard.customers:
                await self._put(customer, member=customer in each.members)
            if (await self._edit(add=each.add, remove=each.remove)).ok:
                continue
            tried += 1
            if each.watched in await self.members():
                found = "has added a customer all the same"
                return Found(found, "certain", ("membership_atomic", False))
        if not tried:
            more = "" if self._other else "; a second --customer would make more of them"
            raise CannotTell(f"no list with a customer in it is refused{more}")
        kinds = "one kind" if tried == 1 else f"{tried} kinds"
        return Found(f"changes nothing ({kinds} of them)", "likely", ("membership_atomic", True))

    async def delete_with_members(self) -> Found:
        await self._put(self._customer, member=True)
        reply = await self.delete(self._first.uid)
        return told(reply, "it is gone" if await self._first.gone() else "it is still there")

    # -- REST, in the API's words

    def _path(self, group: str | None = None) -> dict[str, str]:
        path = {"tenantUid": self._guard.tenant}
        return path if group is None else path | {"customerGroupUid": group}

    async def create(self, group: _Group, name: str) -> Reply:
        """What creating it was answered with. Where that is not known, a look tells whether it is
        there now.
        """
        if group not in self._run.traces:
            self._guard.admit(group.uid, group.uid)
            self._run.traces.append(group)
        body = {"customerGroupUid": group.uid, "name": name}
        try:
            reply = await self._run.change("POST", GROUPS, self._path(), body)
        except Unclear:
            group.unsure = not group.exists
            await group.gone()
            raise
        made = mapping(reply) if reply.ok else {}
        uid = made.get("customerGroupUid", group.uid)
        if uid != group.uid:  # ours only if it has our name when it is looked at
            group.unsure = not group.exists
            self._guard.admit(uid, (await self.look(str(uid))).get("name"))
            group.unsure = False
            self._run.traces.append(_Group(self, uid))
            raise CannotTell("the API gives a new group another uid than the one asked for")
        group.exists = group.exists or reply.ok
        return reply

    async def _make(self, group: _Group) -> None:
        if group.exists:
            return
        try:
            reply = await self.create(group, group.uid)
        except CannotTell:
            if not group.exists:
                raise
            return
        if not reply.ok:
            raise CannotTell(f"creating one was answered with {reply.status}")

    async def _rename(self, group: _Group, name: str) -> Reply:
        return await self._run.change("PUT", GROUP, self._path(group.uid), {"name": name})

    async def look(self, uid: str) -> Mapping[str, Any]:
        return await self._run.look(GROUP, self._path(uid))

    async def _edit(self, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Reply:
        return await self.edit(self._first.uid, add=add, remove=remove)

    async def edit(
        self, group: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> Reply:
        lists = {"addCustomerUids": add, "removeCustomerUids": remove}
        body = {name: uids for name, uids in lists.items() if uids}
        return await self._run.change("PUT", MEMBERS, self._path(group), body)

    async def _put(self, customer: str, *, member: bool) -> None:
        """See to it that the customer is in the first group, or is not after it once was."""
        if not member and customer not in self._been_in:
            await self._put(customer, member=True)
        uids = [customer]
        if (customer in await self.members()) is not member:
            reply = await self._edit(add=uids if member else (), remove=() if member else uids)
            if (customer in await self.members()) is not member:
                what = "put into" if member else "taken out of"
                raise CannotTell(f"the customer can't be {what} a group ({reply.status})")
        self._been_in.add(customer)

    async def members(self, group: str | None = None) -> Mapping[str, Mapping[str, Any]]:
        """Those of the first group; or those on the first page of another."""
        query = None if group is None else {"pageSize": self._settings.max_page_size}
        path = self._path(group or self._first.uid)
        rows = (await self._run.look(MEMBERS, path, query)).get("items")
        if not isinstance(rows, list):
            raise CannotTell("the members can't be read")
        return {str(row.get("customerUid")): row for row in rows if isinstance(row, dict)}

    async def _find_homes(self) -> None:
        """Where the named customers are now, as far as a few groups show it."""
        query = {"pageSize": self._settings.max_page_size}
        rows = (await self._run.look(GROUPS, self._path(), query)).get("items")
        rows = rows if isinstance(rows, list) else []
        uids = [str(row.get("customerGroupUid")) for row in rows if isinstance(row, dict)]
        for uid in [uid for uid in uids if not self._guard.marked(uid)][:GROUPS_SEARCHED]:
            members = await self.members(uid)
            for customer in self._guard.customers & members.keys():
                self._seen_in[customer] = uid
                self._guard.homes[customer] = groups_of(members[customer]) | {uid}
                self._run.traces.append(_Memberships(self, customer))
            if self._guard.customers <= self._seen_in.keys():
                break

    async def empty(self, group: str) -> None:
        """Take the named customers out."""
        if self._guard.customers:
            for customer in self._guard.customers & (await self.members(group)).keys():
                await self.edit(group, remove=[customer])

    def emptying(self, group: str) -> Sequence[str]:
        """The same, by hand."""
        uids = [*self._guard.customers]
        body = json.dumps({"removeCustomerUids": uids})
        return [self.call("PUT", group, f"/customers {body}")] if uids else []

    async def delete(self, group: str) -> Reply:
        return await self._run.change("DELETE", GROUP, self._path(group))

    async def lost_homes(self, customer: str) -> set[str]:
        """The groups that the customer was in, and is not any more."""
        seen_in, before = self._seen_in[customer], self._guard.homes[customer]
        member = (await self.members(seen_in)).get(customer)
        return before if member is None else before - groups_of(member) - {seen_in}

    def putting_back(self, customer: str) -> str:
        """Into all of them, by hand."""
        body = json.dumps({"addCustomerUids": [customer]})
        homes = sorted(self._guard.homes[customer])
        return "; ".join(self.call("PUT", each, f"/customers {body}") for each in homes)

    def call(self, method: str, group: str, more: str = "") -> str:
        """As it can be made by hand."""
        return f"{method} {self._url}{GROUP.format_map(self._path(quote(group, safe='')))}{more}"


def groups_of(customer: Mapping[str, Any]) -> set[str]:
    uids = customer.get("customerGroupUids")
    return {*map(str, uids)} if isinstance(uids, list) else set()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """Lists with something that was refused when it stood alone."""

    add: Sequence[str]
    remove: Sequence[str] = ()
    members: Sequence[str] = ()
    """Those who have to be members before."""
    watched: str
    """The customer that is added, if the rest of a refused request is carried out."""


@dataclass(eq=False, slots=True)
class _Group:
    """A group of ours. See gateway.doctor.writing.run.Traces."""

    changes: FlowRetailChanges
    uid: str
    exists: bool = False
    unsure: bool = False
    rank: int = 0

    async def gone(self) -> bool:
        """Whether a look shows that it is not there."""
        try:
            await self.changes.look(self.uid)
        except Gone:
            self.exists = False
            return True
        self.exists, self.unsure = True, False
        return False

    async def remove(self) -> bool:
        # Deleted whatever a look would show: two answers have to agree that it is gone.
        reply = await self.changes.delete(self.uid)
        if not reply.ok and reply.status != 404:
            await self.changes.empty(self.uid)
        return await self.gone()

    @property
    def left(self) -> LeftBehind:
        delete, members = self.changes.call("DELETE", self.uid), self.changes.emptying(self.uid)
        if self.unsure:
            return LeftBehind("a group of the doctor's, if it comes into being after all", delete)
        return LeftBehind("a group of the doctor's", "; ".join([*members, delete]))


@dataclass(eq=False, slots=True)
class _Memberships:
    """What a named customer was in. See gateway.doctor.writing.run.Traces."""

    changes: FlowRetailChanges
    customer: str
    unsure: bool = False
    rank: int = 1

    async def remove(self) -> bool:
        lost = await self.changes.lost_homes(self.customer)
        for group in sorted(lost):
            await self.changes.edit(group, add=[self.customer])
        return not lost

    @property
    def left(self) -> LeftBehind:
        what = "a customer may not be in all groups that it was in"
        return LeftBehind(what, self.changes.putting_back(self.customer))
