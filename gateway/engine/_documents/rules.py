"""The rules that documents are validated by: graphql-core's, held to a bounded amount of work."""

from __future__ import annotations

from typing import Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLNamedType,
    NonNullTypeNode,
    NoSchemaIntrospectionCustomRule,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    VariableNode,
    specified_rules,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.engine._documents.limits import refused
from gateway.engine._limits import DocumentLimits

PAGE: Final = 10_000
"""Characters of messages: each may print a value that is nearly as long as the document."""


def is_one_of(type_: GraphQLNamedType) -> bool:
    """Whether exactly one field is to be given, which only Strawberry's definition says."""
    definition = type_.extensions.get("strawberry-definition")
    return definition is not None and definition.is_one_of


class OneOfInput(OneOfInputValidationRule):
    """Strawberry's rule, but a variable is looked up in each operation that uses it.

    Strawberry looks in the operation before, which for a fragment is another one or none, and fails
    where there is no such variable.
    """

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._given: dict[int, GraphQLNamedType] = {}

    def validate_one_of(self, node: ObjectValueNode, type: GraphQLNamedType) -> None:
        match node.fields:
            case [ObjectFieldNode(value=VariableNode() as variable)]:
                self._given[id(variable)] = type
            case _:
                super().validate_one_of(node, type)

    def leave_document(self, document: DocumentNode, *_: object) -> None:
        for operation in document.definitions:
            if isinstance(operation, OperationDefinitionNode) and self._given:
                self._variables_are_non_null(operation)

    def _variables_are_non_null(self, operation: OperationDefinitionNode) -> None:
        nullable = {
            definition.variable.name.value
            for definition in operation.variable_definitions or ()
            if not isinstance(definition.type, NonNullTypeNode)
        }
        for usage in self.context.get_recursive_variable_usages(operation):
            name, type_ = usage.node.name.value, self._given.get(id(usage.node))
            if type_ and name in nullable:
                message = f"Variable '{name}' must be non-nullable to be used for OneOf Input"
                self.report_error(GraphQLError(f"{message} Object '{type_}'.", usage.node))


class EnoughSaid(ASTValidationRule):
    """Not a rule: it ends validation when the messages of the others fill a page."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        report = context.on_error
        said = 0

        def count(error: GraphQLError) -> None:
            nonlocal said
            report(error)
            said += len(error.message)
            if said > PAGE:
                raise ValidationAbortedError("There may be more mistakes.")

        context.on_error = count  # type: ignore[method-assign]  # as the context itself does


def rules(limits: DocumentLimits, *, introspection: bool) -> tuple[type[ASTValidationRule], ...]:
    """All rules of the specification, Strawberry's for its own types, and none of introspection
    unless it is allowed.
    """

    class FieldsCanBeMerged(OverlappingFieldsCanBeMergedRule):
        """Compares each pair of fields that share a response name: in the square of their number.

        graphql-core gives up after half a million steps, a tenth of a second.
        """

        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = limits.max_comparisons

        def enter_selection_set(self, selection_set: SelectionSetNode, *place: object) -> None:
            try:
                super().enter_selection_set(selection_set, *place)
            except ValidationAbortedError:
                left = self.rule_context.remaining_complexity_budget
                if left >= 0:
                    raise
                allowed = limits.max_comparisons
                reason = refused(
                    "max_comparisons", selection_set, allowed=allowed, found=allowed - left
                )
                raise ValidationAbortedError(
                    reason.message, selection_set, original_error=reason.original_error
                ) from None

    chosen: list[type[ASTValidationRule]] = [
        EnoughSaid,
        MaybeNullValidationRule,
        OneOfInput,
    ]
    for rule in specified_rules:
        chosen.append(FieldsCanBeMerged if rule is OverlappingFieldsCanBeMergedRule else rule)
    if not introspection:
        chosen.append(NoSchemaIntrospectionCustomRule)
    return tuple(chosen)
