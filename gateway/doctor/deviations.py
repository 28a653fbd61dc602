"""Where the answers to all questions are not as the vendor's documents say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.backends.commercetools import contract as commercetools
from gateway.backends.flow_retail import contract as flow_retail
from gateway.contract import Kind, deviations
from gateway.doctor.asking import CannotTell, Reply
from gateway.doctor.report import Finding

CONTRACTS: Final = {**flow_retail.CONTRACTS, **commercetools.CONTRACTS}
"""Their templates differ."""
QUESTIONS: Final[Mapping[Kind, str]] = {
    "missing": "documented, but absent",
    "null": "null, undocumented",
    "wrong_type": "of another type",
    "unknown_member": "members, undocumented",
    "unknown_value": "values, undocumented",
}
SHOWN: Final = 12
"""Members of a kind that are named."""


def deviating(replies: Sequence[Reply]) -> Sequence[Finding]:
    """A finding for each kind of deviation, with its members and the shape of an example."""
    seen: dict[Kind, dict[str, str]] = {kind: {} for kind in QUESTIONS}
    examined = 0
    for reply in replies:
        contract = CONTRACTS.get((reply.method, reply.template))
        if not reply.ok or contract is None:
            continue
        try:
            found = deviations(reply.json, contract)
        except CannotTell:
            continue
        examined += 1
        for each in found:
            known = ", known" if each.known else ""
            seen[each.kind].setdefault(each.member, f"{each.member} ({each.example}{known})")
    findings = []
    for kind, members in seen.items():
        if members:
            more = f", and {len(members) - SHOWN} more" if len(members) > SHOWN else ""
            named = ", ".join([*members.values()][:SHOWN])
            findings.append(Finding(QUESTIONS[kind], f"{named}{more} ({examined} answers)"))
    if examined and not findings:
        fine = f"as documented ({examined} answers)"
        return [Finding("members and values", fine, "likely")]
    return findings
