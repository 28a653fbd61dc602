"""What an operation would cost with these settings: its REST calls by hop, without one of them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from gateway.app import create_app
from gateway.settings import Settings
from gateway.settings.configuration import read_settings
from gateway.telemetry import Event

WIDTH: Final = 100
DEEP: Final = 8
"""Hops below this one are indented as it is, so that the longest template fits into a line."""


class CannotExplain(Exception):
    """There is nothing to explain: a file can't be read, or the variables are not JSON."""


def explain(
    environ: Mapping[str, str],
    file: Path,
    *,
    variables: str | None,
    operation: str | None,
    tenant: str | None,
) -> Any:
    """The body of the gateway's response; raises CannotExplain and SettingsError. `variables` are
    JSON, or name a file of it.
    """
    settings = read_settings(environ)
    # Nothing is asked of Redis either.
    redis = dataclasses.replace(settings.redis, url=None)
    settings = dataclasses.replace(settings, explain=True, redis=redis)
    # Only callers with a token may ask about tenants; this one is never sent.
    headers = dict.fromkeys(settings.bearer_headers, "Bearer none") | {"X-Explain": "true"}
    if tenant is not None:
        headers["X-Tenant"] = tenant
    try:
        if variables is not None and not variables.lstrip().startswith("{"):
            variables = Path(variables).read_text("utf-8")
        asked = {
            "query": file.read_text("utf-8"),
            "variables": None if variables is None else json.loads(variables),
            "operationName": operation,
        }
        request = httpx.Request("POST", "http://gateway/graphql", json=asked, headers=headers)
    except (OSError, ValueError, RecursionError) as mistake:
        raise CannotExplain(f"It can't be explained: {mistake}") from None
    return asyncio.run(_answered(settings, request))


async def _answered(settings: Settings, request: httpx.Request) -> Any:
    app = create_app(settings, observe=_ignore)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), trust_env=False)
    async with app.router.lifespan_context(app), client:
        return (await client.send(request)).json()


def _ignore(_event: Event) -> None: ...


def as_text(explained: Mapping[str, Any]) -> str:
    """An explanation for people: hops below one another, in lines of at most 100 characters."""
    hops = explained["hops"]
    if not hops:
        return "No REST call. (Fields that fail ahead of one are not listed: is a tenant named?)"
    lines = [
        f"At most {_count(explained['atMost'], 'REST call')} in {_count(len(hops), 'hop')}; "
        f"{explained['limit']} are allowed."
    ]
    if "refused" in explained:
        lines += textwrap.wrap(f"Refused: {explained['refused']}", WIDTH)
    for depth, hop in enumerate(hops):
        indent = "  " * min(depth, DEEP)
        lines.append(f"{indent}hop {depth + 1}")
        for call in hop["calls"]:
            lines += _lines(call, indent)
    return "\n".join(lines)


def _lines(call: Mapping[str, Any], indent: str) -> Iterator[str]:
    known = call["atMost"]
    count = f"{known}+" if call.get("metered") and known else "?" if call.get("metered") else known
    yield f"{indent}  {count:>4}  {call['method']} {call['template']}"
    details = {
        "or": f"pages of {call['orPagesOf']}" if "orPagesOf" in call else "",
        "for": ", ".join(call["fields"]),
        "and": ", ".join(call["shared"]),
        "at": f"tenant {call['tenant']} ({call['backend']})",
        "": call.get("cheaper", ""),
    }
    begin = f"{indent}        "
    for word, detail in details.items():
        if detail:
            text = f"{word} {detail}".lstrip()
            yield from textwrap.wrap(
                text,
                WIDTH,
                initial_indent=begin,
                subsequent_indent=f"{begin}  ",
                break_on_hyphens=False,
            )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
