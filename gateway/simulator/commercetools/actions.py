"""Update actions: what each of them takes, and what it makes of a resource.

`GROUP_ACTIONS` and `CUSTOMER_ACTIONS` are the tables. An action is a function of the resource as
the actions before it have left it; nothing is saved here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

import msgspec

from gateway.simulator.commercetools import refusals
from gateway.simulator.commercetools.resources import Customer, Group
from gateway.simulator.commercetools.store import NotThere, Store
from gateway.simulator.commercetools.switches import Switches

MAX_ACTIONS = 500
MAX_ASSIGNMENTS = 500

KEY = "[A-Za-z0-9_-]{2,256}"


class ChangeName(msgspec.Struct):
    name: str


class SetKey(msgspec.Struct):
    key: str | None = None


class TypeIdentifier(msgspec.Struct):
    id: str | None = None
    key: str | None = None


class SetCustomType(msgspec.Struct):
    type: TypeIdentifier | None = None
    fields: dict[str, Any] | None = None


class SetCustomField(msgspec.Struct):
    name: str
    value: Any = None


class GroupIdentifier(msgspec.Struct):
    id: str | None = None
    key: str | None = None


class AssignmentDraft(msgspec.Struct):
    customerGroup: GroupIdentifier


class AddAssignment(msgspec.Struct):
    customerGroupAssignment: AssignmentDraft


class RemoveAssignment(msgspec.Struct):
    customerGroup: GroupIdentifier


class SetGroup(msgspec.Struct):
    customerGroup: GroupIdentifier | None = None


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What an action may have to look at beside its resource."""

    store: Store
    project: str
    switches: Switches


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Action:
    """What an action takes, and what it does."""

    takes: type[Any]
    apply: Callable[[Any, Any, ActionContext], Any]


def apply_all(
    resource: R,
    actions: Sequence[Mapping[str, Any]],
    table: Mapping[str, Action],
    context: ActionContext,
) -> R:
    """The resource after the actions, in their order; Refusal 400 if one of them can't be."""
    if len(actions) > MAX_ACTIONS:
        raise refusals.invalid_input(f"There can be {MAX_ACTIONS} actions at once.")
    for number, each in enumerate(actions):
        action = table.get(str(each.get("action")))
        if action is None:
            raise refusals.invalid_json(f"actions[{number}]: no such action")
        taken = converted(each, action.takes, context.switches, at=f"actions[{number}]: ")
        resource = action.apply(resource, taken, context)
    return resource


# Groups


def change_name(group: Group, action: ChangeName, context: ActionContext) -> Group:
    """changeName."""
    return replace(group, name=checked_name(action.name))


def set_key(group: Group, action: SetKey, context: ActionContext) -> Group:
    """setKey; without a key the group has none any more."""
    return replace(group, key=checked_key(action.key))


def set_custom_type(group: Group, action: SetCustomType, context: ActionContext) -> Group:
    """setCustomType: all custom fields go, and these come."""
    return replace(group, custom=custom_of(action))


def set_custom_field(group: Group, action: SetCustomField, context: ActionContext) -> Group:
    """setCustomField; null takes the field away."""
    if group.custom is None:
        raise refusals.invalid_operation("The resource has no custom type.")
    fields = dict(group.custom.get("fields") or {})
    if action.value is not None:
        fields[action.name] = action.value
    elif fields.pop(action.name, None) is None:
        raise refusals.invalid_operation(f"There is no custom field {action.name} to remove.")
    return replace(group, custom={**group.custom, "fields": fields})


def custom_of(draft: SetCustomType | None) -> dict[str, Any] | None:
    """The CustomFields of a draft. Types are not simulated: all that are asked for are there."""
    if draft is None or draft.type is None:
        return None
    wanted = draft.type
    if wanted.id is None and wanted.key is None:
        raise refusals.invalid_json("type: an id or a key is needed")
    id = wanted.id or str(uuid5(NAMESPACE_URL, f"type/{wanted.key}"))
    return {"type": {"typeId": "type", "id": id}, "fields": draft.fields or {}}


def checked_name(name: str) -> str:
    """Refusal 400 for a blank name."""
    if not name.strip():
        raise refusals.invalid_field("name", name)
    return name


def checked_key(key: str | None) -> str | None:
    """Refusal 400 for a key of other characters, or too few or too many."""
    if key is not None and not re.fullmatch(KEY, key):
        raise refusals.invalid_field("key", key)
    return key


# Customers


def add_assignment(customer: Customer, action: AddAssignment, context: ActionContext) -> Customer:
    """addCustomerGroupAssignment."""
    group = resolved(action.customerGroupAssignment.customerGroup, context)
    if group in customer.groups:
        if context.switches.add_assigned == "error":
            raise refusals.invalid_operation("The customer is assigned to the group already.")
        return customer
    if len(customer.groups) >= MAX_ASSIGNMENTS:
        raise refusals.invalid_operation(f"A customer can have {MAX_ASSIGNMENTS} assignments.")
    return replace(customer, groups=(*customer.groups, group))


def remove_assignment(
    customer: Customer, action: RemoveAssignment, context: ActionContext
) -> Customer:
    """removeCustomerGroupAssignment."""
    wanted = action.customerGroup
    # A reference that has outlived its group can be removed, but not found.
    group = wanted.id if wanted.id in customer.groups else resolved(wanted, context)
    if group not in customer.groups and context.switches.remove_unassigned == "error":
        raise refusals.invalid_operation("The customer is not assigned to the group.")
    return replace(customer, groups=tuple(each for each in customer.groups if each != group))


def set_group(customer: Customer, action: SetGroup, context: ActionContext) -> Customer:
    """setCustomerGroup, the older single one; without a group the customer has none."""
    wanted = action.customerGroup
    return replace(customer, legacy_group=None if wanted is None else resolved(wanted, context))


def resolved(wanted: GroupIdentifier, context: ActionContext) -> str:
    """The id of the group that is meant; Refusal 400 if there is none."""
    try:
        if wanted.id is not None:
            return context.store.group(context.project, wanted.id).id
        if wanted.key is not None:
            return context.store.group_by_key(context.project, wanted.key).id
    except NotThere:
        by, value = ("key", wanted.key) if wanted.id is None else ("id", wanted.id)
        raise refusals.referenced_not_found("customer-group", by, value or "") from None
    raise refusals.invalid_json("customerGroup: an id or a key is needed")


GROUP_ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "changeName": Action(ChangeName, change_name),
        "setKey": Action(SetKey, set_key),
        "setCustomType": Action(SetCustomType, set_custom_type),
        "setCustomField": Action(SetCustomField, set_custom_field),
    }
)

CUSTOMER_ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "addCustomerGroupAssignment": Action(AddAssignment, add_assignment),
        "removeCustomerGroupAssignment": Action(RemoveAssignment, remove_assignment),
        "setCustomerGroup": Action(SetGroup, set_group),
    }
)


# Bodies

T = TypeVar("T")


def converted(value: object, kind: type[T], switches: Switches, *, at: str = "") -> T:
    """The value as such a struct; Refusal 400 if it is none. Members it lacks are not looked at."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message = str(error)
    missing = re.search("missing required field `(.*?)`", message)
    if missing and switches.missing_member == "required_field":
        raise refusals.required_field(missing[1])
    raise refusals.invalid_json(f"{at}{message}")
