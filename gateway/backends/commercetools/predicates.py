"""commercetools' query predicates, built from values and never pasted.

A predicate is a language: a value is always a quoted literal, so that whatever it holds, it stays
one.
"""

from __future__ import annotations

from collections.abc import Sequence


def literal(value: str) -> str:
    r"""
    >>> print(literal('a" or name != "'))
    "a\" or name != \""
    """
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_one_of(field: str, values: Sequence[str]) -> str:
    """
    >>> is_one_of("id", ["a", "b"])
    'id in ("a", "b")'
    """
    return f"{field} in ({', '.join(map(literal, values))})"


def is_above(field: str, value: str) -> str:
    """
    >>> is_above("id", "a")
    'id > "a"'
    """
    return f"{field} > {literal(value)}"


def is_below(field: str, value: str) -> str:
    """
    >>> is_below("id", "a")
    'id < "a"'
    """
    return f"{field} < {literal(value)}"


def refers_to(field: str, uid: str) -> str:
    """
    >>> refers_to("customerGroup", "g")
    'customerGroup(id="g")'
    """
    return f"{field}(id={literal(uid)})"


def contains(field: str, predicate: str) -> str:
    """
    >>> contains("customerGroupAssignments", refers_to("customerGroup", "g"))
    'customerGroupAssignments(customerGroup(id="g"))'
    """
    return f"{field}({predicate})"


def any_of(*predicates: str) -> str:
    """
    >>> any_of("a = 1", "b = 2"), any_of("a = 1")
    ('(a = 1 or b = 2)', 'a = 1')
    """
    return predicates[0] if len(predicates) == 1 else f"({' or '.join(predicates)})"


def all_of(*predicates: str) -> str:
    """
    >>> all_of("a = 1", "b = 2")
    'a = 1 and b = 2'
    """
    return " and ".join(predicates)
