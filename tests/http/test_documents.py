"""Documents that are named instead of sent, over HTTP; the rules are in tests/engine."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.settings import SettingsError
from gateway.telemetry import OperationDone, UntrustedDocument
from gateway.telemetry.log_lines import log_event
from tests.harness import TOKEN, Flow, Gateway, codes, running_gateway, settings

QUERY = 'query Gold { customerGroup(by: {uid: "gold"}) { name } }'
OTHER = "{ customerGroups { totalCount } }"
APOLLO = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [{"id": "gold-1", "name": "Gold", "type": "query", "body": QUERY}],
}
RELAY = {"gold-1": QUERY}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def send(gateway: Gateway, **body: object) -> Any:
    response = await gateway.client.post(
        f"{gateway.url}/graphql", json=body, headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert response.status_code == 200, response.text
    return response.json()


def persisted(text: str) -> dict[str, object]:
    return {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}


async def test_a_document_is_registered_by_its_hash(gateway: Gateway, flow: Flow):
    """Apollo's three steps: by hash, with its text, and from then on by hash, for everybody."""
    flow.add_group("gold")

    unknown = await send(gateway, extensions=persisted(QUERY))
    registered = await send(gateway, query=QUERY, extensions=persisted(QUERY))
    known = await send(gateway, extensions=persisted(QUERY))
    by_url = await gateway.client.get(
        f"{gateway.url}/graphql",
        params={"extensions": json.dumps(persisted(QUERY))},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )

    assert codes(unknown) == ["PERSISTED_QUERY_NOT_FOUND"]
    assert unknown["errors"][0]["message"] == "PersistedQueryNotFound"
    for body in (registered, known, by_url.json()):
        assert body["data"] == {"customerGroup": {"name": "Gold"}}


async def test_what_is_not_valid_is_not_registered(gateway: Gateway):
    """It would be kept to be refused again."""
    await send(gateway, query="{ nope }", extensions=persisted("{ nope }"))

    assert codes(await send(gateway, extensions=persisted("{ nope }"))) == [
        "PERSISTED_QUERY_NOT_FOUND"
    ]


@pytest.mark.slow
async def test_without_a_store_clients_are_told_to_stop_asking(flow: Flow):
    """In Apollo's words."""
    async with running_gateway(settings(flow.url, persisted_queries=False)) as gateway:
        body = await send(gateway, extensions=persisted(QUERY))

    assert codes(body) == ["PERSISTED_QUERY_NOT_SUPPORTED"]


@pytest.mark.parametrize("manifest", [APOLLO, RELAY], ids=["Apollo's", "Relay's"])
async def test_only_trusted_documents_run_where_that_is_enforced(
    flow: Flow, tmp_path: Path, manifest
):
    """By id or by their text; nothing else does, and nothing is called for it."""
    flow.add_group("gold")
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(manifest))
    chosen = settings(flow.url, trusted_documents=(str(file),), trusted_mode="enforce")
    async with running_gateway(chosen) as gateway:
        taken = [
            await send(gateway, documentId="gold-1"),
            await send(gateway, doc_id="gold-1"),
            await send(gateway, id="gold-1"),
            await send(gateway, query=QUERY),
            await send(gateway, extensions=persisted(QUERY)),
        ]
        calls = list(flow.calls)
        refused = [
            await send(gateway, query=OTHER),
            await send(gateway, query=OTHER, extensions=persisted(OTHER)),
            await send(gateway, query=QUERY + " "),
            await send(gateway, query="{ __schema { types { name } } }"),
            await send(gateway, query=OTHER, documentId="gold-1"),
        ]
        unknown = await send(gateway, documentId="gold-2")

    assert [body["data"] for body in taken] == [{"customerGroup": {"name": "Gold"}}] * 5
    assert [codes(body) for body in refused] == [["PERSISTED_QUERY_NOT_ALLOWED"]] * 5
    assert codes(unknown) == ["PERSISTED_QUERY_NOT_FOUND"]
    assert flow.calls == calls


async def test_where_it_is_logged_all_run_and_strangers_are_named(
    flow: Flow, tmp_path: Path, caplog
):
    """By the hash of their text, never by the text."""
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(RELAY))
    chosen = settings(flow.url, trusted_documents=(str(file),), trusted_mode="log")
    async with running_gateway(chosen) as gateway:
        await send(gateway, query=OTHER)
        await send(gateway, documentId="gold-1")

    strangers = [event for event in gateway.events if isinstance(event, UntrustedDocument)]
    assert [event.sha256 for event in strangers] == [digest(OTHER)]
    assert len([event for event in gateway.events if isinstance(event, OperationDone)]) == 2
    with caplog.at_level(logging.WARNING, "gateway"):
        log_event(strangers[0])
    assert digest(OTHER) in caplog.text
    assert OTHER not in caplog.text


def test_a_mode_without_a_manifest_is_no_setting(flow: Flow):
    """Enforcing nothing would refuse everything."""
    with pytest.raises(SettingsError, match="trusted_mode"):
        create_app(settings("http://x/v2", trusted_mode="enforce"))


async def test_gateways_may_poll_where_the_manifest_is_enforced(flow: Flow, tmp_path: Path):
    """For the subgraph's health and its schema, which `federation_sdl` decides on."""
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(RELAY))
    chosen = settings(
        flow.url, trusted_documents=(str(file),), trusted_mode="enforce", federation_sdl=True
    )
    async with running_gateway(chosen) as gateway:
        health = await send(gateway, query="query Health { __typename }")
        schema = await send(gateway, query="{ _service { sdl } }")

    assert health["data"] == {"__typename": "Query"}
    assert "type CustomerGroup" in schema["data"]["_service"]["sdl"]


def test_mistakes_in_manifests_are_said_at_the_start(tmp_path: Path):
    """With their places, before anything is served, whatever the mode."""
    web, app = tmp_path / "web.json", tmp_path / "app.json"
    web.write_text("[]")
    app.write_text(json.dumps({"gold-1": QUERY, "gold-2": QUERY.replace("name", "nam")}))

    with pytest.raises(SettingsError) as caught:
        create_app(settings("http://x/v2", trusted_documents=(str(web), str(app))))

    first, second = str(caught.value).splitlines()
    assert first.startswith(f"trusted_documents: {web}: ")
    assert second.startswith(f'{app}: document 2, "gold-2", line 1: Cannot query field')
