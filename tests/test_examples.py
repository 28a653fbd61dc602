"""The examples, run against the demo's data: they work, and cost what they say."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    parse,
)

from gateway.http.graphiql import CDN
from gateway.schema import create_schema
from gateway.settings import TenantSettings
from gateway.simulator.commercetools.demo_data import fill as fill_commercetools
from gateway.simulator.flow_retail.demo_data import fill
from gateway.simulator.flow_retail.store import Store
from tests.harness import Flow, Gateway, running_flow, running_gateway
from tests.two_backends import Commercetools, both, running_commercetools

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.graphql"))
SCHEMA = create_schema()._schema
Fragments = Mapping[str, FragmentDefinitionNode]
TOKEN = "demo-token"  # noqa: S105  # for data that is made up
HEADERS = {"X-Commercetools-Authorization": "Bearer demo-ct-token"}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """The demo's data, once for all examples: they leave it as it was, but for some members."""
    with Store() as store:
        fill(store)
        yield store


@pytest.fixture
async def flow(store: Store) -> AsyncIterator[Flow]:
    async with running_flow(Flow(store), keep=True) as running:
        yield running


@pytest.fixture
async def commercetools() -> AsyncIterator[Commercetools]:
    async with running_commercetools() as running:
        # All of the demo's groups and a few of its customers: no example counts them.
        fill_commercetools(running.store, customers=50)
        yield running


@pytest.fixture
async def gateway(flow: Flow, commercetools: Commercetools) -> AsyncIterator[Gateway]:
    chosen = both(flow.url, commercetools.url, default_tenant="demo")
    upstream = replace(chosen.commercetools, bearer_header="X-Commercetools-Authorization")
    tenants = {"demo-ct": TenantSettings(upstream=upstream)}
    async with running_gateway(replace(chosen, tenants=tenants)) as running:
        yield running


def text_of(name: str) -> str:
    return (ROOT / "examples" / f"{name}.graphql").read_text(encoding="utf-8")


def variables_of(name: str) -> dict[str, Any]:
    beside = ROOT / "examples" / f"{name}.json"
    return json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}


def nulls(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all nulls."""
    if value is None:
        yield path
    elif isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from nulls(part, (*path, key))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_works_and_costs_what_it_says(
    gateway: Gateway, flow: Flow, commercetools: Commercetools, name: str
):
    """Without an error, and with the REST calls that its comment promises."""
    text = text_of(name)
    promised = re.search(r"^# Costs (\d+) REST calls?\b", text, re.MULTILINE)

    await gateway.query(text, variables_of(name), token=TOKEN, headers=HEADERS)

    assert promised is not None
    assert len(flow.calls) + len(commercetools.calls) == int(promised[1])


def test_there_are_no_variables_without_an_example():
    """Each .json stands beside its .graphql, and an example without variables has none."""
    documents = {name: parse(text_of(name)) for name in EXAMPLES}
    with_variables = {
        name
        for name, document in documents.items()
        if document.definitions[0].variable_definitions  # type: ignore[attr-defined]
    }

    assert {path.stem for path in (ROOT / "examples").glob("*.json")} == with_variables


def selected(selections: SelectionSetNode, of: str, fragments: Fragments) -> Iterator[FieldNode]:
    """The fields that objects of the type `of` show, those of fragments included."""
    for one in selections.selections:
        if isinstance(one, FieldNode):
            yield one
            continue
        fragment = fragments[one.name.value] if isinstance(one, FragmentSpreadNode) else one
        on = fragment.type_condition.name.value
        if of in {each.name for each in objects(on)}:
            yield from selected(fragment.selection_set, of, fragments)


def objects(name: str) -> Sequence[GraphQLObjectType]:
    kind = SCHEMA.type_map[name]
    return SCHEMA.get_possible_types(kind) if is_abstract_type(kind) else [kind]


def without_id(
    selections: SelectionSetNode, name: str, fragments: Fragments, path: str = ""
) -> Iterator[str]:
    """Where objects have an `id` that is not asked for."""
    for each in objects(name):
        fields = [
            field
            for field in selected(selections, each.name, fragments)
            if field.name.value in each.fields
        ]
        if fields and "id" in each.fields.keys() - {field.name.value for field in fields}:
            yield f"{path}: {each.name}"
        for field in fields:
            if field.selection_set:
                of = get_named_type(each.fields[field.name.value].type).name
                at = f"{path}.{field.name.value}"
                yield from without_id(field.selection_set, of, fragments, at)


@pytest.mark.parametrize(
    "path",
    [*(ROOT / "examples").glob("*.graphql"), CDN / "welcome.graphql"],
    ids=lambda path: path.stem,
)
def test_an_example_asks_for_the_id_of_all_that_has_one(path: Path):
    """People copy them, and clients' caches find by it what they have."""
    definitions = parse(path.read_text(encoding="utf-8")).definitions
    fragments = {
        definition.name.value: definition
        for definition in definitions
        if isinstance(definition, FragmentDefinitionNode)
    }

    for definition in definitions:
        if isinstance(definition, OperationDefinitionNode):
            root = definition.operation.value.capitalize()
            assert list(without_id(definition.selection_set, root, fragments)) == []


@pytest.mark.slow
async def test_the_members_page_can_be_followed_to_its_end(gateway: Gateway):
    """As its comment says: each answer's endCursor is the next one's `after`."""
    text, given = text_of("03_paging"), variables_of("03_paging")
    seen: list[str] = []
    while True:
        answer = await gateway.query(text, given, token=TOKEN, headers=HEADERS)
        customers = answer["customerGroup"]["customers"]
        seen += [edge["node"]["id"] for edge in customers["edges"]]
        if not customers["pageInfo"]["hasNextPage"]:
            break
        given["after"] = customers["pageInfo"]["endCursor"]

    total = await gateway.query(
        '{ customerGroup(by: {uid: "gull"}) { customers { totalCount } } }',
        token=TOKEN,
        headers=HEADERS,
    )
    assert len(seen) == len(set(seen)) == total["customerGroup"]["customers"]["totalCount"]


@pytest.mark.slow
async def test_the_changes_end_as_their_comments_say(gateway: Gateway):
    """Made, refused for the revision, renamed, deleted."""
    answer = await gateway.query(text_of("05_change_group"), token=TOKEN, headers=HEADERS)

    errors = {alias: payload["userErrors"] for alias, payload in answer.items()}
    assert [error["code"] for error in errors.pop("save")] == ["REVISION_CONFLICT"]
    assert errors == {"create": [], "rename": [], "delete": []}
    assert answer["save"]["customerGroup"]["name"] == "Sommer 2026"
    assert answer["rename"]["customerGroup"]["name"] == "Sommerklubben"


@pytest.mark.slow
async def test_the_membership_edit_is_a_success_however_often_it_is_sent(gateway: Gateway):
    """Nobody fails, and the group has those who were to join."""
    text, given = text_of("06_membership"), variables_of("06_membership")
    for _ in range(2):
        answer = await gateway.query(text, given, token=TOKEN, headers=HEADERS)

        payload = answer["updateCustomerGroupMembers"]
        assert payload["userErrors"] == []
        assert {result["status"] for result in payload["results"]} <= {"ACCEPTED", "UNCHANGED"}
        assert payload["customerGroup"]["customers"]["totalCount"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["04_refetch", "08_entities"])
async def test_what_is_referred_to_is_there(gateway: Gateway, name: str):
    """No example looks for something that the demo lacks."""
    answer = await gateway.query(text_of(name), variables_of(name), token=TOKEN, headers=HEADERS)

    assert list(nulls(answer)) == []


@pytest.mark.slow
async def test_the_groups_of_two_tenants_stand_side_by_side(gateway: Gateway):
    """Each with what its system has; the facet of the other is null."""
    answer = await gateway.query(
        text_of("09_two_tenants"), variables_of("09_two_tenants"), token=TOKEN, headers=HEADERS
    )

    kinds = {
        alias: {node["tenant"]["backend"]["kind"] for node in groups["nodes"]}
        for alias, groups in answer.items()
    }
    assert kinds == {"here": {"FLOW_RETAIL"}, "there": {"COMMERCETOOLS"}}
    assert all(len(groups["nodes"]) == 5 for groups in answer.values())
    assert all(node["commercetools"] is None for node in answer["here"]["nodes"])
    assert any(node["commercetools"]["custom"] for node in answer["there"]["nodes"])


@pytest.mark.slow
async def test_the_custom_fields_end_as_their_comments_say(gateway: Gateway):
    """Made with three, one changed and one removed; then the group is gone, and can be made
    again.
    """
    for _ in range(2):
        answer = await gateway.query(
            text_of("10_custom_fields"),
            variables_of("10_custom_fields"),
            token=TOKEN,
            headers=HEADERS,
        )

        assert all(payload["userErrors"] == [] for payload in answer.values())
        made, changed = (
            {field["name"]: field["value"] for field in custom["fields"]}
            for custom in (
                answer[alias]["customerGroup"]["commercetools"]["custom"]
                for alias in ("create", "update")
            )
        )
        assert made == {
            "erpCode": "KG-2026",
            "rabattProzent": 15,
            "hinweis": {"de": "Nur im Sommer.", "en": "Summer only."},
        }
        assert changed == {"erpCode": "KG-2026", "rabattProzent": 20}
        assert answer["delete"]["deletedUid"] == answer["create"]["customerGroup"]["uid"]


@pytest.mark.slow
async def test_the_readme_shows_what_the_demo_answers(gateway: Gateway, flow: Flow):
    """Its query, its answer to the letter, and the REST calls that it counts; a picture shows
    what is told of them.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    query = re.findall(r"```graphql\n(.*?)```", readme, re.DOTALL)[0]
    shown = json.loads(re.findall(r"```json\n(.*?)```", readme, re.DOTALL)[0])

    body = await gateway.ask(query, {"group": "gull"}, token=TOKEN, headers=HEADERS)

    told = body["extensions"].pop("rest")["calls"]
    assert body == shown
    assert [call["source"] for call in told].count("network") == 5
    assert "five REST calls" in readme
    assert len(flow.calls) == 5
