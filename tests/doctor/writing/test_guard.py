"""What the doctor may change: nothing but its own groups, and named customers in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.commercetools import adapter as commercetools
from gateway.backends.commercetools.members import CUSTOMER
from gateway.backends.flow_retail import adapter as flow_retail
from gateway.doctor.asking import CannotTell
from gateway.doctor.writing.guard import Guard, NotOurs

NAMED, OTHER = "named", "other"
HOME, FOREIGN = "home", "foreign"
TEMPLATES = (
    *(flow_retail.GROUPS, flow_retail.GROUP, flow_retail.MEMBERS, "/tenants/{tenantUid}"),
    *(commercetools.GROUPS, commercetools.GROUP, commercetools.GROUP_BY_KEY),
    *(commercetools.CUSTOMERS, CUSTOMER, "/{projectKey}"),
)
WORDS = {"customer-group", "changeName", "setKey", "setCustomField", "setCustomerGroup"} | {
    f"{verb}CustomerGroupAssignment" for verb in ("add", "remove")
}


def guard() -> Guard:
    """Of a run that has made two groups, and whose customer was in "home" before."""
    chosen = Guard("shop", [NAMED])
    chosen.mark = "mark"
    chosen.admit("mark-first", "mark-first")
    chosen.admit("made-by-the-api", "mark-second")
    chosen.homes[NAMED], chosen.held[NAMED] = {HOME}, HOME
    return chosen


OURS = {"mark-first", "made-by-the-api"}
uids = st.sampled_from(
    [*sorted(OURS), "mark-nobody", NAMED, OTHER, HOME, FOREIGN, "", "..", "MARK"]
)
references = st.one_of(
    st.fixed_dictionaries({"typeId": st.just("customer-group"), "id": uids}),
    st.fixed_dictionaries({"typeId": uids, "id": uids}, optional={"key": uids}),
)
actions = st.fixed_dictionaries(
    {"action": st.sampled_from([*sorted(WORDS), "setEmail"])},
    optional={
        "name": uids,
        "key": uids,
        "value": uids,
        "customerGroup": references,
        "customerGroupAssignment": st.fixed_dictionaries(
            {"customerGroup": references}, optional={"contextualMode": uids}
        ),
    },
)
bodies = st.none() | st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("name", "customerGroupUid", "groupName", "key", "email"), uids),
        **dict.fromkeys(("addCustomerUids", "removeCustomerUids"), st.lists(uids, max_size=3)),
        "version": st.integers(0, 9),
        "actions": st.lists(actions, max_size=2),
    },
)


def texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from texts(each)
        case list():
            for each in value:
                yield from texts(each)


def passes(method: str, template: str, path: dict[str, str], body: object) -> bool:
    try:
        guard().require(method, template, path, body)
    except NotOurs:
        return False
    return True


@given(
    st.sampled_from(["POST", "PUT", "DELETE", "PATCH", "GET"]),
    st.sampled_from(TEMPLATES),
    st.sampled_from(["shop", "shop", "another"]),
    uids,
    bodies,
)
def test_what_passes_is_about_nothing_else(method, template, tenant, uid, body):
    """No other tenant, group or customer is named; a group that the customer was in is only ever
    where it is put back.
    """
    names = re.findall("{(.*?)}", template)
    path = {name: tenant if name in ("tenantUid", "projectKey") else uid for name in names}
    if not passes(method, template, path, body):
        return

    named = {*texts(path), *texts(body)} - WORDS
    assert tenant == "shop"
    assert all(each in OURS | {"shop", NAMED, HOME} or each.startswith("mark") for each in named), (
        named
    )
    if HOME in named:
        assert NAMED in named
        assert "DELETE" not in method
        assert "remove" not in str(body)


REFUSED = [
    ("DELETE", flow_retail.GROUP, FOREIGN, None),
    ("DELETE", flow_retail.GROUP, HOME, None),
    ("DELETE", flow_retail.GROUP, "mark-that-was-never-made", None),
    ("PUT", flow_retail.GROUP, "mark-first", {"name": "Gold"}),
    ("POST", flow_retail.GROUPS, "", {"name": "mark"}),
    ("POST", flow_retail.GROUPS, "", {"name": "mark", "customerGroupUid": FOREIGN}),
    ("PUT", flow_retail.MEMBERS, "mark-first", {"addCustomerUids": [OTHER]}),
    ("PUT", flow_retail.MEMBERS, FOREIGN, {"addCustomerUids": [NAMED]}),
    ("PUT", flow_retail.MEMBERS, HOME, {"removeCustomerUids": [NAMED]}),
    ("DELETE", commercetools.GROUP, FOREIGN, None),
    ("DELETE", commercetools.GROUP_BY_KEY, "mark-first", None),
    ("POST", commercetools.GROUP, "mark-first", {"actions": [{"action": "setKey"}]}),
    ("POST", CUSTOMER, NAMED, {"actions": [{"action": "setCustomerGroup"}]}),
    ("POST", CUSTOMER, OTHER, {"actions": []}),
    ("DELETE", CUSTOMER, NAMED, None),
]


@pytest.mark.parametrize(("method", "template", "uid", "body"), REFUSED)
def test_what_is_not_the_doctors_is_refused(method, template, uid, body):
    """Be it by the group, by the customer, or by what would take its mark from it."""
    names = re.findall("{(.*?)}", template)
    path = {name: "shop" if name in ("tenantUid", "projectKey") else uid for name in names}

    assert not passes(method, template, path, body)


def test_a_group_without_the_mark_is_not_admitted():
    """Though an answer to our own request shows it."""
    with pytest.raises(CannotTell):
        guard().admit("gold", "Gold", None)


def test_the_marks_of_two_runs_differ():
    """So that neither takes the other's groups for its own."""
    assert Guard("shop", []).mark != Guard("shop", []).mark
