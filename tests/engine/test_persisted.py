"""Which document a request means: by its text, by an id of the manifest, by a registered hash."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine._documents.persisted import DocumentText, PersistedDocuments
from gateway.engine._documents.shared_cache import OVERHEAD, document_store
from gateway.errors import (
    InvalidInput,
    PersistedQueryNotAllowed,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
)
from tests.engine.caches import texts

TRUSTED = "query Trusted { customerGroups { nodes { name } } }"
CUSTOM = "query Custom { tenant { uid } }"
OTHER = "query Other { customerGroups { totalCount } }"
MODES = ["off", "log", "enforce"]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def apq(given: object, version: object = 1) -> Mapping[str, object]:
    return {"persistedQuery": {"version": version, "sha256Hash": given}}


def documents(mode: Any, *, store: int = 0) -> PersistedDocuments:
    """Over a manifest of one text by its hash and one by an id of its author's choice; `store`
    bytes for automatic persisted queries.
    """
    return PersistedDocuments(
        {sha256(TRUSTED): TRUSTED, "custom/1": CUSTOM},
        mode=mode,
        store=document_store(store) if store else None,
    )


def registered(found: PersistedDocuments, text: str) -> None:
    """Send `text` with its hash, have it validated, and keep it."""
    found.keep(found.find(text, extensions=apq(sha256(text))))


# Without a manifest, and without a store.


def test_a_text_is_what_runs():
    """Nothing is known of it, and nobody has asked."""
    assert PersistedDocuments().find(OTHER) == DocumentText(text=OTHER)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("extensions", [None, {}, {"persistedQuery": None}, {"tracing": {}}])
def test_a_request_without_any_document(mode, extensions):
    """That is said, rather than that something was not found."""
    with pytest.raises(InvalidInput) as caught:
        documents(mode, store=10_000).find(None, document_id="", extensions=extensions)

    assert caught.value.field == ("query",)


def test_an_empty_text_is_left_to_the_parser():
    """It says what is wrong with it as with any other text."""
    assert documents("off").find("").text == ""


@pytest.mark.parametrize("query", [None, "", OTHER])
def test_what_is_switched_off_says_so_in_apollos_words(query):
    """Its clients compare message and code, and then stop sending hashes; with a text as well."""
    with pytest.raises(PersistedQueryNotSupported) as caught:
        documents("off").find(query, extensions=apq(sha256(OTHER)))

    assert caught.value.message == "PersistedQueryNotSupported"
    assert caught.value.extensions == {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}


def test_off_does_not_use_the_manifest():
    """Neither its ids, nor to say what is trusted."""
    found = documents("off")

    assert found.find(TRUSTED) == DocumentText(text=TRUSTED)
    with pytest.raises(PersistedQueryNotSupported):
        found.find(None, document_id="custom/1")


# Trusted documents.


@pytest.mark.parametrize("mode", ["log", "enforce"])
@pytest.mark.parametrize(
    ("query", "naming", "text"),
    [
        (TRUSTED, {}, TRUSTED),
        (None, {"document_id": sha256(TRUSTED)}, TRUSTED),
        (None, {"document_id": f"sha256:{sha256(TRUSTED)}"}, TRUSTED),
        (None, {"extensions": apq(sha256(TRUSTED))}, TRUSTED),
        ("", {"extensions": apq(sha256(TRUSTED))}, TRUSTED),
        (TRUSTED, {"extensions": apq(sha256(TRUSTED))}, TRUSTED),
        (None, {"document_id": sha256(TRUSTED), "extensions": apq(sha256(TRUSTED))}, TRUSTED),
        (None, {"document_id": "custom/1"}, CUSTOM),
        (None, {"document_id": f"sha256:{sha256(CUSTOM)}"}, CUSTOM),
        (None, {"extensions": apq(sha256(CUSTOM))}, CUSTOM),
        (None, {"extensions": apq("custom/1")}, CUSTOM),
        (CUSTOM, {"extensions": apq("custom/1")}, CUSTOM),
        (CUSTOM, {"document_id": "an id of another deployment"}, CUSTOM),
    ],
)
def test_the_ways_to_a_document_of_the_manifest(mode, query, naming, text):
    """Its id, the hash of its text whatever its id is, or the text."""
    assert documents(mode).find(query, **naming) == DocumentText(text=text, trusted=True)


def test_an_id_of_the_manifest_may_look_like_another_hash():
    """Without a prefix an id is what its tool has chosen; with it, it is the hash of the text."""
    found = PersistedDocuments({sha256(OTHER): CUSTOM, "other": OTHER}, mode="enforce")

    assert found.find(None, document_id=sha256(OTHER)).text == CUSTOM
    assert found.find(None, document_id=f"sha256:{sha256(OTHER)}").text == OTHER


@pytest.mark.parametrize("mode", ["log", "enforce"])
@pytest.mark.parametrize(
    "naming",
    [
        {"document_id": "custom/2"},
        {"document_id": sha256(OTHER)},
        {"document_id": f"sha256:{sha256(OTHER)}"},
        {"document_id": sha256(TRUSTED).upper()},
        {"document_id": sha256(TRUSTED) + " "},
        {"document_id": TRUSTED},
        {"document_id": "x-mine:1"},
        {"extensions": apq(sha256(OTHER))},
    ],
)
@pytest.mark.parametrize("store", [0, 10_000])
def test_an_unknown_id(mode, naming, store):
    """Apollo's clients then send the text; so they are not told that there are no ids at all."""
    with pytest.raises(PersistedQueryNotFound) as caught:
        documents(mode, store=store).find(None, **naming)

    assert caught.value.message == "PersistedQueryNotFound"
    assert caught.value.extensions == {"code": "PERSISTED_QUERY_NOT_FOUND"}


@pytest.mark.parametrize(
    "query",
    [
        "",
        OTHER,
        TRUSTED + " ",
        TRUSTED.lower(),
        TRUSTED.replace(" }", "\n}"),
        TRUSTED + OTHER,
        "\ufeff" + TRUSTED,
        sha256(TRUSTED),
        "custom/1",
    ],
)
def test_enforce_takes_the_exact_text_only(query):
    """A text that differs is another document, however little."""
    with pytest.raises(PersistedQueryNotAllowed) as caught:
        documents("enforce", store=10_000).find(query)

    assert caught.value.extensions == {"code": "PERSISTED_QUERY_NOT_ALLOWED"}
    assert query not in caught.value.message or not query


@pytest.mark.parametrize(
    "query",
    [
        "{__typename}",
        "query{__typename}",
        "query __ApolloServiceHealthCheck__ { __typename }",
        "query __ApolloGetServiceDefinition__ { _service { sdl } }",
        "{_service{sdl}}",
        "\ufeffquery Subgraph {\n  # eslint-disable-next-line\n  _service {\n    sdl,\n  }\n}\n",
    ],
)
def test_what_gateways_poll_runs_in_enforce(query):
    """Whether the subgraph is there, and its schema; a manifest of clients has neither."""
    assert documents("enforce").find(query) == DocumentText(text=query)
    assert documents("enforce").find(query, extensions=apq(sha256(query))).text == query
    assert documents("log").find(query).unknown is None


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename __typename }",
        "{ a: __typename }",
        "{ __typename @skip(if: true) }",
        "query ($a: Int) { __typename }",
        "mutation { __typename }",
        "{ __schema { types { name } } }",
        "{ __typename _service { sdl } customerGroups { totalCount } }",
        "{ _service { sdl } }, { customerGroups { totalCount } }",
        "{ __typename } # }\nquery Other { customerGroups { totalCount } }",
        "{ __typename } #" + "x" * 500,
    ],
)
def test_nothing_else_does(query):
    """Be it ever so like it."""
    with pytest.raises(PersistedQueryNotAllowed):
        documents("enforce").find(query)


@pytest.mark.parametrize(
    "naming",
    [
        {"document_id": "custom/1"},
        {"document_id": sha256(TRUSTED)},
        {"document_id": f"sha256:{sha256(OTHER)}"},
        {"extensions": apq(sha256(OTHER))},
    ],
)
def test_an_id_does_not_make_another_text_trusted(naming):
    """What runs is the text that was sent, so it is the text that has to be trusted."""
    with pytest.raises(PersistedQueryNotAllowed):
        documents("enforce", store=10_000).find(OTHER, **naming)


def test_clients_register_nothing_where_the_manifest_rules():
    """Neither what is refused, nor through a store that had it from before."""
    store = document_store(10_000)
    registered(PersistedDocuments(store=store), OTHER)
    found = PersistedDocuments({"custom/1": CUSTOM}, mode="enforce", store=store)

    assert texts(store) == 1
    with pytest.raises(PersistedQueryNotFound):
        found.find(None, extensions=apq(sha256(OTHER)))
    with pytest.raises(PersistedQueryNotAllowed):
        registered(found, TRUSTED)
    registered(found, CUSTOM)
    assert texts(store) == 1


@pytest.mark.slow
@given(query=st.none() | st.text(), document_id=st.none() | st.text(), given=st.none() | st.text())
def test_nothing_but_the_manifest_ever_runs_in_enforce(query, document_id, given):
    """Whatever is sent: a text of the manifest, or a refusal that has a code."""
    extensions = None if given is None else apq(given)
    try:
        found = documents("enforce", store=10_000).find(
            query, document_id=document_id, extensions=extensions
        )
    except (InvalidInput, PersistedQueryNotAllowed, PersistedQueryNotFound):
        return

    assert found.text in (TRUSTED, CUSTOM)


def test_log_runs_everything_and_tells_what_the_manifest_lacks():
    """By its hash; the text may hold what nobody wants in a log."""
    found = documents("log", store=10_000)

    assert found.find(OTHER) == DocumentText(text=OTHER, unknown=sha256(OTHER))
    assert found.find(OTHER, document_id="custom/1").unknown == sha256(OTHER)
    assert OTHER not in repr(found.find(OTHER))

    registered(found, OTHER)
    assert found.find(None, extensions=apq(sha256(OTHER))).unknown == sha256(OTHER)


# Automatic persisted queries.


@pytest.mark.parametrize("mode", ["off", "log"])
def test_a_registered_text_is_found_by_its_hash(mode):
    """In Apollo's way and in that of GraphQL over HTTP, whichever registered it."""
    for registering in (
        {"extensions": apq(sha256(OTHER))},
        {"document_id": f"sha256:{sha256(OTHER)}"},
    ):
        found = documents(mode, store=10_000)
        with pytest.raises(PersistedQueryNotFound):
            found.find(None, **registering)

        found.keep(found.find(OTHER, **registering))

        assert found.find(None, extensions=apq(sha256(OTHER))).text == OTHER
        assert found.find(None, document_id=f"sha256:{sha256(OTHER)}").text == OTHER
        assert found.find(None, document_id=sha256(OTHER)).text == OTHER


def test_what_is_not_kept_is_not_found():
    """A document that turned out invalid costs no place in the store."""
    found = documents("off", store=10_000)
    found.find("{ no such", extensions=apq(sha256("{ no such")))

    with pytest.raises(PersistedQueryNotFound):
        found.find(None, extensions=apq(sha256("{ no such")))


@pytest.mark.parametrize("naming", [{}, {"document_id": "mine"}, {"document_id": sha256(OTHER)}])
def test_what_is_not_offered_is_not_kept(naming):
    """A client that sends no hash, or an id of some other kind, will not ask by the hash."""
    store = document_store(10_000)
    found = PersistedDocuments(store=store)

    found.keep(found.find(OTHER, **naming))

    assert texts(store) == 0


def test_what_the_manifest_has_takes_no_place_in_the_store():
    """It is found without."""
    store = document_store(10_000)
    found = PersistedDocuments({"custom/1": CUSTOM}, mode="log", store=store)

    registered(found, CUSTOM)

    assert texts(store) == 0
    assert found.find(None, extensions=apq(sha256(CUSTOM))).text == CUSTOM


@pytest.mark.parametrize("mode", ["off", "log"])
@pytest.mark.parametrize(
    "naming",
    [
        {"extensions": apq(sha256(CUSTOM))},
        {"document_id": f"sha256:{sha256(CUSTOM)}"},
        {"document_id": sha256(CUSTOM), "extensions": apq(sha256(CUSTOM))},
    ],
)
def test_a_hash_beside_a_text_is_its_hash(mode, naming):
    """Else one caller could put a text where others look for another."""
    found = documents(mode, store=10_000)

    with pytest.raises(InvalidInput) as caught:
        found.find(OTHER, **naming)

    assert caught.value.code == "BAD_USER_INPUT"
    assert OTHER not in caught.value.message


@pytest.mark.parametrize(
    ("persisted_query", "field"),
    [
        ("text", []),
        (1, []),
        (True, []),
        ([], []),
        ([1, sha256(OTHER)], []),
        ({}, ["version"]),
        ({"sha256Hash": sha256(OTHER)}, ["version"]),
        ({"version": 2, "sha256Hash": sha256(OTHER)}, ["version"]),
        ({"version": "1", "sha256Hash": sha256(OTHER)}, ["version"]),
        ({"version": True, "sha256Hash": sha256(OTHER)}, ["version"]),
        ({"version": 1.0, "sha256Hash": sha256(OTHER)}, ["version"]),
        ({"version": None, "sha256Hash": sha256(OTHER)}, ["version"]),
        ({"version": 1}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": None}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": ""}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": 64}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": [sha256(OTHER)]}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": {"sha": 1}}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": sha256(OTHER)[:-1]}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": sha256(OTHER) + "\n"}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": sha256(OTHER).upper()}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": "\uff11" * 64}, ["sha256Hash"]),
        ({"version": 1, "sha256Hash": f"sha256:{sha256(OTHER)}"}, ["sha256Hash"]),
    ],
)
def test_a_malformed_persisted_query(persisted_query, field):
    """What is wrong with it is said, with its place, in every mode, whether there is a text or
    not.
    """
    for mode, query in itertools.product(MODES, (None, OTHER)):
        found = documents(mode, store=10_000)

        with pytest.raises(InvalidInput) as caught:
            found.find(query, extensions={"persistedQuery": persisted_query})

        assert caught.value.field == ("extensions", "persistedQuery", *field), (mode, query)


@pytest.mark.parametrize("document_id", ["sha256:", "sha256:00", f"sha256:{sha256(OTHER).upper()}"])
def test_a_malformed_hash_as_an_id(document_id):
    """The prefix says what has to follow."""
    with pytest.raises(InvalidInput):
        documents("log", store=10_000).find(None, document_id=document_id)


def test_two_names_for_two_documents():
    """Neither of them wins."""
    with pytest.raises(InvalidInput):
        documents("enforce").find(None, document_id="custom/1", extensions=apq(sha256(TRUSTED)))


def test_half_of_a_surrogate_pair_has_no_hash():
    """Some JSON readers let it through; it is refused like other mistakes."""
    with pytest.raises(InvalidInput):
        documents("log").find("{ a } # \ud800")


TEXTS = st.sampled_from([f"{{ a{n} }}" for n in range(6)])


@pytest.mark.slow
@given(
    places=st.integers(1, 4),
    steps=st.lists(
        st.tuples(st.sampled_from(["offer", "invalid", "lie", "ask"]), TEXTS, TEXTS), max_size=40
    ),
)
def test_a_hash_finds_its_text_or_nothing(places, steps):
    """Whatever callers send in whatever order: never another text, never one that was not valid."""
    store = document_store(places * (OVERHEAD + 6))
    found = PersistedDocuments(store=store)
    kept: set[str] = set()

    for step, text, other in steps:
        try:
            if step == "ask":
                assert found.find(None, extensions=apq(sha256(text))).text == text
                assert text in kept
                continue
            document = found.find(text, extensions=apq(sha256(other if step == "lie" else text)))
        except PersistedQueryNotFound:
            assert step == "ask"
            continue
        except InvalidInput:
            assert step == "lie"
            assert other != text
            continue
        if step != "invalid":
            found.keep(document)
            kept.add(text)
            assert found.find(None, extensions=apq(sha256(text))).text == text
        assert texts(store) <= places


def test_a_manifest_counts_until_the_next_one_is_ready():
    """Thousands of texts take a while to hash, and are hashed in a thread."""
    found: list[str] = []

    class Asked(dict[str, str]):
        def values(self):
            found.append(documents.find(None, document_id="a").text)
            return super().values()

    documents = PersistedDocuments({"a": "{ old }"}, mode="enforce")

    documents.trust(Asked(a="{ new }"))

    assert found == ["{ old }"]
    assert documents.find(None, document_id="a").text == "{ new }"
