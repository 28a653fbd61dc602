"""The answers to the workloads, computed from the data alone: nobody's answer is the measure."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from benchmarks.shop import TENANT, Json, Shop

_GROUP = ("name", "createdAt", "createdBy", "lastModifiedAt", "lastModifiedBy")
_CUSTOMER = (
    *("uid", "displayName", "firstname", "lastname", "companyName", "email", "mobile"),
    *("address", "postalCode", "city", "countryCode", "createdAt"),
)
_ADDRESS = ("uid", "type", "displayName", "address", "postalCode", "city", "countryCode")


class Answers:
    """`data` of each workload, by its variables."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._groups = {group["customerGroupUid"]: group for group in shop.groups}

    def listed(self, name: str) -> Json:
        """`name` is what the group's name goes by."""
        nodes = [_group(group) for group in self._shop.groups[:50]]
        return {"customerGroups": {"nodes": [_renamed(node, "name", name) for node in nodes]}}

    def nested(self, _variables: Json) -> Json:
        return _nested(
            (group["customerGroupUid"], group["name"], map(customer, self._members(group)[:20]))
            for group in self._shop.groups[:20]
        )

    def nested_commercetools(self, _variables: Json) -> Json:
        return _nested(
            (
                group["id"],
                group["name"],
                map(_ct_customer, self._shop.ct_members[group["id"]][:20]),
            )
            for group in self._shop.ct_groups[:20]
        )

    def their_groups(self, variables: Json) -> Json:
        members = self._shop.members[variables["uid"]][:50]
        return _members(
            {
                "uid": row["customerUid"],
                "displayName": row["displayName"],
                "customerGroups": [
                    {"uid": uid, "name": self._groups[uid]["name"]}
                    for uid in row["customerGroupUids"]
                ],
            }
            for row in members
        )

    def one(self, variables: Json) -> Json:
        return {"customerGroup": _group(self._groups[variables["uid"]])}

    def everything(self, variables: Json) -> Json:
        return _members(map(customer, self._shop.members[variables["uid"]]))

    def edit(self, variables: Json) -> Json:
        results = [
            {"customerUid": uid, "action": "ADD", "status": "ACCEPTED"} for uid in variables["uids"]
        ]
        return {"updateCustomerGroupMembers": {"results": results, "userErrors": []}}

    def _members(self, group: Json) -> list[Json]:
        return self._shop.members[group["customerGroupUid"]]


def _nested(groups: Iterable[tuple[str, str, Iterable[Json]]]) -> Json:
    nodes = [
        {
            "uid": uid,
            "name": name,
            "customers": {
                "nodes": [
                    _picked(row, _CUSTOMER)
                    | {"addresses": [_picked(address, _ADDRESS) for address in row["addresses"]]}
                    for row in customers
                ]
            },
        }
        for uid, name, customers in groups
    ]
    return {"customerGroups": {"nodes": nodes}}


def _members(customers: Iterable[Json]) -> Json:
    return {"customerGroup": {"customers": {"nodes": list(customers)}}}


def _group(group: Json) -> Json:
    return {"uid": group["customerGroupUid"], **_picked(group, _GROUP)}


def customer(row: Json) -> Json:
    """Flow Retail's customer as the schema shows it: other names, and null for an empty uid."""
    shown = _renamed(row, "customerUid", "uid")
    shown = _renamed(shown, "customerParentUid", "parentUid")
    return shown | {
        "id": _global_id("Customer", row["customerUid"]),
        "tenantUid": TENANT,
        "addresses": [_renamed(each, "customerAddressUid", "uid") for each in row["addresses"]],
        "contacts": [
            _renamed(each, "customerContactUid", "uid")
            | {"extensions": list(map(_extension, each["extensions"]))}
            for each in row["contacts"]
        ],
        "extensions": list(map(_extension, row["extensions"])),
        "consents": [_renamed(each, "consentUid", "uid") for each in row["consents"]],
        "parentUid": row["customerParentUid"] or None,
        "pricelistUid": row["pricelistUid"] or None,
        "accountManager": row["accountManager"]
        | {"tenantUserUid": row["accountManager"]["tenantUserUid"] or None},
        "defaultStore": _renamed(row["defaultStore"], "storeUid", "uid"),
    }


def _extension(each: Json) -> Json:
    return {"code": each["extensionCode"], "organizationUid": each["organizationUid"] or None}


def _ct_customer(row: Json) -> Json:
    billing = row["defaultBillingAddressId"]
    home = next(address for address in row["addresses"] if address["id"] == billing)
    return {
        "uid": row["id"],
        "displayName": row["companyName"],
        "firstname": row["firstName"],
        "lastname": row["lastName"],
        "companyName": row["companyName"],
        "email": row["email"],
        "mobile": home["mobile"],
        **_ct_place(home),
        "createdAt": row["createdAt"],
        "addresses": [
            {
                "uid": address["id"],
                "type": "INVOICE_ADDRESS" if address["id"] == billing else "DELIVERY_ADDRESS",
                "displayName": address["company"],
                **_ct_place(address),
            }
            for address in row["addresses"]
        ],
    }


def _ct_place(address: Json) -> Json:
    return {
        "address": f"{address['streetName']} {address['streetNumber']}",
        "postalCode": address["postalCode"],
        "city": address["city"],
        "countryCode": address["country"],
    }


def _picked(row: Json, names: Iterable[str]) -> Json:
    return {name: row[name] for name in names}


def _renamed(row: Json, old: str, new: str) -> Json:
    return {new if name == old else name: value for name, value in row.items()}


def _global_id(kind: str, uid: str) -> str:
    return base64.urlsafe_b64encode(f"{kind}:{TENANT}:{uid}".encode()).decode().rstrip("=")
