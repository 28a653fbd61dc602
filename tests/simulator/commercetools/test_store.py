"""The simulator's data."""

import json
from datetime import UTC, datetime

import pytest

from gateway.simulator.commercetools.answers import customer_json
from gateway.simulator.commercetools.order import CUSTOMER_SORTS, GROUP_SORTS, order
from gateway.simulator.commercetools.store import NotThere, Store, Taken
from gateway.simulator.commercetools.switches import Switches


def answered(store: Store, id: str) -> dict:
    """The customer as the API would answer it."""
    return json.loads(customer_json(store.customer("shop", id), Switches()))


def test_data_in_a_file_outlives_the_process(tmp_path):
    """A second store over the same file finds what the first one wrote."""
    path = tmp_path / "shop.sqlite"
    with Store(path) as first:
        first.add_token("t", ["shop"])
        gold = first.add_group("shop", "Gold", key="gold", custom={"type": {}, "fields": {"a": 1}})
        ada = first.add_customer("shop", {"lastName": "Ada"}, [gold.id])

    with Store(path) as second:
        assert second.group_by_key("shop", "gold") == gold
        assert second.customer("shop", ada.id) == ada
        assert second.rights("t").scopes == {"shop": {"manage_customers"}}


def test_a_file_of_another_version_is_refused(tmp_path):
    """Rather than failing at the first query."""
    path = tmp_path / "shop.sqlite"
    with Store(path) as store:
        store._db.execute("PRAGMA user_version = 999")

    with pytest.raises(ValueError, match="another version"):
        Store(path)


def test_times_are_utc_with_milliseconds_from_the_given_clock():
    """Saving changes only the second pair, and the version."""
    now = datetime(2025, 7, 30, 18, 10, 6, 447_900, tzinfo=UTC)
    with Store(clock=lambda: now) as store:
        created = store.add_group("shop", "Gold")
        now = datetime(2025, 7, 31, tzinfo=UTC)
        saved = store.save_group(created, by={"clientId": "kim"}, step=3)

    assert created.created_at == created.last_modified_at == "2025-07-30T18:10:06.447Z"
    assert (saved.created_by, saved.created_at) == (created.created_by, created.created_at)
    assert saved.last_modified_at == "2025-07-31T00:00:00.000Z"
    assert saved.last_modified_by == {"clientId": "kim"}
    assert (created.version, saved.version) == (1, 4)


def test_ids_keys_and_names_are_unique_within_their_project_only(store):
    """Many groups may have no key."""
    for project in ("shop", "other"):
        store.add_group(project, "Gold", id="g", key="gold")
        store.add_group(project, "Silver")
        store.add_group(project, "Bronze")
        store.add_customer(project, {"id": "c"})

    for field, value, more in (
        ("name", "Gold", {"name": "Gold"}),
        ("key", "gold", {"name": "X", "key": "gold"}),
        ("id", "g", {"name": "X", "id": "g"}),
    ):
        with pytest.raises(Taken) as taken:
            store.add_group("shop", **more)
        assert (taken.value.field, taken.value.value) == (field, value)
    with pytest.raises(Taken):
        store.add_customer("shop", {"id": "c"})


def test_what_is_not_there_is_said_not_to_be(store):
    """In this project, whatever there is in another."""
    group = store.add_group("other", "Gold", key="gold")
    customer = store.add_customer("other", {})

    for call in (
        lambda: store.group("shop", group.id),
        lambda: store.group_by_key("shop", "gold"),
        lambda: store.remove_group("shop", group.id),
        lambda: store.customer("shop", customer.id),
        lambda: store.remove_customer("shop", customer.id),
        lambda: store.group_ids("shop", customer.id),
    ):
        with pytest.raises(NotThere):
            call()


def test_a_transaction_is_all_or_nothing(store):
    """Also when it stands inside another one."""

    def fail() -> None:
        with store.transaction():
            store.add_group("shop", "Gold")
            with store.transaction():
                store.add_group("shop", "Silver")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert store.count_groups("shop") == 0


def test_a_customer_is_answered_as_given(store):
    """With what is the store's own in front of it, and nothing filled in."""
    gold = store.add_group("shop", "Gold")
    given = {"email": None, "addresses": [{"city": 7}], "unheardOf": {"ö": "\U0001f600"}}
    ada = store.add_customer("shop", given, [gold.id], legacy_group=gold.id)

    answer = answered(store, ada.id)
    reference = {"typeId": "customer-group", "id": gold.id}
    assert given.items() <= answer.items()
    assert answer["customerGroup"] == reference
    assert answer["customerGroupAssignments"] == [{"customerGroup": reference}]
    assert (answer["id"], answer["version"]) == (ada.id, 1)
    assert answer.keys() - given.keys() == {
        "id",
        "version",
        "createdAt",
        "createdBy",
        "lastModifiedAt",
        "lastModifiedBy",
        "customerGroup",
        "customerGroupAssignments",
    }


def test_well_formed_members_of_a_customer_become_the_stores_own(store):
    """References to groups that are not there included."""
    store.add_customer(
        "shop",
        {
            "id": "ada",
            "version": 7,
            "createdAt": "2020-01-01T00:00:00.000Z",
            "customerGroup": {"typeId": "customer-group", "id": "gone"},
            "customerGroupAssignments": [{"customerGroup": {"id": "gone"}}],
        },
    )
    saved = store.save_customer(store.customer("shop", "ada"))

    assert saved.version == answered(store, "ada")["version"] == 8
    assert store.members("shop", "gone") == store.legacy_members("shop", "gone") == ["ada"]
    assert answered(store, "ada")["createdAt"] == "2020-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("version", "seven"),
        ("version", None),
        ("createdAt", 0),
        ("lastModifiedBy", []),
        ("customerGroup", {"typeId": "customer-group"}),
        ("customerGroupAssignments", [{"customerGroup": None}]),
        ("customerGroupAssignments", None),
    ],
)
def test_broken_members_of_a_customer_stay_as_they_are(store, member, value):
    """And a membership is one all the same."""
    store.add_customer("shop", {"id": "ada", member: value}, ["gold"])

    assert answered(store, "ada")[member] == value
    assert store.members("shop", "gold") == ["ada"]


def test_a_customer_can_be_any_bytes(store):
    """For what no mapping can say; what can be read in them is found by."""
    store.add_customer("shop", b'{"id": "ada", "version": 2, "version": 3}', ["gold"])
    store.add_customer("shop", b"{", id="bob")

    ada, bob = store.customers("shop")
    assert (ada.version, ada.groups) == (3, ("gold",))
    assert customer_json(ada, Switches()) == b'{"id": "ada", "version": 2, "version": 3}'
    assert customer_json(bob, Switches()) == b"{"


def test_memberships_keep_the_order_of_joining(store):
    """A group twice is a group once."""
    store.add_customer("shop", {"id": "ada"}, ["b", "a", "b"])
    store.add_customer("shop", {"id": "bob"}, ["a"])

    assert store.group_ids("shop", "ada") == ["b", "a"]
    assert store.members("shop", "a") == ["ada", "bob"]
    store.remove_customer("shop", "ada")
    assert store.members("shop", "a") == ["bob"]


def test_references_are_dropped_in_their_project_only(store):
    """By both of the ways."""
    for project in ("shop", "other"):
        store.add_customer(project, {"id": "ada"}, ["a", "b"], legacy_group="a")
    store.drop_references("shop", "a")

    assert store.group_ids("shop", "ada") == ["b"]
    assert not store.is_referenced("shop", "a")
    assert store.is_referenced("other", "a")


def test_every_sort_is_a_column(store):
    """Also of values that have no order."""
    store.add_customer("shop", {"key": {}, "lastName": True, "email": 1.5})
    for field in GROUP_SORTS:
        store.groups("shop", order=order([f"{field} desc"], GROUP_SORTS, "id"))
    for field in CUSTOMER_SORTS:
        assert store.customers("shop", order=order([field], CUSTOMER_SORTS, "creation"))


def test_a_token_is_replaced_and_removed(store):
    """By its name."""
    store.add_token("t", ["shop", "other"])
    store.add_token("t", ["shop"], [], user="u1")

    rights = store.rights("t")
    assert rights.scopes == {"shop": frozenset()}
    assert rights.author == {"isPlatformClient": True, "user": {"typeId": "user", "id": "u1"}}
    store.remove_token("t")
    assert store.rights("t") is None
