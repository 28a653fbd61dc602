"""What is plainly parsed is what graphql-core makes of the same text; all else is left to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from graphql import (
    DocumentNode,
    GraphQLSyntaxError,
    Node,
    ast_to_dict,
    get_introspection_query,
    parse,
)
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from benchmarks import workloads
from gateway.execution.parsing import MOST_LEVELS, plainly_parsed
from gateway.limits import TOKEN
from tests.attacks import ATTACKS
from tests.execution.operations import operations

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "300"))
ROOT: Final = Path(__file__).parents[2]
made_up = hypothesis_settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def expected(text: str) -> DocumentNode | None:
    try:
        return parse(text)
    except GraphQLSyntaxError:
        return None


def compare(text: str) -> Node | None:
    """The document if it was parsed plainly; then it is as it should be, all places included."""
    found = plainly_parsed(text)
    if found is None:
        return None
    right = expected(text)
    assert right is not None
    assert found[0] == right
    assert ast_to_dict(found[0], locations=True) == ast_to_dict(right, locations=True)
    return found[0]


# -- what is plain

TEXTS: Final = {
    "introspection": get_introspection_query(),
    **{name: getattr(workloads, name) for name in ("LIST", "NESTED", "EVERYTHING", "NEW_TEXT")},
    **{path.stem: path.read_text() for path in sorted((ROOT / "examples").glob("*.graphql"))},
    "every construct": """
        # A comment, and after it a byte order mark: \ufeff
        query Q($a: Int = 1 @d, $ b : [[T!]]! = [1, {b: "x"}] @d(a: 2) @e $c:ID) @d @ e {
          a(int: -12, float: [-1.5e+3 0.0 1E9], word: on, yes: true, no: false, nothing: null)
          b: c(text: "a # é", empty: "", list: [], object: {}, deep: {a: {b: [$a, $ b]}}, c: $c)
            @d(if: $a) { ...F ... on T @d { on } ... { __typename } ...onF@d ... @d { x } }
          query, mutation fragment
        } mutation { a } subscription S @d { a { } }
        { a:b(c:"d"e:1)c }
        fragment F on on @d { a } fragment onF on T { a }""",
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_documents_consist_of_is_parsed_plainly(name: str):
    """None of these is left to graphql-core."""
    assert compare(TEXTS[name])


@pytest.mark.slow
@made_up
@given(operations(tenant="t", groups=["a", "b"], cursors=lambda _of: ["c", "d"], unbounded=True))
def test_made_up_operations_are_parsed_plainly(text: str):
    """Lists in lists, aliases, windows of any kind."""
    assert compare(text)


NAMES = st.sampled_from(["a", "b", "on", "onF", "query", "fragment", "true", "null", "_", "__x1"])
BLANKS = st.sampled_from([" ", "\n", "\r\n", ",", "\t\ufeff", " # x: {\n", "#\r"])
LEAVES = st.sampled_from(
    ["0", "-0", "12", "1.5", "-1e3", "0.1E-2", '""', '"a b"', '"é\t#"', "true", "on", "null", "$a"]
)
ODD = [
    "'",
    '"""x"""',
    r'"\n"',
    "01",
    "1.",
    "1e",
    "1.-",
    ".5",
    "..",
    "&",
    "|",
    "é",
    "\ud800",
    '"\ud800"',
    "#\ud800\n",
]


def several(draw: st.DrawFn, counts: list[int], make: Callable[[], list[str]]) -> list[str]:
    """The tokens of so many of them, one after the other."""
    return [token for _ in range(draw(st.sampled_from(counts))) for token in make()]


def value(draw: st.DrawFn, levels: int) -> list[str]:
    match draw(st.integers(0, 4 if levels else 2)):
        case 3:
            return ["[", *several(draw, [0, 1, 2], lambda: value(draw, levels - 1)), "]"]
        case 4:
            return ["{", *several(draw, [0, 1, 2], lambda: named(draw, levels - 1)), "}"]
        case _:
            return [draw(LEAVES)]


def named(draw: st.DrawFn, levels: int) -> list[str]:
    return [draw(NAMES), ":", *value(draw, levels)]


def arguments(draw: st.DrawFn) -> list[str]:
    given = several(draw, [0, 0, 1, 2], lambda: named(draw, 2))
    return ["(", *given, ")"] if given else []


def directives(draw: st.DrawFn) -> list[str]:
    return several(draw, [0, 0, 0, 1, 2], lambda: ["@", draw(NAMES), *arguments(draw)])


def selections(draw: st.DrawFn, levels: int) -> list[str]:
    return ["{", *several(draw, [0, 1, 2, 3], lambda: selection(draw, levels)), "}"]


def selection(draw: st.DrawFn, levels: int) -> list[str]:
    match draw(st.integers(0, 6)):
        case 0:
            return ["...", draw(NAMES), *directives(draw)]
        case 1 if levels:
            on = ["on", draw(NAMES)]
            return ["...", *on, *directives(draw), *selections(draw, levels - 1)]
        case 2 if levels:
            return ["...", *directives(draw), *selections(draw, levels - 1)]
        case 3 if levels:
            given = [*arguments(draw), *directives(draw)]
            return [draw(NAMES), *given, *selections(draw, levels - 1)]
        case 4:
            return [draw(NAMES), ":", draw(NAMES), *arguments(draw), *directives(draw)]
        case _:
            return [draw(NAMES), *arguments(draw)]


TYPES = st.sampled_from(["T", "T !", "[ T ]", "[ [ T ! ] ] !", "[ T", "T ! !"])


def variable(draw: st.DrawFn) -> list[str]:
    default = ["=", *value(draw, 1)] if draw(st.booleans()) else []
    return ["$", draw(NAMES), ":", *draw(TYPES).split(), *default, *directives(draw)]


def definition(draw: st.DrawFn) -> list[str]:
    body = [*directives(draw), *selections(draw, 2)]
    match draw(st.integers(0, 3)):
        case 0:
            return selections(draw, 2)
        case 1:
            return ["fragment", draw(NAMES), "on", draw(NAMES), *body]
        case _:
            kind = draw(st.sampled_from(["query", "query", "mutation", "subscription", "type"]))
            name = draw(st.sampled_from([[], ["Q"], ["on"]]))
            declared = several(draw, [0, 0, 1, 2], lambda: variable(draw))
            return [kind, *name, *(["(", *declared, ")"] if declared else []), *body]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Documents of everything that there is, some of them with mistakes; blanks are anything."""
    tokens = several(draw, [1, 2], lambda: definition(draw))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        place = draw(st.integers(0, len(tokens) - 1)) if tokens else 0
        match draw(st.integers(0, 3)):
            case 0:
                del tokens[place : place + 1]
            case 1:
                tokens.insert(place, draw(st.sampled_from([*ODD, *"{}()[]:$=!@", "...", "a", "1"])))
            case 2:
                tokens[place : place + 2] = reversed(tokens[place : place + 2])
            case _:
                tokens[place:] = tokens[place:][: draw(st.integers(0, 3))]
    return "".join(token + draw(BLANKS) for token in tokens)


@pytest.mark.slow
def test_a_document_is_parsed_as_it_should_be_or_not_at_all():
    """And most of those without a mistake are; of the others, none."""
    valid = plain = 0

    @hypothesis_settings(made_up, max_examples=3 * EXAMPLES)
    @given(texts())
    def check(text: str) -> None:
        nonlocal valid, plain
        right = expected(text)
        valid += right is not None
        plain += compare(text) is not None

    check()
    assert plain >= 0.8 * valid > 0


PIECES = st.sampled_from(
    [*ODD, *'{}()[]!$:=@#\n \\"', "...", "on", "a", "fragment", "query", "-1", "1.5"]
)


@pytest.mark.slow
@made_up
@given(st.lists(PIECES, max_size=20).map("".join))
@example("")
@example("{a")
@example("{a(b:1a)}")
@example('{a(b:"""")}')
@example("{a(b:-)}")
@example("{a(b:0e)}")
@example("{a(b:1.-)}")
@example("{a(b:1e+)}")
@example("{...on{a}}")
@example("{a}fragment on on T{a}")
@example("query($a:Int=$b){a}")
@example('"described" query {a}')
@example("{a()}")
@example("query(){a}")
def test_any_text_is_parsed_as_it_should_be_or_not_at_all(text: str):
    """Whatever is next to what."""
    compare(text)


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_parsed_as_they_should_be_or_not_at_all(attack: str):
    """However long: these are refused before they are parsed, or for what they are."""
    compare(ATTACKS[attack][:30_000])


# -- what is not


@pytest.mark.parametrize(
    ("opening", "inside", "closing"),
    [
        ("{a", "", "}"),
        ("{a(b:", "[", "]"),
        ("{a(b:", "{c:", "}"),
        ("query($a:", "[", "]"),
    ],
)
def test_what_is_nested_deeply_is_left_to_graphql_core(opening: str, inside: str, closing: str):
    """It counts all levels together, and so is it done here."""

    def nested(levels: int) -> str:
        if not inside:
            return opening * levels + closing * levels
        around = {"query($a:": "){a}", "{a(b:": ")}"}[opening]
        value = {"[": "", "{c:": "1"}[inside] if opening != "query($a:" else "T"
        return opening + inside * levels + value + closing * levels + around

    within = MOST_LEVELS - (1 if inside and opening.startswith("{") else 0)
    assert compare(nested(within))
    assert plainly_parsed(nested(within + 1)) is None
    assert expected(nested(within + 1))


@pytest.mark.parametrize(
    "text",
    [
        '"described" query { a }',
        '{ a(b: """block""") }',
        r'{ a(b: "esc\u0061ped") }',
        "type T { a: Int }",
        "{ a } extend type T { a: Int }",
    ],
)
def test_what_is_rare_is_left_to_graphql_core(text: str):
    """Each of these is a document."""
    assert plainly_parsed(text) is None
    assert expected(text)


def test_its_parts_bound_its_tokens_from_below():
    """Each part has a token of its own, so a document of few tokens has few parts."""
    for text in TEXTS.values():
        found = plainly_parsed(text)
        assert found is not None
        assert found[1] <= sum(token.lastgroup is not None for token in TOKEN.finditer(text))
