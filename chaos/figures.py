"""What attacks and outages do to a checkout of the gateway; all of it stays on this machine.

`make figures args="--of DIR"` measures another checkout, so that a change can be told by what was
before it. Each figure has a fresh process, with the settings that it has by default.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from chaos.client import Client, Unanswered
from chaos.gateway import Process
from chaos.harness import HERE
from chaos.upstream import Answer, Api, Case, Exchange, Request
from chaos.worlds import FlowRetailWorld
from gateway.simulator.flow_retail.store import Store

GOOD: Final = "good-token"
UIDS: Final = tuple(f"g{number:03}" for number in range(7_000))
WAITS: Final = 20.0
Say = Callable[[str, str, str], None]


class Shop:
    """A Flow Retail that is in memory, and quick; whatever tenant is asked for has the same data.

    `misbehave` says of each request what goes wrong with it, if anything: it answers it, and
    returns True.
    """

    def __init__(self, groups: int = 240) -> None:
        self.groups = UIDS[:groups]
        self.requests = 0
        self._answers: dict[str, bytes] = {}
        """By the target of a request, so that the shop takes next to nothing of the machine."""
        self.latency: Callable[[], float] = lambda: 0.0
        self.misbehave: Callable[[Exchange], Awaitable[bool]] = _well
        self.accepts: Callable[[str], bool] = lambda _token: True

    def arrived(self, exchange: Exchange) -> None:
        self.requests += 1

    async def answer(self, exchange: Exchange) -> None:
        if wait := self.latency():
            await asyncio.sleep(wait)
        if await self.misbehave(exchange):
            return
        token = exchange.request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self.accepts(token):
            await exchange.send(Answer(401))
            return
        target = exchange.request.target
        if target not in self._answers:
            found = self._read(exchange.request)
            answer = Answer(404) if found is None else Answer(200, body=_json(found))
            self._answers[target] = answer.whole()
        await exchange.write(self._answers[target])

    def _read(self, request: Request) -> Any:
        url = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        rest = url.path.split("/customer-groups", 1)[1].strip("/")
        if not rest:
            return _page(self.groups, query, _group)
        uid, _, below = rest.partition("/")
        if uid not in UIDS:
            return None
        return _page(self._members(uid), query, _itself) if below else _group(uid)

    def _members(self, uid: str) -> list[Any]:
        """Twenty customers, each in this group and three others of the whole list."""
        choice = random.Random(uid)  # noqa: S311  # no secret
        return [
            {
                "customerUid": f"c{uid}-{number}",
                "displayName": f"Customer {number} of {uid}",
                "customerGroupUids": [uid, *choice.sample(self.groups, min(3, len(self.groups)))],
            }
            for number in range(20)
        ]


async def _well(_exchange: Exchange) -> bool:
    return False


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _group(uid: str) -> Any:
    return {"customerGroupUid": uid, "name": f"Group {uid}", "createdAt": "2025-07-30T18:10:06Z"}


def _itself(row: Any) -> Any:
    return row


def _page(rows: Sequence[Any], query: Mapping[str, str], shown: Callable[[Any], Any]) -> Any:
    number, size = int(query.get("pageNumber", 1)), min(int(query.get("pageSize", 20)), 100)
    start = (number - 1) * size
    paging = {"pageNumber": number, "pageSize": size, "totalCount": len(rows)}
    return {"items": list(map(shown, rows[start : start + size])), "paging": paging}


class _Everybody(dict[str, Case]):
    """One case for all tenants."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self._case = case

    def get(self, _tenant: str, _default: Any = None) -> Any:
        return self._case


class Scene:
    """A gateway in front of a shop."""

    def __init__(self, shop: Shop, process: Process) -> None:
        self.shop = shop
        self.process = process

    def client(self) -> Client:
        return Client(self.process.port)


@asynccontextmanager
async def scene(
    checkout: Path, *, groups: int = 240, files: int | None = None
) -> AsyncIterator[Scene]:
    shop = Shop(groups)
    with tempfile.TemporaryDirectory(prefix="figures-") as name:
        directory = Path(name)
        async with upstream(shop, directory) as settings:
            process = Process(checkout, directory, settings, files=files)
            try:
                await process.ready()
                yield Scene(shop, process)
            finally:
                process.stop()


@asynccontextmanager
async def upstream(shop: Shop, directory: Path) -> AsyncIterator[Mapping[str, str]]:
    """The shop behind a port; the settings of a gateway in front of it."""
    with Store() as unused:
        tenant = re.compile("/v2/tenants/([^/]+)/")
        api = Api("flow_retail", _no_app, FlowRetailWorld(unused), tenant, prefix="/v2")
        api.cases = _Everybody(shop)
        async with api.served():
            yield {
                "GATEWAY_FLOW_RETAIL_URL": api.url,
                "GATEWAY_PROFILE": "development",
                "GATEWAY_CONFIG": str(_empty(directory)),
            }


def _empty(directory: Path) -> Path:
    """A file of settings with none, so that none is found beside the checkout."""
    path = directory / "gateway.toml"
    path.write_text("")
    return path


async def _no_app(_scope: Any, _receive: Any, _send: Any) -> None:
    raise NotImplementedError


LIGHT: Final = '{ customerGroup(by: {uid: "g001"}) { uid name } }'


async def _light(client: Client, tenant: str, token: str = GOOD) -> tuple[float, bool]:
    """Seconds that an operation of one REST call took, and whether it was answered in full."""
    began = time.perf_counter()
    try:
        response = await client.ask(LIGHT, token=token, tenant=tenant, within=WAITS)
    except Unanswered:
        return time.perf_counter() - began, False
    right = json.loads(response.body).get("data") == {
        "customerGroup": {"uid": "g001", "name": "Group g001"}
    }
    return response.seconds, right


async def _measured(
    client: Client, tenant: str, *, seconds: float, every: float
) -> list[tuple[float, bool]]:
    """A light operation again and again, each begun when the one before is answered, and no
    sooner than `every` seconds after it began.
    """
    found = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        found.append(await _light(client, tenant))
        await asyncio.sleep(max(0.0, every - (time.monotonic() - began)))
    return found


def _quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


@asynccontextmanager
async def _beside(*work: Awaitable[None]) -> AsyncIterator[None]:
    """Work that is under way until the block ends."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _again(client: Client, text: str, tenant: str, token: str, variables: Any = None) -> None:
    """The same operation for ever."""
    while True:
        with suppress(Unanswered):
            await client.ask(text, variables, token=token, tenant=tenant, within=WAITS)
        await asyncio.sleep(0.01)


async def _hang_if_ill(exchange: Exchange) -> bool:
    if exchange.tenant.startswith("ill"):
        await exchange.hang()
    return False


# -- hung neighbours


async def hung_neighbours(checkout: Path, say: Say) -> None:
    for label, tenants in (("of one tenant", 1), ("of 200 tenants", 200)):
        async with scene(checkout) as stage:
            stage.shop.misbehave = _hang_if_ill
            client, healthy = stage.client(), stage.client()
            await _measured(healthy, "well", seconds=1, every=0.02)
            hanging = [
                _again(client, LIGHT, f"ill{number % tenants}", f"token-{number}")
                for number in range(200)
            ]
            async with _beside(*hanging):
                await asyncio.sleep(1)
                found = await _measured(healthy, "well", seconds=12, every=0.02)
            _say_waits(say, f"200 operations hang, {label}", found)


def _say_waits(say: Say, what: str, found: Sequence[tuple[float, bool]]) -> None:
    waits = [seconds for seconds, _ in found]
    failed = sum(not right for _, right in found)
    say("hung neighbours", f"{what}: p99 of a healthy caller", _ms(_quantile(waits, 0.99)))
    say("hung neighbours", f"{what}: its failures", f"{failed} of {len(found)}")


async def _hang_look_ups(exchange: Exchange) -> bool:
    """Lists are answered, so that it is known that looking up one by one is cheaper."""
    if not exchange.request.path.endswith("/customer-groups"):
        return await _hang_if_ill(exchange)
    return False


def _ids(tenant: str, count: int, *, step: int = 1) -> Any:
    texts = [f"CustomerGroup:{tenant}:{uid}" for uid in UIDS[::step][:count]]
    return {"ids": [urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in texts]}


async def two_hanging_operations(checkout: Path, say: Say) -> None:
    async with scene(checkout, groups=len(UIDS)) as stage:
        stage.shop.misbehave = _hang_look_ups
        client, healthy = stage.client(), stage.client()
        await _measured(healthy, "well", seconds=1, every=0.02)
        hanging = [
            _again(client, GROUPS, "ill", f"token-{n}", _ids("ill", 60, step=110)) for n in range(2)
        ]
        async with _beside(*hanging):
            await asyncio.sleep(0.5)
            found = await _measured(healthy, "well", seconds=8, every=0.02)
        longest = max(seconds for seconds, _ in found)
        say(
            "hung neighbours",
            "2 operations of 60 look-ups hang: another's longest wait",
            _ms(longest),
        )


HEAVY: Final = (
    "{ customerGroups(first: 90) { nodes { uid customers(first: 1) { nodes { uid } } } } }"
)


async def light_beside_heavy(checkout: Path, say: Say) -> None:
    async with scene(checkout) as stage:
        stage.shop.latency = lambda: 0.02
        client, light = stage.client(), stage.client()
        await _measured(light, "shop", seconds=1, every=0.02)
        alone = await _measured(light, "shop", seconds=4, every=0.02)
        heavy = [_again(client, HEAVY, "shop", f"token-{number}") for number in range(20)]
        async with _beside(*heavy):
            await asyncio.sleep(1)
            beside = await _measured(light, "shop", seconds=10, every=0.02)
        first = statistics.median(seconds for seconds, _ in alone)
        then = statistics.median(seconds for seconds, _ in beside)
        last = _quantile([seconds for seconds, _ in beside], 0.99)
        what = "light caller beside 20 operations of 91 calls"
        say("hung neighbours", f"{what}: median alone, beside", f"{_ms(first)}, {_ms(then)}")
        say("hung neighbours", f"{what}: times as long", f"{then / first:.1f} (p99 {_ms(last)})")


# -- amplification


GROUPS: Final = "query Q($ids: [ID!]!) { nodes(ids: $ids) { ... on CustomerGroup { uid name } } }"


def _status(code: int, *, first: int | None = None, lists_only: bool = False) -> Any:
    left = [first]

    async def misbehave(exchange: Exchange) -> bool:
        if lists_only and not exchange.request.path.endswith("/customer-groups"):
            return False
        if left[0] is not None:
            if not left[0]:
                return False
            left[0] -= 1
        await exchange.send(Answer(code))
        return True

    return misbehave


async def _reset(exchange: Exchange) -> bool:
    exchange.reset()
    return True


async def _hang_lists(exchange: Exchange) -> bool:
    if exchange.request.path.endswith("/customer-groups"):
        await exchange.hang()
    return False


async def amplification(checkout: Path, say: Say) -> None:
    cases: Sequence[tuple[str, int, Any]] = (
        ("60 groups, all well", 60, _well),
        ("60 groups, one 500", 60, _status(500, first=1)),
        ("60 groups, 503 that lasts", 60, _status(503)),
        ("60 groups, lost connections", 60, _reset),
        ("60 groups, their list hangs", 60, _hang_lists),
        ("99 groups, 503 that lasts", 99, _status(503)),
    )
    for what, count, misbehave in cases:
        # The whole list fits on one page, so that all well costs one call.
        async with scene(checkout, groups=100) as stage:
            client = stage.client()
            stage.shop.misbehave = misbehave
            with suppress(Unanswered):
                await client.ask(
                    GROUPS, _ids("shop", count), token=GOOD, tenant="shop", within=WAITS
                )
            say("amplification", f"{what}: requests to the upstream", str(stage.shop.requests))
    for what, share, callers in (("50 % are 503", 0.5, 8), ("all are 503", 1.0, 8)):
        async with scene(checkout) as stage:
            choice = random.Random(7)  # noqa: S311  # no secret

            async def brown(exchange: Exchange, share: float = share, choice: Any = choice) -> bool:
                if choice.random() >= share:
                    return False
                await exchange.send(Answer(503))
                return True

            client = stage.client()
            for number in range(20):
                await _light(client, "shop", f"token-{number}")
            stage.shop.misbehave, stage.shop.requests = brown, 0
            asked = 0

            async def ask(number: int, client: Client = client) -> None:
                nonlocal asked
                for _ in range(50):
                    await _light(client, "shop", f"token-{number}")
                    asked += 1
                    await asyncio.sleep(0.02)

            await asyncio.gather(*(ask(number) for number in range(callers)))
            ratio = stage.shop.requests / asked
            say("amplification", f"{what}: requests an operation of one call", f"{ratio:.2f}")


# -- connections


async def silent_connections(checkout: Path, say: Say) -> None:
    async with scene(checkout, files=256) as stage:
        client = stage.client()
        await _light(client, "shop")
        client.close()
        silent = []
        for _ in range(300):
            with suppress(OSError):
                async with asyncio.timeout(2):
                    silent.append(await asyncio.open_connection("127.0.0.1", stage.process.port))
        answered = []
        for _ in range(20):
            another = stage.client()
            answered.append(await _light(another, "shop"))
            another.close()
            await asyncio.sleep(0.5)
        for _, writer in silent:
            writer.close()
        right = sum(right for _, right in answered)
        say(
            "silent connections",
            "300 beside 256 descriptors: another is answered",
            f"{right} of 20",
        )


async def header_bomb(checkout: Path, say: Say, *, most: int = 100_000_000) -> None:
    async with scene(checkout) as stage:
        client = stage.client()
        await _light(client, "shop")
        before = stage.process.memory()
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.process.port)
        sent, peak, answer = 0, before, b""
        writer.write(b"POST /graphql HTTP/1.1\r\nHost: gateway\r\n")
        header = b"X-Bomb: " + b"b" * 8_000 + b"\r\n"
        answered = asyncio.ensure_future(reader.read(100))
        with suppress(ConnectionError, TimeoutError):
            while sent < most and not answered.done():
                writer.write(header * 16)
                sent += len(header) * 16
                async with asyncio.timeout(10):
                    await writer.drain()
                peak = max(peak, stage.process.memory())
                await asyncio.sleep(0)
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(2):
                answer = await answered
        writer.close()
        status = answer.split(b" ")[1].decode() if answer.startswith(b"HTTP") else "none"
        say("header bomb", "taken on one connection", f"{sent / 1e6:.1f} MB of {most / 1e6:.0f}")
        say("header bomb", "memory grew by, at most", f"{peak - before:.0f} MB, status {status}")


BOMB: Final = """query B($r: [_Any!]!) { _entities(representations: $r) { ... on Tenant { %s } } }
fragment F on CustomerGroupBackend { %s: kind }"""


async def answer_bomb(checkout: Path, say: Say) -> None:
    async with scene(checkout) as stage:
        client = stage.client()
        await _light(client, "shop")
        before = peak = stage.process.memory()
        aliases = " ".join(f"a{number}: backend {{ ...F }}" for number in range(50))
        text = BOMB % (aliases, "z" * 10_000)
        tenants = [{"__typename": "Tenant", "uid": f"t{number}"} for number in range(1_000)]
        body = json.dumps({"query": text, "variables": {"r": tenants}}).encode()
        head = (
            b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.process.port)
        writer.write(head + body)
        ends = time.monotonic() + 12
        first = b""
        while time.monotonic() < ends and stage.process.running:
            peak = max(peak, stage.process.memory())
            if not first:
                with suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(0.02):
                        first = await reader.read(400)
            else:
                await asyncio.sleep(0.05)
        writer.close()
        told = re.search(rb'"code":"([A-Z_]+)"', first)
        code = told[1].decode() if told else "an answer"
        say("answer bomb", "49 kB of request: memory grew by, at most", f"{peak - before:.0f} MB")
        say("answer bomb", "what is answered", code)


# -- strangers


def _near_the_limits(salt: str) -> str:
    """A document of some 960 tokens that nobody has sent before."""
    fields = "uid name key createdAt createdBy lastModifiedAt lastModifiedBy revision tenantUid id"
    roots = [
        f"{salt}x{n}: customerGroups(first: {n + 1}) {{ edges {{ cursor node {{ {fields} }} }} "
        f"nodes {{ {fields} }} }}"
        for n in range(24)
    ]
    return "{ " + " ".join(roots) + " }"


TENANTS: Final = (
    "query T($r: [_Any!]!) { _entities(representations: $r) { ... on Tenant { "
    + " ".join(f"a{number}: backend {{ ...F }}" for number in range(40))
    + " } } } fragment F on CustomerGroupBackend { kind }"
)
FIVE_HUNDRED: Final = {"r": [{"__typename": "Tenant", "uid": f"t{n}"} for n in range(500)]}


async def strangers(checkout: Path, say: Say) -> None:
    async with scene(checkout, groups=30) as stage:
        stage.shop.accepts = lambda token: token == GOOD
        legitimate, stranger = stage.client(), stage.client()
        await _measured(legitimate, "shop", seconds=2, every=0.01)
        idle = await _measured(legitimate, "shop", seconds=5, every=0.01)
        say("strangers' load", "p50 of a legitimate client, idle", _p50(idle))
        choice = random.Random(3)  # noqa: S311  # no secret
        for label in (
            "84 new documents a second without a token",
            "84 new documents a second with random tokens",
            "84 requests a second for 500 tenants under 40 names, with random tokens",
        ):

            async def send(label: str = label) -> None:
                token = None if "without" in label else f"{choice.getrandbits(96):024x}"
                known = "tenants" in label
                text = TENANTS if known else _near_the_limits(f"q{choice.getrandbits(40):x}")
                variables = FIVE_HUNDRED if known else None
                with suppress(Unanswered):
                    await stranger.ask(text, variables, token=token, tenant="shop", within=WAITS)

            async def load(send: Callable[[], Awaitable[None]] = send) -> None:
                began, sent = time.monotonic(), 0
                async with asyncio.TaskGroup() as group:
                    while True:
                        if sent < 84 * (time.monotonic() - began):
                            group.create_task(send())  # type: ignore[arg-type]
                            sent += 1
                        else:
                            await asyncio.sleep(0.003)

            async with _beside(load()):
                await asyncio.sleep(1)
                found = await _measured(legitimate, "shop", seconds=8, every=0.01)
            failed = sum(not right for _, right in found)
            last = _ms(_quantile([seconds for seconds, _ in found], 0.99))
            value = f"{_p50(found)} (p99 {last}), {failed} of {len(found)} failed"
            say("strangers' load", f"{label}: p50", value)
            await asyncio.sleep(3)


def _p50(found: Sequence[tuple[float, bool]]) -> str:
    return f"{statistics.median(seconds for seconds, _ in found) * 1000:.1f} ms"


# -- a crowd


CUSTOMERS: Final = """{ customerGroups(first: 20) { nodes { uid name customers(first: 20) { nodes {
  uid displayName firstname lastname email } } } } }"""


async def crowd(checkout: Path, say: Say, *, clients: int = 2_000, seconds: float = 8) -> None:
    for label, text in (("one group", LIGHT), ("20 groups with their customers", CUSTOMERS)):
        for pause in (1.0, 0.0):
            async with scene(checkout) as stage:
                client = stage.client()
                await client.ask(text, token=GOOD, tenant="shop", within=WAITS)
                await client.ask(text, token=GOOD, tenant="shop", within=WAITS)
                sending = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "chaos.crowd"),
                    *map(str, (stage.process.port, clients, seconds, pause)),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    cwd=HERE,
                )
                asked = client.request(text, token=GOOD, tenant="shop")
                answered = asyncio.ensure_future(sending.communicate(asked))
                probes = []
                while not answered.done():
                    probes.append(asyncio.ensure_future(_healthy(stage.process)))
                    await asyncio.sleep(0.05)
                waits = await asyncio.gather(*probes)
                told, _ = await answered
                longest, most = max(wait for wait, _ in waits), max(cpu for _, cpu in waits)
                what = f"{label}, again {'after a second' if pause else 'at once'} after 503"
                value = f"{_ms(longest)}, of which it worked {_ms(most)}"
                say("2,000 clients", f"{what}: longest wait for `/health`", value)
                say("2,000 clients", f"{what}: answers", told.decode().strip())


async def _healthy(process: Process) -> tuple[float, float]:
    """Seconds until /health is answered on a new connection, and of the gateway's processor time
    meanwhile.
    """
    began, worked = time.perf_counter(), process.worked()
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
    await reader.readuntil(b'"status":"ok"')
    writer.close()
    return time.perf_counter() - began, process.worked() - worked


# -- REST calls


NESTED: Final = """{ customerGroups(first: 20) { nodes { uid customers(first: 20) { nodes {
  uid customerGroups { uid name } } } } } }"""
NESTED_NODES: Final = """query Q($ids: [ID!]!) { nodes(ids: $ids) { ... on CustomerGroup {
  uid customers(first: 20) { nodes { uid customerGroups { uid name } } } } } }"""


NESTED_TWICE: Final = """{
  a: customerGroups(first: 10) { nodes {
    customers(first: 20) { nodes { customerGroups { name } } } } }
  b: customerGroups(offset: 110, first: 10) { nodes {
    customers(first: 20) { nodes { customerGroups { name } } } } } }"""


async def rest_calls(checkout: Path, say: Say) -> None:
    for what, text in (
        ("20 groups", NESTED),
        ("20 groups by id", NESTED_NODES),
        ("10 and 10 groups", NESTED_TWICE),
    ):
        variables = _ids("shop", 20) if text is NESTED_NODES else None
        async with scene(checkout) as stage:
            client = stage.client()
            counts = []
            for seed in range(20):
                choice = random.Random(seed)  # noqa: S311  # no secret
                stage.shop.latency = lambda choice=choice: choice.uniform(0.005, 0.06)  # type: ignore[misc]
                before = stage.shop.requests
                await client.ask(text, variables, token=GOOD, tenant="shop", within=WAITS)
                counts.append(stage.shop.requests - before)
            spread = f"{min(counts)}, {statistics.median(counts):.0f}, {max(counts)}"
            label = f"{what}, 20 customers of each, their groups; answers take 5 to 60 ms"
            say("REST calls", f"{label}: least, median, most", spread)


FIGURES: Final[Mapping[str, Callable[[Path, Say], Awaitable[None]]]] = {
    "neighbours": hung_neighbours,
    "look-ups": two_hanging_operations,
    "heavy": light_beside_heavy,
    "amplification": amplification,
    "silent": silent_connections,
    "headers": header_bomb,
    "answers": answer_bomb,
    "strangers": strangers,
    "crowd": crowd,
    "calls": rest_calls,
}


async def _run(checkout: Path, names: Sequence[str]) -> None:
    print(f"| | {checkout.name} |\n|---|---|", flush=True)

    def say(subject: str, what: str, value: str) -> None:
        print(f"| {subject}: {what} | {value} |", flush=True)

    for name in names:
        await FIGURES[name](checkout, say)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make figures", description=__doc__)
    parser.add_argument("--of", type=Path, default=HERE, metavar="DIR", help="default: this one")
    parser.add_argument("names", nargs="*", metavar="FIGURE", help=", ".join(FIGURES))
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in FIGURES]
    if unknown:
        parser.error(f"there is no figure {unknown[0]}")
    asyncio.run(_run(chosen.of.resolve(), chosen.names or list(FIGURES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
