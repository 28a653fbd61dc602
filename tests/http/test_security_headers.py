"""What every response carries, and which pages of other origins may ask."""

from __future__ import annotations

import httpx
import pytest

from gateway.app import create_app
from gateway.http.security_headers import SECURITY_HEADERS
from gateway.settings import SettingsError
from tests.harness import TOKEN, Flow, Gateway, running_gateway, settings

SHOP = "https://shop.example"
ASKED = "authorization,content-type,x-tenant,x-request-id,x-request-timeout,x-show-cost"


async def preflight(gateway: Gateway, origin: str, *, headers: str = ASKED) -> httpx.Response:
    return await gateway.client.options(
        f"{gateway.url}/graphql",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": headers,
        },
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/graphql"), ("GET", "/health"), ("PUT", "/graphql"), ("GET", "/x")],
)
async def test_every_response_has_the_security_headers(gateway: Gateway, method, path):
    """Answers, refusals, and what is not there."""
    response = await gateway.client.request(method, f"{gateway.url}{path}", json={})

    for name, value in SECURITY_HEADERS.items():
        assert response.headers[name] == value
    assert "Server" not in response.headers


async def test_without_the_setting_no_page_of_another_origin_may_ask(gateway: Gateway):
    """A preflight gets no leave, so the browser sends nothing."""
    response = await preflight(gateway, SHOP)

    assert response.status_code == 405
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_a_listed_origin_may_ask(flow: Flow):
    """With our headers, and may read the request id and when to come again; no other origin may."""
    flow.add_group("gold")
    async with running_gateway(settings(flow.url, cors_origins=(SHOP,))) as gateway:
        leave = await preflight(gateway, SHOP)
        refused = await preflight(gateway, "https://evil.example")
        answer = await gateway.post("{ customerGroups { totalCount } }", headers={"Origin": SHOP})

    assert leave.status_code == 200
    assert leave.headers["Access-Control-Allow-Origin"] == SHOP
    assert set(ASKED.split(",")) <= {
        name.strip().lower() for name in leave.headers["Access-Control-Allow-Headers"].split(",")
    }
    assert "Access-Control-Allow-Credentials" not in leave.headers
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert answer.headers["Access-Control-Expose-Headers"] == "X-Request-Id, Retry-After"
    assert {name.strip() for name in answer.headers["Vary"].split(",")} == {"Accept", "Origin"}


@pytest.mark.parametrize(
    "headers",
    [
        "apollographql-client-name,apollographql-client-version,content-type",
        "apollo-require-preflight,x-apollo-operation-id,x-apollo-operation-name",
        "graphql-client-name,graphql-client-version",
        "traceparent,tracestate,baggage,sentry-trace",
        "x-datadog-trace-id,x-datadog-parent-id,x-datadog-origin,x-datadog-sampling-priority",
        "x-requested-with,cache-control",
        "x-shop",
    ],
)
async def test_pages_may_send_what_clients_add(flow: Flow, headers: str):
    """Client awareness, tracing and the like; and what the setting names."""
    chosen = settings(flow.url, cors_origins=(SHOP,), cors_headers=("X-Shop",))
    async with running_gateway(chosen) as gateway:
        leave = await preflight(gateway, SHOP, headers=headers)

    allowed = leave.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert set(headers.split(",")) <= set(allowed)


async def test_a_header_that_is_not_allowed_is_left_to_the_browser(flow: Flow):
    """Only of a preflight that succeeds does its console name the header."""
    async with running_gateway(settings(flow.url, cors_origins=(SHOP,))) as gateway:
        leave = await preflight(gateway, SHOP, headers="x-anything")

    assert leave.status_code == 200
    assert leave.headers["Access-Control-Allow-Origin"] == SHOP
    assert "x-anything" not in leave.headers["Access-Control-Allow-Headers"].lower()


async def test_any_header_may_be_allowed(flow: Flow):
    """By name, since browsers take no `*` for Authorization, nor beside cookies."""
    chosen = settings(flow.url, cors_origins=(SHOP,), cors_headers=("*",))
    async with running_gateway(chosen) as gateway:
        leave = await preflight(gateway, SHOP, headers="authorization,x-anything")

    assert leave.headers["Access-Control-Allow-Headers"] == "authorization,x-anything"


async def test_pages_may_send_a_token_for_each_vendor(flow: Flow):
    """In the headers that the settings name, and with no other."""
    chosen = settings(flow.url, cors_origins=(SHOP,), flow_retail={"bearer_header": "X-Flow-Token"})
    async with running_gateway(chosen) as gateway:
        leave = await preflight(gateway, SHOP)

    allowed = leave.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert "x-flow-token" in allowed
    assert "authorization" not in allowed


async def test_any_origin_may_ask_without_credentials(flow: Flow):
    """`*` is said as it is: no origin is echoed, so that no browser sends cookies along."""
    async with running_gateway(settings(flow.url, cors_origins=("*",))) as gateway:
        leave = await preflight(gateway, SHOP)

    assert leave.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in leave.headers


async def test_any_origin_with_credentials_is_no_setting(flow: Flow):
    """It would let every page act as its visitor."""
    with pytest.raises(SettingsError, match="cors_credentials"):
        create_app(settings(flow.url, cors_origins=("*", SHOP), cors_credentials=True))
    listed = settings(flow.url, cors_origins=(SHOP,), cors_credentials=True)
    async with running_gateway(listed) as gateway:
        leave = await preflight(gateway, SHOP)

    assert leave.headers["Access-Control-Allow-Credentials"] == "true"


async def test_a_get_of_a_listed_origin_has_to_ask_first_too(flow: Flow):
    """Reading the answer is what the list is about; running the query is what a preflight is."""
    async with running_gateway(settings(flow.url, cors_origins=(SHOP,))) as gateway:
        url = f"{gateway.url}/graphql?query=%7B__typename%7D"
        unasked = await gateway.client.get(url, headers={"Origin": SHOP})
        asked = await gateway.client.get(
            url, headers={"Origin": SHOP, "Authorization": f"Bearer {TOKEN}"}
        )

    assert (unasked.status_code, asked.status_code) == (403, 200)
