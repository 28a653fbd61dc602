"""Reads the bodies of answers: decompresses them, and bounds their size."""

from __future__ import annotations

import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any, Final, cast

import httpx

from gateway.errors import GatewayError, InvalidAnswer, Unavailable
from gateway.rest._statuses import Again

PLAIN: Final = frozenset({"", "identity"})
GZIP: Final = frozenset({"gzip", "x-gzip"})
"""Two names of one coding (RFC 9110, 8.4.1.3)."""
MAX_MEMBERS: Final = 1_000
"""Of a gzip body. Some compressors begin one every 64 kB; each costs a few microseconds."""

PIECE: Final = 65_536
"""Bytes that are decompressed at once."""


def stream(response: httpx.Response) -> httpx.AsyncByteStream:
    return cast(httpx.AsyncByteStream, response.stream)  # an asynchronous transport's


async def read(response: httpx.Response, limit: int) -> tuple[bytes, GatewayError | Again | None]:
    """The decompressed body without its byte order mark; or b"" and the reason, if it is broken or
    longer than `limit` bytes.

    The reason is not raised, because the status counts even if the body can't be read.
    """
    codings = response.headers.get("Content-Encoding")
    parts: list[bytes] = []
    left = limit
    try:
        unzip = None if codings is None else _decompressor(codings)
        async for chunk in stream(response):
            if unzip is None:
                left -= len(chunk)
                parts.append(chunk)
            else:
                for part in unzip.decompressed(chunk, left):
                    left -= len(part)
                    parts.append(part)
            if left < 0:
                raise InvalidAnswer("The backend's answer is larger than the gateway takes.")
        if unzip is not None and not unzip.complete:
            raise InvalidAnswer("The backend's answer is cut off.")
    except InvalidAnswer as unusable:
        return b"", unusable
    except httpx.TransportError:
        return b"", Again(Unavailable("The connection to the backend was lost."))
    content = parts[0] if len(parts) == 1 else b"".join(parts)
    return content.removeprefix(BOM_UTF8), None


def _decompressor(codings: str) -> _Gunzip | None:
    """A decompressor for these codings, None if there are none. Raises InvalidAnswer for codings
    that the request did not accept.
    """
    applied = [name for each in codings.split(",") if (name := each.strip().lower()) not in PLAIN]
    if not applied:
        return None
    if len(applied) == 1 and applied[0] in GZIP:
        return _Gunzip()
    raise InvalidAnswer("The backend's answer has an encoding that was not asked for.")


class _Gunzip:
    """Decompresses gzip with any number of members. There may be none, because some proxies and
    caches announce gzip for an empty body.
    """

    def __init__(self) -> None:
        self._members = 0
        self._member: Any = None

    @property
    def complete(self) -> bool:
        """Whether the body may end here."""
        return self._member is None or self._member.eof

    def decompressed(self, chunk: bytes, allowed: int) -> Iterator[bytes]:
        """The chunk's content in parts; stops when there are more than `allowed` bytes. Raises
        InvalidAnswer.
        """
        for start in range(0, len(chunk), PIECE):
            # zlib copies all that follows a member, so it gets a piece at a time, not megabytes.
            piece = chunk[start : start + PIECE]
            while piece and allowed >= 0:
                if self.complete:
                    self._members += 1
                    if self._members > MAX_MEMBERS:
                        raise InvalidAnswer("The backend's answer has too many parts.")
                    self._member = zlib.decompressobj(wbits=31)
                try:
                    # One byte more than allowed shows that a body is too long.
                    part = self._member.decompress(piece, allowed + 1)
                except zlib.error:
                    raise InvalidAnswer("The backend's answer is not valid gzip.") from None
                allowed -= len(part)
                yield part
                piece = self._member.unused_data
