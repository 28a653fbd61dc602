"""What can be changed: every way that creating, changing and deleting a group can end."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.schema.relay import global_id
from gateway.simulator.faults import Answer, Close, LoseAnswer
from gateway.telemetry import OperationDone
from tests.harness import READER, Flow, Gateway, codes, paths, running_gateway, settings

CREATE = """mutation ($input: CreateCustomerGroupInput!) {
    it: createCustomerGroup(input: $input) {
        customerGroup { id uid tenantUid name revision }
        userErrors { code message field }
    }
}"""
UPDATE = """mutation ($input: UpdateCustomerGroupInput!) {
    it: updateCustomerGroup(input: $input) {
        customerGroup { uid name revision }
        userErrors { code message field }
    }
}"""
DELETE = """mutation ($input: DeleteCustomerGroupInput!) {
    it: deleteCustomerGroup(input: $input) {
        deletedId deletedUid
        userErrors { code message field }
    }
}"""
GOLD = {"uid": "gold"}


async def change(gateway: Gateway, mutation: str, **fields: object) -> Any:
    """The payload of a mutation that has no GraphQL errors."""
    return (await gateway.query(mutation, {"input": fields}))["it"]


def mistake(payload: Any) -> tuple[str, list[str] | None]:
    """The code and field of a payload's only user error; it holds nothing else."""
    [error] = payload["userErrors"]
    assert error["message"].endswith(".")
    assert [value for name, value in payload.items() if name != "userErrors" and value] == []
    return error["code"], error["field"]


async def revision_of(gateway: Gateway, uid: str) -> str:
    group = await gateway.query(
        "query ($uid: ID!) { customerGroup(by: {uid: $uid}) { revision } }", {"uid": uid}
    )
    revision: str = group["customerGroup"]["revision"]
    return revision


# -- create


async def test_a_group_is_made_with_a_uid_of_the_clients_choice(gateway: Gateway, flow: Flow):
    """One REST call, and the payload has all of the group."""
    made = await change(gateway, CREATE, name="Gold members", uid="gold")

    assert made["userErrors"] == []
    assert made["customerGroup"] | {"revision": ""} == {
        "id": global_id("CustomerGroup", "shop", "gold"),
        "uid": "gold",
        "tenantUid": "shop",
        "name": "Gold members",
        "revision": "",
    }
    assert flow.calls == ["POST customer-groups"]


@pytest.mark.parametrize("name", ["Gull \U0001f947", "a\tb\r\nc", "\ufeffx", "\u202ex", "\ufffd"])
async def test_any_other_text_is_a_name(gateway: Gateway, name: str):
    """It goes out as it came in, and comes back."""
    made = await change(gateway, CREATE, name=name)

    assert made["customerGroup"]["name"] == name


async def test_a_group_is_made_with_a_uid_of_the_backends_choice(gateway: Gateway):
    """Where the client has none; null is none as well."""
    absent = await change(gateway, CREATE, name="Gold")
    null = await change(gateway, CREATE, name="Gold", uid=None, key=None, tenantUid=None)

    uids = {payload["customerGroup"]["uid"] for payload in (absent, null)}
    assert len(uids) == 2


async def test_a_group_is_made_in_the_tenant_that_is_named(gateway: Gateway, flow: Flow):
    """The input's own, rather than the default."""
    made = await change(gateway, CREATE, name="Gold", uid="gold", tenantUid="other")

    assert made["customerGroup"]["tenantUid"] == "other"
    assert flow.store.group("other", "gold").name == "Gold"


IMPOSSIBLE_GROUPS: list[tuple[dict[str, Any], str, list[str] | None]] = [
    ({"name": ""}, "INVALID_INPUT", ["input", "name"]),
    ({"name": " \t\n\u00a0"}, "INVALID_INPUT", ["input", "name"]),
    ({"name": "Gold\0"}, "INVALID_INPUT", ["input", "name"]),
    ({"name": "Gold\x1b[31m"}, "INVALID_INPUT", ["input", "name"]),
    ({"name": "Gold\x7f"}, "INVALID_INPUT", ["input", "name"]),
    ({"name": "Gold\uffff"}, "INVALID_INPUT", ["input", "name"]),
    ({"name": "x", "uid": "a\0"}, "INVALID_INPUT", ["input", "uid"]),
    ({"name": "x", "key": "a\0"}, "INVALID_INPUT", ["input", "key"]),
    ({"name": "x", "tenantUid": "shop\0"}, "INVALID_INPUT", ["input", "tenantUid"]),
    ({"name": "x", "uid": ""}, "INVALID_INPUT", ["input", "uid"]),
    ({"name": "x", "uid": ".."}, "INVALID_INPUT", ["input", "uid"]),
    ({"name": "x", "uid": "a/b"}, "INVALID_INPUT", ["input", "uid"]),
    ({"name": "x", "uid": "a" * 129}, "INVALID_INPUT", ["input", "uid"]),
    ({"name": "x", "tenantUid": ""}, "INVALID_INPUT", ["input", "tenantUid"]),
    ({"name": "x", "tenantUid": ".."}, "INVALID_INPUT", ["input", "tenantUid"]),
    ({"name": "x", "key": "gold"}, "UNSUPPORTED_BY_BACKEND", ["input", "key"]),
]


async def test_a_group_that_can_not_be_made_is_refused_before_any_rest_call(
    gateway: Gateway, flow: Flow
):
    """As data, with the input that is wrong."""
    for fields, code, field in IMPOSSIBLE_GROUPS:
        assert mistake(await change(gateway, CREATE, **fields)) == (code, field), fields
        assert flow.calls == [], fields


async def test_a_uid_in_use_is_a_duplicate(gateway: Gateway, flow: Flow):
    """And the group that has it stays as it is."""
    flow.add_group("gold", "Gold members")

    assert mistake(await change(gateway, CREATE, name="Mine", uid="gold"))[0] == "DUPLICATE"
    assert flow.store.group("shop", "gold").name == "Gold members"


@pytest.mark.parametrize(("chosen", "field"), [({}, ["input", "name"]), ({"uid": "x"}, None)])
async def test_a_duplicate_names_its_field_where_it_is_known(
    gateway: Gateway, flow: Flow, chosen, field
):
    """Without a chosen uid only the name can be in use; with one, the backend does not say."""
    flow.fail(Answer(409), method="POST")

    made = await change(gateway, CREATE, name="Gold", **chosen)

    assert mistake(made) == ("DUPLICATE", field)


async def test_what_the_backend_refuses_it_says_why(gateway: Gateway, flow: Flow):
    """In its own sentence."""
    flow.fail(Answer(400, b'{"message": "Names are short"}'), method="POST")

    refused = await change(gateway, CREATE, name="x" * 1000)

    assert mistake(refused)[0] == "REJECTED_BY_BACKEND"
    assert "Names are short." in refused["userErrors"][0]["message"]


async def test_an_answer_that_is_lost_does_not_make_two_groups(gateway: Gateway, flow: Flow):
    """By the chosen uid the gateway finds out what became of it, and does not send it again."""
    flow.fail(LoseAnswer(), method="POST")

    made = await change(gateway, CREATE, name="Gold", uid="gold")

    assert made["customerGroup"]["name"] == "Gold"
    assert flow.calls == ["POST customer-groups", "GET customer-groups/gold"]


async def test_without_a_chosen_uid_a_lost_answer_is_an_unknown_outcome(
    gateway: Gateway, flow: Flow
):
    """The group may be there or not, and to send it again could make two."""
    flow.fail(LoseAnswer(), method="POST")

    made = await change(gateway, CREATE, name="Gold")

    assert mistake(made) == ("OUTCOME_UNKNOWN", None)
    assert flow.calls == ["POST customer-groups"]


async def test_operators_hear_of_an_unknown_outcome(gateway: Gateway, flow: Flow):
    """It is in a payload, for clients discard one that has an error at its path; log and metrics
    count its code all the same.
    """
    flow.fail(LoseAnswer(), method="POST")

    await change(gateway, CREATE, name="Gold")

    [done] = [event for event in gateway.events if isinstance(event, OperationDone)]
    assert done.error_codes == ("OUTCOME_UNKNOWN",)


# -- update


async def test_a_group_is_renamed(gateway: Gateway, flow: Flow):
    """One REST call; a new revision tells that it has changed."""
    flow.add_group("gold")
    before = await revision_of(gateway, "gold")
    flow.journal.clear()

    changed = await change(gateway, UPDATE, customerGroup=GOLD, name="Platinum")

    assert changed["userErrors"] == []
    assert changed["customerGroup"]["name"] == "Platinum"
    assert changed["customerGroup"]["revision"] != before
    assert flow.calls == ["PUT customer-groups/gold"]


async def test_a_group_is_renamed_by_its_global_id(gateway: Gateway, flow: Flow):
    """The id carries the tenant."""
    flow.add_group("gold", tenant="other")
    by = {"id": global_id("CustomerGroup", "other", "gold")}

    changed = await change(gateway, UPDATE, customerGroup=by, name="Platinum")

    assert changed["customerGroup"]["name"] == "Platinum"
    assert flow.store.group("other", "gold").name == "Platinum"


IMPOSSIBLE_CHANGES: list[tuple[dict[str, Any], str, list[str] | None]] = [
    ({"customerGroup": GOLD}, "INVALID_INPUT", None),
    ({"customerGroup": GOLD, "expectedRevision": "x"}, "INVALID_INPUT", None),
    ({"customerGroup": GOLD, "name": None}, "INVALID_INPUT", ["input", "name"]),
    ({"customerGroup": GOLD, "name": " "}, "INVALID_INPUT", ["input", "name"]),
    ({"customerGroup": GOLD, "name": "a\0b"}, "INVALID_INPUT", ["input", "name"]),
    ({"customerGroup": GOLD, "key": "a\0b"}, "INVALID_INPUT", ["input", "key"]),
    ({"customerGroup": GOLD, "key": "k"}, "UNSUPPORTED_BY_BACKEND", ["input", "key"]),
    ({"customerGroup": GOLD, "key": None}, "UNSUPPORTED_BY_BACKEND", ["input", "key"]),
    (
        {"customerGroup": GOLD, "name": "x", "key": "k", "expectedRevision": "r"},
        "UNSUPPORTED_BY_BACKEND",
        ["input", "key"],
    ),
    (
        {"customerGroup": {"uid": ".."}, "name": "x"},
        "INVALID_INPUT",
        ["input", "customerGroup", "uid"],
    ),
    (
        {"customerGroup": {"id": "x"}, "name": "x"},
        "INVALID_INPUT",
        ["input", "customerGroup", "id"],
    ),
    (
        {
            "customerGroup": {"id": global_id("CustomerGroup", "shop", "gold")},
            "tenantUid": "other",
            "name": "x",
        },
        "INVALID_INPUT",
        ["input", "customerGroup", "id"],
    ),
    (
        {"customerGroup": {"id": global_id("Customer", "shop", "ada")}, "name": "x"},
        "INVALID_INPUT",
        ["input", "customerGroup", "id"],
    ),
]


async def test_a_change_that_can_not_be_is_refused_before_any_rest_call(
    gateway: Gateway, flow: Flow
):
    """Nothing of it is done, not even the half that could be."""
    flow.add_group("gold")

    for fields, code, field in IMPOSSIBLE_CHANGES:
        assert mistake(await change(gateway, UPDATE, **fields)) == (code, field), fields
        assert flow.calls == [], fields


async def test_a_change_by_key_is_refused_where_groups_have_none(gateway: Gateway, flow: Flow):
    """For both mutations that find a group."""
    by = {"key": "gold"}

    changed = await change(gateway, UPDATE, customerGroup=by, name="x")
    deleted = await change(gateway, DELETE, customerGroup=by)

    assert mistake(changed)[0] == mistake(deleted)[0] == "UNSUPPORTED_BY_BACKEND"
    assert flow.calls == []


async def test_a_change_of_a_group_that_is_not_there_is_not_found(gateway: Gateway, flow: Flow):
    """A mistake, not null: the client thought that it was."""
    changed = await change(gateway, UPDATE, customerGroup=GOLD, name="x")
    checked = await change(gateway, UPDATE, customerGroup=GOLD, name="x", expectedRevision="r")
    deleted = await change(gateway, DELETE, customerGroup=GOLD)

    assert mistake(changed)[0] == mistake(checked)[0] == mistake(deleted)[0] == "NOT_FOUND"
    assert [call.split()[0] for call in flow.calls] == ["PUT", "GET", "DELETE"]


async def test_a_change_of_the_expected_revision_is_made(gateway: Gateway, flow: Flow):
    """For two REST calls: this backend has no conditional write."""
    flow.add_group("gold")
    revision = await revision_of(gateway, "gold")
    flow.journal.clear()

    changed = await change(
        gateway, UPDATE, customerGroup=GOLD, name="Platinum", expectedRevision=revision
    )

    assert changed["customerGroup"]["name"] == "Platinum"
    assert flow.calls == ["GET customer-groups/gold", "PUT customer-groups/gold"]


async def test_a_change_of_another_revision_is_answered_with_the_state_that_won(
    gateway: Gateway, flow: Flow
):
    """A form can show both, and try again with the new revision."""
    flow.add_group("gold")
    stale = await revision_of(gateway, "gold")
    await change(gateway, UPDATE, customerGroup=GOLD, name="Theirs")
    flow.journal.clear()

    refused = await change(gateway, UPDATE, customerGroup=GOLD, name="Mine", expectedRevision=stale)

    [error] = refused["userErrors"]
    assert (error["code"], error["field"]) == ("REVISION_CONFLICT", ["input", "expectedRevision"])
    assert refused["customerGroup"]["name"] == "Theirs"
    assert flow.calls == ["GET customer-groups/gold"]

    again = await change(
        gateway,
        UPDATE,
        customerGroup=GOLD,
        name="Mine",
        expectedRevision=refused["customerGroup"]["revision"],
    )
    assert again["customerGroup"]["name"] == "Mine"


# -- delete


async def test_a_group_is_deleted_with_its_memberships(gateway: Gateway, flow: Flow):
    """One REST call; the payload says what the client has to forget."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")

    gone = await change(gateway, DELETE, customerGroup=GOLD)

    assert gone == {
        "deletedId": global_id("CustomerGroup", "shop", "gold"),
        "deletedUid": "gold",
        "userErrors": [],
    }
    assert flow.calls == ["DELETE customer-groups/gold"]


async def test_a_group_with_members_is_kept_where_it_has_to_be_empty(gateway: Gateway, flow: Flow):
    """For one more read, of one row."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")

    refused = await change(gateway, DELETE, customerGroup=GOLD, onlyIfEmpty=True)

    assert mistake(refused)[0] == "GROUP_NOT_EMPTY"
    assert flow.calls == ["GET customer-groups/gold/customers"]
    assert flow.queries[0]["pageSize"] == "1"
    assert flow.members("gold") == ["ada"]


async def test_an_empty_group_is_deleted_where_it_has_to_be_empty(gateway: Gateway, flow: Flow):
    """The read, then the delete."""
    flow.add_group("gold")

    gone = await change(gateway, DELETE, customerGroup=GOLD, onlyIfEmpty=True)

    assert gone["deletedUid"] == "gold"
    assert flow.calls == ["GET customer-groups/gold/customers", "DELETE customer-groups/gold"]


async def test_a_group_in_another_revision_is_kept(gateway: Gateway, flow: Flow):
    """Whoever deletes has to have seen what it is now."""
    flow.add_group("gold")
    stale = await revision_of(gateway, "gold")
    await change(gateway, UPDATE, customerGroup=GOLD, name="Theirs")
    flow.journal.clear()

    refused = await change(gateway, DELETE, customerGroup=GOLD, expectedRevision=stale)

    assert mistake(refused) == ("REVISION_CONFLICT", ["input", "expectedRevision"])
    assert flow.calls == ["GET customer-groups/gold"]


async def test_a_group_that_the_backend_keeps_is_said_to_be_kept(gateway: Gateway, flow: Flow):
    """A refusal without a meaning of its own has the backend's sentence."""
    flow.add_group("gold")
    flow.fail(Answer(409, b'{"message": "A price list refers to it"}'), method="DELETE")

    refused = await change(gateway, DELETE, customerGroup=GOLD)

    assert mistake(refused)[0] in ("IN_USE", "REJECTED_BY_BACKEND")
    assert "A price list refers to it." in refused["userErrors"][0]["message"]


@pytest.mark.parametrize(
    "fields", [{"customerGroup": {"uid": ".."}}, {"customerGroup": {"uid": ""}}]
)
async def test_a_dot_segment_deletes_nothing(gateway: Gateway, flow: Flow, fields):
    """`DELETE .../customer-groups/..` would be the tenant itself."""
    assert mistake(await change(gateway, DELETE, **fields))[1] == ["input", "customerGroup", "uid"]
    assert flow.calls == []


# -- failures


@pytest.mark.parametrize(
    ("mutation", "fields"),
    [
        (CREATE, {"name": "x"}),
        (UPDATE, {"customerGroup": GOLD, "name": "x"}),
        (DELETE, {"customerGroup": GOLD}),
    ],
)
@pytest.mark.parametrize(("token", "code"), [(READER, "FORBIDDEN"), (None, "UNAUTHENTICATED")])
async def test_a_missing_right_is_a_graphql_error(
    gateway: Gateway, flow: Flow, mutation, fields, token, code
):
    """There is nothing about the input that the caller could mend."""
    flow.add_group("gold")

    body = await gateway.ask(mutation, {"input": fields}, token=token)

    assert codes(body) == [code]
    assert paths(body) == [["it"]]
    assert body["data"] == {"it": None}


@pytest.mark.parametrize(
    ("mutation", "fields"),
    [
        (UPDATE, {"customerGroup": GOLD, "name": "Platinum"}),
        (DELETE, {"customerGroup": GOLD}),
    ],
)
async def test_a_lost_answer_is_looked_into(gateway: Gateway, flow: Flow, mutation, fields):
    """The change was made, so the payload is that of a change."""
    flow.add_group("gold")
    flow.fail(LoseAnswer(), path="/gold$")

    changed = await change(gateway, mutation, **fields)

    assert changed["userErrors"] == []
    assert [call.split()[0] for call in flow.calls[1:]] == ["GET"]


@pytest.mark.parametrize(
    ("mutation", "fields"),
    [
        (UPDATE, {"customerGroup": GOLD, "name": "Platinum"}),
        (DELETE, {"customerGroup": GOLD}),
    ],
)
async def test_a_change_that_was_not_made_for_certain_is_unknown(
    gateway: Gateway, flow: Flow, mutation, fields
):
    """The connection broke, and the group is as it was: it may still come to pass."""
    flow.add_group("gold")
    flow.fail(Close(), path="/gold$")

    assert mistake(await change(gateway, mutation, **fields)) == ("OUTCOME_UNKNOWN", None)
    assert flow.store.group("shop", "gold").name == "Gold"


# -- several in one document


async def test_what_is_read_after_a_change_is_fresh(gateway: Gateway, flow: Flow):
    """Each payload shows the state behind its own change, not what an earlier one has read."""
    flow.add_group("gold")
    flow.add_group("silver")

    answer = await gateway.query(
        """mutation {
            a: updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "First"}) { ...P }
            b: updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "Second"}) { ...P }
            c: deleteCustomerGroup(input: {customerGroup: {uid: "silver"}}) { deletedUid }
            d: createCustomerGroup(input: {uid: "new", name: "New"}) {
                customerGroup { tenant { ...T } }
            }
        }
        fragment P on UpdateCustomerGroupPayload { customerGroup { name tenant { ...T } } }
        fragment T on Tenant {
            customerGroup(by: {uid: "gold"}) { name }
            customerGroups { totalCount nodes { name } }
        }"""
    )

    def seen(alias: str) -> tuple[str, list[str]]:
        tenant = answer[alias]["customerGroup"]["tenant"]
        names = [node["name"] for node in tenant["customerGroups"]["nodes"]]
        assert tenant["customerGroups"]["totalCount"] == len(names)
        return tenant["customerGroup"]["name"], names

    assert seen("a") == ("First", ["First", "Silver"])
    assert seen("b") == ("Second", ["Second", "Silver"])
    assert seen("d") == ("Second", ["Second", "New"])


async def test_a_changed_group_is_not_fetched_again(gateway: Gateway, flow: Flow):
    """What the backend answered to the change is what the payload's fields show."""
    flow.add_group("gold")

    await gateway.query(
        """mutation { updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "x"}) {
            customerGroup { tenant { customerGroup(by: {uid: "gold"}) { name } } }
        } }"""
    )

    assert flow.calls == ["PUT customer-groups/gold"]


async def test_a_change_that_fails_loses_no_other(gateway: Gateway, flow: Flow):
    """Payloads are nullable for this: the first was made, and its answer has to be told."""
    flow.add_group("gold")
    flow.fail(Answer(403), method="PUT", skip=1)

    body = await gateway.ask(
        """mutation {
            a: updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "A"}) { ...P }
            b: updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "B"}) { ...P }
            c: updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "C"}) { ...P }
        }
        fragment P on UpdateCustomerGroupPayload { customerGroup { name } }"""
    )

    assert codes(body) == ["FORBIDDEN"]
    assert paths(body) == [["b"]]
    assert body["data"] == {
        "a": {"customerGroup": {"name": "A"}},
        "b": None,
        "c": {"customerGroup": {"name": "C"}},
    }


async def test_changes_are_made_one_after_another(gateway: Gateway, flow: Flow):
    """In the document's order, each with its own reads ahead of the next."""
    flow.add_group("gold")

    await gateway.query(
        """mutation {
            a: createCustomerGroup(input: {uid: "a", name: "A"}) {
                customerGroup { customers { totalCount } }
            }
            b: deleteCustomerGroup(input: {customerGroup: {uid: "a"}}) { deletedUid }
            c: createCustomerGroup(input: {uid: "a", name: "A again"}) { customerGroup { name } }
        }"""
    )

    assert flow.calls == [
        "POST customer-groups",
        "GET customer-groups/a/customers",
        "DELETE customer-groups/a",
        "POST customer-groups",
    ]


async def test_a_field_of_a_payload_that_fails_leaves_the_payload(gateway: Gateway, flow: Flow):
    """The change was made; only what was read behind it is missing."""
    flow.add_group("gold")
    flow.fail(Answer(500), path="gold/customers")

    body = await gateway.ask(
        """mutation { it: updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "x"}) {
            customerGroup { name customers { nodes { uid } } }
            userErrors { code }
        } }"""
    )

    assert codes(body) == ["UPSTREAM_UNAVAILABLE"]
    assert body["data"]["it"] == {
        "customerGroup": {"name": "x", "customers": None},
        "userErrors": [],
    }


async def test_without_any_tenant_a_change_is_a_user_error(flow: Flow):
    """It can be repaired in the input."""
    async with running_gateway(settings(flow.url, default_tenant=None)) as gateway:
        refused = await change(gateway, CREATE, name="x")

    assert mistake(refused) == ("INVALID_INPUT", ["input", "tenantUid"])


async def test_a_document_can_not_mix_reads_and_changes(gateway: Gateway, flow: Flow):
    """A mutation's root has no queries: what it reads is in the payloads."""
    body = await gateway.ask('mutation { customerGroup(by: {uid: "gold"}) { name } }')

    assert codes(body) == ["GRAPHQL_VALIDATION_FAILED"]
    assert flow.calls == []
