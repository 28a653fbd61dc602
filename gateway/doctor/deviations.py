"""Where the answers to all questions are not as the vendor's documents say."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Final

import msgspec

from gateway.backends.commercetools import contract as commercetools
from gateway.backends.flow_retail import contract as flow_retail
from gateway.contract import Contract, Deviation, Kind, Value, deviations
from gateway.doctor.asking import CannotTell, Reply
from gateway.doctor.report import Finding

CONTRACTS: Final = {**flow_retail.CONTRACTS, **commercetools.CONTRACTS}
"""Their templates differ."""
KINDS: Final[Mapping[Kind, str]] = {
    "missing": "documented, but absent",
    "null": "null, undocumented",
    "wrong_type": "of another type",
    "unknown_member": "members, undocumented",
    "unknown_value": "values, undocumented",
}
SHOWN: Final = 12
"""Members of a kind that are named."""
WORD: Final = re.compile(r"[A-Z][A-Z0-9_]{0,40}")
"""A value of an enum: what stands for it is no customer's."""


def deviating(replies: Sequence[Reply]) -> Sequence[Finding]:
    """A finding for each kind of deviation, with its members and in how many rows each was seen. A
    row that was answered several times counts once.
    """
    seen: set[tuple[str, bytes]] = set()
    rows: Counter[str] = Counter()
    found: defaultdict[Kind, Counter[str]] = defaultdict(Counter)
    for reply in replies:
        contract = CONTRACTS.get((reply.method, reply.template))
        if not reply.ok or contract is None:
            continue
        try:
            answer = reply.json
        except CannotTell:
            continue
        what = [name for name in reply.template.split("/") if "{" not in name][-1]
        for part, prefix in _parts(answer, contract):
            key = what, msgspec.json.encode(part)
            if key not in seen:
                seen.add(key)
                rows[what] += bool(prefix)
                for each in deviations(part, contract):
                    if each.member.startswith(prefix):
                        found[each.kind][f"{what}: {_named(each, contract, part)}"] += 1
    if not seen:
        return []
    examined = " and ".join(f"{count} {what}" for what, count in rows.items())
    if not found:
        return [Finding("members and values", f"as documented ({examined})", "likely")]
    return [
        Finding(title, f"{_listed(found[kind])} (of {examined})")
        for kind, title in KINDS.items()
        if found[kind]
    ]


def _parts(answer: Any, contract: Contract) -> Iterator[tuple[Any, str]]:
    """Each row by itself, as a page of which what begins with the text counts; and what is left."""
    name = contract.rows
    rows = answer.get(name) if isinstance(answer, dict) and name else None
    if not isinstance(rows, list):
        yield answer, ""
        return
    yield {**answer, name: []}, ""
    for row in rows:
        yield {name: [row]}, f"{name}[]"


def _named(deviation: Deviation, contract: Contract, part: Any) -> str:
    """The member, with the undocumented values of an enum if they are words."""
    known = " (known)" if deviation.known else ""
    member = deviation.member.removeprefix(f"{contract.rows}[]").lstrip(".") or "$"
    if deviation.kind != "unknown_value":
        return member + known
    values = set(_at(part, deviation.member.split(".")))
    words = {value for value in values - _documented(contract.answer, deviation.member) if value}
    return f"{member} = {', '.join(sorted(words)[:SHOWN]) or '(no word)'}{known}"


def _listed(counted: Counter[str]) -> str:
    more = f", and {len(counted) - SHOWN} more" if len(counted) > SHOWN else ""
    return ", ".join(f"{name} in {count}" for name, count in counted.most_common(SHOWN)) + more


def _documented(value: Value, member: str) -> Set[str]:
    """The values of the enum that a member is."""
    if value.member == member:
        return value.values or frozenset()
    inner = [*(value.members or {}).values(), *([value.items] if value.items else [])]
    return frozenset().union(*(_documented(each, member) for each in inner))


def _at(value: Any, path: Sequence[str]) -> Iterator[str]:
    """The words that stand at a member's path."""
    if not path:
        if isinstance(value, str) and WORD.fullmatch(value):
            yield value
        return
    name, *rest = path
    inner = value.get(name.removesuffix("[]")) if isinstance(value, dict) else None
    for each in (inner if isinstance(inner, list) else []) if name.endswith("[]") else [inner]:
        yield from _at(each, rest)
