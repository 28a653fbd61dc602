"""Parses most documents in a third of the time that graphql-core takes.

The nodes are graphql-core's; they are made by regular expressions for what documents consist of,
fields above all. What is rare is left to graphql-core, and so is every mistake: this gives up, and
does not say where or why. Rare are descriptions, block strings, escapes in strings, definitions of
types, and what is nested very deeply.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListTypeNode,
    ListValueNode,
    Location,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    Source,
    StringValueNode,
    TypeNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
)

MOST_LEVELS: Final = 50
"""Of selections, values and types within each other; graphql-core parses what has more, or says
that it is nested too deeply.
"""

# Possessive quantifiers: what does not match in one way is not tried in another. (Not on a group
# in which something is optional: before Python 3.11.5 that goes wrong, gh-106052.) Half a surrogate
# pair is a mistake wherever it is, so neither comments nor strings have one here.
BLANK: Final = r"(?:[ \t\n\r,\ufeff]++|#[^\n\r\ud800-\udfff]*+)*+"
NAME: Final = r"[A-Za-z_][A-Za-z_0-9]*+"
ON: Final = r"on(?![A-Za-z_0-9])"
INT: Final = r"-?(?:0|[1-9][0-9]*+)"
END: Final = r"(?![A-Za-z_0-9.])"  # of a number

DEFINITION: Final = re.compile(rf"{BLANK}(?:({NAME})|(\{{)|(\Z))")
FRAGMENT: Final = re.compile(rf"{BLANK}(?!{ON})({NAME}){BLANK}{ON}{BLANK}({NAME})")
SELECTION: Final = re.compile(
    rf"{BLANK}(?:({NAME})(?:{BLANK}:{BLANK}({NAME}))?{BLANK}([(@{{])?|(\}})|(\.\.\.))"
)
SPREAD: Final = re.compile(rf"{BLANK}(?:(?!{ON})({NAME})|{ON}{BLANK}({NAME}))")
GIVEN: Final = re.compile(rf"{BLANK}(?:({NAME}){BLANK}:|([)}}]))")
VALUE: Final = re.compile(
    rf"{BLANK}(?:({NAME})|({INT}){END}"
    r'|"((?!"")[^"\\\n\r\ud800-\udfff]*+)"'
    rf"|\$()|(\[)|(\{{)|({INT}(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?){END})"
)
NEXT_NAME: Final = re.compile(rf"{BLANK}({NAME})")
NEXT_MARK: Final = re.compile(rf"{BLANK}([(){{:=@!$\[\]])")

GivenT = TypeVar("GivenT", ArgumentNode, ObjectFieldNode)
OPERATIONS: Final = {type_.value: type_ for type_ in OperationType}


def plainly_parsed(text: str) -> tuple[DocumentNode, int] | None:
    """The document and its number of parts, which are names, values, lists, objects and selection
    sets; None if graphql-core has to see it.
    """
    try:
        return _Text(text).document()
    except _Rare:
        return None


class _Rare(Exception):
    """It is not for this parser."""


class Place(Location):
    """A location without tokens, which nobody asks for."""

    __slots__ = ()

    def __init__(self, start: int, end: int, source: Source) -> None:
        self.start = start
        self.end = end
        self.source = source


# Most nodes are names and fields. To set what they have takes a third of the time of __init__,
# which sets what they don't have too: that is None in their class.
_new: Final = object.__new__
_set: Final = object.__setattr__
# CPython keeps the attributes of a class's instances together, as far as its first instances had
# them: this one has all that a field can have.
FieldNode(name=NameNode(value="all"))


class _Text:
    """A text, read from its beginning to its end. Each method reads what it is named after."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._source = Source(text)
        self._end = 0  # of the last token that was read
        self._mark = 0  # where the punctuation mark is that `_next` has seen
        self._levels = 0
        self._parts = 0

    def document(self) -> tuple[DocumentNode, int]:
        definitions: list[OperationDefinitionNode | FragmentDefinitionNode] = []
        while True:
            found = self._match(DEFINITION)
            keyword, brace, _ = found.groups()
            if brace:
                definitions.append(self._short_operation(found.start(2)))
            elif keyword == "fragment":
                definitions.append(self._fragment_definition(found.start(1)))
            elif keyword:
                definitions.append(self._operation(found.start(1), keyword))
            elif definitions:
                loc = Place(0, len(self._text), self._source)
                return DocumentNode(definitions=tuple(definitions), loc=loc), self._parts
            else:
                raise _Rare

    def _short_operation(self, start: int) -> OperationDefinitionNode:
        selection_set = self._selection_set(start)
        return OperationDefinitionNode(
            operation=OperationType.QUERY, selection_set=selection_set, loc=selection_set.loc
        )

    def _operation(self, start: int, keyword: str) -> OperationDefinitionNode:
        if keyword not in OPERATIONS:
            raise _Rare
        self._end = start + len(keyword)
        found = NEXT_NAME.match(self._text, self._end)
        return OperationDefinitionNode(
            operation=OPERATIONS[keyword],
            name=self._name(found, 1) if found else None,
            variable_definitions=self._variable_definitions() if self._next() == "(" else None,
            directives=self._directives(),
            selection_set=self._selection_set(self._take("{")),
            loc=self._from(start),
        )

    def _variable_definitions(self) -> tuple[VariableDefinitionNode, ...]:
        self._take("(")
        definitions = []
        while self._next() == "$":
            start = self._mark
            variable = self._variable()
            self._take(":")
            type_ = self._type()
            default = None
            if self._next() == "=":
                self._take("=")
                default = self._value(constant=True)
            definitions.append(
                VariableDefinitionNode(
                    variable=variable,
                    type=type_,
                    default_value=default,  # type: ignore[arg-type]  # constant nodes are no others
                    directives=self._directives(constant=True),  # type: ignore[arg-type]
                    loc=self._from(start),
                )
            )
        self._take(")")
        if not definitions:
            raise _Rare
        return tuple(definitions)

    def _type(self) -> TypeNode:
        type_: NamedTypeNode | ListTypeNode
        if self._next() == "[":
            start = self._take("[")
            self._deeper()
            inner = self._type()
            self._take("]")
            self._levels -= 1
            type_ = ListTypeNode(type=inner, loc=self._from(start))
        else:
            found = self._match(NEXT_NAME)
            start = found.start(1)
            type_ = self._named_type(found, 1)
        if self._next() != "!":
            return type_
        self._take("!")
        return NonNullTypeNode(type=type_, loc=self._from(start))

    def _named_type(self, found: re.Match[str], group: int) -> NamedTypeNode:
        name = self._name(found, group)
        return NamedTypeNode(name=name, loc=name.loc)

    def _fragment_definition(self, start: int) -> FragmentDefinitionNode:
        self._end = start + len("fragment")
        found = self._match(FRAGMENT)
        return FragmentDefinitionNode(
            name=self._name(found, 1),
            variable_definitions=(),
            type_condition=self._named_type(found, 2),
            directives=self._directives(),
            selection_set=self._selection_set(self._take("{")),
            loc=self._from(start),
        )

    def _selection_set(self, start: int) -> SelectionSetNode:
        self._deeper()
        self._end = start + 1
        text, match = self._text, SELECTION.match
        selections: list[SelectionNode] = []
        while (found := match(text, self._end)) is not None:
            if found[1]:
                selections.append(self._field(found))
            elif found[5]:
                selections.append(self._fragment(found.start(5)))
            else:
                self._end = found.end()
                self._levels -= 1
                return SelectionSetNode(selections=tuple(selections), loc=self._from(start))
        raise _Rare

    def _field(self, found: re.Match[str]) -> FieldNode:
        field = _new(FieldNode)
        start = found.start(1)
        name = self._name(found, 1)
        place = name.loc
        if found[2]:
            _set(field, "alias", name)
            name = self._name(found, 2)
            place = Place(start, self._end, self._source)
        _set(field, "name", name)
        mark = found[3]
        if mark:
            self._mark = found.start(3)
            if mark == "(":
                _set(field, "arguments", self._arguments(self._mark, constant=False))
                mark = self._next()
            if mark == "@":
                _set(field, "directives", self._directives())
                mark = self._next()
            if mark == "{":
                _set(field, "selection_set", self._selection_set(self._mark))
            place = Place(start, self._end, self._source)
        _set(field, "loc", place)
        return field

    def _fragment(self, start: int) -> FragmentSpreadNode | InlineFragmentNode:
        self._end = start + len("...")
        found = SPREAD.match(self._text, self._end)
        if found and found[1]:
            return FragmentSpreadNode(
                name=self._name(found, 1), directives=self._directives(), loc=self._from(start)
            )
        return InlineFragmentNode(
            type_condition=self._named_type(found, 2) if found else None,
            directives=self._directives(),
            selection_set=self._selection_set(self._take("{")),
            loc=self._from(start),
        )

    def _directives(self, *, constant: bool = False) -> tuple[DirectiveNode, ...] | None:
        directives = []
        while self._next() == "@":
            start = self._take("@")
            name = self._name(self._match(NEXT_NAME), 1)
            given = self._arguments(self._mark, constant) if self._next() == "(" else None
            directives.append(DirectiveNode(name=name, arguments=given, loc=self._from(start)))
        return tuple(directives) or None

    def _arguments(self, start: int, constant: bool) -> tuple[ArgumentNode, ...]:
        self._end = start + 1
        arguments = self._given(ArgumentNode, ")", constant)
        if not arguments:
            raise _Rare
        return arguments

    def _given(self, node: type[GivenT], end: str, constant: bool) -> tuple[GivenT, ...]:
        """Names with values, and the mark at their end."""
        given = []
        while (found := self._match(GIVEN))[1]:
            name = self._name(found, 1)
            self._end = found.end()
            value = self._value(constant)
            given.append(node(name=name, value=value, loc=self._from(found.start(1))))
        if found[2] != end:
            raise _Rare
        self._end = found.end()
        return tuple(given)

    def _value(self, constant: bool) -> ValueNode:
        found = self._match(VALUE)
        self._parts += 1
        start, self._end = found.start(found.lastindex or 0), found.end()
        match found.lastindex:
            case 1:
                return self._word(found[1], start)
            case 2:
                return IntValueNode(value=found[2], loc=self._from(start))
            case 3:
                return StringValueNode(value=found[3], block=False, loc=self._from(start - 1))
            case 4 if not constant:
                self._end = start - 1
                return self._variable()
            case 5:
                return self._list(start, constant)
            case 6:
                return self._object(start, constant)
            case 7:
                return FloatValueNode(value=found[7], loc=self._from(start))
            case _:
                raise _Rare

    def _word(self, word: str, start: int) -> ValueNode:
        loc = self._from(start)
        match word:
            case "true" | "false":
                return BooleanValueNode(value=word == "true", loc=loc)
            case "null":
                return NullValueNode(loc=loc)
            case _:
                return EnumValueNode(value=word, loc=loc)

    def _variable(self) -> VariableNode:
        start = self._take("$")
        return VariableNode(name=self._name(self._match(NEXT_NAME), 1), loc=self._from(start))

    def _list(self, start: int, constant: bool) -> ListValueNode:
        self._deeper()
        values = []
        while self._next() != "]":
            values.append(self._value(constant))
        self._take("]")
        self._levels -= 1
        return ListValueNode(values=tuple(values), loc=self._from(start))

    def _object(self, start: int, constant: bool) -> ObjectValueNode:
        self._deeper()
        fields = self._given(ObjectFieldNode, "}", constant)
        self._levels -= 1
        return ObjectValueNode(fields=fields, loc=self._from(start))

    # -- what all of these do

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._end)
        if found is None:
            raise _Rare
        return found

    def _next(self) -> str | None:
        """The punctuation mark that is next; None if it is another token, or a mark not read so."""
        found = NEXT_MARK.match(self._text, self._end)
        if found is None:
            return None
        self._mark = found.start(1)
        return found[1]

    def _take(self, mark: str) -> int:
        """Read this mark, which has to be next; gives where it is."""
        if self._next() != mark:
            raise _Rare
        self._end = self._mark + 1
        return self._mark

    def _name(self, found: re.Match[str], group: int) -> NameNode:
        self._parts += 1
        start, self._end = found.span(group)
        name = _new(NameNode)
        _set(name, "value", found[group])
        _set(name, "loc", Place(start, self._end, self._source))
        return name

    def _from(self, start: int) -> Place:
        """The place from there to the end of what was read."""
        return Place(start, self._end, self._source)

    def _deeper(self) -> None:
        self._parts += 1
        self._levels += 1
        if self._levels > MOST_LEVELS:
            raise _Rare
