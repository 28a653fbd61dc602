"""The first day with an API: the doctor asks it, its settings are pasted, and the gateway is served
with them. Six simulated APIs are quirky in ways that the gateway does not expect by default.

For each, all that is printed is what an operator sees; then the gateway is asked for all groups,
all members, orders and last rows, and that is held against what the simulator's store holds: with
the settings that were found, and with the default ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from chaos.client import Client
from chaos.gateway import Process
from chaos.harness import HERE
from gateway.demo import SIMULATIONS
from gateway.simulator.commercetools import demo_data as commercetools_data
from gateway.simulator.flow_retail import demo_data as flow_retail_data
from gateway.simulator.flow_retail.switches import Switches

TENANT, TOKEN = "shop", "token-of-ada"
PASTE: Final = "For gateway.toml:\n\n"
SHOWN: Final = 6
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
NAMES: Final = ("Ada", "Bea", "Cem", "Dag", "Eva", "Finn", "Gro", "Hal", "Ida")
MEMBERS: Final = (64, 23, 5, 1)
"""Customers of the first groups; the others have none."""
GROUP_FIELDS: Final = {
    "NAME": "name",
    "CREATED_AT": "createdAt",
    "LAST_MODIFIED_AT": "lastModifiedAt",
}
CUSTOMER_FIELDS: Final = {
    "DISPLAY_NAME": "displayName",
    "FIRSTNAME": "firstname",
    "LASTNAME": "lastname",
    "COMPANY_NAME": "companyName",
    "EMAIL": "email",
    "CREATED_AT": "createdAt",
    "LAST_MODIFIED_AT": "lastModifiedAt",
}
QUERY: Final = """query Q($first: Int, $last: Int, $after: String, %s) { %s { rows: %s(
  first: $first, last: $last, after: $after, orderBy: $order
) { nodes { uid %s } pageInfo { hasNextPage endCursor } } } }"""
GROUPS: Final = QUERY % (
    "$order: CustomerGroupSort",
    "of: tenant",
    "customerGroups",
    " ".join(GROUP_FIELDS.values()),
)
MEMBERS_OF: Final = QUERY % (
    "$order: CustomerGroupMemberSort, $uid: ID!",
    "of: customerGroup(by: {uid: $uid})",
    "customers",
    " ".join(CUSTOMER_FIELDS.values()),
)
Row = Mapping[str, str]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A simulated API with quirks."""

    title: str
    api: str
    """One of SIMULATIONS."""
    switches: Sequence[str]
    older: int = 0
    """Of commercetools: one of so many customers has its group in the older field alone; 0: none.
    """

    @property
    def backend(self) -> str:
        return self.api.replace("-", "_")

    @property
    def sorts(self) -> Sequence[Mapping[str, str]]:
        """What groups, and what customers, can be ordered by."""
        if self.api == "commercetools":
            customers = {n: field for n, field in CUSTOMER_FIELDS.items() if n != "DISPLAY_NAME"}
            return GROUP_FIELDS, customers
        known = Switches.parse(self.switches)
        return [
            {name: field for name, field in fields.items() if name.lower() in sorts.values()}
            for fields, sorts in (
                (GROUP_FIELDS, known.group_sorts),
                (CUSTOMER_FIELDS, known.customer_sorts),
            )
        ]


PATIENTS: Final = (
    Patient(
        title="Pages begin with 0, have at most 7 rows, and end with 404",
        api="flow-retail",
        switches=(
            *("first_page=0", "max_page_size=7", "oversized_page=refuse"),
            *("default_page_size=5", "past_the_end=not_found", "unknown_sort=refuse"),
            "error_body=html",
        ),
    ),
    Patient(
        title="Orders have other names, and unknown ones are passed over",
        api="flow-retail",
        switches=(
            *("group_sorts=name,created:created_at", "customer_sorts=first_name:firstname,email"),
            *("max_page_size=30", "default_page_size=5", "group_order=uid"),
        ),
    ),
    Patient(
        title="Pages begin with 0, those outside are the nearest, and ties are never turned around",
        api="flow-retail",
        switches=(
            *("first_page=0", "before_the_start=first", "past_the_end=last", "ties=fixed"),
            *("group_order=name", "member_order=joining", "customer_sorts=lastname,createdAt"),
        ),
    ),
    Patient(
        title="Groups are in the older field, which alone can be asked for; totals are too low",
        api="commercetools",
        switches=("assignments_predicate=refused", "group_predicates=name", "total=low"),
        older=1,
    ),
    Patient(
        title="Half of all customers were moved over to assignments; totals are too high",
        api="commercetools",
        switches=("total=high", "no_assignments=absent", "default_order=id"),
        older=2,
    ),
    Patient(
        title="Nobody uses assignments, though they can be asked for",
        api="commercetools",
        switches=("group_predicates=key", "total=low", "default_order=id"),
        older=1,
    ),
)


@dataclass(frozen=True, slots=True)
class Held:
    """What the simulator holds."""

    groups: Sequence[Row]
    members: Mapping[str, Sequence[Row]]
    """By the group's uid."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a patient."""

    report: str
    exit_code: int | None
    found: Sequence[str]
    """What is wrong with answers under the settings that were found."""
    default: Sequence[str]
    """And under the default ones."""


def fill(patient: Patient, path: Path) -> Held:
    """Make the simulator's data: uids, names and times each in another order, and rows that sort
    alike.
    """
    dice = random.Random(7)  # noqa: S311  # no secret
    groups = [
        {
            "uid": f"g{number:03}",
            "name": f"Group {dice.randrange(10**6):06}",
            **_times(dice, number),
        }
        for number in range(57)
    ]
    members = {
        group["uid"]: [_customer(dice, 100 * at + number) for number in range(count)]
        for at, (group, count) in enumerate(zip(groups, MEMBERS, strict=False))
    }
    with SIMULATIONS[patient.api].store(path) as store, store.transaction():
        store.add_token(TOKEN, [TENANT])
        for group in dice.sample(groups, len(groups)):
            times = {"created_at": group["createdAt"], "last_modified_at": group["lastModifiedAt"]}
            if patient.api == "flow-retail":
                store.add_group(TENANT, group["uid"], group["name"], **times)
            else:
                store.add_group(TENANT, group["name"], id=group["uid"], **times)
        for uid, customers in members.items():
            for number, each in enumerate(dice.sample(customers, len(customers))):
                rest = {name: value for name, value in each.items() if name != "uid"}
                if patient.api == "flow-retail":
                    made = flow_retail_data.customer_number(number, "COMPANY", dice)
                    store.add_customer(TENANT, {**made, **rest, "customerUid": each["uid"]}, [uid])
                    continue
                given = commercetools_data.customer_number(number, False, dice)
                given |= {"id": each["uid"], **rest}
                given["firstName"], given["lastName"] = (
                    given.pop(name) for name in ("firstname", "lastname")
                )
                del given["displayName"]
                if patient.older and number % patient.older == 0:
                    store.add_customer(TENANT, given, legacy_group=uid)
                else:
                    store.add_customer(TENANT, given, [uid])
    return Held(groups, members)


def _times(dice: random.Random, number: int) -> Row:
    """Created in the order of numbers, backwards; changed a few at once."""
    made, changed = START - timedelta(hours=number), START + timedelta(days=dice.randrange(12))
    return {
        "createdAt": made.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "lastModifiedAt": changed.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }


def _customer(dice: random.Random, number: int) -> Row:
    company = f"Company {dice.randrange(10**6):06}"
    return {
        "uid": f"c{number:04}",
        "displayName": company,
        "companyName": company,
        "firstname": dice.choice(NAMES),
        "lastname": dice.choice(NAMES),
        "email": f"{dice.randrange(10**6):06}.{number}@shop.example",
        **_times(dice, number),
    }


# -- processes


@asynccontextmanager
async def simulated(patient: Patient, data: Path) -> AsyncIterator[str]:
    """`gateway simulate`, with its switches; its URL."""
    switches = [part for each in patient.switches for part in ("--set", each)]
    command = ["simulate", "--api", patient.api, "--port", "0", "--data", str(data), "--empty"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *command, *switches, cwd=HERE, stdout=PIPE
    )
    try:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        line = (await asyncio.wait_for(process.stdout.readline(), 120)).decode()
        yield line.partition("simulated: ")[2].strip()
    finally:
        process.terminate()
        await process.communicate()


async def examined(environment: Mapping[str, str]) -> tuple[str, int | None]:
    """What `gateway doctor` prints, and how it ends."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    more = {"GATEWAY_DOCTOR_TOKEN": TOKEN, "GATEWAY_DOCTOR_RATE": "100"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "doctor", TENANT),
        cwd=HERE,
        env={**own, **environment, **more},
        stdin=DEVNULL,
        stdout=PIPE,
    )
    out, _ = await process.communicate()
    return out.decode(), process.returncode


async def mistakes_of(
    patient: Patient, held: Held, directory: Path, environment: Mapping[str, str]
) -> Sequence[str]:
    """What is wrong with the answers of `gateway serve`."""
    os.makedirs(directory)
    gateway = Process(HERE, directory, environment)
    try:
        await gateway.ready()
        with closing(Client(gateway.port)) as client:
            of_groups, of_customers = patient.sorts
            lists = [Asking(client, "all groups", held.groups, of_groups)]
            for uid in [each["uid"] for each in held.groups][: len(MEMBERS) + 2]:
                rows, sorts = held.members.get(uid, ()), of_customers
                lists.append(Asking(client, f"members of {uid}", rows, sorts if rows else {}, uid))
            return [each for asked in lists async for each in asked.mistakes()]
    finally:
        gateway.stop()


async def contact(patient: Patient, *, say: Say = print) -> Outcome:
    """The first day with this API."""
    with tempfile.TemporaryDirectory(prefix="doctor-") as name:
        directory = Path(name)
        held = fill(patient, directory / "data.sqlite")
        async with simulated(patient, directory / "data.sqlite") as url:
            environment = {
                "GATEWAY_CONFIG": os.devnull,
                f"GATEWAY_{patient.backend.upper()}_URL": url,
                "GATEWAY_DEFAULT_BACKEND": patient.backend,
            }
            say(f"\n{'=' * 100}\n{patient.title}\n{patient.api}: {' '.join(patient.switches)}\n")
            report, exit_code = await examined(environment)
            say(report)
            settings = directory / "gateway.toml"
            settings.write_text(report.partition(PASTE)[2])
            chosen = environment | {"GATEWAY_CONFIG": str(settings)}
            default, found = await asyncio.gather(
                mistakes_of(patient, held, directory / "default", environment),
                mistakes_of(patient, held, directory / "found", chosen),
            )
    orders = sum(map(len, patient.sorts))
    right = f"{len(held.groups)} groups, {sum(MEMBERS)} members, {orders} orders in both directions"
    say(f"Served with these settings: {_told(found, right)}")
    say(f"Served with the default settings: {_told(default, right)}")
    return Outcome(report, exit_code, found, default)


def _told(mistakes: Sequence[str], right: str) -> str:
    if not mistakes:
        return f"{right}: all right."
    more = f"\n  and {len(mistakes) - SHOWN} more" if len(mistakes) > SHOWN else ""
    return f"{len(mistakes)} mistakes:" + "".join(f"\n  {each}" for each in mistakes[:SHOWN]) + more


# -- questions


class Failed(Exception):
    """An operation has errors: the codes."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks a gateway for a list that can be held against the data: all groups, or the members of
    one.
    """

    client: Client
    title: str
    rows: Sequence[Row]
    """Those that the simulator holds."""
    sorts: Mapping[str, str]
    """What they can be ordered by, each with its field."""
    uid: str | None = None
    """The group's."""

    async def mistakes(self) -> AsyncIterator[str]:
        try:
            seen = [row["uid"] for row in await self._all()]
            if sorted(seen) != sorted(row["uid"] for row in self.rows):
                yield f"{self.title}: {len(seen)} rows of {len(self.rows)}"
        except Failed as why:
            yield f"{self.title}: {why}"
        for name, field in self.sorts.items():
            for direction in ("ASC", "DESC"):
                order = {"field": name, "direction": direction}
                right = sorted((row[field] for row in self.rows), reverse=direction == "DESC")
                try:
                    seen = [row[field] for row in await self._all(order=order)]
                    last = [row[field] for row in (await self._page(order=order, last=5))["nodes"]]
                except Failed as why:
                    yield f"{self.title} by {name} {direction}: {why}"
                    continue
                if seen != right:
                    yield f"{self.title} by {name} {direction}: in another order"
                if last != right[-5:]:
                    yield f"{self.title} by {name} {direction}: `last` answers other rows"

    async def _all(self, **variables: Any) -> Sequence[Row]:
        """By pages of 9, each behind the cursor of the one before."""
        rows: list[Row] = []
        after = None
        for _ in range(100):
            page = await self._page(first=9, after=after, **variables)
            rows += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return rows
        raise Failed("it has no end")

    async def _page(self, **variables: Any) -> Any:
        text = GROUPS
        if self.uid is not None:
            text, variables["uid"] = MEMBERS_OF, self.uid
        response = await self.client.ask(text, variables, token=TOKEN, tenant=TENANT)
        body = json.loads(response.body)
        if "errors" in body:
            raise Failed(", ".join(sorted({each["extensions"]["code"] for each in body["errors"]})))
        return body["data"]["of"]["rows"]


def right(outcome: Outcome) -> bool:
    """The settings that were found are needed, and suffice."""
    return outcome.exit_code == 1 and not outcome.found and bool(outcome.default)


def summary(outcomes: Mapping[str, Outcome]) -> str:
    """A table for docs/doctor.md, by the patients' titles."""
    lines = [
        "| simulated API | settings found | mistakes with them | by default |",
        "|---|---|---|---|",
    ]
    for title, outcome in outcomes.items():
        pasted = outcome.report.partition(PASTE)[2].splitlines()
        settings = [f"`{line}`" for line in pasted if "=" in line and not line.startswith("#")]
        counts = len(outcome.found), len(outcome.default)
        lines.append("| {} | {} | {} | {} |".format(title, "<br>".join(settings), *counts))
    return "\n".join(lines)


async def main() -> int:
    outcomes = {patient.title: await contact(patient) for patient in PATIENTS}
    print(f"\n{summary(outcomes)}")
    return 0 if all(map(right, outcomes.values())) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
