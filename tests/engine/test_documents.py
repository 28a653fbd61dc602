"""What reading a document gives, what it keeps, and how long it takes at the most."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from sys import getsizeof

import pytest
from graphql import GraphQLError, get_introspection_query, parse, validate
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.engine import Limits, Refused
from gateway.engine._documents.documents import BYTES_PER_DOCUMENT, MISTAKES, Document, Documents
from gateway.engine._documents.rules import PAGE
from tests.attacks import ATTACKS
from tests.conftest import Stalled
from tests.engine.caches import taken as taken_by
from tests.harness import schema
from tests.stalls import longest_stall

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.graphql"))
INTROSPECTION = get_introspection_query(
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
    experimental_directive_deprecation=True,
    one_of=True,
)
FEDERATION = """query ($representations: [_Any!]!) {
    _service { sdl }
    _entities(representations: $representations) { ... on CustomerGroup { name } __typename }
}"""
STALL = 0.05
SCHEMA = schema()._schema


def documents(*, memory: int = 1_000_000, production: bool = True, **limits: int) -> Documents:
    return Documents(
        SCHEMA,
        Limits(**limits),
        memory=memory,
        suggestions=not production,
        introspection=not production,
    )


def read(documents: Documents, text: str) -> Document:
    document = documents.read(text)
    assert isinstance(document, Document), [error.message for error in document]
    return document


def refusals(documents: Documents, text: str) -> Sequence[GraphQLError]:
    errors = documents.read(text)
    assert not isinstance(errors, Document)
    return errors


def numbers(error: GraphQLError) -> tuple[object, ...]:
    extensions = error.extensions or {}
    return tuple(extensions.get(name) for name in ("limit", "allowed", "found"))


# -- what it takes


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("profile", ["production", "development"])
async def test_no_document_holds_up_the_others(stalled: Stalled, attack: str, profile: str):
    """Parsing and validating, as it is the first time: nothing is kept here."""
    reader = documents(memory=0, production=profile == "production")
    reader.read("{ __typename }")

    async def work() -> None:
        reader.read(ATTACKS[attack])

    stall = await longest_stall(work, allowed=STALL)

    stalled(attack, profile, stall)
    assert stall <= STALL


# -- what is read


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_within_the_limits(path: Path):
    """Whoever copies one can make it larger."""
    text = path.read_text(encoding="utf-8")

    assert read(documents(), text).operations
    assert read(documents(max_fields=100, max_aliases=10, max_depth=8), text)


def test_a_supergraph_is_within_the_limits():
    """It asks for the schema and for entities, in production too."""
    assert read(documents(), FEDERATION)


def test_introspection_is_for_development():
    """There, all that GraphiQL asks is within the limits."""
    refused = refusals(documents(), INTROSPECTION)

    assert read(documents(production=False), INTROSPECTION)
    assert "introspection has been disabled" in refused[0].message


def test_suggestions_are_for_development():
    """They are introspection one guess at a time."""
    text = "{ customerGrops { totalCount } }"

    [shown] = refusals(documents(production=False), text)
    [hidden] = refusals(documents(), text)

    assert "Did you mean 'customerGroups'" in shown.message
    assert "Did you mean" not in hidden.message


def test_operations_and_fragments_are_found_by_name():
    """Without a name, the only operation is meant; of several, none is."""
    text = "query A { ...F } query B { ...F } fragment F on Query { __typename }"

    document = read(documents(), text)
    anonymous = read(documents(), "{ __typename }")

    assert list(document.operations) == ["A", "B"]
    assert list(document.fragments) == ["F"]
    assert document.operation("B") is document.node.definitions[1]
    assert anonymous.operation(None) is anonymous.node.definitions[0]
    for found, name in ((document, None), (document, "C"), (anonymous, "A")):
        with pytest.raises(Refused):
            found.operation(name)


def test_a_syntax_error_stays_one():
    """With its place."""
    [error] = refusals(documents(), "{ uid ")

    assert error.message.startswith("Syntax Error")
    assert error.locations == [(1, 7)]


def test_what_is_refused_is_said_once_and_for_all_limits():
    """Each with the setting, both numbers and the place; nothing of it is validated."""
    text = "{\n a: unknown\n b: unknown @skip(if: true) @skip(if: true)\n}"

    errors = refusals(documents(max_aliases=1, max_directives=1), text)

    assert [numbers(error) for error in errors] == [
        ("max_aliases", 1, 2),
        ("max_directives", 1, 2),
    ]
    assert [error.locations for error in errors] == [[(3, 2)], [(3, 2)]]
    assert {(error.extensions or {})["code"] for error in errors} == {"LIMIT_EXCEEDED"}


# -- how much is validated


def test_comparing_fields_has_a_limit():
    """graphql-core counts the steps; it is ours how many, and where it was too much."""
    text = "{ customerGroups {\n nodes { uid uid uid } } }"

    [error] = refusals(documents(max_comparisons=4), text)

    assert numbers(error) == ("max_comparisons", 4, 6)
    assert error.locations == [(2, 8)]
    assert read(documents(max_comparisons=6), text)


@pytest.mark.slow
@given(st.lists(st.sampled_from(["a: uid", "a: name", "a: uid", "b: key", "tenant { uid }"])))
def test_within_the_limit_fields_are_compared_as_ever(selections: list[str]):
    """The verdict is graphql-core's own."""
    text = f"{{ customerGroups {{ nodes {{ uid {' '.join(selections)} }} }} }}"
    expected = validate(SCHEMA, parse(text), max_errors=MISTAKES)

    found = documents().read(text)

    if isinstance(found, Document):
        assert expected == []
    else:
        assert [error.message for error in found] == [error.message for error in expected]


def test_only_so_many_mistakes_are_looked_for():
    """And one that says so."""
    text = f"{{ customerGroups {{ {'unknown ' * 50} }} }}"

    assert len(refusals(documents(), text)) == MISTAKES + 1


def test_the_mistakes_fill_a_page_and_no_more():
    """Each of these prints the whole value: 20 of them would be 20 times the request."""
    unknown = " ".join(f"x{number}: 1" for number in range(20))
    text = f'{{ customerGroups(orderBy: {{{unknown} y: "{"z" * 6_000}"}}) {{ totalCount }} }}'

    errors = refusals(documents(), text)

    assert PAGE < sum(len(error.message) for error in errors) < 2 * PAGE
    assert errors[-1].message == "There may be more mistakes."


# -- what is kept


def test_the_same_text_has_the_same_document():
    """Neither parsed nor validated again."""
    reader = documents()

    assert reader.read("{ __typename }") is reader.read("{ __typename }")
    assert reader.read("{ __typename }") is not reader.read("{ __typename  }")


def test_what_is_refused_is_not_kept():
    """It would drive out what is of use, and hold what the errors point to."""
    reader = documents()

    first, second = reader.read("{ unknown }"), reader.read("{ unknown }")

    assert first is not second
    assert taken_by(reader) == 0


def test_the_longest_unused_goes_first():
    """Room for two; what is read again stays."""
    texts = ["query A { __typename }", "query B { __typename }", "query C { __typename }"]
    one = documents()
    one.read(texts[0])
    reader = documents(memory=2 * taken_by(one))

    kept, lost = reader.read(texts[0]), reader.read(texts[1])
    reader.read(texts[0])
    reader.read(texts[2])

    assert reader.read(texts[0]) is kept
    assert reader.read(texts[1]) is not lost


OPERATIONS = st.integers(0, 9).map(lambda number: f"query Q{number} {{ __typename }}")
PADDED = st.tuples(OPERATIONS, st.sampled_from([0, 1, 3_000])).map(
    lambda pair: pair[0] + "," * pair[1]
)


@pytest.mark.slow
@given(st.lists(PADDED, max_size=30), st.integers(0, 60_000))
@example(["query Q0 { __typename }"], 0)
def test_the_bound_holds_and_no_text_gets_anothers_document(texts: list[str], memory: int):
    """Whatever is asked in whatever order."""
    reader = documents(memory=memory)

    for text in texts:
        document = read(reader, text)

        assert document.node.loc is not None
        assert document.node.loc.source.body == text
        assert taken_by(reader) <= memory


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(FEDERATION, id="federation"),
        pytest.param(INTROSPECTION, id="introspection"),
        pytest.param("{ customerGroups { nodes { " + "uid " * 90 + "} } }", id="fields"),
        pytest.param(f'{{ customerGroup(by: {{id: "{"x" * 20_000}"}}) {{ uid }} }}', id="string"),
        pytest.param("{ customerGroups { totalCount " + "... { } " * 90 + "} }", id="no names"),
        pytest.param('{ customerGroup(by: {id: """x"""}) { ' + "uid " * 90 + "} }", id="tokens"),
        pytest.param(f'{{ customerGroup(by: {{id: "{"😀" * 9_000}"}}) {{ uid }} }}', id="wide"),
        pytest.param("# a comment\n" * 900 + "{ __typename }", id="comments"),
        *(pytest.param(path.read_text(encoding="utf-8"), id=path.stem) for path in EXAMPLES),
    ],
)
def test_the_memory_is_estimated_honestly(text: str):
    """What is kept takes no more than is said, and a third of it at least."""
    reader = documents(production=False)
    read(reader, text)
    gc.collect()

    # Parsed only: validating leaves nothing in a document, but does in the interpreter's caches.
    tracemalloc.start()
    try:
        started, _ = tracemalloc.get_traced_memory()
        parsed = parse(text)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - started + getsizeof(text)
    finally:
        tracemalloc.stop()

    assert parsed
    assert taken <= taken_by(reader) <= 3 * taken + BYTES_PER_DOCUMENT
