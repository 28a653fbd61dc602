"""commercetools' answers, in the names of its API reference, and the records they become.

Its resources are shaped otherwise than the schema (who created it is an object, a street and its
number are two fields, a customer's address is one of several), so a row is decoded first and then
put into a record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal, TypeVar, cast

from msgspec import Meta, field

from gateway.backends.wire import Wire
from gateway.errors import GatewayError, InvalidAnswer
from gateway.records import (
    CommercetoolsCustomer,
    CommercetoolsCustomerCustomFields,
    CommercetoolsCustomerGroup,
    Customer,
    CustomerAddress,
    CustomerAddressType,
    CustomerGroup,
    Instant,
    Int64,
    Projection,
    Record,
    Repaired,
    RepairedText,
    Uid,
)
from gateway.rest.decoding import LONGEST, Count, ItemT, Listing, ListingDecoder, RowDecoder

ValueT = TypeVar("ValueT")
MembershipMode = Literal["assignments", "legacy", "both"]
FEW: Final = 8


class Reference(Record, frozen=True, kw_only=True):
    id: str


class Actor(Record, frozen=True, kw_only=True, rename="camel"):
    """CreatedBy and LastModifiedBy: which of these are there depends on who it was."""

    user: Reference | None = None
    client_id: str | None = None
    external_user_id: str | None = None
    customer: Reference | None = None


class Custom(Record, frozen=True, kw_only=True):
    type: Reference
    fields: Annotated[dict[str, Any], Meta(max_length=LONGEST)] = field(default_factory=dict)


class _Resource(Record, frozen=True, kw_only=True, rename="camel"):
    id: Uid
    version: Int64 | None = None
    key: str | None = None
    created_at: Instant | None = None
    last_modified_at: Instant | None = None
    custom: Custom | None = None


class GroupRow(_Resource, frozen=True, kw_only=True, rename="camel"):
    name: str
    created_by: Actor | None = None
    last_modified_by: Actor | None = None


class AddressRow(Record, frozen=True, kw_only=True, rename="camel"):
    id: str
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    street_name: str | None = None
    street_number: str | None = None
    postal_code: str | None = None
    city: str | None = None
    country: str | None = None
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None


_NO_ADDRESS = AddressRow(id="")


class Assignment(Record, frozen=True, kw_only=True, rename="camel"):
    customer_group: Reference


class CustomerRow(_Resource, frozen=True, kw_only=True, rename="camel"):
    customer_number: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company_name: str | None = None
    email: str | None = None
    vat_id: str | None = None
    external_id: str | None = None
    addresses: tuple[AddressRow, ...] = ()
    default_billing_address_id: str | None = None
    billing_address_ids: tuple[str, ...] = ()
    shipping_address_ids: tuple[str, ...] = ()
    customer_group: Reference | None = None
    customer_group_assignments: tuple[Assignment, ...] = ()


class CommercetoolsListing(Listing[ItemT], frozen=True, kw_only=True):
    rows: list[ItemT] | None = field(name="results")
    total: Count | None = None
    limit: Count | None = None
    offset: Count | None = None
    count: Count | None = None


_HOME: Final = ("addresses", "default_billing_address_id")
_CUSTOMER_READS: Final[Mapping[str, Collection[str]]] = {
    "display_name": ["company_name", "first_name", "last_name"],
    "firstname": ["first_name"],
    "lastname": ["last_name"],
    "mobile": _HOME,
    "address": _HOME,
    "postal_code": _HOME,
    "city": _HOME,
    "country_code": _HOME,
    "vat_number": ["vat_id"],
    "addresses": [*_HOME, "billing_address_ids", "shipping_address_ids"],
    "customer_group_uids": ["customer_group_assignments", "customer_group"],
    "commercetools": ["version", "key", "customer_number", "custom"],
}
"""What of a row each field of the record is made of, unless it is the row's field of that name."""

_GROUP_READS: Final[Mapping[str, Collection[str]]] = {"commercetools": ["version", "custom"]}

_GROUP: Final = Wire(GroupRow)
_CUSTOMER: Final = Wire(CustomerRow)


class CommercetoolsDecoders:
    """Decoders that read what is selected, and what rows become; each is made once it is needed."""

    def __init__(self, projection: Projection | None) -> None:
        groups = None if projection is None else projection.of(CustomerGroup)
        customers = None if projection is None else projection.of(Customer)
        self._rows = Projection.reading(
            {
                row: [name for field in fields for name in reads.get(field, _same(row, field))]
                for row, fields, reads in (
                    (GroupRow, groups, _GROUP_READS),
                    (CustomerRow, customers, _CUSTOMER_READS),
                )
                if fields is not None
            }
        )
        self._groups_show = CustomerGroup.__struct_fields__ if groups is None else groups
        self._customers_show = Customer.__struct_fields__ if customers is None else customers

    @cached_property
    def group(self) -> RowDecoder[GroupRow]:
        return RowDecoder(_GROUP.reading(self._rows))

    @cached_property
    def group_by_key(self) -> RowDecoder[GroupRow]:
        """Reads the key too, whatever is selected: it shows whether this is the right group."""
        selected = self._rows.of(GroupRow)
        if selected is None:
            return self.group
        return RowDecoder(_GROUP.reading(Projection.reading({GroupRow: [*selected, "key"]})))

    @cached_property
    def groups(self) -> ListingDecoder[GroupRow]:
        return ListingDecoder(CommercetoolsListing, _GROUP.reading(self._rows))

    @cached_property
    def customers(self) -> ListingDecoder[CustomerRow]:
        return ListingDecoder(CommercetoolsListing, _CUSTOMER.reading(self._rows))

    def group_record(self, row: GroupRow, tenant_uid: str) -> CustomerGroup:
        facet = None
        if "commercetools" in self._groups_show:
            facet = CommercetoolsCustomerGroup(
                version=_version(row.version), custom=_custom(row.custom)
            )
        return CustomerGroup(
            tenant_uid=tenant_uid,
            uid=row.id,
            name=row.name,
            key=row.key,
            version=_version(row.version) if "version" in self._groups_show else None,
            created_at=row.created_at,
            created_by=_actor(row.created_by),
            last_modified_at=row.last_modified_at,
            last_modified_by=_actor(row.last_modified_by),
            commercetools=facet,
        )

    def customer_record(self, row: CustomerRow, tenant_uid: str, mode: MembershipMode) -> Customer:
        """The customer; its own address is the default billing address, else the first.

        What takes time to make is made only if it is looked at.
        """
        shown = self._customers_show
        home = row.addresses[0] if row.addresses else _NO_ADDRESS
        for address in row.addresses:
            if address.id == row.default_billing_address_id:
                home = address
                break
        name, facet = None, None
        if "display_name" in shown:
            name = _display_name(row.company_name, row.first_name, row.last_name)
        if "commercetools" in shown:
            facet = CommercetoolsCustomer(
                version=_version(row.version),
                key=row.key,
                customer_number=row.customer_number,
                custom=_custom(row.custom),
            )
        return Customer(
            tenant_uid=tenant_uid,
            uid=row.id,
            display_name=name,
            firstname=row.first_name,
            lastname=row.last_name,
            company_name=row.company_name,
            email=row.email,
            mobile=home.mobile,
            address=_joined(home.street_name, home.street_number),
            postal_code=home.postal_code,
            city=home.city,
            country_code=home.country,
            vat_number=row.vat_id,
            external_id=row.external_id,
            created_at=row.created_at,
            last_modified_at=row.last_modified_at,
            addresses=_addresses(row) if "addresses" in shown and row.addresses else (),
            customer_group_uids=group_uids(row, mode) if "customer_group_uids" in shown else (),
            commercetools=facet,
        )


WHOLE: Final = CommercetoolsDecoders(None)


def _same(row: type[Record], field: str) -> Collection[str]:
    return [field] if field in row.__struct_fields__ else ()


def group_uids(row: CustomerRow, mode: MembershipMode) -> tuple[str, ...]:
    """The groups that the customer is in, by the fields that `mode` counts."""
    uids: list[str] = []
    if mode != "legacy":
        uids += [assignment.customer_group.id for assignment in row.customer_group_assignments]
    if mode != "assignments" and (older := _usable(row.customer_group)) is not None:
        uids.append(older.id)
    return tuple(dict.fromkeys(uids))


def _addresses(row: CustomerRow) -> tuple[CustomerAddress, ...]:
    invoice: Collection[str] = row.billing_address_ids
    delivery: Collection[str] = row.shipping_address_ids
    if len(row.addresses) > FEW:  # else it takes longer to make them than to go through
        invoice, delivery = frozenset(invoice), frozenset(delivery)
    made = []
    for address in row.addresses:
        kind = None
        if address.id in invoice or address.id == row.default_billing_address_id:
            kind = CustomerAddressType.INVOICE_ADDRESS
        elif address.id in delivery:
            kind = CustomerAddressType.DELIVERY_ADDRESS
        made.append(_address(address, kind))
    return tuple(made)


def _address(address: AddressRow, kind: CustomerAddressType | None) -> CustomerAddress:
    return CustomerAddress(
        uid=address.id,
        type=kind,
        display_name=_display_name(address.company, address.first_name, address.last_name),
        firstname=address.first_name,
        lastname=address.last_name,
        company_name=address.company,
        address=_joined(address.street_name, address.street_number),
        postal_code=address.postal_code,
        city=address.city,
        country_code=address.country,
        email=address.email,
        phone=address.phone,
    )


def _usable(value: ValueT | None) -> ValueT | None:
    """`value`, unless it is the error of a leaf that could not be decoded."""
    return None if isinstance(value, GatewayError) else value


def _display_name(company: str | None, first: str | None, last: str | None) -> str | None:
    if company and (type(company) is str or isinstance(company, str)):  # nearly always the first
        return company
    return _joined(first, last) or company or None


def _joined(first: str | None, second: str | None) -> str | None:
    """The usable parts; where there are none, the error that is the value of one."""
    if type(first) is str and type(second) is str and first and second:
        return f"{first} {second}"  # as nearly all are, and there are a thousand in an answer
    if isinstance(first, str) and isinstance(second, str) and first and second:
        return _as_repaired(f"{first} {second}", first, second)
    return _usable(first) or _usable(second) or first or second or None


def _as_repaired(text: str, *parts: str) -> str:
    """`text`, as repaired if one of its parts is."""
    for part in parts:
        if isinstance(part, Repaired):
            made = RepairedText(text)
            made.how = part.how
            return made
    return text


def _version(given: int | None) -> int:
    # The error of a leaf that can't be null is its value.
    return cast("int", InvalidAnswer("The backend sent no version.")) if given is None else given


def _actor(given: Actor | None) -> str | None:
    if not isinstance(given, Actor):
        return given  # None, or the leaf's error, which is its value
    actors = (given.user, given.customer, given.client_id, given.external_user_id)
    ids: list[Any] = [getattr(actor, "id", actor) for actor in actors]
    return next(filter(_usable, ids), None) or next(filter(None, ids), None)


def _custom(given: Custom | None) -> CommercetoolsCustomerCustomFields | None:
    if not isinstance(given, Custom):
        return given
    if isinstance(given.fields, GatewayError):
        return cast("None", given.fields)
    return CommercetoolsCustomerCustomFields(type_id=given.type.id, fields=given.fields)
