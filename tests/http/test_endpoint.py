"""GraphQL over HTTP: which requests are taken, and how each is answered."""

from __future__ import annotations

import gzip
import itertools
import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway.app import create_app
from tests.harness import NO_TLS, Gateway, codes, running_gateway, served, settings

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"


async def send(
    gateway: Gateway, body: bytes | str, *, method: str = "POST", **headers: str
) -> httpx.Response:
    """A request as it is: with a JSON body's headers and those given, `_` for `-`."""
    named = {"Content-Type": JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await gateway.client.request(
        method, f"{gateway.url}/graphql", content=body, headers=named
    )


def graphql(response: httpx.Response) -> Any:
    """The body, which has to be a well-formed GraphQL response, and nothing else."""
    body = response.json()
    assert set(body) <= {"data", "errors", "extensions"}
    assert "data" in body or body["errors"]
    for error in body.get("errors", [{"message": "", "extensions": {"code": ""}}]):
        assert isinstance(error["message"], str)
        assert isinstance(error["extensions"]["code"], str)
    return body


def document(query: str, **more: object) -> str:
    return json.dumps({"query": query, **more})


@pytest.mark.parametrize("accept", [JSON, GRAPHQL_RESPONSE])
async def test_an_operation_is_answered_in_the_type_asked_for(gateway, accept):
    """In UTF-8, and said to depend on Accept."""
    response = await send(gateway, document("{ __typename }"), Accept=accept)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == f"{accept}; charset=utf-8"
    assert response.headers["Vary"] == "Accept"
    assert response.json()["data"] == {"__typename": "Query"}


PARSE, VALIDATION = "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"
LIMIT = "LIMIT_EXCEEDED"
NO_OPERATIONS = [
    (document(""), PARSE),
    (document("  # nothing\n"), PARSE),
    (document("{"), PARSE),
    (document("{a" * 100_000), LIMIT),
    (document("[" * 100_000), LIMIT),
    (document("{" + "a{" * 300), LIMIT),
    (document("[" * 300), PARSE),
    (document("{ nope }"), VALIDATION),
    (document("subscription { __typename }"), VALIDATION),
    (document("fragment F on Query { __typename }"), VALIDATION),
    (document("{ __typename }", operationName="Nope"), VALIDATION),
    (document("{ __typename }", operationName=""), VALIDATION),
    (document("query A { a } query B { a }"), VALIDATION),
    (document("query ($n: Int!) { customerGroups(first: $n) { totalCount } }"), VALIDATION),
    (
        document(
            "query ($n: Int) { customerGroups(first: $n) { totalCount } }", variables={"n": "five"}
        ),
        VALIDATION,
    ),
    (
        document(
            "query ($n: Int) { customerGroups(first: $n) { totalCount } }", variables={"n": 2**31}
        ),
        VALIDATION,
    ),
    (document("{ customerGroups(first: " + "9" * 5000 + ") { totalCount } }"), VALIDATION),
    (document('{ customerGroup(by: {uid: "a", key: "b"}) { name } }'), VALIDATION),
    (
        document(
            "query ($by: CustomerGroupBy!) { customerGroup(by: $by) { name } }",
            variables={"by": {"uid": "a", "key": "b"}},
        ),
        VALIDATION,
    ),
    (
        document(
            "query ($by: CustomerGroupBy!) { customerGroup(by: $by) { name } }",
            variables={"by": {"uid": None}},
        ),
        VALIDATION,
    ),
]


@pytest.mark.slow
async def test_an_operation_that_can_not_run_is_no_http_error_for_old_clients(gateway, flow):
    """application/json is always 200, as the specification says; the new type tells by 400. It has
    no `data`: nothing was executed.
    """
    for body, code in NO_OPERATIONS:
        old = await send(gateway, body, Accept=JSON, Authorization="Bearer x")
        new = await send(gateway, body, Accept=GRAPHQL_RESPONSE, Authorization="Bearer x")

        assert (old.status_code, new.status_code) == (200, 400), body[:50]
        assert graphql(old) == graphql(new)
        assert "data" not in old.json()
        assert set(codes(old.json())) == {code}, body[:50]
    assert flow.calls == []


async def test_of_several_operations_the_one_named_is_run(gateway):
    """And only that."""
    two = "query A { a: __typename } query B { b: __typename }"

    assert await gateway.query(two, operationName="B") == {"b": "Query"}


async def test_of_several_operations_none_is_run_unless_one_is_named(gateway, flow):
    """To run the first would be a guess, and could be the wrong mutation."""
    flow.add_group("gold")
    two = """
        query Look { customerGroup(by: {uid: "gold"}) { name } }
        mutation Rename {
            updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "Silver"}) {
                userErrors { code }
            }
        }
    """

    body = await gateway.ask(two)

    assert "data" not in body
    assert flow.calls == []


async def test_field_errors_are_a_success_with_data(gateway, flow):
    """200 in either type: the operation was executed."""
    query = document('{ ok: __typename customerGroup(by: {uid: ".."}) { name } }')
    for accept in (JSON, GRAPHQL_RESPONSE):
        response = await send(gateway, query, Accept=accept)

        assert response.status_code == 200
        assert graphql(response)["data"] == {"ok": "Query", "customerGroup": None}


NESTED = b"[" * 100_000 + b"]" * 100_000


NO_REQUESTS = [
    b"",
    b"{",
    b"1",
    b"null",
    b'"{ __typename }"',
    b"[1]",
    b'[{"query": "{ __typename }"}]',
    b"{}",
    b'{"qeury": "{ __typename }"}',
    b'{"operationName": 5}',
    b'{"query": null}',
    b'{"query": {}}',
    b'{"query": "{ __typename }", "operationName": {}}',
    b'{"query": "{ __typename }", "variables": [7]}',
    b'{"query": "{ __typename }", "variables": "{}"}',
    b'{"query": "{ __typename }", "extensions": 1}',
    b'{"query": "{ __typename }"} {"query": "{ __typename }"}',
    b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    b'{"query": "{ __typename }", "variables": {"a": 1e999}}',
    b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 5000 + b"}}",
    b'{"query": "{ __typename }", "variables": {"a": ' + NESTED + b"}}",
    b'{"query": ' + NESTED + b"}",
    NESTED,
    b'{"a":' * 100_000,
    b"\xff\xfe",
    b'{"query": "\xff"}',
    b'{"query": "\xed\xa0\x80"}',
    b'{"query": "\\ud800"}',
    b'\xef\xbb\xbf{"query": "{ __typename }"}',
    '{"query": "{ __typename }"}'.encode("utf-16"),
    b"query=%7B__typename%7D",
]


@pytest.mark.slow
async def test_a_body_that_is_no_graphql_request_is_400(gateway):
    """And the answer is a GraphQL response all the same, in either type."""
    for body, accept in itertools.product(NO_REQUESTS, (JSON, GRAPHQL_RESPONSE)):
        response = await send(gateway, body, Accept=accept)

        assert response.status_code == 400, body[:50]
        assert codes(graphql(response)) == ["BAD_REQUEST"]
        assert response.headers["Content-Type"] == f"{accept}; charset=utf-8"


async def test_another_method_is_405(gateway):
    """The answer says which to use, and is JSON too."""
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"):
        response = await send(gateway, document("{ __typename }"), method=method)

        assert response.status_code == 405
        assert response.headers["Allow"] == "GET, POST"
        assert codes(graphql(response)) == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/jsonx",
    ],
)
async def test_another_content_type_than_json_is_415(gateway, content_type):
    """A browser sends such ones across sites without asking first."""
    response = await send(gateway, document("{ __typename }"), Content_Type=content_type)

    assert response.status_code == 415
    assert codes(graphql(response)) == ["BAD_REQUEST"]


@pytest.mark.parametrize("coding", ["gzip", "BR", "deflate, gzip", "utf-8"])
async def test_a_compressed_request_is_415_and_told_why(gateway, coding):
    """Its media type is right; what is taken is in the header that RFC 9110 has for it."""
    body = gzip.compress(document("{ __typename }").encode())

    response = await send(gateway, body, Content_Encoding=coding)

    assert (response.status_code, response.headers["Accept-Encoding"]) == (415, "identity")
    [error] = graphql(response)["errors"]
    assert error["message"] == "A request's body is taken uncompressed only."


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
async def test_a_request_that_says_it_is_not_compressed_is_taken(gateway, coding):
    """As without the header."""
    response = await send(gateway, document("{ __typename }"), Content_Encoding=coding)

    assert graphql(response)["data"] == {"__typename": "Query"}


@pytest.mark.parametrize(
    "content_type", ["application/json;charset=utf-8", 'Application/JSON; charset="UTF-8"']
)
async def test_json_in_utf_8_may_say_so(gateway, content_type):
    """In any case, and in quotes."""
    response = await send(gateway, document("{ __typename }"), Content_Type=content_type)

    assert response.status_code == 200


async def test_a_client_that_takes_neither_type_gets_406(gateway):
    """In JSON, as there is nothing better."""
    response = await send(gateway, document("{ __typename }"), Accept="text/html")

    assert response.status_code == 406
    assert codes(graphql(response)) == ["BAD_REQUEST"]


async def test_an_accept_header_may_come_in_several_lines(gateway):
    """They are one list."""
    lines = [("Accept", "text/html"), ("Accept", GRAPHQL_RESPONSE), ("Content-Type", JSON)]

    response = await gateway.client.post(
        f"{gateway.url}/graphql",
        content=document("{ __typename }"),
        headers=[("Accept", "image/png;q=0.1"), *lines],
    )

    assert response.headers["Content-Type"] == f"{GRAPHQL_RESPONSE}; charset=utf-8"


@pytest.mark.parametrize("announced", [True, False])
async def test_a_request_that_is_too_large_is_413(flow, announced):
    """Whether its length is announced or found out; one byte less is taken."""
    body = document("{ __typename }").encode()
    async with running_gateway(settings(flow.url, max_request_body=len(body))) as gateway:

        async def chunks(content: bytes):  # httpx sends no Content-Length then
            yield content[:5]
            yield content[5:]

        fits = await send(gateway, body if announced else chunks(body))
        too_large = await send(gateway, body + b" " if announced else chunks(body + b" "))

    assert fits.status_code == 200
    assert too_large.status_code == 413
    [error] = graphql(too_large)["errors"]
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert error["extensions"]["limit"] == "max_request_body"
    assert error["extensions"]["allowed"] == len(body) < error["extensions"]["found"]


async def test_other_paths_are_not_graphql(gateway):
    """There is one endpoint."""
    for path in ("/", "/graphql/x", "/graphql%0A", "/graphql%2F"):
        assert (await gateway.client.post(f"{gateway.url}{path}")).status_code == 404


async def test_the_app_may_be_mounted_below_another_path(flow):
    """In ASGI, a path then begins with that."""
    app = create_app(settings(flow.url))
    outer = Starlette(
        routes=[Mount("/api", app)], lifespan=lambda _outer: app.router.lifespan_context(app)
    )
    async with served(outer) as url, httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        answers = [
            await client.post(f"{url}{path}", json={"query": "{ __typename }"})
            for path in ("/api/graphql", "/graphql", "/api/api/graphql")
        ]

    assert [answer.status_code for answer in answers] == [200, 404, 404]


# -- request ids


async def test_a_request_id_is_taken_answered_and_passed_on(gateway, flow):
    """One id from the client to the REST API."""
    flow.add_group("gold")

    response = await gateway.post(
        '{ customerGroup(by: {uid: "gold"}) { name } }', headers={"X-Request-Id": "my-id.1_A"}
    )

    assert response.headers["X-Request-Id"] == "my-id.1_A"
    assert flow.journal.requests[0].headers["x-request-id"] == "my-id.1_A"
    assert {event.request_id for event in gateway.events} == {"my-id.1_A"}


@pytest.mark.parametrize("given", [None, "", "a b", "a\tb", "<script>", "x" * 129, "a,b", "\xe9"])
async def test_a_request_id_is_made_where_none_came_that_can_be_used(gateway, given):
    """Nothing else of the header gets any further: it goes into log lines."""
    headers = {} if given is None else {"X-Request-Id": given.encode("latin-1")}

    first = await gateway.post("{ __typename }", headers=headers)
    second = await gateway.post("{ __typename }", headers=headers)

    ids = [response.headers["X-Request-Id"] for response in (first, second)]
    assert given not in ids
    assert len(set(ids)) == 2
    assert all(len(id) == 32 for id in ids)


async def test_a_refused_request_has_an_id_too(gateway):
    """Whoever asks about it can name it."""
    response = await send(gateway, b"", X_Request_Id="abc")

    assert response.headers["X-Request-Id"] == "abc"


# -- tokens


async def test_without_a_token_the_first_rest_call_says_so(gateway, flow):
    """Nothing is sent, and what costs no REST call is answered."""
    flow.add_group("gold")

    for token in (None, "two words"):
        body = await gateway.ask(
            '{ tenant { uid } customerGroup(by: {uid: "gold"}) { name } }', token=token
        )

        assert codes(body) == ["UNAUTHENTICATED"]
        assert body["data"] == {"tenant": {"uid": "shop"}, "customerGroup": None}
    assert flow.calls == []


async def test_the_token_goes_with_every_rest_call_as_it_is(gateway, flow):
    """The caller's own, and no other."""
    await gateway.ask('{ a: customerGroup(by: {uid: "a"}) { name } customerGroups { totalCount } }')

    sent = {request.headers["authorization"] for request in flow.journal.requests}
    assert sent == {"Bearer token-of-ada"}


async def test_nothing_else_of_the_request_is_passed_on(gateway, flow):
    """No cookie, no forwarding header, no language."""
    await gateway.ask(
        '{ customerGroup(by: {uid: "a"}) { name } }',
        headers={"Cookie": "a=b", "X-Forwarded-For": "1.2.3.4", "Accept-Language": "no"},
    )

    [request] = flow.journal.requests
    assert set(request.headers) == {
        *("host", "authorization", "accept", "accept-encoding", "user-agent", "x-request-id")
    }


# -- health


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_health_answers_without_asking_a_backend(gateway, flow, path):
    """An outage there is nothing that a restart here would mend."""
    response = await gateway.client.get(gateway.url + path)

    assert response.status_code == 200
    assert response.json()["status"] == "ok"
    assert flow.calls == []


async def test_a_path_that_is_nearly_right_is_not_redirected(gateway: Gateway):
    """A redirect would be built from the Host header, and clients send their tokens along."""
    response = await gateway.client.post(
        f"{gateway.url}/graphql/", json={"query": "{ __typename }"}, follow_redirects=False
    )

    assert response.status_code == 404
    assert "Location" not in response.headers
