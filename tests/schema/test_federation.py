"""What a router asks: the SDL, and entities by their keys."""

from __future__ import annotations

import pytest

from gateway.schema.relay import global_id
from tests.harness import Flow, Gateway, codes, paths, running_gateway, settings

ENTITIES = """
    query ($representations: [_Any!]!) {
        _entities(representations: $representations) {
            __typename
            ... on CustomerGroup { uid name }
            ... on Tenant { tenantUid: uid }
        }
    }
"""
GOLD = {"__typename": "CustomerGroup", "tenantUid": "shop", "uid": "gold"}

BAD = {
    "a number": 5,
    "a string": "CustomerGroup",
    "a list": [GOLD, GOLD],
    "nothing in it": {},
    "no type": {"tenantUid": "shop", "uid": "gold"},
    "an unknown type": GOLD | {"__typename": "Order"},
    "a type that is a list": GOLD | {"__typename": ["CustomerGroup"]},
    "a type that is an object": GOLD | {"__typename": {}},
    "a type that is null": GOLD | {"__typename": None},
    "a type that is no entity": GOLD | {"__typename": "PageInfo"},
    "the query": {"__typename": "Query"},
    "an interface": {"__typename": "Node", "id": "x"},
    "a scalar": {"__typename": "DateTime"},
    "no key": {"__typename": "CustomerGroup"},
    "half a key": {"__typename": "CustomerGroup", "uid": "gold"},
    "the other half": {"__typename": "CustomerGroup", "tenantUid": "shop"},
    "a null in the key": GOLD | {"uid": None},
    "a fraction in the key": GOLD | {"uid": 5.5},
    "a boolean in the key": GOLD | {"uid": True},
    "an integer of 4,000 digits in the key": GOLD | {"uid": 10**4_000},
    "an object in the key": GOLD | {"uid": {"uid": "gold"}},
    "a uid that can't be": GOLD | {"uid": ".."},
    "a tenant that can't be": GOLD | {"tenantUid": "a/b"},
    "an id that is none": {"__typename": "CustomerGroup", "id": "x"},
    "an id of another type": {
        "__typename": "CustomerGroup",
        "id": global_id("Customer", "shop", "ada"),
    },
    "an id of another tenant": {
        "__typename": "CustomerGroup",
        "id": global_id("CustomerGroup", "other", "gold"),
        "tenantUid": "shop",
    },
    "an id of another group": GOLD | {"id": global_id("CustomerGroup", "shop", "silver")},
    "an id and the uid of another group": {
        "__typename": "CustomerGroup",
        "id": global_id("CustomerGroup", "shop", "gold"),
        "uid": "silver",
    },
    "a tenant without uid": {"__typename": "Tenant"},
    "a tenant by an id that is none": {"__typename": "Tenant", "id": "shop"},
    "a tenant by a group's id": {
        "__typename": "Tenant",
        "id": global_id("CustomerGroup", "shop", "gold"),
    },
    "a tenant by the id of another": {
        "__typename": "Tenant",
        "id": global_id("Tenant", "other"),
        "uid": "shop",
    },
    "a tenant with a uid that can't be": {"__typename": "Tenant", "uid": ""},
    "a customer, which can't be resolved": {
        "__typename": "Customer",
        "tenantUid": "shop",
        "uid": "ada",
    },
    "a customer by id": {"__typename": "Customer", "id": global_id("Customer", "shop", "ada")},
}


async def test_the_sdl_needs_no_token(gateway: Gateway, flow: Flow):
    """A router composes before anyone asks."""
    answer = await gateway.query("{ _service { sdl } }", token=None)

    sdl = answer["_service"]["sdl"]
    assert 'url: "https://specs.apollo.dev/federation/v2.9"' in sdl
    assert '@key(fields: "id") @key(fields: "tenantUid uid")' in sdl
    assert '@key(fields: "id", resolvable: false)' in sdl
    assert flow.calls == []


async def test_a_group_is_an_entity_by_either_key(gateway: Gateway, flow: Flow):
    """Both at once, and other fields that a router sends along are no harm."""
    flow.add_group("gold")
    by_id = {"__typename": "CustomerGroup", "id": global_id("CustomerGroup", "shop", "gold")}

    found = await gateway.query(
        ENTITIES, {"representations": [GOLD, by_id, GOLD | by_id, GOLD | {"name": "x", "n": 5}]}
    )

    gold = {"__typename": "CustomerGroup", "uid": "gold", "name": "Gold"}
    assert found["_entities"] == [gold] * 4
    assert flow.calls == ["GET customer-groups/gold"]


async def test_an_integer_may_stand_for_an_id(gateway: Gateway, flow: Flow):
    """As in any place that takes one."""
    flow.add_group("5")

    found = await gateway.query(ENTITIES, {"representations": [GOLD | {"uid": 5}]})

    assert [group["uid"] for group in found["_entities"]] == ["5"]


async def test_a_tenant_is_an_entity_and_costs_nothing(gateway: Gateway, flow: Flow):
    """By its uid, its id or both; only what is asked of it is fetched."""
    by_uid, by_id = {"uid": "other"}, {"id": global_id("Tenant", "other")}
    tenants = [{"__typename": "Tenant", **by} for by in (by_uid, by_id, by_uid | by_id)]

    found = await gateway.query(ENTITIES, {"representations": tenants})

    assert found["_entities"] == [{"__typename": "Tenant", "tenantUid": "other"}] * 3
    assert flow.calls == []


async def test_entities_of_one_request_are_one_batch(gateway: Gateway, flow: Flow):
    """Thirty groups on one page are one REST call, whichever keys they come by."""
    uids = flow.add_groups(30)
    representations = [
        GOLD | {"uid": uid}
        if number % 2
        else {"__typename": "CustomerGroup", "id": global_id("CustomerGroup", "shop", uid)}
        for number, uid in enumerate(uids)
    ]

    found = await gateway.query(ENTITIES, {"representations": representations})

    assert [entity["uid"] for entity in found["_entities"]] == uids
    assert flow.calls == ["GET customer-groups"]


async def test_an_entity_that_does_not_exist_is_null(gateway: Gateway, flow: Flow):
    """Without an error, as for any lookup."""
    flow.add_group("gold")

    found = await gateway.query(ENTITIES, {"representations": [GOLD | {"uid": "gone"}, GOLD]})

    assert [entity and entity["uid"] for entity in found["_entities"]] == [None, "gold"]


@pytest.mark.slow
async def test_a_bad_representation_harms_no_other(gateway: Gateway, flow: Flow):
    """It is an error in its own place; its neighbours are answered."""
    flow.add_group("gold")
    gold = {"__typename": "CustomerGroup", "uid": "gold", "name": "Gold"}
    for kind, bad in BAD.items():
        flow.journal.clear()

        body = await gateway.ask(ENTITIES, {"representations": [GOLD, bad, GOLD]})

        assert body["data"]["_entities"] == [gold, None, gold], kind
        assert paths(body) == [["_entities", 1]], kind
        assert codes(body)[0] in ("BAD_USER_INPUT", "UNSUPPORTED_BY_BACKEND"), kind
        assert flow.calls == ["GET customer-groups/gold"], kind


async def test_all_bad_representations_at_once_cost_no_rest_call(gateway: Gateway, flow: Flow):
    """Each has its error, and none of them is a bug of ours."""
    body = await gateway.ask(ENTITIES, {"representations": list(BAD.values())})

    assert body["data"]["_entities"] == [None] * len(BAD)
    assert sorted(path[1] for path in paths(body)) == list(range(len(BAD)))
    assert flow.calls == []


async def test_representations_can_be_written_into_the_document(gateway: Gateway, flow: Flow):
    """As some routers do."""
    flow.add_group("gold")

    found = await gateway.query(
        """{ _entities(representations: [
            {__typename: "CustomerGroup", tenantUid: "shop", uid: "gold"}
        ]) { ... on CustomerGroup { name } } }"""
    )

    assert found["_entities"] == [{"name": "Gold"}]


async def test_a_null_representation_is_refused_by_its_type(gateway: Gateway):
    """`[_Any!]!` says that there is none."""
    body = await gateway.ask(ENTITIES, {"representations": [None]})

    assert codes(body) == ["GRAPHQL_VALIDATION_FAILED"]


async def test_a_representation_counts_once_however_often_it_is_sent(flow: Flow):
    """Each is answered; what is no part of a key makes no difference."""
    flow.add_group("gold", "Gold")
    silver = GOLD | {"uid": "silver"}
    nested: list[object] = []
    for _ in range(200):
        nested = [nested]
    sent = [GOLD, silver, GOLD, GOLD | {"extra": nested}, 5, "CustomerGroup"]

    async with running_gateway(settings(flow.url, max_entities=3)) as gateway:
        body = await gateway.ask(ENTITIES, {"representations": sent})
        refused = await gateway.ask(
            ENTITIES, {"representations": [GOLD | {"uid": f"g{number}"} for number in range(4)]}
        )

    gold = {"__typename": "CustomerGroup", "uid": "gold", "name": "Gold"}
    assert body["data"]["_entities"] == [gold, None, gold, gold, None, None]
    assert codes(body) == ["BAD_USER_INPUT", "BAD_USER_INPUT"]
    assert codes(refused) == ["LIMIT_EXCEEDED"]


@pytest.mark.slow
async def test_distinct_groups_are_counted_and_not_representations(gateway: Gateway, flow: Flow):
    """1,001 of 60 groups, each with another field that is no part of a key, are one REST call."""
    uids = flow.add_groups(60)
    sent = [GOLD | {"uid": uids[number % 60], "name": f"{number}"} for number in range(1_001)]

    found = await gateway.query(ENTITIES, {"representations": sent})

    assert [each["uid"] for each in found["_entities"]] == [each["uid"] for each in sent]
    assert flow.calls == ["GET customer-groups"]


async def test_entities_under_aliases_count_together(flow: Flow):
    """For all places of a router's operation there is one limit; it is none of fields or tokens."""
    flow.add_group("gold")
    places = range(60)
    variables = " ".join(f"$v{n}: [_Any!]!" for n in places)
    fields = " ".join(
        f"p{n}: _entities(representations: $v{n}) {{ ... on CustomerGroup {{ name }} }}"
        for n in places
    )
    query = f"query ({variables}) {{ {fields} }}"
    async with running_gateway(settings(flow.url, max_entities=60)) as gateway:
        same = await gateway.query(query, {f"v{n}": [GOLD] for n in places})
        each = {f"v{n}": [GOLD, GOLD | {"uid": f"g{n}"}] for n in places}
        refused = await gateway.ask(query, each)

    assert same == {f"p{n}": [{"name": "Gold"}] for n in places}
    assert flow.calls == ["GET customer-groups/gold"]
    assert refused["errors"][0]["extensions"]["limit"] == "max_entities"


BY_KEYS = {
    "uid": "... on CustomerGroup { tenantUid uid }",
    "id": "... on CustomerGroup { id }",
    "type": "__typename",
    "tenant": "... on CustomerGroup { tenant { uid } }",
}


@pytest.mark.parametrize("asked", BY_KEYS)
async def test_one_key_of_a_group_is_made_of_the_other_without_a_rest_call(
    gateway: Gateway, flow: Flow, asked
):
    """So a group that is gone is not null here; whoever asks for more of it learns that."""
    by_id = {"__typename": "CustomerGroup", "id": global_id("CustomerGroup", "shop", "gone")}
    shown = {
        "uid": {"tenantUid": "shop", "uid": "gone"},
        "id": {"id": by_id["id"]},
        "type": {"__typename": "CustomerGroup"},
        "tenant": {"tenant": {"uid": "shop"}},
    }
    query = f"query ($r: [_Any!]!) {{ _entities(representations: $r) {{ {BY_KEYS[asked]} }} }}"

    body = await gateway.ask(query, {"r": [by_id, GOLD | {"uid": "gone"}]})

    assert body["data"] == {"_entities": [shown[asked]] * 2}
    assert body["extensions"]["cost"]["restCallsPlanned"] == 0
    assert flow.calls == []


async def test_only_callers_with_a_token_have_keys_translated(gateway: Gateway, flow: Flow):
    """As all else about groups; the tenant is the one that anybody may ask about."""
    query = f"query ($r: [_Any!]!) {{ _entities(representations: $r) {{ {BY_KEYS['id']} }} }}"

    body = await gateway.ask(query, {"r": [GOLD]}, token=None)

    assert body["data"] == {"_entities": [None]}
    assert codes(body) == ["UNAUTHENTICATED"]


@pytest.mark.parametrize(
    "more", ["name", "customers { totalCount }", "tenant { customerGroups { totalCount } }"]
)
async def test_a_group_of_which_more_is_asked_is_looked_up(gateway: Gateway, flow: Flow, more):
    """It is null if it is gone."""
    query = f"""query ($r: [_Any!]!) {{
        _entities(representations: $r) {{ ... on CustomerGroup {{ uid {more} }} }} }}"""

    found = await gateway.query(query, {"r": [GOLD]})

    assert found == {"_entities": [None]}
    assert "GET customer-groups/gold" in flow.calls


async def test_a_node_that_is_gone_is_null_whatever_is_asked_of_it(gateway: Gateway, flow: Flow):
    """Its `id` is the only thing that Relay asks for, if it wants to know just that."""
    id = global_id("CustomerGroup", "shop", "gone")

    found = await gateway.query(
        "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }", {"id": id}
    )

    assert found == {"node": None, "nodes": [None]}
    assert flow.calls == ["GET customer-groups/gone"]
