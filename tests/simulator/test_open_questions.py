"""What the documents leave open: each switch changes the answer it says it changes."""

import time

import pytest

from gateway.simulator.flow_retail.switches import Switches

MEMBERS = "customer-groups/gold/customers"


@pytest.fixture(autouse=True)
def shop(store):
    """Two groups and five customers; gold has ada, bob and cem, who joined backwards."""
    store.add_group("shop", "gold", "Gold")
    store.add_group("shop", "blue", "Blue")
    for uid in ("ada", "bob", "cem", "dan", "eve"):
        store.add_customer("shop", {"customerUid": uid, "city": "Oslo"})
    for uid in ("cem", "bob", "ada"):
        store.add_member("shop", "gold", uid)


async def members(api, **params: object) -> list[str]:
    """The uids on the page asked for."""
    answer = await api.get(MEMBERS, params=params)
    return [customer["customerUid"] for customer in answer.json()["items"]]


async def test_the_first_page_is_one_or_zero(api, switches: Switches):
    """The number is in the answer as well."""
    one = await members(api, pageNumber=1, pageSize=2)
    switches.first_page = 0
    zero = await members(api, pageNumber=0, pageSize=2)
    answer = await api.get(MEMBERS)

    assert one == zero == ["ada", "bob"]
    assert answer.json()["paging"]["pageNumber"] == 0


async def test_a_page_before_the_first_is_refused_or_the_first(api, switches):
    """The answer says which page it is."""
    switches.before_the_start = "first"
    answer = await api.get(MEMBERS, params={"pageNumber": -3})

    assert answer.json()["paging"]["pageNumber"] == 1


async def test_a_page_past_the_end_is_empty_or_404_or_the_last(api, switches):
    """An empty one has the number that was asked for."""
    params = {"pageNumber": 9, "pageSize": 2}
    empty = await api.get(MEMBERS, params=params)
    switches.past_the_end = "not_found"
    missing = await api.get(MEMBERS, params=params)
    switches.past_the_end = "last"
    last = await api.get(MEMBERS, params=params)

    assert empty.json() == {
        "items": [],
        "paging": {"pageNumber": 9, "pageSize": 2, "totalCount": 3},
    }
    assert missing.status_code == 404
    assert last.json()["paging"]["pageNumber"] == 2
    assert len(last.json()["items"]) == 1


async def test_a_page_that_is_too_large_is_clamped_or_refused(api, switches):
    """A clamped answer has the size that was used."""
    switches.max_page_size = 2
    clamped = await api.get(MEMBERS, params={"pageSize": 3})
    switches.oversized_page = "refuse"
    refused = await api.get(MEMBERS, params={"pageSize": 3})

    assert clamped.json()["paging"] == {"pageNumber": 1, "pageSize": 2, "totalCount": 3}
    assert len(clamped.json()["items"]) == 2
    assert refused.status_code == 400


async def test_the_page_size_has_a_default(api, switches):
    """Which can be larger than the largest, and is clamped then."""
    switches.default_page_size = 2
    first = await api.get(MEMBERS)
    switches.max_page_size = 1
    second = await api.get(MEMBERS)

    assert [len(answer.json()["items"]) for answer in (first, second)] == [2, 1]


async def test_an_unknown_sort_is_ignored_or_refused(api, switches):
    """And a known one can be made unknown, or get another name."""
    assert await members(api, sortBy="shoeSize") == ["ada", "bob", "cem"]
    switches.unknown_sort = "refuse"
    switches.customer_sorts = {"uid": "uid"}

    assert (await api.get(MEMBERS, params={"sortBy": "city"})).status_code == 400
    assert await members(api, sortBy="uid", sortDirection="DESC") == ["cem", "bob", "ada"]


async def test_the_default_order_can_be_another(api, switches):
    """Of groups and of members."""
    switches.group_order = "name"
    switches.member_order = "joining"
    groups = (await api.get("customer-groups")).json()["items"]

    assert [group["name"] for group in groups] == ["Blue", "Gold"]
    assert await members(api) == ["cem", "bob", "ada"]


async def test_equal_rows_are_turned_around_by_desc_or_not(api, switches):
    """All three live in the same city."""
    mirrored = await members(api, sortBy="city", sortDirection="DESC")
    switches.ties = "fixed"
    fixed = await members(api, sortBy="city", sortDirection="DESC")

    assert (mirrored, fixed) == (["cem", "bob", "ada"], ["ada", "bob", "cem"])


async def test_a_uid_may_go_on_after_the_printed_pattern_or_not(api, switches):
    """The documents' pattern has no end."""
    body = {"name": "A", "customerGroupUid": "a b"}
    printed = await api.post("customer-groups", json=body)
    switches.uid_pattern = "anchored"
    anchored = await api.post("customer-groups", json=body)

    assert (printed.status_code, anchored.status_code) == (201, 400)


@pytest.mark.parametrize(("style", "length"), [("uuid", 36), ("short", 12), ("sequence", 7)])
async def test_made_uids_have_a_style(api, switches, style, length):
    """And are distinct in each."""
    switches.uid_style = style
    made = [(await api.post("customer-groups", json={"name": "A"})).json() for _ in range(3)]
    uids = {group["customerGroupUid"] for group in made}

    assert {len(uid) for uid in uids} == {length}
    assert len(uids) == 3


async def test_a_body_of_another_media_type_can_be_read_all_the_same(api, switches):
    """Some servers don't look."""
    switches.content_type = "ignore"
    answer = await api.put("customer-groups/gold", content=b'{"name":"Gull"}')

    assert answer.json()["name"] == "Gull"


async def test_put_can_need_a_name_or_blank_it(api, switches):
    """Full replacement, in two readings."""
    switches.put_semantics = "full"
    refused = await api.put("customer-groups/gold", json={})
    switches.put_semantics = "full_blank"
    blanked = await api.put("customer-groups/gold", json={})

    assert (refused.status_code, blanked.json()["name"]) == (400, "")


async def test_a_uid_in_use_conflicts_or_is_bad_or_replaces(api, switches, store):
    """Replacing keeps the members."""
    body = {"name": "New", "customerGroupUid": "gold"}
    conflict = await api.post("customer-groups", json=body)
    switches.duplicate_uid = "bad_request"
    bad = await api.post("customer-groups", json=body)
    switches.duplicate_uid = "replace"
    replaced = await api.post("customer-groups", json=body)

    assert [answer.status_code for answer in (conflict, bad, replaced)] == [409, 400, 201]
    assert replaced.json()["name"] == store.group("shop", "gold").name == "New"
    assert store.count_members("shop", "gold") == 3


async def test_a_name_in_use_is_allowed_or_conflicts(api, switches):
    """A group's own name is not in its way."""
    allowed = await api.post("customer-groups", json={"name": "Gold"})
    switches.duplicate_name = "conflict"
    created = await api.post("customer-groups", json={"name": "Gold"})
    renamed = await api.put("customer-groups/blue", json={"name": "Gold"})
    kept = await api.put("customer-groups/blue", json={"name": "Blue"})

    statuses = [answer.status_code for answer in (allowed, created, renamed, kept)]
    assert statuses == [201, 409, 409, 200]


async def test_a_group_with_members_may_not_be_deletable(api, switches, store):
    """An empty one is."""
    switches.delete_nonempty = "conflict"
    full = await api.delete("customer-groups/gold")
    empty = await api.delete("customer-groups/blue")

    assert (full.status_code, empty.status_code) == (409, 204)
    assert store.count_members("shop", "gold") == 3


@pytest.mark.parametrize("direction", ["addCustomerUids", "removeCustomerUids"])
@pytest.mark.parametrize(
    ("choice", "status"), [("not_found", 404), ("bad_request", 400), ("ignore", 204)]
)
async def test_an_unknown_customer(api, switches, store, direction, choice, status):
    """Refused, or the others are dealt with."""
    switches.unknown_customer = choice
    other = "eve" if direction == "addCustomerUids" else "ada"
    answer = await api.put(MEMBERS, json={direction: ["nobody", other]})

    assert answer.status_code == status
    changed = (other in store.member_uids("shop", "gold")) == (direction == "addCustomerUids")
    assert changed == (choice == "ignore")


async def test_a_member_already_and_a_member_no_more(api, switches):
    """No change, or 409."""
    bodies = ({"addCustomerUids": ["ada"]}, {"removeCustomerUids": ["eve"]})
    fine = [(await api.put(MEMBERS, json=body)).status_code for body in bodies]
    switches.already_member = switches.absent_member = "conflict"
    conflicts = [(await api.put(MEMBERS, json=body)).status_code for body in bodies]

    assert (fine, conflicts) == ([204, 204], [409, 409])


@pytest.mark.parametrize(
    ("choice", "status", "expected"),
    [
        ("refuse", 400, ["cem", "bob", "ada"]),
        ("add_wins", 204, ["cem", "bob", "ada", "eve"]),
        ("remove_wins", 204, ["cem", "bob"]),
    ],
)
async def test_a_uid_in_both_lists(api, switches, store, choice, status, expected):
    """400, or one of the lists has it."""
    switches.in_both_lists = choice
    body = {"addCustomerUids": ["ada", "eve"], "removeCustomerUids": ["eve", "ada"]}
    answer = await api.put(MEMBERS, json=body)

    assert answer.status_code == status
    assert store.member_uids("shop", "gold") == expected


async def test_a_membership_list_can_be_too_long(api, switches, store):
    """Both lists count together."""
    switches.max_membership_uids = 2
    body = {"addCustomerUids": ["dan", "eve"], "removeCustomerUids": ["ada"]}
    bad = await api.put(MEMBERS, json=body)
    switches.too_many_uids = "too_large"
    large = await api.put(MEMBERS, json=body)
    fits = await api.put(MEMBERS, json={"addCustomerUids": ["dan", "eve"]})

    assert [answer.status_code for answer in (bad, large, fits)] == [400, 413, 204]


@pytest.mark.parametrize(
    ("atomic", "expected"), [(True, ["cem", "bob", "ada"]), (False, ["cem", "bob", "ada", "dan"])]
)
async def test_a_refused_membership_request_changes_nothing_or_a_part(
    api, switches, store, atomic, expected
):
    """The part is what came before the uid that was refused."""
    switches.membership_atomic = atomic
    body = {"addCustomerUids": ["dan", "nobody", "eve"], "removeCustomerUids": ["ada"]}
    answer = await api.put(MEMBERS, json=body)

    assert answer.status_code == 404
    assert store.member_uids("shop", "gold") == expected


@pytest.mark.parametrize(
    ("style", "media_type", "body"),
    [
        ("json_message", "application/json", '{"message":"Not Found"}'),
        ("json_errors", "application/json", '{"errors":[{"message":"Not Found"}]}'),
        ("html", "text/html; charset=utf-8", "<h1>404 Not Found</h1>"),
        ("empty", None, ""),
    ],
)
async def test_errors_have_one_of_four_bodies(api, switches, style, media_type, body):
    """Also where there is no such path at all."""
    switches.error_body = style
    answer = await api.get("nothing-here")

    assert (answer.status_code, answer.headers.get("content-type")) == (404, media_type)
    assert body in answer.text
    assert (answer.text == "") == (body == "")
    assert (await api.get("customer-groups/none")).status_code == 404
    assert (await api.get("", headers={"Authorization": ""})).status_code == 404


async def test_every_operation_can_take_its_time(api, switches):
    """Reads and errors alike."""
    switches.latency = 0.02
    started = time.perf_counter()
    await api.get("customer-groups/none")

    assert time.perf_counter() - started >= 0.02
