"""The simulator's data."""

import json
from datetime import UTC, datetime

import pytest

from gateway.simulator.flow_retail.order import CUSTOMER_SORTS, GROUP_SORTS, RowOrder
from gateway.simulator.flow_retail.store import NotThere, Store, Taken


def test_data_in_a_file_outlives_the_process(tmp_path):
    """A second store over the same file finds what the first one wrote."""
    path = tmp_path / "shop.sqlite"
    with Store(path) as first:
        first.add_token("t", ["shop"])
        first.add_group("shop", "gold", "Gold")
        first.add_customer("shop", {"customerUid": "ada"}, ["gold"])

    with Store(path) as second:
        assert second.group("shop", "gold").name == "Gold"
        assert second.members("shop", "gold") == [
            b'{"customerUid":"ada","customerGroupUids":["gold"]}'
        ]
        assert second.rights("t").permissions == {"shop": {"CUSTOMER"}}


def test_a_file_of_another_version_is_refused(tmp_path):
    """Rather than failing at the first query."""
    path = tmp_path / "shop.sqlite"
    with Store(path) as store:
        store._db.execute("PRAGMA user_version = 999")

    with pytest.raises(ValueError, match="another version"):
        Store(path)


def test_times_are_utc_with_milliseconds_from_the_given_clock():
    """As the documents' examples print them; an update changes only the second pair."""
    now = datetime(2025, 7, 30, 18, 10, 6, 447_900, tzinfo=UTC)
    with Store(clock=lambda: now) as store:
        created = store.add_group("shop", "gold", "Gold", by="kim")
        now = datetime(2025, 7, 31, tzinfo=UTC)
        updated = store.update_group("shop", "gold", name="Gull", by="alex")

    assert created.created_at == created.last_modified_at == "2025-07-30T18:10:06.447Z"
    assert (updated.created_by, updated.created_at) == ("kim", created.created_at)
    assert (updated.last_modified_by, updated.last_modified_at) == (
        "alex",
        "2025-07-31T00:00:00.000Z",
    )


def test_a_uid_is_unique_within_its_tenant_only(store):
    """For groups and for customers."""
    for tenant in ("shop", "other"):
        store.add_group(tenant, "x", "X")
        store.add_customer(tenant, {"customerUid": "x"})

    with pytest.raises(Taken):
        store.add_group("shop", "x", "Y")
    with pytest.raises(Taken):
        store.add_customer("shop", {"customerUid": "x"})


def test_a_customer_is_in_groups_of_its_own_tenant_only(store):
    """A group of another tenant is not there."""
    store.add_group("other", "gold", "Gold")
    with pytest.raises(NotThere):
        store.add_customer("shop", {"customerUid": "ada"}, ["gold"])

    assert not store.has_customer("shop", "ada")


def test_groups_of_a_customer_are_in_the_order_of_joining(store):
    """And joining again after leaving is joining last."""
    for uid in "abc":
        store.add_group("shop", uid, uid)
    store.add_customer("shop", {"customerUid": "ada"}, ["c", "a", "b"])
    store.remove_member("shop", "c", "ada")
    store.add_member("shop", "c", "ada")

    assert store.group_uids("shop", "ada") == ["a", "b", "c"]


@pytest.mark.parametrize(
    "customer",
    [
        {"customerUid": "ada", "displayName": None, "city": "", "relevance": "high"},
        {"customerUid": "ada", "customerType": "ROBOT", "addresses": {"not": "a list"}},
        {"customerUid": "ada", "newField": [1, 2.5, {"æøå": "\N{SNOWMAN}"}]},
    ],
)
def test_a_customer_is_given_back_as_it_was_given(store, customer):
    """Absent, null, empty, of a wrong type, unknown: nothing is put right."""
    store.add_group("shop", "gold", "Gold")
    store.add_customer("shop", customer, ["gold"])

    [found] = store.members("shop", "gold")
    assert json.loads(found) == customer | {"customerGroupUids": ["gold"]}


def test_a_customer_can_be_bytes_that_are_no_json(store):
    """Under a uid of its own, as it has none that can be read."""
    store.add_group("shop", "gold", "Gold")
    store.add_customer("shop", b'{"customerUid": tru', ["gold"], uid="broken")
    store.add_customer("shop", b'"text"', ["gold"], uid="text")
    store.add_customer("shop", {}, ["gold"], uid="empty")

    assert store.members("shop", "gold") == [b'{"customerUid": tru', b'"text"', b"{}"]


def test_customer_group_uids_that_are_given_stay(store):
    """A test can have a customer whose list is wrong, null or out of date."""
    store.add_group("shop", "gold", "Gold")
    store.add_customer("shop", {"customerUid": "ada", "customerGroupUids": None}, ["gold"])

    assert store.members("shop", "gold") == [b'{"customerUid":"ada","customerGroupUids":null}']


def test_a_customer_without_a_uid_needs_one(store):
    """There would be no way to have it in a group."""
    with pytest.raises(ValueError, match="uid of its own"):
        store.add_customer("shop", {"customerUid": 7})


def test_a_transaction_happens_whole_or_not_at_all(store):
    """An inner one belongs to the outer."""

    def fail_late() -> None:
        with store.transaction():
            store.add_group("shop", "a", "A")
            with store.transaction():
                store.add_group("shop", "b", "B")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_late()

    assert store.groups("shop") == []


def test_removing_a_group_or_a_customer_removes_its_memberships(store):
    """And nothing else."""
    store.add_group("shop", "a", "A")
    store.add_group("shop", "b", "B")
    store.add_customer("shop", {"customerUid": "ada"}, ["a", "b"])
    store.add_customer("shop", {"customerUid": "bob"}, ["b"])
    store.remove_group("shop", "a")
    store.remove_customer("shop", "bob")

    assert store.group_uids("shop", "ada") == ["b"]
    assert store.member_uids("shop", "b") == ["ada"]
    with pytest.raises(NotThere):
        store.remove_group("shop", "a")


def test_members_come_in_the_order_of_creation_or_of_joining(store):
    """Which of the two is the API's default is not known."""
    store.add_group("shop", "gold", "Gold")
    for uid in ("ada", "bob", "cem"):
        store.add_customer("shop", {"customerUid": uid})
    for uid in ("cem", "ada", "bob"):
        store.add_member("shop", "gold", uid)

    def uids(**order: object) -> list[bytes]:
        return [m[16:19] for m in store.members("shop", "gold", RowOrder(**order))]

    assert uids() == [b"ada", b"bob", b"cem"]
    assert uids(column="joining") == [b"cem", b"ada", b"bob"]
    assert uids(column="joining", descending=True) == [b"bob", b"ada", b"cem"]


@pytest.mark.parametrize(
    ("ties", "expected"), [("mirrored", ["d", "b", "c", "a"]), ("fixed", ["d", "b", "a", "c"])]
)
def test_rows_that_sort_alike_have_a_stable_order(store, ties, expected):
    """Mirrored: DESC is ASC backwards. Case does not matter to the order."""
    for uid, name in (("a", "alike"), ("b", "Bee"), ("c", "ALIKE"), ("d", "dee")):
        store.add_group("shop", uid, name)

    ascending = [g.uid for g in store.groups("shop", RowOrder(column="name", ties=ties))]
    descending = RowOrder(column="name", descending=True, ties=ties)
    assert ascending == ["a", "c", "b", "d"]
    assert [g.uid for g in store.groups("shop", descending)] == expected


@pytest.mark.parametrize("column", sorted(set(GROUP_SORTS.values())))
def test_every_group_sort_is_a_column(store, column):
    """The table and the schema agree."""
    assert store.groups("shop", RowOrder(column=column)) == []


@pytest.mark.parametrize("column", sorted(set(CUSTOMER_SORTS.values())))
def test_every_customer_sort_is_a_column(store, column):
    """The table and the schema agree."""
    store.add_group("shop", "gold", "Gold")
    assert store.members("shop", "gold", RowOrder(column=column)) == []


def test_no_other_column_gets_into_the_sql(store):
    """A sort comes from a switch, and a switch from a command line."""
    with pytest.raises(ValueError, match="no column"):
        store.groups("shop", RowOrder(column="name; DROP TABLE groups"))


def test_a_token_that_is_added_again_is_replaced(store):
    """And one that is removed is unknown."""
    store.add_token("all", ["other"], ["READ"], user="alex")
    rights = store.rights("all")
    store.remove_token("all")

    assert (rights.user, rights.permissions) == ("alex", {"other": {"READ"}})
    assert store.rights("all") is None
