"""What only commercetools has, in the schema of both: facets, custom fields and keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.schema.relay import global_id
from tests.harness import Flow, Gateway, codes
from tests.two_backends import TYPE, Commercetools

CREATE = """mutation ($input: CreateCustomerGroupInput!) {
    it: createCustomerGroup(input: $input) {
        customerGroup { uid key name commercetools { custom { typeId fields { name value } } } }
        userErrors { code message field }
    }
}"""
UPDATE = """mutation ($input: UpdateCustomerGroupInput!) {
    it: updateCustomerGroup(input: $input) {
        customerGroup { key name commercetools { version custom { fields { name value } } } }
        userErrors { code message field }
    }
}"""
CUSTOM = """query ($names: [String!]) {
    customerGroup(tenantUid: "wien", by: {key: "gold"}) {
        commercetools { custom { fields(names: $names) { name value } } }
    }
}"""
BY_KEY = """query ($key: String!, $tenant: ID) {
    customerGroup(tenantUid: $tenant, by: {key: $key}) { uid name }
}"""
FIELDS = {"code": "KG-1", "discount": 12.5, "texts": {"de": "Hallo", "en": None}, "tags": [1, []]}


@pytest.fixture
def gateway(wide: Gateway) -> Gateway:
    return wide


async def change(gateway: Gateway, mutation: str, **fields: object) -> Any:
    """The payload of a mutation that has no GraphQL errors."""
    return (await gateway.query(mutation, {"input": fields}))["it"]


def mistakes(payload: Any) -> list[tuple[str, list[str] | None]]:
    """The code and field of each user error."""
    return [(error["code"], error["field"]) for error in payload["userErrors"]]


def fields_of(payload: Any) -> dict[str, object]:
    found = payload["customerGroup"]["commercetools"]["custom"]["fields"]
    return {field["name"]: field["value"] for field in found}


# -- facets


async def test_facets_are_null_for_what_another_backend_holds(gateway: Gateway, flow: Flow):
    """Of a group and of a customer; asking for them is no mistake."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")

    answer = await gateway.query(
        """{ customerGroup(by: {uid: "gold"}) {
            key
            commercetools { version }
            customers { nodes { uid commercetools { key version } } }
        } }"""
    )

    assert answer["customerGroup"] == {
        "key": None,
        "commercetools": None,
        "customers": {"nodes": [{"uid": "ada", "commercetools": None}]},
    }


async def test_facets_show_what_the_common_fields_do_not(
    gateway: Gateway, commercetools: Commercetools
):
    """The versions, a customer's key and number, and the custom fields of both."""
    gold = commercetools.add_group("Gold", key="gold", fields={"code": 1})
    custom = {"type": {"typeId": "type", "id": TYPE}, "fields": {"size": 38}}
    commercetools.add_customer(gold, key="ada", customerNumber="K1", custom=custom)

    answer = await gateway.query(
        """query ($uid: ID!) { customerGroup(tenantUid: "wien", by: {uid: $uid}) {
            key
            commercetools { version custom { typeId fields { name value } } }
            customers { nodes { commercetools {
                version key customerNumber custom { typeId fields { name value } }
            } } }
        } }""",
        {"uid": gold},
    )

    assert answer["customerGroup"] == {
        "key": "gold",
        "commercetools": {
            "version": 1,
            "custom": {"typeId": TYPE, "fields": [{"name": "code", "value": 1}]},
        },
        "customers": {
            "nodes": [
                {
                    "commercetools": {
                        "version": 1,
                        "key": "ada",
                        "customerNumber": "K1",
                        "custom": {"typeId": TYPE, "fields": [{"name": "size", "value": 38}]},
                    }
                }
            ]
        },
    }


async def test_a_group_without_a_type_has_no_custom_fields(
    gateway: Gateway, commercetools: Commercetools
):
    """Null, which is not the same as none of them having a value."""
    commercetools.add_group("Gold", key="gold")

    answer = await gateway.query(CUSTOM)

    assert answer["customerGroup"]["commercetools"] == {"custom": None}


# -- custom fields, read


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, list(FIELDS)),
        ({"names": None}, list(FIELDS)),
        ({"names": []}, []),
        ({"names": ["tags", "code", "tags"]}, ["code", "tags"]),
        ({"names": ["nothing"]}, []),
    ],
)
async def test_custom_fields_can_be_chosen_by_name(
    gateway: Gateway, commercetools: Commercetools, given: dict[str, Any], found: list[str]
):
    """Without names all of them, with none of them none; in the order of the REST API."""
    commercetools.add_group("Gold", key="gold", fields=FIELDS)

    answer = await gateway.query(CUSTOM, given)

    fields = answer["customerGroup"]["commercetools"]["custom"]["fields"]
    assert [field["name"] for field in fields] == found


async def test_values_are_any_json(gateway: Gateway, commercetools: Commercetools):
    """Lists and objects as deep as they are, with the nulls in them, and null itself."""
    kept = {**FIELDS, "none": None, "yes": True, "long": 2**62, "text": "\u00e5 \N{SNOWMAN}"}
    commercetools.add_group("Gold", key="gold", fields=kept)

    answer = await gateway.query(CUSTOM)

    assert fields_of(answer) == kept


# -- custom fields, changed


@pytest.mark.parametrize("by", ["typeId", "typeKey"])
async def test_a_group_is_made_with_custom_fields(
    gateway: Gateway, commercetools: Commercetools, by: str
):
    """Of a Type that is named by its id or by its key; a null value is no value."""
    fields = [
        {"name": "texts", "value": {"de": "Hallo", "en": None}},
        {"name": "none", "value": None},
        {"name": "absent"},
    ]
    payload = await change(
        gateway,
        CREATE,
        tenantUid="wien",
        name="Gold",
        key="gold",
        custom={by: "loyalty", "fields": fields},
    )

    assert payload["userErrors"] == []
    assert payload["customerGroup"]["key"] == "gold"
    assert fields_of(payload) == {"texts": {"de": "Hallo", "en": None}}
    [request] = commercetools.journal.requests
    assert json.loads(request.body) == {
        "groupName": "Gold",
        "key": "gold",
        "custom": {
            "type": {"typeId": "type", by[4:].lower(): "loyalty"},
            "fields": {"texts": {"de": "Hallo", "en": None}},
        },
    }


async def test_a_group_is_made_without_custom_fields(
    gateway: Gateway, commercetools: Commercetools
):
    """Absent and null are the same: nothing of it is sent."""
    await change(gateway, CREATE, tenantUid="wien", name="A")
    await change(gateway, CREATE, tenantUid="wien", name="B", key=None, custom=None)

    sent = [json.loads(request.body) for request in commercetools.journal.requests]
    assert sent == [{"groupName": "A"}, {"groupName": "B"}]


async def test_custom_fields_are_set_changed_and_removed_at_once(
    gateway: Gateway, commercetools: Commercetools
):
    """Null and an absent value remove a field; what is not named stays."""
    gold = commercetools.add_group("Gold", fields={"a": 1, "b": 2, "c": 3, "d": 4})

    payload = await change(
        gateway,
        UPDATE,
        tenantUid="wien",
        customerGroup={"uid": gold},
        customFields=[
            {"name": "a", "value": [1, {"x": None}]},
            {"name": "b", "value": None},
            {"name": "c"},
            {"name": "new", "value": False},
        ],
    )

    after = {"a": [1, {"x": None}], "d": 4, "new": False}
    assert payload["userErrors"] == []
    assert fields_of(payload) == commercetools.custom(gold) == after


async def test_removing_a_field_that_is_not_there_is_answered_as_the_backend_says(
    gateway: Gateway, commercetools: Commercetools
):
    """It refuses the whole change, so the name is as it was."""
    gold = commercetools.add_group("Gold", fields={"a": 1})

    payload = await change(
        gateway,
        UPDATE,
        tenantUid="wien",
        customerGroup={"uid": gold},
        name="Silver",
        customFields=[{"name": "b", "value": None}],
    )

    assert mistakes(payload) == [("REJECTED_BY_BACKEND", None)]
    assert commercetools.store.group("wien-live", gold).name == "Gold"


@pytest.mark.parametrize(
    "custom",
    [
        {},
        {"typeId": None, "typeKey": None},
        {"typeId": "a", "typeKey": "b"},
        {"typeId": "a", "typeKey": "b", "fields": [{"name": "x", "value": 1}]},
    ],
)
@pytest.mark.parametrize("tenant", ["wien", "shop"])
async def test_custom_fields_have_one_type(
    gateway: Gateway, flow: Flow, commercetools: Commercetools, custom: object, tenant: str
):
    """By its id or by its key; neither and both are refused before any REST call."""
    payload = await change(gateway, CREATE, tenantUid=tenant, name="Gold", custom=custom)

    assert mistakes(payload) == [("INVALID_INPUT", ["input", "custom"])]
    assert flow.calls == commercetools.calls == []


async def test_a_custom_field_that_is_given_twice_is_refused(
    gateway: Gateway, commercetools: Commercetools
):
    """Which of the two is meant can't be told."""
    twice = [{"name": "a", "value": 1}, {"name": "b"}, {"name": "a"}]
    custom = {"typeId": "t", "fields": twice}
    created = await change(gateway, CREATE, tenantUid="wien", name="Gold", custom=custom)
    updated = await change(
        gateway, UPDATE, tenantUid="wien", customerGroup={"key": "gold"}, customFields=twice
    )

    assert mistakes(created) == [("INVALID_INPUT", ["input", "custom", "fields", "2", "name"])]
    assert mistakes(updated) == [("INVALID_INPUT", ["input", "customFields", "2", "name"])]
    assert commercetools.calls == []


MANY = [{"name": f"f{number}", "value": number} for number in range(501)]


async def test_as_many_custom_fields_as_may_be_are_set(
    gateway: Gateway, commercetools: Commercetools
):
    """Five hundred: as many actions as commercetools takes."""
    gold = commercetools.add_group("Gold", fields={"a": 1})

    payload = await change(
        gateway, UPDATE, tenantUid="wien", customerGroup={"uid": gold}, customFields=MANY[1:]
    )

    assert payload["userErrors"] == []
    assert len(commercetools.custom(gold)) == 501


@pytest.mark.parametrize(
    ("mutation", "sent", "field"),
    [
        (CREATE, {"custom": {"typeId": "t", "fields": MANY}}, ["custom", "fields"]),
        (UPDATE, {"custom": {"typeId": "t", "fields": MANY}}, ["custom", "fields"]),
        (UPDATE, {"customFields": MANY}, ["customFields"]),
        (UPDATE, {"custom": None, "customFields": MANY}, ["customFields"]),
    ],
)
async def test_more_custom_fields_than_may_be_are_refused(
    gateway: Gateway, commercetools: Commercetools, mutation: str, sent: Any, field: list[str]
):
    """With both numbers and the place, before any REST call, as every limit is."""
    whom = {"customerGroup": {"key": "gold"}} if mutation is UPDATE else {}
    given = {"tenantUid": "wien", "name": "Gold", **whom, **sent}

    body = await gateway.ask(mutation, {"input": given})

    [error] = body["errors"]
    assert "data" not in body
    assert "has 501 entries; at most 500" in error["message"]
    assert error["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "field": ["input", *field],
        "limit": "max_custom_fields",
        "allowed": 500,
        "found": 501,
    }
    assert commercetools.calls == []


# -- the JSON scalar


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("5", 5),
        ("-0.5", -0.5),
        ("9223372036854775807", 2**63 - 1),
        ('"text"', "text"),
        ("true", True),
        ("WORD", "WORD"),
        ("[]", []),
        ("[1, [null], {a: 2}]", [1, [None], {"a": 2}]),
        ("{a: {b: null}, c: []}", {"a": {"b": None}, "c": []}),
        ("$whole", {"de": ["x", None]}),
        ("[$part, {a: $part}]", [7, {"a": 7}]),
        ("[$absent, {a: $absent, b: 1}]", [None, {"b": 1}]),
    ],
)
async def test_a_value_is_any_literal_and_any_variable(
    gateway: Gateway, commercetools: Commercetools, literal: str, value: object
):
    """Variables can stand within a literal, too; one that is not sent is null in a list, and leaves
    its field out of an object.
    """
    gold = commercetools.add_group("Gold", key="gold", fields={"a": 0})
    kinds = {"whole": "JSON", "part": "Int", "absent": "ID"}
    used = [f"${name}: {kind}" for name, kind in kinds.items() if f"${name}" in literal]
    mutation = f"""mutation {f"({', '.join(used)})" if used else ""} {{
        it: updateCustomerGroup(input: {{
            tenantUid: "wien", customerGroup: {{key: "gold"}},
            customFields: [{{name: "a", value: {literal}}}]
        }}) {{
            customerGroup {{ commercetools {{ custom {{ fields {{ name value }} }} }} }}
            userErrors {{ message }}
        }}
    }}"""

    answer = await gateway.query(mutation, {"whole": {"de": ["x", None]}, "part": 7})

    assert answer["it"]["userErrors"] == []
    assert fields_of(answer["it"]) == commercetools.custom(gold) == {"a": value}


@pytest.mark.parametrize(
    ("literal", "said"),
    [
        ("1e400", "too large"),
        ("[{a: -1e400}]", "too large"),
        ("[" * 65 + "]" * 65, "64 levels"),
        ("{a: " * 65 + "1" + "}" * 65, "64 levels"),
        (r'"a\u0000"', "U+0000"),
        (r'[{a: ["b", "\u001F"]}]', "U+001F"),
    ],
)
async def test_a_value_that_can_not_be_sent_is_refused(
    gateway: Gateway, commercetools: Commercetools, literal: str, said: str
):
    """An infinite number would go out as null, which removes the field."""
    gold = commercetools.add_group("Gold", key="gold", fields={"a": 0})

    answer = await gateway.query(
        f"""mutation {{ it: updateCustomerGroup(input: {{
            tenantUid: "wien", customerGroup: {{key: "gold"}},
            customFields: [{{name: "a", value: {literal}}}]
        }}) {{ userErrors {{ code message field }} }} }}"""
    )

    [error] = answer["it"]["userErrors"]
    assert error["code"] == "INVALID_INPUT"
    assert error["field"] == ["input", "customFields", "0", "value"]
    assert said in error["message"]
    assert commercetools.custom(gold) == {"a": 0}
    assert commercetools.calls == []


@pytest.mark.parametrize(
    ("custom", "field"),
    [
        ({"typeId": "t\0", "fields": []}, "custom.typeId"),
        ({"typeKey": "\1", "fields": []}, "custom.typeKey"),
        ({"typeId": "t", "fields": [{"name": "a\0", "value": 1}]}, "custom.fields.0.name"),
        ({"typeId": "t", "fields": [{"name": "a", "value": {"\0": 1}}]}, "custom.fields.0.value"),
    ],
)
async def test_a_text_that_can_not_be_stored_everywhere_is_refused(
    gateway: Gateway, commercetools: Commercetools, custom: object, field: str
):
    """Wherever it stands in a draft; nothing is sent."""
    payload = await change(gateway, CREATE, tenantUid="wien", name="Gold", custom=custom)

    assert mistakes(payload) == [("INVALID_INPUT", ["input", *field.split(".")])]
    assert commercetools.calls == []


# -- keys


async def test_a_group_is_found_by_its_key(gateway: Gateway, commercetools: Commercetools):
    """From either field, in one call; a key of another project's group is null."""
    gold = commercetools.add_group("Gold", key="gold")
    commercetools.add_group("Grazer", key="silver", project="graz")

    answer = await gateway.query(
        """{
            root: customerGroup(tenantUid: "wien", by: {key: "gold"}) { uid id }
            tenant(uid: "wien") { customerGroup(by: {key: "gold"}) { uid } }
            none: customerGroup(tenantUid: "wien", by: {key: "silver"}) { uid }
        }"""
    )

    assert answer["root"] == {"uid": gold, "id": global_id("CustomerGroup", "wien", gold)}
    assert answer["tenant"]["customerGroup"] == {"uid": gold}
    assert answer["none"] is None
    assert sorted(commercetools.calls) == [
        "GET customer-groups/key=gold",
        "GET customer-groups/key=silver",
    ]


async def test_a_group_is_changed_and_deleted_by_its_key(
    gateway: Gateway, commercetools: Commercetools
):
    """The payload has its uid, as whoever asked may not know it."""
    gold = commercetools.add_group("Gold", key="gold")
    commercetools.add_customer(gold)
    ada = commercetools.add_customer()

    renamed = await change(
        gateway, UPDATE, tenantUid="wien", customerGroup={"key": "gold"}, name="Silver"
    )
    answer = await gateway.query(
        """mutation ($ada: ID!) {
            edit: updateCustomerGroupMembers(input: {
                tenantUid: "wien", customerGroup: {key: "gold"}, addCustomerUids: [$ada]
            }) { results { status } customerGroup { customers { totalCount } } }
            keep: deleteCustomerGroup(input: {
                tenantUid: "wien", customerGroup: {key: "gold"}, onlyIfEmpty: true
            }) { userErrors { code } }
        }""",
        {"ada": ada},
    )
    for customer in commercetools.store.members("wien-live", gold):
        commercetools.store.remove_customer("wien-live", customer)
    gone = await gateway.query(
        """mutation { deleteCustomerGroup(input: {
            tenantUid: "wien", customerGroup: {key: "gold"}
        }) { deletedId deletedUid userErrors { code } } }"""
    )

    assert renamed["customerGroup"]["name"] == "Silver"
    assert answer["edit"]["results"] == [{"status": "ACCEPTED"}]
    assert answer["edit"]["customerGroup"] == {"customers": {"totalCount": 2}}
    assert answer["keep"]["userErrors"] == [{"code": "GROUP_NOT_EMPTY"}]
    assert gone["deleteCustomerGroup"] == {
        "deletedId": global_id("CustomerGroup", "wien", gold),
        "deletedUid": gold,
        "userErrors": [],
    }


async def test_a_key_is_set_and_removed(gateway: Gateway, commercetools: Commercetools):
    """Null removes it, absent keeps it."""
    gold = commercetools.add_group("Gold")
    keys = []
    for fields in ({"key": "gold"}, {"name": "Silver"}, {"key": None}):
        payload = await change(
            gateway, UPDATE, tenantUid="wien", customerGroup={"uid": gold}, **fields
        )
        keys.append(payload["customerGroup"]["key"])

    assert keys == ["gold", "gold", None]


async def test_a_key_in_use_is_a_duplicate(gateway: Gateway, commercetools: Commercetools):
    """The field says which of the inputs it is."""
    commercetools.add_group("Gold", key="gold")

    payload = await change(gateway, CREATE, tenantUid="wien", name="Other", key="gold")

    assert mistakes(payload) == [("DUPLICATE", ["input", "key"])]


@pytest.mark.parametrize("tenant", ["wien", "shop"])
async def test_a_key_that_can_not_be_is_refused_before_any_rest_call(
    gateway: Gateway, flow: Flow, commercetools: Commercetools, tenant: str
):
    """It could lead to another path; the error names where it was given."""
    for key in ("", ".", "..", "a/b", "a b", "key=a", "\u00e5", "a\n", "x" * 257):
        body = await gateway.ask(BY_KEY, {"key": key, "tenant": tenant})
        payload = await change(
            gateway, UPDATE, tenantUid=tenant, customerGroup={"key": key}, name="Silver"
        )

        assert codes(body) == ["BAD_USER_INPUT"], key
        assert body["errors"][0]["extensions"]["field"] == ["by", "key"]
        assert mistakes(payload) == [("INVALID_INPUT", ["input", "customerGroup", "key"])], key
        assert flow.calls == commercetools.calls == []


async def test_the_longest_key_finds_its_group(gateway: Gateway, commercetools: Commercetools):
    """256 characters, which is more than an identifier can have."""
    commercetools.add_group("Gold", key="k" * 256)

    answer = await gateway.query(BY_KEY, {"key": "k" * 256, "tenant": "wien"})

    assert answer["customerGroup"]["name"] == "Gold"


# -- a backend without them


@pytest.mark.parametrize(
    ("mutation", "fields", "field"),
    [
        (CREATE, {"name": "Gold", "key": "gold"}, ["input", "key"]),
        (CREATE, {"name": "Gold", "custom": {"typeId": "t", "fields": []}}, ["input", "custom"]),
        (UPDATE, {"customerGroup": {"uid": "gold"}, "key": "g"}, ["input", "key"]),
        (UPDATE, {"customerGroup": {"uid": "gold"}, "key": None}, ["input", "key"]),
        (
            UPDATE,
            {"customerGroup": {"uid": "gold"}, "name": "New", "customFields": [{"name": "a"}]},
            ["input", "customFields"],
        ),
        (
            UPDATE,
            {"customerGroup": {"key": "gold"}, "name": "New"},
            ["input", "customerGroup", "key"],
        ),
    ],
)
async def test_what_flow_retail_lacks_is_refused_before_any_rest_call(
    gateway: Gateway, flow: Flow, mutation: str, fields: dict[str, object], field: object
):
    """Never ignored: not even the part that could be done is."""
    flow.add_group("gold", "Gull")

    payload = await change(gateway, mutation, **fields)

    assert mistakes(payload) == [("UNSUPPORTED_BY_BACKEND", field)]
    assert payload["customerGroup"] is None
    assert flow.calls == []


async def test_flow_retail_has_no_groups_by_key(gateway: Gateway, flow: Flow):
    """Not in a query, and not to be deleted or joined."""
    body = await gateway.ask(BY_KEY, {"key": "gold"})
    answer = await gateway.query(
        """mutation {
            gone: deleteCustomerGroup(input: {customerGroup: {key: "gold"}}) {
                userErrors { code }
            }
            edit: updateCustomerGroupMembers(
                input: {customerGroup: {key: "gold"}, addCustomerUids: ["ada"]}
            ) { userErrors { code } }
        }"""
    )

    assert codes(body) == ["UNSUPPORTED_BY_BACKEND"]
    for payload in answer.values():
        assert payload["userErrors"] == [{"code": "UNSUPPORTED_BY_BACKEND"}]
    assert flow.calls == []


async def test_a_group_gets_a_type_loses_it_and_gets_another(
    gateway: Gateway, commercetools: Commercetools
):
    """`custom` replaces all custom fields, null removes them, and without it they stay."""
    group = {"uid": commercetools.add_group("Gold")}
    named = [{"name": "tier", "value": 1}, {"name": "colour", "value": "gold"}]
    by_id, by_key = {"typeId": TYPE, "fields": named}, {"typeKey": "other", "fields": named[:1]}

    states = [
        await change(gateway, UPDATE, tenantUid="wien", customerGroup=group, **given)
        for given in ({"custom": by_id}, {"name": "Au"}, {"custom": by_key}, {"custom": None})
    ]

    assert [state["userErrors"] for state in states] == [[]] * 4
    customs = [state["customerGroup"]["commercetools"]["custom"] for state in states]
    shown = [custom and [field["name"] for field in custom["fields"]] for custom in customs]
    assert shown == [["tier", "colour"], ["tier", "colour"], ["tier"], None]


async def test_flow_retail_groups_get_no_type(gateway: Gateway, flow: Flow):
    """Refused before any REST call, with the input field that it is about."""
    flow.add_group("gold")

    payload = await change(
        gateway, UPDATE, customerGroup={"uid": "gold"}, custom={"typeId": TYPE, "fields": []}
    )

    assert mistakes(payload) == [("UNSUPPORTED_BY_BACKEND", ["input", "custom"])]
    assert flow.calls == []


async def test_a_customer_that_the_backend_shows_broken_says_why_it_failed(
    gateway: Gateway, commercetools: Commercetools
):
    """Without its version it can't be changed; the customer beside it is."""
    gold = commercetools.add_group("Gold")
    whole = commercetools.add_customer(lastName="Whole")
    broken = commercetools.add_customer(lastName="Broken", version="?")

    payload = await change(
        gateway,
        """mutation ($input: UpdateCustomerGroupMembersInput!) {
            it: updateCustomerGroupMembers(input: $input) {
                results { customerUid status error { code message } }
                userErrors { code }
            }
        }""",
        tenantUid="wien",
        customerGroup={"uid": gold},
        addCustomerUids=[whole, broken],
    )

    first, second = payload["results"]
    assert (first["status"], first["error"]) == ("ACCEPTED", None)
    assert second["status"] == "FAILED"
    assert second["error"]["code"] == "UPSTREAM_INVALID_ANSWER"
    assert "version" in second["error"]["message"]
