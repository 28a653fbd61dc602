"""Customers, as they stand in a group: views over their records."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.federation.schema_directives import Key

from gateway import records
from gateway.backends.port import ById
from gateway.engine import LOOKS_AT, Fetched
from gateway.loading.reads import GroupOf
from gateway.schema.commercetools import CommercetoolsCustomer
from gateway.schema.enums import (
    CustomerAddressType,
    CustomerContactRole,
    CustomerExtensionCode,
    CustomerType,
)
from gateway.schema.relay import NO_ID, Info, global_id
from gateway.schema.scalars import Long
from gateway.schema.sdl import PERSONAL, personal

if TYPE_CHECKING:
    from gateway.schema.customer_group import CustomerGroup


@strawberry.federation.type(
    shareable=True,
    description=f"An extension that is switched on for a customer or contact. {NO_ID}",
)
class CustomerExtension:
    code: CustomerExtensionCode | None = strawberry.field(description="Which extension.")
    organization_uid: strawberry.ID | None = strawberry.field(
        description="The organisation that it is switched on with; null where there is none."
    )


@strawberry.federation.type(
    shareable=True, tags=PERSONAL, description=f"One of a customer's addresses. {NO_ID}"
)
class CustomerAddress:
    uid: strawberry.ID = strawberry.field(description="The backend's own identifier.")
    type: CustomerAddressType | None = strawberry.field(description="What it is for.")
    display_name: str | None = strawberry.field(description="The name that is shown.")
    firstname: str | None = strawberry.field(description="First name of the receiver.")
    lastname: str | None = strawberry.field(description="Last name of the receiver.")
    company_name: str | None = strawberry.field(description="Company of the receiver.")
    address: str | None = strawberry.field(description="Street and number.")
    postal_code: str | None = strawberry.field(description="Postal code.")
    city: str | None = strawberry.field(description="Town or city.")
    country_code: str | None = strawberry.field(description="ISO 3166-1 alpha-2.")
    email: str | None = strawberry.field(description="E-mail address there.")
    phone: str | None = strawberry.field(description="Phone number there.")


@strawberry.federation.type(
    shareable=True, tags=PERSONAL, description=f"A person who acts for a customer. {NO_ID}"
)
class CustomerContact:
    uid: strawberry.ID = strawberry.field(description="The backend's own identifier.")
    display_name: str | None = strawberry.field(description="The name that is shown.")
    firstname: str | None = strawberry.field(description="First name.")
    lastname: str | None = strawberry.field(description="Last name.")
    email: str | None = strawberry.field(description="E-mail address.")
    mobile: str | None = strawberry.field(description="Mobile phone number.")
    role: CustomerContactRole | None = strawberry.field(
        description="What the contact does for the customer."
    )
    created_at: datetime | None = strawberry.field(description="When it was created.")
    last_modified_at: datetime | None = strawberry.field(description="When it last changed.")
    extensions: list[CustomerExtension] = strawberry.field(
        description="Extensions that are switched on for this contact."
    )


@strawberry.federation.type(
    shareable=True,
    tags=PERSONAL,
    description=f"Something that a customer has agreed to, or has not. {NO_ID}",
)
class CustomerConsent:
    uid: strawberry.ID = strawberry.field(description="The backend's own identifier.")
    name: str | None = strawberry.field(description="What it is about.")
    status: bool | None = strawberry.field(description="Whether the customer agrees.")
    source: str | None = strawberry.field(description="Where the customer said so.")
    created_at: datetime | None = strawberry.field(description="When the customer said so.")


@strawberry.federation.type(
    shareable=True,
    tags=PERSONAL,
    description="Integers exactly as the REST API returns them; their unit is not documented. "
    + NO_ID,
)
class CustomerCredit:
    limit: Long | None = strawberry.field(description="How much credit the customer has.")
    balance: Long | None = strawberry.field(description="How much of it stands open.")


@strawberry.federation.type(
    shareable=True, tags=PERSONAL, description=f"The colleague who looks after a customer. {NO_ID}"
)
class CustomerAccountManager:
    tenant_user_uid: strawberry.ID | None = strawberry.field(
        description="The tenant's user; null where there is none."
    )
    display_name: str | None = strawberry.field(description="The name that is shown.")
    user_code: str | None = strawberry.field(description="The user's short code.")


@strawberry.federation.type(
    shareable=True,
    tags=PERSONAL,
    description=f"EHF, the Norwegian format for electronic invoices. {NO_ID}",
)
class CustomerEhf:
    enabled: bool | None = strawberry.field(description="Whether the customer gets invoices so.")
    address: str | None = strawberry.field(description="Where they are sent.")


@strawberry.federation.type(shareable=True, description=f"A store of the tenant. {NO_ID}")
class CustomerStore:
    uid: strawberry.ID = strawberry.field(description="The backend's own identifier.")
    name: str | None = strawberry.field(description="The store's name.")


@strawberry.federation.type(
    directives=[
        Key(fields="id", resolvable=False),  # type: ignore[arg-type]  # a FieldSet is a string
        Key(fields="tenantUid uid", resolvable=False),  # type: ignore[arg-type]
    ],
    shareable=True,
    description="A person or company.",
)
class Customer:
    uid: strawberry.ID = strawberry.field(description="Flow Retail customerUid; commercetools id.")
    tenant_uid: strawberry.ID = strawberry.field(description="The tenant that it belongs to.")
    customer_type: CustomerType | None = strawberry.field(description="What the customer is.")
    display_name: str | None = personal(description="The name that is shown.")
    firstname: str | None = personal(description="First name.")
    lastname: str | None = personal(description="Last name.")
    company_name: str | None = personal(description="The company's name.")
    email: str | None = personal(description="E-mail address.")
    mobile: str | None = personal(description="Mobile phone number.")
    address: str | None = personal(description="Street and number.")
    postal_code: str | None = personal(description="Postal code.")
    city: str | None = personal(description="Town or city.")
    country_code: str | None = strawberry.field(description="ISO 3166-1 alpha-2.")
    vat_number: str | None = personal(
        description="VAT identification number, for value added tax reporting."
    )
    external_id: str | None = personal(description="The customer's identifier in another system.")
    origin: str | None = strawberry.field(description="Where the customer's data came from.")
    created_at: datetime | None = strawberry.field(description="When it was created.")
    last_modified_at: datetime | None = strawberry.field(description="When it last changed.")
    addresses: list[CustomerAddress] = personal(
        description="Further addresses, for delivery and invoices."
    )
    contacts: list[CustomerContact] = personal(description="People who act for the customer.")
    extensions: list[CustomerExtension] = strawberry.field(
        description="Extensions that are switched on for the customer."
    )
    consents: list[CustomerConsent] = personal(
        description="What the customer has agreed to, or has not."
    )
    parent_uid: strawberry.ID | None = strawberry.field(
        description="The company that this customer is a department of; COMPANY only."
    )
    pricelist_uid: strawberry.ID | None = strawberry.field(
        description="The price list that the customer buys from; null where there is none."
    )
    loyalty_id: str | None = personal(description="Identifier in a loyalty scheme.")
    credit: CustomerCredit | None = personal(description="Credit that the customer has.")
    payment_terms: int | None = personal(
        description="As the REST API returns it; its unit is not documented."
    )
    internal_note: str | None = strawberry.federation.field(
        description="A note for the tenant's own people.", tags=["backoffice", *PERSONAL]
    )
    account_manager: CustomerAccountManager | None = strawberry.federation.field(
        description="The colleague who looks after the customer.", tags=["backoffice", *PERSONAL]
    )
    default_store: CustomerStore | None = strawberry.field(
        description="The store that the customer belongs to; null where there is none."
    )
    relevance: float | None = strawberry.field(
        description="As the REST API returns it; its meaning is not documented."
    )
    ehf: CustomerEhf | None = personal(description="Electronic invoices.")
    ehf_enabled: bool | None = strawberry.field(
        description="Whether electronic invoices are sent.",
        deprecation_reason="Use `ehf { enabled }`.",
    )
    ledger_number: str | None = personal(
        description="The customer's number in the ledger.",
        deprecation_reason="Flow Retail replaces it by accountingConfigs, "
        "which its published schema does not include yet.",
    )
    customer_group_uids: list[strawberry.ID] = strawberry.field(
        description="The groups that it is a member of. Free of REST calls: "
        "they are on the customer."
    )

    commercetools: CommercetoolsCustomer | None = strawberry.field(
        description="What only commercetools has; null for customers of other backends."
    )

    @strawberry.field(
        description="Opaque and unique over tenants and backends. Not refetchable: "
        "no documented REST call reads one customer.",
        metadata={LOOKS_AT: ()},
    )
    def id(customer: strawberry.Parent[records.Customer]) -> strawberry.ID:
        return global_id("Customer", customer.tenant_uid, customer.uid)

    @strawberry.field(
        description="Those groups, in that order; null where one is gone or may not be read. "
        "Batched over the whole operation.",
        extensions=[Fetched()],
        metadata={LOOKS_AT: ("customer_group_uids",)},
    )
    def customer_groups(
        customer: strawberry.Parent[records.Customer], info: Info
    ) -> list[Annotated[CustomerGroup, strawberry.lazy("gateway.schema.customer_group")] | None]:
        tenant_uid, uids = customer.tenant_uid, customer.customer_group_uids
        info.context.account.show(len(uids))
        return [GroupOf(tenant_uid, ById(uid)) for uid in uids]  # type: ignore[misc]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, records.Customer)
