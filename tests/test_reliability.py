"""docs/reliability.md names a test for each promise, and those tests exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reliability.md"
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8"))))


@cache
def _tests(path: Path) -> frozenset[str]:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return frozenset(re.findall(r"^(?:async )?def (\w+)", text, re.MULTILINE))


def test_a_test_that_is_named_exists() -> None:
    """In the file that is named."""
    assert NAMED
    assert [f"{path}::{name}" for path, name in NAMED if name not in _tests(ROOT / path)] == []


def test_every_promise_has_a_test() -> None:
    """Each row of the tables but their heads."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    promises = [row for row in rows if not row.startswith("| promise")]

    assert promises
    assert [row for row in promises if "::" not in row] == []
