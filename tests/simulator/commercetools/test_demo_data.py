"""The demo's shop: believable, the same every time, and nobody's real data."""

import json
import re
import time
from collections.abc import Iterator

import pytest

from gateway.simulator.commercetools.answers import customer_json
from gateway.simulator.commercetools.demo_data import fill
from gateway.simulator.commercetools.store import Store
from gateway.simulator.commercetools.switches import Switches

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def demo() -> Iterator[Store]:
    """The demo's data at its full size."""
    with Store() as store:
        started = time.perf_counter()
        fill(store)
        assert time.perf_counter() - started < 60
        yield store


@pytest.fixture(scope="module")
def customers(demo) -> list[dict]:
    """Everyone, as the API answers them."""
    return [json.loads(customer_json(each, Switches())) for each in demo.customers("demo-ct")]


@pytest.mark.slow
def test_groups_have_believable_sizes_and_distinct_names(demo):
    """A few are big, and some are empty; nearly all have a key, and some have custom fields."""
    groups = demo.groups("demo-ct")
    sizes = [len(demo.members("demo-ct", group.id)) for group in groups]

    assert len(groups) == len({group.name for group in groups}) == 60
    assert sum(size > 250 for size in sizes) >= 3
    assert sum(size == 0 for size in sizes) == 2
    assert sum(bool(demo.legacy_members("demo-ct", group.id)) for group in groups) > 20
    assert sum(group.key is None for group in groups) == 3
    assert all(re.fullmatch("[a-z0-9-]{2,256}", group.key) for group in groups if group.key)
    assert all(re.fullmatch(UUID, group.id) for group in groups)
    assert 10 <= sum(group.custom is not None for group in groups) <= 20
    assert [g.created_at for g in groups] == sorted(g.created_at for g in groups)
    assert {"user" in group.created_by for group in groups} == {True, False}
    assert {"Stammkunden", "Mitarbeiter", "VIP"} <= {group.name for group in groups}


@pytest.mark.slow
def test_customers_are_in_groups_in_all_ways(customers):
    """By assignments, by the older field, by both and by none."""
    ways = {("customerGroup" in c, bool(c["customerGroupAssignments"])) for c in customers}

    assert len(customers) == len({c["id"] for c in customers}) == 1500
    assert ways == {(True, True), (True, False), (False, True), (False, False)}
    assert 4 <= max(len(c["customerGroupAssignments"]) for c in customers) <= 8


@pytest.mark.slow
def test_addresses_are_what_the_ids_say(customers):
    """Default addresses are among the addresses."""
    for customer in customers:
        ids = {address["id"] for address in customer["addresses"]}
        roles = [*customer["billingAddressIds"], *customer["shippingAddressIds"]]
        roles += [customer[f"default{kind}AddressId"] for kind in ("Billing", "Shipping") if ids]
        assert set(roles) <= ids
    assert {len(customer["addresses"]) for customer in customers} == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    "member",
    [
        "key",
        "companyName",
        "vatId",
        "dateOfBirth",
        "externalId",
        "defaultBillingAddressId",
        "custom",
        "customerGroup",
        "title",
    ],
)
def test_optional_members_are_there_and_absent_somewhere(customers, member):
    """And never null or blank."""
    assert {bool(customer.get(member, False)) for customer in customers} == {True, False}
    assert all(customer[member] for customer in customers if member in customer)


@pytest.mark.slow
def test_nobody_can_be_reached_by_it(customers):
    """Mail, telephone and tax numbers are none that anyone has."""
    for customer in customers:
        for one in (customer, *customer["addresses"]):
            assert re.search(r"@example\.(com|org|net)$", one.get("email", "@example.com"))
            for name in ("phone", "mobile"):
                assert re.fullmatch(r"\+4[39] 000 \d{6}", one.get(name, "+43 000 000000"))
        assert re.fullmatch(r"(DE|AT)U000\d{5}", customer.get("vatId", "DEU00000000"))


def test_the_same_seed_gives_the_same_shop():
    """And filling twice is filling once."""

    def shop(seed: int) -> list[object]:
        with Store() as store:
            fill(store, groups=30, customers=40, seed=seed)
            fill(store, groups=50, customers=80, seed=seed + 1)
            return [*store.groups("demo-ct"), *store.customers("demo-ct")]

    assert shop(3) == shop(3)
    assert shop(3) != shop(4)


@pytest.mark.parametrize(("groups", "customers"), [(0, 0), (0, 5), (1, 5), (5, 9), (200, 10)])
def test_any_size_will_do(groups, customers):
    """Nothing depends on a group's being there."""
    with Store() as store:
        fill(store, project="p", groups=groups, customers=customers)

        assert (store.count_groups("p"), store.count_customers("p")) == (groups, customers)


@pytest.mark.slow
def test_there_are_two_tokens(demo):
    """One of them may only read."""
    assert demo.rights("demo-ct-token").scopes == {"demo-ct": {"manage_customers"}}
    assert demo.rights("demo-ct-read-only").scopes == {"demo-ct": {"view_customers"}}
