"""Update actions, one after the other and each with its errors."""

import pytest

CUSTOM = {"type": {"typeId": "type", "id": "t1"}, "fields": {"a": 1, "b": [True]}}


@pytest.fixture(autouse=True)
def shop(store):
    """Gold is plain and silver has custom fields; ada is in gold, by both of the ways."""
    store.add_group("shop", "Gold", id="gold", key="gold-key")
    store.add_group("shop", "Silver", id="silver", custom=CUSTOM)
    store.add_customer("shop", {"id": "ada", "lastName": "L"}, ["gold"], legacy_group="gold")


@pytest.fixture
def update(api):
    """Send actions to a path, with version 1 unless another is given; the answer's JSON."""

    async def send(path: str, *actions: dict, version: int = 1) -> dict:
        answer = await api.post(path, json={"version": version, "actions": list(actions)})
        body = answer.json()
        assert body.get("statusCode", 200) == answer.status_code
        return body

    return send


def refused(body: dict) -> str:
    """The code of a 400."""
    assert body["statusCode"] == 400
    return body["errors"][0]["code"]


@pytest.mark.parametrize(
    ("path", "action", "expected"),
    [
        ("gold", {"action": "changeName", "name": "Gull"}, {"name": "Gull"}),
        ("gold", {"action": "changeName", "name": "Gold"}, {"name": "Gold"}),
        ("gold", {"action": "setKey", "key": "g_1-A"}, {"key": "g_1-A"}),
        ("gold", {"action": "setKey"}, {"key": None}),
        ("gold", {"action": "setKey", "key": None}, {"key": None}),
        ("gold", {"action": "setCustomType", **CUSTOM}, {"custom": CUSTOM}),
        (
            "gold",
            {"action": "setCustomType", "type": {"typeId": "type", "id": "t2"}},
            {"custom": {"type": {"typeId": "type", "id": "t2"}, "fields": {}}},
        ),
        ("silver", {"action": "setCustomType"}, {"custom": None}),
        (
            "silver",
            {"action": "setCustomField", "name": "a", "value": {"de": "x"}},
            {"custom": {**CUSTOM, "fields": {"a": {"de": "x"}, "b": [True]}}},
        ),
        (
            "silver",
            {"action": "setCustomField", "name": "b", "value": None},
            {"custom": {**CUSTOM, "fields": {"a": 1}}},
        ),
        (
            "silver",
            {"action": "setCustomField", "name": "b"},
            {"custom": {**CUSTOM, "fields": {"a": 1}}},
        ),
    ],
)
async def test_an_action_on_a_group(api, update, path, action, expected):
    """What is answered is what is there."""
    body = await update(f"customer-groups/{path}", action)

    assert {name: body.get(name) for name in expected} == expected
    assert body["version"] == 2
    assert body["lastModifiedBy"] == {"clientId": "kim", "isPlatformClient": False}
    assert (await api.get(f"customer-groups/{path}")).json() == body


@pytest.mark.parametrize(
    ("path", "action", "expected"),
    [
        ("gold", {"action": "fly"}, "InvalidJsonInput"),
        ("gold", {}, "InvalidJsonInput"),
        ("gold", {"action": ["changeName"], "name": "x"}, "InvalidJsonInput"),
        ("gold", {"action": "setCustomerGroup"}, "InvalidJsonInput"),
        ("gold", {"action": "changeName"}, "InvalidJsonInput"),
        ("gold", {"action": "changeName", "name": 7}, "InvalidJsonInput"),
        ("gold", {"action": "changeName", "name": ""}, "InvalidField"),
        ("gold", {"action": "changeName", "name": "Silver"}, "DuplicateField"),
        ("gold", {"action": "setKey", "key": "!"}, "InvalidField"),
        ("silver", {"action": "setKey", "key": "gold-key"}, "DuplicateField"),
        ("gold", {"action": "setCustomType", "type": {}}, "InvalidJsonInput"),
        ("gold", {"action": "setCustomField", "name": "a", "value": 1}, "InvalidOperation"),
        ("silver", {"action": "setCustomField", "name": "c"}, "InvalidOperation"),
        ("silver", {"action": "setCustomField", "value": 1}, "InvalidJsonInput"),
    ],
)
async def test_a_refused_action_takes_the_others_with_it(api, update, path, action, expected):
    """Nothing is changed, and the version stays."""
    before = (await api.get(f"customer-groups/{path}")).json()
    body = await update(
        f"customer-groups/{path}", {"action": "changeName", "name": "Other"}, action
    )

    assert refused(body) == expected
    assert (await api.get(f"customer-groups/{path}")).json() == before


async def test_duplicates_are_named(update):
    """The field, and the value in it."""
    body = await update("customer-groups/gold", {"action": "changeName", "name": "Silver"})

    error = body["errors"][0]
    assert (error["field"], error["duplicateValue"]) == ("name", "Silver")


async def test_each_action_sees_what_those_before_it_have_done(update):
    """And each is one step of the version."""
    body = await update(
        "customer-groups/gold",
        {"action": "setCustomType", **CUSTOM},
        {"action": "setCustomField", "name": "c", "value": 3},
        {"action": "setCustomField", "name": "a"},
    )

    assert body["custom"]["fields"] == {"b": [True], "c": 3}
    assert body["version"] == 4


async def test_no_action_is_no_change(update):
    """The version is checked all the same."""
    body = await update("customer-groups/gold")

    assert (body["version"], body["lastModifiedAt"]) == (1, body["createdAt"])


async def test_there_are_at_most_500_actions(update):
    """One more is refused."""
    rename = {"action": "changeName", "name": "Gull"}
    assert (await update("customer-groups/gold", *[rename] * 500))["version"] == 501

    assert refused(await update("customer-groups/gold", *[rename] * 501, version=501)) == (
        "InvalidInput"
    )


@pytest.mark.parametrize(
    "body",
    [
        {"actions": []},
        {"version": "1", "actions": []},
        {"version": 1},
        {"version": 1, "actions": {}},
        {"version": 1, "actions": ["x"]},
        {"version": None, "actions": []},
    ],
)
async def test_an_update_has_a_version_and_actions(api, body):
    """Of the right types."""
    for path in ("customer-groups/gold", "customers/ada"):
        assert refused((await api.post(path, json=body)).json()) == "InvalidJsonInput"


def assign(**group: str) -> dict:
    """addCustomerGroupAssignment."""
    assignment = {"customerGroup": {"typeId": "customer-group", **group}}
    return {"action": "addCustomerGroupAssignment", "customerGroupAssignment": assignment}


def unassign(**group: str) -> dict:
    """removeCustomerGroupAssignment."""
    reference = {"typeId": "customer-group", **group}
    return {"action": "removeCustomerGroupAssignment", "customerGroup": reference}


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([assign(id="silver")], ["gold", "silver"]),
        ([assign(id="gold")], ["gold"]),
        ([unassign(id="gold")], []),
        ([unassign(key="gold-key")], []),
        ([unassign(id="silver")], ["gold"]),
        ([unassign(id="gold"), assign(id="silver"), assign(key="gold-key")], ["silver", "gold"]),
    ],
)
async def test_a_customer_is_assigned_and_unassigned(update, store, actions, expected):
    """By id or by key; the older field is another matter."""
    body = await update("customers/ada", *actions)

    assert store.group_ids("shop", "ada") == expected
    assert [a["customerGroup"]["id"] for a in body["customerGroupAssignments"]] == expected
    assert (body["version"], body["lastName"]) == (1 + len(actions), "L")
    assert body["customerGroup"]["id"] == "gold"


async def test_the_older_single_group_is_set_and_removed(update):
    """Assignments are another matter."""
    silver = {"typeId": "customer-group", "id": "silver"}
    changed = await update("customers/ada", {"action": "setCustomerGroup", "customerGroup": silver})
    removed = await update("customers/ada", {"action": "setCustomerGroup"}, version=2)

    assert changed["customerGroup"] == silver
    assert "customerGroup" not in removed
    assert len(removed["customerGroupAssignments"]) == 1


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (assign(id="nothing"), "ReferencedResourceNotFound"),
        (assign(key="nothing"), "ReferencedResourceNotFound"),
        (unassign(id="nothing"), "ReferencedResourceNotFound"),
        (
            {"action": "setCustomerGroup", "customerGroup": {"id": "nothing"}},
            "ReferencedResourceNotFound",
        ),
        (assign(), "InvalidJsonInput"),
        ({"action": "addCustomerGroupAssignment"}, "InvalidJsonInput"),
        ({"action": "changeName", "name": "x"}, "InvalidJsonInput"),
    ],
)
async def test_a_refused_action_on_a_customer_changes_nothing(update, store, action, expected):
    """Not even what came before it."""
    body = await update("customers/ada", assign(id="silver"), action)

    assert refused(body) == expected
    assert store.group_ids("shop", "ada") == ["gold"]
    assert store.customer("shop", "ada").version == 1


async def test_a_reference_to_nothing_says_what_it_was(update):
    """By id or by key."""
    by_id = (await update("customers/ada", assign(id="x")))["errors"][0]
    by_key = (await update("customers/ada", assign(key="y")))["errors"][0]

    assert (by_id["typeId"], by_id["id"]) == ("customer-group", "x")
    assert (by_key["typeId"], by_key["key"]) == ("customer-group", "y")


async def test_a_reference_that_outlived_its_group_can_be_removed(update, store):
    """Though the group can't be found."""
    store.remove_group("shop", "gold")
    body = await update("customers/ada", unassign(id="gold"))

    assert body["customerGroupAssignments"] == []


async def test_a_customer_has_at_most_500_assignments(update, store):
    """One more is refused; one that is there already is not one more."""
    store.add_customer("shop", {"id": "bob"}, ["gold", *(f"g{n}" for n in range(499))])

    assert refused(await update("customers/bob", assign(id="silver"))) == "InvalidOperation"
    assert (await update("customers/bob", assign(id="gold")))["version"] == 2
