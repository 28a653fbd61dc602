"""What `gateway serve` would do with these settings, without serving."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway import VERSION
from gateway.app import USER_AGENT, create_app, http_transport
from gateway.process.start_line import NAMED
from gateway.replicas.client import RedisClient
from gateway.rest import probe
from gateway.settings import RedisSettings, Settings, UpstreamSettings
from gateway.settings.configuration import read_settings
from gateway.settings.printed import masked, printed
from gateway.telemetry import Event, RedisCall
from gateway.telemetry.traces import tracing


@dataclass(frozen=True, slots=True)
class Reached:
    """Whether what the gateway depends on is reached, and a line about it."""

    reached: bool
    line: str


def check(environ: Mapping[str, str], *, connect: bool) -> bool:
    """Print the settings as they come to, and with `connect` whether each backend is reached, which
    is returned. Raises SettingsError for what would keep the gateway from starting.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s")
    settings = read_settings(environ)
    with tracing(environ):  # warns of variables
        create_app(settings)  # reads manifests and certificates
    print(f"# gateway {VERSION}\n\n{printed(settings)}", flush=True)
    found = asyncio.run(reach_all(settings)) if connect else []
    for each in found:
        print(f"\n# {each.line}")
    return all(each.reached for each in found)


async def reach_all(settings: Settings) -> Sequence[Reached]:
    """Reach each backend as `serve` does, once for all tenants that share its connections; and
    Redis, if there is one.
    """
    tenants = {uid: tenant.upstream for uid, tenant in settings.tenants.items()}
    if settings.default_upstream is not None:
        tenants |= {"all others": settings.default_upstream}
    ways: list[tuple[UpstreamSettings, list[str]]] = []
    for uid, upstream in tenants.items():
        for known, names in ways:
            if known.way == upstream.way:
                names.append(uid)
                break
        else:
            ways.append((upstream, [uid]))
    reaching = [_reach(*each) for each in ways]
    if settings.redis.url is not None:
        reaching.append(_reach_redis(settings.redis.url, settings.redis))
    return await asyncio.gather(*reaching)


async def _reach_redis(url: str, settings: RedisSettings) -> Reached:
    calls: list[Event] = []
    async with RedisClient(url, timeout=settings.timeout, observe=calls.append):
        [found] = [call for call in calls if isinstance(call, RedisCall)]
    what = "reached" if found.result == "ok" else f"not reached, {found.cause or found.result}"
    return Reached(found.result == "ok", f"{masked(url)}: {what}")


async def _reach(upstream: UpstreamSettings, tenants: Sequence[str]) -> Reached:
    transport = http_transport(upstream)
    began = time.monotonic()
    try:
        answer = await probe(
            transport,
            upstream.url or "",
            seconds=upstream.connect_timeout + upstream.timeout,
            connect_timeout=upstream.connect_timeout,
            user_agent=USER_AGENT,
        )
    finally:
        await transport.aclose()
    seconds = time.monotonic() - began
    proxy = f" through {masked(upstream.proxy)}" if upstream.proxy else ""
    reached = isinstance(answer, int)
    what = f"reached, status {answer}" if reached else f"not reached, {answer}"
    more = f" and {len(tenants) - NAMED} more" if len(tenants) > NAMED else ""
    names = ", ".join(tenants[:NAMED]) + more
    return Reached(reached, f"{upstream.url}{proxy}, for {names}: {what}, {seconds:.3f} s")
