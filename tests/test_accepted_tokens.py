"""Which tokens a backend has accepted recently: who says so, for how long, how many are kept."""

from __future__ import annotations

import pytest

from gateway.accepted_tokens import AcceptedTokens

TOKEN = "token-of-ada"  # noqa: S105  # it opens nothing


def test_nobody_is_accepted_at_first():
    """And to ask for a token's status does not make it known."""
    tokens = AcceptedTokens()

    assert not tokens.status(TOKEN).accepted
    assert len(tokens) == 0


def test_success_accepts_a_token():
    """For the request at hand, and for later ones."""
    tokens = AcceptedTokens()
    token_status = tokens.status(TOKEN)

    token_status.answered(204, "shop")

    assert token_status.accepted
    assert tokens.status(TOKEN).accepted
    assert not tokens.status("token-of-bob").accepted


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 429, 500, 503])
def test_nothing_else_accepts_one(status):
    """A server may say 404 or 409 before it looks at who asks."""
    tokens = AcceptedTokens()

    tokens.status(TOKEN).answered(status, "shop")

    assert not tokens.status(TOKEN).accepted
    assert len(tokens) == 0


def test_401_takes_a_token_out():
    """At once, also for requests under way."""
    tokens = AcceptedTokens()
    token_status, another = tokens.status(TOKEN), tokens.status("token-of-bob")
    token_status.answered(200, "shop")
    another.answered(200, "shop")
    under_way = tokens.status(TOKEN)

    token_status.answered(401, "shop")

    assert not under_way.accepted
    assert not tokens.status(TOKEN).accepted
    assert another.accepted
    assert len(tokens) == 1


@pytest.mark.parametrize("status", [403, 404, 409, 429, 500])
def test_other_failures_change_nothing(status):
    """A token that may not change groups still reads them."""
    tokens = AcceptedTokens()
    tokens.status(TOKEN).answered(200, "shop")

    tokens.status(TOKEN).answered(status, "shop")

    assert tokens.status(TOKEN).accepted


def test_it_is_forgotten_after_a_while():
    """Unless a backend accepts it again."""
    tokens = AcceptedTokens(lifetime=0.0)

    tokens.status(TOKEN).answered(200, "shop")

    assert not tokens.status(TOKEN).accepted


def test_only_so_many_are_known():
    """The one that was unused for longest goes."""
    tokens = AcceptedTokens(capacity=2)
    for name in ("a", "b"):
        tokens.status(name).answered(200, "shop")
    assert tokens.status("a").accepted

    tokens.status("c").answered(200, "shop")

    assert [tokens.status(name).accepted for name in "abc"] == [True, False, True]
    assert len(tokens) == 2


def test_no_token_is_kept():
    """Neither in what is remembered nor in what a request holds; the hash needs this one's key."""
    tokens, others = AcceptedTokens(), AcceptedTokens()
    for each in (tokens, others):
        each.status(TOKEN).answered(200, "shop")

    kept = [*tokens._remembered.items(), vars(tokens)]

    assert TOKEN not in repr(kept)
    assert not {*tokens._remembered} & {*others._remembered}
