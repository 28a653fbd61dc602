"""The seven operations on customer groups, as flow-retail.openapi.json describes them."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.simulator.faults import Faults
from gateway.simulator.flow_retail.answers import group_json, item, listed, nothing, refused
from gateway.simulator.flow_retail.membership import edit_members
from gateway.simulator.flow_retail.pages import order, page
from gateway.simulator.flow_retail.refusal import Refusal
from gateway.simulator.flow_retail.store import Group, NotThere, Store, Taken
from gateway.simulator.flow_retail.switches import Switches
from gateway.simulator.journal import Journal

GROUPS = "/v2/tenants/{tenant}/customer-groups"
GROUP = "/v2/tenants/{tenant}/customer-groups/{group}"
CUSTOMERS = "/v2/tenants/{tenant}/customer-groups/{group}/customers"

UID = "^[A-Za-z0-9-_]+"  # as printed: nothing says where it ends


class CreateBody(msgspec.Struct):
    """CustomerGroupCreateRequest. Members it does not name are allowed and not looked at."""

    name: str
    customerGroupUid: str = ""


class UpdateBody(msgspec.Struct):
    """CustomerGroupUpdateRequest."""

    name: str | msgspec.UnsetType = msgspec.UNSET


class CustomersBody(msgspec.Struct):
    """CustomerGroupCustomersUpdateRequest."""

    addCustomerUids: list[str] = []  # msgspec copies it
    removeCustomerUids: list[str] = []


Body = TypeVar("Body", CreateBody, UpdateBody, CustomersBody)


@dataclass(frozen=True, slots=True)
class Access:
    """A request that may be looked at: which tenant it is about, and who asks."""

    tenant: str
    user: str


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
    starlette = Starlette(
        routes=[
            Route(GROUPS, api.operation(api.groups), methods=["GET", "POST"]),
            Route(GROUP, api.operation(api.group), methods=["GET", "PUT", "DELETE"]),
            Route(CUSTOMERS, api.operation(api.customers), methods=["GET", "PUT"]),
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
        self, answer: Callable[[Request, Access], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a path: what comes before every operation, then the operation."""

        async def endpoint(request: Request) -> Response:
            if self._switches.latency:
                await asyncio.sleep(self._switches.latency)
            access = self.admit(request)
            raw_path = request.scope.get("raw_path") or b""
            if b"%2f" in raw_path.lower():
                # Routing decodes first: the group "gold%2Fcustomers" would be a list of customers.
                raise Refusal(404, "There is no such path.")
            try:
                return await answer(request, access)
            except NotThere:
                raise Refusal(404, "There is no such customer group.") from None

        return endpoint

    def admit(self, request: Request) -> Access:
        """Who asks, by the bearer token; Refusal 401 or 403."""
        given = request.headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        rights = self._store.rights(token) if scheme == "Bearer" else None
        if rights is None:
            raise Refusal(401, "A valid bearer token is needed.", {"WWW-Authenticate": "Bearer"})
        tenant = request.path_params["tenant"]
        if tenant not in rights.permissions:
            raise Refusal(403, "The token has no right to this tenant.")
        if request.method not in ("GET", "HEAD") and "CUSTOMER" not in rights.permissions[tenant]:
            raise Refusal(403, "The permission CUSTOMER is needed.")
        return Access(tenant, rights.user)

    async def groups(self, request: Request, access: Access) -> Response:
        """get-customer-groups, post-customer-groups."""
        if request.method == "POST":
            body = await self.read(request, CreateBody)
            return item(group_json(self.create(body, access)), 201)
        total = self._store.count_groups(access.tenant)
        wanted = page(request.query_params, total, self._switches)
        sorts, default = self._switches.group_sorts, self._switches.group_order
        groups = self._store.groups(
            access.tenant,
            order(request.query_params, sorts, default, self._switches),
            offset=wanted.offset,
            limit=wanted.size,
        )
        return listed([group_json(group) for group in groups], wanted)

    async def group(self, request: Request, access: Access) -> Response:
        """get-customer-groups-by-uid, put-customer-groups, delete-customer-groups."""
        group = self._store.group(access.tenant, request.path_params["group"])
        match request.method:
            case "PUT":
                body = await self.read(request, UpdateBody)
                return item(group_json(self.update(group, body, access)))
            case "DELETE":
                self.delete(group)
                return nothing()
            case _:
                return item(group_json(group))

    async def customers(self, request: Request, access: Access) -> Response:
        """get-customer-groups-customers, put-customer-groups-customers."""
        group = self._store.group(access.tenant, request.path_params["group"])
        if request.method == "PUT":
            body = await self.read(request, CustomersBody)
            add, remove = body.addCustomerUids, body.removeCustomerUids
            for uid in (*add, *remove):
                self.check_uid(uid)
            edit_members(
                self._store,
                access.tenant,
                group.uid,
                add=add,
                remove=remove,
                switches=self._switches,
            )
            return nothing()
        total = self._store.count_members(access.tenant, group.uid)
        wanted = page(request.query_params, total, self._switches)
        sorts, default = self._switches.customer_sorts, self._switches.member_order
        customers = self._store.members(
            access.tenant,
            group.uid,
            order(request.query_params, sorts, default, self._switches),
            offset=wanted.offset,
            limit=wanted.size,
        )
        return listed(customers, wanted)

    def create(self, body: CreateBody, access: Access) -> Group:
        """A new group, under the uid asked for or one made here."""
        uid = body.customerGroupUid
        if uid:
            self.check_uid(uid)
        with self._store.transaction():
            self.check_name(access.tenant, body.name, other_than=uid)
            try:
                return self._store.add_group(
                    access.tenant, uid or self.new_uid(access.tenant), body.name, by=access.user
                )
            except Taken:
                match self._switches.duplicate_uid:
                    case "conflict":
                        raise Refusal(409, "The customerGroupUid is in use.") from None
                    case "bad_request":
                        raise Refusal(400, "The customerGroupUid is in use.") from None
                    case "replace":
                        return self._store.update_group(
                            access.tenant, uid, name=body.name, by=access.user
                        )

    def update(self, group: Group, body: UpdateBody, access: Access) -> Group:
        """The group after a PUT."""
        name = None if body.name is msgspec.UNSET else body.name
        if name is None:
            match self._switches.put_semantics:
                case "partial":
                    pass
                case "full":
                    raise Refusal(400, "The name is needed.")
                case "full_blank":
                    name = ""
        with self._store.transaction():
            if name is not None:
                self.check_name(group.tenant, name, other_than=group.uid)
            return self._store.update_group(group.tenant, group.uid, name=name, by=access.user)

    def delete(self, group: Group) -> None:
        """Delete the group, if its members are not in the way."""
        with self._store.transaction():
            if self._switches.delete_nonempty == "conflict" and self._store.count_members(
                group.tenant, group.uid
            ):
                raise Refusal(409, "The customer group has customers.")
            self._store.remove_group(group.tenant, group.uid)

    def check_uid(self, uid: str) -> None:
        """Refusal 400 for a uid that the pattern does not allow."""
        fits = re.fullmatch if self._switches.uid_pattern == "anchored" else re.match
        if not fits(UID, uid):
            raise Refusal(400, "A uid is made of letters, digits, - and _.")

    def check_name(self, tenant: str, name: str, *, other_than: str) -> None:
        """Refusal 409 for a name in use, where that matters."""
        if self._switches.duplicate_name == "conflict" and self._store.has_group_named(
            tenant, name, other_than=other_than
        ):
            raise Refusal(409, "The name is in use.")

    def new_uid(self, tenant: str) -> str:
        """A uid for a group that was created without one."""
        match self._switches.uid_style:
            case "uuid":
                return str(uuid4())
            case "short":
                return uuid4().hex[:12]
            case "sequence":
                taken = {group.uid for group in self._store.groups(tenant)}
                number = 1
                while f"group-{number}" in taken:
                    number += 1
                return f"group-{number}"

    async def read(self, request: Request, kind: type[Body]) -> Body:
        """The request's body; Refusal 400 for one that does not fit the schema, 415 for no JSON.

        No body at all is an empty object: the documents do not say that a body is required.
        """
        raw = await request.body()
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if raw and self._switches.content_type == "require" and media_type != "application/json":
            raise Refusal(415, "The body must be application/json.")
        try:
            return msgspec.json.decode(raw or b"{}", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Refusal(400, "The body is not as the documents describe it.") from None

    async def on_refusal(self, request: Request, error: Exception) -> Response:
        """A refusal's answer. `error` is a Refusal; Starlette's types don't say so."""
        if not isinstance(error, Refusal):
            raise error
        return refused(error, self._switches)

    async def on_http_exception(self, request: Request, error: Exception) -> Response:
        """The answer for a path or a method that is not there, in the shape of all errors."""
        if not isinstance(error, HTTPException):
            raise error
        return refused(Refusal(error.status_code, error.detail, error.headers), self._switches)
