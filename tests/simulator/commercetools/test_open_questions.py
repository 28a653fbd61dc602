"""What the documents leave open: every switch, turned."""

import time

import pytest

ASSIGNMENT = {"customerGroup": {"typeId": "customer-group", "id": "gold"}}
ADD = {"action": "addCustomerGroupAssignment", "customerGroupAssignment": ASSIGNMENT}
REMOVE = {"action": "removeCustomerGroupAssignment", **ASSIGNMENT}


@pytest.fixture(autouse=True)
def shop(store):
    """Two groups; ada is in gold by both ways, and bob in none."""
    store.add_group("shop", "Gold", id="gold", key="gold-key")
    store.add_group("shop", "Bronze", id="bronze")
    store.add_customer("shop", {"id": "ada"}, ["gold"], legacy_group="gold")
    store.add_customer("shop", {"id": "bob"})


async def status(api, path: str, **params: str) -> int:
    """Of a GET."""
    return (await api.get(path, params=params)).status_code


async def test_assignments_predicate(api, switches):
    """The older field can be asked for in any case."""
    where = 'customerGroupAssignments(customerGroup(id="gold"))'
    assert await status(api, "customers", where=where) == 200
    switches.assignments_predicate = "refused"

    assert await status(api, "customers", where=where) == 400
    assert await status(api, "customers", where='customerGroup(id="gold")') == 200


@pytest.mark.parametrize(
    ("known", "expected"), [("name", [200, 400, 400]), ("id", [200, 200, 400]), ("key", [200] * 3)]
)
async def test_group_predicates(api, switches, known, expected):
    """Each knows more than the one before."""
    switches.group_predicates = known
    fields = ("name", "id", "key")

    assert [
        await status(api, "customer-groups", where=f'{field} = "x"') for field in fields
    ] == expected


async def test_conflict_version(api, switches):
    """A 409 without the current version says nothing else either."""
    switches.conflict_version = "absent"
    answer = await api.post("customers/ada", json={"version": 5, "actions": []})

    assert answer.status_code == 409
    assert answer.json()["errors"][0].keys() == {"code", "message"}


async def test_version_step(api, switches):
    """One for all the actions together."""
    switches.version_step = "one"
    answer = await api.post("customers/ada", json={"version": 1, "actions": [REMOVE, ADD, ADD]})

    assert answer.json()["version"] == 2


@pytest.mark.parametrize("stays", [True, False])
async def test_delete_referenced(api, switches, store, stays):
    """References stay and refer to nothing, or go; the customer's version is the same."""
    switches.delete_referenced = "dangle" if stays else "remove"
    answer = await api.delete("customer-groups/gold", params={"version": 1})
    ada = (await api.get("customers/ada")).json()

    assert answer.status_code == 200
    assert ada["customerGroupAssignments"] == ([ASSIGNMENT] if stays else [])
    assert ("customerGroup" in ada) is stays
    assert ada["version"] == 1


async def test_delete_referenced_as_a_conflict(api, switches, store):
    """Which a client must not take for another version."""
    switches.delete_referenced = "conflict"
    answer = await api.delete("customer-groups/gold", params={"version": 1})

    assert answer.status_code == 409
    assert answer.json()["errors"][0]["code"] == "ReferenceExists"
    assert store.count_groups("shop") == 2


@pytest.mark.parametrize(
    ("switch", "customer", "action"),
    [("add_assigned", "ada", ADD), ("remove_unassigned", "bob", REMOVE)],
)
async def test_assignments_that_change_nothing(api, switches, switch, customer, action):
    """No change, or an error."""
    body = {"version": 1, "actions": [action]}
    assert (await api.post(f"customers/{customer}", json=body)).status_code == 200
    setattr(switches, switch, "error")
    answer = await api.post(f"customers/{customer}", json=body | {"version": 2})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "InvalidOperation"


async def test_missing_member(api, switches):
    """Named by the error that is about nothing else; other mistakes are the JSON's."""
    switches.missing_member = "required_field"
    missing = (await api.post("customer-groups", json={})).json()["errors"][0]
    action = {"version": 1, "actions": [{"action": "changeName"}]}
    inner = (await api.post("customer-groups/gold", json=action)).json()["errors"][0]
    wrong = (await api.post("customer-groups", json={"groupName": 1})).json()["errors"][0]

    assert (missing["code"], missing["field"]) == ("RequiredField", "groupName")
    assert (inner["code"], inner["field"]) == ("RequiredField", "name")
    assert wrong["code"] == "InvalidJsonInput"


async def test_default_order(api, switches):
    """By id rather than by age."""
    switches.default_order = "id"
    groups = (await api.get("customer-groups")).json()["results"]

    assert [group["id"] for group in groups] == ["bronze", "gold"]


@pytest.mark.parametrize(("total", "expected"), [("exact", 2), ("low", 1), ("high", 3)])
async def test_total(api, switches, total, expected):
    """An estimate is off; the rows are not."""
    switches.total = total
    body = (await api.get("customer-groups")).json()

    assert (body["total"], body["count"]) == (expected, 2)


async def test_no_assignments(api, switches):
    """Of a customer that has some nothing is left out."""
    switches.no_assignments = "absent"

    assert "customerGroupAssignments" not in (await api.get("customers/bob")).json()
    assert "customerGroupAssignments" in (await api.get("customers/ada")).json()


async def test_max_groups(api, switches):
    """One more is refused."""
    switches.max_groups = 3
    first = await api.post("customer-groups", json={"groupName": "3"})
    answer = await api.post("customer-groups", json={"groupName": "4"})

    assert first.status_code == 201
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "MaxResourceLimitExceeded"


async def test_latency(api, switches):
    """Before anything else."""
    switches.latency = 0.03
    started = time.perf_counter()
    await api.get("customer-groups", headers={"Authorization": "Bearer nobody"})

    assert time.perf_counter() - started >= 0.03
