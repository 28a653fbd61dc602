"""What clients send: input types, and their translation into the port's words.

Every check here happens before any REST call, and names the input field that is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import strawberry
from graphql import Undefined

from gateway.backends.port import ById, ByKey, CustomFieldsDraft, GroupRef
from gateway.errors import InvalidInput, LimitExceeded, Unsupported
from gateway.request import IDENTIFIER, Context
from gateway.schema.enums import CustomerGroupSortField, CustomerSortField, SortDirection
from gateway.schema.relay import parse_global_id
from gateway.schema.scalars import Json

ValueT = TypeVar("ValueT")
MAX_NESTING: Final = 64
"""Levels of lists and objects in a custom field's value; a fraction of what Python can follow."""
DEFAULT_TENANT: Final = "Without it: the X-Tenant header, else the configured default."
NO_UID: Final = "An identifier is 1 to 128 of A-Z, a-z, 0-9, _ and -."
KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
UNSTORABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""Characters that databases, XML or UTF-8 can't hold: a backend that stumbles over one answers with
a 5xx, from which nobody can tell what became of the change. Tabs and line breaks are none of them.
"""


def optional(description: str) -> Any:
    """A field that clients may leave out."""
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(description="How groups are ordered.")
class CustomerGroupSort:
    field: CustomerGroupSortField = strawberry.field(description="By what.")
    direction: SortDirection = strawberry.field(
        default=SortDirection.ASC, description="Which end comes first."
    )


@strawberry.input(description="How customers are ordered.")
class CustomerGroupMemberSort:
    field: CustomerSortField = strawberry.field(description="By what.")
    direction: SortDirection = strawberry.field(
        default=SortDirection.ASC, description="Which end comes first."
    )


@strawberry.input(
    one_of=True,
    description="Exactly one member. `id` carries its tenant; `uid` and `key` are looked up in "
    "`tenantUid`.",
)
class CustomerGroupBy:
    id: strawberry.ID | None = optional("A `CustomerGroup.id` of this gateway.")
    uid: strawberry.ID | None = optional(
        "The backend's own identifier: Flow Retail customerGroupUid, commercetools id."
    )
    key: str | None = optional("User-defined key; commercetools only.")


@strawberry.input(description="A custom field and its value.")
class CommercetoolsCustomerCustomFieldInput:
    name: str = strawberry.field(description="The field's name, as its Type defines it.")
    value: Json | None = optional("Its value; null or absent removes the field.")


# Built here, out of what Strawberry has for that: it would look at each field of each of thousands
# anew, for a tenth of a second.
CommercetoolsCustomerCustomFieldInput.__strawberry_definition__.from_input = (  # type: ignore[attr-defined]
    lambda kind, value, _context: kind(**value)  # both fields have the names that GraphQL has
)


@strawberry.input(description="Custom fields, and the Type that defines them: its id or its key.")
class CommercetoolsCustomerCustomFieldsInput:
    type_id: strawberry.ID | None = optional("The Type's id.")
    type_key: str | None = optional("The Type's key; instead of `typeId`.")
    fields: list[CommercetoolsCustomerCustomFieldInput] = strawberry.field(
        default_factory=list, description="The fields that are to have a value."
    )


@strawberry.input
class _InTenant:
    """What every change takes; no type of the schema itself."""

    tenant_uid: strawberry.ID | None = optional(DEFAULT_TENANT)


@strawberry.input
class OfGroup(_InTenant):
    """What every change of one group takes."""

    customer_group: CustomerGroupBy = strawberry.field(description="Which group.")


@strawberry.input
class _OfRevision(OfGroup):
    """What a change takes that may be bound to a state of the group."""

    expected_revision: str | None = optional(
        "Refuse with REVISION_CONFLICT unless the group is still in this state."
    )


@strawberry.input(description="A group to be made.")
class CreateCustomerGroupInput(_InTenant):
    name: str = strawberry.field(description="Its name; not blank.")
    uid: strawberry.ID | None = optional(
        "Chosen identifier. It makes the request safe to repeat: after a lost answer "
        "the gateway looks the group up."
    )
    key: str | None = optional("commercetools only.")
    custom: CommercetoolsCustomerCustomFieldsInput | None = optional("commercetools only.")


@strawberry.input(description="Changes to one group; what is absent stays as it is.")
class UpdateCustomerGroupInput(_OfRevision):
    name: str | None = optional("Its new name.")
    key: str | None = optional("commercetools only. Null removes the key; absent keeps it.")
    custom: CommercetoolsCustomerCustomFieldsInput | None = optional(
        "commercetools only. Replaces the Type and all custom fields; null removes "
        "them; absent keeps them."
    )
    custom_fields: list[CommercetoolsCustomerCustomFieldInput] | None = optional(
        "commercetools only. A null value removes that field."
    )


@strawberry.input(description="A group to be deleted.")
class DeleteCustomerGroupInput(_OfRevision):
    only_if_empty: bool = strawberry.field(
        default=False,
        description="Refuse with GROUP_NOT_EMPTY while it has members; costs one more read.",
    )


@strawberry.input(description="Customers to be added to and removed from one group.")
class UpdateCustomerGroupMembersInput(OfGroup):
    add_customer_uids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Customers that are to be members."
    )
    remove_customer_uids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Customers that are to be members no longer."
    )


@strawberry.input(description="The customers that are to be a group's members, all of them.")
class SetCustomerGroupMembersInput(OfGroup):
    customer_uids: list[strawberry.ID] = strawberry.field(
        description="The members that are wanted; an empty list empties the group."
    )
    dry_run: bool = strawberry.field(default=False, description="Only compute the difference.")
    max_removals: int | None = optional(
        "Safety stop: refuse when more than this many would be removed."
    )


def given(value: object) -> bool:
    """Whether the client sent the field, be it with null."""
    return value is not strawberry.UNSET


def or_none(value: ValueT | None) -> ValueT | None:
    """`value`, or None where the client did not send it."""
    return None if value is strawberry.UNSET else value


def group_ref(
    context: Context, by: CustomerGroupBy, tenant_uid: str | None, *, field: Sequence[str] = ("by",)
) -> tuple[str, GroupRef]:
    """The tenant and the group that `by` means; `tenant_uid` is the one that the client named, if
    any.

    Raises InvalidInput where `by` is malformed or its id is of another tenant than the one named,
    and Unsupported for a key where groups have none.
    """
    named, id, uid, key = map(or_none, (tenant_uid, by.id, by.uid, by.key))
    if id is not None:
        path = [*field, "id"]
        parsed = parse_global_id(id, field=path)
        if parsed.type_name != "CustomerGroup":
            raise InvalidInput(f"`id` is that of a {parsed.type_name}.", field=path)
        if named is not None and named != parsed.tenant_uid:
            raise InvalidInput("`id` is of another tenant than `tenantUid`.", field=path)
        uid = checked_uid(parsed.uid, path)
        return context.tenant_uid(parsed.tenant_uid, field=path), ById(uid)
    tenant = context.tenant_uid(named)
    if uid is not None:
        return tenant, ById(checked_uid(uid, [*field, "uid"]))
    if key is None:
        raise InvalidInput("Exactly one of `id`, `uid` and `key` is needed.", field=field)
    path = [*field, "key"]
    by_key = ByKey(checked_key(key, path))
    if not context.backend(tenant).capabilities.customer_group_keys:
        raise Unsupported("Groups of this tenant's backend have no keys.", field=path)
    return tenant, by_key


def checked_uid(value: str, field: Sequence[str]) -> str:
    """`value`; raises InvalidInput where it can't be an identifier of any backend."""
    if not IDENTIFIER.fullmatch(value):
        raise InvalidInput(NO_UID, field=field)
    return value


def checked_key(value: str, field: Sequence[str]) -> str:
    """`value`; raises InvalidInput where it can't be a group's key."""
    if not KEY.fullmatch(value):
        raise InvalidInput("A key is 1 to 256 of A-Z, a-z, 0-9, _ and -.", field=field)
    return value


def _text(value: str, field: Sequence[str]) -> str:
    """`value`; raises InvalidInput where some backends could not store it."""
    found = UNSTORABLE.search(value)
    if found:
        raise InvalidInput(
            f"The character U+{ord(found[0]):04X} can't be stored everywhere; leave it out.",
            field=field,
        )
    return value


def group_name(value: str) -> str:
    """`value`; raises InvalidInput where it is blank, or can't be stored everywhere."""
    if not value.strip():
        raise InvalidInput("A group's name can't be blank.", field=["name"])
    return _text(value, ["name"])


def hold_custom_fields(context: Context, input: object) -> None:
    """Raises LimitExceeded where a change's input has more of them at once than may be.

    Not one of the change's `userErrors`: thousands are refused while its cost is estimated,
    and not gone through again.
    """
    lists: dict[str, Sequence[CommercetoolsCustomerCustomFieldInput]] = {}
    if isinstance(input, CreateCustomerGroupInput | UpdateCustomerGroupInput) and input.custom:
        lists["custom.fields"] = input.custom.fields
    if isinstance(input, UpdateCustomerGroupInput):
        lists["customFields"] = input.custom_fields or ()
    limit = context.bounds.max_custom_fields
    for path, fields in lists.items():
        field = ["input", *path.split(".")]
        if len(fields) > limit:
            raise _too_many(path, len(fields), limit, field=field, name="max_custom_fields")


def custom_fields(given: CommercetoolsCustomerCustomFieldsInput) -> CustomFieldsDraft:
    """The draft that `given` means; raises InvalidInput where it does not name one Type."""
    type_id, type_key = or_none(given.type_id), or_none(given.type_key)
    if (type_id is None) == (type_key is None):
        raise InvalidInput("Give either `typeId` or `typeKey`.", field=["custom"])
    _text(type_id or type_key or "", ["custom", "typeKey" if type_id is None else "typeId"])
    values = custom_values(given.fields, ["custom", "fields"])
    kept = {name: value for name, value in values.items() if value is not None}
    return CustomFieldsDraft(type_id=type_id, type_key=type_key, fields=kept)


def custom_values(
    given: Sequence[CommercetoolsCustomerCustomFieldInput], field: Sequence[str]
) -> dict[str, object]:
    """The values by name, None for those to be removed; raises InvalidInput for a name that comes
    twice, and for a value that JSON can't hold or that can't be stored everywhere.
    """
    values: dict[str, object] = {}
    for number, custom in enumerate(given):
        path = [*field, str(number)]
        if custom.name in values:
            raise InvalidInput("This custom field is given twice.", field=[*path, "name"])
        name = _text(custom.name, [*path, "name"])
        values[name] = _json(or_none(custom.value), [*path, "value"], MAX_NESTING)
    return values


def _json(value: object, field: Sequence[str], levels: int) -> object:
    match value:
        case dict() | list() if levels == 0:
            raise InvalidInput(f"The value nests more than {MAX_NESTING} levels.", field=field)
        case dict():
            # A variable that was not sent leaves its field out, and is null in a list.
            return {
                _text(name, field): _json(part, field, levels - 1)
                for name, part in value.items()
                if part is not Undefined
            }
        case list():
            parts = (None if part is Undefined else part for part in value)
            return [_json(part, field, levels - 1) for part in parts]
        case float() if not math.isfinite(value):
            # 1e400 is read as infinity, which would go out as null: and null removes the field.
            raise InvalidInput("A number is too large.", field=field)
        case str():
            return _text(value, field)
        case _:
            return value


def distinct_uids(values: Sequence[str], field: str, *, limit: int) -> list[str]:
    """`values` once each, in order; raises InvalidInput or LimitExceeded."""
    if len(values) > limit:
        raise _too_many(field, len(values), limit, field=[field], name="max_membership_uids")
    for number, value in enumerate(values):
        if not IDENTIFIER.fullmatch(value):
            raise InvalidInput(NO_UID, field=[field, str(number)])
    return list(dict.fromkeys(values))


def _too_many(
    what: str, found: int, allowed: int, *, field: Sequence[str], name: str
) -> LimitExceeded:
    return LimitExceeded(
        f"`{what}` has {found} entries; at most {allowed} can be sent at once.",
        field=field,
        limit=name,
        allowed=allowed,
        found=found,
    )
