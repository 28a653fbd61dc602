"""Queries by GET, and what a browser may send for a page without asking first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from gateway.http.requests import ASKING, EXPLAIN, is_unasked
from gateway.settings import TenantSettings
from tests.harness import TOKEN, Flow, Gateway, codes, running_gateway, settings
from tests.two_backends import Commercetools, both

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


async def get(gateway: Gateway, headers: dict[str, str] | None = None, **parameters: Any) -> Any:
    url = httpx.URL(f"{gateway.url}/graphql", params=parameters)
    return await gateway.client.get(url, headers=headers or {})


async def test_a_querys_answer_is_the_same_by_get(gateway: Gateway, flow: Flow):
    """With its variables and its operation's name; and it is kept by nobody on the way."""
    flow.add_group("gold")
    query = (
        "query A($by: CustomerGroupBy!) { customerGroup(by: $by) { name } } query B { __typename }"
    )
    variables = {"by": {"uid": "gold"}}

    posted = await gateway.post(query, variables, operationName="A")
    got = await get(
        gateway, AUTHORIZED, query=query, variables=json.dumps(variables), operationName="A"
    )

    assert got.status_code == 200
    assert got.json()["data"] == posted.json()["data"] == {"customerGroup": {"name": "Gold"}}
    assert got.headers["Cache-Control"] == "no-store"


async def test_what_is_empty_in_a_url_is_absent(gateway: Gateway):
    """Forms and many clients send all names, with nothing behind some."""
    got = await get(
        gateway,
        AUTHORIZED,
        query="{ __typename }",
        **dict.fromkeys(("operationName", "variables", "extensions", "documentId"), ""),
    )

    assert got.json()["data"] == {"__typename": "Query"}


async def test_a_change_is_never_made_by_get(gateway: Gateway, flow: Flow):
    """Links are followed by prefetchers and robots too."""
    response = await get(
        gateway,
        AUTHORIZED,
        query='mutation { createCustomerGroup(input: {name: "Gold"}) { customerGroup { uid } } }',
    )

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert codes(response.json()) == ["BAD_REQUEST"]
    assert flow.calls == []


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"operationName": "A"},
        {"query": ""},
        {"query": "{ __typename }", "variables": "{"},
        {"query": "{ __typename }", "variables": "[1]"},
        {"query": "{ __typename }", "extensions": "1"},
        {"query": "{ __typename }", "extensions": '{"a":' * 2_000},
    ],
)
async def test_a_url_that_holds_no_request_is_400(gateway: Gateway, parameters):
    """As a body is."""
    response = await get(gateway, AUTHORIZED, **parameters)

    assert response.status_code == 400
    assert codes(response.json()) == ["BAD_REQUEST"]


async def test_production_takes_no_get_unless_told_to(flow: Flow):
    """URLs end up in the logs of whatever stands between."""
    async with running_gateway(settings(flow.url, profile="production")) as gateway:
        refused = await get(gateway, AUTHORIZED, query="{ __typename }")
    chosen = settings(flow.url, profile="production", get_queries=True)
    async with running_gateway(chosen) as gateway:
        taken = await get(gateway, AUTHORIZED, query="{ __typename }")

    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
    assert taken.json() == {"data": {"__typename": "Query"}}


# -- what a page of another origin can do


PAGES = [
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Dest": "image", "Accept": "image/*,*/*"},
    {"Referer": "https://evil.example/page"},
    {"Cookie": "a=b"},
    {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
    {"Sec-Fetch-Site": "same-origin"},
    # A browser sends these by itself, to whom they were given once.
    {"Sec-Fetch-Site": "cross-site", "Authorization": "Basic dTpw"},
    {"User-Agent": "Mozilla/5.0", "Authorization": "Negotiate YII="},
]


@pytest.mark.parametrize("signs", PAGES)
async def test_what_a_browser_sends_unasked_runs_nothing(gateway: Gateway, signs):
    """An image's or a link's URL can hold a query, and so can a form's."""
    got = await get(gateway, signs, query="{ __typename }")
    posts = [
        await gateway.client.post(f"{gateway.url}/graphql", content=content, headers=headers)
        for content, headers in (
            (b'{"query": "{ __typename }"}', {**signs, "Content-Type": "text/plain"}),
            (
                b"query=%7B__typename%7D",
                {**signs, "Content-Type": "application/x-www-form-urlencoded"},
            ),
            (b'{"query": "{ __typename }"}', signs),
        )
    ]

    assert got.status_code == 403
    assert [post.status_code for post in posts] == [415, 415, 415]
    for response in (got, *posts):
        assert "data" not in response.json()


OURS = [{name: "0" if name == EXPLAIN else "1"} for name in ASKING]


@pytest.mark.parametrize("asking", [*OURS, AUTHORIZED])
async def test_a_browser_that_asked_first_is_answered(gateway: Gateway, asking):
    """A header of ours makes it ask, and nobody but us would have allowed it."""
    for signs in PAGES:
        response = await get(gateway, {**signs, **asking}, query="{ __typename }")

        assert response.json()["data"] == {"__typename": "Query"}, signs


async def test_a_token_in_a_header_of_its_own_stands_for_a_preflight_too(
    flow: Flow, commercetools: Commercetools
):
    """Whatever the header that a backend's token comes in is called."""
    chosen = both(flow.url, commercetools.url)
    upstream = replace(chosen.commercetools, bearer_header="X-Other-Token")
    tenants = {"wien": TenantSettings(upstream=upstream)}
    async with running_gateway(replace(chosen, tenants=tenants)) as gateway:
        url = f"{gateway.url}/graphql?query=%7B__typename%7D"
        for signs in PAGES:
            asked = await gateway.client.get(url, headers={**signs, "X-Other-Token": "Bearer x"})
            unasked = await gateway.client.get(url, headers={**signs, "X-Another": "Bearer x"})

            assert (asked.status_code, unasked.status_code) == (200, 403), signs


# What the Fetch Standard lets a page set without a preflight.
SAFELISTED = ("accept", "accept-language", "content-language", "content-type", "range")


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(SAFELISTED), st.just("en"), max_size=5))
def test_no_safelisted_header_stands_for_a_preflight(given):
    """Whatever a page can send by itself does not help it."""
    headers = Headers({**given, "sec-fetch-site": "cross-site"})

    assert is_unasked(headers, ["authorization"])
    assert not {name.lower() for name in ASKING} & set(SAFELISTED)
