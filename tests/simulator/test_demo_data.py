"""The demo's shop: believable, the same every time, and nobody's real data."""

import json
import random
import re
from collections.abc import Iterator

import pytest

from gateway.simulator.flow_retail.demo_data import fill, organisation_number
from gateway.simulator.flow_retail.store import Store

REQUIRED = frozenset(
    """address city companyName countryCode createdAt customerUid customerParentUid customerType
    email externalId firstname lastModifiedAt lastname mobile postalCode pricelistUid vatNumber
    origin addresses contacts extensions consents loyaltyId displayName credit paymentTerms
    internalNote accountManager ehf customerGroupUids defaultStore relevance""".split()  # noqa: SIM905  # a list would be 32 lines
)
"""What CustomerResponseSchema requires."""

PARTS = {
    "addresses": """address city companyName firstname lastname countryCode email phone postalCode
        type customerAddressUid displayName""",
    "contacts": """firstname lastname email mobile createdAt lastModifiedAt customerContactUid
        extensions displayName role""",
    "extensions": "extensionCode organizationUid",
    "consents": "consentUid name status source createdAt",
    "credit": "limit balance",
    "accountManager": "tenantUserUid displayName userCode",
    "ehf": "enabled address",
    "defaultStore": "name storeUid",
}
"""What the nested schemas require; the demo has nothing else in them."""


@pytest.fixture(scope="module")
def demo() -> Iterator[Store]:
    """The demo's data at its full size."""
    with Store() as store:
        fill(store)
        yield store


@pytest.fixture(scope="module")
def customers(demo) -> list[dict]:
    """Everyone in the two groups that all but a few are in."""
    found = [*demo.members("demo", "kundeklubb"), *demo.members("demo", "bedrift")]
    return [json.loads(document) for document in found]


@pytest.mark.slow
def test_groups_have_believable_sizes_and_distinct_names(demo):
    """A few are very big, and some are empty."""
    groups = demo.groups("demo")
    sizes = [demo.count_members("demo", group.uid) for group in groups]

    assert len(groups) == len({group.name for group in groups}) == 240
    assert sum(size > 1000 for size in sizes) >= 2
    assert sum(size == 0 for size in sizes) >= 3
    assert all(re.fullmatch("[a-z0-9-]+", group.uid) for group in groups)
    assert [g.created_at for g in groups] == sorted(g.created_at for g in groups)


@pytest.mark.slow
def test_customers_are_in_no_group_to_eight(demo):
    """And there are as many as asked for."""
    counts = {len(demo.group_uids("demo", f"c{number:05d}")) for number in range(1, 4001)}

    assert demo.count_customers("demo") == 4000
    assert min(counts) == 0
    assert 5 <= max(counts) <= 8


@pytest.mark.slow
def test_every_customer_has_all_that_the_schema_requires(customers):
    """At every level, with the two deprecated fields beside."""
    for customer in customers:
        assert customer.keys() == REQUIRED | {"ehfEnabled", "ledgerNumber"}
        for name, members in PARTS.items():
            parts = customer[name] if isinstance(customer[name], list) else [customer[name]]
            for part in filter(None, parts):
                assert part.keys() == set(members.split()), name


@pytest.mark.slow
def test_every_field_is_used_and_left_empty_somewhere(customers):
    """An empty value is what a client forgets to think of."""
    always = {"customerUid", "customerType", "countryCode", "createdAt", "lastModifiedAt"}
    always |= {"address", "city", "postalCode", "email", "mobile", "displayName", "origin"}
    always |= {"firstname", "lastname", "relevance", "customerGroupUids"}
    always |= {"credit", "ehf", "accountManager"}
    for name in REQUIRED:
        values = [bool(customer[name]) for customer in customers]
        assert any(values), name
        assert name in always or not all(values), name
    assert {customer["customerType"] for customer in customers} == {"PERSON", "COMPANY", "B2B"}
    for part, member, expected in (
        ("addresses", "type", {"DELIVERY_ADDRESS", "INVOICE_ADDRESS"}),
        ("contacts", "role", {"ADMIN", "PURCHASER", "ACCOUNTING", "NONE"}),
        ("extensions", "extensionCode", {"TWO_INVOICE", "KLAVIYO_PROFILE_ID"}),
        ("consents", "status", {True, False}),
    ):
        assert {each[member] for customer in customers for each in customer[part]} == expected


@pytest.mark.slow
def test_departments_belong_to_companies(customers):
    """As the documents say."""
    kinds = {customer["customerUid"]: customer["customerType"] for customer in customers}
    children = [customer for customer in customers if customer["customerParentUid"]]

    assert len(children) > 10
    assert {customer["customerType"] for customer in children} == {"COMPANY"}
    assert {kinds.get(customer["customerParentUid"], "COMPANY") for customer in children} == {
        "COMPANY"
    }


@pytest.mark.slow
def test_nobody_can_be_reached_by_it(customers):
    """Mail, telephone and organisation numbers are none that anyone has."""
    for customer in customers:
        people = [customer, *customer["contacts"], *customer["addresses"]]
        for person in people:
            assert re.search(r"[@.]example\.(no|com)$", person["email"])
            assert re.fullmatch(r"\+4700\d{6}", person.get("mobile") or person["phone"])
        assert re.fullmatch(r"(3\d{8}MVA)?", customer["vatNumber"])


def test_an_organisation_number_checks_itself():
    """Modulo 11, as Norway's do."""
    dice = random.Random(1)  # noqa: S311  # the same numbers every time
    for _ in range(50):
        number = organisation_number(dice)
        weights = (3, 2, 7, 6, 5, 4, 3, 2, 1)
        assert sum(int(d) * w for d, w in zip(number, weights, strict=True)) % 11 == 0


def test_the_same_seed_gives_the_same_shop():
    """And filling twice is filling once."""

    def shop(seed: int) -> list[bytes]:
        with Store() as store:
            fill(store, groups=30, customers=40, seed=seed)
            fill(store, groups=50, customers=80, seed=seed + 1)
            return [d for group in store.groups("demo") for d in store.members("demo", group.uid)]

    assert shop(3) == shop(3)
    assert shop(3) != shop(4)


@pytest.mark.parametrize(("groups", "customers"), [(0, 0), (0, 5), (1, 5), (500, 10)])
def test_any_size_will_do(groups, customers):
    """Nothing depends on a group's being there."""
    with Store() as store:
        fill(store, groups=groups, customers=customers)

        assert (store.count_groups("demo"), store.count_customers("demo")) == (groups, customers)


@pytest.mark.slow
def test_there_are_two_tokens_and_a_second_tenant(demo):
    """One of the tokens may only read."""
    both = {"demo", "pop-up"}

    assert demo.rights("demo-token").permissions == dict.fromkeys(both, frozenset({"CUSTOMER"}))
    assert demo.rights("demo-read-only").permissions == dict.fromkeys(both, frozenset())
    assert [group.uid for group in demo.groups("pop-up")] == ["gull", "venner"]
    assert demo.member_uids("pop-up", "venner") == ["popup-1", "popup-2"]
