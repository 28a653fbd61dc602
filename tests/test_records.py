"""What records say of themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidAnswer
from gateway.records import CustomerGroup, CustomerType, OpenEnum

WHEN = datetime(2025, 7, 30, 18, 10, 6, 447_000, tzinfo=UTC)
GOLD: dict[str, Any] = {
    "tenant_uid": "shop",
    "uid": "gold",
    "name": "Gold",
    "created_at": WHEN,
    "created_by": "ada",
    "last_modified_at": WHEN,
    "last_modified_by": "bob",
}


def revision(**changed: object) -> str:
    return CustomerGroup(**GOLD | changed).revision


CHANGES: list[dict[str, object]] = [
    {"name": "gold"},
    {"name": ""},
    {"key": "gold"},
    {"key": ""},
    {"created_at": WHEN + timedelta(milliseconds=1)},
    {"created_at": None},
    {"created_by": "bob"},
    {"created_by": None},
    {"created_by": ""},
    {"last_modified_at": WHEN - timedelta(milliseconds=1)},
    {"last_modified_at": None},
    {"last_modified_at": InvalidAnswer("It is a number.")},
    {"last_modified_by": "ada"},
    {"last_modified_by": None},
    {"created_by": "bob", "last_modified_by": "ada"},
    {"version": 0},
    {"version": 1},
]


def test_a_revision_changes_with_everything_that_can_be_seen():
    """Each of these is another state, and another than each other."""
    revisions = [revision(), *(revision(**change) for change in CHANGES)]

    assert len(set(revisions)) == len(revisions)


@pytest.mark.parametrize(
    "same",
    [
        WHEN.astimezone(timezone(timedelta(hours=2))),
        WHEN + timedelta(microseconds=999),
        datetime.fromisoformat("2025-07-30T20:10:06.447+02:00"),
    ],
)
def test_a_revision_stays_while_the_same_is_seen(same):
    """An instant is shown in UTC with milliseconds, however the backend writes it."""
    assert revision(last_modified_at=same, created_at=same) == revision()


@pytest.mark.slow
@given(
    name=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    other=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
)
def test_two_names_have_two_revisions(name, other):
    """Whatever stands in them; one name has one, in every process."""
    assert (revision(name=name) == revision(name=other)) == (name == other)


@pytest.mark.parametrize("year", [1, 9999])
def test_an_instant_at_the_edge_of_time_has_a_revision(year):
    """.NET's "no time" is midnight of the year 1, at times with an offset."""
    for hours in (-12, 12):
        edge = datetime(year, 1, 1, tzinfo=timezone(timedelta(hours=hours)))
        assert revision(created_at=edge) != revision()


def test_a_revision_is_opaque_and_short():
    """It goes into a GraphQL string; a backend's own version is told from a fingerprint."""
    assert revision(version=7) == "v7"
    assert revision().startswith("f")
    assert len(revision()) == 25


@pytest.mark.parametrize("kind", OpenEnum.__subclasses__(), ids=lambda kind: kind.__name__)
def test_an_enum_value_ahead_of_its_document_is_unrecognized(kind):
    """Every enum of a record takes any string."""
    for text in ("NEW", "", "company", "Å"):
        assert msgspec.json.decode(msgspec.json.encode(text), type=kind) is kind["UNRECOGNIZED"]
    for member in kind:
        assert kind(member.value) is member


def test_an_enum_is_not_another_type():
    """A number is no value that was added; it is a wrong type."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"5", type=CustomerType)
