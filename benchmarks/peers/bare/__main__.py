"""The limit: an ASGI app that makes the REST calls of a workload and passes their bytes on.

It has the client, the server and the event loop that ours has, and no GraphQL: what it takes is
what ours can't save. /W2 makes the calls of W2, with the variables that come in the body. Of an
answer it reads only the identifiers that the next calls need.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import uvicorn

from benchmarks.shop import PROJECT, TENANT
from gateway.rest import HttpTransport

make_transport: Callable[[], httpx.AsyncBaseTransport] = lambda: HttpTransport(connections=64)  # noqa: E731

FLOW_RETAIL = f"{os.environ['UPSTREAM']}/tenants/{TENANT}/customer-groups"
COMMERCETOOLS = f"{os.environ['COMMERCETOOLS']}/{PROJECT}"
CHUNK = 500  # customers in one membership edit, as ours sends
LIST_PAGES = 3  # of 100 groups each, where ours finds groups by uid


class _Group(msgspec.Struct, rename={"uid": "customerGroupUid"}):
    uid: str


class _Groups(msgspec.Struct):
    items: list[_Group]


class _CtGroup(msgspec.Struct):
    id: str


class _CtGroups(msgspec.Struct):
    results: list[_CtGroup]


class _Variables(msgspec.Struct):
    uid: str = ""
    group: str = ""
    uids: list[str] = []


class _Request(msgspec.Struct):
    variables: _Variables


read_groups = msgspec.json.Decoder(_Groups).decode
read_ct_groups = msgspec.json.Decoder(_CtGroups).decode
read_request = msgspec.json.Decoder(_Request).decode


class Rest:
    """REST calls with one caller's token."""

    def __init__(self, transport: httpx.AsyncBaseTransport, authorization: str) -> None:
        self._transport = transport
        self._headers = {"Authorization": authorization, "Accept": "application/json"}

    async def call(self, method: str, url: str, content: bytes | None = None) -> bytes:
        request = httpx.Request(method, url, headers=self._headers, content=content)
        response = await self._transport.handle_async_request(request)
        try:
            stream: Any = response.stream
            body = b"".join([chunk async for chunk in stream])
        finally:
            await response.aclose()
        if not response.is_success:
            raise RuntimeError(f"{method} {url}: {response.status_code}")
        return body

    async def groups(self, first: int, page: int = 1) -> bytes:
        return await self.call("GET", f"{FLOW_RETAIL}?pageNumber={page}&pageSize={first}")

    async def members(self, uid: str, first: int) -> bytes:
        return await self.call(
            "GET", f"{FLOW_RETAIL}/{uid}/customers?pageNumber=1&pageSize={first}"
        )


async def listed(rest: Rest, _variables: _Variables) -> list[bytes]:
    return [await rest.groups(50)]


async def nested(rest: Rest, _variables: _Variables) -> list[bytes]:
    groups = await rest.groups(20)
    uids = [group.uid for group in read_groups(groups).items]
    return [groups, *await asyncio.gather(*(rest.members(uid, 20) for uid in uids))]


async def nested_commercetools(rest: Rest, _variables: _Variables) -> list[bytes]:
    groups = await rest.call("GET", f"{COMMERCETOOLS}/customer-groups?limit=21&sort=id+asc")
    ids = [group.id for group in read_ct_groups(groups).results[:20]]
    return [groups, *await asyncio.gather(*(rest.call("GET", _customers(id)) for id in ids))]


def _customers(group: str) -> str:
    where = f'customerGroupAssignments(customerGroup(id="{group}"))'
    query = urlencode({"limit": 21, "sort": "id asc", "where": where})
    return f"{COMMERCETOOLS}/customers?{query}"


async def their_groups(rest: Rest, variables: _Variables) -> list[bytes]:
    found = [await one(rest, variables), [await rest.members(variables.uid, 50)]]
    first = await rest.groups(100)
    rest_of_them = (rest.groups(100, page) for page in range(2, LIST_PAGES + 1))
    return [*found[0], *found[1], first, *await asyncio.gather(*rest_of_them)]


async def one(rest: Rest, variables: _Variables) -> list[bytes]:
    return [await rest.call("GET", f"{FLOW_RETAIL}/{variables.uid}")]


async def everything(rest: Rest, variables: _Variables) -> list[bytes]:
    return [*await one(rest, variables), await rest.members(variables.uid, 100)]


async def edit(rest: Rest, variables: _Variables) -> list[bytes]:
    url = f"{FLOW_RETAIL}/{variables.group}/customers"
    answers = []
    for at in range(0, len(variables.uids), CHUNK):
        body = msgspec.json.encode({"addCustomerUids": variables.uids[at : at + CHUNK]})
        answers.append(await rest.call("PUT", url, body))
    return answers


async def nothing(_rest: Rest, _variables: _Variables) -> list[bytes]:
    return []


WORKLOADS: Mapping[str, Callable[[Rest, _Variables], Awaitable[list[bytes]]]] = {
    "/graphql": nothing,  # asked for to see whether the server is up
    "/W1": listed,
    "/W2": nested,
    "/W2c": nested_commercetools,
    "/W3": their_groups,
    "/W4": one,
    "/W5": everything,
    "/W6": nested,
    "/W7": listed,
    "/W8": edit,
}


class App:
    def __init__(self) -> None:
        self._transport: httpx.AsyncBaseTransport

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._transport = make_transport()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._transport.aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return
        request = read_request(b"".join([part async for part in _body(receive)]))
        authorization = dict(scope["headers"])[b"authorization"].decode()
        rest = Rest(self._transport, authorization)
        parts = await WORKLOADS[scope["path"]](rest, request.variables)
        answer = b"[" + b",".join(parts) + b"]"
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def _body(receive: Any) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


if __name__ == "__main__":
    uvicorn.run(
        App(),
        port=int(os.environ["PORT"]),
        access_log=False,
        ws="none",
        server_header=False,
        log_level="warning",
    )
