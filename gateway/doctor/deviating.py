"""Which members of the rows that were seen are not as documented."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from typing import Any, Final

from gateway.contract import Contract, Kind, Value, deviations
from gateway.doctor.report import Finding

KINDS: Final[dict[Kind, str]] = {
    "missing": "absent",
    "null": "null",
    "wrong_type": "of another type",
    "unknown_member": "undocumented",
    "unknown_value": "undocumented values",
}
WORD: Final = re.compile(r"[A-Z][A-Z0-9_]{0,40}")
"""A value of an enum; a customer's would have another shape."""
NAMED: Final = 12


def as_documented(
    what: str, bodies: Sequence[Any], contract: Contract, *, uid: str, rows: str = "items"
) -> Sequence[Finding]:
    """A finding for each kind of deviation, with how many of the rows in the decoded pages have it;
    `rows` is the member that holds them.
    """
    seen: dict[object, Any] = {}
    counts: defaultdict[Kind, Counter[str]] = defaultdict(Counter)
    for number, body in enumerate(bodies):
        items = body.get(rows) or []
        for place, row in enumerate(items):
            named = row.get(uid) if isinstance(row, dict) else None
            seen.setdefault(named if isinstance(named, str) else (number, place), row)
        for each in deviations({**body, rows: []}, contract):
            counts[each.kind][each.member] += 1
    for row in seen.values():
        # The rest of the page deviates by nothing that would be counted for each row.
        for each in deviations({rows: [row]}, contract):
            if each.member.startswith(f"{rows}[]"):
                name = each.member.removeprefix(f"{rows}[].")
                if each.kind == "unknown_value":
                    words = set(filter(None, map(_word, _at(row, name.split(".")))))
                    words -= _documented(contract.answer, each.member)
                    name += f" ({', '.join(sorted(words)[:NAMED])})" if words else ""
                counts[each.kind][name] += 1
    if not seen:
        return [Finding(f"members of {what}", "there are no rows", "not found out")]
    if not counts:
        return [Finding(f"members of {what}", f"all as documented ({len(seen)} rows)")]
    return [
        Finding(f"{what}: {title}", f"{_listed(counts[kind])}, of {len(seen)} rows")
        for kind, title in KINDS.items()
        if counts[kind]
    ]


def _listed(counted: Counter[str]) -> str:
    most = counted.most_common(NAMED)
    more = f", and {len(counted) - NAMED} more" if len(counted) > NAMED else ""
    return ", ".join(f"{member} in {count}" for member, count in most) + more


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and WORD.fullmatch(value) else None


def _documented(value: Value, member: str) -> Set[str]:
    """The values of the enum that a member is."""
    if value.member == member:
        return value.values or frozenset()
    inner = [*(value.members or {}).values(), *([value.items] if value.items else [])]
    return frozenset().union(*(_documented(each, member) for each in inner))


def _at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """What stands at a member's path."""
    if not path:
        yield value
        return
    name, *rest = path
    inner = value.get(name.removesuffix("[]")) if isinstance(value, dict) else None
    for each in inner if name.endswith("[]") and isinstance(inner, list) else [inner]:
        yield from _at(each, rest)
