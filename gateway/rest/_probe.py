"""Whether an API can be reached, without a token."""

from __future__ import annotations

import asyncio

import httpx

from gateway.rest import _causes as causes
from gateway.rest._urls import BaseUrl


async def probe(
    transport: httpx.AsyncBaseTransport,
    url: str,
    *,
    seconds: float,
    connect_timeout: float,
    user_agent: str,
) -> int | str:
    """The status with which a GET of the API's base URL is answered in so many seconds, or why none
    came, in the words of the log.
    """
    base = BaseUrl(url).url
    headers = {"Host": base.netloc.decode("ascii"), "User-Agent": user_agent}
    request = httpx.Request(
        "GET", base, headers=headers, extensions={"timeout": {"connect": connect_timeout}}
    )
    try:
        async with asyncio.timeout(seconds):
            response = await transport.handle_async_request(request)
            await response.aclose()
            return response.status_code
    except TimeoutError:
        return "timeout: answer"
    except httpx.ConnectError as unconnected:
        return causes.unconnected(unconnected)
    except httpx.TransportError as lost:
        return causes.lost(lost)
