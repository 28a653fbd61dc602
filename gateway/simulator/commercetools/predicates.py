"""Query predicates, as far as this API needs them, and the SQL they stand for.

    either     = both {"or" both}
    both       = one {"and" one}
    one        = "(" either ")" | field "(" either ")" | field comparison | field presence
    presence   = "is" ["not"] ("defined" | "empty")
    comparison = ("=" | "!=" | "<>" | "<" | ">" | "<=" | ">=") value
               | "in" ("(" value {"," value} ")" | ":" name)
    value      = string | ":" name

Strings are in double quotes, with JSON's escapes. What ``:name`` stands for comes in the query
parameter ``var.name``, which is repeated for a list. Values are only ever bound to the SQL.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.simulator.commercetools import refusals
from gateway.simulator.commercetools.refusals import Refusal

TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<variable>:[A-Za-z][A-Za-z0-9_-]*)
      | (?P<word>[A-Za-z][A-Za-z0-9_]*)
      | (?P<sign><=|>=|<>|!=|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL,
)

COMPARISONS = frozenset({"=", "!=", "<>", "<", ">", "<=", ">="})

MAX_DEPTH = 50
MAX_COMPARISONS = 500
MAX_VALUES = 10_000
"""SQLite allows not much more of either. The API has limits too, and does not say which."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What stands after WHERE, and the values for its question marks."""

    sql: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryableFields:
    """The fields that a predicate may name at one level: columns, or more fields.

    `around` is the SQL with a {} for the condition on the fields, where there has to be some.
    `present` are the words that its presence can be asked for in, each with its SQL.
    """

    of: Mapping[str, "str | QueryableFields"]
    around: str = "({})"
    present: Mapping[str, str] = field(default_factory=dict)


GROUP_FIELDS: Mapping[str, QueryableFields] = MappingProxyType(
    {
        "name": QueryableFields({"name": "name"}),
        "id": QueryableFields({"name": "name", "id": "id"}),
        "key": QueryableFields({"name": "name", "id": "id", "key": "key"}),
    }
)
"""By the switch `group_predicates`."""

LEGACY_FIELDS = QueryableFields(
    {
        "id": "id",
        "customerGroup": QueryableFields(
            {"id": "legacy_group"}, present={"defined": "legacy_group IS NOT NULL"}
        ),
    }
)
"""Of customers, without assignments."""

CUSTOMER_FIELDS = QueryableFields(
    {
        **LEGACY_FIELDS.of,
        # Like every predicate on an array it is about any one of its elements.
        "customerGroupAssignments": QueryableFields(
            {"customerGroup": QueryableFields({"id": "group_id"})},
            around="seq IN (SELECT customer FROM assignments WHERE {})",
            present={"empty": "seq NOT IN (SELECT customer FROM assignments)"},
        ),
    }
)


def condition(
    predicates: Sequence[str], variables: Mapping[str, Sequence[str]], fields: QueryableFields
) -> Condition | None:
    """All the predicates of a request; None if there are none. Refusal 400 for one that is wrong.

    >>> condition(['name = :n or name in ("a", "b")'], {"n": ["x"]}, GROUP_FIELDS["name"])
    Condition(sql='(name = ? OR name IN (?, ?))', values=('x', 'a', 'b'))
    """
    if not predicates:
        return None
    parsers = [Parser(predicate, variables) for predicate in predicates]
    sql = " AND ".join(f"({parser.parse(fields)})" for parser in parsers)
    values = tuple(value for parser in parsers for value in parser.values)
    if sum(p.comparisons for p in parsers) > MAX_COMPARISONS or len(values) > MAX_VALUES:
        raise refusals.too_complex()
    return Condition(sql, values)


class Parser:
    """One predicate on its way to SQL."""

    def __init__(self, text: str, variables: Mapping[str, Sequence[str]]) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0
        self._variables = variables
        self.values: list[str] = []
        """What the question marks of the SQL stand for, first to last."""
        self.comparisons = 0

    def parse(self, fields: QueryableFields) -> str:
        """The SQL for all of it; Refusal 400 if that can't be."""
        sql = self._either(fields)
        kind, text = self._next()
        if kind != "end":
            raise unexpected(text)
        return sql

    def _either(self, fields: QueryableFields) -> str:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise refusals.too_complex()
        parts = [self._both(fields)]
        while self._skip("or"):
            parts.append(self._both(fields))
        self._depth -= 1
        return " OR ".join(parts)

    def _both(self, fields: QueryableFields) -> str:
        parts = [self._one(fields)]
        while self._skip("and"):
            parts.append(self._one(fields))
        return " AND ".join(parts)

    def _one(self, fields: QueryableFields) -> str:
        kind, text = self._next()
        if text == "(":
            return f"({self._inside(fields)})"
        if kind != "word":
            raise unexpected(text)
        field = fields.of.get(text)
        match field:
            case None:
                raise wrong(f"there is no field {text!r} to query")
            case QueryableFields():
                if self._skip("is"):
                    return self._presence(field)
                self._expect("(")
                return field.around.format(self._inside(field))
            case _:
                return self._comparison(field)

    def _presence(self, field: QueryableFields) -> str:
        sign = "NOT " if self._skip("not") else ""
        _, word = self._next()
        if word not in field.present:
            raise unexpected(word)
        return f"({sign}{field.present[word]})"

    def _inside(self, fields: QueryableFields) -> str:
        sql = self._either(fields)
        self._expect(")")
        return sql

    def _comparison(self, column: str) -> str:
        _, sign = self._next()
        self.comparisons += 1
        if sign == "in":
            values = self._list()
            self.values += values
            return f"{column} IN ({', '.join('?' * len(values))})"
        if sign not in COMPARISONS:
            raise unexpected(sign)
        self.values.append(self._value())
        return f"{column} {sign} ?"

    def _list(self) -> Sequence[str]:
        kind, text = self._next()
        if kind == "variable":
            return self._variable(text)
        if text != "(":
            raise unexpected(text)
        values = [self._value()]
        while self._skip(","):
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> str:
        kind, text = self._next()
        if kind == "variable":
            found = self._variable(text)
            if len(found) != 1:
                raise wrong(f"the variable {text} has more than one value")
            return found[0]
        if kind != "string":
            raise unexpected(text)
        try:
            value = json.loads(text, strict=False)
            value.encode()
        except ValueError:  # of which a lone surrogate's is one, too
            raise wrong("a string has an escape that stands for nothing") from None
        return str(value)

    def _variable(self, text: str) -> Sequence[str]:
        found = self._variables.get(text[1:])
        if not found:
            raise wrong(f"the variable {text} has no value")
        return found

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _skip(self, text: str) -> bool:
        """Whether this is what comes next: never a string, which has its quotes."""
        if self._tokens[self._at][1] != text:
            return False
        self._at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise unexpected(self._tokens[self._at][1])


def tokens(text: str) -> list[tuple[str, str]]:
    """The predicate in pieces, each with its kind; the last one is the end."""
    text = text.rstrip()
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise wrong(f"nothing begins as at character {at + 1}")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return [*found, ("end", "")]


def unexpected(text: str) -> Refusal:
    """Something in a place where it can't be."""
    return wrong(f"{text} was not expected" if text else "there is too little of it")


def wrong(detail: str) -> Refusal:
    """A predicate that is not one."""
    return refusals.malformed("where", detail)
