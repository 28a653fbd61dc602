"""The data behind every peer: full-size records of both systems, the same ones every time.

A customer is 2.7 KB in Flow Retail and 2.1 KB in commercetools, with every field filled in:
a page of 20 is about 50 KB, of which an operation shows a part.
"""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

TENANT = "bench"
PROJECT = "bench-ct"
"""The tenant of ours that is in commercetools; also the projectKey."""
GROUPS = 240
MEMBERS = 100
"""Members of each group that has any."""
WITH_MEMBERS = 20
"""The first groups of the list have members; so has `CLUB`."""
CLUB = 100
"""The place in the list of the group whose members are in 20 distinct groups."""

_FIRST = ("Åse", "Ingrid", "Bjørn", "Sigrid", "Øyvind", "Kristin", "Håkon", "Marit", "Lars", "Liv")
_LAST = ("Nordmann", "Sæther", "Bjørnstad", "Haugen", "Østby", "Lindqvist", "Halvorsen", "Aas")
_STREETS = ("Storgata", "Kongens gate", "Kirkeveien", "Strandpromenaden", "Industriveien")
_CITIES = (("0155", "Oslo"), ("5014", "Bergen"), ("7011", "Trondheim"), ("4006", "Stavanger"))

Json = dict[str, Any]


class Shop:
    """One tenant's groups and customers, as Flow Retail and as commercetools print them."""

    def __init__(self) -> None:
        self._dice = random.Random(20)  # noqa: S311  # a seed has to give the same shop again
        self.groups = [self._group(number) for number in range(GROUPS)]
        self.uids = [group["customerGroupUid"] for group in self.groups]
        self.club = self.uids[CLUB]
        few = self._dice.sample(self.uids, 20)
        self.members: dict[str, list[Json]] = {}
        for uid in self.uids[:WITH_MEMBERS]:
            self.members[uid] = [
                self._customer([uid, *self._dice.sample(self.uids, n % 4)]) for n in range(MEMBERS)
            ]
        self.members[self.club] = [
            self._customer([few[n % 20], *self._dice.sample(few, n % 3)]) for n in range(MEMBERS)
        ]
        # Only sorting by id makes windows in commercetools; so the lists stand in that order.
        self.ct_groups = [_ct_group(group) for group in sorted(self.groups, key=_group_uid)]
        self.ct_members = {
            group["id"]: sorted(
                map(_ct_customer, self.members[self.uids[n]]), key=lambda row: str(row["id"])
            )
            for n, group in enumerate(self.ct_groups[:WITH_MEMBERS])
        }

    def _uid(self) -> str:
        return str(UUID(int=self._dice.getrandbits(128), version=4))

    def _time(self) -> str:
        d = self._dice.randrange
        return (
            f"20{d(21, 26)}-{d(1, 13):02}-{d(1, 29):02}"
            f"T{d(24):02}:{d(60):02}:{d(60):02}.{d(1000):03}Z"
        )

    def _group(self, number: int) -> Json:
        return {
            "customerGroupUid": self._uid(),
            "name": f"Kundeklubb {self._dice.choice(_CITIES)[1]} {number:03}",
            "createdBy": self._uid(),
            "createdAt": self._time(),
            "lastModifiedBy": self._uid(),
            "lastModifiedAt": self._time(),
        }

    def _address(self, kind: str, first: str, last: str, company: str) -> Json:
        postal_code, city = self._dice.choice(_CITIES)
        return {
            "address": f"{self._dice.choice(_STREETS)} {self._dice.randrange(1, 140)}",
            "city": city,
            "companyName": company,
            "firstname": first,
            "lastname": last,
            "countryCode": "NO",
            "email": f"levering.{self._dice.randrange(10**6)}@example.org",
            "phone": f"+47 00{self._dice.randrange(10**6):06}",
            "postalCode": postal_code,
            "type": kind,
            "customerAddressUid": self._uid(),
            "displayName": f"{first} {last}, {company}",
        }

    def _customer(self, groups: list[str]) -> Json:
        dice = self._dice
        first, last = dice.choice(_FIRST), dice.choice(_LAST)
        company = f"{last} {dice.choice(('Byggevarer', 'Regnskap', 'Interiør'))} AS"
        postal_code, city = dice.choice(_CITIES)
        number = dice.randrange(10**6)
        return {
            "address": f"{dice.choice(_STREETS)} {dice.randrange(1, 140)}",
            "city": city,
            "companyName": company,
            "countryCode": "NO",
            "createdAt": self._time(),
            "customerUid": self._uid(),
            "customerParentUid": self._uid() if number % 10 == 0 else "",
            "customerType": dice.choice(("COMPANY", "PERSON", "B2B")),
            "email": f"kunde.{number}@example.com",
            "externalId": f"ERP-{number:06}",
            "firstname": first,
            "lastModifiedAt": self._time(),
            "lastname": last,
            "ledgerNumber": f"{number:06}",
            "mobile": f"+47 00{number:06}",
            "postalCode": postal_code,
            "pricelistUid": self._uid() if number % 3 == 0 else "",
            "vatNumber": f"NO300{number:06}MVA",
            "origin": dice.choice(("WEBSHOP", "POS", "IMPORT")),
            "addresses": [
                self._address(kind, first, last, company)
                for kind in ("DELIVERY_ADDRESS", "INVOICE_ADDRESS")
            ],
            "contacts": [
                {
                    "firstname": dice.choice(_FIRST),
                    "lastname": last,
                    "email": f"kontakt.{number}@example.com",
                    "mobile": f"+47 00{dice.randrange(10**6):06}",
                    "createdAt": self._time(),
                    "lastModifiedAt": self._time(),
                    "customerContactUid": self._uid(),
                    "extensions": [
                        {"extensionCode": "KLAVIYO_PROFILE_ID", "organizationUid": self._uid()}
                    ],
                    "displayName": f"Kontakt {last}",
                    "role": dice.choice(("ADMIN", "PURCHASER", "ACCOUNTING", "NONE")),
                }
            ],
            "extensions": [{"extensionCode": "TWO_INVOICE", "organizationUid": ""}],
            "consents": [
                {
                    "consentUid": self._uid(),
                    "name": f"Samtykke til {what}",
                    "status": dice.random() < 0.5,
                    "source": "WEBSHOP",
                    "createdAt": self._time(),
                }
                for what in ("nyhetsbrev", "SMS")
            ],
            "loyaltyId": f"L{number:08}",
            "displayName": f"{first} {last}",
            "credit": {"limit": number * 10, "balance": number},
            "paymentTerms": dice.choice((10, 14, 30)),
            "internalNote": "Ring før levering; porten er låst etter klokken fire.",
            "accountManager": {
                "tenantUserUid": self._uid() if number % 2 else "",
                "displayName": f"{dice.choice(_FIRST)} {dice.choice(_LAST)}",
                "userCode": f"u{number % 100:02}",
            },
            "ehfEnabled": bool(number % 2),
            "ehf": {"enabled": bool(number % 2), "address": f"0192:300{number:06}"},
            "customerGroupUids": list(dict.fromkeys(groups)),
            "defaultStore": {"name": f"Butikk {city}", "storeUid": self._uid()},
            "relevance": round(dice.random(), 4),
        }


def _group_uid(group: Json) -> str:
    return str(group["customerGroupUid"])


def _ct_group(group: Json) -> Json:
    return {
        "id": group["customerGroupUid"],
        "version": 3,
        "createdAt": group["createdAt"],
        "createdBy": {"user": {"typeId": "user", "id": group["createdBy"]}},
        "lastModifiedAt": group["lastModifiedAt"],
        "lastModifiedBy": {"user": {"typeId": "user", "id": group["lastModifiedBy"]}},
        "name": group["name"],
        "key": f"gruppe-{group['name'][-3:]}",
    }


def _ct_address(address: Json) -> Json:
    street, number = address["address"].rsplit(" ", 1)
    return {
        "id": address["customerAddressUid"][:8],
        "firstName": address["firstname"],
        "lastName": address["lastname"],
        "streetName": street,
        "streetNumber": number,
        "postalCode": address["postalCode"],
        "city": address["city"],
        "country": address["countryCode"],
        "company": address["companyName"],
        "phone": address["phone"],
        "mobile": address["phone"],
        "email": address["email"],
    }


def _ct_customer(customer: Json) -> Json:
    addresses = [_ct_address(address) for address in customer["addresses"]]
    maker = {"clientId": "bench-client", "isPlatformClient": False}
    return {
        "id": customer["customerUid"],
        "version": 7,
        "versionModifiedAt": customer["lastModifiedAt"],
        "createdAt": customer["createdAt"],
        "createdBy": maker,
        "lastModifiedAt": customer["lastModifiedAt"],
        "lastModifiedBy": maker,
        "lastMessageSequenceNumber": 4,
        "customerNumber": customer["externalId"],
        "key": f"kunde-{customer['ledgerNumber']}",
        "email": customer["email"],
        "firstName": customer["firstname"],
        "lastName": customer["lastname"],
        "companyName": customer["companyName"],
        "vatId": customer["vatNumber"],
        "externalId": customer["externalId"],
        "addresses": addresses,
        "defaultShippingAddressId": addresses[0]["id"],
        "shippingAddressIds": [addresses[0]["id"]],
        "defaultBillingAddressId": addresses[1]["id"],
        "billingAddressIds": [addresses[1]["id"]],
        "isEmailVerified": True,
        "locale": "nb-NO",
        "customerGroupAssignments": [
            {"customerGroup": {"typeId": "customer-group", "id": uid}}
            for uid in customer["customerGroupUids"]
        ],
        "custom": {
            "type": {"typeId": "type", "id": customer["contacts"][0]["customerContactUid"]},
            "fields": {
                "notat": customer["internalNote"],
                "samtykker": [consent["name"] for consent in customer["consents"]],
                "kundeansvarlig": customer["accountManager"],
                "butikk": customer["defaultStore"],
                "kreditt": customer["credit"],
            },
        },
        "stores": [{"typeId": "store", "key": "butikk-oslo"}],
        "authenticationMode": "ExternalAuth",
    }
