"""The connection to SQLite, and the few statements that the store is made of."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from gateway.simulator.commercetools.predicates import Condition
from gateway.simulator.commercetools.tables import SCHEMA, SCHEMA_VERSION


def system_clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


class Database:
    """The tables in memory, or in a file. May be used from several threads."""

    def __init__(
        self, path: str | Path = ":memory:", *, clock: Callable[[], datetime] = system_clock
    ) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, SCHEMA_VERSION):
            self._db.close()
            raise ValueError(f"{path} was written by another version of the simulator.")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Let go of the file. What was in memory is gone."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All inside happens, or nothing if it raises. May stand inside another one."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _now(self) -> str:
        stamp = self._clock().astimezone(UTC)
        return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _rows(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _count(self, sql: str, values: Sequence[object]) -> int:
        return int(self._rows(sql, values)[0][0])

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
