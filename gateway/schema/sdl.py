"""The schema as text, valid by itself: for the composition of a supergraph, and for clients."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import strawberry
from graphql import (
    REMOVE,
    DefinitionNode,
    DirectiveNode,
    DocumentNode,
    FieldDefinitionNode,
    InterfaceTypeDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    Node,
    ObjectTypeDefinitionNode,
    SchemaDefinitionNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

NodeT = TypeVar("NodeT", FieldDefinitionNode, ObjectTypeDefinitionNode, SchemaDefinitionNode)
FEDERATION_VERSION: Final = "2.9"
"""Hive's composition refuses 2.11, which is Strawberry's default."""
FEDERATION: Final = """
directive @link(
  url: String!, as: String, for: link__Purpose, import: [link__Import]
) repeatable on SCHEMA
enum link__Purpose { SECURITY EXECUTION }
scalar link__Import
scalar federation__FieldSet
directive @key(
  fields: federation__FieldSet!, resolvable: Boolean = true
) repeatable on OBJECT | INTERFACE
directive @shareable repeatable on OBJECT | FIELD_DEFINITION
directive @tag(name: String!) repeatable on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
  | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION
directive @cost(weight: Int!)
  on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
directive @listSize(
  assumedSize: Int, slicingArguments: [String!], sizedFields: [String!],
  requireOneSlicingArgument: Boolean = true
) on FIELD_DEFINITION
"""
"""What the schema uses of that version, as it is defined there."""
LINK: Final = (
    f'@link(url: "https://specs.apollo.dev/federation/v{FEDERATION_VERSION}", '
    'import: ["@cost", "@key", "@listSize", "@shareable", "@tag"])'
)
PERSONAL: Final = ("personal",)
"""The tag of what says who a person is, or of what they have: a contract can leave it out. Uids are
none of it, since lists and keys consist of them.
"""
personal: Final = partial(strawberry.federation.field, tags=PERSONAL)
CLIENTS: Final = """
\"\"\"Null only where there is an error.\"\"\"
directive @semanticNonNull(levels: [Int] = [0]) on FIELD_DEFINITION
"""
FREE: Final = re.compile(r".*Edge|PageInfo|Tenant|CustomerGroupBackend.*")
"""Types whose objects cost no REST call and are no rows."""
NEVER_EMPTY: Final = re.compile(r"\w+: (\w+(Connection|Payload)|Tenant)|revision: String")
"""Fields that are null only where there is an error, by name and type."""
ASSUMED_SIZE: Final = 10
"""Of objects whose number no argument gives, in the estimates of routers."""


def for_composition(printed: str, *, page_size: int) -> str:
    """The subgraph; `printed` is all of the schema, with the directives of federation. A page has
    `page_size` rows where a client does not say.
    """
    schema = parse(printed)
    return _text(visit(schema, _Subgraph(schema, page_size)), FEDERATION)


def for_clients(printed: str) -> str:
    """The API without what is federation's, for code generators and editors; @semanticNonNull tells
    them which nulls nobody has to expect.
    """
    return _text(visit(parse(printed), _ClientSchema()), CLIENTS)


class _Schema(Visitor):
    def enter(self, node: Node, *_: object) -> Any:
        """Leaves out `_entities`, `_service` and their types, which composers and routers add."""
        name = getattr(node, "name", None)
        own = isinstance(node, DefinitionNode) and name and name.value.startswith("_")
        return REMOVE if own else None


class _ClientSchema(_Schema):
    def enter_directive(self, node: DirectiveNode, *_: object) -> Any:
        return REMOVE if f"directive @{node.name.value}" in FEDERATION else None

    def leave_field_definition(self, field: FieldDefinitionNode, *_: object) -> Any:
        shown = f"{field.name.value}: {print_ast(field.type)}"
        return _with(field, "@semanticNonNull") if NEVER_EMPTY.fullmatch(shown) else None


class _Subgraph(_Schema):
    def __init__(self, schema: DocumentNode, page_size: int) -> None:
        super().__init__()
        kinds = (ObjectTypeDefinitionNode, InterfaceTypeDefinitionNode)
        self._objects = {each.name.value for each in schema.definitions if isinstance(each, kinds)}
        self._page = (
            f'@listSize(assumedSize: {page_size}, slicingArguments: ["first", "last"], '
            'sizedFields: ["edges", "nodes"], requireOneSlicingArgument: false)'
        )

    def leave_schema_definition(self, node: SchemaDefinitionNode, *_: object) -> Any:
        return _with(replace(node, directives=()), LINK)

    def leave_object_type_definition(self, kind: ObjectTypeDefinitionNode, *_: object) -> Any:
        name = kind.name.value
        if not name.endswith("Connection"):  # else the field that leads there says how long it is
            kind = replace(kind, fields=tuple(map(self._sized, kind.fields or ())))
        return _with(kind, "@cost(weight: 0)") if FREE.fullmatch(name) else kind

    def _sized(self, field: FieldDefinitionNode) -> FieldDefinitionNode:
        kind: Any = field.type
        is_list = False
        while not isinstance(kind, NamedTypeNode):
            is_list = is_list or isinstance(kind, ListTypeNode)
            kind = kind.type
        if kind.name.value.endswith("Connection"):
            return _with(field, self._page)
        objects = is_list and kind.name.value in self._objects
        return _with(field, f"@listSize(assumedSize: {ASSUMED_SIZE})") if objects else field


def _with(node: NodeT, directive: str) -> NodeT:
    bearer: Any = parse(f"scalar Any {directive}").definitions[0]
    return replace(node, directives=(*(node.directives or ()), *bearer.directives))


def _text(schema: DocumentNode, definitions: str) -> str:
    text = f"{print_ast(parse(definitions))}\n\n{print_ast(schema)}\n"
    # A blank line ahead of each description but the first of a block, for people.
    return re.sub(
        r'([^\n]?)(\n *"""(?s:.*?)"""\n)',
        lambda found: found[0] if found[1] in "{(" else f"{found[1]}\n{found[2]}",
        text,
    )
