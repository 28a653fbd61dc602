"""Flow Retail, end to end: what its answers, and the lack of them, come to."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.simulator.faults import (
    Answer,
    Body,
    Close,
    Effect,
    Gzip,
    Headers,
    InvalidJson,
    LoseAnswer,
    Truncate,
)
from tests.harness import READER, TENANT, Gateway, codes, paths, running_gateway, settings

CREATE = """mutation ($input: CreateCustomerGroupInput!) {
  createCustomerGroup(input: $input) {
    customerGroup { uid name } userErrors { code message field }
  }
}"""
UPDATE = """mutation ($input: UpdateCustomerGroupInput!) {
  updateCustomerGroup(input: $input) {
    customerGroup { uid name } userErrors { code message field }
  }
}"""
DELETE = """mutation ($input: DeleteCustomerGroupInput!) {
  deleteCustomerGroup(input: $input) { deletedUid userErrors { code message field } }
}"""
ONE = '{ customerGroup(by: {uid: "gold"}) { name } }'
GOLD = {"customerGroup": {"uid": "gold"}}


async def change(gateway: Gateway, mutation: str, **more: Any) -> Any:
    """The whole response of a mutation with this input."""
    token = more.pop("token", None)
    who = {} if token is None else {"token": token}
    return await gateway.ask(mutation, {"input": more}, **who)


def payload(body: Any) -> Any:
    """The payload of a mutation that has no errors."""
    assert "errors" not in body, body["errors"]
    return next(iter(body["data"].values()))


def user_codes(body: Any) -> list[str]:
    """The codes of a mutation's userErrors."""
    return [error["code"] for error in payload(body)["userErrors"]]


def name(flow: Any, uid: str = "gold") -> str:
    """What the simulator has."""
    return str(flow.store.group(TENANT, uid).name)


# -- a change whose answer was lost

UNUSABLE = [
    Body(b""),
    Body(b"OK", "text/plain"),
    Body(b'{"status":"created"}'),
    InvalidJson(),
    Truncate(5),
    Gzip(padding=9_000_000),
    Headers({"Content-Encoding": "br"}),
]


@pytest.mark.parametrize("effect", [LoseAnswer(), *UNUSABLE], ids=str)
async def test_a_group_with_a_chosen_uid_is_found_after_a_lost_answer(flow, gateway, effect):
    """It was made, and one look tells; it is made once."""
    flow.fail(effect, method="POST")

    body = await change(gateway, CREATE, uid="gold", name="Gold")

    assert payload(body)["customerGroup"] == {"uid": "gold", "name": "Gold"}
    assert flow.calls == ["POST customer-groups", "GET customer-groups/gold"]


@pytest.mark.parametrize("effect", [Close(), Answer(500), Answer(503), Answer(303)], ids=str)
async def test_a_group_that_was_not_made_is_not_claimed(flow, gateway, effect):
    """It is not there yet, but the request may still be on its way."""
    flow.fail(effect, method="POST")

    body = await change(gateway, CREATE, uid="gold", name="Gold")

    assert user_codes(body) == ["OUTCOME_UNKNOWN"]
    assert flow.calls == ["POST customer-groups", "GET customer-groups/gold"]


async def test_a_group_that_was_there_before_is_not_taken_for_the_new_one(flow, gateway):
    """Its name is another, so the lost answer may have been a refusal."""
    flow.add_group("gold", "Old gold")
    flow.fail(LoseAnswer(), method="POST")

    body = await change(gateway, CREATE, uid="gold", name="Gold")

    assert user_codes(body) == ["OUTCOME_UNKNOWN"]


async def test_without_a_chosen_uid_a_lost_group_can_not_be_found(flow, gateway):
    """Another of that name may be another's."""
    flow.fail(LoseAnswer(), method="POST")

    body = await change(gateway, CREATE, name="Gold")

    assert user_codes(body) == ["OUTCOME_UNKNOWN"]
    assert flow.calls == ["POST customer-groups"]


async def test_a_new_group_that_the_answer_does_not_show_may_have_been_made(flow, gateway):
    """A client that took it for a failure would make a second one."""
    flow.fail(Body(b"{}"), method="POST")

    body = await change(gateway, CREATE, name="Gold")

    assert user_codes(body) == ["OUTCOME_UNKNOWN"]
    assert flow.calls == ["POST customer-groups"]


@pytest.mark.parametrize("effect", [LoseAnswer(), *UNUSABLE], ids=str)
async def test_a_rename_is_found_after_a_lost_answer(flow, gateway, effect):
    """One look, no second PUT."""
    flow.add_group("gold")
    flow.fail(effect, method="PUT")

    body = await change(gateway, UPDATE, **GOLD, name="Au")

    assert payload(body)["customerGroup"] == {"uid": "gold", "name": "Au"}
    assert flow.calls == ["PUT customer-groups/gold", "GET customer-groups/gold"]


@pytest.mark.parametrize("effect", [Close(), Answer(500), Answer(504)], ids=str)
async def test_a_rename_that_was_not_made_is_not_claimed(flow, gateway, effect):
    """The group has its old name when it is looked at."""
    flow.add_group("gold")
    flow.fail(effect, method="PUT")

    body = await change(gateway, UPDATE, **GOLD, name="Au")

    assert user_codes(body) == ["OUTCOME_UNKNOWN"]
    assert name(flow) == "Gold"
    assert flow.calls == ["PUT customer-groups/gold", "GET customer-groups/gold"]


@pytest.mark.parametrize("effect", [LoseAnswer(), Truncate()], ids=str)
async def test_a_deletion_is_found_after_a_lost_answer(flow, gateway, effect):
    """The group is gone, so it is deleted; no second DELETE says that it is not there."""
    flow.add_group("gold")
    flow.fail(effect, method="DELETE")

    body = await change(gateway, DELETE, **GOLD)

    assert payload(body) == {"deletedUid": "gold", "userErrors": []}
    calls = ["DELETE customer-groups/gold", "GET customer-groups/gold"]
    assert flow.calls in (calls, calls[:1])


@pytest.mark.parametrize("effect", [Close(), Answer(502)], ids=str)
async def test_a_deletion_that_was_not_made_is_not_claimed(flow, gateway, effect):
    """The group is still there when it is looked at."""
    flow.add_group("gold")
    flow.fail(effect, method="DELETE")

    body = await change(gateway, DELETE, **GOLD)

    assert user_codes(body) == ["OUTCOME_UNKNOWN"]
    assert flow.calls == ["DELETE customer-groups/gold", "GET customer-groups/gold"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutation", "given"),
    [(CREATE, {"uid": "au", "name": "Au"}), (UPDATE, {**GOLD, "name": "Au"}), (DELETE, GOLD)],
    ids=["create", "update", "delete"],
)
@pytest.mark.parametrize("second", [Close(), Answer(401), Answer(500), Answer(200)], ids=str)
async def test_where_the_look_fails_too_the_outcome_stays_unknown(
    flow, gateway, mutation, given, second
):
    """The code is the change's, not that of the look."""
    flow.add_group("gold")
    flow.fail(LoseAnswer(), method="POST")
    flow.fail(LoseAnswer(), method="PUT")
    flow.fail(LoseAnswer(), method="DELETE")
    flow.fail(second, method="GET", times=None)

    body = await change(gateway, mutation, **given)

    assert user_codes(body) == ["OUTCOME_UNKNOWN"]
    assert sum(not call.startswith("GET") for call in flow.calls) == 1


async def test_a_change_that_the_upstream_had_no_time_for_is_not_sent_again(flow, gateway):
    """A 429 most likely has changed nothing, and some upstreams had done it already."""
    flow.add_group("gold")
    flow.fail(Answer(429, headers={"Retry-After": "0"}), method="PUT")

    body = await change(gateway, UPDATE, **GOLD, name="Au")

    assert codes(body) == ["RATE_LIMITED"]
    assert flow.calls == ["PUT customer-groups/gold"]


@pytest.mark.slow
async def test_a_change_to_an_upstream_that_is_not_there_was_not_made():
    """Nothing listens, so nothing is unknown."""
    async with running_gateway(settings("http://127.0.0.1:9/v2")) as gateway:
        body = await change(gateway, UPDATE, **GOLD, name="Au")

    assert codes(body) == ["UPSTREAM_UNAVAILABLE"]
    assert "127.0.0.1" not in str(body)


# -- a change that was refused


@pytest.mark.parametrize(
    ("mutation", "given"),
    [(CREATE, {"name": "Au"}), (UPDATE, {**GOLD, "name": "Au"}), (DELETE, GOLD)],
    ids=["create", "update", "delete"],
)
async def test_missing_rights_are_errors(flow, gateway, mutation, given):
    """A token without CUSTOMER is FORBIDDEN, an unknown one UNAUTHENTICATED."""
    flow.add_group("gold")

    forbidden = await change(gateway, mutation, **given, token=READER)
    unknown = await change(gateway, mutation, **given, token="token-of-nobody")  # noqa: S106

    assert codes(forbidden) == ["FORBIDDEN"]
    assert codes(unknown) == ["UNAUTHENTICATED"]
    assert name(flow) == "Gold"
    assert "token-of" not in str(unknown)


async def test_what_is_in_use_is_told_for_each_change(flow, gateway):
    """A 409 to create and rename is a duplicate; to delete, a group that something needs."""
    flow.add_group("gold")
    flow.add_group("au", "Au")
    flow.add_customer("ada", "gold")
    flow.switches.duplicate_name = "conflict"
    flow.switches.delete_nonempty = "conflict"

    bodies = [
        await change(gateway, CREATE, uid="gold", name="New"),
        await change(gateway, CREATE, name="Gold"),
        await change(gateway, UPDATE, **GOLD, name="Au"),
        await change(gateway, DELETE, **GOLD),
    ]

    assert [user_codes(body) for body in bodies] == [
        ["DUPLICATE"],
        ["DUPLICATE"],
        ["DUPLICATE"],
        ["IN_USE"],
    ]
    assert len(flow.calls) == 4


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("json_message", "The backend refused this. It says: The customerGroupUid is in use."),
        ("json_errors", "The backend refused this."),
        ("html", "The backend refused this."),
        ("empty", "The backend refused this."),
    ],
)
async def test_a_refusal_without_a_meaning_of_its_own_is_passed_on(flow, gateway, shape, message):
    """With what the upstream says, where it says it in a plain sentence."""
    flow.add_group("gold")
    flow.switches.duplicate_uid = "bad_request"
    flow.switches.error_body = shape

    body = await change(gateway, CREATE, uid="gold", name="New")

    assert payload(body)["userErrors"] == [
        {"code": "REJECTED_BY_BACKEND", "message": message, "field": None}
    ]


async def test_a_group_that_is_not_there_can_not_be_changed(flow, gateway):
    """NOT_FOUND, in one call each."""
    updated = await change(gateway, UPDATE, **GOLD, name="Au")
    deleted = await change(gateway, DELETE, **GOLD)
    revised = await change(gateway, DELETE, **GOLD, expectedRevision="f0")
    emptied = await change(gateway, DELETE, **GOLD, onlyIfEmpty=True)

    for body in (updated, deleted, revised, emptied):
        assert user_codes(body) == ["NOT_FOUND"]
    assert len(flow.calls) == 4


@pytest.mark.parametrize(
    ("mutation", "given"), [(UPDATE, {"name": "Au"}), (DELETE, {})], ids=["update", "delete"]
)
async def test_a_group_that_has_changed_is_left_alone(flow, gateway, mutation, given):
    """The state that was read is compared with what is now, before anything is written."""
    flow.add_group("gold")
    query = '{ customerGroup(by: {uid: "gold"}) { revision } }'
    read = (await gateway.query(query))["customerGroup"]["revision"]
    flow.store.update_group(TENANT, "gold", name="Golden")
    flow.journal.clear()

    body = await change(gateway, mutation, **GOLD, **given, expectedRevision=read)
    now = (await gateway.query(query))["customerGroup"]["revision"]
    again = await change(gateway, mutation, **GOLD, **given, expectedRevision=now)

    assert user_codes(body) == ["REVISION_CONFLICT"]
    assert user_codes(again) == []
    reads = ["GET customer-groups/gold"] * 3
    assert [call for call in flow.calls if call.startswith("GET")] == reads
    assert len(flow.calls) == 4


async def test_only_if_empty_asks_first(flow, gateway):
    """A group with members stays; one without goes."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")

    kept = await change(gateway, DELETE, **GOLD, onlyIfEmpty=True)
    flow.store.remove_customer(TENANT, "ada")
    gone = await change(gateway, DELETE, **GOLD, onlyIfEmpty=True)

    assert user_codes(kept) == ["GROUP_NOT_EMPTY"]
    assert payload(gone)["deletedUid"] == "gold"
    look = "GET customer-groups/gold/customers"
    assert flow.calls == [look, look, "DELETE customer-groups/gold"]


@pytest.mark.parametrize(
    "said",
    [
        b'{"items":[]}',
        b'{"items":[],"paging":{}}',
        b"{}",
        b'{"items":[],"paging":null}',
        b'{"items":[],"paging":[]}',
        b'{"items":null,"paging":{"totalCount":"0"}}',
    ],
)
async def test_a_group_is_not_deleted_as_empty_where_nobody_says_so(flow, gateway, said):
    """Without a total the members may be on the next page."""
    flow.add_group("gold")
    flow.fail(Body(said), path="/customers")

    await change(gateway, DELETE, **GOLD, onlyIfEmpty=True)

    assert flow.calls == ["GET customer-groups/gold/customers"]


@pytest.mark.parametrize("put", ["partial", "full"])
async def test_a_rename_sends_the_whole_group(flow, gateway, put):
    """Which is its name, so that it does not matter what PUT means."""
    flow.switches.put_semantics = put
    flow.add_group("gold")

    body = await change(gateway, UPDATE, **GOLD, name="Ø<&>\u202e\U0001f600")

    assert user_codes(body) == []
    assert name(flow) == "Ø<&>\u202e\U0001f600"


async def test_what_flow_retail_lacks_is_refused_before_any_call(flow, gateway):
    """Groups have no keys."""
    bodies = [
        await change(gateway, CREATE, name="Gold", key="k"),
        await change(gateway, UPDATE, **GOLD, key="k"),
        await change(gateway, UPDATE, customerGroup={"key": "k"}, name="Au"),
        await change(gateway, DELETE, customerGroup={"key": "k"}),
    ]
    read = await gateway.ask('{ customerGroup(by: {key: "k"}) { name } }')

    assert [user_codes(body) for body in bodies] == [["UNSUPPORTED_BY_BACKEND"]] * 4
    assert codes(read) == ["UNSUPPORTED_BY_BACKEND"]
    assert flow.calls == []


# -- reads


@pytest.mark.parametrize(
    ("effect", "code", "calls"),
    [
        (Answer(400), "REJECTED_BY_BACKEND", 1),
        (Answer(401), "UNAUTHENTICATED", 1),
        (Answer(403), "FORBIDDEN", 1),
        (Answer(409), "REJECTED_BY_BACKEND", 1),
        (Answer(429, headers={"Retry-After": "60"}), "RATE_LIMITED", 1),
        (Answer(429), "RATE_LIMITED", 2),
        (Answer(500), "UPSTREAM_UNAVAILABLE", 1),
        (Answer(503), "UPSTREAM_UNAVAILABLE", 2),
        (Answer(301, headers={"Location": "/v2"}), "UPSTREAM_INVALID_ANSWER", 1),
        (Answer(304), "UPSTREAM_INVALID_ANSWER", 1),
        (Answer(204), "UPSTREAM_INVALID_ANSWER", 1),
        (Answer(200, b"<html>Maintenance</html>"), "UPSTREAM_INVALID_ANSWER", 1),
        (Close(), "UPSTREAM_UNAVAILABLE", 2),
        (LoseAnswer(), "UPSTREAM_UNAVAILABLE", 2),
        (Truncate(9), "UPSTREAM_UNAVAILABLE", 2),
        (InvalidJson(), "UPSTREAM_INVALID_ANSWER", 1),
        (Body(b"[" * 500_000), "UPSTREAM_INVALID_ANSWER", 1),
        (Body(b" " * 1_000_001), "UPSTREAM_INVALID_ANSWER", 1),
        pytest.param(
            Gzip(padding=50_000_000), "UPSTREAM_INVALID_ANSWER", 1, marks=pytest.mark.slow
        ),
        (Headers({"Content-Encoding": "gzip"}), "UPSTREAM_INVALID_ANSWER", 1),
        (Headers({"Content-Encoding": "br"}), "UPSTREAM_INVALID_ANSWER", 1),
    ],
    ids=str,
)
async def test_a_read_that_fails_is_null_with_one_code(
    flow, gateway, effect: Effect, code: str, calls: int
):
    """And costs as many calls as it may be repeated, whoever would like to repeat it."""
    flow.add_group("gold")
    flow.fail(effect, times=None)

    body = await gateway.ask(ONE)

    assert body["data"] == {"customerGroup": None}
    assert codes(body) == [code]
    assert flow.calls == ["GET customer-groups/gold"] * calls
    shown = str(body["errors"])
    for secret in ("127.0.0.1", "http", "token-of", "Maintenance", "/v2"):
        assert secret not in shown


@pytest.mark.slow
@pytest.mark.parametrize("effect", [Close(), Truncate(3), Answer(502), Answer(429)], ids=str)
async def test_a_read_that_fails_once_is_nobodys_concern(flow, gateway, effect):
    """It is repeated."""
    flow.add_group("gold")
    flow.fail(effect)

    assert (await gateway.query(ONE))["customerGroup"] == {"name": "Gold"}
    assert flow.calls == ["GET customer-groups/gold"] * 2


@pytest.mark.parametrize("effect", [Gzip(), Gzip(padding=900_000), Headers({"ETag": "x"})], ids=str)
async def test_a_packed_answer_is_unpacked(flow, gateway, effect):
    """As long as it is no longer than any other may be."""
    flow.add_group("gold")
    flow.fail(effect)

    assert (await gateway.query(ONE))["customerGroup"] == {"name": "Gold"}


async def test_a_lookup_of_what_is_not_there_is_null(flow, gateway):
    """A 404 is an answer, not a failure."""
    assert await gateway.query(ONE) == {"customerGroup": None}


@pytest.mark.slow
async def test_a_hostile_uid_reaches_no_path(flow, gateway):
    """Neither to read, nor to change, nor in a tenant's place."""
    for uid in ("..", ".", "%2e%2e", "a/b", "gold?x", "gold#", "", "x" * 129):
        given = {"uid": uid}
        read = await gateway.ask(
            "query ($by: CustomerGroupBy!) { customerGroup(by: $by) { name } }", {"by": given}
        )
        tenant = await gateway.ask(
            "query ($uid: ID!) { customerGroups(tenantUid: $uid) { totalCount } }", {"uid": uid}
        )
        deleted = await change(gateway, DELETE, customerGroup=given)
        updated = await change(gateway, UPDATE, customerGroup=given, name="x")
        created = await change(gateway, CREATE, uid=uid, name="x")

        assert codes(read) == codes(tenant) == ["BAD_USER_INPUT"], uid
        for body in (deleted, updated, created):
            assert user_codes(body) == ["INVALID_INPUT"], uid
        assert flow.calls == [], uid


@pytest.mark.parametrize("first_page", [0, 1])
async def test_pages_are_counted_from_where_the_settings_say(flow, first_page):
    """And the answer's own page number is read by the same count."""
    flow.add_groups(7)
    flow.switches.first_page = first_page
    chosen = settings(flow.url, flow_retail={"first_page": first_page, "max_page_size": 3})

    async with running_gateway(chosen) as gateway:
        data = await gateway.query("{ customerGroups(offset: 3, first: 3) { nodes { uid } } }")

    assert [node["uid"] for node in data["customerGroups"]["nodes"]] == ["g003", "g004", "g005"]
    assert flow.queries == [{"pageNumber": str(first_page + 1), "pageSize": "3"}]


async def test_an_order_is_asked_for_in_the_upstreams_words(flow):
    """A field that the settings don't name can't be ordered by, and nothing is sent."""
    flow.add_groups(2)
    chosen = settings(flow.url, flow_retail={"group_sorts": {"NAME": "title"}})
    query = "query ($by: CustomerGroupSort) { customerGroups(orderBy: $by) { nodes { uid } } }"

    async with running_gateway(chosen) as gateway:
        await gateway.query(query, {"by": {"field": "NAME", "direction": "DESC"}})
        refused = await gateway.ask(query, {"by": {"field": "CREATED_AT"}})

    assert set(codes(refused)) == {"UNSUPPORTED_BY_BACKEND"}
    (sent,) = flow.queries
    assert (sent["sortBy"], sent["sortDirection"]) == ("title", "DESC")


async def test_where_a_page_past_the_end_is_404_it_is_an_empty_one(flow):
    """`past_the_end` says what such an API means; a list that is not there stays an error."""
    flow.add_group("gold")
    flow.switches.past_the_end = "not_found"
    query = """query ($uid: ID!) {
      customerGroups(first: 5, offset: 50) { nodes { uid } }
      customerGroup(by: {uid: $uid}) { customers(first: 5, offset: 50) { nodes { uid } } }
    }"""

    async with running_gateway(
        settings(flow.url, flow_retail={"past_the_end": "not_found"})
    ) as gateway:
        data = await gateway.query(query, {"uid": "gold"})

    assert data["customerGroups"]["nodes"] == []
    assert data["customerGroup"]["customers"]["nodes"] == []


async def test_an_identifier_from_a_customer_that_can_not_be_asked_for_is_the_backends_fault(
    flow, gateway
):
    """The customer's groups that can be read are; the other is null, with an error of its own."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold", customerGroupUids=["gold", ".."])

    body = await gateway.ask(
        '{ customerGroup(by: {uid: "gold"}) { customers { nodes { customerGroups { uid } } } } }'
    )

    (ada,) = body["data"]["customerGroup"]["customers"]["nodes"]
    assert ada["customerGroups"] == [{"uid": "gold"}, None]
    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"]


# -- what an answer says of its page

LIST = "{ customerGroups(first: 5) { nodes { uid } } }"
COUNTED = "{ customerGroups(first: 5) { totalCount nodes { uid } pageInfo { hasNextPage } } }"
GOLD_ROW = b'{"customerGroupUid":"gold","name":"Gold"}'


def said(paging: bytes, items: bytes = b"[" + GOLD_ROW + b"]") -> Body:
    return Body(b'{"items":' + items + b',"paging":' + paging + b"}")


@pytest.mark.parametrize(
    "total", [b"-1", b'"1"', b"1.5", b"2147483648", b"[]", b"true", b"9" * 5000, b"NaN"]
)
async def test_a_total_that_can_not_be_read_costs_the_total(flow, gateway, total):
    """Nothing, where it is not asked for."""
    effect = said(b'{"pageNumber":1,"pageSize":5,"totalCount":' + total + b"}")
    flow.fail(effect, times=None)

    alone = await gateway.query(LIST)
    counted = await gateway.ask(COUNTED)

    assert alone == {"customerGroups": {"nodes": [{"uid": "gold"}]}}
    assert counted["data"]["customerGroups"] == {
        "totalCount": None,
        "nodes": [{"uid": "gold"}],
        "pageInfo": {"hasNextPage": False},
    }
    assert codes(counted) == ["UPSTREAM_INVALID_ANSWER"]
    assert paths(counted) == [["customerGroups", "totalCount"]]
    assert len(flow.calls) == 3  # the total is asked for alone, as where none is told


async def test_a_total_that_can_be_read_alone_is_shown(flow, gateway):
    """The page that could not tell it does not stand in its way."""
    flow.add_groups(7)
    flow.fail(said(b'{"totalCount":"7"}'))

    answer = await gateway.query(COUNTED)

    assert answer["customerGroups"]["totalCount"] == 7


@pytest.mark.parametrize(
    ("paging", "where"),
    [
        (b"[]", "paging"),
        (b'{"pageSize":"5","totalCount":1}', "paging.pageSize"),
        (b'{"pageNumber":-1,"totalCount":1}', "paging.pageNumber"),
    ],
)
async def test_rows_whose_place_can_not_be_read_are_shown_with_an_error(
    flow, gateway, paging, where
):
    """They are taken for those that were asked for, and may be others."""
    flow.fail(said(paging))

    answer = await gateway.ask(LIST)

    assert answer["data"] == {"customerGroups": {"nodes": [{"uid": "gold"}]}}
    assert codes(answer) == ["UPSTREAM_INVALID_ANSWER"]
    assert paths(answer) == [["customerGroups"]]
    assert f": {where}: it can't be read" in answer["errors"][0]["message"]


@pytest.mark.parametrize("paging", [b"null", b'{"totalCount":0}', b'{"totalCount":"0"}'])
async def test_null_for_the_rows_of_a_list_is_an_empty_list(flow, gateway, paging):
    """As it is for the lists in a row."""
    flow.fail(said(paging, items=b"null"))

    assert await gateway.query(LIST) == {"customerGroups": {"nodes": []}}


async def test_null_in_place_of_rows_that_there_are_is_told(flow, gateway):
    """It is not the end of the list."""
    flow.fail(said(b'{"totalCount":3}', items=b"null"))

    answer = await gateway.ask(LIST)

    assert answer["data"] == {"customerGroups": {"nodes": []}}
    assert codes(answer) == ["UPSTREAM_INVALID_ANSWER"]
    assert "items: it is null" in answer["errors"][0]["message"]


@pytest.mark.slow
async def test_a_page_of_too_many_rows_fails_the_list(flow, gateway):
    """However few bytes they are on the way."""
    flow.fail(said(b"{}", items=b"[" + b"{}," * 100_000 + b"{}]"))

    answer = await gateway.ask(LIST)

    assert answer["data"] == {"customerGroups": None}
    assert codes(answer) == ["UPSTREAM_INVALID_ANSWER"]
