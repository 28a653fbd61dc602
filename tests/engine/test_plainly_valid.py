"""What is proved valid is valid by every rule, and most of what is valid is proved."""

from __future__ import annotations

import os
import re
import timeit
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import strawberry
from graphql import (
    DocumentNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSyntaxError,
    build_schema,
    introspection_types,
    parse,
    validate,
)
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig

from benchmarks import workloads
from gateway.engine import Limits
from gateway.engine._documents.limits import TOKEN, document_refusals
from gateway.engine._documents.plainly_valid import plainly_valid
from gateway.engine._documents.rules import mark_one_of, rules
from tests.attacks import ATTACKS, LIMITS
from tests.engine.operations import operations
from tests.engine.selections import documents
from tests.engine.test_against_the_oracle import ARGUMENTS, CHANGES, GROUPS
from tests.harness import schema

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "300"))
ROOT: Final = Path(__file__).parents[2]
SCHEMA: Final = schema()._schema
mark_one_of(SCHEMA)


def proved(text: str, schema: GraphQLSchema = SCHEMA) -> bool:
    return plainly_valid(schema, parse(text))


def mistakes(
    document: DocumentNode, schema: GraphQLSchema = SCHEMA, limits: Limits = LIMITS
) -> list[str]:
    """By all rules: without introspection there is one more."""
    found = validate(schema, document, rules(limits, introspection=False))
    return [error.message for error in found]


# -- every rule


class Implied(NamedTuple):
    """How a proof implies that a rule finds nothing, and what it would find something in."""

    how: str
    broken: tuple[str, ...]
    schema: GraphQLSchema = SCHEMA


@strawberry.type
class Query:
    @strawberry.field
    def maybe(self, given: strawberry.Maybe[int]) -> int:
        return 1


MAYBE: Final = strawberry.Schema(Query, config=StrawberryConfig())._schema
STREAMS: Final = build_schema(
    "directive @other on FIELD type Query { a: Int } type Subscription { a: Int b: Int }"
)

RULES: Final[dict[str, Implied]] = {
    "EnoughSaid": Implied("It finds nothing itself.", ()),
    "MaybeNullValidationRule": Implied(
        "The literal null is a doubt.", ("{ maybe(given: null) }",), MAYBE
    ),
    "OneOfVariables": Implied(
        "The field of such an object is treated as a non-null one.",
        (
            "query ($u: ID) { customerGroup(by: {uid: $u}) { uid } }",
            'query ($u: ID = "a") { customerGroup(by: {uid: $u}) { uid } }',
        ),
    ),
    "ExecutableDefinitionsRule": Implied(
        "Each is an operation.",
        ("{ __typename } type A { a: Int }", "{ __typename } extend type Query { a: Int }"),
    ),
    "KnownOperationTypesRule": Implied(
        "The schema has a root type for each operation.", ("mutation { __typename }",), STREAMS
    ),
    "UniqueOperationNamesRule": Implied(
        "Of several operations there are as many names.",
        ("query A { __typename } mutation A { __typename }",),
    ),
    "LoneAnonymousOperationRule": Implied(
        "Of several operations there are as many names.",
        ("{ __typename } query A { __typename }", "{ __typename } { __typename }"),
    ),
    "SingleFieldSubscriptionsRule": Implied(
        "Subscriptions are a doubt.", ("subscription { a b }",), STREAMS
    ),
    "KnownTypeNamesRule": Implied(
        "Variables are of input types, and inline fragments on composite types, of the schema.",
        (
            "{ ... on Nothing { __typename } }",
            "{ ...F } fragment F on Nothing { __typename }",
            "query ($v: Nothing) { customerGroups(first: $v) { totalCount } }",
            "query ($v: [Nothing!]!) { nodes(ids: $v) { id } }",
        ),
    ),
    "FragmentsOnCompositeTypesRule": Implied(
        "Each is on a composite type.",
        ("{ ... on ID { __typename } }", "{ ...F } fragment F on Long { __typename }"),
    ),
    "VariablesAreInputTypesRule": Implied(
        "Each is of an input type.",
        (
            "query ($v: CustomerGroup) { customerGroups(first: $v) { totalCount } }",
            "query ($v: [Node]) { nodes(ids: $v) { id } }",
        ),
    ),
    "ScalarLeafsRule": Implied(
        "What has selections is of a composite type, and what has none is not.",
        (
            "{ __typename { a } }",
            "{ customerGroups }",
            '{ customerGroup(by: {uid: "a"}) { uid { a } } }',
            '{ customerGroup(by: {uid: "a"}) { uid { } } }',
        ),
    ),
    "FieldsOnCorrectTypeRule": Implied(
        "Each is __typename or among the fields of its type; a union has none.",
        (
            "{ unknown }",
            '{ node(id: "a") { uid } }',
            "query ($r: [_Any!]!) { _entities(representations: $r) { uid } }",
            "mutation { __schema { description } }",
        ),
    ),
    "UniqueFragmentNamesRule": Implied(
        "Definitions of fragments are a doubt.",
        ("{ ...F } fragment F on Query { __typename } fragment F on Query { __typename }",),
    ),
    "KnownFragmentNamesRule": Implied("Spreads are a doubt.", ("{ ...F }",)),
    "NoUnusedFragmentsRule": Implied(
        "Definitions of fragments are a doubt.",
        (
            "{ __typename } fragment F on Query { __typename }",
            "{ ...F } fragment F on Query { __typename } fragment G on Query { __typename }",
            "{ __typename } fragment F on Query { ...G } fragment G on Query { __typename }",
        ),
    ),
    "PossibleFragmentSpreadsRule": Implied(
        "The types overlap; only inline ones are no doubt.",
        (
            "{ ... on Mutation { __typename } }",
            "{ ...F } fragment F on Tenant { uid }",
            '{ node(id: "a") { ... on Customer { uid } } }',
            '{ node(id: "a") { ... on _Entity { ... on Customer { ... on Node { id } } } } }',
        ),
    ),
    "NoFragmentCyclesRule": Implied(
        "Spreads are a doubt.",
        (
            "{ ...F } fragment F on Query { ...F }",
            "{ ...F } fragment F on Query { ...G } fragment G on Query { __typename ...F }",
            "{ tenant { ...F } } fragment F on Tenant "
            '{ customerGroup(by: {uid: "a"}) { tenant { ...F } } }',
        ),
    ),
    "UniqueVariableNamesRule": Implied(
        "Each has another name than those before.",
        ("query ($v: Int, $v: Int) { customerGroups(first: $v) { totalCount } }",),
    ),
    "NoUndefinedVariablesRule": Implied(
        "Each is among those of the operation whose fields are walked.",
        (
            "{ customerGroups(first: $v) { totalCount } }",
            "query A($v: Int) { ...F } query B { ...F } "
            "fragment F on Query { customerGroups(first: $v) { totalCount } }",
            "{ __typename @skip(if: $v) }",
        ),
    ),
    "NoUnusedVariablesRule": Implied(
        "As many are used, starting at the operation, as it has.",
        (
            "query ($v: Int) { __typename }",
            "query A($v: Int) { customerGroups(first: $v) { totalCount } } "
            "query B($v: Int) { __typename }",
        ),
    ),
    "KnownDirectivesRule": Implied(
        "They are @skip and @include, on a field or an inline fragment.",
        (
            "{ __typename @unknown }",
            "{ __typename @deprecated }",
            "query @skip(if: true) { __typename }",
            "{ ...F } fragment F on Query @skip(if: true) { __typename }",
            "query ($v: Int @skip(if: true)) { customerGroups(first: $v) { totalCount } }",
        ),
    ),
    "UniqueDirectivesPerLocationRule": Implied(
        "There are as many names as directives.",
        ("{ __typename @skip(if: true) @skip(if: true) }",),
    ),
    "DeferStreamDirectiveOnRootField": Implied(
        "Directives other than @skip and @include are a doubt.",
        ("mutation { ... @defer { __typename } }",),
    ),
    "DeferStreamDirectiveOnValidOperationsRule": Implied(
        "Directives other than @skip and @include are a doubt.",
        ("subscription { a @stream }",),
        STREAMS,
    ),
    "DeferStreamDirectiveLabel": Implied(
        "Directives other than @skip and @include are a doubt.",
        ('{ ... @defer(label: "a") { __typename } ... @defer(label: "a") { __typename } }',),
    ),
    "StreamDirectiveOnListField": Implied(
        "Directives other than @skip and @include are a doubt.", ("{ tenant @stream { uid } }",)
    ),
    "KnownArgumentNamesRule": Implied(
        "Each is among those of its field or directive.",
        (
            "{ customerGroups(unknown: 1) { totalCount } }",
            "{ __typename(a: 1) }",
            "{ __typename @skip(if: true, unless: false) }",
        ),
    ),
    "UniqueArgumentNamesRule": Implied(
        "There are as many names as arguments.",
        (
            "{ customerGroups(first: 1, first: 1) { totalCount } }",
            "{ __typename @skip(if: true, if: true) }",
        ),
    ),
    "ValuesOfCorrectTypeRule": Implied(
        "Lists and objects stand where such are expected, and objects have known fields and all "
        "required ones; of other literals graphql-core decides, as in the rule.",
        (
            '{ customerGroup(by: {uid: "a", key: "b"}) { uid } }',
            "{ customerGroup(by: {}) { uid } }",
            "{ customerGroup(by: {uid: null}) { uid } }",
            '{ customerGroups(first: "1") { totalCount } }',
            "{ customerGroups(first: 2147483648) { totalCount } }",
            "{ customerGroups(first: [1]) { totalCount } }",
            "{ customerGroups(first: 1.0) { totalCount } }",
            "{ customerGroups(after: 1) { totalCount } }",
            "{ customerGroups(orderBy: NAME) { totalCount } }",
            "{ customerGroups(orderBy: {field: UNKNOWN}) { totalCount } }",
            '{ customerGroups(orderBy: {field: "NAME"}) { totalCount } }',
            "{ customerGroups(orderBy: {field: NAME, unknown: 1}) { totalCount } }",
            "{ customerGroups(orderBy: {direction: ASC}) { totalCount } }",
            "{ nodes(ids: [1, true]) { id } }",
            "{ nodes(ids: [[1]]) { id } }",
            "{ nodes(ids: [null]) { id } }",
            "{ node(id: null) { id } }",
            "{ __typename @skip(if: 1) }",
            "query ($v: Int = true) { customerGroups(first: $v) { totalCount } }",
            "query ($v: Int! = null) { customerGroups(first: $v) { totalCount } }",
        ),
    ),
    "ProvidedRequiredArgumentsRule": Implied(
        "Those that are required are given.",
        ("{ node { id } }", "{ __typename @skip }", '{ customerGroup(tenantUid: "a") { uid } }'),
    ),
    "VariablesInAllowedPositionRule": Implied(
        "Each has the type that is expected, or its non-null type.",
        (
            "query ($v: Int) { node(id: $v) { id } }",
            "query ($v: ID) { node(id: $v) { id } }",
            "query ($v: ID!) { nodes(ids: $v) { id } }",
            "query ($v: ID) { nodes(ids: [$v]) { id } }",
            "query ($v: [ID]!) { nodes(ids: $v) { id } }",
            "query ($v: Boolean) { __typename @skip(if: $v) }",
            "query ($v: CustomerGroupSortDirection) { customerGroups(orderBy: {field: $v}) "
            "{ totalCount } }",
        ),
    ),
    "FieldsCanBeMerged": Implied(
        "Of one response name there is one field, in all selection sets that are for one object.",
        (
            '{ customerGroup(by: {uid: "a"}) { a: uid a: name } }',
            '{ customerGroup(by: {uid: "a"}) { a: createdBy a: lastModifiedBy } }',
            "query ($r: [_Any!]!) { _entities(representations: $r) "
            "{ ... on Customer { customerGroups { __typename } } "
            "... on Tenant { customerGroups { __typename } } } }",
            "{ tenant { uid } tenant { uid: __typename } }",
            "{ tenant { uid } ...F } fragment F on Query { tenant { uid: __typename } }",
            '{ tenant { uid } tenant(uid: "a") { uid } }',
            '{ tenant(uid: "b") { uid } tenant(uid: "a") { uid } }',
            "query ($r: [_Any!]!) { _entities(representations: $r) "
            "{ ... on Customer { a: email } ... on CustomerGroup { a: name } } }",
            "{ tenant { " + "uid " * 150 + "} }",
        ),
    ),
    "UniqueInputFieldNamesRule": Implied(
        "There are as many names as input fields.",
        ("{ customerGroups(orderBy: {field: NAME, field: NAME}) { totalCount } }",),
    ),
    "MaxIntrospectionDepthRule": Implied(
        "Introspection is a doubt.",
        (
            "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
            '{ __type(name: "Query") { fields { type { fields { type { fields { name } } } } } } }',
        ),
    ),
    "NoSchemaIntrospectionCustomRule": Implied(
        "Introspection is a doubt.",
        ("{ __schema { description } }", '{ ... { __type(name: "Query") { name } } }'),
    ),
}


def test_every_rule_is_thought_of():
    """One that graphql-core adds, or we do, has to be implied by a proof, or made to be."""
    assert [rule.__name__ for rule in rules(LIMITS, introspection=False)] == [*RULES]


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, implied in RULES.items() for text in implied.broken]
)
def test_what_a_rule_forbids_is_not_proved(rule: str, text: str):
    """And it is that rule which forbids it."""
    [checked] = [each for each in rules(LIMITS, introspection=False) if each.__name__ == rule]
    schema = RULES[rule].schema

    assert validate(schema, parse(text), [checked])
    assert not proved(text, schema)


# -- what is proved

KEPT: Final = {
    **{
        path.stem: path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "examples").glob("*.graphql"))
    },
    **{
        f"{path.stem} {number}": text
        for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        # For other schemas, and with directives that only Relay's compiler knows.
        if path.stem not in ("supergraph", "clients")
        for number, text in enumerate(
            re.findall(r"```graphql\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        )
    },
    **{
        name: text
        for name, text in vars(workloads).items()
        if name.isupper() and isinstance(text, str) and "{" in text and not name.startswith("_")
    },
}
DOUBTED: Final = {
    "08_entities": "a response name, which two inline fragments repeat",
    "09_two_tenants": "a fragment, which both tenants spread",
    "10_custom_fields": "a null, as the value of a custom field",
}


@pytest.mark.parametrize("name", KEPT)
def test_our_documents_are_proved(name: str):
    """Those of the examples, the documents and the benchmark, but for what is known."""
    assert mistakes(parse(KEPT[name])) == []
    assert proved(KEPT[name]) == (name not in DOUBTED)


@pytest.mark.parametrize(
    "text",
    [
        "query A { __typename } query B { __typename }",
        "mutation ($i: DeleteCustomerGroupInput!) { deleteCustomerGroup(input: $i) { deletedId } }",
        "query ($n: Int = 5) { customerGroups(first: $n) { totalCount } }",
        "query ($o: CustomerGroupSort = {field: NAME}) "
        "{ customerGroups(orderBy: $o) { totalCount } }",
        "query ($f: CustomerGroupSortField!) "
        "{ customerGroups(orderBy: {field: $f, direction: DESC}) { totalCount } }",
        'query ($u: ID!) { nodes(ids: [$u, "b", 1]) { id } }',
        "{ nodes(ids: 1) { id } }",
        "{ node(id: 1) { id ... on CustomerGroup { uid name } ... { __typename } } }",
        "{ tenant { uid } other: tenant { uid backend { kind } } }",
        "query ($r: [_Any!]!) { _entities(representations: $r) "
        "{ ... on Customer { email } ... on CustomerGroup { uid ... on _Entity { __typename } } } "
        "}",
        "query ($y: Boolean!) { a: __typename @skip(if: $y) @include(if: true) "
        "... @include(if: $y) { b: __typename } }",
        '"""Described""" query A("""Too""" $n: Int) { customerGroups(first: $n) { totalCount } }',
    ],
)
def test_what_is_plain_is_proved(text: str):
    """Something of each kind."""
    assert mistakes(parse(text)) == []
    assert proved(text)


@pytest.mark.parametrize(
    "text",
    [
        "{ ...F } fragment F on Query { __typename }",
        "{ tenant { uid uid } }",
        "{ tenant { uid } tenant { uid } }",
        "{ tenant { uid ... on Tenant { uid } } }",
        "{ tenant { ... { uid } ... { ... { uid } } } }",
        "query ($r: [_Any!]!) { _entities(representations: $r) "
        "{ ... on Customer { uid } ... on CustomerGroup { uid } } }",
    ],
)
def test_fragments_and_repeated_names_are_a_doubt(text: str):
    """What it takes to compare them is for graphql-core to say, however valid they are."""
    assert mistakes(parse(text)) == []
    assert not proved(text)


def test_what_is_proved_compares_nothing():
    """So it is within every limit of comparisons."""
    none = Limits(max_comparisons=0)
    text = "{ a: tenant { uid ... on Tenant { b: uid } } c: tenant { uid } }"

    assert proved(text)
    assert mistakes(parse(text), limits=none) == []


def test_introspection_is_a_doubt_by_any_name():
    """Should a schema have a field for it."""
    schema = GraphQLSchema(
        GraphQLObjectType("Query", {"mine": GraphQLField(introspection_types["__Type"])})
    )
    text = "{ mine { __typename } }"

    assert mistakes(parse(text), schema)
    assert not proved(text, schema)


@pytest.mark.slow
def test_a_proof_takes_a_fraction_of_the_time():
    """A tenth and less, measured generously."""
    document, chosen = parse(workloads.NEW_TEXT), rules(LIMITS, introspection=False)

    proving = min(timeit.repeat(lambda: plainly_valid(SCHEMA, document), number=50))
    validating = min(timeit.repeat(lambda: validate(SCHEMA, document, chosen), number=50))

    assert proving < validating / 5


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_not_proved_by_mistake(attack: str):
    """Some of them are valid."""
    try:
        document = parse(ATTACKS[attack], max_lexical_tokens=LIMITS.max_tokens)
    except GraphQLSyntaxError:
        return
    if not document_refusals(document, LIMITS) and plainly_valid(SCHEMA, document):
        assert mistakes(document) == []


# -- documents that are made up

COMPARISONS: Final = st.sampled_from([0, 10, 50, 200, 1_000, 10_000, 10_000])
IDS: Final = [f'"{uid}"' for uid in GROUPS]

made_up = hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    database=None,
)


def compare(counts: Counter[str], text: str, comparisons: int) -> None:
    """What is proved has no mistakes; how much is proved of what has none is counted."""
    limits = Limits(max_comparisons=comparisons)
    try:
        document = parse(text)
    except GraphQLSyntaxError:
        counts["not parsed"] += 1
        return
    found = mistakes(document, limits=limits)
    holds = plainly_valid(SCHEMA, document)
    counts["invalid" if found else "valid and proved" if holds else "valid, a doubt"] += 1
    assert not (holds and found), (text, found)


def share(counts: Counter[str]) -> float:
    """Of valid documents, those that are proved."""
    return counts["valid and proved"] / (counts["valid and proved"] + counts["valid, a doubt"])


def report(record_property, what: str, counts: Counter[str]) -> None:
    for outcome, count in counts.items():
        record_property("Proved", (what, outcome, count))


@pytest.mark.slow
def test_most_operations_are_proved(record_property):
    """But for entities whose representations are literals: those are of a scalar."""
    counts: Counter[str] = Counter()
    of_entities: Counter[str] = Counter()

    @made_up
    @given(
        operations(tenant="shop", groups=GROUPS, cursors=lambda _of: ["c"], unbounded=True),
        COMPARISONS,
    )
    def check(text: str, comparisons: int) -> None:
        compare(of_entities if "_entities" in text else counts, text, comparisons)

    check()
    report(record_property, "operations", counts)
    report(record_property, "operations for entities", of_entities)
    assert share(counts) >= 0.9


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ("0", True),
        ("999999999", True),
        ("-99999999", True),
        ("2147483647", True),
        ("2147483648", False),
        ("-2147483649", False),
        ("9" * 5_000, False),
        ("1.0", False),
        ('"1"', False),
        ("true", False),
    ],
)
def test_integers_are_proved_within_their_bounds(value: str, valid: bool):
    """Short ones by their length."""
    assert proved(f"{{ customerGroups(first: {value}) {{ totalCount }} }}") == valid


@pytest.mark.parametrize("value", ['""', '"a"', '"\\u00e9"', '"""b"""', "1", "a", "true", "1.5"])
@pytest.mark.parametrize("place", ["customerGroups(after: %s)", "customerGroup(by: {uid: %s})"])
def test_strings_and_ids_are_proved_as_they_are_validated(place: str, value: str):
    """A string may be an ID, and so may an integer."""
    below = "totalCount" if "Groups" in place else "uid"
    text = f"{{ {place.replace('%s', value)} {{ {below} }} }}"

    assert proved(text) == (mistakes(parse(text)) == [])


SOURCES: Final = [
    *KEPT.values(),
    *(text for implied in RULES.values() if implied.schema is SCHEMA for text in implied.broken),
]
KINDS: Final = (re.compile("[A-Za-z_]"), re.compile("-?[0-9]"), re.compile('"'), re.compile(""))


def kind(token: str) -> int:
    return next(number for number, start in enumerate(KINDS) if start.match(token))


TOKENS: Final = [
    sorted(
        {each[0] for text in SOURCES for each in TOKEN.finditer(text) if kind(each[0]) == number}
    )
    for number in range(len(KINDS))
]


def end_of(tokens: list[str], start: int) -> int:
    """Where the selection, argument or other part ends that starts there, more or less."""
    end = start + 1
    if tokens[start] in ("...", "$", "@"):
        end += 1
    if tokens[end : end + 1] == [":"]:
        end += 2
    while end < len(tokens) and tokens[end] in "({[":
        depth = 0
        while end < len(tokens):
            depth += (tokens[end] in "({[") - (tokens[end] in ")}]")
            end += 1
            if not depth:
                break
    return end


def places(tokens: list[str]) -> list[str]:
    """For each token, what it is and what is opened around it: the same stand in the same ways."""
    opened, found = [""], []
    for each in tokens:
        if each in ")}]" and len(opened) > 1:
            opened.pop()
        found.append(f"{kind(each)} {opened[-1]}")
        if each in "({[":
            opened.append(each)
    return found


@st.composite
def mutated(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text with a few tokens or parts removed, repeated, copied, exchanged or replaced; as a rule
    so that it can still be parsed.
    """
    tokens = [token[0] for token in TOKEN.finditer(draw(texts)) if token["token"]]
    chance = draw(st.randoms(use_true_random=True))
    changes = ["remove", "repeat", "copy", "copy", "exchange", "replace", "replace", "replace"]
    for _ in range(chance.randint(1, 3)):
        found = places(tokens)
        inside = [at for at, token in enumerate(tokens) if re.match(r"[\w\".$@]", token)]
        start = chance.choice(inside)
        end = end_of(tokens, start)
        other = chance.choice([at for at, place in enumerate(found) if place == found[start]])
        match chance.choice([*changes, "token"]):
            case "remove" if len(tokens) > end - start:
                del tokens[start:end]
            case "repeat":
                tokens[start:start] = tokens[start:end]
            case "copy":
                tokens[other:other] = tokens[start:end]
            case "exchange":
                tokens[start], tokens[other] = tokens[other], tokens[start]
            case "replace":
                tokens[start] = chance.choice(TOKENS[kind(tokens[start])])
            case _:
                tokens[chance.randrange(len(tokens))] = tokens[other]
        tokens = tokens if any(re.match(r"\w", token) for token in tokens) else ["{", "a", "}"]
    return " ".join(tokens)


@pytest.mark.slow
def test_mutations_are_proved_right(record_property):
    """Of our own documents, of those that break a rule, and of those that are made up."""
    counts: Counter[str] = Counter()
    some = operations(tenant="shop", groups=GROUPS, cursors=lambda _of: ["c"], unbounded=True)
    made = some | documents(SCHEMA, ARGUMENTS, levels=3, changes=CHANGES)

    @made_up
    @given(mutated(st.sampled_from(SOURCES) | made), COMPARISONS)
    def check(text: str, comparisons: int) -> None:
        compare(counts, text, comparisons)

    check()
    report(record_property, "mutated", counts)
    assert counts["valid and proved"] > 0 < counts["invalid"]
