"""The rate limit in REST calls: its buckets, and operations that are refused."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accepted_tokens import AcceptedTokens
from gateway.errors import RateLimited
from gateway.replicas.client import RedisClient
from gateway.replicas.rate_limit import CAPACITY, FOREVER, Buckets, Rate, RateLimit
from gateway.request import Client
from gateway.settings import RedisSettings
from gateway.settings.effective import warnings
from gateway.telemetry import Event, Meter, OperationDone, RateLimitReached, RedisCall, RedisChanged
from tests.harness import TENANT, TOKEN, Flow, codes, running_gateway, settings
from tests.http.test_disconnects import until
from tests.replicas.redis_server import RedisServer

GROUP = '{ customerGroup(by: {uid: "gold"}) { name } }'
"""One REST call."""
PAGES = "{ customerGroups(first: 2) { nodes { customers(first: 1) { totalCount } } } }"
"""At most three."""


class Model:
    """A bucket as one thinks of it: so many calls, which are refilled bit by bit."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._left = float(rate.burst)
        self._now = 0.0

    def wait(self, seconds: float) -> None:
        self._left = min(self._rate.burst, self._left + seconds * self._rate.per_second)

    def take(self, calls: int) -> bool:
        if self._left < 1:
            return False
        self._left = min(self._rate.burst, self._left - calls)
        return True

    def settle(self, calls: int) -> None:
        self._left = min(self._rate.burst, self._left - calls)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 400)),  # hundredths of a second
        st.tuples(st.just("take"), st.integers(1, 10)),
        st.tuples(st.just("settle"), st.integers(-9, 9)),
    ),
    max_size=60,
)


@given(steps, st.integers(1, 20), st.sampled_from([0.5, 1.0, 4.0]))
def test_a_bucket_holds_what_a_simple_model_holds(steps, burst, per_second):
    """Whatever is taken, put back and waited for."""
    rate = Rate(per_second=per_second, burst=burst, most=1_000)
    clock = [0.0]
    buckets, model = Buckets(rate, lambda: clock[0]), Model(rate)
    for step, number in steps:
        match step:
            case "wait":
                # A quarter off, so that rounding decides nothing.
                clock[0] += (number + 0.25) / 100
                model.wait((number + 0.25) / 100)
            case "take":
                wait = buckets.take({"a": number}, waits=rate.waits)
                assert (wait == 0) == model.take(number)
            case _:
                buckets.take({"a": number}, waits=FOREVER)
                model.settle(number)


@given(st.integers(1, 50), st.sampled_from([0.5, 3.0, 40.0]), st.integers(1, 30))
def test_who_waits_as_long_as_is_said_is_admitted(burst, per_second, calls):
    """And nobody much sooner."""
    rate = Rate(per_second=per_second, burst=burst, most=100)
    clock = [0.0]
    buckets = Buckets(rate, lambda: clock[0])
    while not (wait := buckets.take({"a": calls}, waits=rate.waits)):
        pass

    clock[0] += wait * 0.9
    assert buckets.take({"a": calls}, waits=rate.waits) > 0
    clock[0] += wait * 0.1 + 1e-6
    assert buckets.take({"a": calls}, waits=rate.waits) == 0


def test_what_one_bucket_refuses_is_taken_out_of_none():
    """An operation over two tenants is not half charged."""
    rate = Rate(per_second=1, burst=1, most=100)
    buckets = Buckets(rate, lambda: 0.0)
    buckets.take({"a": 3}, waits=rate.waits)

    assert buckets.take({"a": 1, "b": 1}, waits=rate.waits) > 0
    assert buckets.take({"b": 1}, waits=rate.waits) == 0


def test_buckets_take_little_memory():
    """However many callers there are; those that are full again take none."""
    clock = [0.0]
    buckets = Buckets(Rate(per_second=1, burst=1, most=100), lambda: clock[0])
    for number in range(CAPACITY + 10):
        buckets.take({str(number): 1}, waits=FOREVER)
    assert len(buckets) == CAPACITY

    for number in range(CAPACITY + 10):
        buckets.take({str(number): -1}, waits=FOREVER)
    assert len(buckets) == 0


async def test_an_operation_above_the_rate_is_refused(flow: Flow):
    """As a whole, with the time to wait, and without a REST call; as what it needs none is not."""
    flow.add_group("gold")
    async with running_gateway(settings(flow.url, rate_limit=0.1, rate_limit_burst=2)) as gateway:
        made = [(await gateway.post(GROUP)).status_code for _ in range(2)]
        refused = await gateway.post(GROUP)
        free = await gateway.post("{ __typename }")

    assert made == [200, 200]
    assert len(flow.calls) == 2
    assert refused.status_code == 429
    [error] = refused.json()["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 9 < error["extensions"]["retryAfter"] <= 10
    assert refused.headers["Retry-After"] == "10"
    assert free.json()["data"] == {"__typename": "Query"}
    assert RateLimitReached(by="caller") in gateway.events
    last = [event for event in gateway.events if isinstance(event, OperationDone)][-2]
    assert (last.status, last.error_codes, last.limits) == (429, ("RATE_LIMITED",), ("rate_limit",))
    assert last.outcome == "refused"


async def test_what_an_operation_did_not_use_is_put_back(flow: Flow):
    """Three calls are expected, one is made: there is no group."""
    async with running_gateway(settings(flow.url, rate_limit=0.01, rate_limit_burst=4)) as gateway:
        answered = [(await gateway.post(PAGES)).status_code for _ in range(5)]

    assert answered == [200] * 4 + [429]


async def test_a_large_operation_runs_and_leaves_a_debt(flow: Flow):
    """None is too large to run: who comes next waits for it."""
    uids = flow.add_groups(3)
    query = "{ customerGroups(first: 3) { nodes { customers(first: 1) { totalCount } } } }"
    async with running_gateway(settings(flow.url, rate_limit=0.1, rate_limit_burst=1)) as gateway:
        body = (await gateway.post(query)).json()
        refused = (await gateway.post(GROUP)).json()

    assert len(body["data"]["customerGroups"]["nodes"]) == len(uids)
    assert 35 < refused["errors"][0]["extensions"]["retryAfter"] <= 40


async def test_a_change_is_refused_before_it_begins_or_not_at_all(flow: Flow):
    """Two changes that need more calls than are left."""
    flow.add_group("gold")
    given = 'input: {customerGroup: {uid: "gold"}, name: "Golden"}'
    one = f"updateCustomerGroup({given}) {{ userErrors {{ code }} }}"
    twice = f"mutation {{ a: {one} b: {one} }}"
    async with running_gateway(settings(flow.url, rate_limit=0.1, rate_limit_burst=1)) as gateway:
        made = (await gateway.post(twice)).json()
        refused = (await gateway.post(twice)).json()

    assert made["data"] == {"a": {"userErrors": []}, "b": {"userErrors": []}}
    assert codes(refused) == ["RATE_LIMITED"]
    assert flow.calls == ["PUT customer-groups/gold"] * 2


async def test_each_caller_has_a_bucket(flow: Flow):
    """With an additional token, it stays the same one."""
    flow.add_group("gold")
    flow.store.add_token("token-of-bob", [TENANT])
    async with running_gateway(settings(flow.url, rate_limit=0.1, rate_limit_burst=1)) as gateway:
        assert (await gateway.post(GROUP)).status_code == 200
        assert (await gateway.post(GROUP)).status_code == 429
        assert (await gateway.post(GROUP, token="token-of-bob")).status_code == 200  # noqa: S106


async def test_each_tenant_has_a_bucket(flow: Flow):
    """Whoever asks, and by whichever name: the header's, or a field's."""
    for tenant in (TENANT, "other"):
        flow.add_group("gold", tenant=tenant)
    flow.store.add_token("token-of-bob", [TENANT, "other"])
    named = GROUP.replace("by:", f'tenantUid: "{TENANT}", by:')
    limited = settings(flow.url, rate_limit=0.1, rate_limit_burst=2, rate_limit_by="tenant")
    async with running_gateway(limited) as gateway:
        for token in (TOKEN, "token-of-bob"):  # both are strangers until now
            await gateway.query(GROUP, token=token)
        await gateway.query(GROUP)
        await gateway.query(named, token="token-of-bob", headers={"X-Tenant": "other"})  # noqa: S106
        by_header = await gateway.post(GROUP, token="token-of-bob")  # noqa: S106
        by_field = await gateway.post(named, headers={"X-Tenant": "other"})
        elsewhere = await gateway.post(GROUP, headers={"X-Tenant": "other"})

    refused = [each.status_code for each in (by_header, by_field, elsewhere)]
    assert refused == [429, 429, 200]


async def test_callers_of_one_tenant_take_nothing_from_another(flow: Flow):
    """They may name it, and are refused there by the backend."""
    for tenant in (TENANT, "other"):
        flow.add_group("gold", tenant=tenant)
    flow.store.add_token("token-of-bob", ["other"])
    limited = settings(flow.url, rate_limit=0.1, rate_limit_burst=2, rate_limit_by="tenant")
    async with running_gateway(limited) as gateway:
        await gateway.query(GROUP)
        await gateway.query(GROUP, token="token-of-bob", headers={"X-Tenant": "other"})  # noqa: S106
        named = [(await gateway.post(GROUP, token="token-of-bob")) for _ in range(4)]  # noqa: S106
        known = [(await gateway.post(GROUP)).status_code for _ in range(3)]

    assert [each.status_code for each in named] == [200, 429, 429, 429]
    assert known == [200, 200, 429]


async def test_strangers_take_nothing_from_a_tenant(flow: Flow):
    """They have a bucket of their own there."""
    flow.add_group("gold")
    limited = settings(flow.url, rate_limit=0.1, rate_limit_burst=2, rate_limit_by="tenant")
    async with running_gateway(limited) as gateway:
        await gateway.post(GROUP)  # accepted from now on
        strange = [
            (await gateway.post(GROUP, token=f"strange-{number}")).status_code
            for number in range(4)
        ]
        known = [(await gateway.post(GROUP)).status_code for _ in range(3)]

    assert strange == [200, 429, 429, 429]
    assert known == [200, 200, 429]


def clock(redis: RedisServer) -> float:
    seconds, microseconds = redis.ask("TIME").split()[2::2]
    return int(seconds) + int(microseconds) / 1e6


async def made_calls(limit: RateLimit, seconds: float) -> int:
    """How many calls operations make, one after the other, that are estimated at three."""
    choice = random.Random(7)  # noqa: S311  # no secret
    made, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            charge = await limit.admit(asked_by(TOKEN, planned=3))
        except RateLimited:
            await asyncio.sleep(0.005)
            continue
        assert charge is not None
        await asyncio.sleep(0.001)
        calls = choice.choice([0, 1, 3, 3, 4])  # one was sent again
        charge.settle(calls)
        made += calls
    return made


def asked_by(token: str, *, planned: int) -> Client:
    return Client(
        tokens={"authorization": token},
        token_statuses={"authorization": AcceptedTokens("0123456789abcdef").status(token)},
        request_id="test",
        tenant_uid=TENANT,
        began=0,
        deadline=0,
        meter=Meter(planned=planned),
    )


@pytest.mark.slow
async def test_the_rate_of_several_processes_is_exact(redis: RedisServer):
    """Within 5 % and one operation's calls: the bucket is one, whichever replica is asked. What is
    left in it at the end was not made.
    """
    chosen = settings("", rate_limit=100, rate_limit_burst=100)
    async with AsyncExitStack() as opened:
        limits = []
        for _ in range(3):
            client = RedisClient(redis.url, timeout=5, observe=lambda event: None)
            await opened.enter_async_context(client)
            limits.append(RateLimit(chosen, client, lambda event: None))
        began = clock(redis)
        made = await made_calls(limits[0], 0.001)
        first = clock(redis)
        made += sum(await asyncio.gather(*(made_calls(limit, 3) for limit in limits * 3)))
        await asyncio.sleep(0.2)  # what was not used is put back
        now = clock(redis)
        [bucket] = redis.ask("KEYS", "*").split()[2::2]
        full = float(redis.ask("GET", bucket.decode()).split()[1])

    assert 0.95 * 100 * (full - first) - 4 <= made <= 1.05 * 100 * (full - began) + 4
    assert made <= 1.05 * (100 + 100 * (now - began)) + 4


@pytest.mark.slow
async def test_redis_is_asked_once_before_an_operation(flow: Flow, redis: RedisServer):
    """And not at all for one without calls."""
    flow.add_group("gold")
    limited = settings(flow.url, redis=RedisSettings(url=redis.url, timeout=5), rate_limit=1000)
    async with running_gateway(limited) as gateway:
        await gateway.post(GROUP)
        await gateway.post("{ __typename }")

    used = [event.use for event in gateway.events if isinstance(event, RedisCall)]
    assert used == ["attempt", "rate_limit"]


@pytest.mark.slow
async def test_nothing_in_redis_tells_the_token_or_stays(flow: Flow, redis: RedisServer):
    """A bucket goes when it is full again, as those of strangers do."""
    flow.add_group("gold")
    limited = settings(flow.url, redis=RedisSettings(url=redis.url, timeout=5), rate_limit=2)
    async with running_gateway(limited) as gateway:
        for number in range(5):
            await gateway.post(GROUP, token=f"strange-{number}")
        stored = redis.ask("KEYS", "*")
        assert stored.startswith(b"*5\r\n")
        assert b"strange" not in stored
        until = time.monotonic() + 30
        while redis.ask("DBSIZE") != b":0\r\n":
            assert time.monotonic() < until
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["gibberish", "1e300", "-5", "nan", "inf"])
async def test_a_wrong_entry_locks_nobody_out(flow: Flow, redis: RedisServer, entry: str):
    """A step of the server's clock is like one: at most it counts as the largest debt."""
    flow.add_group("gold")
    limited = settings(
        flow.url,
        redis=RedisSettings(url=redis.url, timeout=5),
        max_rest_calls=1,
        rate_limit=10,
        rate_limit_burst=1,
        rate_limit_by="tenant",
    )
    async with running_gateway(limited) as gateway:
        await gateway.post(GROUP)
        redis.ask("SET", f"gateway:rate:tenant:{TENANT}", entry)
        until = time.monotonic() + 30
        while (response := await gateway.post(GROUP)).status_code == 429:
            assert response.json()["errors"][0]["extensions"]["retryAfter"] <= 1.2
            assert time.monotonic() < until
            await asyncio.sleep(0.05)

    assert response.status_code == 200


@pytest.mark.slow
async def test_without_redis_a_process_goes_on_from_what_it_has_used(redis: RedisServer):
    """A Redis that fails now and then gives nobody a second bucket."""
    chosen = settings("", rate_limit=0.01, rate_limit_burst=5)
    async with RedisClient(redis.url, timeout=5, observe=lambda event: None) as client:
        limit = RateLimit(chosen, client, lambda event: None)
        for _ in range(4):
            charge = await limit.admit(asked_by(TOKEN, planned=3))
            assert charge is not None
            charge.settle(1)
            await asyncio.sleep(0.2)
        redis.kill()
        await limit.admit(asked_by(TOKEN, planned=1))
        with pytest.raises(RateLimited):
            await limit.admit(asked_by(TOKEN, planned=1))


@pytest.mark.slow
async def test_what_could_not_be_put_back_is_when_redis_is_back(redis: RedisServer):
    """Otherwise all operations that were under way would leave what they did not use as a debt."""
    chosen = settings("", rate_limit=0.01, rate_limit_burst=5)
    events: list[Event] = []
    async with RedisClient(redis.url, timeout=0.5, observe=events.append) as client:
        limit = RateLimit(chosen, client, lambda event: None)
        charges = [await limit.admit(asked_by(f"token-{n}", planned=100)) for n in range(5)]
        redis.pause()
        for charge in charges:
            assert charge is not None
            before = len(events)
            charge.settle(1)
            await until(lambda: len(events) > before, seconds=60)  # noqa: B023  # it is awaited
        assert RedisCall(use="rate_limit", result="skipped") in events
        redis.resume()
        await until(lambda: RedisChanged(state="back") in events, seconds=60)
        with pytest.raises(RateLimited):
            await limit.admit(asked_by("token-4", planned=1))

        await until(lambda: longest_debt(redis) <= 100, seconds=10)


def longest_debt(redis: RedisServer) -> float:
    """In seconds."""
    keys = [key.decode() for key in redis.ask("KEYS", "*").split()[2::2]]
    return max(float(redis.ask("GET", key).split()[1]) for key in keys) - clock(redis)


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ({}, True),
        ({"fingerprint_key": "0123456789abcdef"}, False),
        ({"rate_limit_by": "tenant"}, False),
        ({"rate_limit": None}, False),
        ({"redis": RedisSettings()}, False),
    ],
)
def test_replicas_without_a_common_key_are_warned_of(more: Mapping[str, Any], warned: bool):
    """Each would have made up one of its own, and know no caller of the others."""
    chosen = settings(
        "http://h/v2", **{"redis": RedisSettings(url="redis://h"), "rate_limit": 1.0, **more}
    )

    found = [warning for warning in warnings(chosen) if "fingerprint_key" in warning]
    assert bool(found) is warned
