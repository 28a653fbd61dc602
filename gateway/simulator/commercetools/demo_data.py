"""A believable fashion retailer for the demo: the same one every time for the same seed.

Nobody in it exists: names are put together at random, mail goes to example domains, and telephone
and tax numbers are made of zeros where a real one would begin.
"""
# ruff: noqa: S311  # a seed has to give the same shop again: no secrets are made here

import random
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, count, islice
from typing import Any
from unicodedata import normalize
from uuid import UUID

from gateway.simulator.commercetools import demo_words as words
from gateway.simulator.commercetools.resources import author
from gateway.simulator.commercetools.store import Store

START = datetime(2022, 3, 1, 8, 0, tzinfo=UTC)

CUSTOM_TYPE = "2d5b7b0e-1f0a-4b52-9b4c-6f3b0c9d1a77"
"""The custom type of the groups that have custom fields."""

PEOPLE = "9a3f6c1e-5f57-4c0f-8e53-0d2b8f3a4c11"
"""The user that made what was made by hand."""


def fill(
    store: Store,
    project: str = "demo-ct",
    *,
    token: str = "demo-ct-token",  # noqa: S107  # made up, for data that is made up
    groups: int = 60,
    customers: int = 1500,
    seed: int = 20,
) -> None:
    """Have the demo's data: nothing happens if the project has groups or customers.

    The token may do all; "demo-ct-read-only" may read.
    """
    if store.count_groups(project) or store.count_customers(project):
        return
    dice = random.Random(seed)
    with store.transaction():
        store.add_token(token, [project], client="demo-client")
        store.add_token("demo-ct-read-only", [project], ["view_customers"], client="demo-reader")
        ids: dict[str, str] = {}
        for number, (key, name) in enumerate(group_names(groups)):
            created, modified = two_times(dice, hours=100 * number)
            ids[name] = store.add_group(
                project,
                name,
                id=uuid(dice),
                key=key,
                custom=custom_fields(number) if number % 4 == 1 else None,
                by=made_by(number),
                version=dice.randrange(1, 9),
                created_at=created,
                last_modified_at=modified,
            ).id
        for number in range(1, customers + 1):
            is_person = dice.random() < 0.75
            joined = [ids[name] for name in group_choice(is_person, list(ids), dice)]
            # Some have not been brought over to assignments; some are in both.
            legacy = joined[-1] if joined and dice.random() < 0.25 else None
            if legacy and dice.random() < 0.6:
                joined = []
            customer = customer_number(number, is_person, dice)
            store.add_customer(project, customer, joined, legacy_group=legacy)


def group_choice(is_person: bool, names: list[str], dice: random.Random) -> list[str]:
    """The groups of a customer: none to seven."""
    if not names or dice.random() < 0.1:
        return []
    shares = {"Stammkunden": 0.6, "Newsletter": 0.5} if is_person else {"Geschäftskunden": 0.95}
    big = [name for name, share in shares.items() if name in names and dice.random() < share]
    closed = {name for _, name in (*words.BIG_GROUPS, *words.EMPTY_GROUPS)}
    small = [name for name in names if name not in closed]
    few = dice.choice((0, 0, 1, 1, 2, 3, 5)) if small else 0
    # Those in front are much larger than those behind, as anywhere.
    return [*big, *dict.fromkeys(small[int(len(small) * dice.random() ** 3)] for _ in range(few))]


def group_names(wanted: int) -> Iterator[tuple[str | None, str]]:
    """`wanted` distinct groups, each with its key if it has one."""
    keyless = ((None, name) for name in words.KEYLESS_GROUPS)
    named = chain(
        words.BIG_GROUPS, words.COMMON_GROUPS, words.EMPTY_GROUPS, keyless, combined_names()
    )
    return islice(named, wanted)


def combined_names() -> Iterator[tuple[str, str]]:
    """Names without end: by place, then by number."""
    for _, _, city in words.PLACES:
        yield slug(f"filiale {city}"), f"Filiale {city}"
    for number in count(1):
        yield f"kampagne-{number}", f"Kampagne {number}"


def custom_fields(number: int) -> dict[str, Any]:
    """The custom fields of some groups: of four types, and not the same ones in all."""
    fields: dict[str, Any] = {"erpCode": f"KG-{number:03d}", "rabattProzent": number % 7 * 5}
    if number % 8 == 1:
        fields["kaufAufRechnung"] = number % 3 == 0
    if number % 12 == 1:
        fields["hinweis"] = {"de": "Bitte an der Kassa erwähnen.", "en": "Mention at the till."}
    return {"type": {"typeId": "type", "id": CUSTOM_TYPE}, "fields": fields}


def customer_number(number: int, is_person: bool, dice: random.Random) -> dict[str, Any]:
    """The customer, without groups. Members that are empty are not there, as in the API."""
    first, last = dice.choice(words.FIRST_NAMES), dice.choice(words.LAST_NAMES)
    company = "" if is_person else f"{dice.choice(words.TRADES)} {last}"
    if company and number % 3:
        company += " GmbH" if number % 2 else " e. U."
    created, modified = two_times(dice, hours=16 * number)
    email = f"{slug(first)}.{slug(last)}.{number}@example.{('com', 'org', 'net')[number % 3]}"
    found = addresses(number, first, last, company, email, dice)
    country = found[0]["country"] if found else "DE"
    birthday = START - timedelta(days=dice.randrange(18 * 365, 80 * 365))
    customer: Mapping[str, Any] = {
        "id": uuid(dice),
        "version": dice.randrange(1, 40),
        "createdAt": created,
        "createdBy": made_by(number),
        "lastModifiedAt": modified,
        "customerNumber": f"K{number + 100_000}",
        "key": f"kunde-{number}" if number % 5 else "",
        "email": email,
        "firstName": first,
        "lastName": last,
        "title": "Dr." if number % 41 == 0 else "",
        "companyName": company,
        "vatId": "" if is_person else f"{country}U000{dice.randrange(10**5):05d}",
        "dateOfBirth": birthday.date().isoformat() if is_person and number % 3 else "",
        "addresses": found,
        **address_roles(found),
        "isEmailVerified": number % 7 != 0,
        "externalId": f"ERP-{number + 50_000}" if number % 4 == 0 else "",
        "locale": "de-AT" if country == "AT" else "de-DE",
        "custom": shoe_size(dice) if is_person and number % 9 == 0 else None,
        "authenticationMode": "ExternalAuth",
        "stores": [],
    }
    return {name: value for name, value in customer.items() if value not in ("", None)}


def addresses(
    number: int, first: str, last: str, company: str, email: str, dice: random.Random
) -> list[dict[str, Any]]:
    """None to two addresses."""
    found: list[dict[str, Any]] = []
    for place in dice.sample(words.PLACES, dice.choice((0, 1, 1, 1, 2))):
        country, postal_code, city = place
        address = {
            "id": f"a{number:05d}{len(found) + 1}",
            "firstName": first,
            "lastName": last,
            "streetName": dice.choice(words.STREETS),
            "streetNumber": f"{dice.randrange(1, 140)}{dice.choice(('', '', '', 'a', '/3'))}",
            "postalCode": postal_code,
            "city": city,
            "country": country,
            "company": company,
            "phone": phone(country, dice) if dice.random() < 0.5 else "",
            "mobile": phone(country, dice) if dice.random() < 0.3 else "",
            "email": email if dice.random() < 0.3 else "",
            "key": f"adresse-{len(found) + 1}" if number % 6 == 0 else "",
        }
        found.append({name: value for name, value in address.items() if value})
    return found


def address_roles(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Which address is for what: deliveries go to the first, and bills to the last."""
    if not found:
        return {"shippingAddressIds": [], "billingAddressIds": []}
    first, last = found[0]["id"], found[-1]["id"]
    return {
        "defaultShippingAddressId": first,
        "shippingAddressIds": [first],
        "defaultBillingAddressId": last,
        "billingAddressIds": [last],
    }


def shoe_size(dice: random.Random) -> dict[str, Any]:
    """The custom fields of some people."""
    return {
        "type": {"typeId": "type", "id": CUSTOM_TYPE},
        "fields": {"schuhgroesse": dice.randrange(36, 48)},
    }


def made_by(number: int) -> dict[str, Any]:
    """An API client made most; a user the rest."""
    return author("demo-client", None if number % 5 else PEOPLE)


def phone(country: str, dice: random.Random) -> str:
    """A number that no one has."""
    return f"+{43 if country == 'AT' else 49} 000 {dice.randrange(10**6):06d}"


def uuid(dice: random.Random) -> str:
    """An id, as the API makes them."""
    return str(UUID(int=dice.getrandbits(128), version=4))


def two_times(dice: random.Random, *, hours: int) -> tuple[str, str]:
    """When something was created, in the hours after `START`, and when it was last changed."""
    created = START + timedelta(hours=hours, milliseconds=dice.randrange(3_600_000))
    changed = created + timedelta(days=dice.choice((0, 0, 1, 30, 300)), seconds=dice.randrange(900))
    return stamp(created), stamp(changed)


def stamp(time: datetime) -> str:
    """As the API prints it."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def slug(name: str) -> str:
    """The name in the characters that a key and a mail address can have."""
    for letter, spelled in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.lower().replace(letter, spelled)
    plain = normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")
