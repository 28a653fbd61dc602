"""What can be changed. Mistakes come back as `userErrors`, and so does a failure after which
something is done, or may be; other failures are GraphQL errors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Annotated, Any, TypeVar

import strawberry

from gateway.backends.port import (
    ById,
    EditOutcome,
    GroupChange,
    GroupDeletion,
    GroupDraft,
    GroupRef,
    GroupUpdate,
    MemberOutcome,
    MembershipEdit,
    Rename,
    SetCustomField,
    SetCustomType,
    SetKey,
)
from gateway.engine import Fetched
from gateway.errors import (
    CallerError,
    GatewayError,
    InvalidInput,
    LimitExceeded,
    OutcomeUnknown,
    RevisionConflict,
)
from gateway.loading.reads import GroupOf
from gateway.membership import READ, difference, hold_apart
from gateway.request import Context
from gateway.schema.customer_group import CustomerGroup
from gateway.schema.enums import CustomerGroupUserErrorCode, MemberAction, MemberStatus
from gateway.schema.inputs import (
    CreateCustomerGroupInput,
    DeleteCustomerGroupInput,
    OfGroup,
    SetCustomerGroupMembersInput,
    UpdateCustomerGroupInput,
    UpdateCustomerGroupMembersInput,
    checked_key,
    checked_uid,
    custom_fields,
    custom_values,
    distinct_uids,
    given,
    group_name,
    group_ref,
    hold_custom_fields,
    or_none,
)
from gateway.schema.relay import NO_ID, Info, global_id

PayloadT = TypeVar("PayloadT")


@strawberry.type(
    description="A mistake, a refusal, or what ended a change after something of it was done, or "
    f"may have been. Other failures are GraphQL errors with `extensions.code`. {NO_ID}"
)
class CustomerGroupUserError:
    code: CustomerGroupUserErrorCode = strawberry.field(description="What kind of mistake it is.")
    message: str = strawberry.field(description="For people.")
    field: list[str] | None = strawberry.field(
        description="The path of the input value that it is about; null where it is about none."
    )
    limit: str | None = strawberry.field(
        default=None,
        description="The limit that was exceeded: a setting of the gateway, or what set it.",
    )
    allowed: int | None = strawberry.field(
        default=None, description="How much that limit allows; null where it is about none."
    )
    found: int | None = strawberry.field(
        default=None, description="How much was asked for; null where it is about no limit."
    )
    retry_after: float | None = strawberry.field(
        default=None, description="Seconds to wait, where the backend or the gateway says so."
    )


@strawberry.type(description="The group that was made, or why it was not.")
class CreateCustomerGroupPayload:
    customer_group: CustomerGroup | None = strawberry.field(
        default=None,
        description="The new group. For Relay: `@appendNode` or `@prependNode`, with "
        '`edgeTypeName: "CustomerGroupEdge"`.',
    )
    user_errors: list[CustomerGroupUserError] = strawberry.field(
        description="Empty when it was made. OUTCOME_UNKNOWN: it may be there."
    )


@strawberry.type(
    description="After REVISION_CONFLICT, `customerGroup` is the state that won, so that a form "
    "can show both; null if a read did not show it."
)
class UpdateCustomerGroupPayload:
    customer_group: CustomerGroup | None = strawberry.field(
        default=None, description="The group as it is now, where that is known."
    )
    user_errors: list[CustomerGroupUserError] = strawberry.field(
        description="Empty when it was changed. OUTCOME_UNKNOWN: it may be."
    )


@strawberry.type(
    description="The group that is gone, or why it is not. Where the answer to the deletion was "
    "lost, a group that does not exist now is gone; whether it ever existed is not known then."
)
class DeleteCustomerGroupPayload:
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Its former `id`. For Relay: `@deleteRecord` or `@deleteEdge`.",
    )
    deleted_uid: strawberry.ID | None = strawberry.field(
        default=None, description="Its former `uid`."
    )
    user_errors: list[CustomerGroupUserError] = strawberry.field(
        description="Empty when it was deleted. OUTCOME_UNKNOWN: it may be gone."
    )


def _customer_id(outcome: strawberry.Parent[MemberOutcome]) -> strawberry.ID:
    return global_id("Customer", outcome.tenant_uid, outcome.customer_uid)


@strawberry.type(description=f"What became of one customer. {NO_ID}")
class CustomerGroupMemberResult:
    customer_id: strawberry.ID = strawberry.field(
        resolver=_customer_id, description="The customer's `id`."
    )
    customer_uid: strawberry.ID = strawberry.field(
        description="The customer's `uid`, as it was sent."
    )
    action: MemberAction = strawberry.field(description="What was to be done.")
    status: MemberStatus = strawberry.field(description="What became of it.")

    @strawberry.field(description="Why it FAILED, or is UNKNOWN; null otherwise.")
    def error(outcome: strawberry.Parent[MemberOutcome]) -> CustomerGroupUserError | None:
        return None if outcome.error is None else _user_error(outcome.error)


@strawberry.type(
    description="What became of each customer. Customers themselves are in `customerGroup { "
    "customers }` only, with the edge type `CustomerGroupMemberEdge`: no REST call reads one by "
    "its uid."
)
class CustomerGroupMembersPayload:
    group: strawberry.Private[GroupOf | None] = None
    customer_group_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The group's `id`, without a REST call; null where the edit was refused.",
    )
    customer_group_uid: strawberry.ID | None = strawberry.field(
        default=None,
        description="The group's `uid`, without a REST call; null where the edit was refused.",
    )
    results: list[CustomerGroupMemberResult] = strawberry.field(
        default_factory=list,
        description="One per distinct uid sent, in input order: those to be added, then those to "
        "be removed.",
    )
    user_errors: list[CustomerGroupUserError] = strawberry.field(
        description="Mistakes that kept the whole edit from being sent, or what ended it part of "
        "the way: then `results` say how far it came."
    )

    @strawberry.field(
        description="The ids of those who were to be added and are members now: ACCEPTED or "
        "UNCHANGED."
    )
    def added_customer_ids(self) -> list[strawberry.ID]:
        return _done(self.results, MemberAction.ADD)

    @strawberry.field(
        description="The ids of those who were to be removed and are no members now: ACCEPTED or "
        "UNCHANGED. For Relay: `@deleteEdge`."
    )
    def removed_customer_ids(self) -> list[strawberry.ID]:
        return _done(self.results, MemberAction.REMOVE)

    @strawberry.field(
        description="The group after the edit; read only when it is asked for.",
        extensions=[Fetched()],
    )
    def customer_group(self) -> CustomerGroup | None:
        return self.group  # type: ignore[return-value]  # what it is fetched by


def _done(outcomes: Sequence[Any], action: MemberAction) -> list[strawberry.ID]:
    return [
        _customer_id(outcome)
        for outcome in outcomes
        if outcome.action is action
        and outcome.status in (MemberStatus.ACCEPTED, MemberStatus.UNCHANGED)
    ]


class _Failed(Exception):
    """The change failed: a GraphQL error, even where the caller can act on it."""

    def __init__(self, failure: GatewayError) -> None:
        super().__init__()
        self.failure = failure


Change = Callable[..., Awaitable[PayloadT | None]]


def _mistakes_are_data(
    payload: Callable[..., PayloadT],
) -> Callable[[Change[PayloadT]], Change[PayloadT]]:
    """Of a change whose mistakes, and whose unknown outcome, are the `userErrors` of a payload that
    is empty otherwise.
    """

    def decorate(change: Change[PayloadT]) -> Change[PayloadT]:
        @wraps(change)
        async def resolver(self: object, info: Info, input: object) -> PayloadT | None:
            hold_custom_fields(info.context, input)
            try:
                return await change(self, info, input)
            except CallerError as mistake:
                return payload(user_errors=[_user_error(mistake)])
            except OutcomeUnknown as lost:
                return payload(user_errors=[_reported(info.context, lost)])
            except _Failed as failed:
                raise failed.failure from None

        return resolver

    return decorate


@strawberry.type(description="What can be changed.")
class Mutation:
    @strawberry.mutation(description="Make a group.")
    @_mistakes_are_data(CreateCustomerGroupPayload)
    async def create_customer_group(
        self,
        info: Info,
        input: Annotated[
            CreateCustomerGroupInput, strawberry.argument(description="The group to be made.")
        ],
    ) -> CreateCustomerGroupPayload | None:
        context = info.context
        tenant_uid = context.tenant_uid(or_none(input.tenant_uid))
        uid, key = or_none(input.uid), or_none(input.key)
        draft = GroupDraft(
            name=group_name(input.name),
            uid=None if uid is None else checked_uid(uid, ["uid"]),
            key=None if key is None else checked_key(key, ["key"]),
            custom=custom_fields(input.custom) if input.custom else None,
        )
        backend = context.backend(tenant_uid)
        group = await context.change(
            backend.create_group, draft, kind="createCustomerGroup", tenant_uid=tenant_uid
        )
        context.prime(group)
        return CreateCustomerGroupPayload(customer_group=group, user_errors=[])  # type: ignore[arg-type]

    @strawberry.mutation(description="Change a group.")
    @_mistakes_are_data(UpdateCustomerGroupPayload)
    async def update_customer_group(
        self,
        info: Info,
        input: Annotated[
            UpdateCustomerGroupInput, strawberry.argument(description="What is to be changed.")
        ],
    ) -> UpdateCustomerGroupPayload | None:
        context = info.context
        tenant_uid, ref = _group(context, input)
        update = GroupUpdate(ref, _changes(input), or_none(input.expected_revision))
        backend = context.backend(tenant_uid)
        try:
            group = await context.change(
                backend.update_group, update, kind="updateCustomerGroup", tenant_uid=tenant_uid
            )
        except RevisionConflict as conflict:
            return UpdateCustomerGroupPayload(
                customer_group=conflict.current,  # type: ignore[arg-type]  # the type is a view of it
                user_errors=[_user_error(conflict)],
            )
        context.prime(group)
        return UpdateCustomerGroupPayload(customer_group=group, user_errors=[])  # type: ignore[arg-type]

    @strawberry.mutation(description="Delete a group.")
    @_mistakes_are_data(DeleteCustomerGroupPayload)
    async def delete_customer_group(
        self,
        info: Info,
        input: Annotated[
            DeleteCustomerGroupInput, strawberry.argument(description="The group to be deleted.")
        ],
    ) -> DeleteCustomerGroupPayload | None:
        context = info.context
        tenant_uid, ref = _group(context, input)
        deletion = GroupDeletion(ref, or_none(input.expected_revision), input.only_if_empty)
        backend = context.backend(tenant_uid)
        uid = await context.change(
            backend.delete_group, deletion, kind="deleteCustomerGroup", tenant_uid=tenant_uid
        )
        return DeleteCustomerGroupPayload(
            deleted_id=global_id("CustomerGroup", tenant_uid, uid),
            deleted_uid=strawberry.ID(uid),
            user_errors=[],
        )

    @strawberry.mutation(
        description="Add and remove members. Already a member, or already absent, is a success."
    )
    @_mistakes_are_data(CustomerGroupMembersPayload)
    async def update_customer_group_members(
        self,
        info: Info,
        input: Annotated[
            UpdateCustomerGroupMembersInput,
            strawberry.argument(description="The customers to be added and removed."),
        ],
    ) -> CustomerGroupMembersPayload | None:
        context = info.context
        tenant_uid, ref = _group(context, input)
        limit = context.bounds.max_membership_uids
        add = distinct_uids(input.add_customer_uids, "addCustomerUids", limit=limit)
        remove = distinct_uids(input.remove_customer_uids, "removeCustomerUids", limit=limit)
        hold_apart(add, remove, field="removeCustomerUids")
        if not add and not remove:
            raise InvalidInput("There is nobody to add or remove.", field=["addCustomerUids"])
        backend = context.backend(tenant_uid)
        edit = MembershipEdit(ref, add, remove)
        outcome = await context.change(
            backend.edit_members, edit, kind="updateCustomerGroupMembers", tenant_uid=tenant_uid
        )
        return _edited(context, GroupOf(tenant_uid, ref), edit, outcome)

    @strawberry.mutation(
        description="Make the members exactly these: reads, compares, then adds and removes only "
        "what differs. Nothing is sent where not all members can be read. A change by someone else "
        "between the two is not seen."
    )
    @_mistakes_are_data(CustomerGroupMembersPayload)
    async def set_customer_group_members(
        self,
        info: Info,
        input: Annotated[
            SetCustomerGroupMembersInput,
            strawberry.argument(description="The customers that are to be members."),
        ],
    ) -> CustomerGroupMembersPayload | None:
        context = info.context
        limit = context.bounds.max_membership_uids
        tenant_uid, ref = _group(context, input)
        wanted = distinct_uids(input.customer_uids, "customerUids", limit=limit)
        allowed = or_none(input.max_removals)
        if allowed is not None and allowed < 0:
            raise InvalidInput("`maxRemovals` can't be negative.", field=["maxRemovals"])
        reading, kind = context.backend(tenant_uid, reading=READ), "setCustomerGroupMembers"
        try:
            edit = await difference(reading, ref, wanted, limit=limit)
            _hold_removals(len(edit.remove), allowed)
        except GatewayError as failure:
            if not input.dry_run:
                context.audit(ref, failure, kind=kind, tenant_uid=tenant_uid)
            raise
        if input.dry_run:
            planned = [
                MemberOutcome(tenant_uid, uid, to, MemberStatus.PLANNED) for to, uid in edit.changes
            ]
            outcome = EditOutcome(planned)
        elif edit:
            backend = context.backend(tenant_uid)
            outcome = await context.change(
                backend.edit_members, edit, kind=kind, tenant_uid=tenant_uid
            )
        else:
            outcome = EditOutcome(())
            context.audit(edit.group, outcome, kind=kind, tenant_uid=tenant_uid)
        return _edited(context, GroupOf(tenant_uid, ref), edit, outcome)


def _hold_removals(found: int, allowed: int | None) -> None:
    if allowed is not None and found > allowed:
        raise LimitExceeded(
            f"{found} customers would be removed, and at most {allowed} may be.",
            field=["maxRemovals"],
            limit="maxRemovals",
            allowed=allowed,
            found=found,
        )


def _edited(
    context: Context, group: GroupOf, edit: MembershipEdit, edited: EditOutcome
) -> CustomerGroupMembersPayload:
    """The payload of an edit; raises the failure of one that has changed nothing."""
    failures = [] if edited.failure is None else [edited.failure]
    if failures and all(each.status is MemberStatus.FAILED for each in edited.outcomes):
        raise _Failed(failures[0])
    tenant_uid = group.tenant_uid
    uid = edit.group.uid if isinstance(edit.group, ById) else edited.group_uid
    return CustomerGroupMembersPayload(
        group=group,
        customer_group_id=None if uid is None else global_id("CustomerGroup", tenant_uid, uid),
        customer_group_uid=None if uid is None else strawberry.ID(uid),
        results=edited.outcomes,  # type: ignore[arg-type]  # which it is a view of
        user_errors=[_reported(context, failure) for failure in failures],
    )


def _group(context: Context, input: OfGroup) -> tuple[str, GroupRef]:
    by, tenant_uid = input.customer_group, input.tenant_uid
    return group_ref(context, by, tenant_uid, field=["customerGroup"])


def _changes(input: UpdateCustomerGroupInput) -> list[GroupChange]:
    changes: list[GroupChange] = []
    if given(input.name):
        if input.name is None:
            raise InvalidInput("A group's name can't be removed.", field=["name"])
        changes.append(Rename(group_name(input.name)))
    if given(input.key):
        changes.append(SetKey(None if input.key is None else checked_key(input.key, ["key"])))
    if given(input.custom):
        changes.append(SetCustomType(custom_fields(input.custom) if input.custom else None))
    values = custom_values(input.custom_fields or (), ["customFields"])
    changes += [SetCustomField(name, value) for name, value in values.items()]
    if not changes:
        raise InvalidInput("There is nothing to change: no field is given.")
    return changes


def _reported(context: Context, failure: GatewayError) -> CustomerGroupUserError:
    """A failure in a payload, and not at its path: there, clients would discard the payload."""
    context.reported.append(failure)
    return _user_error(failure)


def _user_error(failure: GatewayError) -> CustomerGroupUserError:
    code = "INVALID_INPUT" if isinstance(failure, InvalidInput) else failure.code
    return CustomerGroupUserError(
        code=CustomerGroupUserErrorCode[code],
        message=failure.message,
        field=["input", *failure.field] if failure.field else None,
        limit=failure.limit,
        allowed=failure.allowed,
        found=failure.found,
        retry_after=failure.retry_after,
    )
