"""The simulator's data: tenants, tokens, groups, customers and memberships, in SQLite."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.simulator.database import Database
from gateway.simulator.flow_retail.order import CUSTOMER_SORTS, GROUP_SORTS, RowOrder
from gateway.simulator.flow_retail.tables import SCHEMA, SCHEMA_VERSION

GROUP_COLUMNS = (
    "g.tenant, g.uid, g.name, g.created_by, g.created_at, g.last_modified_by, g.last_modified_at"
)

CUSTOMER_MEMBERS = {column: member for member, column in CUSTOMER_SORTS.items() if column != "uid"}


class NotThere(LookupError):
    """No such group or customer in the tenant."""


class Taken(ValueError):
    """The uid is in use in the tenant."""


@dataclass(frozen=True, slots=True)
class Group:
    """A customer group. Times are UTC with milliseconds, as the API prints them."""

    tenant: str
    uid: str
    name: str
    created_by: str
    created_at: str
    last_modified_by: str
    last_modified_at: str


@dataclass(frozen=True, slots=True)
class Rights:
    """What a token may do, and in whose name: the permissions by tenant."""

    user: str
    permissions: Mapping[str, frozenset[str]]


class Store(Database):
    """All of a simulator's data."""

    SCHEMA = SCHEMA
    SCHEMA_VERSION = SCHEMA_VERSION

    # Tenants and tokens

    def add_tenant(self, tenant: str) -> None:
        """Have a tenant; no change if it is there. All that adds to a tenant does this first."""
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO tenants VALUES (?)", (tenant,))

    def add_token(
        self,
        token: str,
        tenants: Iterable[str],
        permissions: Iterable[str] = ("CUSTOMER",),
        *,
        user: str = "integration",
    ) -> None:
        """Have a token with the same permissions in each tenant; it replaces one of that name."""
        allowed = json.dumps(sorted(permissions))
        with self.transaction():
            self._db.execute("DELETE FROM tokens WHERE token = ?", (token,))
            for tenant in tenants:
                self.add_tenant(tenant)
                row = (token, tenant, user, allowed)
                self._db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", row)

    def remove_token(self, token: str) -> None:
        """Make a token unknown, as when it runs out."""
        with self._lock:
            self._db.execute("DELETE FROM tokens WHERE token = ?", (token,))

    def rights(self, token: str) -> Rights | None:
        """What the token may do; None for an unknown one."""
        sql = "SELECT tenant, user, permissions FROM tokens WHERE token = ?"
        rows = self._rows(sql, (token,))
        if not rows:
            return None
        return Rights(rows[0][1], {row[0]: frozenset(json.loads(row[2])) for row in rows})

    # Groups

    def add_group(
        self,
        tenant: str,
        uid: str,
        name: str,
        *,
        by: str = "integration",
        created_at: str | None = None,
        last_modified_at: str | None = None,
    ) -> Group:
        """Create a group, now unless times are given. Taken if the uid is in use."""
        created = created_at or self._now()
        group = Group(tenant, uid, name, by, created, by, last_modified_at or created)
        with self.transaction():
            self.add_tenant(tenant)
            try:
                self._db.execute(
                    "INSERT INTO groups (tenant, uid, name, created_by, created_at,"
                    " last_modified_by, last_modified_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (tenant, uid, name, by, created, by, group.last_modified_at),
                )
            except sqlite3.IntegrityError:
                raise Taken(f"{tenant} has a group {uid}.") from None
        return group

    def group(self, tenant: str, uid: str) -> Group:
        """The group; NotThere if there is none."""
        sql = f"SELECT {GROUP_COLUMNS} FROM groups g WHERE tenant = ? AND uid = ?"  # noqa: S608  # fixed columns
        rows = self._rows(sql, (tenant, uid))
        if not rows:
            raise NotThere(f"{tenant} has no group {uid}.")
        return Group(*rows[0])

    def groups(
        self, tenant: str, order: RowOrder | None = None, *, offset: int = 0, limit: int = -1
    ) -> list[Group]:
        """A stretch of the tenant's groups; a negative limit means all."""
        by = (order or RowOrder()).sql(GROUP_SORTS.values(), {"creation": "g.id"})
        sql = (
            f"SELECT {GROUP_COLUMNS} FROM groups g WHERE tenant = ? ORDER BY {by} LIMIT ? OFFSET ?"  # noqa: S608  # RowOrder.sql checks the column
        )
        return [Group(*row) for row in self._rows(sql, (tenant, limit, offset))]

    def count_groups(self, tenant: str) -> int:
        """How many groups the tenant has."""
        return self._count("SELECT count(*) FROM groups WHERE tenant = ?", (tenant,))

    def has_group_named(self, tenant: str, name: str, *, other_than: str = "") -> bool:
        """Whether a group has exactly this name, the one with uid `other_than` left aside."""
        sql = "SELECT count(*) FROM groups WHERE tenant = ? AND name = ? AND uid <> ?"
        return self._count(sql, (tenant, name, other_than)) > 0

    def update_group(
        self, tenant: str, uid: str, *, name: str | None = None, by: str = "integration"
    ) -> Group:
        """Rename a group, or only note that it was written to. NotThere if there is none."""
        with self.transaction():
            self._db.execute(
                "UPDATE groups SET name = coalesce(?, name), last_modified_by = ?,"
                " last_modified_at = ? WHERE tenant = ? AND uid = ?",
                (name, by, self._now(), tenant, uid),
            )
            return self.group(tenant, uid)

    def remove_group(self, tenant: str, uid: str) -> None:
        """Delete a group and its memberships. NotThere if there is none."""
        with self._lock:
            sql = "DELETE FROM groups WHERE tenant = ? AND uid = ?"
            if not self._db.execute(sql, (tenant, uid)).rowcount:
                raise NotThere(f"{tenant} has no group {uid}.")

    # Customers

    def add_customer(
        self,
        tenant: str,
        customer: Mapping[str, object] | bytes,
        groups: Sequence[str] = (),
        *,
        uid: str | None = None,
    ) -> str:
        """Have a customer in these groups, and give back its uid: `uid`, else its customerUid.

        The customer is answered as given, with nothing checked, filled in or left out, so that it
        can be as broken as a test wants it; bytes are for what no mapping can say. Only
        customerGroupUids, unless given, come from the memberships in the order of joining.
        """
        document, members = written(customer)
        if uid is None:
            given = members.get("customerUid")
            if not isinstance(given, str):
                raise ValueError("A customer without a customerUid needs a uid of its own.")
            uid = given
        whole = "customerGroupUids" in members or not members
        sort_values = [sortable(members.get(member)) for member in CUSTOMER_MEMBERS.values()]
        columns = ["tenant", "uid", "document", "whole", *CUSTOMER_MEMBERS]
        sql = f"INSERT INTO customers ({', '.join(columns)}) VALUES (?{', ?' * (len(columns) - 1)})"  # noqa: S608  # fixed columns
        with self.transaction():
            self.add_tenant(tenant)
            try:
                self._db.execute(sql, (tenant, uid, document, whole, *sort_values))
            except sqlite3.IntegrityError:
                raise Taken(f"{tenant} has a customer {uid}.") from None
            for group in groups:
                self.add_member(tenant, group, uid)
        return uid

    def remove_customer(self, tenant: str, uid: str) -> None:
        """Delete a customer and its memberships. NotThere if there is none."""
        with self._lock:
            self._db.execute("DELETE FROM customers WHERE id = ?", (self._customer(tenant, uid),))

    def has_customer(self, tenant: str, uid: str) -> bool:
        """Whether there is such a customer."""
        sql = "SELECT count(*) FROM customers WHERE tenant = ? AND uid = ?"
        return self._count(sql, (tenant, uid)) > 0

    def count_customers(self, tenant: str) -> int:
        """How many customers the tenant has, in groups or not."""
        return self._count("SELECT count(*) FROM customers WHERE tenant = ?", (tenant,))

    # Memberships

    def add_member(self, tenant: str, group: str, customer: str) -> bool:
        """Whether the customer was no member before. NotThere if either is not there."""
        sql = "INSERT OR IGNORE INTO memberships (group_id, customer_id) VALUES (?, ?)"
        with self._lock:
            pair = (self._group(tenant, group), self._customer(tenant, customer))
            return self._db.execute(sql, pair).rowcount > 0

    def remove_member(self, tenant: str, group: str, customer: str) -> bool:
        """Whether the customer was a member before. NotThere if either is not there."""
        sql = "DELETE FROM memberships WHERE group_id = ? AND customer_id = ?"
        with self._lock:
            pair = (self._group(tenant, group), self._customer(tenant, customer))
            return self._db.execute(sql, pair).rowcount > 0

    def count_members(self, tenant: str, group: str) -> int:
        """How many customers are in the group. NotThere if there is no group."""
        sql = "SELECT count(*) FROM memberships WHERE group_id = ?"
        return self._count(sql, (self._group(tenant, group),))

    def member_uids(self, tenant: str, group: str) -> list[str]:
        """The uids of all members, in the order of joining. NotThere if there is no group."""
        sql = (
            "SELECT c.uid FROM memberships m JOIN customers c ON c.id = m.customer_id"
            " WHERE m.group_id = ? ORDER BY m.id"
        )
        return [row[0] for row in self._rows(sql, (self._group(tenant, group),))]

    def group_uids(self, tenant: str, customer: str) -> list[str]:
        """The uids of the customer's groups, in the order of joining. NotThere if there is none."""
        number = self._customer(tenant, customer)
        return self._groups_of([number]).get(number, [])

    def members(
        self,
        tenant: str,
        group: str,
        order: RowOrder | None = None,
        *,
        offset: int = 0,
        limit: int = -1,
    ) -> list[bytes]:
        """A stretch of the group's customers, each as JSON. NotThere if there is no group."""
        ids = {"creation": "m.customer_id", "joining": "m.id"}
        by = (order or RowOrder()).sql(CUSTOMER_SORTS.values(), ids)
        # The documents are fetched after the sort: a large group's would all go through the sorter.
        join = "" if by.startswith("m.") else "JOIN customers c ON c.id = m.customer_id "
        sql = f"SELECT m.customer_id FROM memberships m {join}WHERE m.group_id = ? ORDER BY {by} LIMIT ? OFFSET ?"  # noqa: S608, E501  # RowOrder.sql checks the column
        with self._lock:
            numbers = [
                row[0] for row in self._rows(sql, (self._group(tenant, group), limit, offset))
            ]
            customers = {
                row[0]: row[1:]
                for row in self._rows(
                    "SELECT id, document, whole FROM customers"
                    " WHERE id IN (SELECT value FROM json_each(?))",
                    (json.dumps(numbers),),
                )
            }
            groups = self._groups_of(numbers)
        return [
            document if whole else joined(document, groups.get(number, []))
            for number in numbers
            for document, whole in [customers[number]]
        ]

    # The database

    def _group(self, tenant: str, uid: str) -> int:
        rows = self._rows("SELECT id FROM groups WHERE tenant = ? AND uid = ?", (tenant, uid))
        if not rows:
            raise NotThere(f"{tenant} has no group {uid}.")
        return int(rows[0][0])

    def _customer(self, tenant: str, uid: str) -> int:
        rows = self._rows("SELECT id FROM customers WHERE tenant = ? AND uid = ?", (tenant, uid))
        if not rows:
            raise NotThere(f"{tenant} has no customer {uid}.")
        return int(rows[0][0])

    def _groups_of(self, customers: Sequence[int]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        sql = (
            "SELECT m.customer_id, g.uid FROM memberships m JOIN groups g ON g.id = m.group_id"
            " WHERE m.customer_id IN (SELECT value FROM json_each(?)) ORDER BY m.id"
        )
        for customer, group in self._rows(sql, (json.dumps(customers),)):
            found.setdefault(customer, []).append(group)
        return found


def written(customer: Mapping[str, object] | bytes) -> tuple[bytes, Mapping[str, object]]:
    """The JSON that stands for a customer, and what members can be read in it."""
    if not isinstance(customer, bytes):
        text = json.dumps(customer, ensure_ascii=False, separators=(",", ":"))
        return text.encode(), customer
    try:
        members = json.loads(customer)
    except ValueError:
        return customer, {}
    return customer, members if isinstance(members, dict) else {}


def sortable(value: object) -> object:
    """What a row sorts by; a value of an unexpected type sorts like an absent one."""
    return value if isinstance(value, str | int | float) else None


def joined(document: bytes, groups: Sequence[str]) -> bytes:
    """A customer's JSON with its customerGroupUids, without reading the JSON."""
    comma = b"" if document[:-1].strip() == b"{" else b","
    uids = json.dumps(groups, separators=(",", ":")).encode()
    return b"".join((document[:-1], comma, b'"customerGroupUids":', uids, b"}"))
