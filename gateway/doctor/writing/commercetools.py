"""What changes do in commercetools: asked of groups of our own, and of named customers in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from gateway.backends.commercetools.adapter import CUSTOMERS, GROUP, GROUP_BY_KEY, GROUPS
from gateway.backends.commercetools.lists import is_member_of
from gateway.backends.commercetools.members import CUSTOMER
from gateway.doctor.asking import CannotTell, Reply, shape
from gateway.doctor.report import LeftBehind
from gateway.doctor.writing.guard import reference
from gateway.doctor.writing.run import ChangeProbe, ChangeRun, Found, Gone, Unclear, mapping
from gateway.rest import Query
from gateway.settings import CommercetoolsSettings
from gateway.settings.printed import masked

LEGACY: Final = ("membership", "legacy")


class CommercetoolsChanges:
    """The probes of one run, in an order in which each finds what it needs."""

    def __init__(self, run: ChangeRun, settings: CommercetoolsSettings) -> None:
        self._run = run
        self._guard = run.guard
        self._url = masked(settings.url or "").rstrip("/")
        self._customer = next(iter(run.guard.customers), "")
        self._first = _Group(self, f"{run.guard.mark}-first")
        self.latest: dict[str, Mapping[str, Any]] = {}
        """The named customers as they were seen last, or as they may be now."""
        self._assigned: Reply | None = None
        """The answer to adding an assignment."""

    def probes(self) -> Sequence[ChangeProbe]:
        return (
            ChangeProbe("creating with a name in use", self.duplicate_name),
            ChangeProbe("creating with a key in use", self.duplicate_key),
            ChangeProbe("renaming to a name in use", self.rename),
            ChangeProbe("the step of a version", self.version_step),
            ChangeProbe("a version that is not current", self.conflict),
            ChangeProbe("a body without a required member", self.missing_member),
            ChangeProbe("removing an absent custom field", self.absent_field),
            ChangeProbe("a customer without assignments", self.no_assignments, customer=True),
            ChangeProbe("where membership can be", self.membership, customer=True),
            ChangeProbe("members by their assignments", self.predicate, customer=True),
            ChangeProbe("adding an assignment twice", self.add_twice, customer=True),
            ChangeProbe("removing an absent assignment", self.remove_absent, customer=True),
            ChangeProbe("deleting a group with members", self.delete_referenced, customer=True),
            ChangeProbe("deleting an empty group", self.delete),
            ChangeProbe("the most groups in a project", self.most_groups),
        )

    async def begin(self) -> None:
        await self._make(self._first)
        self._run.traces += [_Memberships(self, uid) for uid in self._guard.customers]

    # -- groups

    async def duplicate_name(self) -> Found:
        other = _Group(self, f"{self._guard.mark}-same-name")
        return self._refusal(await self.create(other, name=self._first.key), "a second group")

    async def duplicate_key(self) -> Found:
        other = _Group(self, self._first.key)
        name = f"{self._guard.mark}-same-key"
        return self._refusal(await self.create(other, name=name), "a second group")

    async def rename(self) -> Found:
        second = _Group(self, f"{self._guard.mark}-second")
        await self._make(second)
        change = {"action": "changeName", "name": self._first.key}
        return self._refusal(await self._update(second, change), "renamed")

    async def version_step(self) -> Found:
        before = await self._version(self._first)
        name = {"action": "changeName", "name": f"{self._guard.mark}-renamed"}
        key = {"action": "setKey", "key": f"{self._guard.mark}-key"}
        reply = await self._update(self._first, name, key)
        after = mapping(reply).get("version") if reply.ok else None
        if not isinstance(after, int):
            raise CannotTell(f"two actions were answered with {reply.status}")
        return Found(f"{after - before} for two actions")

    async def conflict(self) -> Found:
        await self._version(self._first)
        path = self._path(id=self._first.uid)
        name = {"action": "changeName", "name": f"{self._guard.mark}-late"}
        body = {"version": 2**31 - 1, "actions": [name]}
        reply = await self._run.change("POST", GROUP, path, body)
        if reply.ok:
            return Found(f"taken all the same ({reply.status}): versions are not enforced")
        current = mistake(reply).get("currentVersion")
        says = "without" if current is None else "with"
        return Found(f"{refusal(reply)}, {says} currentVersion")

    async def missing_member(self) -> Found:
        return self._refusal(await self._update(self._first, {"action": "changeName"}), "taken")

    async def absent_field(self) -> Found:
        action = {"action": "setCustomField", "name": f"{self._guard.mark}-none"}
        reply = await self._update(self._first, action)
        found = self._refusal(reply, "a success")
        return found._replace(found=f"{found.found}; of a group without a custom type")

    async def most_groups(self) -> Found:
        raise CannotTell("not tried: that would take thousands of groups")

    async def delete(self) -> Found:
        group = _Group(self, f"{self._guard.mark}-last")
        await self._make(group)
        reply = await self.delete_group(group)
        now = "it is gone" if await group.gone() else "it is still there"
        body = "without a body" if not reply.answer.body else "with the group"
        return Found(f"{reply.status} {body}, and {now}" if reply.ok else refusal(reply))

    # -- a named customer

    async def no_assignments(self) -> Found:
        for uid in self._guard.customers:
            customer = await self.customer(uid)
            if not assigned(customer):
                if "customerGroupAssignments" not in customer:
                    return Found("the member is absent")
                value = customer["customerGroupAssignments"]
                return Found("an empty list" if value == [] else shape(value))
        raise CannotTell("the customer has assignments: name one that has none")

    async def membership(self) -> Found:
        self._assigned = await self._move(self._add())
        if self._assigned.ok:
            shown = self._first.uid in assigned(await self.customer(self._customer))
            if shown:
                return Found(f"in customerGroupAssignments ({self._assigned.status})")
            raise CannotTell("an assignment was added, and the customer does not show it")
        group = reference(self._first.uid)
        legacy = await self._move({"action": "setCustomerGroup", "customerGroup": group})
        if not legacy.ok:
            raise CannotTell(f"{refusal(self._assigned)}; and customerGroup: {refusal(legacy)}")
        found = f"in customerGroup alone: an assignment is {refusal(self._assigned)}"
        return Found(found, "certain", LEGACY)

    async def predicate(self) -> Found:
        await self._put()
        where = is_member_of(self._first.uid, "assignments")
        query: Query = {"where": where, "limit": 2, "withTotal": "false"}
        reply = await self._run.read(CUSTOMERS, self._path(), query)
        if not reply.ok:
            return Found(f"the predicate is {refusal(reply)}", "certain", LEGACY)
        rows = mapping(reply).get("results")
        match rows:
            case [{"id": uid}] if uid == self._customer:
                return Found("found")
            case [*others]:
                raise CannotTell(f"{len(others)} customers were found in a group of one")
            case _:
                raise CannotTell(f"answered {reply.status} with {reply.shape}")

    async def add_twice(self) -> Found:
        await self._put()
        reply = await self._move(self._add())
        if not reply.ok:
            return Found(refusal(reply))
        all_of_it = assignments(await self.customer(self._customer))
        count = all_of_it.count({"customerGroup": reference(self._first.uid)})
        return Found(
            f"a success ({reply.status}), and it is there {'once' if count == 1 else count}"
        )

    async def remove_absent(self) -> Found:
        await self._put()
        removal = self.removal(self._first.uid)
        first = await self._move(removal)
        if not first.ok or self._first.uid in assigned(await self.customer(self._customer)):
            raise CannotTell(f"an assignment can't be removed ({first.status})")
        return self._refusal(await self._move(removal), "a success")

    async def delete_referenced(self) -> Found:
        if self._assigned is None or self._assigned.ok:
            await self._put()
        await self._version(self._first)
        reply = await self.delete_group(self._first)
        if not reply.ok:
            return Found(refusal(reply))
        if not await self._first.gone():
            return Found(f"{reply.status}, and it is still there")
        customer = await self.customer(self._customer)
        dangling = self._first.uid in assigned(customer) | {held(customer)}
        kept = "still refers to it" if dangling else "is out of it"
        return Found(f"{reply.status}, and the customer {kept}")

    async def _put(self) -> None:
        """See to it that the customer is assigned to the first group."""
        if self._assigned is not None and not self._assigned.ok:
            raise CannotTell("customers can't be assigned to groups")
        if self._first.uid not in assigned(await self.customer(self._customer)):
            reply = await self._move(self._add())
            if not reply.ok:
                raise CannotTell(f"an assignment was {refusal(reply)}")

    def _add(self) -> Mapping[str, Any]:
        assignment = {"customerGroup": reference(self._first.uid)}
        return {"action": "addCustomerGroupAssignment", "customerGroupAssignment": assignment}

    @staticmethod
    def removal(group: str) -> Mapping[str, Any]:
        return {"action": "removeCustomerGroupAssignment", "customerGroup": reference(group)}

    async def _move(self, action: Mapping[str, Any]) -> Reply:
        before = await self.customer(self._customer)
        self.latest[self._customer] = as_if(action, before)  # until an answer tells
        reply = await self.move(self._customer, before.get("version"), [action])
        if not reply.ok:
            self.latest[self._customer] = before
        return reply

    # -- REST, in the API's words

    def _path(self, **more: str) -> dict[str, str]:
        return {"projectKey": self._guard.tenant, **more}

    @staticmethod
    def _refusal(reply: Reply, otherwise: str) -> Found:
        return Found(f"{otherwise} ({reply.status})" if reply.ok else refusal(reply))

    async def create(self, group: _Group, *, name: str) -> Reply:
        """What creating it was answered with. Where that is not known, a look by its key tells
        whether it is there now.
        """
        if group not in self._run.traces:
            self._run.traces.append(group)
        try:
            body = {"groupName": name, "key": group.key}
            reply = await self._run.change("POST", GROUPS, self._path(), body)
        except Unclear:
            group.unsure = True
            await group.gone()
            raise
        if reply.ok:
            group.unsure = True
            id = mapping(reply).get("id")
            seen = await self._run.look(GROUP, self._path(id=str(id)))
            group.take({**seen, "id": id})  # ours only if it has our key when it is looked at
        return reply

    async def _make(self, group: _Group) -> None:
        try:
            reply = await self.create(group, name=group.key)
        except CannotTell:
            if not group.uid:
                raise
            return
        if not reply.ok:
            raise CannotTell(f"creating one was {refusal(reply)}")

    async def look(self, group: _Group) -> Mapping[str, Any]:
        if group.uid:
            return await self._run.look(GROUP, self._path(id=group.uid))
        found = await self._run.look(GROUP_BY_KEY, self._path(key=group.key))
        if found.get("key") != group.key:
            raise CannotTell("the API answers with another group")
        return found

    async def _version(self, group: _Group) -> int:
        group.take(await self.look(group))
        if group.version is None:
            raise CannotTell("the API does not tell the group's version")
        return group.version

    async def _update(self, group: _Group, *actions: Mapping[str, Any]) -> Reply:
        body = {"version": await self._version(group), "actions": actions}
        reply = await self._run.change("POST", GROUP, self._path(id=group.uid), body)
        if reply.ok:
            group.take(mapping(reply))
        return reply

    async def delete_group(self, group: _Group) -> Reply:
        path, query = self._path(id=group.uid), {"version": group.version or 1}
        return await self._run.change("DELETE", GROUP, path, query=query)

    def admit(self, group: Mapping[str, Any]) -> str:
        self._guard.admit(group.get("id"), group.get("key"), group.get("name"))
        return str(group["id"])

    async def customer(self, uid: str) -> Mapping[str, Any]:
        """The customer; what the first look shows is what it was before."""
        try:
            customer = await self._run.look(CUSTOMER, self._path(id=uid))
        except Gone:
            raise CannotTell("there is no such customer") from None
        if uid not in self._guard.homes:
            self._guard.homes[uid], self._guard.held[uid] = assigned(customer), held(customer)
        self.latest[uid] = customer
        return customer

    async def move(self, uid: str, version: object, actions: Sequence[Mapping[str, Any]]) -> Reply:
        body = {"version": version, "actions": actions}
        reply = await self._run.change("POST", CUSTOMER, self._path(id=uid), body)
        if reply.ok:
            self.latest[uid] = mapping(reply)
        return reply

    def way_back(self, uid: str) -> Sequence[Mapping[str, Any]]:
        """The actions that undo what this run has done, and nothing that others have."""
        guard, customer = self._guard, self.latest.get(uid, {})
        now = assigned(customer)
        actions = [*map(self.removal, sorted(now & guard.created))]
        for each in sorted(guard.homes.get(uid, now) - now):
            assignment = {"customerGroup": reference(each)}
            actions.append(
                {"action": "addCustomerGroupAssignment", "customerGroupAssignment": assignment}
            )
        before, legacy = guard.held.get(uid), held(customer)
        if legacy != before and legacy in {None, *guard.created}:
            to = {} if before is None else {"customerGroup": reference(before)}
            actions.append({"action": "setCustomerGroup", **to})
        return actions

    async def restored(self, uid: str) -> bool:
        """Whether there is nothing to undo; else that is tried."""
        actions = self.way_back(uid)
        if actions:
            await self.move(uid, self.latest[uid].get("version"), actions)
        return not actions

    def restoring(self, uid: str) -> LeftBehind | None:
        """The same, by hand."""
        actions = self.way_back(uid)
        if not actions:
            return None
        body = json.dumps({"version": self.latest[uid].get("version"), "actions": actions})
        call = self.call("POST", CUSTOMER, f" {body}", id=uid)
        return LeftBehind("a customer may not be in the groups that it was in", call)

    def call(self, method: str, template: str, more: str = "", **path: str) -> str:
        """As it can be made by hand."""
        quoted = {name: quote(value, safe="") for name, value in path.items()}
        return f"{method} {self._url}{template.format_map(self._path(**quoted))}{more}"


def assignments(customer: Mapping[str, Any]) -> list[Any]:
    found = customer.get("customerGroupAssignments")
    return found if isinstance(found, list) else []


def assigned(customer: Mapping[str, Any]) -> set[str]:
    """The groups in a customer's assignments."""
    found = [each.get("customerGroup") for each in assignments(customer) if isinstance(each, dict)]
    return {str(each.get("id")) for each in found if isinstance(each, dict)}


def held(customer: Mapping[str, Any]) -> str | None:
    """The group in a customer's older single member."""
    match customer.get("customerGroup"):
        case {"id": str(uid)}:
            return uid
        case _:
            return None


def as_if(action: Mapping[str, Any], customer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The customer with what has to be undone, if the action is carried out."""
    match action:
        case {"customerGroupAssignment": assignment}:
            after = [*assignments(customer), assignment]
            return {**customer, "customerGroupAssignments": after}
        case {"action": "setCustomerGroup", "customerGroup": group}:
            return {**customer, "customerGroup": group}
        case _:
            return customer


def mistake(reply: Reply) -> Mapping[str, Any]:
    """The first error of a refusal."""
    with suppress(CannotTell):
        match reply.json:
            case {"errors": [dict(first), *_]}:
                return first
            case _:
                pass
    return {}


def refusal(reply: Reply) -> str:
    code, on = mistake(reply).get("code"), mistake(reply).get("field")
    shown = reply.printable(f" {code}" if isinstance(code, str) else "")
    return f"refused with {reply.status}{shown}" + (f" ({on})" if on in FIELDS else "")


FIELDS: Final = ("name", "groupName", "key")


@dataclass(eq=False, slots=True)
class _Group:
    """A group of ours. See gateway.doctor.writing.run.Traces."""

    changes: CommercetoolsChanges
    key: str
    uid: str = ""
    """The API's id, once it is known."""
    version: int | None = None
    unsure: bool = False
    rank: int = 1

    def take(self, group: Mapping[str, Any]) -> None:
        """This is the group, and stays it."""
        if self.uid not in ("", group.get("id")):
            raise CannotTell("the API answers with another group")
        self.uid = self.changes.admit(group)
        version = group.get("version")
        self.version, self.unsure = version if isinstance(version, int) else None, False

    async def gone(self) -> bool:
        """Whether a look shows that it is not there."""
        try:
            self.take(await self.changes.look(self))
        except Gone:
            return True
        return False

    async def remove(self) -> bool:
        # Deleted whatever a look would show: two answers have to agree that it is gone.
        if self.uid:
            await self.changes.delete_group(self)
        return await self.gone()

    @property
    def left(self) -> LeftBehind:
        call = self.changes.call
        if self.uid:
            version = f"?version={self.version or 1}"
            return LeftBehind(
                "a group of the doctor's", call("DELETE", GROUP, version, id=self.uid)
            )
        what = "a group of the doctor's, if it comes into being after all"
        version = "?version=1"
        return LeftBehind(what, call("DELETE", GROUP_BY_KEY, version, key=self.key))


@dataclass(eq=False, slots=True)
class _Memberships:
    """What a named customer was in. See gateway.doctor.writing.run.Traces."""

    changes: CommercetoolsChanges
    customer: str
    unsure: bool = False
    rank: int = 0

    async def remove(self) -> bool:
        await self.changes.customer(self.customer)
        return await self.changes.restored(self.customer)

    @property
    def left(self) -> LeftBehind | None:
        return self.changes.restoring(self.customer)
