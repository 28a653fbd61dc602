"""Documents that are made to be expensive: many at the default limits' edge, others far beyond."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from gateway.engine import Limits
from gateway.engine._documents.limits import TOKEN

LIMITS: Final = Limits()


def many(part: Callable[[int], str], *, within: str = "%s") -> str:
    """As many parts as `max_tokens` leaves room for, in place of the %s."""
    room = LIMITS.max_tokens - length(within.replace("%s", ""))
    parts: list[str] = []
    while (room := room - length(part(len(parts)))) >= 0:
        parts.append(part(len(parts)))
    return within.replace("%s", " ".join(parts))


def length(text: str) -> int:
    return sum(token.lastgroup is not None for token in TOKEN.finditer(text))


def padded(before: str, filling: str, after: str) -> str:
    """As much filling as `max_document` leaves room for."""
    room = LIMITS.max_document - len(before) - len(after)
    return before + filling * (room // len(filling)) + after


def fragments(count: int, body: Callable[[int], str], *, on: str = "Query") -> str:
    return " ".join(f"fragment F{number} on {on} {{{body(number)}}}" for number in range(count))


def spreads(numbers: Iterable[int]) -> str:
    return " ".join(f"...F{number}" for number in numbers)


def nested(opening: str, inside: str, closing: str, *, levels: int) -> str:
    return opening * levels + inside + closing * levels


GROUPS: Final = "{ customerGroups { nodes { %s } } }"
CUSTOMERS: Final = "{ customerGroups { nodes { customers { nodes { %s } } } } }"
TYPES: Final = "{ __schema { types { %s } } }"
ID: Final = '{ customerGroup(by: {id: "'
CUSTOM: Final = """mutation { updateCustomerGroup(input: {
    customerGroup: {id: 1} customFields: [%s]
}) { customerGroup { uid } } }"""

NAMED: Final[Mapping[str, str]] = {
    "thousands of duplicate fields": GROUPS.replace("%s", "uid " * 5_000),
    "crossing fragments": "{ ...F0 } "
    + fragments(20, lambda mine: spreads(n for n in range(20) if n != mine)),
    "2,000 directives": "{ __typename " + "@skip(if: true) " * 2_000 + "}",
    "a string of 1 MB": ID + "x" * 1_000_000 + '"}) { uid } }',
}
"""Those that every GraphQL server is tried with."""

TEXTS: Final[Mapping[str, str]] = {
    "a long string": padded(ID, "x", '"}) { uid } }'),
    "a string of escapes": padded(ID, "\\n", '"}) { uid } }'),
    "a string of code points": padded(ID, "\\u0041", '"}) { uid } }'),
    "a string in the wrong place": padded('{ customerGroups(first: "', "x", '") { totalCount } }'),
    "escapes in the wrong place": padded(
        "{ customerGroups(orderBy: {" + " ".join(f"x{n}: 1" for n in range(300)) + ' y: "',
        "\\n",
        '"}) { totalCount } }',
    ),
    "a block string": padded('{ customerGroup(by: {id: """', " ", '"""}) { uid } }'),
    "a block string of quotes": padded('{ customerGroup(by: {id: """', '\\"""', '"""}) { uid } }'),
    "a string without an end": padded(ID, '\\"""', ""),
    "quotes": padded("", '"', ""),
    "a comment": padded("#", "x", "\n{ __typename }"),
    "comments": padded("", "#\n", "{ __typename }"),
    "commas": padded("", ",", "{ __typename }"),
    "lines": padded("", "\n", "{ __typename }"),
    "lines, and errors": padded("", "\n", GROUPS.replace("%s", "unknown " * 900)),
    "999 lines, and errors": "\n" * 990 + GROUPS.replace("%s", "unknown " * 900),
    "a long name": padded("{", "a", "}"),
    "a long number": padded("{ customerGroups(first: ", "9", ") { totalCount } }"),
}

COSTLY: Final = (
    "tenant { customerGroups { nodes { uid } } } " * 41
    + " ".join(f"a{number}: uid" for number in range(98))
    + " name" * 10
    + " createdAt" * 5
    + " tenantUid" * 5
)
"""As many comparisons as are allowed, and as many aliases."""

ALL_AT_ONCE: Final[Mapping[str, str]] = {
    "all of it": padded(
        f"{{ customerGroups {{ nodes {{ {COSTLY} }} }} ids: nodes(ids: [{'1 ' * 230}]) {{ id }} "
        'bad: customerGroups(orderBy: {x: 1 y: 1 z: "',
        "\\n",
        '"}) { totalCount } }',
    )
}

SAME_NAMES: Final[Mapping[str, str]] = {
    "duplicate fields": many(lambda n: "uid", within=GROUPS),
    "duplicate lists": many(lambda n: "fields { name }", within=TYPES),
    "duplicate objects": many(lambda n: "tenant { uid backend { kind } }", within=GROUPS),
    "duplicate deep objects": many(
        lambda n: "tenant { customerGroups { nodes { customers { nodes { uid } } } } }",
        within=GROUPS,
    ),
    "duplicate deep objects of fragments": GROUPS.replace("%s", "...F0 ...F1 ...F2 ...F3")
    + fragments(
        4,
        lambda mine: "tenant { customerGroups { nodes { uid } } } " * (14 if mine else 30),
        on="CustomerGroup",
    ),
    "objects that differ": many(lambda n: f"tenant {{ a{n}: uid }}", within=GROUPS),
    "objects that conflict": many(
        lambda n: "tenant { x: uid }" if n % 2 else "tenant { x: __typename }", within=GROUPS
    ),
    "equal arguments": many(
        lambda n: "customers(orderBy: {field: EMAIL direction: ASC}) { totalCount }", within=GROUPS
    ),
    "large equal arguments": many(
        lambda n: f'customers(after: "{"x" * 500}") {{ totalCount }}', within=GROUPS
    ),
    "differing arguments": many(lambda n: f"customers(first: {n}) {{ totalCount }}", within=GROUPS),
    "many equal arguments": many(
        lambda n: 'customers(first: 1 last: 2 after: "" before: "") { totalCount }', within=GROUPS
    ),
    "inline fragments": many(lambda n: "... on CustomerGroup { tenant { uid } }", within=GROUPS),
    "long unknown names": many(lambda n: "a" * 48, within=GROUPS),
    "leaves with selections": many(lambda n: "__typename { a }", within=GROUPS),
    "lists without selections": many(lambda n: "customers", within=GROUPS),
}

FRAGMENTS: Final[Mapping[str, str]] = {
    "fragments that cross onwards": f"{{ {spreads(range(18))} }} "
    + fragments(18, lambda mine: f"tenant {{ uid }} {spreads(range(mine + 1, 18))}"),
    "fragments of the same fields": f"{{ {spreads(range(10))} }} "
    + fragments(10, lambda mine: "__typename " * 90),
    "fragments of the same objects": GROUPS.replace("%s", spreads(range(70)))
    + fragments(70, lambda mine: "tenant { uid __typename }", on="CustomerGroup"),
    "fragments of other fields": GROUPS.replace("%s", spreads(range(85)))
    + fragments(85, lambda mine: f"a{mine}: uid", on="CustomerGroup"),
    "a chain": "{ ...F0 } " + fragments(120, lambda mine: spreads([mine + 1])),
    "a circle": "{ ...F0 } " + fragments(120, lambda mine: spreads([(mine + 1) % 120])),
    "two to the power of 80": "{ ...F0 } "
    + fragments(80, lambda mine: spreads([mine + 1] * 2) if mine < 79 else "__typename"),
    "a deep bomb": "{ ...F0 } "
    + fragments(
        30,
        lambda mine: (
            f"tenant {{ customerGroups {{ nodes {{ tenant {{ uid }} }} }} }} "
            f"{spreads([mine + 1] * 3) if mine < 29 else ''}"
        ),
    ),
    "unused fragments": "{ __typename } "
    + many(lambda n: f"fragment F{n} on Query {{ __typename }}", within="%s"),
    "equal names": "{ ...F } " + "fragment F on Query { __typename } " * 140,
    "operations over a chain": " ".join(f"query Q{n} {{ ...F{n} }}" for n in range(65))
    + fragments(69, lambda mine: spreads([mine + 1]) if mine < 68 else "__typename"),
    "operations without their variable": " ".join(f"query Q{n} {{ ...F0 }}" for n in range(85))
    + fragments(1, lambda mine: f"nodes(ids: [{'$a ' * 220}]) {{ id }}"),
}

UNKNOWN: Final[Mapping[str, str]] = {
    "unknown fields": many(lambda n: f"lastModifieByCustomer{n}", within=CUSTOMERS),
    "unknown types": many(
        lambda n: f"... on CreateCustomerGroupPayloadC{n} {{ a }}", within=GROUPS
    ),
    "unknown types of variables": many(
        lambda n: f"$v{n}: CreateCustomerGroupPayloadC", within="query (%s) { __typename }"
    ),
    "unknown arguments": many(
        lambda n: f"orderBx{n}: 1", within="{ customerGroups(%s) { totalCount } }"
    ),
    "unknown members": many(
        lambda n: f"directionfield{n}: NAME",
        within="{ customerGroups(orderBy: {%s}) { totalCount } }",
    ),
    "unknown values": many(
        lambda n: f"a{n}: customers(orderBy: {{field: LASTNAMEE}}) {{ totalCount }}", within=GROUPS
    ),
    "unknown fragments": many(lambda n: f"...F{n}", within=GROUPS),
    "unknown directives": many(lambda n: f"@includeskip{n}", within="{ __typename %s }"),
    "a language of definitions": many(lambda n: "type A { a: Int }"),
    "a subscription": many(lambda n: "a", within="subscription { %s }"),
}

VALUES: Final[Mapping[str, str]] = {
    "variables": many(lambda n: f"$v{n}: Int", within="query (%s) { __typename }"),
    "variables of one name": many(lambda n: "$v: Int", within="query (%s) { __typename }"),
    "variables that are used": "query ("
    + " ".join(f"$v{n}: ID!" for n in range(140))
    + f") {{ nodes(ids: [{' '.join(f'$v{n}' for n in range(140))}]) {{ id }} }}",
    "variables of a wrong type": "query ("
    + " ".join(f"$v{n}: Int" for n in range(150))
    + f") {{ nodes(ids: [{' '.join(f'$v{n}' for n in range(150))}]) {{ id }} }}",
    "undeclared variables": many(lambda n: f"$v{n}", within="{ nodes(ids: [%s]) { id } }"),
    "ids": many(lambda n: "1", within="{ nodes(ids: [%s]) { id } }"),
    "representations": many(
        lambda n: f'{{__typename: "CustomerGroup" id: "{n}"}}',
        within="{ _entities(representations: [%s]) { __typename } }",
    ),
    "custom fields": many(lambda n: '{name: "a" value: {a: [1]}}', within=CUSTOM),
    "wrong ids": many(lambda n: "{a: 1}", within="{ nodes(ids: [%s]) { id } }"),
    "equal arguments' names": many(
        lambda n: "first: 1", within="{ customerGroups(%s) { totalCount } }"
    ),
    "directives": many(lambda n: "@skip(if: true)", within="{ __typename %s }"),
    "a directive each": many(lambda n: "uid @skip(if: true)", within=GROUPS),
    "operations": many(lambda n: f"query Q{n} {{ __typename }}"),
    "operations without a name": many(lambda n: "{ __typename }"),
}

FETCHES: Final[Mapping[str, str]] = {
    f"a router's fetches, and {name}": "query ("
    + " ".join(f"$v{n}: [_Any!]!" for n in range(100))
    + ") { "
    + " ".join(
        f"p{n}: _entities(representations: $v{n}) {{ {below if n == 0 else '__typename'} }}"
        for n in range(100)
    )
    + " }"
    for name, below in {
        "duplicate lists": "... on CustomerGroup { " + "customers { nodes { uid } } " * 60 + "}",
        "unknown fields": "... on CustomerGroup { "
        + " ".join(f"lastModifieByCustomer{n}" for n in range(450))
        + " }",
    }.items()
}
"""Their starts and variables are not among the tokens that count."""

NESTED: Final[Mapping[str, str]] = {
    f"{levels} nested {name}": text
    for levels in (14, 95, 190, 10_000)
    for name, text in {
        "fields": nested("{ tenant ", "{ uid }", " }", levels=levels),
        "inline fragments": nested("{ ... ", "{ __typename }", " }", levels=levels),
        "lists": f"{{ nodes(ids: {nested('[', '', ']', levels=levels)}) {{ id }} }}",
        "objects": CUSTOM.replace(
            "%s", f'{{name: "a" value: {nested("{a: ", "1", "}", levels=levels)}}}'
        ),
        "types": f"query ($a: {nested('[', 'Int', ']', levels=levels)}) {{ __typename }}",
        "types' types": TYPES.replace("%s", nested("ofType { ", "name", " }", levels=levels)),
    }.items()
}

ATTACKS: Final[Mapping[str, str]] = {
    **NAMED,
    **TEXTS,
    **ALL_AT_ONCE,
    **SAME_NAMES,
    **FRAGMENTS,
    **UNKNOWN,
    **VALUES,
    **FETCHES,
    **NESTED,
}
"""What each is made of, and its text."""
