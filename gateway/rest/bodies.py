"""The bodies of answers: decompressed, and of bounded size."""

from __future__ import annotations

import zlib
from typing import cast

import httpx

from gateway.errors import InvalidAnswer


def stream(response: httpx.Response) -> httpx.AsyncByteStream:
    return cast(httpx.AsyncByteStream, response.stream)  # an asynchronous transport's


async def read(response: httpx.Response, limit: int) -> bytes:
    """The body, decompressed, of at most `limit` bytes; raises InvalidAnswer for a longer or a
    broken one.
    """
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise InvalidAnswer("The backend's answer has an encoding that was not asked for.")
    unzip = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    parts: list[bytes] = []
    left = limit
    async for chunk in stream(response):
        try:
            # One byte more than allowed tells a body that is too long from one that just fits.
            part = unzip.decompress(chunk, left + 1) if unzip else chunk
        except zlib.error:
            raise InvalidAnswer("The backend's answer is not valid gzip.") from None
        left -= len(part)
        if left < 0:
            raise InvalidAnswer("The backend's answer is larger than the gateway takes.")
        if unzip and unzip.unused_data:
            raise InvalidAnswer("The backend's answer goes on behind its end.")
        parts.append(part)
    if unzip and not unzip.eof:
        raise InvalidAnswer("The backend's answer is cut off.")
    return parts[0] if len(parts) == 1 else b"".join(parts)
