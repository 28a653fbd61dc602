"""The production transport: httpx's transport interface over an aiohttp connection pool.

Our own rather than httpx-aiohttp's, because that one reports every lost connection as
ConnectTimeout. For a write it matters whether a request could have arrived: only ConnectError says
that it has not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import yarl
from aiohttp.connector import Connection

CHUNK = 64 * 1024


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Plain requests only: no cookies, no redirects, no proxies or netrc, bodies as they come.

    Raises httpx.ConnectError where nothing was sent, httpx.ReadError where the connection or the
    answer broke later. Of httpx's timeouts it knows `connect`; for the whole call, the caller sets
    one around it.
    """

    def __init__(self, *, connections: int) -> None:
        """To be made inside the running event loop; `connections` bounds the pool."""
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=connections, keepalive_timeout=30),
            # aiohttp keeps a jar by default, for host names only: a test against 127.0.0.1 can't
            # see it.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            middlewares=(_once,),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=_connect_timeout(request)),
                skip_auto_headers=("User-Agent", "Content-Type", "Accept-Encoding"),
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as failure:
            raise httpx.ConnectError(type(failure).__name__, request=request) from failure
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            raise httpx.ReadError(type(failure).__name__, request=request) from failure
        return httpx.Response(
            response.status, headers=response.raw_headers, stream=_Body(response), request=request
        )

    async def aclose(self) -> None:
        await self._session.close()


def _connect_timeout(request: httpx.Request) -> float | None:
    timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeouts.get("connect")


class _Connector(aiohttp.TCPConnector):
    """A pool that gives out no connection on which something came that nobody had asked for:
    aiohttp would take it for the answer to the next request, which may be another caller's.
    """

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        while True:
            connection = await super().connect(*args, **kwargs)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """aiohttp sends a GET, PUT or DELETE whose connection was lost again by itself; whether that is
    safe, and how often it is done, is for the caller to say.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # never sent, and never repeated
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as lost:
        raise httpx.ReadError(type(lost).__name__) from lost


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_chunked(CHUNK):
                yield chunk
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            raise httpx.ReadError(type(failure).__name__) from failure

    async def aclose(self) -> None:
        # A body that was read to its end has given its connection back already; any other is
        # closed.
        self._response.close()
