"""The rules that documents are validated by: graphql-core's, with a bound on their work."""

from __future__ import annotations

from typing import Final

from graphql import (
    ASTValidationRule,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLSchema,
    NonNullTypeNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
    specified_rules,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule

from gateway.engine._documents.limits import refused
from gateway.engine._limits import Limits

PAGE: Final = 10_000
"""The most characters of all messages: each may print a value nearly as long as the document."""


def mark_one_of(schema: GraphQLSchema) -> None:
    """Mark the input objects that take exactly one field for graphql-core: Strawberry says so only
    in its own definitions.
    """
    for type_ in schema.type_map.values():
        definition = type_.extensions.get("strawberry-definition")
        if isinstance(type_, GraphQLInputObjectType) and definition is not None:
            type_.is_one_of = definition.is_one_of


class OneOfVariables(ValidationRule):
    """Refuses a nullable variable as the only field of an object. graphql-core does so too, but
    overlooks objects in positions that are not nullable.
    """

    def leave_operation_definition(self, operation: OperationDefinitionNode, *_: object) -> None:
        nullable = {
            definition.variable.name.value
            for definition in operation.variable_definitions or ()
            if not isinstance(definition.type, NonNullTypeNode)
        }
        for usage in self.context.get_recursive_variable_usages(operation):
            name = usage.node.name.value
            match usage.parent_type:
                case GraphQLNonNull(of_type=GraphQLInputObjectType(is_one_of=True) as type_):
                    if name in nullable:
                        message = f"Variable '${name}' must be non-nullable to be used for OneOf"
                        message += f" Input Object '{type_}'."
                        self.report_error(GraphQLError(message, usage.node))
                case _:
                    pass


class EnoughSaid(ASTValidationRule):
    """Not a rule: it ends validation when the messages of the others have more than PAGE
    characters.
    """

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


def rules(limits: Limits, *, introspection: bool) -> tuple[type[ASTValidationRule], ...]:
    """All rules of the specification, Strawberry's for its own types, and none of introspection
    unless it is allowed.
    """

    class FieldsCanBeMerged(OverlappingFieldsCanBeMergedRule):
        """Compares each pair of fields with one response name, so its work grows with their square.

        graphql-core itself gives up after half a million steps, a tenth of a second.
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

    chosen: list[type[ASTValidationRule]] = [EnoughSaid, MaybeNullValidationRule, OneOfVariables]
    for rule in specified_rules:
        chosen.append(FieldsCanBeMerged if rule is OverlappingFieldsCanBeMergedRule else rule)
    if not introspection:
        chosen.append(NoSchemaIntrospectionCustomRule)
    return tuple(chosen)
