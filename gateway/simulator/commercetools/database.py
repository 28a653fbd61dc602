"""The few statements that the store is made of."""

from typing import Any

from gateway.simulator import database
from gateway.simulator.commercetools.predicates import Condition
from gateway.simulator.commercetools.tables import SCHEMA, SCHEMA_VERSION


class Database(database.Database):
    """The tables of projects, customer groups and customers."""

    SCHEMA = SCHEMA
    SCHEMA_VERSION = SCHEMA_VERSION

    def _select(
        self,
        columns: str,
        table: str,
        project: str,
        where: Condition | None,
        order: str,
        limit: int,
        offset: int,
    ) -> list[tuple[Any, ...]]:
        also, values = (f" AND ({where.sql})", where.values) if where else ("", ())
        sql = f"SELECT {columns} FROM {table} WHERE project = ?{also} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608, E501  # all of it is our own SQL
        return self._rows(sql, (project, *values, limit, offset))

    def _total(self, table: str, project: str, where: Condition | None, most: int | None) -> int:
        also, values = (f" AND ({where.sql})", where.values) if where else ("", ())
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE project = ?{also} LIMIT ?)"  # noqa: S608  # all of it is our own SQL
        return self._count(sql, (project, *values, -1 if most is None else most))
