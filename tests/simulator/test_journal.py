"""What the simulator writes down about its requests."""

import httpx
import pytest

from gateway.simulator.faults import Close, Faults
from gateway.simulator.journal import Journal


async def test_calls_are_short_lines_in_order_of_arrival(api, journal, store):
    """Without tenant and query, whatever was answered."""
    store.add_group("shop", "gold", "Gold")
    await api.get("customer-groups", params={"pageSize": 1})
    await api.get("customer-groups/gold/customers")
    await api.delete("customer-groups/silver")

    assert journal.calls == [
        "GET customer-groups",
        "GET customer-groups/gold/customers",
        "DELETE customer-groups/silver",
    ]
    assert [request.status for request in journal.requests] == [200, 200, 404]


async def test_a_request_has_all_that_was_sent(api, journal):
    """Header names in lower case, the body as bytes."""
    await api.put("customer-groups/gold?a=1&b=%20&c=", content=b"{}", headers={"X-Test": "Y"})

    [request] = journal.requests
    assert (request.method, request.path) == ("PUT", "/v2/tenants/shop/customer-groups/gold")
    assert request.query == {"a": "1", "b": " ", "c": ""}
    assert request.headers["x-test"] == "Y"
    assert request.headers["authorization"] == "Bearer all"
    assert request.body == b"{}"
    assert "Bearer" not in repr(request)


async def test_a_path_is_written_down_as_sent(api, journal):
    """Percent-encoding is not undone, and a path of no tenant is shown whole."""
    await api.get("customer-groups/a%2Fb")
    await api.delete("customer-groups/..")

    assert journal.calls == ["GET customer-groups/a%2Fb", "DELETE /v2/tenants/shop"]


async def test_a_request_that_gets_no_answer_is_there_too(api, journal, faults: Faults):
    """It is recorded on arrival."""
    faults.add(Close())
    with pytest.raises(httpx.RemoteProtocolError):
        await api.post("customer-groups", json={"name": "Gold"})

    [request] = journal.requests
    assert (request.body, request.status) == (b'{"name":"Gold"}', None)


async def test_a_journal_with_a_limit_keeps_the_newest():
    """And another API says where its tenant is in the path."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    journal = Journal(2, tenant_path=r"/[^/]+/")
    transport = httpx.ASGITransport(journal.around(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://x/") as client:
        for number in range(4):
            await client.get(f"project/customers/{number}")

    assert journal.calls == ["GET customers/2", "GET customers/3"]
    journal.clear()
    assert journal.calls == []
