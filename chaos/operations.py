"""What is asked, of both systems, and what the right answer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chaos.worlds import (
    BIG_GROUP,
    CREATED,
    CUSTOMERS,
    EMPTY_GROUP,
    GROUPS,
    display_name,
    email,
    group_name,
    groups_of,
    key_of,
    members_of,
)

ANY: Final = object()
"""Any value is right."""
SOME: Final = object()
"""Any value but null is right."""
FLOW_RETAIL: Final = "flow_retail"
COMMERCETOOLS: Final = "commercetools"
NEW_NAME: Final = "Ny gruppe ø"
PREPARE: Final = """query Prepare {
  customerGroups(first: 100) { edges { cursor node { uid id revision } } }
  customerGroup(by: {uid: "g03"}) { customers(first: 100) { edges { cursor node { uid } } } }
}"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a client knows from before."""

    tenant: str
    other_tenant: str = ""
    """Of the other system, for what asks both."""
    cursors: Mapping[str, str] = field(default_factory=dict)
    """Of groups and of the big group's members, by uid."""
    ids: Mapping[str, str] = field(default_factory=dict)
    revisions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    name: str
    backend: str
    text: str
    variables: Callable[[Prepared], dict[str, Any]] = lambda _: {}
    right: Callable[[Prepared], Any] | None = None
    """The right data, of what only reads."""
    change: Change | None = None
    prepares: bool = False
    both: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a mutation is to do."""

    field: str
    creates: str | None = None
    """The name of a group to be made."""
    renames: str | None = None
    """The uid of a group that is to get NEW_NAME."""
    deletes: str | None = None
    must_refuse: str | None = None
    """The code of the refusal that is right whatever happens, if an answer comes at all."""
    edits: str | None = None
    """The uid of a group whose members are to change."""
    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    unknown: Sequence[str] = ()
    """Of those, customers that do not exist."""


def _shown(uids: Sequence[str], *names: str) -> list[dict[str, Any]]:
    values: Mapping[str, Callable[[str], Any]] = {
        "uid": str,
        "name": group_name,
        "createdAt": lambda _: CREATED,
        "displayName": display_name,
        "email": email,
    }
    return [{name: values[name](uid) for name in names} for uid in uids]


def _page(more: bool | object, before: bool | object, rows: Sequence[Any]) -> dict[str, Any]:
    cursor = SOME if rows else None
    return {
        "hasNextPage": more,
        "hasPreviousPage": before,
        "startCursor": cursor,
        "endCursor": cursor,
    }


PAGE_INFO: Final = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"


def _connection(
    uids: Sequence[str],
    *names: str,
    total: int,
    more: bool | object,
    before: bool | object,
) -> dict[str, Any]:
    nodes = _shown(uids, *names)
    return {"totalCount": total, "nodes": nodes, "pageInfo": _page(more, before, nodes)}


def _declared(arguments: str) -> str:
    named = [name for name in ("$after", "$before") if name in arguments]
    return f"({', '.join(f'{name}: String' for name in named)})" if named else ""


def _list(name: str, arguments: str, at: slice, more: Any, before: Any, **rest: Any) -> list[Any]:
    text = f"""query Q{_declared(arguments)} {{
      customerGroups({arguments}) {{ totalCount nodes {{ uid name createdAt }} {PAGE_INFO} }}
      same: customerGroups({arguments}) {{ nodes {{ uid }} }}
    }}"""

    def right(_: Prepared) -> Any:
        uids = GROUPS[at]
        names = ("uid", "name", "createdAt")
        shown = _connection(uids, *names, total=len(GROUPS), more=more, before=before)
        return {"customerGroups": shown, "same": {"nodes": _shown(uids, "uid")}}

    return _both_systems(name, text=text, right=right, **rest)


def _members(
    name: str, arguments: str, at: slice, more: Any, before: Any, **rest: Any
) -> list[Any]:
    text = f"""query Q{_declared(arguments)} {{
      customerGroup(by: {{uid: "{BIG_GROUP}"}}) {{
        name customers({arguments}) {{ totalCount nodes {{ uid displayName email }} {PAGE_INFO} }}
      }}
    }}"""

    def right(_: Prepared) -> Any:
        everybody = members_of(BIG_GROUP)
        names = ("uid", "displayName", "email")
        shown = _connection(everybody[at], *names, total=len(everybody), more=more, before=before)
        return {"customerGroup": {"name": group_name(BIG_GROUP), "customers": shown}}

    return _both_systems(name, text=text, right=right, **rest)


def _both_systems(name: str, *, only: str | None = None, **rest: Any) -> list[Any]:
    return [
        Operation(name=f"{prefix}-{name}", backend=backend, **rest)
        for prefix, backend in (("flow", FLOW_RETAIL), ("ct", COMMERCETOOLS))
        if only in (None, backend)
    ]


def _between(lower: str, upper: str) -> dict[str, Any]:
    def variables(prepared: Prepared) -> dict[str, Any]:
        cursors = prepared.cursors
        given = {"after": cursors.get(lower), "before": cursors.get(upper)}
        return {name: value for name, value in given.items() if value is not None}

    return {"variables": variables, "prepares": True}


def _with_groups(customers: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"uid": uid, "customerGroups": _shown(groups_of(uid), "uid", "name")} for uid in customers
    ]


def _nested(_: Prepared) -> Any:
    nodes = _with_groups(members_of(BIG_GROUP))
    return {"customerGroup": {"uid": BIG_GROUP, "customers": {"nodes": nodes}}}


def _three_levels(_: Prepared) -> Any:
    nodes = [
        {
            "uid": group,
            "name": group_name(group),
            "customers": {"totalCount": len(members), "nodes": _with_groups(members[:3])},
        }
        for group in GROUPS[2:8]
        for members in [members_of(group)]
    ]
    return {"customerGroups": {"nodes": nodes}}


ENTITIES: Final = ("g01", "g11", "gone", "g20")
ASKED: Final = ("g02", "g13", "g22", "g09")
BY_UID: Final = """query Q($none: ID! = "none") {
  customerGroup(by: {uid: "g07"}) { uid name customers { totalCount nodes { uid } } }
  none: customerGroup(by: {uid: $none}) { uid name }
}"""


def _payload(group: str = "uid name", more: str = "") -> str:
    shown = f"customerGroup {{ {group} }}" if group else ""
    return f"{{ {shown} {more} userErrors {{ code message field }} }}"


def _mutation(
    name: str, field: str, given: str, change: Mapping[str, Any], **rest: Any
) -> list[Any]:
    payloads = {
        "deleteCustomerGroup": _payload("", "deletedUid deletedId"),
        "updateCustomerGroupMembers": _payload(
            "", "results { customerUid action status error { code message } }"
        ),
    }
    payloads["setCustomerGroupMembers"] = payloads["updateCustomerGroupMembers"]
    payload = payloads.get(field, _payload("uid name"))
    declared = "($revision: String)" if "$revision" in given else ""
    text = f"mutation M{declared} {{ {field}(input: {{{given}}}) {payload} }}"
    return _both_systems(name, text=text, change=Change(field=field, **change), **rest)


def _group(uid: str) -> str:
    return f'customerGroup: {{uid: "{uid}"}}'


def _uids(*uids: str) -> str:
    return "[" + ", ".join(f'"{uid}"' for uid in uids) + "]"


def _revision(uid: str) -> dict[str, Any]:
    return {
        "variables": lambda prepared: {"revision": prepared.revisions[uid]},
        "prepares": True,
    }


CREATE: Final = f'name: "{NEW_NAME}"'
FIRST_MEMBERS: Final = ("c00", "c01", "c02")
SET_TO: Final = ("c00", "c01", "c04", "c13", "c12")

_ALL: Final[list[Operation]] = [
    *_list("list-first", "first: 12", slice(0, 12), True, False),
    *_list("list-last", "last: 4", slice(19, 23), ANY, True),
    *_list("list-offset", "first: 5, offset: 13", slice(13, 18), True, True),
    *_list(
        "list-after", "first: 4, after: $after", slice(9, 13), True, True, **_between("g08", "")
    ),
    *_list(
        "list-before", "last: 5, before: $before", slice(7, 12), ANY, True, **_between("", "g12")
    ),
    *_list(
        "list-between-neighbours",
        "first: 3, after: $after, before: $before",
        slice(0, 0),
        False,
        ANY,
        **_between("g08", "g09"),
    ),
    *_list("list-by-name-last", "last: 3, orderBy: {field: NAME}", slice(20, 23), ANY, True),
    *_members("members-first", "first: 7", slice(0, 7), True, False),
    *_members("members-last", "last: 3", slice(9, 12), ANY, True),
    *_members(
        "members-after", "first: 4, after: $after", slice(5, 9), True, True, **_between("c04", "")
    ),
    *_both_systems(
        "by-uid",
        text=BY_UID,
        right=lambda _: {
            "customerGroup": {
                "uid": "g07",
                "name": group_name("g07"),
                "customers": {"totalCount": 3, "nodes": _shown(members_of("g07"), "uid")},
            },
            "none": None,
        },
    ),
    *_both_systems(
        "by-key",
        only=COMMERCETOOLS,
        text='query Q { customerGroup(by: {key: "key-g11"}) { uid name key } }',
        right=lambda _: {
            "customerGroup": {"uid": "g11", "name": group_name("g11"), "key": key_of("g11")}
        },
    ),
    *_both_systems(
        "nested-groups",
        text=f"""query Q {{ customerGroup(by: {{uid: "{BIG_GROUP}"}}) {{
          uid customers(first: 12) {{ nodes {{ uid customerGroups {{ uid name }} }} }} }} }}""",
        right=_nested,
    ),
    *_both_systems(
        "three-levels",
        text="""query Q { customerGroups(first: 6, offset: 2) { nodes { uid name
          customers(first: 3) { totalCount nodes { uid customerGroups { uid name } } } } } }""",
        right=_three_levels,
    ),
    *_both_systems(
        "nodes",
        text="query Q($ids: [ID!]!) { nodes(ids: $ids) { ... on CustomerGroup { uid name } } }",
        variables=lambda prepared: {"ids": [prepared.ids[uid] for uid in ASKED]},
        prepares=True,
        right=lambda _: {"nodes": _shown(ASKED, "uid", "name")},
    ),
    *_both_systems(
        "entities",
        text="""query Q($of: [_Any!]!) { _entities(representations: $of) {
          ... on CustomerGroup { uid name customers(first: 1) { nodes { uid } } } } }""",
        variables=lambda prepared: {
            "of": [
                {"__typename": "CustomerGroup", "tenantUid": prepared.tenant, "uid": uid}
                for uid in ENTITIES
            ]
        },
        right=lambda _: {
            "_entities": [
                {
                    "uid": uid,
                    "name": group_name(uid),
                    "customers": {"nodes": _shown(members_of(uid)[:1], "uid")},
                }
                if uid in GROUPS
                else None
                for uid in ENTITIES
            ]
        },
    ),
    *_both_systems(
        "two-tenants",
        only=FLOW_RETAIL,
        both=True,
        text="""query Q($a: ID!, $b: ID!) {
          flow: customerGroups(tenantUid: $a, first: 3) { nodes { uid name } }
          ct: customerGroups(tenantUid: $b, first: 3) { nodes { uid name } } }""",
        variables=lambda prepared: {"a": prepared.tenant, "b": prepared.other_tenant},
        right=lambda _: {
            "flow": {"nodes": _shown(GROUPS[:3], "uid", "name")},
            "ct": {"nodes": _shown(GROUPS[:3], "uid", "name")},
        },
    ),
    *_mutation("create", "createCustomerGroup", CREATE, {"creates": NEW_NAME}),
    *_mutation(
        "create-with-uid",
        "createCustomerGroup",
        f'{CREATE}, uid: "chosen"',
        {"creates": NEW_NAME},
        only=FLOW_RETAIL,
    ),
    *_mutation(
        "create-with-key",
        "createCustomerGroup",
        f'{CREATE}, key: "chosen"',
        {"creates": NEW_NAME},
        only=COMMERCETOOLS,
    ),
    *_mutation(
        "rename",
        "updateCustomerGroup",
        f"{_group(BIG_GROUP)}, {CREATE}",
        {"renames": BIG_GROUP},
    ),
    *_mutation(
        "rename-expected",
        "updateCustomerGroup",
        f"{_group(BIG_GROUP)}, {CREATE}, expectedRevision: $revision",
        {"renames": BIG_GROUP},
        **_revision(BIG_GROUP),
    ),
    *_mutation("delete", "deleteCustomerGroup", _group(EMPTY_GROUP), {"deletes": EMPTY_GROUP}),
    *_mutation(
        "delete-by-key",
        "deleteCustomerGroup",
        f'customerGroup: {{key: "{key_of(EMPTY_GROUP)}"}}',
        {"deletes": EMPTY_GROUP},
        only=COMMERCETOOLS,
    ),
    *_mutation(
        "delete-if-empty",
        "deleteCustomerGroup",
        f"{_group(EMPTY_GROUP)}, onlyIfEmpty: true",
        {"deletes": EMPTY_GROUP},
    ),
    *_mutation(
        "delete-if-empty-full",
        "deleteCustomerGroup",
        f"{_group(BIG_GROUP)}, onlyIfEmpty: true",
        {"deletes": BIG_GROUP, "must_refuse": "GROUP_NOT_EMPTY"},
    ),
    *_mutation(
        "edit-members",
        "updateCustomerGroupMembers",
        f"{_group('g07')}, addCustomerUids: {_uids('c00', 'c05', 'c12')}, "
        f"removeCustomerUids: {_uids('c02', 'c09')}",
        {"edits": "g07", "add": ("c00", "c05", "c12"), "remove": ("c02", "c09")},
    ),
    *_mutation(
        "add-one-member",
        "updateCustomerGroupMembers",
        f"{_group('g07')}, addCustomerUids: {_uids('c00')}",
        {"edits": "g07", "add": ("c00",)},
    ),
    *_mutation(
        "edit-members-one-unknown",
        "updateCustomerGroupMembers",
        f"{_group('g07')}, addCustomerUids: {_uids('c00', 'nobody', 'c05')}",
        {"edits": "g07", "add": ("c00", "nobody", "c05"), "unknown": ("nobody",)},
    ),
    *_mutation(
        "set-members",
        "setCustomerGroupMembers",
        f"{_group(BIG_GROUP)}, customerUids: {_uids(*SET_TO)}",
        {
            "edits": BIG_GROUP,
            "add": [uid for uid in SET_TO if uid not in members_of(BIG_GROUP)],
            "remove": [uid for uid in members_of(BIG_GROUP) if uid not in SET_TO],
        },
    ),
]
OPERATIONS: Final[Mapping[str, Operation]] = {each.name: each for each in _ALL}

assert set(SET_TO) <= set(CUSTOMERS)  # noqa: S101  # else the data above do not fit
