"""`gateway doctor --write`: what changes do, asked of groups that are made for it and deleted."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.doctor.asking import Asker
from gateway.doctor.report import Finding, LeftBehind
from gateway.doctor.writing.commercetools import CommercetoolsChanges
from gateway.doctor.writing.flow_retail import FlowRetailChanges
from gateway.doctor.writing.guard import MARK, Guard
from gateway.doctor.writing.run import WRITE_BUDGET, ChangeRun
from gateway.settings import CommercetoolsSettings, FlowRetailSettings, SettingsError

UID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
MAX_CUSTOMERS: Final = 2
"""A second one finds out more about requests that are refused; a third one would not."""


def require_consent(tenant: str, customers: Sequence[str], *, yes: bool) -> None:
    """Say what will be done. Raises SettingsError unless whoever is at the terminal agrees, or has
    done so by `yes`; and for customers that can't be meant.
    """
    if len(customers) > MAX_CUSTOMERS:
        raise SettingsError(f"--customer: at most {MAX_CUSTOMERS} are of use.")
    if not all(map(UID.fullmatch, customers)):
        raise SettingsError("--customer: a uid is made of letters, digits, _ and -.")
    lines = [f"In {tenant}, groups named {MARK}... are created, changed and deleted."]
    if customers:
        lines.append(f"In and out of these groups go the customers {', '.join(customers)}.")
    lines.append(f"Nothing else is changed. That takes at most {WRITE_BUDGET} REST calls.")
    print("\n".join(lines), file=sys.stderr, flush=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError("Without a terminal, --write needs --yes.")
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise SettingsError("Nothing was changed.")


@dataclass(frozen=True, slots=True)
class Changes:
    """What is found out by changes, and what could not be cleaned up."""

    findings: Sequence[Finding] = ()
    left: Sequence[LeftBehind] = ()
    stopped: bool = False


async def examine_changes(
    asker: Asker,
    upstream: FlowRetailSettings | CommercetoolsSettings,
    tenant: str,
    customers: Sequence[str],
    *,
    pause: float = 1.0,
) -> Changes:
    """By the asker that has read, whose pace goes on. `tenant` is as the API calls it; `pause` is
    in seconds, between two attempts to clean up.
    """
    asker.budget = asker.made + WRITE_BUDGET
    run = ChangeRun(asker, Guard(tenant, customers), _say, pause=pause)
    asker.sleep = run.sleep
    examination: FlowRetailChanges | CommercetoolsChanges
    match upstream:
        case FlowRetailSettings():
            examination = FlowRetailChanges(run, upstream)
        case CommercetoolsSettings():
            examination = CommercetoolsChanges(run, upstream)
    findings, left = await run.ask(examination.begin, examination.probes())
    return Changes(findings, left, run.stopped)


def _say(text: str) -> None:
    line = "\n" if sys.stderr.isatty() else ""  # that of progress ends here
    print(f"{line}{text}", file=sys.stderr, flush=True)
