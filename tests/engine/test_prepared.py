"""What is kept of documents, for whom, and within which bounds; nobody empties it for others."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql.execution.values import VariableValues
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.flow_retail import FlowRetail
from gateway.engine import Limits, Operation
from gateway.engine._documents.documents import Document, Documents
from gateway.engine._documents.persisted import PersistedDocuments
from gateway.engine._documents.prepared import MOST_PLANS
from gateway.engine._documents.shared_cache import STRANGERS, document_store
from gateway.errors import PersistedQueryNotFound
from gateway.request import Context
from gateway.rest import Upstream
from gateway.settings import Bounds, FlowRetailSettings
from tests.engine.caches import stored
from tests.engine.caches import taken as taken_by
from tests.engine.test_persisted import apq, sha256
from tests.harness import asking, engine, schema

SCHEMA = schema()._schema
BOUNDS = Bounds(default_page_size=20, max_page_size=100, max_membership_uids=100)
MINE = "query Mine { customerGroups { nodes { name } } }"
MANIFEST = Path(__file__).parent / "trusted.json"
[TRUSTED] = json.loads(MANIFEST.read_text(encoding="utf-8")).values()
SKIPS = """query (
  $a: Boolean!, $b: Boolean!, $c: Boolean!, $d: Boolean!, $e: Boolean!, $f: Boolean!
) {
  customerGroups { nodes { uid
    a: name @skip(if: $a) b: name @skip(if: $b) c: name @skip(if: $c)
    d: name @skip(if: $d) e: name @skip(if: $e) f: name @skip(if: $f)
  } }
}"""
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.graphql"))


def documents(memory: int = 1_000_000) -> Documents:
    made = Documents(SCHEMA, Limits(), memory=memory, suggestions=False, introspection=True)
    made.trust([TRUSTED])
    return made


def other(number: int) -> str:
    """One of many documents, none of them small."""
    return f"query Q{number} {{ customerGroups {{ nodes {{ {'uid name ' * 20} }} }} }}"


class Stage:
    """Operations in this process, over a backend that is never asked."""

    def __init__(self, memory: int = 1_000_000) -> None:
        self.engine = engine(
            document_memory=memory,
            introspection=True,
            trusted_mode="log",
        )
        self.engine.trust([MANIFEST])
        self.documents = self.engine.documents
        settings = FlowRetailSettings(url="http://flow.example/v2")
        transport = httpx.MockTransport(lambda _: httpx.Response(500))
        self._connector = FlowRetail(
            Upstream("flow_retail", settings, transport, lambda _event: None), settings
        )

    def context(self, *, accepted: bool = True, **client: Any) -> Context:
        context = asking(self._connector, BOUNDS)
        if not accepted:
            client["token_statuses"] = {}
        return Context(replace(context.client, **client), context.tenants, BOUNDS)

    def make(
        self, text: str, variables: Mapping[str, Any] | None = None, **client: Any
    ) -> Operation:
        return self.engine.prepare(text, None, variables or {}, self.context(**client))


def choice(number: int) -> dict[str, bool]:
    return {name: bool(number >> index & 1) for index, name in enumerate("abcdef")}


def read(reader: Documents, text: str, *, accepted: bool) -> Document:
    document = reader.read(text, accepted=accepted)
    assert isinstance(document, Document)
    return document


# -- documents


@pytest.mark.slow
def test_strangers_drive_out_nobodys_documents_but_their_own():
    """However many they send."""
    reader = documents(100_000)
    mine = read(reader, MINE, accepted=True)
    trusted = read(reader, TRUSTED, accepted=True)

    for number in range(100):
        read(reader, other(number), accepted=False)

    assert read(reader, MINE, accepted=True) is mine
    assert read(reader, TRUSTED, accepted=True) is trusted
    assert taken_by(reader) <= mine.size + trusted.size + 100_000 * STRANGERS


@pytest.mark.slow
def test_accepted_callers_drive_out_no_trusted_documents():
    """Those are for the clients that were built with them."""
    reader = documents(100_000)
    trusted = read(reader, TRUSTED, accepted=False)

    for number in range(100):
        read(reader, other(number), accepted=True)

    assert read(reader, TRUSTED, accepted=True) is trusted


def test_a_strangers_document_is_kept_for_strangers():
    """What many ask without a token, such as a health check, is parsed once."""
    reader = documents()

    first = read(reader, MINE, accepted=False)

    assert read(reader, MINE, accepted=False) is first
    assert not reader.knows(MINE)


@pytest.mark.slow
def test_it_becomes_an_accepted_callers_when_one_sends_it():
    """The first request of a token is a stranger's; its document is not parsed again."""
    reader = documents(100_000)
    first = read(reader, MINE, accepted=False)

    assert read(reader, MINE, accepted=True) is first
    assert reader.knows(MINE)
    for number in range(100):
        read(reader, other(number), accepted=False)
    assert read(reader, MINE, accepted=False) is first


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=30),
    st.integers(0, 60_000),
)
def test_the_bounds_hold(sent: list[tuple[int, bool]], memory: int):
    """Whoever sends whatever in whatever order: of three kinds each has its own."""
    reader = documents(memory)

    for number, accepted in sent:
        text = TRUSTED if number == 0 else other(number)
        document = read(reader, text, accepted=accepted)

        assert document.node.loc is not None
        assert document.node.loc.source.body == text
        assert taken_by(reader) <= memory * (2 + STRANGERS)


# -- what is made of them


@pytest.mark.slow
async def test_what_is_made_of_a_document_goes_with_it():
    """And counts with it, so that many documents with many plans fit into the same room."""
    stage = Stage(200_000)

    for number in range(50):
        for _ in range(2):
            stage.make(other(number))

        assert taken_by(stage.documents) <= 200_000


@pytest.mark.slow
async def test_a_new_text_leaves_the_plans_of_others():
    """A thousand new texts used to throw everybody's plans away."""
    stage = Stage()
    stage.make(MINE)
    plans = read(stage.documents, MINE, accepted=True).prepared["Mine"].plans
    kept = list(plans.values())

    for number in range(300):
        stage.make(other(number))
        stage.make(MINE)

    document = read(stage.documents, MINE, accepted=True)
    assert document.prepared["Mine"].plans is plans
    assert all(made.plan.lasting for made in plans.values())
    assert len(plans) == len(kept) == 1


async def test_choices_of_what_is_skipped_drive_out_only_their_own_documents_plans():
    """Of one operation, a bounded number is kept."""
    stage = Stage()
    stage.make(MINE)
    plans = read(stage.documents, MINE, accepted=True).prepared["Mine"].plans
    kept = list(plans.values())

    for number in range(60):
        stage.make(SKIPS, choice(number))

    document = read(stage.documents, SKIPS, accepted=True)
    assert len(document.prepared[None].plans) == MOST_PLANS
    assert list(plans.values()) == kept


@pytest.mark.slow
async def test_strangers_have_no_plans_kept_with_an_accepted_callers_document():
    """They are made for the request, and those that are there are used."""
    stage = Stage()
    for _ in range(2):
        stage.make(SKIPS, choice(0))
    taken = taken_by(stage.documents)
    plans = read(stage.documents, SKIPS, accepted=True).prepared[None].plans
    kept = dict(plans)

    for number in range(60):
        for _ in range(2):
            stage.make(SKIPS, choice(number), accepted=False)

    assert dict(plans) == kept
    assert taken_by(stage.documents) == taken


async def test_strangers_have_plans_kept_with_their_own_documents():
    """But none that is made to last, which leaves traces elsewhere."""
    stage = Stage()
    for _ in range(3):
        stage.make(MINE, accepted=False)

    plans = read(stage.documents, MINE, accepted=False).prepared["Mine"].plans

    assert [made.plan.lasting for made in plans.values()] == [False]


@pytest.mark.slow
async def test_a_tenants_name_of_a_megabyte_is_no_key():
    """Nobody looks at X-Tenant before a field asks for it."""
    stage = Stage()
    for _ in range(3):
        stage.make("{ __typename }")

    tracemalloc.start()
    try:
        started, _ = tracemalloc.get_traced_memory()
        for number in range(8):
            stage.make("{ __typename }", tenant_uid=f"{number}" + "x" * 1_000_000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - started
    finally:
        tracemalloc.stop()

    assert grown < 500_000


async def test_a_long_value_is_no_key():
    """Variables are anybody's choice."""
    stage = Stage()
    text = "query ($v: ID!) { customerGroup(by: {uid: $v}) { name } }"
    for _ in range(2):
        stage.make(text, {"v": "g1"})
    [made] = read(stage.documents, text, accepted=True).prepared[None].plans.values()
    size = made.estimates.size

    stage.make(text, {"v": "x" * 100_000})

    assert made.estimates.size == size > 0


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_memory_of_what_is_made_is_estimated_honestly(path: Path):
    """A document with its plan takes no more than is said."""
    text = path.read_text(encoding="utf-8")
    stage = Stage(50_000_000)
    document = read(stage.documents, text, accepted=True)
    [node, *_] = document.operations.values()
    planner, nothing = stage.engine._planner, VariableValues({}, {})
    # What is known of fields is no document's.
    stage.engine._prepared(document, node, keep=False)
    planner.plan(node, document.fragments, nothing, accepted=False)
    gc.collect()
    tracemalloc.start()
    try:
        started, _ = tracemalloc.get_traced_memory()
        prepared = stage.engine._prepared(document, node, keep=True)
        plan = planner.plan(node, document.fragments, nothing, accepted=False)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - started
    finally:
        tracemalloc.stop()

    assert taken <= 2 * plan.size + prepared.size


# -- registered texts


def registered(found: PersistedDocuments, text: str, *, accepted: bool) -> None:
    """Send `text` with its hash, and keep it, as if it were valid."""
    found.keep(found.find(text, extensions=apq(sha256(text))), accepted=accepted)


def test_strangers_drive_out_no_registered_texts():
    """However many they register; an anonymous client's last ones stay, too."""
    store = document_store(100_000)
    found = PersistedDocuments(store=store)
    registered(found, MINE, accepted=True)

    for number in range(500):
        registered(found, other(number), accepted=False)

    assert found.find(None, extensions=apq(sha256(MINE))).text == MINE
    assert found.find(None, extensions=apq(sha256(other(499)))).text == other(499)
    with pytest.raises(PersistedQueryNotFound):
        found.find(None, extensions=apq(sha256(other(0))))
    assert stored(store) <= 100_000 * (1 + STRANGERS)


def test_a_strangers_text_becomes_an_accepted_callers_when_one_uses_it():
    """The first request of a token is a stranger's; it registers what the next ones ask for."""
    found = PersistedDocuments(store=document_store(100_000))
    registered(found, MINE, accepted=False)

    found.keep(found.find(None, extensions=apq(sha256(MINE))), accepted=True)
    for number in range(500):
        registered(found, other(number), accepted=False)

    assert found.find(None, extensions=apq(sha256(MINE))).text == MINE
