"""Whose request it is: tenants, backends, and a token that shows nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import pytest

from gateway.backends.flow_retail.adapter import FlowRetailCosts
from gateway.backends.port import Backend, BackendKind, Caller, GroupDraft, RestCalls, Write
from gateway.errors import InvalidInput, LimitExceeded
from gateway.request import Client, Context, Tenants
from gateway.settings import Bounds
from gateway.telemetry import Meter

CREATE = {"kind": "createCustomerGroup", "tenant_uid": "shop"}


class Recorder:
    """A connector that notes who it was connected for; its backends do nothing."""

    kind = BackendKind.FLOW_RETAIL

    def __init__(self, *, bearer_header: str = "Authorization", cost: int = 0) -> None:
        self.bearer_header = bearer_header
        self.costs = Fixed(cost)
        self.callers: list[Caller] = []

    def connect(self, caller: Caller) -> Backend:
        self.callers.append(caller)
        return copy(self)  # type: ignore[return-value]


class Fixed(FlowRetailCosts):
    """Each write costs the same."""

    def __init__(self, cost: int) -> None:
        self.cost = cost

    def write(self, write: Write) -> Sequence[RestCalls]:
        return [RestCalls("POST", "/any", self.cost)]


def context(
    tenants: Tenants,
    *,
    default: str | None = None,
    meter: Meter | None = None,
    **bounds_too: int,
) -> Context:
    client = Client(
        tokens={"authorization": "s3cret"},
        request_id="r1",
        tenant_uid=default,
        began=0.0,
        deadline=99.0,
        meter=meter or Meter(),
    )
    bounds = Bounds(default_page_size=20, max_page_size=100, max_membership_uids=10, **bounds_too)
    return Context(client, tenants, bounds)


async def test_a_backend_speaks_for_this_caller():
    """It is connected with all that the request brought, and for its tenant."""
    flow = Recorder()

    context(Tenants(connectors={}, default=flow)).backend("shop")

    [caller] = flow.callers
    assert (caller.tenant_uid, caller.token, caller.request_id) == ("shop", "s3cret", "r1")
    assert caller.deadline == 99.0


async def test_a_backend_gets_the_token_of_its_own_header():
    """Of another's it hears nothing, even where its own did not come."""
    flow, other = Recorder(), Recorder(bearer_header="X-Other-Token")
    asked = context(Tenants(connectors={"other": other}, default=flow))

    asked.backend("shop")
    asked.backend("other")

    assert [caller.token for caller in flow.callers] == ["s3cret"]
    assert [(caller.token, caller.bearer_header) for caller in other.callers] == [
        (None, "X-Other-Token")
    ]


async def test_a_backend_is_connected_once_for_each_tenant():
    """What it learns in one field serves the next."""
    flow = Recorder()
    asked = context(Tenants(connectors={}, default=flow))

    assert asked.backend("shop") is asked.backend("shop")
    assert asked.backend("shop") is not asked.backend("other")
    assert [caller.tenant_uid for caller in flow.callers] == ["shop", "other"]


async def test_a_tenant_has_the_backend_that_the_settings_give_it():
    """Listed ones theirs, all others the default."""
    first, second = Recorder(), Recorder()
    asked = context(Tenants(connectors={"acme": first}, default=second))

    asked.backend("acme")
    asked.backend("other")

    assert [caller.tenant_uid for caller in first.callers] == ["acme"]
    assert [caller.tenant_uid for caller in second.callers] == ["other"]


async def test_without_a_default_backend_only_listed_tenants_exist():
    """Another one is the caller's mistake, said where it was named."""
    asked = context(Tenants(connectors={"acme": Recorder()}))

    assert asked.tenant_uid("acme") == "acme"
    with pytest.raises(InvalidInput) as refused:
        asked.tenant_uid("other", field=["by", "id"])
    assert refused.value.field == ("by", "id")


@pytest.mark.parametrize(
    ("given", "default", "meant"),
    [("a", "b", "a"), (None, "b", "b"), ("A-z_09", None, "A-z_09"), ("x" * 128, None, "x" * 128)],
)
async def test_the_tenant_is_the_one_given_else_the_default(given, default, meant):
    """A field's own wins."""
    asked = context(Tenants(connectors={}, default=Recorder()), default=default)

    assert asked.tenant_uid(given) == meant


@pytest.mark.parametrize("given", [None, "", ".", "..", "a/b", "a b", "a\n", "ü", "x" * 129])
async def test_a_tenant_that_can_not_be_is_refused(given):
    """None at all included; nothing is connected."""
    flow = Recorder()
    asked = context(Tenants(connectors={}, default=flow))

    with pytest.raises(InvalidInput) as refused:
        asked.tenant_uid(given)
    assert refused.value.field == ("tenantUid",)
    assert flow.callers == []


async def test_an_empty_tenant_is_not_the_default():
    """A client that sends "" has a bug; another tenant's data would hide it."""
    asked = context(Tenants(connectors={}, default=Recorder()), default="shop")

    with pytest.raises(InvalidInput):
        asked.tenant_uid("")


async def test_the_token_shows_in_no_repr():
    """Whatever is printed, logged or shown by a debugger."""
    flow = Recorder()
    asked = context(Tenants(connectors={}, default=flow))
    asked.backend("shop")

    shown = repr(asked.client) + repr(flow.callers) + repr(asked) + repr(asked.__dict__)

    assert "s3cret" not in shown


async def test_a_change_is_begun_where_all_its_calls_fit():
    """From then on it is a change that nobody may cancel."""
    flow = Recorder(cost=3)
    asked = context(Tenants(connectors={}, default=flow), meter=Meter(limit=5, rest_calls=2))

    async def create(draft: GroupDraft) -> str:
        return draft.name

    assert await asked.change(create, GroupDraft(name="Gold"), **CREATE) == "Gold"
    assert asked.changes


async def test_a_change_that_may_not_fit_is_not_begun():
    """Not even made: the client may still leave."""
    flow = Recorder(cost=4)
    asked = context(Tenants(connectors={}, default=flow), meter=Meter(limit=5, rest_calls=2))

    async def never(_: GroupDraft) -> str:
        raise AssertionError

    with pytest.raises(LimitExceeded, match="up to 4 REST calls, and 3 of the operation's 5"):
        await asked.change(never, GroupDraft(name="Gold"), **CREATE)
    assert not asked.changes
