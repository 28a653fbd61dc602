"""The operations as the documents describe them, with the switches as they are."""

import re

import httpx
import pytest

from gateway.simulator.commercetools.app import create_app

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

STAMPS = {"id", "version", "createdAt", "createdBy", "lastModifiedAt", "lastModifiedBy"}


@pytest.fixture
def shop(store):
    """Three groups, one with a key; gold has two members, and a third one of the older kind."""
    store.add_group("shop", "Gold", id="gold", key="gold-key")
    store.add_group("shop", "Silver", id="silver")
    store.add_group("shop", "Bronze", id="bronze")
    store.add_customer("shop", {"id": "ada", "lastName": "Lovelace"}, ["gold", "silver"])
    store.add_customer("shop", {"id": "bob", "lastName": "Alpha"}, ["gold"])
    store.add_customer("shop", {"id": "cem", "lastName": "Midway"}, legacy_group="gold")


def code(answer: httpx.Response) -> tuple[int, str]:
    """The status of an error, and the code in its body."""
    body = answer.json()
    assert body["statusCode"] == answer.status_code
    assert body["message"] == body["errors"][0]["message"]
    return answer.status_code, body["errors"][0]["code"]


async def test_groups_are_queried(api, shop):
    """Query CustomerGroups; optional members are absent, not null."""
    answer = await api.get("customer-groups")
    body = answer.json()

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert {name: body[name] for name in body if name != "results"} == {
        "limit": 20,
        "offset": 0,
        "count": 3,
        "total": 3,
    }
    assert [group["name"] for group in body["results"]] == ["Gold", "Silver", "Bronze"]
    assert body["results"][0].keys() == STAMPS | {"name", "key"}
    assert body["results"][1].keys() == STAMPS | {"name"}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"limit": 2}, ["gold", "silver"]),
        ({"limit": 2, "offset": 2}, ["bronze"]),
        ({"limit": 0}, []),
        ({"limit": 500, "offset": 10_000}, []),
        ({"sort": "name asc"}, ["bronze", "gold", "silver"]),
        ({"sort": "name"}, ["bronze", "gold", "silver"]),
        ({"sort": "id desc"}, ["silver", "gold", "bronze"]),
        ({"sort": ["version asc", "name desc"]}, ["silver", "gold", "bronze"]),
        ({"sort": "id asc", "where": 'id > "bronze"', "limit": 1}, ["gold"]),
        ({"where": 'name = "Gold"'}, ["gold"]),
        ({"where": "name = :n", "var.n": "Silver"}, ["silver"]),
    ],
)
async def test_a_query_has_a_stretch_an_order_and_a_predicate(api, shop, params, expected):
    """And any combination."""
    body = (await api.get("customer-groups", params=params)).json()

    assert [group["id"] for group in body["results"]] == expected
    assert body["count"] == len(expected)


async def test_the_total_can_be_left_out(api, shop):
    """withTotal=false."""
    body = (await api.get("customer-groups", params={"withTotal": "false"})).json()

    assert body.keys() == {"limit", "offset", "count", "results"}


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 501},
        {"limit": -1},
        {"limit": ""},
        {"limit": "9" * 30},
        {"offset": 10_001},
        {"offset": "1.5"},
        {"sort": "shoeSize asc"},
        {"sort": "name ascending"},
        {"sort": "name asc, id"},
        {"sort": ""},
        {"withTotal": "no"},
        {"where": 'shoeSize = "40"'},
        {"where": ""},
    ],
)
async def test_a_parameter_that_cant_be_used_is_refused(api, shop, params):
    """Whether it is about the stretch, the order or the predicate."""
    answer = await api.get("customer-groups", params=params)

    assert code(answer) == (400, "InvalidInput")


@pytest.mark.slow
async def test_a_filtered_total_stops_at_ten_thousand(api, store):
    """Of all rows it is more."""
    with store.transaction():
        for number in range(10_003):
            store.add_customer("shop", {"id": f"c{number:05}"})

    every = await api.get("customers", params={"limit": 1})
    some = await api.get("customers", params={"limit": 1, "where": 'id > ""'})
    beyond = {"sort": "id asc", "where": 'id > "c10000"'}
    rest = (await api.get("customers", params=beyond)).json()["results"]

    assert (every.json()["total"], some.json()["total"]) == (10_003, 10_000)
    assert [customer["id"] for customer in rest] == ["c10001", "c10002"]


async def test_a_group_is_created(api, store):
    """The draft says groupName, the group says name. Members that it lacks are not looked at."""
    draft = {
        "groupName": "Gäste & Co",
        "key": "gaeste",
        "custom": {"type": {"typeId": "type", "id": "t1"}, "fields": {"since": 2020}},
        "version": 9,
    }
    answer = await api.post("customer-groups", json=draft)
    group = answer.json()

    assert answer.status_code == 201
    assert group.keys() == STAMPS | {"name", "key", "custom"}
    assert re.fullmatch(UUID, group["id"])
    assert (group["name"], group["key"], group["version"]) == ("Gäste & Co", "gaeste", 1)
    assert group["custom"] == draft["custom"]
    assert group["createdBy"] == {"clientId": "kim", "isPlatformClient": False}
    assert store.group("shop", group["id"]).name == "Gäste & Co"


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        ({}, "InvalidJsonInput"),
        ({"groupName": None}, "InvalidJsonInput"),
        ({"name": "Gold"}, "InvalidJsonInput"),
        ([], "InvalidJsonInput"),
        ({"groupName": " "}, "InvalidField"),
        ({"groupName": "X", "key": "x"}, "InvalidField"),
        ({"groupName": "X", "key": "x" * 257}, "InvalidField"),
        ({"groupName": "X", "key": "ä-key"}, "InvalidField"),
        ({"groupName": "X", "key": "key\n"}, "InvalidField"),
        ({"groupName": "X", "custom": {"type": {"typeId": "type"}}}, "InvalidJsonInput"),
        ({"groupName": "Gold"}, "DuplicateField"),
        ({"groupName": "X", "key": "gold-key"}, "DuplicateField"),
    ],
)
async def test_a_draft_that_is_wrong_creates_nothing(api, shop, store, draft, expected):
    """Each in its own way."""
    assert code(await api.post("customer-groups", json=draft)) == (400, expected)
    assert store.count_groups("shop") == 3


@pytest.mark.parametrize(
    "content", [b"", b"{", b'"\xff"', b'{"groupName": "\\ud800"}', b"[" * 9999]
)
async def test_a_body_that_is_no_json_is_refused(api, content):
    """With the reason in a member of its own."""
    answer = await api.post("customer-groups", content=content)

    assert code(answer) == (400, "InvalidJsonInput")
    assert answer.json()["errors"][0]["detailedErrorMessage"]


@pytest.mark.parametrize("path", ["customer-groups/gold", "customer-groups/key=gold-key"])
async def test_a_group_is_got_updated_and_deleted_by_id_or_key(api, shop, store, path):
    """A delete answers the group as it was."""
    store.drop_references("shop", "gold")
    rename = {"version": 1, "actions": [{"action": "changeName", "name": "Gull"}]}
    got, updated = await api.get(path), await api.post(path, json=rename)
    deleted = await api.delete(path, params={"version": 2})

    assert got.json()["name"] == "Gold"
    assert (updated.json()["name"], updated.json()["version"]) == ("Gull", 2)
    assert (deleted.status_code, deleted.json()) == (200, updated.json())
    assert code(await api.get(path)) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    "path",
    [
        "customer-groups/x",
        "customer-groups/key=x",
        "customers/x",
        "carts",
        "customers/",
        "customers/a%2Fb",
    ],
)
async def test_what_is_not_there_is_not_found(api, shop, path):
    """Whether the resource or the path."""
    assert code(await api.get(path)) == (404, "ResourceNotFound")


async def test_a_method_that_is_not_there_is_refused(api, shop):
    """In the shape of all errors."""
    assert code(await api.put("customer-groups/gold"))[0] == 405


@pytest.mark.parametrize("params", [{}, {"version": ""}, {"version": "x"}, {"version": "-1"}])
async def test_a_delete_needs_a_version(api, shop, store, params):
    """Which is a number."""
    answer = await api.delete("customer-groups/silver", params=params)

    assert code(answer) == (400, "InvalidInput")
    assert store.count_groups("shop") == 3


async def test_another_version_is_a_conflict(api, shop, store):
    """For groups and customers, updates and deletes; the answer says what the version is."""
    for answer in (
        await api.post("customer-groups/gold", json={"version": 2, "actions": []}),
        await api.post("customers/ada", json={"version": 0, "actions": []}),
        await api.delete("customer-groups/bronze", params={"version": 9}),
    ):
        assert code(answer) == (409, "ConcurrentModification")
        assert answer.json()["errors"][0]["currentVersion"] == 1
    assert store.count_groups("shop") == 3


async def test_a_group_with_customers_is_not_deleted(api, shop, store):
    """Of either kind."""
    store.remove_customer("shop", "ada")
    store.remove_customer("shop", "bob")
    answer = await api.delete("customer-groups/gold", params={"version": 1})

    assert code(answer) == (400, "ReferenceExists")
    assert answer.json()["errors"][0]["referencedBy"] == "customer"
    store.remove_customer("shop", "cem")
    assert (await api.delete("customer-groups/gold", params={"version": 1})).status_code == 200


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('customerGroupAssignments(customerGroup(id="gold"))', ["ada", "bob"]),
        ('customerGroup(id="gold")', ["cem"]),
        (
            'customerGroup(id="gold") or customerGroupAssignments(customerGroup(id="gold"))',
            ["ada", "bob", "cem"],
        ),
        ('id in ("cem", "ada", "nobody")', ["ada", "cem"]),
        ('customerGroupAssignments(customerGroup(id in ("silver", "bronze")))', ["ada"]),
    ],
)
async def test_customers_are_found_by_their_groups(api, shop, where, expected):
    """Query Customers."""
    body = (await api.get("customers", params={"where": where})).json()

    assert [customer["id"] for customer in body["results"]] == expected
    assert body["total"] == len(expected)


async def test_customers_are_sorted(api, shop):
    """By their own fields; one without the field is first."""
    answer = await api.get("customers", params={"sort": "lastName asc"})

    assert [c["lastName"] for c in answer.json()["results"]] == ["Alpha", "Lovelace", "Midway"]


async def test_a_customer_is_got(api, shop):
    """With its groups in both of the ways."""
    ada, cem = (await api.get("customers/ada")).json(), (await api.get("customers/cem")).json()

    assert ada["customerGroupAssignments"] == [
        {"customerGroup": {"typeId": "customer-group", "id": "gold"}},
        {"customerGroup": {"typeId": "customer-group", "id": "silver"}},
    ]
    assert "customerGroup" not in ada
    assert cem["customerGroup"] == {"typeId": "customer-group", "id": "gold"}
    assert cem["customerGroupAssignments"] == []


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "access_denied"),
        ({"Authorization": "Bearer nobody"}, "invalid_token"),
        ({"Authorization": "Basic all"}, "invalid_token"),
        ({"Authorization": "Bearer"}, "invalid_token"),
    ],
)
async def test_a_token_is_needed(store, headers, expected):
    """Errors of authentication have OAuth's member beside."""
    transport = httpx.ASGITransport(create_app(store))
    async with httpx.AsyncClient(transport=transport, headers=headers) as client:
        answer = await client.get("http://simulator/shop/customer-groups")

    assert code(answer) == (401, expected)
    assert answer.json()["error"] == expected


@pytest.mark.parametrize(
    ("token", "method", "path", "expected"),
    [
        ("reading", "GET", "customer-groups", 200),
        ("reading", "GET", "customers", 200),
        ("reading", "POST", "customer-groups/gold", 403),
        ("reading", "DELETE", "customer-groups/gold", 403),
        ("reading", "POST", "customers/ada", 403),
        ("groups-only", "GET", "customer-groups", 200),
        ("groups-only", "POST", "customer-groups/gold", 400),
        ("groups-only", "GET", "customers", 403),
        ("groups-only", "POST", "customers/ada", 403),
    ],
)
async def test_scopes_say_what_a_token_may_do(api, shop, token, method, path, expected):
    """Before the body is looked at."""
    answer = await api.request(method, path, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == expected
    if expected == 403:
        assert code(answer) == (403, "insufficient_scope")
        assert answer.json()["error"] == "insufficient_scope"
        assert answer.json()["error_description"] == answer.json()["message"]


async def test_a_token_is_for_its_projects(api, store):
    """A project that nobody has is not found."""
    store.add_project("other")

    assert code(await api.get("http://simulator/other/customer-groups")) == (
        403,
        "insufficient_scope",
    )
    assert code(await api.get("http://simulator/nowhere/customer-groups")) == (
        404,
        "ResourceNotFound",
    )


async def test_calls_are_journalled_without_their_project(api, shop, journal):
    """Errors too."""
    await api.get("customer-groups/key=gold-key", params={"expand": "x"})
    await api.post("customers/nobody", json={"version": 1, "actions": []})

    assert journal.calls == ["GET customer-groups/key=gold-key", "POST customers/nobody"]
    assert [request.status for request in journal.requests] == [200, 404]
