"""The size of a part of a response is found without encoding it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine._run.sizes import size_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99_999, 99_999) | st.text("abc", max_size=20),
    lambda parts: st.lists(parts) | st.dictionaries(st.text("abc", min_size=1), parts),
    max_leaves=30,
)


@pytest.mark.slow
@given(JSON)
def test_a_size_is_about_that_of_the_encoded_value(value):
    """Never less, but for a digit more than the width of a number; a comma or so for each part."""
    size = len(msgspec.json.encode(value))

    assert size - str(value).count("-") <= size_of(value) <= 2 + 5 * size


def test_an_object_that_is_a_struct_has_the_size_of_the_same_dict():
    """Its members are encoded under the names of the response."""
    object_ = msgspec.defstruct("Object", [("_0", str)], rename={"_0": "displayName"})

    assert size_of(object_("Ada")) == size_of({"displayName": "Ada"})


def test_a_value_of_any_depth_has_a_size():
    """JSON of a custom field may be nested more deeply than Python's functions."""
    value: list[object] = []
    for _ in range(10_000):
        value = [value]

    assert size_of(value) > 10_000
