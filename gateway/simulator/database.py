"""A simulator's data in SQLite: in memory, or in a file that outlives the process."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self


def system_clock() -> datetime:
    """Now."""
    return datetime.now(UTC)


class Database:
    """The tables that a subclass names. May be used from several threads, as by a test beside a
    server.

    Raises ValueError for a file that was written with other tables.
    """

    SCHEMA: ClassVar[str]
    SCHEMA_VERSION: ClassVar[int]

    def __init__(
        self, path: str | Path = ":memory:", *, clock: Callable[[], datetime] = system_clock
    ) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(path)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, path: str | Path) -> None:
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, self.SCHEMA_VERSION):
            raise ValueError(f"{path} was written by another version of the simulator.")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(self.SCHEMA)
        self._db.execute(f"PRAGMA user_version = {self.SCHEMA_VERSION}")

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
