"""Changes in commercetools' words: update actions, drafts, versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from msgspec import UNSET, UnsetType

from gateway.backends.port import (
    CustomFieldsDraft,
    GroupChange,
    GroupDraft,
    Rename,
    SetCustomField,
    SetCustomType,
    SetKey,
)
from gateway.backends.writes import same_name
from gateway.errors import GatewayError, InvalidAnswer, InvalidInput
from gateway.records import CustomerGroup

TIME: Final = re.compile(r"[\d-]{0,11}T?\d\d:\d\d")
"""How a time begins, with a date or without."""


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a group is to be after some changes; what they do not mention is UNSET."""

    name: str | UnsetType = UNSET
    key: str | UnsetType | None = UNSET
    custom: CustomFieldsDraft | UnsetType | None = UNSET
    """The Type, and that there are no other fields."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """Custom fields by name; None: none of that name."""

    def shown_by(self, group: CustomerGroup) -> bool | None:
        """Whether the group is so; None if it may be, because a part can't be read, is not shown,
        or may be shown in another form.
        """
        shown = [
            self.name is UNSET or same_name(group.name, self.name),
            self.key is UNSET or _is_key(group.key, self.key),
            self._custom_shown_by(group),
        ]
        return False if False in shown else None if None in shown else True

    def _custom_shown_by(self, group: CustomerGroup) -> bool | None:
        if self.custom is UNSET and not self.fields:
            return True
        custom = None if group.commercetools is None else group.commercetools.custom
        if isinstance(custom, GatewayError):
            return None
        if self.custom is None or (custom is None and self.custom is not UNSET):
            return custom is None and self.custom is None
        shown = {} if custom is None else custom.fields
        if any(_differs(value, shown.get(name)) for name, value in self.fields.items()):
            return False
        if self.custom is UNSET or custom is None:
            same = all(shown.get(name) == value for name, value in self.fields.items())
            return same or None
        if custom.type_id != self.custom.type_id:
            # Of a Type that was named by its key, the id is not known.
            return None if self.custom.type_id is None else False
        fields = {name: value for name, value in self.fields.items() if value is not None}
        return shown == fields or None


def wanted_by(changes: Iterable[GroupChange]) -> Wanted:
    """What they come to, one after another."""
    wanted = Wanted()
    for change in changes:
        match change:
            case Rename(name):
                wanted = replace(wanted, name=name)
            case SetKey(key):
                wanted = replace(wanted, key=key)
            case SetCustomField(name, value):
                wanted = replace(wanted, fields={**wanted.fields, name: value})
            case SetCustomType(custom):
                fields = {} if custom is None else custom.fields
                wanted = replace(wanted, custom=custom, fields=fields)
            case _:
                assert_never(change)
    return wanted


def wanted_of(draft: GroupDraft) -> Wanted:
    """Just what is to be made, and nothing beside it: a group that has more is older, or has been
    changed since. One that is the same in all of this is taken for it: no answer distinguishes
    them, and it is what was asked for.
    """
    return wanted_by((Rename(draft.name), SetKey(draft.key), SetCustomType(draft.custom)))


def _is_key(shown: str | None, wanted: str | None) -> bool | None:
    return None if isinstance(shown, GatewayError) else shown == wanted


def _differs(sent: object, shown: object) -> bool:
    """Whether a custom field can't have been set to `sent`. Times may come back with more digits,
    and objects and lists in another form: of those it is known that there is a value.
    """
    match sent:
        case None:
            return shown is not None
        case list() | dict() if not sent:
            return False  # a field may go with its last element
        case bool() | int() | float():
            return shown != sent
        case str() if not TIME.match(sent):
            return shown != sent
        case _:
            return shown is None


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
    """The version that the next change has to name; raises InvalidAnswer if there is none."""
    if isinstance(group.version, GatewayError):
        raise group.version
    if group.version is None:
        raise InvalidAnswer("The backend does not tell the group's version.")
    return group.version


def is_newer(version: object, *, refused: int, current: int | None) -> bool:
    """Whether a read after a conflict is of the state that won: not of the version that was refused
    (a cache or a replica may still have it), and not of one before the `current` one that the
    conflict named.
    """
    if not isinstance(version, int) or version == refused:
        return False
    return current is None or version >= current
