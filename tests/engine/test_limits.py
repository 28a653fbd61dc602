"""What is counted, what is said when it is too much, and that counting is fast."""

from __future__ import annotations

from dataclasses import fields

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Lexer,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    TokenKind,
    parse,
)
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.engine import Limits
from gateway.engine._documents.limits import (
    FEW_VALUES,
    NOUNS,
    SATURATED,
    TOKEN,
    document_refusals,
    nesting_refusal,
    text_refusals,
    variables_refusal,
)
from gateway.errors import LimitExceeded
from tests.attacks import ATTACKS
from tests.stalls import processor_time

NOTHING = Limits(**{limit.name: 0 for limit in fields(Limits)})


def numbers(errors: list[GraphQLError]) -> dict[str, int]:
    """What was found of each limit that was exceeded."""
    found = [error.original_error.extensions for error in errors if error.original_error]
    return {extensions["limit"]: extensions["found"] for extensions in found}


def counted(text: str) -> dict[str, int]:
    """What there is of each; what there is nothing of is left out."""
    return numbers([*document_refusals(parse(text), NOTHING)])


# -- counting


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("{ a }", {"max_depth": 1, "max_fields": 1, "max_root_fields": 1}),
        (
            "{ a { b x: b } y: a }",
            {
                "max_depth": 2,
                "max_alias_length": 1,
                "max_fields": 4,
                "max_root_fields": 2,
                "max_aliases": 2,
            },
        ),
        (
            "{ ...F abc: a } fragment F on T { abcde: a abcd: b }",
            {
                "max_depth": 1,
                "max_alias_length": 5,
                "max_fields": 3,
                "max_root_fields": 3,
                "max_aliases": 3,
                "max_fragment_spreads": 1,
            },
        ),
        (
            "query ($v: Int @a) @b { c @d { ... @e { f } } }",
            {
                "max_depth": 2,
                "max_fields": 2,
                "max_root_fields": 1,
                "max_directives": 4,
                "max_fragment_spreads": 1,
            },
        ),
        (
            "{ a { ...F } ...F } fragment F on T @d { x: b { ... on U { c } } }",
            {
                "max_depth": 3,
                "max_alias_length": 1,
                "max_fields": 5,
                "max_root_fields": 2,
                "max_aliases": 2,
                "max_directives": 2,
                "max_fragment_spreads": 4,
            },
        ),
        ("query A { a } query B { b c }", {"max_depth": 1, "max_fields": 1, "max_root_fields": 1}),
        ("type A { a: Int } fragment F on T { a }", {}),
    ],
)
def test_counts_are_of_what_is_executed(text: str, counts: dict[str, int]):
    """A fragment counts as often as it is spread; of two operations one is executed, and the first
    that is refused is named.
    """
    assert counted(text) == counts


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("{ a(b: [[1], {c: [2]}]) }", 3),
        ("{ a @skip(if: [[true]]) }", 2),
        ("query ($v: [[Int!]!]! = [[1]]) { a }", 2),
        ("query ($v: Int @d(e: {f: {}})) { a }", 2),
        ("query @d(e: []) { a }", 1),
        ("{ ... @d(e: []) { a } }", 1),
        ("{ ...F @d(e: []) } fragment F on T { a(b: [[]]) }", 2),
    ],
)
def test_values_and_types_nest_too(text: str, levels: int):
    """Wherever they stand."""
    assert counted(text)["max_nesting"] == levels


@pytest.mark.slow
def test_fragments_that_multiply_are_counted_to_the_end():
    """A thousand fragments, each spread twice by the one before: 2 ** 1000 fields, at once."""
    text = "{ ...F0 } " + " ".join(
        f"fragment F{n} on T {{ {f'...F{n + 1} ...F{n + 1}' if n < 999 else 'a'} }}"
        for n in range(1_000)
    )
    document = parse(text)

    found = numbers([*document_refusals(document, Limits())])

    took = processor_time(lambda: [*document_refusals(document, Limits())], allowed=1)
    assert took < 1
    assert found == {
        "max_fields": SATURATED,
        "max_root_fields": SATURATED,
        "max_fragment_spreads": SATURATED,
    }


def test_circles_come_to_an_end():
    """What they mean is left to validation."""
    text = "{ ...A } fragment A on T { a ...B } fragment B on T { b ...A ...B ...Unknown }"

    assert counted(text)["max_fields"] == 2


FRAGMENT_COUNT = 4


def selections(spread: range) -> st.SearchStrategy[str]:
    """A selection set that spreads only those fragments."""
    directives = st.sampled_from(["", "", "@d", "@d @e"])
    leaves = st.builds("{} {}".format, st.sampled_from(["a", "b", "x: a", "long: a"]), directives)
    if spread:
        leaves |= st.builds("...F{} {}".format, st.sampled_from(spread), directives)
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            "{} {} {{ {} }}".format,
            st.sampled_from(["a", "y: b", "...", "... on T"]),
            directives,
            st.lists(inner, min_size=1, max_size=3).map(" ".join),
        ),
        max_leaves=6,
    )


DOCUMENTS = st.tuples(
    *(
        selections(range(number + 1, FRAGMENT_COUNT)).map(
            f"fragment F{number} on T {{{{ {{}} }}}}".format
        )
        for number in range(FRAGMENT_COUNT)
    ),
    selections(range(FRAGMENT_COUNT)).map("query {{ {} }}".format),
).map(" ".join)


def expanded(document: DocumentNode) -> dict[str, int]:
    """The counts of the operation with every fragment put where it is spread."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    counts = dict.fromkeys(NOUNS, 0)

    def visit(selection_set: SelectionSetNode, depth: int) -> None:
        for node in selection_set.selections:
            counts["max_directives"] += len(node.directives or ())
            match node:
                case FieldNode():
                    counts["max_depth"] = max(counts["max_depth"], depth + 1)
                    counts["max_fields"] += 1
                    counts["max_root_fields"] += depth == 0
                    counts["max_aliases"] += node.alias is not None
                    alias = len(node.alias.value) if node.alias else 0
                    counts["max_alias_length"] = max(counts["max_alias_length"], alias)
                    if node.selection_set:
                        visit(node.selection_set, depth + 1)
                case InlineFragmentNode():
                    counts["max_fragment_spreads"] += 1
                    visit(node.selection_set, depth)
                case FragmentSpreadNode():
                    counts["max_fragment_spreads"] += 1
                    visit(fragments[node.name.value].selection_set, depth)

    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            visit(node.selection_set, 0)
    return {limit: count for limit, count in counts.items() if count}


@pytest.mark.slow
@given(DOCUMENTS)
def test_counts_are_those_of_the_expanded_document(text: str):
    """As if every fragment were written where it is spread."""
    assert counted(text) == expanded(parse(text))


ALLOWED = st.fixed_dictionaries({limit: st.integers(0, 12) for limit in NOUNS})


@pytest.mark.slow
@given(DOCUMENTS, ALLOWED)
def test_exactly_what_exceeds_its_limit_is_refused(text: str, allowed: dict[str, int]):
    """Also where the document as a whole is looked at only once, since it is within all limits."""
    document = parse(text)
    exceeded = {limit: n for limit, n in expanded(document).items() if n > allowed[limit]}

    errors = document_refusals(document, Limits(**allowed))

    assert numbers([*errors]) == exceeded


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("{ a { ...F } b { ...F } } fragment F on T { c d }", {"max_fields": 5}),
        ("{ ...F } fragment F on T { c d }", {"max_root_fields": 1}),
        ("{ a } fragment F on T { ...G } fragment G on T { ...F }", {"max_fragment_spreads": 1}),
        ("{ a { ...F } } fragment F on T { b { c } }", {"max_depth": 2}),
        ("{ a(b: {c: [1]}) }", {"max_nesting": 1}),
        ("query ($v: [[T]] @d) @d { a }", {"max_directives": 1}),
        ("query ($v: [[T]]) { a }", {"max_nesting": 1}),
    ],
)
def test_what_the_whole_document_does_not_tell_is_counted(text: str, limits: dict[str, int]):
    """A fragment may come to more than stands there; or to nothing, where it is not spread."""
    refused = document_refusals(parse(text), Limits(**limits))

    assert bool(refused) == (text != "{ a } fragment F on T { ...G } fragment G on T { ...F }")


# -- what is said


def test_a_refusal_has_the_setting_both_numbers_and_the_place():
    """For a client, and for whoever reads the message."""
    [error] = document_refusals(parse("{ a\n  b\n  c }"), Limits(max_root_fields=2))

    assert isinstance(error.original_error, LimitExceeded)
    assert error.original_error.extensions == {
        "code": "LIMIT_EXCEEDED",
        "limit": "max_root_fields",
        "allowed": 2,
        "found": 3,
    }
    assert error.message == "This has 3 root fields; at most 2 are allowed."
    assert error.locations == [(3, 3)]


def test_in_a_fragment_the_place_is_the_spread():
    """That is what the operation can do without."""
    text = "{ a\n  ...F }\nfragment F on T { x: a y: a }"

    [error] = document_refusals(parse(text), Limits(max_aliases=1))

    assert error.locations == [(2, 3)]


def test_every_limit_has_its_noun():
    """And its default; those of a document are declared ahead of those of a response."""
    names = [limit.name for limit in fields(Limits)]

    assert list(NOUNS) == names[: names.index("max_rows")]
    assert all(isinstance(limit.default, int) for limit in fields(Limits))


def test_a_text_is_refused_as_it_stands():
    """Lines and tokens at once; of one that is too long, nothing else is counted."""
    text = "{ a a\n a a\n }"

    both = text_refusals(text, Limits(max_lines=2, max_tokens=4))
    long = text_refusals(text, Limits(max_document=9, max_lines=2, max_tokens=4))

    assert numbers([*both]) == {"max_lines": 3, "max_tokens": 6}
    assert [error.locations for error in both] == [[(3, 1)], [(2, 4)]]
    assert numbers([*long]) == {"max_document": 13}
    assert text_refusals(text, Limits(max_document=13, max_lines=3, max_tokens=6)) == []


def fetch(places: int, *, below: str = "... on A { b }") -> str:
    """What a router sends that fetches for so many places at once."""
    variables = ", ".join(f"$v{n}: [_Any!]!" for n in range(places))
    fields = "\n".join(
        f"p{n}: _entities(representations: $v{n}) {{ {below} }}" for n in range(places)
    )
    return f"query ({variables}) {{\n{fields}\n}}"


def test_what_a_router_writes_for_each_place_are_no_tokens_of_a_client():
    """The start of each fetch and its variable, for as many places as fields may have aliases."""
    assert text_refusals(fetch(10), Limits(max_tokens=5 + 10 * 10)) == []
    assert numbers([*text_refusals(fetch(10), Limits(max_tokens=104))]) == {"max_tokens": 105}
    assert numbers([*text_refusals(fetch(10), Limits(max_tokens=104, max_aliases=4))]) == {
        "max_tokens": 10 * (8 + 7 + 10) + 5 - 8 * 8
    }


@pytest.mark.parametrize(
    "text",
    [
        '{ a(b: "_entities(representations: $v)") }',
        "{ a # _entities(representations: $v)\n }",
        "{ my_entities(representations: $v) }",
        '{ _entities(representations: [{__typename: "A"}]) }',
        "query ($v: [_Any!]) { a }",
    ],
)
def test_all_other_tokens_count(text: str):
    """Also those that only look like a router's."""
    found = len(tokens(text))

    assert numbers([*text_refusals(text, Limits(max_tokens=1))]) == {"max_tokens": found}


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("{ a " * 300, "max_depth"),
        ("{ ... " * 300, "max_depth"),
        ("{ a(b: " + "[" * 300, "max_nesting"),
        ("{ a(b: " + "{c: " * 300, "max_nesting"),
        ("query ($a: " + "[" * 300, "max_nesting"),
    ],
)
def test_what_is_too_deep_to_be_parsed_is_a_limit_too(text: str, limit: str):
    """graphql-core gives up at level 201."""
    with pytest.raises(GraphQLSyntaxError) as raised:
        parse(text)

    error = nesting_refusal(raised.value, Limits())

    assert error is not None
    assert numbers([error]) in ({limit: 201}, {limit: 202})  # it may have read on by a token
    assert error.locations == raised.value.locations


def test_a_depth_that_is_allowed_can_still_be_too_deep_to_be_parsed():
    """Then it is a syntax error: no number of ours says why."""
    with pytest.raises(GraphQLSyntaxError) as raised:
        parse("{ a " * 300)

    assert nesting_refusal(raised.value, Limits(max_depth=500)) is None


@pytest.mark.parametrize("text", ["", "{ a ", "{ a(b: [[[) }", "}" * 300, '{ a(b: "' + "[" * 300])
def test_another_syntax_error_is_none(text: str):
    """It stays what it is."""
    with pytest.raises(GraphQLSyntaxError) as raised:
        parse(text)

    assert nesting_refusal(raised.value, Limits()) is None


# -- tokens


def tokens(text: str) -> list[int]:
    return [token.start() for token in TOKEN.finditer(text) if token.lastgroup]


def lexed(text: str) -> tuple[list[int], bool]:
    """Where graphql-core's tokens start, and whether it came to the end."""
    lexer = Lexer(Source(text))
    starts: list[int] = []
    try:
        while (token := lexer.advance()).kind is not TokenKind.EOF:
            starts.append(token.start)
    except GraphQLSyntaxError:
        return starts, False
    return starts, True


PIECES = st.sampled_from(
    [
        *('"', '""', '"""', '\\"""', "\\", '\\"', "\n", "\r", " ", ",", "#", "...", ".", "é"),
        *("a", "_1", "-1", "0", "1.5e+3", "1", *"{}()[]!$&:=@|"),
    ]
)


@pytest.mark.slow
@given(st.lists(PIECES, max_size=30).map("".join))
@example('"""\\""" " \\ """ a # """ \n "" ""a')
def test_tokens_are_graphql_cores_own(text: str):
    """As far as it can read the text; beyond, it does not matter."""
    expected, whole = lexed(text)

    found = tokens(text)

    assert found[: len(expected)] == expected
    assert found == expected or not whole


@pytest.mark.parametrize("attack", ATTACKS)
def test_counting_an_attacks_tokens_takes_no_time(attack: str):
    """Nothing is read twice, not even the megabyte that is refused before."""
    assert processor_time(lambda: tokens(ATTACKS[attack]), allowed=1) < 1


# -- variables


def values_found(text: str, variables: dict[str, object]) -> int:
    """What counts of the variables' values for the first operation; 0 if that is few."""
    document = parse(text)
    operation, *others = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    fragments = {
        each.name.value: each for each in others if isinstance(each, FragmentDefinitionNode)
    }
    refusal = variables_refusal(variables, operation, fragments, 1)
    return numbers([refusal])["max_variable_values"] if refusal else 0


LONG = [1] * FEW_VALUES


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("query ($v: T) { a(b: $v) }", 1),
        ("query ($v: T) { a(b: $v) c(d: [$v, $v], e: {f: $v}) g }", 2),
        ("query ($v: T) { a { b(c: $v) { d(e: $v) } } f }", 2),
        ("query ($v: T) { a(b: $v) @c(d: $v) ... @c(d: $v) { e } }", 2),
        (
            "query ($v: T) { ...F a { ...F } } fragment F on T { ...G b } "
            "fragment G on T { c(d: $v) }",
            2,
        ),
        ("query ($v: T, $w: T) { a(b: $w) c(d: $w) }", 1),
        ("{ a b c }", 1),
    ],
)
def test_a_variable_counts_for_each_field_that_uses_it(text: str, times: int):
    """However often the field does; in a fragment, as often as that is spread. One that is not used
    counts once.
    """
    assert values_found(text, {"v": LONG}) == times * (len(LONG) + 1)


def test_variables_count_each_for_its_own_fields():
    """A short one that is used often does not make a long one longer."""
    text = "query ($v: T, $w: T) { a(b: $v) c(d: $w) e(f: $w) g(h: $w) }"

    assert values_found(text, {"v": {"x": LONG, "y": [[]]}, "w": 1}) == len(LONG) + 4 + 3


def test_few_values_are_never_too_many():
    """Whatever uses them."""
    text = "query ($v: T) { " + " ".join(f"a{n}(b: $v)" for n in range(30)) + " }"

    assert values_found(text, {"v": LONG[1:]}) == 0
