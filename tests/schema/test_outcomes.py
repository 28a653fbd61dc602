"""What became of a change, for every kind of answer to it: through the gateway, on both backends.

Each answer comes twice: after the backend has done what was asked, and without that. An outcome
that says "done" must be true both times.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import pytest

from gateway.simulator.faults import Answer, Close, Done, Effect, LoseAnswer, Stall
from tests.harness import Flow, Gateway, codes, running_gateway
from tests.two_backends import PROJECT, Commercetools, both

CREATE = """mutation ($input: CreateCustomerGroupInput!) {
  it: createCustomerGroup(input: $input) { customerGroup { uid name } userErrors { code } }
}"""
UPDATE = """mutation ($input: UpdateCustomerGroupInput!) {
  it: updateCustomerGroup(input: $input) { customerGroup { uid name } userErrors { code } }
}"""
DELETE = """mutation ($input: DeleteCustomerGroupInput!) {
  it: deleteCustomerGroup(input: $input) { deletedUid userErrors { code } }
}"""

DONE, UNKNOWN = "done", "OUTCOME_UNKNOWN"


class Shop:
    """One backend of the gateway, as far as changes of groups go."""

    def __init__(self, gateway: Gateway, api: Flow | Commercetools) -> None:
        self.gateway = gateway
        self.api = api
        self.flow = api if isinstance(api, Flow) else None
        self.tenant = "shop" if self.flow else "wien"
        self._numbers = itertools.count()

    def new_name(self) -> str:
        return f"Group {next(self._numbers)}"

    def add_group(self, name: str) -> str:
        if isinstance(self.api, Flow):
            uid = name.lower().replace(" ", "-")
            self.api.add_group(uid, name)
            return uid
        return self.api.add_group(name)

    def names(self) -> set[str]:
        """The names of the groups that there are."""
        if isinstance(self.api, Flow):
            return {group.name for group in self.api.store.groups("shop")}
        return {group.name for group in self.api.store.groups(PROJECT)}

    def row(self, uid: str, name: str, **more: object) -> dict[str, object]:
        """A group as the backend shows it."""
        if self.flow:
            return {"customerGroupUid": uid, "name": name}
        return {"id": uid, "version": 9, "name": name, **more}

    async def change(self, mutation: str, effect: Effect | None, **given: object) -> str:
        """What the outcome is: "done", or the error's code."""
        self.api.faults.clear()
        self.api.journal.clear()
        if effect is not None:
            for method in ("POST", "PUT", "DELETE"):
                self.api.fail(effect, method=method)
        body = await self.gateway.ask(mutation, {"input": {"tenantUid": self.tenant, **given}})
        written = [call for call in self.api.calls if not call.startswith("GET")]
        assert len(written) == 1, "a change is sent once"
        if "errors" in body:
            (code,) = codes(body)
            return code
        payload = body["data"]["it"]
        if payload["userErrors"]:
            assert not any(value for name, value in payload.items() if name != "userErrors")
        return next((error["code"] for error in payload["userErrors"]), DONE)


@pytest.fixture(params=["flow_retail", "commercetools"])
async def shop(
    request: pytest.FixtureRequest, flow: Flow, commercetools: Commercetools
) -> AsyncIterator[Shop]:
    chosen = both(flow.url, commercetools.url, timeout=1.0)
    async with running_gateway(chosen) as gateway:
        yield Shop(gateway, flow if request.param == "flow_retail" else commercetools)


Row = Mapping[str, object]


@dataclass(frozen=True)
class Said:
    """An answer: its status, and its body, made of what would be the right one."""

    body: Callable[[Row], object] | None
    """None: it does not come, and the connection stays open."""
    status: int = 200

    def answer(self, row: Row) -> Answer | Stall:
        if self.body is None:
            return Stall(self.status)
        body = self.body(row)
        return Answer(self.status, body if isinstance(body, bytes) else json.dumps(body).encode())


def instead(**members: object) -> Callable[[Row], object]:
    """The row with these in place of its own; "uid" is whichever it is called."""

    def body(row: Row) -> object:
        names = {"uid": "customerGroupUid" if "customerGroupUid" in row else "id"}
        return {**row, **{names.get(name, name): value for name, value in members.items()}}

    return body


OTHERS: dict[str, Said] = {
    "another uid and name": Said(instead(uid="another", name="Another")),
    "an empty uid": Said(instead(uid="")),
    "no uid": Said(instead(uid=None)),
    "a list": Said(lambda row: [row]),
    "a page of a list": Said(lambda row: {"items": [row], "results": [row]}),
    "HTML": Said(lambda row: b"<h1>Welcome</h1>"),
    "half": Said(lambda row: json.dumps(row).encode()[:-2]),
    "a promise": Said(dict, status=202),
    "a failure": Said(lambda row: b"", status=500),
    "no gateway": Said(lambda row: b"<h1>502</h1>", status=502),
}
NAMES: dict[str, Said] = {
    "another name": Said(instead(name="Another")),
    "an empty name": Said(instead(name="")),
    "no name": Said(instead(name=None)),
    "nothing": Said(lambda row: b""),
    "nothing that comes": Said(None),
}


def effect(said: Said | None, row: Row, *, done: bool) -> Effect:
    """The answer, or none at all, to a change that is made, or not."""
    if said is None:
        return LoseAnswer() if done else Close()
    return Done(said.answer(row)) if done else said.answer(row)


@pytest.mark.slow
async def test_a_group_that_can_be_looked_for_is_made_or_its_outcome_unknown(shop: Shop):
    """By the uid or key that was chosen: where it was made, the look tells, whatever was answered.
    Where not, nothing that is answered stands for it.
    """
    by = "uid" if shop.flow else "key"

    async def create(said: Said | None, *, done: bool) -> str:
        name = shop.new_name()
        chosen = name.replace(" ", "-").lower()
        row = shop.row(chosen if shop.flow else "made", name, key=chosen)
        answer = effect(said, row, done=done)
        outcome = await shop.change(CREATE, answer, name=name, **{by: chosen})
        assert (name in shop.names()) is done
        return outcome

    found = {
        name: (await create(said, done=True), await create(said, done=False))
        for name, said in {**OTHERS, **NAMES, "lost": None}.items()
    }

    assert found == dict.fromkeys(found, (DONE, UNKNOWN))


@pytest.mark.slow
async def test_a_group_that_can_not_be_looked_for_has_an_unknown_outcome(shop: Shop):
    """Neither uid nor key: what the answer does not show is not known, made or not."""

    async def create(said: Said | None, *, done: bool) -> str:
        name = shop.new_name()
        row = shop.row("made", name)
        answer = effect(said, row, done=done)
        return await shop.change(CREATE, answer, name=name)

    found = {
        name: (await create(said, done=True), await create(said, done=False))
        for name, said in {**OTHERS, **NAMES, "lost": None}.items()
    }

    assert found == dict.fromkeys(found, (UNKNOWN, UNKNOWN))


@pytest.mark.slow
async def test_a_renamed_group_shows_its_new_name_or_the_outcome_is_unknown(shop: Shop):
    """By the answer, or by a look; an answer about another group, or with another name, is none."""

    async def update(said: Said | None, *, done: bool) -> str:
        uid, name = shop.add_group(shop.new_name()), shop.new_name()
        answer = effect(said, shop.row(uid, name), done=done)
        outcome = await shop.change(UPDATE, answer, customerGroup={"uid": uid}, name=name)
        assert (name in shop.names()) is done
        return outcome

    found = {
        name: (await update(said, done=True), await update(said, done=False))
        for name, said in {**OTHERS, **NAMES, "lost": None}.items()
    }

    assert found == dict.fromkeys(found, (DONE, UNKNOWN))


BELIEVED = {
    "flow_retail": {"an empty uid", "a page of a list", "nothing", "nothing that comes"},
    "commercetools": set(),
}
"""Answers to a deletion that say no other thing than that it was done."""


@pytest.mark.slow
async def test_a_deleted_group_is_gone_or_the_outcome_is_unknown(shop: Shop):
    """By the answer, or by a look that does not find it."""

    async def delete(said: Said | None, *, done: bool) -> str:
        name = shop.new_name()
        uid = shop.add_group(name)
        answer = effect(said, shop.row(uid, name), done=done)
        outcome = await shop.change(DELETE, answer, customerGroup={"uid": uid})
        assert (name in shop.names()) is not done
        return outcome

    nothing = {name: NAMES[name] for name in ("nothing", "nothing that comes")}
    answers = {**OTHERS, **nothing, "lost": None}
    found = {
        name: (await delete(said, done=True), await delete(said, done=False))
        for name, said in answers.items()
    }

    believed = BELIEVED["flow_retail" if shop.flow else "commercetools"]
    for name, outcome in found.items():
        assert (name, outcome) == (name, (DONE, DONE if name in believed else UNKNOWN))


@pytest.mark.slow
@pytest.mark.parametrize("mutation", [CREATE, UPDATE, DELETE], ids=["create", "update", "delete"])
async def test_a_refusal_is_one_though_its_body_does_not_come(shop: Shop, mutation: str):
    """It means the same as one with a body, and nothing was done."""

    async def refused(effect: Effect) -> object:
        shop.api.journal.clear()
        shop.api.fail(effect, method="POST" if mutation is CREATE or not shop.flow else "PUT")
        shop.api.fail(effect, method="DELETE")
        named: dict[str, object] = {"name": shop.new_name()}
        if mutation is not CREATE:
            named = {"customerGroup": {"uid": uid}} | (named if mutation is UPDATE else {})
        body = await shop.gateway.ask(mutation, {"input": {"tenantUid": shop.tenant, **named}})
        shop.api.faults.clear()
        return body.get("data"), codes(body), shop.api.calls

    uid = shop.add_group("Gold")
    statuses = (302, 400, 401, 403, 404, 413, 422, 429)

    stalled = [await refused(Stall(status)) for status in statuses]

    assert stalled == [await refused(Answer(status)) for status in statuses]
    assert shop.names() == {"Gold"}


@pytest.mark.slow
async def test_a_deletion_that_is_told_by_its_status_needs_no_look(shop: Shop):
    """Of which 204 and its like are all that Flow Retail says."""
    uid = shop.add_group("Gold")

    outcome = await shop.change(DELETE, Done(Stall(200)), customerGroup={"uid": uid})

    assert (outcome, shop.names()) == (DONE, set())
    assert [call.split()[0] for call in shop.api.calls][-2:] == (
        ["DELETE"] if shop.flow else ["DELETE", "GET"]
    )


async def test_what_is_shown_in_another_form_is_no_other_name(shop: Shop):
    """Without the blanks at its ends, and with composed characters."""
    said = Done(Said(instead(name="Zo\u00eb")).answer(shop.row("made", "")))

    assert await shop.change(CREATE, said, name="Zoe\u0308 ") == DONE
