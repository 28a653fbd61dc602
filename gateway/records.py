"""What backends answer with. GraphQL types are views over these; adapters decode response bytes
straight into them.

Every field but the identifiers, a group's name and the lists may be None: the published REST
contracts mark fields "required" that their own examples leave out. A leaf that the upstream sent
in the wrong type holds the InvalidAnswer that says so, which becomes that leaf's error (see
gateway.rest.decoding).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from gateway.errors import GatewayError
from gateway.rest.decoding import Decoded
from gateway.rest.decoding import Omission as Omission
from gateway.rest.decoding import Repaired as Repaired
from gateway.rest.decoding import RepairedText as RepairedText

Instant = Annotated[datetime, Meta(tz=True)]
Uid = Annotated[str, Meta(min_length=1)]
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Number = Annotated[float, Meta(ge=-1.7976931348623157e308, le=1.7976931348623157e308)]
"""A float that JSON can show: neither infinite nor NaN."""


class OpenEnum(Enum):
    """An enum that upstreams extend ahead of their documents; it has a member UNRECOGNIZED."""

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum:
        return cls["UNRECOGNIZED"]


class CustomerType(OpenEnum):
    COMPANY = "COMPANY"
    PERSON = "PERSON"
    B2B = "B2B"
    UNRECOGNIZED = "UNRECOGNIZED"


class CustomerAddressType(OpenEnum):
    DELIVERY_ADDRESS = "DELIVERY_ADDRESS"
    INVOICE_ADDRESS = "INVOICE_ADDRESS"
    UNRECOGNIZED = "UNRECOGNIZED"


class CustomerContactRole(OpenEnum):
    ADMIN = "ADMIN"
    PURCHASER = "PURCHASER"
    ACCOUNTING = "ACCOUNTING"
    NONE = "NONE"
    UNRECOGNIZED = "UNRECOGNIZED"


class CustomerExtensionCode(OpenEnum):
    TWO_INVOICE = "TWO_INVOICE"
    KLAVIYO_PROFILE_ID = "KLAVIYO_PROFILE_ID"
    UNRECOGNIZED = "UNRECOGNIZED"


class Record(Decoded, frozen=True, kw_only=True):
    """The base of all records."""


PropertyT = TypeVar("PropertyT", bound=Callable[..., Any])


def reads(*fields: str) -> Callable[[PropertyT], PropertyT]:
    """Says beside a property of a record which fields it is made of: all others may not be read."""

    def declare(get: PropertyT) -> PropertyT:
        get.__dict__["reads"] = fields
        return get

    return declare


def made_of(record: type[Record], name: str) -> Sequence[str]:
    """The fields that the attribute `name` is made of: itself, or what its property declares.

    Raises AttributeError where the record has no such attribute.
    """
    if name in record.__struct_fields__:
        return (name,)
    declared: Sequence[str] = getattr(record, name).fget.reads
    return declared


class CommercetoolsCustomerCustomFields(Record, frozen=True, kw_only=True):
    """The values of a resource's custom fields, as they are in JSON, and the Type that defines
    them.
    """

    type_id: str
    fields: Mapping[str, Any]


class CommercetoolsCustomerGroup(Record, frozen=True, kw_only=True):
    """What only commercetools has of a group."""

    version: int
    custom: CommercetoolsCustomerCustomFields | None = None


class CommercetoolsCustomer(Record, frozen=True, kw_only=True):
    """What only commercetools has of a customer."""

    version: int
    key: str | None = None
    customer_number: str | None = None
    custom: CommercetoolsCustomerCustomFields | None = None


class CustomerGroup(Record, frozen=True, kw_only=True):
    """A named set of customers of one tenant."""

    tenant_uid: str = ""  # from the request, not from the answer; set by the adapter
    uid: Uid
    name: str
    key: str | None = None
    version: int | None = None
    created_at: Instant | None = None
    created_by: str | None = None
    last_modified_at: Instant | None = None
    last_modified_by: str | None = None
    commercetools: CommercetoolsCustomerGroup | None = None

    @property
    @reads(
        "version", "name", "key", "created_by", "last_modified_by", "created_at", "last_modified_at"
    )
    def revision(self) -> str:
        """The opaque token of this state: the backend's version, else a fingerprint of all that can
        be seen. Where the version can't be read, its error.
        """
        if isinstance(self.version, GatewayError):
            return self.version
        if self.version is not None:
            return f"v{self.version}"
        times = (self.created_at, self.last_modified_at)
        seen = [self.name, self.key, self.created_by, self.last_modified_by, *map(_shown, times)]
        state = msgspec.json.encode(seen, enc_hook=str)
        return "f" + hashlib.blake2b(state, digest_size=12).hexdigest()


def _shown(instant: object) -> object:
    """An instant as clients see it: in milliseconds, whatever its offset."""
    if isinstance(instant, datetime):
        return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return instant


class CustomerExtension(Record, frozen=True, kw_only=True):
    code: CustomerExtensionCode | None = None
    organization_uid: str | None = None


class CustomerAddress(Record, frozen=True, kw_only=True):
    uid: str
    type: CustomerAddressType | None = None
    display_name: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    company_name: str | None = None
    address: str | None = None
    postal_code: str | None = None
    city: str | None = None
    country_code: str | None = None
    email: str | None = None
    phone: str | None = None


class CustomerContact(Record, frozen=True, kw_only=True):
    uid: str
    display_name: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    email: str | None = None
    mobile: str | None = None
    role: CustomerContactRole | None = None
    created_at: Instant | None = None
    last_modified_at: Instant | None = None
    extensions: tuple[CustomerExtension, ...] = ()


class CustomerConsent(Record, frozen=True, kw_only=True):
    uid: str
    name: str | None = None
    status: bool | None = None
    source: str | None = None
    created_at: Instant | None = None


class CustomerCredit(Record, frozen=True, kw_only=True):
    """Integers exactly as the REST API returns them; their unit is not documented."""

    limit: Int64 | None = None
    balance: Int64 | None = None


class CustomerAccountManager(Record, frozen=True, kw_only=True):
    tenant_user_uid: str | None = None
    display_name: str | None = None
    user_code: str | None = None


class CustomerEhf(Record, frozen=True, kw_only=True):
    """Elektronisk handelsformat, the Norwegian e-invoice."""

    enabled: bool | None = None
    address: str | None = None


class CustomerStore(Record, frozen=True, kw_only=True):
    uid: str
    name: str | None = None


class Customer(Record, frozen=True, kw_only=True):
    """A person or company of one tenant."""

    tenant_uid: str = ""  # from the request, not from the answer; set by the adapter
    uid: Uid
    customer_type: CustomerType | None = None
    display_name: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    company_name: str | None = None
    email: str | None = None
    mobile: str | None = None
    address: str | None = None
    postal_code: str | None = None
    city: str | None = None
    country_code: str | None = None
    vat_number: str | None = None
    external_id: str | None = None
    origin: str | None = None
    created_at: Instant | None = None
    last_modified_at: Instant | None = None
    addresses: tuple[CustomerAddress, ...] = ()
    contacts: tuple[CustomerContact, ...] = ()
    extensions: tuple[CustomerExtension, ...] = ()
    consents: tuple[CustomerConsent, ...] = ()
    parent_uid: str | None = None
    pricelist_uid: str | None = None
    loyalty_id: str | None = None
    credit: CustomerCredit | None = None
    payment_terms: Int32 | None = None
    internal_note: str | None = None
    account_manager: CustomerAccountManager | None = None
    default_store: CustomerStore | None = None
    relevance: Number | None = None
    ehf: CustomerEhf | None = None
    ehf_enabled: bool | None = None
    ledger_number: str | None = None
    customer_group_uids: tuple[str, ...] = ()
    commercetools: CommercetoolsCustomer | None = None


class Tenant(Record, frozen=True, kw_only=True):
    """Whose data: a Flow Retail tenantUid or a commercetools project."""

    by_value: ClassVar[bool] = True
    uid: str


RowT = TypeVar("RowT")


class Row(Struct, Generic[RowT], frozen=True):
    """One row of a list and where in the whole list it stands, counted from 0."""

    offset: int
    record: RowT


class Drift(Struct, frozen=True):
    """What was seen of rows that moved (INSERTED, REMOVED, REPEATED), and in one sentence what was
    done.
    """

    found: str
    done: str


class Page(Struct, Generic[RowT], frozen=True, kw_only=True):
    """The rows of one window, in order.

    `total` is None where the upstream did not say. `omissions` are parts of the answer that were
    left out; `remarks`, what else is to be said beside it: drift, and what has a `failure`.
    """

    rows: Sequence[Row[RowT]]
    total: int | None
    has_next: bool
    has_previous: bool
    omissions: Sequence[Omission] = ()
    remarks: Sequence[Any] = ()
    estimated: bool = False
    """Whether the rows' offsets are counted back from a total that is an estimate."""


@dataclass(frozen=True, slots=True)
class Projection:
    """The fields of records that have to be read for an operation; made by `reading`.

    A page of full records costs several times what the few fields cost that are shown of it. A
    backend may leave the others at their defaults in what it reads. Projections of the same fields
    are equal: what is made for one serves the other.
    """

    fields: frozenset[tuple[type[Record], frozenset[str]]]

    @classmethod
    def reading(cls, attributes: Mapping[type[Record], Collection[str]]) -> Projection:
        """The fields that these attributes of records show, or are made of.

        A record that is not named is read whole, in whatever it is nested. Names are a record's
        fields or properties; any other raises AttributeError: it would be a field that is never
        read.

        >>> seen = {Customer: ["email", "addresses"], CustomerAddress: ["city"]}
        >>> sorted(Projection.reading(seen).of(Customer) or ())
        ['addresses', 'email']
        """
        return cls(
            frozenset(
                (record, frozenset(field for name in names for field in made_of(record, name)))
                for record, names in attributes.items()
            )
        )

    def adding(self, record: type[Record], field: str) -> Projection:
        """These, and a field of `record`."""
        fields = self.of(record)
        if fields is None or field in fields:
            return self
        return Projection(self.fields - {(record, fields)} | {(record, fields | {field})})

    def of(self, record: type[Record]) -> frozenset[str] | None:
        """The fields of `record` that are looked at; None for all of them."""
        return next((fields for kind, fields in self.fields if kind is record), None)
