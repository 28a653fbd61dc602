"""A GraphQL server over Flow Retail as a first Strawberry project has it.

A type for each REST resource, built row by row; a resolver for each relation, without loaders; an
httpx client for each GraphQL request.
"""

from __future__ import annotations

import base64
import os
from enum import Enum
from typing import Any

import httpx
import strawberry
import uvicorn
from starlette.background import BackgroundTask
from strawberry.asgi import GraphQL
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

TENANT = os.environ["TENANT"]
URL = f"{os.environ['UPSTREAM']}/tenants/{TENANT}/customer-groups"
CHUNK = 500  # customers in one membership edit, as ours sends

Json = dict[str, Any]
DateTime = strawberry.scalar(name="DateTime", serialize=str, parse_value=str)
Long = strawberry.scalar(name="Long", serialize=int, parse_value=int)


class Instant(str): ...


class BigInt(int): ...


@strawberry.enum
class CustomerType(Enum):
    COMPANY = "COMPANY"
    PERSON = "PERSON"
    B2B = "B2B"


@strawberry.enum
class CustomerAddressType(Enum):
    DELIVERY_ADDRESS = "DELIVERY_ADDRESS"
    INVOICE_ADDRESS = "INVOICE_ADDRESS"


@strawberry.enum
class CustomerContactRole(Enum):
    ADMIN = "ADMIN"
    PURCHASER = "PURCHASER"
    ACCOUNTING = "ACCOUNTING"
    NONE = "NONE"


@strawberry.enum
class CustomerExtensionCode(Enum):
    TWO_INVOICE = "TWO_INVOICE"
    KLAVIYO_PROFILE_ID = "KLAVIYO_PROFILE_ID"


@strawberry.type
class CustomerExtension:
    code: CustomerExtensionCode
    organization_uid: strawberry.ID | None

    @classmethod
    def from_json(cls, data: Json) -> CustomerExtension:
        return cls(
            code=CustomerExtensionCode(data["extensionCode"]),
            organization_uid=data["organizationUid"] or None,
        )


@strawberry.type
class CustomerAddress:
    uid: strawberry.ID
    type: CustomerAddressType
    display_name: str
    firstname: str
    lastname: str
    company_name: str
    address: str
    postal_code: str
    city: str
    country_code: str
    email: str
    phone: str

    @classmethod
    def from_json(cls, data: Json) -> CustomerAddress:
        return cls(
            uid=data["customerAddressUid"],
            type=CustomerAddressType(data["type"]),
            display_name=data["displayName"],
            firstname=data["firstname"],
            lastname=data["lastname"],
            company_name=data["companyName"],
            address=data["address"],
            postal_code=data["postalCode"],
            city=data["city"],
            country_code=data["countryCode"],
            email=data["email"],
            phone=data["phone"],
        )


@strawberry.type
class CustomerContact:
    uid: strawberry.ID
    display_name: str
    firstname: str
    lastname: str
    email: str
    mobile: str
    role: CustomerContactRole
    created_at: Instant
    last_modified_at: Instant
    extensions: list[CustomerExtension]

    @classmethod
    def from_json(cls, data: Json) -> CustomerContact:
        return cls(
            uid=data["customerContactUid"],
            display_name=data["displayName"],
            firstname=data["firstname"],
            lastname=data["lastname"],
            email=data["email"],
            mobile=data["mobile"],
            role=CustomerContactRole(data["role"]),
            created_at=data["createdAt"],
            last_modified_at=data["lastModifiedAt"],
            extensions=[CustomerExtension.from_json(each) for each in data["extensions"]],
        )


@strawberry.type
class CustomerConsent:
    uid: strawberry.ID
    name: str
    status: bool
    source: str
    created_at: Instant

    @classmethod
    def from_json(cls, data: Json) -> CustomerConsent:
        return cls(
            uid=data["consentUid"],
            name=data["name"],
            status=data["status"],
            source=data["source"],
            created_at=data["createdAt"],
        )


@strawberry.type
class CustomerCredit:
    limit: BigInt
    balance: BigInt


@strawberry.type
class AccountManager:
    tenant_user_uid: strawberry.ID | None
    display_name: str
    user_code: str


@strawberry.type
class CustomerStore:
    uid: strawberry.ID
    name: str


@strawberry.type
class CustomerEhf:
    enabled: bool
    address: str


@strawberry.type
class Customer:
    uid: strawberry.ID
    customer_type: CustomerType
    display_name: str
    firstname: str
    lastname: str
    company_name: str
    email: str
    mobile: str
    address: str
    postal_code: str
    city: str
    country_code: str
    vat_number: str
    external_id: str
    origin: str
    created_at: Instant
    last_modified_at: Instant
    addresses: list[CustomerAddress]
    contacts: list[CustomerContact]
    extensions: list[CustomerExtension]
    consents: list[CustomerConsent]
    parent_uid: strawberry.ID | None
    pricelist_uid: strawberry.ID | None
    loyalty_id: str
    credit: CustomerCredit
    payment_terms: int
    internal_note: str
    account_manager: AccountManager
    default_store: CustomerStore
    relevance: float
    ehf: CustomerEhf
    ehf_enabled: bool
    ledger_number: str
    customer_group_uids: list[strawberry.ID]

    @classmethod
    def from_json(cls, data: Json) -> Customer:
        manager = data["accountManager"]
        return cls(
            uid=data["customerUid"],
            customer_type=CustomerType(data["customerType"]),
            display_name=data["displayName"],
            firstname=data["firstname"],
            lastname=data["lastname"],
            company_name=data["companyName"],
            email=data["email"],
            mobile=data["mobile"],
            address=data["address"],
            postal_code=data["postalCode"],
            city=data["city"],
            country_code=data["countryCode"],
            vat_number=data["vatNumber"],
            external_id=data["externalId"],
            origin=data["origin"],
            created_at=data["createdAt"],
            last_modified_at=data["lastModifiedAt"],
            addresses=[CustomerAddress.from_json(each) for each in data["addresses"]],
            contacts=[CustomerContact.from_json(each) for each in data["contacts"]],
            extensions=[CustomerExtension.from_json(each) for each in data["extensions"]],
            consents=[CustomerConsent.from_json(each) for each in data["consents"]],
            parent_uid=data["customerParentUid"] or None,
            pricelist_uid=data["pricelistUid"] or None,
            loyalty_id=data["loyaltyId"],
            credit=CustomerCredit(**data["credit"]),
            payment_terms=data["paymentTerms"],
            internal_note=data["internalNote"],
            account_manager=AccountManager(
                tenant_user_uid=manager["tenantUserUid"] or None,
                display_name=manager["displayName"],
                user_code=manager["userCode"],
            ),
            default_store=CustomerStore(
                uid=data["defaultStore"]["storeUid"], name=data["defaultStore"]["name"]
            ),
            relevance=data["relevance"],
            ehf=CustomerEhf(**data["ehf"]),
            ehf_enabled=data["ehfEnabled"],
            ledger_number=data["ledgerNumber"],
            customer_group_uids=data["customerGroupUids"],
        )

    @strawberry.field
    def id(self) -> strawberry.ID:
        text = f"Customer:{TENANT}:{self.uid}"
        return strawberry.ID(base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))

    @strawberry.field
    def tenant_uid(self) -> strawberry.ID:
        return strawberry.ID(TENANT)

    @strawberry.field
    async def customer_groups(self, info: Info) -> list[CustomerGroup]:
        return [await get_group(info, uid) for uid in self.customer_group_uids]


@strawberry.type
class CustomerConnection:
    nodes: list[Customer]


@strawberry.type
class CustomerGroup:
    uid: strawberry.ID
    name: str
    created_at: Instant
    created_by: str
    last_modified_at: Instant
    last_modified_by: str

    @classmethod
    def from_json(cls, data: Json) -> CustomerGroup:
        return cls(
            uid=data["customerGroupUid"],
            name=data["name"],
            created_at=data["createdAt"],
            created_by=data["createdBy"],
            last_modified_at=data["lastModifiedAt"],
            last_modified_by=data["lastModifiedBy"],
        )

    @strawberry.field
    async def customers(self, info: Info, first: int = 20) -> CustomerConnection:
        data = await get(info, f"{URL}/{self.uid}/customers?pageNumber=1&pageSize={first}")
        return CustomerConnection(nodes=[Customer.from_json(item) for item in data["items"]])


@strawberry.type
class CustomerGroupConnection:
    nodes: list[CustomerGroup]


async def get(info: Info, url: str) -> Json:
    response = await info.context["client"].get(url)
    response.raise_for_status()
    data: Json = response.json()
    return data


async def get_group(info: Info, uid: str) -> CustomerGroup:
    return CustomerGroup.from_json(await get(info, f"{URL}/{uid}"))


@strawberry.input
class CustomerGroupBy:
    uid: strawberry.ID


@strawberry.type
class Query:
    @strawberry.field
    async def customer_groups(self, info: Info, first: int = 20) -> CustomerGroupConnection:
        data = await get(info, f"{URL}?pageNumber=1&pageSize={first}")
        groups = [CustomerGroup.from_json(item) for item in data["items"]]
        return CustomerGroupConnection(nodes=groups)

    @strawberry.field
    async def customer_group(self, info: Info, by: CustomerGroupBy) -> CustomerGroup:
        return await get_group(info, by.uid)


@strawberry.enum
class MemberAction(Enum):
    ADD = "ADD"
    REMOVE = "REMOVE"


@strawberry.enum
class MemberStatus(Enum):
    ACCEPTED = "ACCEPTED"
    FAILED = "FAILED"


@strawberry.type
class MemberResult:
    customer_uid: strawberry.ID
    action: MemberAction
    status: MemberStatus


@strawberry.type
class UserError:
    code: str


@strawberry.type
class CustomerGroupMembersPayload:
    results: list[MemberResult]
    user_errors: list[UserError]


@strawberry.input
class UpdateCustomerGroupMembersInput:
    customer_group: CustomerGroupBy
    add_customer_uids: list[strawberry.ID]


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def update_customer_group_members(
        self, info: Info, input: UpdateCustomerGroupMembersInput
    ) -> CustomerGroupMembersPayload:
        url = f"{URL}/{input.customer_group.uid}/customers"
        uids, results = input.add_customer_uids, []
        for at in range(0, len(uids), CHUNK):
            chunk = uids[at : at + CHUNK]
            response = await info.context["client"].put(url, json={"addCustomerUids": chunk})
            status = MemberStatus.ACCEPTED if response.is_success else MemberStatus.FAILED
            results += [
                MemberResult(customer_uid=uid, action=MemberAction.ADD, status=status)
                for uid in chunk
            ]
        return CustomerGroupMembersPayload(results=results, user_errors=[])


class App(GraphQL):
    async def get_context(self, request: Any, response: Any) -> Json:
        client = httpx.AsyncClient(headers={"Authorization": request.headers["Authorization"]})
        response.background = BackgroundTask(client.aclose)
        return {"client": client}


schema = strawberry.Schema(
    Query,
    Mutation,
    config=StrawberryConfig(scalar_map={Instant: DateTime, BigInt: Long}),
)

if __name__ == "__main__":
    uvicorn.run(App(schema, graphql_ide=None), port=int(os.environ["PORT"]), log_level="warning")
