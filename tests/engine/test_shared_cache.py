"""The store of registered texts: never larger than it may be, and never a wrong answer."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine._documents.shared_cache import OVERHEAD, SharedCache, document_store
from tests.engine.caches import stored, texts

# A few come again and again; the others differ in what a character takes.
TEXTS = st.sampled_from(["{ a }", "{ b }", "{ c }", "{ d }", "{ e }"]) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60
)


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def put(store: SharedCache[bytes, bytes], text: str) -> None:
    store.put(digest(text), text.encode(), accepted=True)


@pytest.mark.slow
@given(
    max_bytes=st.integers(0, 5 * OVERHEAD),
    steps=st.lists(st.tuples(st.booleans(), TEXTS), max_size=60),
)
def test_it_is_an_lru_of_bytes(max_bytes, steps):
    """Against a model that adds everything up anew: what is kept, in which order, and how much."""
    store = document_store(max_bytes)
    model: OrderedDict[str, int] = OrderedDict()

    for is_put, text in steps:
        size = len(text.encode()) + OVERHEAD
        if is_put:
            put(store, text)
            if text in model:
                model.move_to_end(text)
            elif size <= max_bytes:
                model[text] = size
                while sum(model.values()) > max_bytes:
                    model.popitem(last=False)
        else:
            assert store.get(digest(text)) == (text.encode() if text in model else None)
            if text in model:
                model.move_to_end(text)

        assert stored(store) == sum(model.values()) <= max_bytes
        assert texts(store) == len(model)
    for text in model:
        assert store.get(digest(text)) == text.encode()


@pytest.mark.parametrize(
    "use", [lambda store: store.get(digest("{ a }")), lambda store: put(store, "{ a }")]
)
def test_what_is_used_stays(use):
    """Of two that are old, the one that is asked for or sent again."""
    store = document_store(2 * (OVERHEAD + 5))
    put(store, "{ a }")
    put(store, "{ b }")
    use(store)

    put(store, "{ c }")

    assert store.get(digest("{ a }")) == b"{ a }"
    assert store.get(digest("{ b }")) is None


def test_a_text_larger_than_the_store_moves_nothing():
    """One large document can't empty it."""
    store = document_store(OVERHEAD + 5)
    put(store, "{ a }")

    put(store, "{ ab }")

    assert store.get(digest("{ a }")) == b"{ a }"
    assert store.get(digest("{ ab }")) is None


@pytest.mark.slow
def test_memory_is_counted_in_full():
    """With all that an entry takes beside its text, and with characters of four bytes."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        store = document_store(2_000_000)
        for number in range(20_000):
            # The table is at its emptiest, for its entries, right after it has grown.
            put(store, f"{number} \N{GRINNING FACE}" + "x" * (number % 7))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert stored(store) > 1_900_000
    assert after - before <= 2_000_000
