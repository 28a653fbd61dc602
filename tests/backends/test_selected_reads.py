"""Backends that are told what an operation looks at: as little is read as is shown, and nothing
less than a change needs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from gateway.backends.port import (
    ById,
    GroupDraft,
    GroupUpdate,
    MembershipEdit,
    MemberStatus,
    Rename,
    Window,
)
from gateway.errors import RevisionConflict
from gateway.records import Customer, CustomerGroup, Projection
from gateway.simulator.faults import LoseAnswer
from tests.backends.worlds import World, worlds

NAMES = Projection.reading({CustomerGroup: ["name"], Customer: ["firstname"]})


@pytest.fixture(params=["flow_retail", "commercetools"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with worlds(request.param) as running:
        yield running


def shown(group: CustomerGroup) -> dict[str, object]:
    """Every attribute of a record, also of one that was read in part."""
    return {field.name: getattr(group, field.name) for field in structs.fields(CustomerGroup)}


def unlooked_at(group: CustomerGroup) -> bool:
    return (group.created_at, group.last_modified_at, group.commercetools) == (None, None, None)


@pytest.mark.parametrize("count", [1, 4])
async def test_groups_are_read_as_far_as_they_are_looked_at(world, count):
    """In a list, one by one, and by a sweep over the list."""
    uids = [world.add_group(f"Group {number}") for number in range(count)]
    backend = world.connect(selected=NAMES)

    listed = [row.record for row in (await backend.list_groups(Window(size=9))).rows]
    found = await world.connect(selected=NAMES).get_groups([ById(uid) for uid in uids])

    for groups in (listed, list(found.values())):
        assert {group.uid for group in groups} == set(uids)
        assert {group.name for group in groups} == {f"Group {n}" for n in range(count)}
        assert all(group.tenant_uid == world.tenant for group in groups)
        assert all(isinstance(group, CustomerGroup) and unlooked_at(group) for group in groups)


async def test_members_are_read_as_far_as_they_are_looked_at(world):
    """Their cursors are the same."""
    gold = ById(world.add_group("Gold"))
    for name in ("Ada", "Bob", "Cyd"):
        world.add_customer(gold.uid, firstname=name, lastname="L")
    whole = await world.connect().list_members(gold, Window(size=2))

    page = await world.connect(selected=NAMES).list_members(gold, Window(size=2))

    assert [(row.offset, row.record.uid, row.record.firstname) for row in page.rows] == [
        (row.offset, row.record.uid, row.record.firstname) for row in whole.rows
    ]
    assert (page.total, page.has_next) == (whole.total, whole.has_next) == (3, True)
    for row in page.rows:
        assert isinstance(row.record, Customer)
        assert row.record.tenant_uid == world.tenant
        assert (row.record.lastname, row.record.customer_group_uids) == (None, ())
    assert all(row.record.customer_group_uids == (gold.uid,) for row in whole.rows)


async def test_a_revision_is_the_same_whatever_is_read_beside_it(world):
    """It was shown by one operation, and is expected by another."""
    gold = ById(world.add_group("Gold"))
    selected = Projection.reading({CustomerGroup: ["revision"]})

    part = (await world.connect(selected=selected).get_groups([gold]))[gold]
    whole = (await world.connect().get_groups([gold]))[gold]
    await world.connect(selected=NAMES).update_group(
        GroupUpdate(gold, [Rename("Au")], expected_revision=part.revision)
    )

    assert part.revision == whole.revision


async def test_what_a_change_needs_is_read_in_any_case(world):
    """The state that won against it is whole, too."""
    gold = ById(world.add_group("Gold"))
    backend = world.connect(selected=NAMES)
    old = (await world.connect().get_groups([gold]))[gold].revision

    changed = await backend.update_group(GroupUpdate(gold, [Rename("Au")]))
    with pytest.raises(RevisionConflict) as conflict:
        await backend.update_group(GroupUpdate(gold, [Rename("Ag")], expected_revision=old))

    now = (await world.connect().get_groups([gold]))[gold]
    assert shown(changed) == shown(now)
    assert shown(conflict.value.current) == shown(now)
    assert not unlooked_at(now)


async def test_a_change_whose_answer_was_lost_is_looked_after_whole(world):
    """The group that is found is what the write answers."""
    gold = ById(world.add_group("Gold"))
    for method in ("PUT", "POST"):
        world.faults.add(LoseAnswer(), method=method)

    changed = await world.connect(selected=NAMES).update_group(GroupUpdate(gold, [Rename("Au")]))

    assert changed.name == "Au"
    assert not unlooked_at(changed)


async def test_a_group_that_was_made_is_whole(world):
    """Whether or not its answer came."""
    backend = world.connect(selected=NAMES)
    made = await backend.create_group(GroupDraft(name="Gold"))
    world.faults.add(LoseAnswer(), method="POST")
    by_key = backend.capabilities.customer_group_keys
    draft = GroupDraft(name="Blue", **{"key" if by_key else "uid": "blue"})

    found = await backend.create_group(draft)

    assert (made.name, found.name) == ("Gold", "Blue")
    assert not unlooked_at(made)
    assert not unlooked_at(found)


async def test_an_edit_sees_who_is_in_the_group(world):
    """Although the operation looks at nobody's groups."""
    gold = ById(world.add_group("Gold"))
    ada, bob = world.add_customer(gold.uid), world.add_customer()

    await world.connect(selected=NAMES).edit_members(MembershipEdit(gold, add=[bob], remove=[ada]))
    edit = await world.connect(selected=NAMES).edit_members(MembershipEdit(gold, remove=[bob]))

    assert world.members(gold.uid) == set()
    assert [outcome.status for outcome in edit.outcomes] == [MemberStatus.ACCEPTED]
