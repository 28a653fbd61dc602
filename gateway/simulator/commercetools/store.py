"""The simulator's data: projects, tokens, groups and customers, in SQLite."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

from gateway.simulator.commercetools.database import Database
from gateway.simulator.commercetools.documents import opened, sortable
from gateway.simulator.commercetools.order import CUSTOMER_SORTS
from gateway.simulator.commercetools.predicates import Condition
from gateway.simulator.commercetools.resources import (
    INTEGRATION,
    Customer,
    Group,
    Resource,
    Rights,
    author,
    encoded,
)

GROUP_COLUMNS = (
    "project, id, version, created_at, created_by, last_modified_at, last_modified_by,"
    " key, name, custom"
)

CUSTOMER_COLUMNS = (
    "project, id, version, created_at, created_by, last_modified_at, last_modified_by,"
    " document, whole, given, legacy_group"
)

SORTED_MEMBERS = {
    column: member
    for member, column in CUSTOMER_SORTS.items()
    if column not in ("id", "version", "created_at", "last_modified_at")
}


Saved = TypeVar("Saved", bound=Resource)


class NotThere(LookupError):
    """No such group or customer in the project."""


class Taken(ValueError):
    """Another resource of the project has the value of this field."""

    def __init__(self, field: str, value: object) -> None:
        super().__init__(f"The {field} {value!r} is in use.")
        self.field = field
        self.value = value


class Store(Database):
    """All of a simulator's data, in memory or in a file that outlives the process.

    May be used from several threads, as by a test beside a server.
    """

    # Projects and tokens

    def add_project(self, project: str) -> None:
        """Have a project; no change if it is there. All that adds to a project does this first."""
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO projects VALUES (?)", (project,))

    def has_project(self, project: str) -> bool:
        """Whether there is such a project."""
        return self._count("SELECT count(*) FROM projects WHERE key = ?", (project,)) > 0

    def add_token(
        self,
        token: str,
        projects: Iterable[str],
        scopes: Iterable[str] = ("manage_customers",),
        *,
        client: str = "integration",
        user: str | None = None,
    ) -> None:
        """Have a token with the same scopes in each project; it replaces one of that name.

        Scopes are written without the project. What is done with the token is done by the API
        client `client`, or by the user where there is one.
        """
        by, allowed = author(client, user), json.dumps(sorted(scopes))
        with self.transaction():
            self._db.execute("DELETE FROM tokens WHERE token = ?", (token,))
            for project in projects:
                self.add_project(project)
                row = (token, project, json.dumps(by), allowed)
                self._db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", row)

    def remove_token(self, token: str) -> None:
        """Make a token unknown, as when it runs out."""
        with self._lock:
            self._db.execute("DELETE FROM tokens WHERE token = ?", (token,))

    def rights(self, token: str) -> Rights | None:
        """What the token may do; None for an unknown one."""
        rows = self._rows("SELECT project, author, scopes FROM tokens WHERE token = ?", (token,))
        if not rows:
            return None
        scopes = {row[0]: frozenset(json.loads(row[2])) for row in rows}
        return Rights(json.loads(rows[0][1]), scopes)

    # Groups

    def add_group(
        self,
        project: str,
        name: str,
        *,
        id: str | None = None,
        key: str | None = None,
        custom: Mapping[str, Any] | None = None,
        by: Mapping[str, Any] | None = INTEGRATION,
        version: int = 1,
        created_at: str | None = None,
        last_modified_at: str | None = None,
    ) -> Group:
        """Create a group, now unless times are given. Taken if the id, key or name is in use."""
        created = created_at or self._now()
        modified = last_modified_at or created
        group = Group(
            project, id or str(uuid4()), version, created, by, modified, by, key, name, custom
        )
        with self.transaction():
            self.add_project(project)
            self._check_unique(group, "id", "key", "name")
            sql = f"INSERT INTO groups ({GROUP_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # fixed columns
            self._db.execute(sql, group.row())
        return group

    def group(self, project: str, id: str) -> Group:
        """The group; NotThere if there is none."""
        return self._group("id", project, id)

    def group_by_key(self, project: str, key: str) -> Group:
        """The group; NotThere if there is none."""
        return self._group("key", project, key)

    def groups(
        self,
        project: str,
        where: Condition | None = None,
        order: str = "seq",
        *,
        offset: int = 0,
        limit: int = -1,
    ) -> list[Group]:
        """A stretch of the project's groups; a negative limit means all.

        `order` is SQL, as `order.order` makes it.
        """
        rows = self._select(GROUP_COLUMNS, "groups", project, where, order, limit, offset)
        return [Group.of(row) for row in rows]

    def count_groups(
        self, project: str, where: Condition | None = None, *, most: int | None = None
    ) -> int:
        """How many groups the project has, counted no further than `most`."""
        return self._total("groups", project, where, most)

    def save_group(
        self, group: Group, *, by: Mapping[str, Any] | None = INTEGRATION, step: int = 1
    ) -> Group:
        """Have this group instead of the one with its id. Taken if its key or name is in use.

        Gives it back with the version, `step` further, and the time that it is saved with.
        """
        group = self._saved(group, by, step)
        with self.transaction():
            self.group(group.project, group.id)
            self._check_unique(group, "key", "name")
            sql = (
                f"UPDATE groups SET ({GROUP_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # fixed columns
                " WHERE project = ? AND id = ?"
            )
            self._db.execute(sql, (*group.row(), group.project, group.id))
        return group

    def remove_group(self, project: str, id: str) -> None:
        """Delete a group. References to it stay. NotThere if there is none."""
        with self._lock:
            sql = "DELETE FROM groups WHERE project = ? AND id = ?"
            if not self._db.execute(sql, (project, id)).rowcount:
                raise NotThere(f"{project} has no group {id}.")

    # Customers

    def add_customer(
        self,
        project: str,
        customer: Mapping[str, Any] | bytes,
        groups: Sequence[str] = (),
        *,
        legacy_group: str | None = None,
        id: str | None = None,
    ) -> Customer:
        """Have a customer in these groups, by their ids; `legacy_group` is its customerGroup.

        The customer is answered as given, with nothing checked, filled in or left out, so that it
        can be as broken as a test wants it; see `opened`. Groups need not be there.
        """
        made, members = opened(project, customer, self._now())
        made = replace(
            made,
            id=id or made.id,
            legacy_group=legacy_group or made.legacy_group,
            groups=tuple(dict.fromkeys((*made.groups, *groups))),
        )
        columns = ", ".join([CUSTOMER_COLUMNS, *SORTED_MEMBERS])
        values = [*made.row(), *(sortable(members.get(name)) for name in SORTED_MEMBERS.values())]
        sql = f"INSERT INTO customers ({columns}) VALUES (?{', ?' * (len(values) - 1)})"  # noqa: S608  # fixed columns
        with self.transaction():
            self.add_project(project)
            try:
                seq = self._db.execute(sql, values).lastrowid
            except sqlite3.IntegrityError:
                raise Taken("id", made.id) from None
            self._assign(seq, made.groups)
        return made

    def customer(self, project: str, id: str) -> Customer:
        """The customer; NotThere if there is none."""
        found = self.customers(project, Condition("id = ?", (id,)))
        if not found:
            raise NotThere(f"{project} has no customer {id}.")
        return found[0]

    def customers(
        self,
        project: str,
        where: Condition | None = None,
        order: str = "seq",
        *,
        offset: int = 0,
        limit: int = -1,
    ) -> list[Customer]:
        """A stretch of the project's customers; a negative limit means all.

        `order` is SQL, as `order.order` makes it.
        """
        columns = f"{CUSTOMER_COLUMNS}, seq"
        with self._lock:
            rows = self._select(columns, "customers", project, where, order, limit, offset)
            groups = self._groups_of([row[-1] for row in rows])
        return [Customer.of(row, groups.get(row[-1], ())) for row in rows]

    def count_customers(
        self, project: str, where: Condition | None = None, *, most: int | None = None
    ) -> int:
        """How many customers the project has, counted no further than `most`."""
        return self._total("customers", project, where, most)

    def save_customer(
        self, customer: Customer, *, by: Mapping[str, Any] | None = INTEGRATION, step: int = 1
    ) -> Customer:
        """Write the customer's groups, and give it back with the new version and time.

        NotThere if there is none with its id. Nothing else of a customer ever changes.
        """
        customer = self._saved(customer, by, step)
        with self.transaction():
            seq = self._customer_seq(customer.project, customer.id)
            self._db.execute(
                "UPDATE customers SET version = ?, last_modified_at = ?, last_modified_by = ?,"
                " legacy_group = ? WHERE seq = ?",
                (
                    customer.version,
                    customer.last_modified_at,
                    encoded(customer.last_modified_by),
                    customer.legacy_group,
                    seq,
                ),
            )
            self._db.execute("DELETE FROM assignments WHERE customer = ?", (seq,))
            self._assign(seq, customer.groups)
        return customer

    def remove_customer(self, project: str, id: str) -> None:
        """Delete a customer. NotThere if there is none."""
        with self._lock:
            seq = self._customer_seq(project, id)
            self._db.execute("DELETE FROM customers WHERE seq = ?", (seq,))

    # Memberships

    def members(self, project: str, group: str) -> list[str]:
        """The ids of the customers that are assigned to the group, oldest customer first."""
        sql = "seq IN (SELECT customer FROM assignments WHERE group_id = ?)"
        return self._customer_ids(project, Condition(sql, (group,)))

    def legacy_members(self, project: str, group: str) -> list[str]:
        """The ids of the customers with the group as customerGroup, oldest customer first."""
        return self._customer_ids(project, Condition("legacy_group = ?", (group,)))

    def group_ids(self, project: str, customer: str) -> list[str]:
        """The groups that the customer is assigned to, in that order. NotThere if it is not."""
        return list(self.customer(project, customer).groups)

    def is_referenced(self, project: str, group: str) -> bool:
        """Whether a customer is in the group, by either of the two ways."""
        sql = "legacy_group = ? OR seq IN (SELECT customer FROM assignments WHERE group_id = ?)"
        return self.count_customers(project, Condition(sql, (group, group)), most=1) > 0

    def drop_references(self, project: str, group: str) -> None:
        """Take all customers out of a group; their versions stay as they are."""
        ours = "(SELECT seq FROM customers WHERE project = ?)"
        with self.transaction():
            self._db.execute(
                f"DELETE FROM assignments WHERE group_id = ? AND customer IN {ours}",  # noqa: S608  # fixed
                (group, project),
            )
            self._db.execute(
                "UPDATE customers SET legacy_group = NULL WHERE project = ? AND legacy_group = ?",
                (project, group),
            )

    # What several of these need

    def _group(self, column: str, project: str, value: str) -> Group:
        found = self.groups(project, Condition(f"{column} = ?", (value,)))
        if not found:
            raise NotThere(f"{project} has no group with the {column} {value}.")
        return found[0]

    def _customer_ids(self, project: str, where: Condition) -> list[str]:
        return [row[0] for row in self._select("id", "customers", project, where, "seq", -1, 0)]

    def _customer_seq(self, project: str, id: str) -> int:
        rows = self._rows("SELECT seq FROM customers WHERE project = ? AND id = ?", (project, id))
        if not rows:
            raise NotThere(f"{project} has no customer {id}.")
        return int(rows[0][0])

    def _check_unique(self, group: Group, *fields: str) -> None:
        """Taken if another group has one of these values."""
        for field in fields:
            value = getattr(group, field)
            sql = f"SELECT count(*) FROM groups WHERE project = ? AND {field} = ? AND id <> ?"  # noqa: S608  # fixed columns
            same = "" if field == "id" else group.id
            if value is not None and self._count(sql, (group.project, value, same)):
                raise Taken(field, value)

    def _saved(self, resource: Saved, by: Mapping[str, Any] | None, step: int) -> Saved:
        return replace(
            resource,
            version=resource.version + step,
            last_modified_at=self._now(),
            last_modified_by=by,
        )

    def _assign(self, seq: int | None, groups: Sequence[str]) -> None:
        sql = "INSERT INTO assignments (customer, group_id) VALUES (?, ?)"
        self._db.executemany(sql, [(seq, group) for group in groups])

    def _groups_of(self, customers: Sequence[int]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        sql = (
            "SELECT customer, group_id FROM assignments"
            " WHERE customer IN (SELECT value FROM json_each(?)) ORDER BY id"
        )
        for customer, group in self._rows(sql, (json.dumps(customers),)):
            found.setdefault(customer, []).append(group)
        return found
