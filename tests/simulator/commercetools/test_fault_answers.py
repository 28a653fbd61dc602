"""Errors to come, as a client sees them."""

import pytest

from gateway.simulator.commercetools import fault_answers, refusals


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (fault_answers.over_capacity(), 503, "OverCapacity"),
        (fault_answers.pending_operation(), 503, "PendingOperation"),
        (fault_answers.bad_gateway(), 502, "BadGateway"),
        (fault_answers.general(), 500, "General"),
        (fault_answers.concurrent_modification(7), 409, "ConcurrentModification"),
        (fault_answers.concurrent_modification(), 409, "ConcurrentModification"),
        (fault_answers.invalid_token(), 401, "invalid_token"),
        (fault_answers.insufficient_scope(["view_customers"], "shop"), 403, "insufficient_scope"),
        (fault_answers.not_found(), 404, "ResourceNotFound"),
        (fault_answers.invalid_input(), 400, "InvalidInput"),
        (fault_answers.invalid_operation(), 400, "InvalidOperation"),
        (fault_answers.duplicate_field("name", "Gold"), 400, "DuplicateField"),
        (fault_answers.reference_exists(), 400, "ReferenceExists"),
        (fault_answers.answer(refusals.too_complex()), 400, "QueryComplexityLimitExceeded"),
    ],
)
async def test_a_fault_is_an_error_response(api, faults, answer, status, code):
    """In the shape of the API's own."""
    faults.add(answer)
    got = await api.get("customer-groups")
    body = got.json()

    assert (got.status_code, got.headers["content-type"]) == (status, "application/json")
    assert (body["statusCode"], body["message"]) == (status, body["errors"][0]["message"])
    assert body["errors"][0]["code"] == code
    assert (await api.get("customer-groups")).status_code == 200


async def test_a_conflict_may_say_the_version(api, faults):
    """Or not."""
    faults.add(fault_answers.concurrent_modification(7))
    faults.add(fault_answers.concurrent_modification())
    first, second = [(await api.get("customers")).json()["errors"][0] for _ in range(2)]

    assert first["currentVersion"] == 7
    assert "currentVersion" not in second


async def test_an_answer_can_have_several_errors(api, faults):
    """The message is the first one's."""
    faults.add(
        fault_answers.several(refusals.required_field("a"), refusals.invalid_field("b", [1]))
    )
    body = (await api.get("customers")).json()

    assert [error["code"] for error in body["errors"]] == ["RequiredField", "InvalidField"]
    assert body["message"] == body["errors"][0]["message"]


async def test_503_may_come_without_json(api, faults):
    """From something before the API."""
    faults.add(fault_answers.unavailable())
    answer = await api.get("customers")

    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html")
