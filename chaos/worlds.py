"""What a tenant's data is before an operation, the same for both systems, and what it is after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gateway.simulator.commercetools.store import Store as CommercetoolsStore
from gateway.simulator.flow_retail.store import Store as FlowRetailStore

GROUPS: Final = tuple(f"g{number:02}" for number in range(23))
CUSTOMERS: Final = tuple(f"c{number:02}" for number in range(14))
CREATED: Final = "2025-07-30T18:10:06.447Z"
EMPTY_GROUP: Final = "g05"
BIG_GROUP: Final = "g03"


def group_name(uid: str) -> str:
    """Not ASCII, so that broken UTF-8 shows."""
    return f"Kjøpere {uid}"


def key_of(uid: str) -> str:
    return f"key-{uid}"


def email(uid: str) -> str:
    return f"{uid}@shop.example"


def display_name(uid: str) -> str:
    return f"Bjørn {uid}"


def groups_of(customer: str) -> list[str]:
    """The groups of a customer, in the order of joining."""
    number = CUSTOMERS.index(customer)
    if number == 12:
        return ["g07", "g20"]
    if number == 13:
        return ["g20"]
    found = [BIG_GROUP, f"g{8 + number:02}"]
    return [*found, "g07"] if number in (2, 3) else found


def members_of(group: str) -> list[str]:
    """The customers of a group, oldest first."""
    return [customer for customer in CUSTOMERS if group in groups_of(customer)]


@dataclass(frozen=True, slots=True)
class State:
    """What a store holds of a tenant."""

    names: Mapping[str, str]
    """Of the groups, by uid."""
    keys: Mapping[str, str | None]
    members: Mapping[str, frozenset[str]]

    def difference(self, other: State) -> str:
        """What `other` has that is not the same, in words."""
        said = []
        for what in ("names", "keys", "members"):
            mine, theirs = getattr(self, what), getattr(other, what)
            said += [
                f"{what}[{uid}]: {mine.get(uid)} -> {theirs.get(uid)}"
                for uid in sorted(mine.keys() | theirs.keys())
                if mine.get(uid) != theirs.get(uid)
            ]
        return "; ".join(said) or "nothing"


class World(Protocol):
    """The tenants of one simulated system."""

    def fill(self, tenant: str, token: str) -> None:
        """Have the data above under `tenant`."""

    def clear(self, tenant: str) -> None:
        """Have nothing under `tenant` any more."""

    def state(self, tenant: str) -> State: ...

    def rename(self, tenant: str, group: str, name: str) -> None:
        """As somebody else's change."""

    def swap_keys(self, tenant: str, one: str, other: str) -> None:
        """Have each other's key, as after changes of somebody else; does nothing without keys."""


def _clear(store: FlowRetailStore | CommercetoolsStore, tenant: str, groups: Sequence[str]) -> None:
    with store.transaction():
        for uid in groups:
            store.remove_group(tenant, uid)
        for uid in CUSTOMERS:
            store.remove_customer(tenant, uid)


class FlowRetailWorld:
    def __init__(self, store: FlowRetailStore) -> None:
        self.store = store

    def fill(self, tenant: str, token: str) -> None:
        store = self.store
        with store.transaction():
            store.add_token(token, [tenant])
            for uid in GROUPS:
                store.add_group(tenant, uid, group_name(uid), created_at=CREATED)
            for uid in CUSTOMERS:
                customer = {
                    "customerUid": uid,
                    "displayName": display_name(uid),
                    "firstname": "Bjørn",
                    "lastname": uid,
                    "email": email(uid),
                    "createdAt": CREATED,
                }
                store.add_customer(tenant, customer, groups_of(uid))

    def clear(self, tenant: str) -> None:
        _clear(self.store, tenant, [group.uid for group in self.store.groups(tenant)])

    def state(self, tenant: str) -> State:
        groups = self.store.groups(tenant)
        return State(
            names={group.uid: group.name for group in groups},
            keys={group.uid: None for group in groups},
            members={
                group.uid: frozenset(self.store.member_uids(tenant, group.uid)) for group in groups
            },
        )

    def rename(self, tenant: str, group: str, name: str) -> None:
        self.store.update_group(tenant, group, name=name, by="somebody")

    def swap_keys(self, tenant: str, one: str, other: str) -> None:
        pass


class CommercetoolsWorld:
    def __init__(self, store: CommercetoolsStore) -> None:
        self.store = store

    def fill(self, tenant: str, token: str) -> None:
        store = self.store
        with store.transaction():
            store.add_token(token, [tenant])
            for uid in GROUPS:
                name, key = group_name(uid), key_of(uid)
                store.add_group(tenant, name, id=uid, key=key, created_at=CREATED)
            for uid in CUSTOMERS:
                customer = {
                    "firstName": "Bjørn",
                    "lastName": uid,
                    "email": email(uid),
                    "createdAt": CREATED,
                }
                store.add_customer(tenant, customer, groups_of(uid), id=uid)

    def clear(self, tenant: str) -> None:
        _clear(self.store, tenant, [group.id for group in self.store.groups(tenant)])

    def state(self, tenant: str) -> State:
        groups = self.store.groups(tenant)
        return State(
            names={group.id: group.name for group in groups},
            keys={group.id: group.key for group in groups},
            members={group.id: frozenset(self.store.members(tenant, group.id)) for group in groups},
        )

    def rename(self, tenant: str, group: str, name: str) -> None:
        self.store.save_group(replace(self.store.group(tenant, group), name=name))

    def swap_keys(self, tenant: str, one: str, other: str) -> None:
        store = self.store
        first, second = store.group(tenant, one), store.group(tenant, other)
        with store.transaction():
            store.save_group(replace(first, key=None), step=0)
            store.save_group(replace(second, key=first.key), step=0)
            store.save_group(replace(first, key=second.key), step=0)
