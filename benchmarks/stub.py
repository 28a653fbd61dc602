"""The REST APIs behind every peer: answers made ahead, found by the bytes of a request.

It serves what the workloads need and nothing else; the simulators are for what an API really does.
It lives in the load generator's event loop, so that both take one core and the counters are at
hand.
"""

from __future__ import annotations

import asyncio
import json
import re
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from benchmarks.shop import PROJECT, TENANT, Json, Shop

TOKEN = "bench-token"  # noqa: S105  # made up, for data that is made up
FLOW_RETAIL = "/v2"
COMMERCETOOLS = "/commercetools"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_AUTHORIZED = f"earer {TOKEN}\r\n".encode()
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Stub:
    """Counts the REST calls; can take its time for each."""

    def __init__(self, shop: Shop) -> None:
        self.calls = 0
        self.latency = 0.0
        """Seconds that each answer is late."""
        self.journal: list[str] | None = None
        """Every call, while it is a list."""
        self._shop = shop
        self._answers: dict[bytes, bytes] = {}
        self._flow_groups = f"{FLOW_RETAIL}/tenants/{TENANT}/customer-groups"
        self._ct_groups = f"{COMMERCETOOLS}/{PROJECT}/customer-groups"
        self._ct_customers = f"{COMMERCETOOLS}/{PROJECT}/customers"
        self._by_uid = {group["customerGroupUid"]: group for group in shop.groups}

    async def serve(self) -> str:
        """Listen on a free port; its base URL, without a path."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(partial(_Connection, self), "127.0.0.1", 0, backlog=1024)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def answer(self, line: bytes, head: bytes, body: bytes) -> bytes:
        """The whole response to the request with this first line."""
        self.calls += 1
        if self.journal is not None:
            self.journal.append(_journalled(line))
        if _AUTHORIZED not in head:
            return _UNAUTHORIZED
        found = self._answers.get(line)
        if found is None:
            method, target, _ = line.decode().split(" ")
            found = self._edit(body) if method == "PUT" else _response(self._read(target))
            if method == "GET":
                self._answers[line] = found
        return found

    def _edit(self, body: bytes) -> bytes:
        """A membership edit of at most 500 customers, which is as much as ours sends."""
        edit = json.loads(body)
        uids = [*edit.get("addCustomerUids", ()), *edit.get("removeCustomerUids", ())]
        return _NO_CONTENT if 0 < len(uids) <= 500 else _NOT_FOUND

    def _read(self, target: str) -> Json | None:
        url = urlsplit(target)
        query = dict(parse_qsl(url.query))
        if url.path == self._ct_groups:
            return _offset_page(self._shop.ct_groups, query)
        if url.path == self._ct_customers:
            group = re.search(r'customerGroup\(id="([^"]+)"\)', query.get("where", ""))
            members = self._shop.ct_members.get(group[1], []) if group else []
            return _offset_page(members, query)
        if url.path == self._flow_groups:
            return _numbered_page(self._shop.groups, query)
        uid, _, rest = url.path.removeprefix(self._flow_groups + "/").partition("/")
        if uid not in self._by_uid:
            return None
        if rest == "customers":
            return _numbered_page(self._shop.members.get(uid, []), query)
        return self._by_uid[uid]


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, for clients that send a Content-Length with every body."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no asyncio.Transport, but have all of one.
        self._transport: Any = transport
        self._write = self._transport.write

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            end += 4
            head, stop = buffer[:end], end
            if not buffer.startswith(b"GET"):
                found = _LENGTH.search(head)
                stop += int(found[1]) if found else 0
                if len(buffer) < stop:
                    break
            line = head[: head.find(b"\r\n")]
            answer = self._stub.answer(line, head, buffer[end:stop])
            buffer = buffer[stop:]
            if self._stub.latency:
                asyncio.get_running_loop().call_later(self._stub.latency, self._late, answer)
            else:
                self._write(answer)
        self._buffer = buffer

    def _late(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._write(answer)


def _response(value: Json | None) -> bytes:
    if value is None:
        return _NOT_FOUND
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
        b"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def _numbered_page(rows: list[Json], query: dict[str, str]) -> Json:
    number, size = int(query.get("pageNumber", 1)), min(int(query.get("pageSize", 20)), 100)
    start = (number - 1) * size
    paging = {"pageNumber": number, "pageSize": size, "totalCount": len(rows)}
    return {"items": rows[start : start + size], "paging": paging}


def _offset_page(rows: list[Json], query: dict[str, str]) -> Json:
    offset, limit = int(query.get("offset", 0)), min(int(query.get("limit", 20)), 500)
    found = rows[offset : offset + limit]
    page = {"limit": limit, "offset": offset, "count": len(found)}
    return {**page, "total": len(rows), "results": found}


def _journalled(line: bytes) -> str:
    """Method, path and query, the latter in alphabetical order: clients differ in that."""
    method, target, _ = line.decode().split(" ")
    url = urlsplit(target)
    return f"{method} {url.path}?{sorted(parse_qsl(url.query))}"
