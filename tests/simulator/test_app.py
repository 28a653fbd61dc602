"""The seven operations as the documents describe them, with the switches as they are."""

import json

import httpx
import pytest

from gateway.simulator.flow_retail.app import create_app

GROUP_MEMBERS = {
    "customerGroupUid": str,
    "name": str,
    "createdBy": str,
    "createdAt": str,
    "lastModifiedBy": str,
    "lastModifiedAt": str,
}
"""CustomerGroupResponseSchema: all are required."""


def is_group(value: dict[str, object]) -> bool:
    """Whether it has the schema's members, and no others."""
    return {name: type(member) for name, member in value.items()} == GROUP_MEMBERS


@pytest.fixture
def shop(store):
    """Three groups, three customers; gold has two of them."""
    for uid in ("gold", "silver", "bronze"):
        store.add_group("shop", uid, uid.title())
    for uid in ("ada", "bob", "cem"):
        store.add_customer("shop", {"customerUid": uid, "displayName": uid.title()})
    for uid in ("ada", "bob"):
        store.add_member("shop", "gold", uid)


async def test_groups_are_listed_with_paging(api, shop):
    """get-customer-groups."""
    answer = await api.get("customer-groups", params={"pageNumber": 2, "pageSize": 2})
    body = answer.json()

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert body.keys() == {"items", "paging"}
    assert [is_group(group) for group in body["items"]] == [True]
    assert body["items"][0]["customerGroupUid"] == "bronze"
    assert body["paging"] == {"pageNumber": 2, "pageSize": 2, "totalCount": 3}


async def test_a_tenant_without_groups_has_an_empty_page(api):
    """Which is not past the end."""
    answer = await api.get("customer-groups")

    assert answer.json() == {
        "items": [],
        "paging": {"pageNumber": 1, "pageSize": 20, "totalCount": 0},
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["gold", "silver", "bronze"]),
        ({"sortDirection": "DESC"}, ["bronze", "silver", "gold"]),
        ({"sortBy": "name"}, ["bronze", "gold", "silver"]),
        ({"sortBy": "name", "sortDirection": "ASC"}, ["bronze", "gold", "silver"]),
        ({"sortBy": "name", "sortDirection": "DESC"}, ["silver", "gold", "bronze"]),
        ({"sortBy": "customerGroupUid"}, ["bronze", "gold", "silver"]),
    ],
)
async def test_groups_are_sorted(api, shop, params, expected):
    """By a field, or oldest first."""
    answer = await api.get("customer-groups", params=params)

    assert [group["customerGroupUid"] for group in answer.json()["items"]] == expected


async def test_a_group_is_created_with_a_uid_of_the_clients_choice(api, store):
    """post-customer-groups. Members that the schema lacks are not looked at."""
    body = {"name": "Gull & Sølv", "customerGroupUid": "gull", "createdBy": "me"}
    answer = await api.post("customer-groups", json=body)
    created = answer.json()

    assert answer.status_code == 201
    assert is_group(created)
    assert (created["customerGroupUid"], created["name"]) == ("gull", "Gull & Sølv")
    assert created["createdBy"] == created["lastModifiedBy"] == "kim"
    assert store.group("shop", "gull").name == "Gull & Sølv"


@pytest.mark.parametrize("body", [{"name": "Gold"}, {"name": "Gold", "customerGroupUid": ""}])
async def test_a_group_without_a_uid_is_given_one(api, body):
    """ "" is none, too: it is an OptionalUID."""
    first = (await api.post("customer-groups", json=body)).json()["customerGroupUid"]
    second = (await api.post("customer-groups", json=body)).json()["customerGroupUid"]

    assert len(first) == 36
    assert first != second


async def test_one_group_is_got_as_it_is_listed(api, shop):
    """get-customer-groups-by-uid."""
    listed = (await api.get("customer-groups")).json()["items"][0]
    answer = await api.get("customer-groups/gold")

    assert (answer.status_code, answer.json()) == (200, listed)


async def test_a_group_is_renamed(api, shop, store):
    """put-customer-groups. Who created it stays."""
    answer = await api.put("customer-groups/gold", json={"name": "Gull"})

    assert answer.status_code == 200
    assert is_group(answer.json())
    assert (answer.json()["name"], answer.json()["lastModifiedBy"]) == ("Gull", "kim")
    assert answer.json()["createdBy"] == "integration"
    assert store.member_uids("shop", "gold") == ["ada", "bob"]


@pytest.mark.parametrize("content", [b"{}", b""])
async def test_a_put_without_a_name_keeps_it(api, shop, content):
    """No name, and no body, are allowed by the schema."""
    headers = {"Content-Type": "application/json"}
    answer = await api.put("customer-groups/gold", content=content, headers=headers)

    assert (answer.status_code, answer.json()["name"]) == (200, "Gold")


async def test_a_group_is_deleted_with_its_memberships(api, shop, store):
    """delete-customer-groups: 204 and no body; the second time it is not there."""
    answer = await api.delete("customer-groups/gold")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await api.delete("customer-groups/gold")).status_code == 404
    assert store.group_uids("shop", "ada") == []


async def test_customers_are_listed_with_paging(api, shop):
    """get-customer-groups-customers."""
    answer = await api.get("customer-groups/gold/customers", params={"pageSize": 1})

    assert answer.status_code == 200
    assert answer.json() == {
        "items": [{"customerUid": "ada", "displayName": "Ada", "customerGroupUids": ["gold"]}],
        "paging": {"pageNumber": 1, "pageSize": 1, "totalCount": 2},
    }


async def test_customers_are_sorted(api, shop):
    """By a field of theirs."""
    params = {"sortBy": "displayName", "sortDirection": "DESC"}
    answer = await api.get("customer-groups/gold/customers", params=params)

    assert [customer["customerUid"] for customer in answer.json()["items"]] == ["bob", "ada"]


async def test_customers_are_added_and_removed(api, shop, store):
    """put-customer-groups-customers: 204 and no body."""
    body = {"addCustomerUids": ["cem", "cem", "bob"], "removeCustomerUids": ["ada", "ada"]}
    answer = await api.put("customer-groups/gold/customers", json=body)

    assert (answer.status_code, answer.content) == (204, b"")
    assert store.member_uids("shop", "gold") == ["bob", "cem"]


@pytest.mark.parametrize("body", [{}, {"addCustomerUids": []}, {"removeCustomerUids": []}])
async def test_no_customers_to_add_or_remove_is_fine(api, shop, store, body):
    """Both lists are optional."""
    answer = await api.put("customer-groups/gold/customers", json=body)

    assert answer.status_code == 204
    assert store.member_uids("shop", "gold") == ["ada", "bob"]


OPERATIONS = [
    ("GET", "customer-groups", None),
    ("POST", "customer-groups", {"name": "New"}),
    ("GET", "customer-groups/gold", None),
    ("PUT", "customer-groups/gold", {"name": "New"}),
    ("DELETE", "customer-groups/gold", None),
    ("GET", "customer-groups/gold/customers", None),
    ("PUT", "customer-groups/gold/customers", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
async def test_every_operation_needs_a_known_bearer_token(api, shop, method, path, body):
    """401, and the answer has nothing of the request in it."""
    del api.headers["Authorization"]
    for header in (None, "", "Bearer", "Bearer ", "Bearer no", "Basic all", "all"):
        headers = {} if header is None else {"Authorization": header}
        answer = await api.request(method, path, json=body, headers=headers)

        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), header
        assert answer.json() == {"message": "A valid bearer token is needed."}


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
async def test_a_token_is_good_for_its_tenants_only(api, shop, store, method, path, body):
    """403, and the data stays."""
    store.add_token("other", ["elsewhere"])
    answer = await api.request(method, path, json=body, headers={"Authorization": "Bearer other"})

    assert answer.status_code == 403
    assert store.group("shop", "gold").name == "Gold"


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
async def test_writes_need_the_permission_customer(api, shop, method, path, body):
    """Reads do not."""
    headers = {"Authorization": "Bearer reading"}
    answer = await api.request(method, path, json=body, headers=headers)

    assert answer.status_code == (200 if method == "GET" else 403)


@pytest.mark.parametrize(
    ("method", "path", "body"), [each for each in OPERATIONS if "gold" in each[1]]
)
@pytest.mark.parametrize("uid", ["platinum", "GOLD", "gold%20", "%2e%2e"])
async def test_a_group_that_is_not_there_is_404(api, shop, method, path, body, uid):
    """Uids are exact."""
    answer = await api.request(method, path.replace("gold", uid), json=body)

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/v2/tenants/shop", 404),
        ("DELETE", "/v2/tenants/shop/", 404),
        ("GET", "/v2/tenants/shop/customers", 404),
        ("GET", "/v2/tenants/shop/customer-groups/", 404),
        ("GET", "/v2/tenants/shop/customer-groups/gold/", 404),
        ("GET", "/v2/tenants/shop/customer-groups/gold%2Fcustomers", 404),
        ("GET", "/tenants/shop/customer-groups", 404),
        ("GET", "/", 404),
        ("DELETE", "/v2/tenants/shop/customer-groups", 405),
        ("PATCH", "/v2/tenants/shop/customer-groups/gold", 405),
        ("POST", "/v2/tenants/shop/customer-groups/gold", 405),
        ("DELETE", "/v2/tenants/shop/customer-groups/gold/customers", 405),
    ],
)
async def test_paths_and_methods_are_exact(api, shop, store, method, path, status):
    """Nothing is redirected, and an encoded slash does not end a uid."""
    answer = await api.request(method, httpx.URL("http://simulator").join(path))

    assert answer.status_code == status
    assert answer.json().keys() == {"message"}
    assert store.count_groups("shop") == 3


@pytest.mark.parametrize("path", ["customer-groups", "customer-groups/gold/customers"])
async def test_a_parameter_of_a_wrong_type_is_400(api, shop, path):
    """Integers are integers, and directions are of the enumeration."""
    for params in [
        *({"pageNumber": number} for number in ("one", "", "1.0", "0", "-1", "99999999999")),
        *({"pageSize": size} for size in ("0", "-5", "\N{FULLWIDTH DIGIT ONE}")),
        *({"sortDirection": direction} for direction in ("asc", "")),
    ]:
        assert (await api.get(path, params=params)).status_code == 400, params


@pytest.mark.parametrize(
    ("method", "path", "bodies"),
    [
        (
            "POST",
            "customer-groups",
            [
                *({}, {"name": None}, {"name": 7}, {"name": "A", "customerGroupUid": None}),
                *({"name": "A", "customerGroupUid": uid} for uid in ("..", " a", "/", "é", 7)),
            ],
        ),
        ("PUT", "customer-groups/gold", [{"name": None}, {"name": ["A"]}]),
        (
            "PUT",
            "customer-groups/gold/customers",
            [{"addCustomerUids": bad} for bad in (None, "ada", [7], [None], [""], ["../x"])],
        ),
    ],
)
async def test_a_body_that_does_not_fit_is_400(api, shop, store, method, path, bodies):
    """Also where it is no JSON, or not an object; and nothing is written."""
    broken = [b"{", b"[]", b"null", b"\xff", b'{"name":"\\ud800"}']
    for content in [*(json.dumps(body).encode() for body in bodies), *broken]:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        answer = await api.request(method, path, content=content, headers=headers)

        # A member that an operation does not know is not looked at.
        if content != broken[-1] or path in ("customer-groups", "customer-groups/gold"):
            assert answer.status_code == 400, content
    assert [group.name for group in store.groups("shop")] == ["Gold", "Silver", "Bronze"]
    assert store.member_uids("shop", "gold") == ["ada", "bob"]


async def test_a_body_must_be_declared_as_json(api, shop):
    """415 for anything else."""
    answer = await api.put("customer-groups/gold", content=b'{"name":"Gull"}')

    assert answer.status_code == 415


async def test_errors_have_nothing_of_the_request_in_them(api, shop):
    """Neither token nor uid nor body."""
    secret = "s3cret"  # noqa: S105  # to look for in the answers
    headers = {"Authorization": f"Bearer {secret}"}
    answers = [
        await api.get("customer-groups", headers=headers),
        await api.get(f"customer-groups/{secret}"),
        await api.get(secret),
        await api.get("customer-groups", params={"pageNumber": secret, secret: "1"}),
        await api.post("customer-groups", json={"name": [secret]}),
        await api.post("customer-groups", json={"name": "A", "customerGroupUid": f"/{secret}"}),
        await api.put("customer-groups/gold/customers", json={"addCustomerUids": [secret]}),
    ]

    assert [answer.status_code for answer in answers] == [401, 404, 404, 400, 400, 400, 404]
    assert not [answer for answer in answers if secret in answer.text + str(answer.headers)]


async def test_the_app_makes_do_with_a_store(store):
    """Switches, journal and faults are made when they are not given."""
    transport = httpx.ASGITransport(create_app(store))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        headers = {"Authorization": "Bearer all"}
        answer = await client.get("/v2/tenants/shop/customer-groups", headers=headers)

    assert answer.status_code == 200
