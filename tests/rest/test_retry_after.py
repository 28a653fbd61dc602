"""For how long an upstream asks to wait, and for whom that holds."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, OutcomeUnknown, RateLimited, Unavailable
from gateway.rest import Upstream
from gateway.rest._incidents import MAX_TENANTS, MAX_TOKENS, Incidents
from gateway.rest._statuses import LONGEST, retry_after
from tests.rest.test_upstream import Says, caller, get, put, upstream

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0.0),
        ("3", 3.0),
        (" 120 ", 120.0),
        ("999999", 999_999.0),
        ("9999999", 9_999_999.0),
        ("9" * 400, LONGEST),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("Sunday, 06-Nov-94 08:50:07 GMT", 30.0),
        ("Sun Nov  6 08:50:07 1994", 30.0),
        ("Sun, 06 Nov 9999 08:50:07 GMT", LONGEST),
    ],
)
def test_what_is_said_is_understood(said, seconds):
    """Seconds of any size, and the three forms of a date, against the answer's own."""
    assert retry_after({"Retry-After": said, "Date": DATE}) == seconds


@pytest.mark.parametrize(
    "said",
    [
        *("", "-1", "+1", "1.5", "1e9", "inf", "nan", "\uff13", "soon", "1 2", ":", "9" * 5_000),
        DATE,
        "Sun, 06 Nov 1994 08:49:36 GMT",
        "Sun, 99 Nov 1994 08:50:07 GMT",
        "0:0:0 0 0 0 0 0",
    ],
)
def test_what_is_past_negative_or_senseless_says_nothing(said):
    """Then the usual pause is made."""
    assert retry_after({"Retry-After": said, "Date": DATE}) is None


def test_a_date_without_a_date_is_held_against_our_clock():
    """There is no other."""
    seconds = retry_after({"Retry-After": formatdate(4e9, usegmt=True)})

    assert seconds is not None
    assert seconds > 86_400


@pytest.mark.slow
@given(said=st.text(), date=st.text())
def test_no_header_is_too_strange(said, date):
    """It is some seconds, or nothing."""
    seconds = retry_after({"Retry-After": said, "Date": date})

    assert seconds is None or 0 <= seconds <= LONGEST


async def refused(made: Upstream, *, tenant: str = "shop", token: str) -> RateLimited | None:
    """What a caller gets; None for an answer."""
    try:
        await get(made.connect(caller(tenant=tenant, token=token)))
    except RateLimited as limited:
        return limited
    return None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "100"},
        {"Retry-After": "Sun, 06 Nov 1994 08:51:17 GMT", "Date": DATE},
    ],
    ids=["seconds", "date"],
)
async def test_until_it_is_over_nothing_is_sent_for_the_tenant(status, headers):
    """Its callers hear at once for how long; those of other tenants notice nothing, unless they
    come with the same token.
    """
    made, script = upstream(Says(status, headers=headers), Says())

    first = await refused(made, token="ada")  # noqa: S106
    again = await refused(made, token="ada")  # noqa: S106
    other = await refused(made, token="bob")  # noqa: S106
    elsewhere = await refused(made, tenant="other", token="bob")  # noqa: S106
    same_token = await refused(made, tenant="other", token="ada")  # noqa: S106

    told = [limited and limited.retry_after for limited in (first, again, other, same_token)]
    assert told == [100.0, 100.0, 60.0, 100.0]
    assert elsewhere is None
    assert len(script.requests) == 2


async def test_after_the_tenants_share_of_it_one_call_in_a_second_tries():
    """The token that was told to wait for longer does not; when a trial succeeds, all may go on."""
    made, script = upstream(
        Says(429, headers={"Retry-After": "100"}), Says(), max_tenant_pause=0.05
    )
    await refused(made, token="ada")  # noqa: S106
    incident = made._incidents.of("shop")
    assert incident is not None
    incident.breaker.until -= 60

    bob = await refused(made, token="bob")  # noqa: S106
    carl = await refused(made, token="carl")  # noqa: S106
    ada = await refused(made, token="ada")  # noqa: S106

    assert (bob, carl) == (None, None)
    assert ada is not None
    assert len(script.requests) == 3


async def test_a_short_one_is_waited_for_by_who_was_told():
    """It reads on behalf of somebody who waits; that is better than an error."""
    made, script = upstream(Says(429, headers={"Retry-After": "0"}), Says())

    await get(made.connect(caller()))

    assert len(script.requests) == 2


@pytest.mark.parametrize(
    ("status", "error"), [(429, RateLimited), (503, OutcomeUnknown)], ids=["429", "503"]
)
async def test_a_write_that_is_told_to_wait_is_sent_once(status, error):
    """And what comes behind it is not sent at all."""
    made, script = upstream(Says(status, headers={"Retry-After": "1"}), Says())

    with pytest.raises(error):
        await put(made.connect(caller()))
    with pytest.raises(RateLimited):
        await put(made.connect(caller()))

    assert len(script.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "-1"}], ids=["absent", "negative"])
async def test_without_one_others_are_still_sent(headers: Mapping[str, str]):
    """Nobody knows for how long to wait."""
    made, script = upstream(Says(429, headers=headers), Says(429, headers=headers), Says())

    with pytest.raises(RateLimited) as limited:
        await get(made.connect(caller()))
    await get(made.connect(caller()))

    assert limited.value.retry_after is None
    assert len(script.requests) == 3


async def test_what_is_kept_of_tenants_and_tokens_is_bounded():
    """Callers name tenants."""
    incidents = Incidents()

    for number in range(2 * MAX_TOKENS):
        incidents.begin(f"t{number}")
        incidents.pause(b"%d" % number, number)

    assert len(incidents._tenants) == MAX_TENANTS
    assert len(incidents._tokens) == MAX_TOKENS


async def test_a_tenant_that_is_well_again_is_forgotten():
    """Once its calls succeed, and it has earned its repeats back."""
    made, _ = upstream(Says(503), Says())
    connection = made.connect(caller())

    await get(connection)
    assert made._incidents
    for _ in range(20):
        await get(connection)

    assert not made._incidents


async def test_a_token_that_the_upstream_does_not_know_troubles_nobody():
    """Nor does one without the right to something."""
    made, script = upstream(*[Says(status) for status in (401, 403) * 50])

    for _ in range(100):
        with pytest.raises(GatewayError) as failure:
            await get(made.connect(caller()))
        assert not isinstance(failure.value, Unavailable)

    assert len(script.requests) == 100
    assert not made._incidents
