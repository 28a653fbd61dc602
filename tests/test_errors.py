"""The tree of failures: one code a class, and a message that anyone may read."""

from __future__ import annotations

import inspect

import pytest

from gateway import errors
from gateway.errors import (
    AccessError,
    CallerError,
    DocumentError,
    GatewayError,
    InvalidInput,
    Overloaded,
    RateLimited,
    RevisionConflict,
    UpstreamError,
)
from gateway.schema.mutation import CustomerGroupUserErrorCode

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, GatewayError)
]
BRANCHES = (GatewayError, CallerError, DocumentError, AccessError, UpstreamError)
LEAVES = [kind for kind in CLASSES if kind not in BRANCHES]


@pytest.mark.parametrize("kind", LEAVES)
def test_a_leaf_stands_on_one_branch(kind):
    """That says who can act: the caller, the client's author, whoever gives out tokens, or nobody
    here.
    """
    assert sum(issubclass(kind, branch) for branch in BRANCHES[1:]) == 1
    assert kind.__doc__


def test_no_two_classes_have_one_code():
    """A client that reads the code knows the meaning."""
    codes = [kind.code for kind in LEAVES]

    assert len(set(codes)) == len(codes)


def test_all_that_may_be_a_user_error_has_a_code_there():
    """Mistakes, and what may end a change part of the way; only malformed input has a name of its
    own there.
    """
    mistakes = {kind.code for kind in LEAVES if not issubclass(kind, DocumentError)}

    assert {code.name for code in CustomerGroupUserErrorCode} == (
        mistakes - {"BAD_USER_INPUT"} | {"INVALID_INPUT"}
    )


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not Overloaded])
def test_the_message_is_kept_and_the_code_shown(kind):
    """`str` is the message; `extensions` is what clients get beside it."""
    failure = kind("It went wrong.")

    assert str(failure) == failure.message == "It went wrong."
    assert failure.extensions == {"code": kind.code}


def test_a_callers_mistake_names_the_field():
    """As the path of the input value."""
    mistake = InvalidInput("No.", field=["input", "name"])

    assert mistake.extensions == {"code": "BAD_USER_INPUT", "field": ["input", "name"]}


def test_a_rate_limit_says_when_to_come_back():
    """In seconds, where the upstream said so."""
    assert RateLimited("Slowly.", retry_after=3.0).extensions == {
        "code": "RATE_LIMITED",
        "retryAfter": 3.0,
    }
    assert Overloaded("Later.", retry_after=0.5).extensions == {
        "code": "OVERLOADED",
        "retryAfter": 0.5,
    }


def test_a_conflict_carries_the_state_that_won_and_does_not_show_it():
    """It is for the payload, not for an error's extensions."""
    conflict = RevisionConflict("Changed.", current={"name": "New"}, field=["expectedRevision"])

    assert conflict.current == {"name": "New"}
    assert conflict.extensions == {"code": "REVISION_CONFLICT", "field": ["expectedRevision"]}
