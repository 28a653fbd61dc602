"""The production transport: httpx's transport interface over an aiohttp connection pool.

Our own rather than httpx-aiohttp's, because that one reports every lost connection as
ConnectTimeout. For a write it matters whether a request could have arrived: only ConnectError says
that it has not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import httpx
import yarl

CHUNK = 64 * 1024


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Plain requests only: no cookies, no redirects, no proxies or netrc, bodies as they come.

    Raises httpx.ConnectError where nothing was sent, httpx.ReadError where the connection or the
    answer broke later. It has no timeouts of its own; the caller sets one around the whole call.
    """

    def __init__(self, *, connections: int) -> None:
        """To be made inside the running event loop; `connections` bounds the pool."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=30),
            # aiohttp keeps a jar by default, for host names only: a test against 127.0.0.1 can't
            # see it.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
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
