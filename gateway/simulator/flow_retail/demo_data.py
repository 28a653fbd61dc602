"""A believable shop chain for the demo: the same one every time for the same seed.

Nobody in it exists: names are put together at random, mail goes to example domains, telephone
numbers start with 00 and organisation numbers with 3, which are not given out in Norway.
"""
# ruff: noqa: S311  # a seed has to give the same shop again: no secrets are made here

import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, count, islice

from gateway.simulator.flow_retail import demo_words as words
from gateway.simulator.flow_retail.store import Store

START = datetime(2021, 3, 1, 8, 0, tzinfo=UTC)

BIG_GROUPS = {
    "PERSON": (("kundeklubb", 0.85), ("nyhetsbrev", 0.5), ("bronse", 0.2), ("gull", 0.05)),
    "COMPANY": (("bedrift", 0.95), ("nyhetsbrev", 0.3), ("handverkere-proff", 0.3)),
    "B2B": (("bedrift", 1.0), ("forhandlere", 0.6)),
}
"""By kind of customer, the groups that a given part of them is in."""


def fill(
    store: Store,
    tenant: str = "demo",
    *,
    token: str = "demo-token",  # noqa: S107  # made up, for data that is made up
    groups: int = 240,
    customers: int = 4000,
    seed: int = 20,
) -> None:
    """Have the demo's data: nothing happens if the tenant has groups or customers.

    Beside the tenant there is a tiny one, "pop-up". The token may do all in both;
    "demo-read-only" may read both.
    """
    if store.count_groups(tenant) or store.count_customers(tenant):
        return
    dice = random.Random(seed)
    with store.transaction():
        store.add_token(token, [tenant, "pop-up"], user="demo-user")
        store.add_token("demo-read-only", [tenant, "pop-up"], (), user="demo-reader")
        names = dict(group_names(groups))
        for number, (uid, name) in enumerate(names.items()):
            created, modified = two_times(dice, hours=100 * number)
            store.add_group(
                tenant, uid, name, by="demo-user", created_at=created, last_modified_at=modified
            )
        big = {uid for shares in BIG_GROUPS.values() for uid, _ in shares}
        empty = {uid for uid, _ in words.EMPTY_GROUPS}
        small = [uid for uid in names if uid not in big | empty]
        # A few are much larger than most, as anywhere.
        weights = [min(dice.paretovariate(1.0), 60.0) for _ in small]
        companies: list[str] = []
        for number in range(1, customers + 1):
            kind = dice.choices(("PERSON", "COMPANY", "B2B"), (70, 22, 8))[0]
            customer = customer_number(number, kind, dice, companies)
            joined = [
                uid for uid, share in BIG_GROUPS[kind] if dice.random() < share and uid in names
            ]
            # One in ten is in no group, and nobody in more than eight.
            few = dice.choice((0, 0, 0, 1, 1, 2, 3, 4)) if small else 0
            joined += dict.fromkeys(dice.choices(small, weights, k=few)) if few else ()
            if dice.random() < 0.1:
                joined = []
            uid = store.add_customer(tenant, customer, joined)
            if kind == "COMPANY":
                companies.append(uid)
        if not store.count_groups("pop-up"):
            fill_pop_up(store)


def fill_pop_up(store: Store) -> None:
    """The tenant to try another tenant's argument with. It shares the uid "gull" with the demo."""
    created = stamp(START)
    store.add_group("pop-up", "gull", "Pop-up-gull", by="demo-user", created_at=created)
    store.add_group("pop-up", "venner", "Venner av pop-up", by="demo-user", created_at=created)
    dice = random.Random(1)
    for number in range(1, 4):
        customer = customer_number(number, "PERSON", dice) | {"customerUid": f"popup-{number}"}
        store.add_customer("pop-up", customer, ["venner"] if number < 3 else [])


def group_names(wanted: int) -> Iterator[tuple[str, str]]:
    """`wanted` distinct groups, each with its uid: the common ones, then by place, then by year."""
    names = chain(words.COMMON_GROUPS, words.EMPTY_GROUPS, combined_names())
    return islice(names, wanted)


def combined_names() -> Iterator[tuple[str, str]]:
    """Names without end."""
    for kind in words.GROUPS_BY_PLACE:
        # Oslo and Bergen have two postal codes, and one group.
        for place in dict.fromkeys(city for _, city in words.PLACES):
            yield slug(f"{kind} {place}"), f"{kind} {place}"
    for number in count(1):
        yield f"kampanje-{number}", f"Kampanje {number}"


def customer_number(
    number: int, kind: str, dice: random.Random, companies: Sequence[str] = ()
) -> dict[str, object]:
    """The customer, without customerGroupUids. Some are departments of one of the companies."""
    first, last = dice.choice(words.FIRST_NAMES), dice.choice(words.LAST_NAMES)
    place = dice.choice(words.PLACES)
    is_person = kind == "PERSON"
    company = "" if is_person else f"{last} {dice.choice(words.TRADES)}"
    if not is_person and number % 3:
        company += " AS"
    is_department = kind == "COMPANY" and bool(companies) and dice.random() < 0.15
    if is_department:
        company = f"{company} avd. {place[1]}"
    name = company or f"{first} {last}"
    created, modified = two_times(dice, hours=9 * number)
    organisation = "" if is_person else organisation_number(dice)
    email = f"{slug(first)}.{slug(last)}.{number}@example.{'no' if number % 4 else 'com'}"
    return {
        "customerUid": f"c{number:05d}",
        "customerParentUid": dice.choice(companies) if is_department else "",
        "customerType": kind,
        "displayName": name,
        "firstname": first,
        "lastname": last,
        "companyName": company,
        "email": email,
        "mobile": phone(dice),
        "address": street(dice),
        "postalCode": place[0],
        "city": place[1],
        "countryCode": "NO",
        "externalId": f"ERP-{number + 70000}" if number % 3 == 0 else "",
        "ledgerNumber": str(10000 + number) if not is_person else "",
        "vatNumber": organisation and f"{organisation}MVA",
        "pricelistUid": dice.choice(("proff-2025", "avtale-a", "")) if not is_person else "",
        "origin": dice.choice(("POS", "WEBSHOP", "IMPORT", "ERP")),
        "loyaltyId": f"L{dice.randrange(10**7):07d}" if is_person and number % 2 else "",
        "addresses": addresses(number, name, first, last, company, email, dice),
        "contacts": [] if is_person else contacts(number, company, dice),
        "extensions": extensions(number, is_person),
        "consents": consents(dice, created),
        "credit": {
            "limit": 0 if is_person else dice.choice((0, 10_000, 50_000, 250_000)),
            "balance": 0 if is_person else dice.randrange(0, 40_000),
        },
        "paymentTerms": 0 if is_person else dice.choice((10, 14, 30)),
        "internalNote": dice.choice(("", "", "", "Ring før levering.", "Vil ha rekvisisjonsnr.")),
        "accountManager": manager(dice) if not is_person else manager(None),
        "ehfEnabled": not is_person and number % 2 == 0,
        "ehf": {
            "enabled": not is_person and number % 2 == 0,
            "address": organisation and f"0192:{organisation}",
        },
        "defaultStore": store_of(dice),
        "relevance": round(dice.random() * 10, 3),
        "createdAt": created,
        "lastModifiedAt": modified,
    }


def addresses(
    number: int, name: str, first: str, last: str, company: str, email: str, dice: random.Random
) -> list[dict[str, object]]:
    """None to two addresses, the first one for deliveries."""
    kinds = ("DELIVERY_ADDRESS", "INVOICE_ADDRESS")[: dice.choice((0, 1, 1, 2))]
    found: list[dict[str, object]] = []
    for kind in kinds:
        postal_code, city = dice.choice(words.PLACES)
        found.append(
            {
                "customerAddressUid": f"a{number:05d}-{len(found) + 1}",
                "type": kind,
                "displayName": name,
                "firstname": first,
                "lastname": last,
                "companyName": company,
                "address": street(dice),
                "postalCode": postal_code,
                "city": city,
                "countryCode": "NO",
                "email": email,
                "phone": phone(dice),
            }
        )
    return found


def contacts(number: int, company: str, dice: random.Random) -> list[dict[str, object]]:
    """None to three people of a company, each with a role."""
    found: list[dict[str, object]] = []
    for role in dice.sample(("ADMIN", "PURCHASER", "ACCOUNTING", "NONE"), dice.randrange(4)):
        first, last = dice.choice(words.FIRST_NAMES), dice.choice(words.LAST_NAMES)
        created, modified = two_times(dice, hours=9 * number)
        uid = f"k{number:05d}-{len(found) + 1}"
        found.append(
            {
                "customerContactUid": uid,
                "displayName": f"{first} {last}",
                "firstname": first,
                "lastname": last,
                "email": f"{slug(first)}@{slug(company)}.example.no",
                "mobile": phone(dice),
                "role": role,
                "extensions": (
                    [{"extensionCode": "KLAVIYO_PROFILE_ID", "organizationUid": f"klaviyo-{uid}"}]
                    if dice.random() < 0.2
                    else []
                ),
                "createdAt": created,
                "lastModifiedAt": modified,
            }
        )
    return found


def extensions(number: int, is_person: bool) -> list[dict[str, object]]:
    """Two's invoices for some companies, Klaviyo for some people."""
    if is_person:
        code, every = "KLAVIYO_PROFILE_ID", 9
    else:
        code, every = "TWO_INVOICE", 4
    if number % every:
        return []
    # "" is the documents' word for none.
    organisation = f"org-{number}" if number % 8 else ""
    return [{"extensionCode": code, "organizationUid": organisation}]


def consents(dice: random.Random, created: str) -> list[dict[str, object]]:
    """What the customer was asked, with yes or no."""
    return [
        {
            "consentUid": uid,
            "name": name,
            "status": dice.random() < 0.7,
            "source": dice.choice(("POS", "WEBSHOP", "MINSIDE")),
            "createdAt": created,
        }
        for uid, name in words.CONSENTS[: dice.randrange(4)]
    ]


def manager(dice: random.Random | None) -> dict[str, object]:
    """Whoever looks after a company; blanks for no one."""
    uid, name, code = dice.choice(words.MANAGERS) if dice else ("", "", "")
    return {"tenantUserUid": uid, "displayName": name, "userCode": code}


def store_of(dice: random.Random) -> dict[str, object] | None:
    """The customer's usual shop, if there is one."""
    if dice.random() < 0.3:
        return None
    uid, name = dice.choice(words.STORES)
    return {"storeUid": uid, "name": name}


def organisation_number(dice: random.Random) -> str:
    """Nine digits, the last of which checks the others (modulo 11)."""
    while True:
        digits = [3, *(dice.randrange(10) for _ in range(7))]
        weights = (3, 2, 7, 6, 5, 4, 3, 2)
        check = -sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) % 11
        if check < 10:
            return "".join(map(str, [*digits, check]))


def phone(dice: random.Random) -> str:
    """A number that no one has."""
    return f"+4700{dice.randrange(10**6):06d}"


def street(dice: random.Random) -> str:
    """A street and a house number."""
    return f"{dice.choice(words.STREETS)} {dice.randrange(1, 120)}"


def two_times(dice: random.Random, *, hours: int) -> tuple[str, str]:
    """When something was created, in the hours after `START`, and when it was last changed."""
    created = START + timedelta(hours=hours, milliseconds=dice.randrange(3_600_000))
    changed = created + timedelta(days=dice.choice((0, 0, 1, 30, 300)), seconds=dice.randrange(900))
    return stamp(created), stamp(changed)


def stamp(time: datetime) -> str:
    """As the API prints it."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def slug(name: str) -> str:
    """The name in the characters that a uid and a mail address can have."""
    plain = name.lower().translate(str.maketrans("æøåł", "eoal"))
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")
