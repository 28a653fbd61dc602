"""What headers say: the response's type, and the bearer token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.caller import bearer_tokens
from gateway.http.requests import GRAPHQL_RESPONSE, JSON, response_type


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/graphql-response+json", GRAPHQL_RESPONSE),
        ("application/graphql-response+json; charset=utf-8", GRAPHQL_RESPONSE),
        ('application/graphql-response+json;charset="UTF-8"', GRAPHQL_RESPONSE),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL_RESPONSE),
        ("application/json;q=0.9, application/graphql-response+json", GRAPHQL_RESPONSE),
        ("application/json, application/graphql-response+json", GRAPHQL_RESPONSE),
        ("application/json, application/graphql-response+json;q=0.9", JSON),
        ("application/json, text/plain, */*", JSON),
        ("text/html, */*;q=0.1", JSON),
        ("application/json;q=0, */*", GRAPHQL_RESPONSE),
        ("application/graphql-response+json;q=0, */*", JSON),
        ("application/json;charset=latin-1, */*;q=0.1", JSON),
        ("multipart/mixed, application/graphql-response+json;q=0.5", GRAPHQL_RESPONSE),
        ("application/json;charset=utf8", JSON),
        ('application/graphql-response+json; charset = "utf8"', GRAPHQL_RESPONSE),
        ("application/json;q=.8, application/graphql-response+json;q=.9", GRAPHQL_RESPONSE),
        ("application/json;q=0.12345, */*;q=.1", JSON),
        ("application/json; q = 1., application/graphql-response+json;q=0.999", JSON),
        ("text/html", None),
        ("application/json;q=.0", None),
        ("application/json;q=.", None),
        ("application/json;q=0", None),
        ("application/json;q=much", None),
        ("application/json;charset=latin-1", None),
        ("*/*;q=0", None),
        (",;=,;q", None),
    ],
)
def test_the_response_is_of_the_type_that_the_client_prefers(accept, chosen):
    """The new type only where it is named or the old one is not wanted: older clients know but
    application/json.
    """
    assert response_type(accept) == chosen


@pytest.mark.slow
@given(st.text())
def test_any_accept_header_has_an_answer(accept):
    """Whatever it says, a type or none; nothing is raised."""
    assert response_type(accept) in (JSON, GRAPHQL_RESPONSE, None)


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc ", "abc"),
        ("Bearer eyJ.a-b_c~d+e/f==", "eyJ.a-b_c~d+e/f=="),
        ("Bearer " + "x" * 8_192, "x" * 8_192),
        ("Bearer " + "x" * 8_193, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("abc", None),
        ("Basic YTpi", None),
        ("Bearer a b", None),
        ("Bearer a, Bearer b", None),
        ("Bearer a\r\nX-Tenant: b", None),
        ("Bearer =", None),
        ("Bearer a=b", None),
        ("Bearer t\u00f6ken", None),
    ],
)
def test_only_a_bearer_token_is_a_token(authorization, token):
    """What is not one is none: the first REST call then says UNAUTHENTICATED."""
    headers = {} if authorization is None else {"authorization": authorization}
    found = bearer_tokens(headers, ["authorization"])

    assert found == ({} if token is None else {"authorization": token})
