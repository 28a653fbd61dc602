"""Answers about another group or customer than the one that was asked about, or about none."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.doctor.asking import Calls
from gateway.rest import RawAnswer
from gateway.simulator.faults import Body
from tests.doctor.writing.apis import APIS
from tests.harness import TENANT


@dataclass
class Renamed:
    """Answers to one method have another id, and are otherwise as they are."""

    calls: Calls
    method: str
    id: str

    async def send(self, method: str, *args: Any, **more: Any) -> RawAnswer | str:
        answer = await self.calls.send(method, *args, **more)
        if method != self.method or isinstance(answer, str) or not 200 <= answer.status < 300:
            return answer
        body = json.loads(answer.body or b"{}")
        ids = {name: self.id for name in ("customerGroupUid", "id") if name in body}
        return replace(answer, body=json.dumps(body | ids).encode())


@pytest.mark.slow
@pytest.mark.parametrize("name", APIS)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_an_answer_with_the_id_of_another_group_leads_to_no_change_of_that(name, method):
    """Though it shows the name of the doctor's own, as one does that repeats the request."""
    async with APIS[name]() as api:
        group = next(iter(api.store.groups(TENANT)))
        other = group.uid if name == "flow_retail" else group.id
        await api.examine(through=lambda calls: Renamed(calls, method, other))

        changes = [each for each in api.journal.requests if each.method != "GET"]
        assert len(changes) > 1
        assert not [each for each in changes if other in each.path]
        assert all(other not in each.call for each in api.left)


@dataclass
class Choosing:
    """Groups get another uid than the one that was asked for."""

    calls: Calls

    async def send(self, method: str, *args: Any, body: Any = None, **more: Any) -> Any:
        if "customerGroupUid" in (body or {}):
            body = body | {"customerGroupUid": "chosen"}
        return await self.calls.send(method, *args, body=body, **more)


@pytest.mark.slow
async def test_a_group_with_a_uid_of_the_api_is_deleted_and_nothing_else_is_tried():
    """It could not be found again if an answer were lost."""
    async with APIS["flow_retail"]() as api:
        before = api.state()
        await api.examine(through=Choosing)

        assert api.state() == before
        assert not api.left
        assert "another uid" in api.found("creating with a uid in use")


@pytest.mark.slow
@pytest.mark.parametrize("skip", range(16))
async def test_members_that_are_there_only_sometimes_are_no_end(skip):
    """As in an API that shows changes late."""
    async with APIS["flow_retail"]() as api:
        before = api.state()
        api.faults.add(Body(b'{"items": []}'), method="GET", path="/customers", skip=skip)
        await api.examine(customers=1)

        assert api.state() == before
        assert not api.left


@pytest.mark.slow
async def test_a_value_of_a_customer_is_not_told():
    """Though it stands where the documents have a list."""
    async with APIS["commercetools"]() as api:
        body = b'{"version": 1, "customerGroupAssignments": {"who": "ada@shop.example"}}'
        api.faults.add(Body(body), method="GET", path="/customers/", times=None)
        await api.examine(customers=1)

        assert api.found("a customer without assignments") == "{who: text}"
        assert "ada@" not in str(api.findings)


@pytest.mark.slow
async def test_what_is_left_is_told_without_what_a_terminal_obeys():
    """Ids are the API's, and stand in the listed URLs as they are sent."""
    async with APIS["commercetools"]() as api:
        evil = "x\x1b[2J; rm"
        await api.examine(through=lambda calls: Renamed(Renamed(calls, "POST", evil), "GET", evil))

        assert [each.call.split("/")[-1] for each in api.left] == ["x%1B%5B2J%3B%20rm?version=1"]


@pytest.mark.slow
async def test_a_customer_who_does_not_exist_shows_nothing():
    """That requests with one change nothing says nothing of those that are refused."""
    async with APIS["flow_retail"]() as api:
        api.customers = ["nobody", "eve"]
        await api.examine(customers=2)

        for question in (
            "removing a customer that is no member",
            "a customer in both lists",
            "a refused membership request",
        ):
            assert api.found(question) == "the customer can't be put into a group (404)"
            assert api.findings[question].setting is None
