"""The operations on customer groups, and those on customers that membership needs."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.simulator.commercetools import actions, predicates, refusals
from gateway.simulator.commercetools.answers import (
    customer_json,
    group_json,
    item,
    listed,
    refused,
)
from gateway.simulator.commercetools.order import CUSTOMER_SORTS, GROUP_SORTS, order
from gateway.simulator.commercetools.pages import FILTERED_TOTAL, Page, estimate, page
from gateway.simulator.commercetools.predicates import Condition, QueryableFields
from gateway.simulator.commercetools.refusals import Refusal
from gateway.simulator.commercetools.resources import Customer, Group, Resource
from gateway.simulator.commercetools.store import NotThere, Store, Taken
from gateway.simulator.commercetools.switches import Switches
from gateway.simulator.faults import Faults
from gateway.simulator.journal import Journal

GROUPS = "/{project}/customer-groups"
GROUP = "/{project}/customer-groups/{group}"  # an id, or "key=" and a key
CUSTOMERS = "/{project}/customers"
CUSTOMER = "/{project}/customers/{customer}"

TENANT_PATH = r"/[^/]+/"

GROUP_VIEWERS = (
    "view_customers",
    "view_customer_groups",
    "manage_customers",
    "manage_customer_groups",
    "manage_project",
)
GROUP_EDITORS = ("manage_customers", "manage_customer_groups", "manage_project")
CUSTOMER_VIEWERS = ("view_customers", "manage_customers", "manage_project")
CUSTOMER_EDITORS = ("manage_customers", "manage_project")
"""Any one of them will do. The vendor's lists have not those that are more than is needed."""


class GroupDraft(msgspec.Struct):
    """CustomerGroupDraft. Members it does not name are allowed and not looked at."""

    groupName: str
    key: str | None = None
    custom: actions.SetCustomType | None = None


class Update(msgspec.Struct):
    """CustomerGroupUpdate and CustomerUpdate."""

    version: int
    actions: list[dict[str, Any]]


Body = TypeVar("Body", GroupDraft, Update)


@dataclass(frozen=True, slots=True)
class Access:
    """A request that may be looked at: which project it is about, and who asks."""

    project: str
    author: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """What the parameters of a query ask for."""

    where: Condition | None
    order: str
    page: Page


def create_app(
    store: Store,
    *,
    switches: Switches | None = None,
    journal: Journal | None = None,
    faults: Faults | None = None,
) -> ASGIApp:
    """The simulator over this data. What is passed in stays the caller's, to look at and change."""
    journal = journal or Journal(limit=0)  # nobody could read it
    faults = faults or Faults()
    api = Api(store, switches or Switches())

    def route(
        path: str,
        answer: Callable[[Request, Access], Awaitable[Response]],
        viewers: Sequence[str],
        editors: Sequence[str],
        methods: Sequence[str],
    ) -> Route:
        return Route(path, api.operation(answer, viewers, editors), methods=list(methods))

    groups, customers = (GROUP_VIEWERS, GROUP_EDITORS), (CUSTOMER_VIEWERS, CUSTOMER_EDITORS)
    starlette = Starlette(
        routes=[
            route(GROUPS, api.groups, *groups, ("GET", "POST")),
            route(GROUP, api.group, *groups, ("GET", "POST", "DELETE")),
            route(CUSTOMERS, api.customers, *customers, ("GET",)),
            route(CUSTOMER, api.customer, *customers, ("GET", "POST")),
        ],
        exception_handlers={Refusal: api.on_refusal, HTTPException: api.on_http_exception},
    )
    # Routes are exact: a slash at the end is another path, not a redirect.
    starlette.router.redirect_slashes = False
    # Starlette would answer 500 where a fault hangs up, so faults are outside of it.
    return faults.line(journal.around(faults.around(starlette)))


class Api:
    """The operations over one store."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches

    def operation(
        self,
        answer: Callable[[Request, Access], Awaitable[Response]],
        viewers: Sequence[str],
        editors: Sequence[str],
    ) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a path: what comes before every operation, then the operation."""

        async def endpoint(request: Request) -> Response:
            if self._switches.latency:
                await asyncio.sleep(self._switches.latency)
            reading = request.method in ("GET", "HEAD")
            access = self.admit(request, viewers if reading else editors)
            raw_path = request.scope.get("raw_path") or b""
            if b"%2f" in raw_path.lower():
                # Routing decodes first, and would find another path than the one that was sent.
                raise refusals.not_found("path")
            try:
                return await answer(request, access)
            except NotThere:
                raise refusals.not_found("resource") from None
            except Taken as error:
                raise refusals.duplicate_field(error.field, error.value) from None

        return endpoint

    def admit(self, request: Request, scopes: Sequence[str]) -> Access:
        """Who asks, by the bearer token; Refusal 401, 403, or 404 for an unknown project."""
        given = request.headers.getlist("authorization")
        if not given:
            raise refusals.access_denied()
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        rights = self._store.rights(token) if scheme.lower() == "bearer" else None
        if rights is None:
            raise refusals.invalid_token()
        project = request.path_params["project"]
        if not self._store.has_project(project):
            raise refusals.not_found("project")
        if not rights.scopes.get(project, frozenset()).intersection(scopes):
            raise refusals.insufficient_scope(scopes, project)
        return Access(project, rights.author)

    async def groups(self, request: Request, access: Access) -> Response:
        """Query and create."""
        if request.method == "POST":
            draft = await self.read(request, GroupDraft)
            return item(group_json(self.create(draft, access)), 201)
        fields = predicates.GROUP_FIELDS[self._switches.group_predicates]
        query = self.query(request, fields, GROUP_SORTS)
        wanted = query.page
        groups = self._store.groups(
            access.project, query.where, query.order, offset=wanted.offset, limit=wanted.limit
        )
        total = self.total(self._store.count_groups, access.project, query)
        return listed([group_json(group) for group in groups], wanted, total)

    async def group(self, request: Request, access: Access) -> Response:
        """Get, update and delete, each by id or by key."""
        match request.method:
            case "POST":
                update = await self.read(request, Update)
                return item(group_json(self.update_group(request, update, access)))
            case "DELETE":
                return item(group_json(self.delete_group(request, access)))
            case _:
                return item(group_json(self.found(request, access)))

    async def customers(self, request: Request, access: Access) -> Response:
        """Query."""
        legacy_only = self._switches.assignments_predicate == "refused"
        fields = predicates.LEGACY_FIELDS if legacy_only else predicates.CUSTOMER_FIELDS
        query = self.query(request, fields, CUSTOMER_SORTS)
        wanted = query.page
        customers = self._store.customers(
            access.project, query.where, query.order, offset=wanted.offset, limit=wanted.limit
        )
        total = self.total(self._store.count_customers, access.project, query)
        return listed([customer_json(each, self._switches) for each in customers], wanted, total)

    async def customer(self, request: Request, access: Access) -> Response:
        """Get and update."""
        id = request.path_params["customer"]
        if request.method == "POST":
            update = await self.read(request, Update)
            customer = self.update_customer(id, update, access)
        else:
            customer = self._store.customer(access.project, id)
        return item(customer_json(customer, self._switches))

    def found(self, request: Request, access: Access) -> Group:
        """The group that the path is about; NotThere if it is not."""
        name: str = request.path_params["group"]
        if name.startswith("key="):
            return self._store.group_by_key(access.project, name.removeprefix("key="))
        return self._store.group(access.project, name)

    def create(self, draft: GroupDraft, access: Access) -> Group:
        """A new group."""
        most = self._switches.max_groups
        with self._store.transaction():
            if self._store.count_groups(access.project) >= most:
                raise refusals.limit_exceeded("customer-group", most)
            return self._store.add_group(
                access.project,
                actions.checked_name(draft.groupName),
                id=str(uuid4()),
                key=actions.checked_key(draft.key),
                custom=actions.custom_of(draft.custom),
                by=access.author,
            )

    def update_group(self, request: Request, update: Update, access: Access) -> Group:
        """The group after all of the actions; after none if one is refused."""
        with self._store.transaction():
            group = self.found(request, access)
            self.check_version(group, update.version)
            if not update.actions:
                return group
            context = actions.ActionContext(self._store, access.project, self._switches)
            changed = actions.apply_all(group, update.actions, actions.GROUP_ACTIONS, context)
            return self._store.save_group(changed, by=access.author, step=self.step(update))

    def update_customer(self, id: str, update: Update, access: Access) -> Customer:
        """The customer after all of the actions; after none if one is refused."""
        with self._store.transaction():
            customer = self._store.customer(access.project, id)
            self.check_version(customer, update.version)
            if not update.actions:
                return customer
            context = actions.ActionContext(self._store, access.project, self._switches)
            changed = actions.apply_all(customer, update.actions, actions.CUSTOMER_ACTIONS, context)
            return self._store.save_customer(changed, by=access.author, step=self.step(update))

    def delete_group(self, request: Request, access: Access) -> Group:
        """The group as it was."""
        text = request.query_params.get("version", "")
        if not re.fullmatch("[0-9]{1,19}", text):
            raise refusals.malformed("version", "it is needed, and a whole number")
        project = access.project
        with self._store.transaction():
            group = self.found(request, access)
            self.check_version(group, int(text))
            match self._switches.delete_referenced:
                case "bad_request" | "conflict" as refuse:
                    if self._store.is_referenced(project, group.id):
                        status = 400 if refuse == "bad_request" else 409
                        raise refusals.reference_exists("customer-group", "customer", status)
                case "remove":
                    self._store.drop_references(project, group.id)
                case "dangle":
                    pass
            self._store.remove_group(project, group.id)
        return group

    def check_version(self, resource: Resource, expected: int) -> None:
        """Refusal 409 for any but the current version."""
        if resource.version != expected:
            says = self._switches.conflict_version == "given"
            raise refusals.concurrent_modification(resource.version if says else None)

    def step(self, update: Update) -> int:
        """How far an update takes the version."""
        return len(update.actions) if self._switches.version_step == "actions" else 1

    def query(self, request: Request, fields: QueryableFields, sorts: Mapping[str, str]) -> Query:
        """The parameters of a query; Refusal 400 for any that can't be read."""
        given = request.query_params
        variables = {
            name.removeprefix("var."): given.getlist(name)
            for name in given
            if name.startswith("var.")
        }
        return Query(
            predicates.condition(given.getlist("where"), variables, fields),
            order(given.getlist("sort"), sorts, self._switches.default_order),
            page(given),
        )

    def total(self, count: Callable[..., int], project: str, query: Query) -> int | None:
        """The total to be answered, if it is wanted."""
        if not query.page.with_total:
            return None
        most = FILTERED_TOTAL if query.where else None
        return estimate(count(project, query.where, most=most), self._switches)

    async def read(self, request: Request, kind: type[Body]) -> Body:
        """The request's body; Refusal 400 for one that is not what the resource takes."""
        try:
            body = msgspec.json.decode(await request.body())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise refusals.invalid_json(str(error)) from None
        return actions.converted(body, kind, self._switches)

    async def on_refusal(self, request: Request, error: Exception) -> Response:
        """A refusal's answer. `error` is a Refusal; Starlette's types don't say so."""
        if not isinstance(error, Refusal):
            raise error
        return refused(error)

    async def on_http_exception(self, request: Request, error: Exception) -> Response:
        """The answer for a path or a method that is not there, in the shape of all errors."""
        if not isinstance(error, HTTPException):
            raise error
        code = "ResourceNotFound" if error.status_code == 404 else "General"
        return refused(Refusal(error.status_code, code, error.detail, headers=error.headers))
