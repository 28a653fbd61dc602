"""Faults, called in the process: what a client sees of each, and whom they befall."""

import gzip
import time

import httpx
import pytest

from gateway.simulator.faults import (
    Answer,
    Body,
    Close,
    Delay,
    Drip,
    Gzip,
    Headers,
    InvalidJson,
    LoseAnswer,
    Truncate,
)


@pytest.fixture(autouse=True)
def gold(store):
    """A group to ask for."""
    store.add_group("shop", "gold", "Gold")


async def test_an_answer_replaces_the_apps(api, store, faults):
    """The app never sees the request."""
    fault = faults.add(Answer(429, b"<p>busy", {"Retry-After": "3", "Content-Type": "text/html"}))
    answer = await api.delete("customer-groups/gold")

    assert (answer.status_code, answer.content) == (429, b"<p>busy")
    assert (answer.headers["retry-after"], answer.headers["content-type"]) == ("3", "text/html")
    assert fault.hits == 1
    assert store.count_groups("shop") == 1


async def test_a_fault_befalls_its_requests_only(api, faults):
    """By method and by part of the path; "$" is the path's end."""
    faults.add(Answer(500), method="DELETE")
    faults.add(Answer(501), path="/customers", times=None)
    faults.add(Answer(502), path="customer-groups$")
    paths = ["customer-groups/gold", "customer-groups/gold/customers", "customer-groups"]

    assert [(await api.get(path)).status_code for path in paths] == [200, 501, 502]
    assert [fault.effect.status for fault in faults.pending] == [500, 501]


async def test_faults_are_consumed_in_order(api, faults):
    """One a request; `skip` lets some pass and `times` says for how many."""
    faults.add(Answer(500), skip=1, times=2)
    faults.add(Answer(503))
    statuses = [(await api.get("customer-groups")).status_code for _ in range(5)]

    assert statuses == [503, 500, 500, 200, 200]
    assert faults.pending == []


async def test_cleared_faults_are_forgotten(api, faults):
    """Also those for ever."""
    faults.add(Answer(500), times=None)
    faults.clear()

    assert (await api.get("customer-groups")).status_code == 200


async def test_a_lost_answer_is_lost_after_the_write(api, store, faults):
    """The client can't tell it from a write that never happened."""
    faults.add(LoseAnswer(), method="DELETE")
    with pytest.raises(httpx.RemoteProtocolError):
        await api.delete("customer-groups/gold")

    assert store.count_groups("shop") == 0


@pytest.mark.parametrize("effect", [Close(), Truncate(5)])
async def test_a_closed_connection_is_the_given_exception(api, store, faults, effect):
    """Where there is no connection to close."""
    faults.add(effect)
    with pytest.raises(httpx.RemoteProtocolError):
        await api.get("customer-groups")


async def test_a_delay_comes_before_the_answer(api, faults):
    """And the answer is the app's."""
    faults.add(Delay(0.03))
    started = time.perf_counter()
    answer = await api.get("customer-groups/gold")

    assert time.perf_counter() - started >= 0.03
    assert answer.json()["name"] == "Gold"


async def test_a_dripped_body_is_whole_in_the_end(api, faults):
    """Byte by byte, and never silent for longer than the pause."""
    faults.add(Drip(0))

    assert (await api.get("customer-groups/gold")).json()["name"] == "Gold"


async def test_a_body_can_be_replaced(api, faults):
    """By any bytes, under the app's status and media type unless another is given."""
    faults.add(Body(b"[]"))
    faults.add(Body(b"<p>", "text/html"))
    faults.add(InvalidJson())
    first, second, third = [await api.get("customer-groups/gold") for _ in range(3)]

    assert (first.status_code, first.json()) == (200, [])
    assert (second.text, second.headers["content-type"]) == ("<p>", "text/html")
    with pytest.raises(ValueError, match="Expecting"):
        third.json()


async def test_headers_are_added_to_the_apps_answer(api, faults):
    """A cookie, say."""
    faults.add(Headers({"Set-Cookie": "session=1"}))
    answer = await api.get("customer-groups/gold")

    assert answer.cookies == {"session": "1"}
    assert answer.json()["name"] == "Gold"


async def test_a_compressed_answer_can_be_a_bomb(api, faults):
    """Small on the wire, large when unpacked."""
    faults.add(Gzip(padding=1_000_000))
    async with api.stream("GET", "customer-groups/gold") as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])

    assert answer.headers["content-encoding"] == "gzip"
    assert len(raw) < 3_000
    assert len(gzip.decompress(raw)) > 1_000_000
