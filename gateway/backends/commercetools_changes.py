"""Changes in commercetools' words: update actions, drafts, versions."""

from __future__ import annotations

import re
from typing import assert_never

from gateway.backends.port import (
    CustomFieldsDraft,
    GroupChange,
    GroupDraft,
    Rename,
    SetCustomField,
    SetCustomType,
    SetKey,
)
from gateway.errors import GatewayError, InvalidAnswer, InvalidInput
from gateway.records import CommercetoolsCustomFields, CustomerGroup


def action(change: GroupChange) -> dict[str, object]:
    """The update action, as the vendor's reference page names it."""
    match change:
        case Rename(name):
            return {"action": "changeName", "name": name}
        case SetKey(None):
            return {"action": "setKey"}
        case SetKey(key):
            return {"action": "setKey", "key": key}
        case SetCustomField(name, value):
            return {"action": "setCustomField", "name": name, "value": value}
        case SetCustomType(custom):
            return {"action": "setCustomType"} | ({} if custom is None else custom_draft(custom))
        case _:
            assert_never(change)


def holds(group: CustomerGroup, change: GroupChange) -> bool:
    """Whether the group is as the change would have it, as far as can be seen."""
    match change:
        case Rename(name):
            return group.name == name
        case SetKey(key):
            return group.key == key
        case SetCustomField() | SetCustomType():
            return group.commercetools is not None and _has(group.commercetools.custom, change)
        case _:
            assert_never(change)


def _has(custom: CommercetoolsCustomFields | None, change: SetCustomField | SetCustomType) -> bool:
    if isinstance(custom, GatewayError):
        return False  # what can't be read may be anything
    match change:
        case SetCustomField(name, value):
            return (None if custom is None else custom.fields.get(name)) == value
        case SetCustomType(None):
            return custom is None
        case SetCustomType(draft):
            # A Type that was named by its key can't be told from another.
            wanted = draft and (draft.type_id, draft.fields)
            return custom is not None and (custom.type_id, custom.fields) == wanted


def may_be(group: CustomerGroup, draft: GroupDraft) -> bool:
    """Whether the group is just what was to be made, and has nothing beside it.

    A group that was only now made without custom fields has none, so one that has some is older,
    or has been changed since. One that is the same in all of this is taken for it: no answer tells
    them apart, and it is what was asked for.
    """
    wanted = Rename(draft.name), SetKey(draft.key), SetCustomType(draft.custom)
    return all(holds(group, change) for change in wanted)


def custom_draft(custom: CustomFieldsDraft) -> dict[str, object]:
    """CustomFieldsDraft, as it is in JSON."""
    identifier = {"id": custom.type_id} if custom.type_id is not None else {"key": custom.type_key}
    return {"type": {"typeId": "type", **identifier}, "fields": dict(custom.fields)}


def version_of(revision: str) -> int:
    """The version in a CustomerGroup.revision; raises InvalidInput where it is not one of this
    backend.
    """
    if not re.fullmatch(r"v[0-9]{1,19}", revision):
        raise InvalidInput("This is no revision of the group.", field=["expectedRevision"])
    return int(revision[1:])


def known_version(group: CustomerGroup) -> int:
    """The version that the next change has to name; raises InvalidAnswer where it was not told."""
    if group.version is None:
        raise InvalidAnswer("The backend does not tell the group's version.")
    return group.version
