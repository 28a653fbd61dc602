"""A client of the gateway with little work of its own: HTTP/1.1 over a few kept connections."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from chaos.oracle import Response


class Unanswered(Exception):
    """The gateway closed the connection, or said nothing for long."""


class Client:
    """Takes connections as they are needed, and keeps them."""

    def __init__(self, port: int, *, path: str = "/graphql") -> None:
        self._port = port
        self._path = path
        self._kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(
        self,
        text: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None,
        tenant: str | None = None,
        headers: Mapping[str, str] | None = None,
        within: float = 60.0,
    ) -> Response:
        """One operation; raises Unanswered."""
        body = json.dumps({"query": text, "variables": variables or {}}).encode()
        return await self.post(body, _headers(token, tenant, headers), within=within)

    def request(self, text: str, *, token: str, tenant: str) -> bytes:
        """One operation, as it is sent."""
        return self._request(json.dumps({"query": text}).encode(), _headers(token, tenant, None))

    def _request(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        lines = [f"POST {self._path} HTTP/1.1", "Host: gateway", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body

    async def post(
        self, body: bytes, headers: Mapping[str, str], *, within: float = 60.0
    ) -> Response:
        request = self._request(body, headers)
        began = time.perf_counter()
        kept = bool(self._kept)
        connection = self._kept.pop() if kept else await self._open()
        try:
            async with asyncio.timeout(within):
                try:
                    response, keep = await exchange(*connection, request, began)
                except (ConnectionError, asyncio.IncompleteReadError):
                    if not kept:
                        raise
                    connection[1].close()  # closed as idle, which is no answer to a request
                    connection = await self._open()
                    response, keep = await exchange(*connection, request, began)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError) as failure:
            connection[1].close()
            raise Unanswered(type(failure).__name__) from None
        except BaseException:
            connection[1].close()
            raise
        if keep:
            self._kept.append(connection)
        else:
            connection[1].close()
        return response

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        except OSError as failure:
            raise Unanswered(type(failure).__name__) from None

    def close(self) -> None:
        for _, writer in self._kept:
            writer.close()
        self._kept.clear()


def _headers(
    token: str | None, tenant: str | None, more: Mapping[str, str] | None
) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json", **(more or {})}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if tenant is not None:
        headers["X-Tenant"] = tenant
    return headers


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, began: float
) -> tuple[Response, bool]:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in head[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    status = int(head[0].split(" ")[1])
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    keep = headers.get("connection", "").lower() != "close"
    return Response(status, headers, body, time.perf_counter() - began), keep
