"""Probes: small functions that ask, and say what they have found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.doctor.asking import Asker, CannotTell, Unreached
from gateway.doctor.report import Finding


@dataclass(frozen=True, slots=True)
class Probe:
    """Finds something out; raises CannotTell where it can't, or Unreached where no probe can."""

    question: str
    """What it is about: in the line of progress, and of a finding that says why there is none."""
    run: Callable[[], Awaitable[Sequence[Finding]]]


async def run(probes: Sequence[Probe], asker: Asker) -> tuple[Sequence[Finding], bool]:
    """What they have found, in order, and whether the API was reached."""
    findings: list[Finding] = []
    for probe in probes:
        asker.title = probe.question
        try:
            findings += await probe.run()
        except Unreached as why:
            findings.append(Finding(probe.question, str(why), "not found out"))
            return findings, False
        except CannotTell as why:
            findings.append(Finding(probe.question, str(why), "not found out"))
    return findings, True
