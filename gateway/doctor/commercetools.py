"""What a commercetools project does where its documents are silent, found out by reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Literal

from gateway.backends.commercetools.adapter import (
    CUSTOMER_SORTS,
    CUSTOMERS,
    GROUP,
    GROUP_BY_KEY,
    GROUP_SORTS,
    GROUPS,
)
from gateway.backends.commercetools.lists import (
    BY_ID,
    MAX_LIMIT,
    MAX_OFFSET,
    is_member_of,
    literal,
)
from gateway.backends.commercetools.wire import MembershipMode
from gateway.doctor.asking import Asker, CannotTell, Reply, Unreached
from gateway.doctor.order import disorder, judge
from gateway.doctor.probes import Probe
from gateway.doctor.report import Finding
from gateway.settings import CommercetoolsSettings

Row = dict[str, Any]
Verdict = Literal["works", "refused", "passed over"]
ABSENT: Final = "gateway-doctor-no-such-group"
SMALLER: Final = 100
"""Customers that are asked for at once where the largest page of them does not come."""
MOVING: Final = 0.1
"""The part of a group's members that may have come or gone between two answers."""
REFUSED: Final = "refused with 400"
Query = Mapping[str, str | int | Sequence[str]]


@dataclass(frozen=True, slots=True)
class SeenRows:
    """A PagedQueryResult, as far as it can be read."""

    rows: Sequence[Row]
    """Those that have an id."""
    count: int
    """Of all."""
    limit: int
    """That asked for, unless the answer says that it is less."""
    total: int | None

    @property
    def whole(self) -> bool:
        """Whether there are no more rows: a page that is not full is the last."""
        return self.count < self.limit

    @property
    def ids(self) -> Sequence[str]:
        return [row["id"] for row in self.rows]

    def values(self, name: str) -> Sequence[tuple[str, object]]:
        """Each row's id, and its member of that name."""
        return [(row["id"], row.get(name)) for row in self.rows]


NOTHING: Final = SeenRows((), 0, MAX_LIMIT, None)


def listing(reply: Reply) -> SeenRows | None:
    """None for a query that is refused; raises CannotTell for any other answer that is no list."""
    if reply.status == 400:
        return None
    given = reply.json if reply.ok else None
    results = given.get("results") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(results, list):
        raise CannotTell(f"answered {reply.status} with {reply.shape}, not with a list")
    rows = [row for row in results if isinstance(row, dict) and isinstance(row.get("id"), str)]
    limit, total = given.get("limit"), given.get("total")
    return SeenRows(
        rows,
        len(results),
        limit if type(limit) is int and limit > 0 else MAX_LIMIT,
        total if type(total) is int and total >= 0 else None,
    )


def assigned(row: Row) -> Sequence[str]:
    """The groups of a customer by `customerGroupAssignments`."""
    given = row.get("customerGroupAssignments")
    items = given if isinstance(given, list) else []
    return [*filter(None, (_reference(each, "customerGroup") for each in items))]


def older(row: Row) -> str | None:
    """The group of a customer by `customerGroup`."""
    return _reference(row, "customerGroup")


def _reference(of: object, name: str) -> str | None:
    held = of.get(name) if isinstance(of, dict) else None
    id = held.get("id") if isinstance(held, dict) else None
    return id if isinstance(id, str) else None


@dataclass(frozen=True, slots=True)
class Carried:
    """The customers that were seen, by which of their fields have groups."""

    sample: SeenRows
    """The first of all."""
    older: SeenRows | None
    """Those with a `customerGroup`; None if they can't be asked for."""
    newer: SeenRows | None
    """Those with assignments."""

    @property
    def rows(self) -> Sequence[Row]:
        lists = (self.sample, self.older or NOTHING, self.newer or NOTHING)
        return [*{row["id"]: row for found in lists for row in found.rows}.values()]

    @property
    def whole(self) -> bool:
        """Whether all customers that have groups were seen."""
        in_use = self.older is not None and self.newer is not None
        return self.sample.whole or (
            in_use and (self.older or NOTHING).whole and (self.newer or NOTHING).whole
        )

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many have assignments, a `customerGroup`, and one that is not among the
        assignments.
        """
        rows = self.rows
        return (
            sum(bool(assigned(row)) for row in rows),
            sum(older(row) is not None for row in rows),
            sum(older(row) not in (None, *assigned(row)) for row in rows),
        )

    @property
    def evidence(self) -> str:
        newer, old, only = self.counts
        seen = f"{'all' if self.whole else 'the'} {len(self.rows)} customers seen"
        if self.sample.whole is False and self.whole:
            seen = f"all that have groups, {len(self.rows)} customers seen"
        return (
            f"{newer} customers have assignments, {old} a customerGroup, "
            f"{only} of them only that; {seen}"
        )

    def example(self, mode: MembershipMode) -> str | None:
        """A group with members, by the fields that `mode` counts: as many as may be without filling
        a page.
        """
        counts = Counter(group for row in self.rows for group in groups_of(row, mode))
        known, total = len(self.sample.rows), self.sample.total or 0
        share = 1.0 if self.whole else min(1.0, known / max(1, total))
        small = [group for group in counts if counts[group] <= share * self.sample.limit / 2]
        if small:
            return max(small, key=counts.__getitem__)
        return min(counts, key=counts.__getitem__, default=None)


def groups_of(row: Row, mode: MembershipMode) -> Collection[str]:
    """The groups that a customer is in, by the fields that `mode` counts."""
    old = older(row)
    return {
        *(assigned(row) if mode != "legacy" else ()),
        *([old] if old is not None and mode != "assignments" else ()),
    }


def membership(carried: Carried, verdicts: Mapping[MembershipMode, Verdict]) -> Finding:
    """The setting by which all members are seen; or the next best one that the API can answer."""
    newer, old, only = carried.counts
    best: MembershipMode = "both" if only and newer else "legacy" if only else "assignments"
    holds: Mapping[MembershipMode, int] = {"both": newer + old, "assignments": newer, "legacy": old}
    usable = [
        mode
        for mode in (best, "assignments", "legacy")
        if holds[mode] and verdicts[mode] == "works"
    ]
    if not usable:
        lost = f"members can't be listed: no predicate finds them ({carried.evidence})"
        return Finding("membership", lost)
    chosen = usable[0]
    but = "" if chosen == best else f": {best} would show more, but is {verdicts[best]}"
    found = f"{chosen}{but} ({carried.evidence})"
    sure = carried.whole or best == "both"
    return Finding("membership", found, "certain" if sure else "likely", ("membership", chosen))


def without_groups(rows: Sequence[Row]) -> Finding:
    """What a customer without assignments has in their place."""
    question = "a customer without assignments"
    name = "customerGroupAssignments"
    shapes = Counter(
        "no such member"
        if name not in row
        else "an empty list"
        if row[name] == []
        else "null, or another type"
        for row in rows
        if not assigned(row)
    )
    if not shapes:
        return Finding(question, "none was seen", "not found out")
    return Finding(question, ", ".join(f"{shape} ({n} rows)" for shape, n in shapes.items()))


def total(name: str, found: SeenRows, behind: int | None = None) -> Finding:
    """What a list's total is worth, against its rows; of a list longer than a page, against how
    many rows are `behind` its last but one by the total.
    """
    question = f"total of {name}"
    if found.total is None:
        return Finding(question, "there is none")
    if not found.whole and behind is None:
        why = f"more than {found.count} rows, which were not counted"
        return Finding(question, why, "not found out")
    if not found.whole:
        how = ("too high", "exact", "too low")[min(behind or 0, 2)]
        return Finding(question, f"{how} (rows behind offset {found.total - 1})")
    rows = found.count
    if not rows and not found.total:
        return Finding(question, "0, and there are no rows", "not found out")
    how = "exact" if found.total == rows else "too low" if found.total < rows else "too high"
    return Finding(question, f"{how}: {found.total} for {rows} rows")


class CommercetoolsReading:
    """Asks for groups and customers. What one probe finds out, the others use."""

    def __init__(self, asker: Asker, settings: CommercetoolsSettings, project: str) -> None:
        self._asker = asker
        self._path = {"projectKey": project}
        self._mode: MembershipMode = settings.membership
        self._groups = self._customers = NOTHING
        self._limits = {GROUPS: MAX_LIMIT, CUSTOMERS: MAX_LIMIT}
        self._group: str | None = None
        """One that has customers."""
        self._unreadable: str | None = "they were not asked for"
        """Why customers can't be read."""

    def probes(self) -> Sequence[Probe]:
        """The most important first: the last find no calls left if some were lost."""
        return [
            Probe("reached", self._reached),
            Probe("customers", self._all_customers),
            Probe("membership", self._membership),
            Probe("sort by id", self._by_id),
            Probe("predicates on groups", self._predicates),
            Probe("totals", self._totals),
            Probe("largest limit", self._limits_of_pages),
            Probe("largest offset", self._offsets),
            *(self._sorts("groups", GROUPS, field) for field in GROUP_SORTS.values()),
            *(self._sorts("customers", CUSTOMERS, field) for field in CUSTOMER_SORTS.values()),
            Probe("order without sort", self._default_order),
            Probe("a group by its key", self._by_key),
            Probe("error bodies", self._errors),
        ]

    async def _ask(self, template: str, **query: str | int | Sequence[str]) -> SeenRows | None:
        """With the largest limit and sorted by id, as the gateway asks, unless `query` differs.
        None if that is refused.
        """
        asked: Query = {"limit": self._limits[template], "sort": tuple(BY_ID), **query}
        return listing(await self._asker.get(template, self._path, asked))

    async def _reached(self) -> Sequence[Finding]:
        query: Query = {"limit": MAX_LIMIT, "sort": tuple(BY_ID)}
        try:
            reply = await self._asker.get(GROUPS, self._path, query)
            if reply.status == 401:
                raise CannotTell("refused with 401: the token is not good, or has run out")
            if reply.status == 403:
                raise CannotTell(f"refused with 403: the token may not read {await self._what()}")
            if reply.status == 404:
                raise CannotTell("answered 404: is there such a project, at this url?")
            found = listing(reply)
            if found is None:
                raise CannotTell(f"{REFUSED}: a list of {MAX_LIMIT} groups, sorted by id")
        except CannotTell as why:
            raise Unreached(str(why)) from None
        self._groups = found = await self._uncut(GROUPS, found)
        return [
            Finding("reached", f"yes: the token may read the project's {counted(found)} groups")
        ]

    async def _uncut(self, template: str, found: SeenRows) -> SeenRows:
        """With the limit that its rows show, where pages are cut and do not say so."""
        if found.whole and (found.total or 0) > found.count > 0:
            more = await self._ask(template, limit=1, offset=found.count)
            if more is not None and more.rows:
                self._limits[template] = found.count
                return replace(found, limit=found.count)
        return found

    async def _what(self) -> str:
        """What a token may not read that may not read groups."""
        reply = await self._asker.get(CUSTOMERS, self._path, {"limit": 1})
        return "groups, nor customers" if reply.status == 403 else "groups"

    async def _all_customers(self) -> Sequence[Finding]:
        """The first of them; fewer where so many take too long, or are too much."""
        for limit in (MAX_LIMIT, SMALLER):
            self._limits[CUSTOMERS] = limit
            reply = None
            try:
                query: Query = {"limit": limit, "sort": tuple(BY_ID)}
                reply = await self._asker.get(CUSTOMERS, self._path, query)
                found = listing(reply)
            except CannotTell as why:
                self._unreadable = str(why)
                if reply is not None and reply.status == 403:
                    self._unreadable = "the token lacks the scope view_customers (403)"
                    return [Finding("customers", f"not to be read: {self._unreadable}")]
                continue
            if found is not None:
                found = await self._uncut(CUSTOMERS, found)
                self._customers, self._unreadable = found, None
                return [Finding("customers", f"the token may read the project's {counted(found)}")]
        raise CannotTell(self._unreadable or REFUSED)

    def _require_customers(self) -> None:
        if self._unreadable is not None:
            raise CannotTell(f"customers can't be read: {self._unreadable}")

    async def _membership(self) -> Sequence[Finding]:
        self._require_customers()
        carried = Carried(
            self._customers,
            await self._ask(CUSTOMERS, where="customerGroup is defined"),
            await self._ask(CUSTOMERS, where="customerGroupAssignments is not empty"),
        )
        if carried.example("both") is None:
            raise CannotTell(f"no customer is in a group ({carried.evidence})")
        verdicts: dict[MembershipMode, Verdict] = {}
        findings: list[Finding] = []
        for mode in ("assignments", "legacy", "both"):
            verdicts[mode], found = await self._found_by(mode, carried)
            findings.append(Finding(f"members by {mode}", found))
        decided = membership(carried, verdicts)
        if decided.setting is not None:
            self._mode = decided.setting[1]
        self._group = carried.example(self._mode)
        return [decided, *findings, without_groups(carried.rows)]

    async def _found_by(self, mode: MembershipMode, carried: Carried) -> tuple[Verdict, str]:
        """Whether the members of a group are found by this mode's predicate: those of a group that
        has some by it, if there is one.
        """
        group = carried.example(mode) or carried.example("both") or ""
        shown = is_member_of("...", mode)
        found = await self._ask(CUSTOMERS, where=is_member_of(group, mode))
        if found is None:
            return "refused", f"{REFUSED}: {shown}"
        wanted = {row["id"] for row in carried.rows if group in groups_of(row, mode)}
        missed = len(wanted.difference(found.ids)) if found.whole else 0
        others = sum(group not in groups_of(row, mode) for row in found.rows)
        evidence = f"{counted(found)} rows, {others} that are none, {missed} not found: {shown}"
        wrong = others > MOVING * len(found.rows) or missed > MOVING * len(wanted)
        return "passed over" if wrong else "works", evidence

    async def _by_id(self) -> Sequence[Finding]:
        """Cursors without an order compare ids as texts, character by character."""
        ids = max(self._groups.ids, self._customers.ids, key=len)
        if len(ids) < 2:
            raise CannotTell("there are fewer than two rows")
        kept = all(a < b for a, b in pairwise(ids))
        how = "as texts are sorted" if kept else "NOT as texts are: cursors without an order fail"
        return [Finding("sort by id", f"{how} ({len(ids)} rows)")]

    async def _predicates(self) -> Sequence[Finding]:
        rows = self._groups.rows
        if len(rows) < 2:
            raise CannotTell("there are fewer than two groups")
        middle = rows[(len(rows) - 1) // 2]
        id, name, keyed = middle["id"], str(middle.get("name")), self._keyed()
        findings = [
            await self._predicate(
                "name", f"name={literal(name)}", lambda row: row.get("name") == name
            ),
            await self._predicate("id", f"id > {literal(id)}", lambda row: row["id"] > id),
        ]
        if keyed is not None:
            key = keyed["key"]
            findings.append(
                await self._predicate(
                    "key", f"key={literal(key)}", lambda row: row.get("key") == key
                )
            )
        return findings

    def _keyed(self) -> Row | None:
        return next((row for row in self._groups.rows if isinstance(row.get("key"), str)), None)

    async def _predicate(self, name: str, where: str, holds: Callable[[Row], bool]) -> Finding:
        question = f"groups by their {name}"
        found = await self._ask(GROUPS, where=where)
        if found is None:
            instead = ": cursors use offsets instead, to 10 000" if name == "id" else ""
            return Finding(question, f"a predicate is {REFUSED}{instead}")
        if not found.rows:
            return Finding(question, "a predicate does not find them")
        if all(map(holds, found.rows)):
            return Finding(question, f"a predicate finds them ({counted(found)} rows)")
        return Finding(question, f"a predicate is passed over ({counted(found)} rows)")

    async def _totals(self) -> Sequence[Finding]:
        lists = [("groups", GROUPS, self._groups)]
        if self._unreadable is None:
            lists.append(("customers", CUSTOMERS, self._customers))
        findings = [
            total(name, found, await self._behind(path, found)) for name, path, found in lists
        ]
        if self._group is not None:
            filtered = await self._ask(CUSTOMERS, where=is_member_of(self._group, self._mode))
            if filtered is not None:
                findings.append(total("a group's members", filtered))
        without = await self._ask(GROUPS, limit=1, withTotal="false")
        said = "a total all the same"
        if without is None or without.total is None:
            said = REFUSED if without is None else "no total"
        return [*findings, Finding("withTotal=false", said)]

    async def _behind(self, template: str, found: SeenRows) -> int | None:
        """How many rows there are from the last one that the total announces."""
        if found.whole or not 0 < (found.total or 0) <= MAX_OFFSET:
            return None
        last = await self._ask(template, limit=2, offset=(found.total or 0) - 1)
        return None if last is None else last.count

    async def _limits_of_pages(self) -> Sequence[Finding]:
        more, none = await self._ask(GROUPS, limit=MAX_LIMIT + 1), await self._ask(GROUPS, limit=0)
        larger = nothing = REFUSED
        if more is not None:
            larger = "taken" if more.limit > MAX_LIMIT else f"clamped to {more.limit}"
        if none is not None:
            nothing = "rows all the same" if none.count else "no rows"
        found = f"{MAX_LIMIT}; {MAX_LIMIT + 1} is {larger}"
        if self._groups.limit < MAX_LIMIT:
            found = f"{MAX_LIMIT} is clamped to {self._groups.limit}: lists lose rows"
        return [Finding("largest limit", found), Finding("limit=0", nothing)]

    async def _offsets(self) -> Sequence[Finding]:
        """By asking for them, not by walking there."""
        said = []
        for offset in (MAX_OFFSET, MAX_OFFSET + 1):
            found = await self._ask(GROUPS, limit=1, offset=offset)
            said.append(f"{offset} is {REFUSED if found is None else 'taken'}")
        return [Finding("largest offset", ", ".join(said))]

    def _sorts(self, rows: str, template: str, field: str) -> Probe:
        """As the gateway asks for them, with the id to settle ties."""
        question = f"sort {rows} by {field}"

        async def run() -> Sequence[Finding]:
            where: Query = {}
            if template == CUSTOMERS:
                self._require_customers()
                if self._group is not None:
                    where = {"where": is_member_of(self._group, self._mode)}
            there, back = [
                await self._ask(template, sort=(f"{field} {way}", f"id {way}"), **where)
                for way in ("asc", "desc")
            ]
            if there is None or back is None:
                return [Finding(question, f"{REFUSED}: orderBy fails")]
            seen = judge(
                there.values(field),
                back.values(field),
                instants=field.endswith("At"),
                whole=there.whole and back.whole,
            )
            if seen.kept is None:
                raise CannotTell(seen.found)
            return [Finding(question, seen.found, "certain" if seen.sure else "likely")]

        return Probe(question, run)

    async def _default_order(self) -> Sequence[Finding]:
        """The gateway never leaves it open: whether it is stable is worth knowing all the same."""
        query: Query = {"limit": MAX_LIMIT}
        once, again = [
            listing(await self._asker.get(GROUPS, self._path, query, anew=True)) or NOTHING
            for _ in range(2)
        ]
        if len(once.rows) < 2:
            raise CannotTell("there are fewer than two groups")
        if {*once.ids} != {*again.ids}:
            raise CannotTell("the rows have changed meanwhile")
        if once.ids != again.ids:
            return [Finding("order without sort", f"another each time ({once.count} rows)")]
        by = [
            name
            for name in ("id", "createdAt", "lastModifiedAt", "name")
            if disorder(once.values(name), name.endswith("At")) == 0
        ]
        how = f"by {' or '.join(by)}" if by else "by nothing that its rows show"
        found = f"the same twice, {how} ({len(once.rows)} rows)"
        return [Finding("order without sort", found, "likely")]

    async def _by_key(self) -> Sequence[Finding]:
        keyed = self._keyed()
        if keyed is None:
            raise CannotTell("no group has a key")
        reply = await self._asker.get(GROUP_BY_KEY, {**self._path, "key": keyed["key"]})
        found = f"refused with {reply.status}"
        if reply.ok:
            same = isinstance(reply.json, dict) and reply.json.get("id") == keyed["id"]
            found = "found" if same else "another group"
        return [Finding("a group by its key", found)]

    async def _errors(self) -> Sequence[Finding]:
        """Of all refusals, and of one that is asked for."""
        await self._asker.get(GROUP, {**self._path, "id": ABSENT})
        shapes: dict[str, set[int]] = {}
        for reply in self._asker.replies:
            if not reply.ok:
                shapes.setdefault(reply.shape, set()).add(reply.status)
        return [
            Finding("error bodies", f"{', '.join(map(str, sorted(statuses)))}: {shape}")
            for shape, statuses in shapes.items()
        ]


def counted(found: SeenRows) -> str:
    """How many rows there are, as far as they were seen."""
    return f"{found.count}{'' if found.whole else ' or more'}"
