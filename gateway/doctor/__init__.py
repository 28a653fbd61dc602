"""`gateway doctor`: what a live tenant's API does where its documents are silent."""

from __future__ import annotations

import asyncio
import getpass
import math
import re
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from typing import Final

from gateway.app import USER_AGENT, http_transport
from gateway.doctor.asking import Asker
from gateway.doctor.commercetools import CommercetoolsReading
from gateway.doctor.deviations import deviating
from gateway.doctor.flow_retail import FlowRetailReading
from gateway.doctor.probes import Probe, run
from gateway.doctor.report import Finding, Report
from gateway.doctor.writing import examine_changes, require_consent
from gateway.rest import RawCalls, RestCaller
from gateway.settings import (
    BACKENDS,
    CommercetoolsSettings,
    FlowRetailSettings,
    Settings,
    SettingsError,
)
from gateway.settings.configuration import read_settings
from gateway.settings.effective import require_sound
from gateway.telemetry import Meter

TOKEN_VARIABLE: Final = "GATEWAY_DOCTOR_TOKEN"  # noqa: S105  # its name
TOKEN: Final = re.compile(r"[!-~]{1,16384}")
SOON: Final = 30
"""Days before its end in which a certificate is worth a word."""
TOLD: Final = ("Server", "Via", "X-Powered-By")
LIMITS: Final = re.compile(r"(x-)?rate-?limit.*|retry-after|x-.*(quota|throttl).*", re.IGNORECASE)


def doctor(
    environ: Mapping[str, str],
    *,
    tenant: str | None,
    as_json: bool,
    customers: Sequence[str] | None = None,
    yes: bool = False,
) -> int:
    """Examine the API of a tenant, print the report, and return the exit code. Changes are examined
    too if `customers` are given, of which there may be none, and it is agreed to: by `yes`, or at
    the terminal. Raises SettingsError where it can't begin.
    """
    settings = read_settings(environ)
    require_sound(settings)
    token = _token(environ)
    tenant = tenant or settings.default_tenant
    if customers is not None:
        require_consent(tenant or "no tenant", customers, yes=yes)
    with closing(_Progress()) as line:
        report = asyncio.run(
            examine(settings, tenant, token, customers=customers, progress=line.show)
        )
    print(report.json() if as_json else report.text(), flush=True)
    return report.exit_code


async def examine(
    settings: Settings,
    tenant: str | None,
    token: str,
    *,
    customers: Sequence[str] | None = None,
    progress: Callable[[str], None] = lambda _line: None,
) -> Report:
    """Ask the API that `serve` would ask for the tenant, by the same way; of changes too if there
    are `customers` or an empty list of them. Raises SettingsError for a tenant that no backend
    holds, or certificates that can't be used.
    """
    tenant = tenant or settings.default_tenant
    if tenant is None:
        raise SettingsError("Name a tenant: there is no default_tenant.")
    upstream, project = _upstream(settings, tenant)
    handshakes: list[ssl.SSLObject] = []
    transport = http_transport(upstream, on_handshake=handshakes.append)
    caller = RestCaller(
        tenant_uid=tenant, token=token, request_id="doctor", deadline=math.inf, meter=Meter()
    )
    try:
        calls = RawCalls(upstream, transport, caller, user_agent=USER_AGENT)
        asker = Asker(calls, token=token, rate=settings.doctor_rate, progress=progress)
        report = await diagnose(
            *(asker, upstream, tenant),
            project=project,
            listed=tenant in settings.tenants,
            handshakes=handshakes,
        )
        if not report.reached or customers is None:
            return report
        changes = await examine_changes(asker, upstream, project or tenant, customers)
    finally:
        await transport.aclose()
    return replace(
        report,
        findings=[*report.findings, *changes.findings],
        calls=asker.made,
        left=changes.left,
        stopped=changes.stopped,
    )


async def diagnose(
    asker: Asker,
    upstream: FlowRetailSettings | CommercetoolsSettings,
    tenant: str,
    *,
    project: str | None = None,
    listed: bool = False,
    handshakes: Sequence[ssl.SSLObject] = (),
) -> Report:
    """The report on the tenant whose API `asker` asks; `handshakes` are those of TLS so far."""
    findings, reached = await run(_probes(asker, upstream, project or tenant), asker)
    return Report(
        tenant=tenant,
        backend=next(name for name, kind in BACKENDS.items() if type(upstream) is kind),
        in_force=upstream,
        listed=listed,
        findings=[
            *findings[:1],
            *_conversation(asker, handshakes),
            *findings[1:],
            *deviating(asker.replies),
        ],
        reached=reached,
        calls=asker.made,
    )


def _probes(
    asker: Asker, upstream: FlowRetailSettings | CommercetoolsSettings, tenant: str
) -> Sequence[Probe]:
    match upstream:
        case FlowRetailSettings():
            return FlowRetailReading(asker, upstream, tenant).probes()
        case CommercetoolsSettings():
            return CommercetoolsReading(asker, upstream, tenant).probes()


def _upstream(
    settings: Settings, tenant: str
) -> tuple[FlowRetailSettings | CommercetoolsSettings, str | None]:
    """How the tenant's API is reached, and the project that the tenant is there."""
    if tenant in settings.tenants:
        return settings.tenants[tenant].upstream, settings.tenants[tenant].project
    if settings.default_upstream is None or tenant in settings.hidden_projects:
        raise SettingsError(f"No backend holds the tenant {tenant!r}: list it in [tenants].")
    return settings.default_upstream, None


def _token(environ: Mapping[str, str]) -> str:
    token = environ.get(TOKEN_VARIABLE, "").strip()
    if not token and sys.stdin.isatty():
        token = getpass.getpass("Token of the tenant (not shown): ").strip()
    if not token:
        raise SettingsError(f"There is no token: set {TOKEN_VARIABLE}.")
    if not TOKEN.fullmatch(token):
        raise SettingsError(f"{TOKEN_VARIABLE}: a token has no blanks, and is ASCII.")
    return token


class _Progress:
    """The line of progress, at a terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def show(self, text: str) -> None:
        if self._terminal:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        self.show("")


# -- what the answers to all questions say of the API


def _conversation(asker: Asker, handshakes: Sequence[ssl.SSLObject]) -> Sequence[Finding]:
    """Who has answered, how fast, by what TLS, and which limits the answers announce."""
    replies = asker.replies
    if not replies:
        return []
    who = [f"{name}: {value}" for name in TOLD if (value := replies[0].header(name)) is not None]
    times = sorted(reply.seconds for reply in replies)
    limits = {
        name.lower(): value
        for reply in replies
        for name in reply.answer.headers
        if LIMITS.fullmatch(name) and (value := reply.header(name)) is not None
    }
    return [
        Finding("who answers", ", ".join(who) or "the answers do not say"),
        *_tls(handshakes),
        Finding(
            "latency",
            f"{median(times) * 1000:.0f} ms, at most {times[-1] * 1000:.0f} ms "
            f"({len(times)} answers)",
        ),
        Finding(
            "rate limits",
            ", ".join(f"{name}: {value}" for name, value in sorted(limits.items()))
            or f"no header of {len(replies)} answers names one",
            "certain" if limits else "likely",
        ),
    ]


def _tls(handshakes: Sequence[ssl.SSLObject]) -> Sequence[Finding]:
    if not handshakes:
        return [Finding("TLS", "none: tokens travel in the clear")]
    last = handshakes[-1]
    ends = ssl.cert_time_to_seconds(str((last.getpeercert() or {}).get("notAfter")))
    days = (ends - datetime.now(UTC).timestamp()) / 86_400
    date = datetime.fromtimestamp(ends, UTC).date()
    soon = ": soon" if days < SOON else ""
    found = f"{last.version()}; the certificate ends on {date}, in {days:.0f} days{soon}"
    return [Finding("TLS", found)]
