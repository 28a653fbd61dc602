"""What a tenant's Flow Retail does where its documents are silent, found out by reading."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from gateway.backends.flow_retail.adapter import GROUP, GROUPS, MEMBERS
from gateway.doctor.asking import Asker, CannotTell, Reply, Unreached
from gateway.doctor.order import (
    FEW,
    MOST,
    Judged,
    judge_descending,
    last_page,
    seems_sorted,
    ties,
)
from gateway.doctor.probes import Probe
from gateway.doctor.report import Certainty, Finding
from gateway.settings import FlowRetailSettings

FAR: Final = 1_000_000
"""A page that no list has."""
LARGEST: Final = 10_000
"""The largest `max_page_size` that can be set."""
SIZES: Final = (
    *(5, 10, 20, 25, 30, 40, 50, 60, 75, 80, 100, 120, 128, 150, 200, 250, 256, 300, 400, 500),
    *(512, 600, 750, 800, 1000, 1024, 1500, 2000, 2500, 3000, 5000),
)
"""Limits that people choose."""
CLOSER: Final = 4
"""Calls that look for the limit between two of them."""
NUMBERS: Final = re.compile(rb"(?<![0-9])[0-9]{1,5}(?![0-9])")
FOR_THE_MIRROR: Final = 2
"""REST calls that are left for what is found out last."""
FIRST_LOOKS: Final = 4
"""Groups whose customers are looked at, to find one that has many."""
PLENTY: Final = 20
"""Customers that are enough."""
NO_ORDER: Final = "by nothing that rows show"
NOBODY: Final = "gateway-doctor-no-such-thing"
SPELLINGS: Final[Mapping[str, Sequence[str]]] = {
    "NAME": ("name", "customerGroupName", "displayName"),
    "DISPLAY_NAME": ("displayName", "display_name", "name"),
    "FIRSTNAME": ("firstname", "firstName", "first_name"),
    "LASTNAME": ("lastname", "lastName", "last_name"),
    "COMPANY_NAME": ("companyName", "company_name", "company"),
    "EMAIL": ("email", "mail"),
    "CREATED_AT": ("createdAt", "created", "created_at"),
    "LAST_MODIFIED_AT": ("lastModifiedAt", "modified", "lastModified", "last_modified_at"),
}
"""What `sortBy` may be for a field; the one in force is tried first."""


@dataclass(frozen=True, slots=True)
class SeenPage:
    """A page of a list, as far as it can be read."""

    rows: Sequence[dict[str, Any]] = ()
    number: int | None = None
    size: int | None = None
    total: int | None = None

    def keys(self, uid: str) -> Sequence[str]:
        """What tells the rows from each other; raises CannotTell where nothing does."""
        found = [row.get(uid) for row in self.rows]
        keys = [each for each in found if isinstance(each, str)]
        if len(keys) < len(found):
            raise CannotTell(f"rows have no {uid}, which would tell them from each other")
        return keys

    def values(self, uid: str, member: str) -> Sequence[tuple[str, object]]:
        """Each row's uid, and its member of that name."""
        members = [row.get(member) for row in self.rows]
        return [*zip(self.keys(uid), members, strict=True)]


def page_of(reply: Reply) -> SeenPage:
    """Raises CannotTell for an answer that is no page of a list."""
    given = reply.json if reply.ok else None
    members = given if isinstance(given, dict) else {}
    items = [] if members.get("items", ...) is None else members.get("items")
    if not isinstance(items, list):
        raise CannotTell(f"answered {reply.status} with {reply.shape}, not with a page of a list")
    paging = members.get("paging")
    said = paging if isinstance(paging, dict) else {}
    return SeenPage(
        [row for row in items if isinstance(row, dict)],
        *(_count(said.get(name)) for name in ("pageNumber", "pageSize", "totalCount")),
    )


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**31 else None


@dataclass(slots=True)
class ExaminedList:
    """One of the two lists, and what is known of it."""

    name: str
    template: str
    path: Mapping[str, str]
    uid: str
    names: Mapping[str, str]
    """The settings' names of what it is sorted by, each with its member."""
    in_force: Mapping[str, str]
    page: SeenPage | None = None
    """The first page in the default order."""
    judged: dict[str, tuple[str, Judged, SeenPage]] = field(default_factory=dict)
    """By name: the sortBy that was best, what it does, and the first page that descends."""


def _is_instant(name: str) -> bool:
    return name.endswith("_AT")


class FlowRetailReading:
    """Asks for groups, and for the customers of one of them. What one probe finds out, the others
    use; until then they believe the settings in force.
    """

    def __init__(self, asker: Asker, settings: FlowRetailSettings, tenant: str) -> None:
        self._asker = asker
        self._settings = settings
        self._tenant = {"tenantUid": tenant}
        self._first = settings.first_page
        self._size = min(settings.max_page_size, MOST)
        """Rows of the pages that are compared."""
        self._largest_known = settings.max_page_size
        self._default = SeenPage()
        """The groups that are answered to a request without parameters."""
        defaults = FlowRetailSettings()
        self._groups = ExaminedList(
            *("groups", GROUPS, self._tenant, "customerGroupUid"),
            defaults.group_sorts,
            settings.group_sorts,
        )
        self._customers = ExaminedList(
            *("customers", MEMBERS, self._tenant, "customerUid"),
            defaults.customer_sorts,
            settings.customer_sorts,
        )

    def probes(self) -> Sequence[Probe]:
        lists = (self._groups, self._customers)
        return [
            Probe("reached", self._reached),
            Probe("first page", self._page_base),
            Probe("largest page", self._largest),
            Probe("past the end", self._past_the_end),
            Probe("a group with customers", self._choose_group),
            Probe("largest page of customers", self._largest_of_customers),
            *(Probe(f"total of {each.name}", partial(self._total, each)) for each in lists),
            *(Probe(f"order of {each.name}", partial(self._order, each)) for each in lists),
            *(Probe(f"sorted {each.name}", partial(self._sorts, each)) for each in lists),
            Probe("an unknown group", self._unknown_group),
            Probe("a wrong query", self._wrong_query),
            *(Probe(f"sorted {each.name}", partial(self._spellings, each)) for each in lists),
            Probe("DESC mirrors ASC", self._mirror),
        ]

    async def _ask(self, of: ExaminedList, *, anew: bool = False, **query: str | int) -> Reply:
        return await self._asker.get(of.template, of.path, query, anew=anew)

    async def _first_page(
        self, of: ExaminedList, *, anew: bool = False, **query: str | int
    ) -> Reply:
        return await self._ask(of, anew=anew, pageNumber=self._first, pageSize=self._size, **query)

    async def _known(self, of: ExaminedList) -> SeenPage:
        """The first page; raises CannotTell where there is none."""
        if of.page is None:
            if of is self._customers:
                raise CannotTell("no customers were seen")
            of.page = page_of(await self._first_page(of))
        return of.page

    # -- pages

    async def _reached(self) -> Sequence[Finding]:
        try:
            reply = await self._ask(self._groups)
            if reply.status in (401, 403):
                raise CannotTell(f"refused with {reply.status}: the token is not good for this")
            told = reply
            if reply.status == 400:
                reply = await self._ask(self._groups, pageNumber=self._first, pageSize=1)
            if reply.status == 404:
                raise CannotTell("answered 404: does url end in /v2, and is this its tenant?")
            self._default = page = page_of(reply)
        except CannotTell as why:
            raise Unreached(str(why)) from None
        size = "of unknown size" if page.size is None else f"of {page.size} rows"
        default = f"{size}, if the request does not say" if told.ok else "none: refused with 400"
        return [
            Finding("reached", f"yes: status {reply.status}, {len(page.rows)} groups"),
            Finding("default page", default),
        ]

    async def _page_base(self) -> Sequence[Finding]:
        zero = await self._ask(self._groups, pageNumber=0, pageSize=1)
        one = await self._ask(self._groups, pageNumber=1, pageSize=1)
        found = page_base(self._default, zero, one, uid=self._groups.uid)
        if found.setting is not None:
            self._first = found.setting[1]
        if zero.ok and self._first and found.certainty == "certain":
            two = await self._ask(self._groups, pageNumber=2, pageSize=1)
            if two.ok and page_of(two).rows == page_of(one).rows:
                raise CannotTell("pages 0, 1 and 2 have the same row: is pageNumber passed over?")
        return [found]

    async def _largest(self) -> Sequence[Finding]:
        reply = await self._groups_of(LARGEST)
        if reply.ok:
            page, size = page_of(reply), LARGEST
            more = await self._ask(self._groups, pageNumber=self._first + 1, pageSize=LARGEST)
            follow = page_of(more).rows if more.ok else []
            found = clamped(page, more=follow not in ([], page.rows))
        else:
            found, size = await self._largest_taken(reply)
        if found.setting is not None:
            size = self._largest_known = found.setting[1]
        self._size = min(size, MOST)
        page = page_of(reply if reply.ok else await self._groups_of(size))
        self._groups.page = SeenPage(page.rows[: self._size], page.number, self._size, page.total)
        return [found]

    async def _groups_of(self, size: int) -> Reply:
        return await self._ask(self._groups, pageNumber=self._first, pageSize=size)

    async def _largest_taken(self, refused: Reply) -> tuple[Finding, int]:
        """The largest page that is not refused: the one that the refusal names, or one that people
        choose.
        """
        named = {int(number) for number in NUMBERS.findall(refused.answer.body[:10_000])}
        for size in sorted(named & set(range(2, LARGEST)), reverse=True)[:2]:
            if (await self._groups_of(size)).ok and not (await self._groups_of(size + 1)).ok:
                return self._taken(size, refused, size + 1), size
        low, high = 0, len(SIZES)
        while low < high:
            middle = (low + high) // 2
            if (await self._groups_of(SIZES[middle])).ok:
                low = middle + 1
            else:
                high = middle
        if not low:
            raise CannotTell(f"pages of {LARGEST} down to {SIZES[0]} rows are refused")
        taken, too_large = SIZES[low - 1], SIZES[low] if low < len(SIZES) else LARGEST
        size = taken + 1
        for _ in range(CLOSER):
            if (await self._groups_of(size)).ok:
                taken = size
            else:
                too_large = size
            if too_large == taken + 1:
                break
            size = (taken + too_large) // 2
        return self._taken(taken, refused, too_large), taken

    @staticmethod
    def _taken(size: int, refused: Reply, next_size: int) -> Finding:
        return Finding(
            "largest page",
            f"{size} rows; {next_size} are refused with {refused.status}",
            "certain" if next_size == size + 1 else "likely",
            ("max_page_size", size),
        )

    async def _past_the_end(self) -> Sequence[Finding]:
        total = self._default.total
        for behind in (FAR if total is None else max(1, total), FAR):  # totals may be too low
            number = self._first + behind
            reply = await self._ask(self._groups, pageNumber=number, pageSize=1)
            page = page_of(reply) if reply.ok else SeenPage()
            own = page.number is not None and page.number != number
            if not page.rows or own:
                break
        evidence = f"page {number} of one row each, of {total if total is not None else '?'} rows"
        if reply.status == 404:
            return [_past_the_end(f"404 ({evidence})", "not_found")]
        if 400 <= reply.status < 500:
            return [Finding("past the end", f"refused with {reply.status} ({evidence})")]
        if not page_of(reply).rows:
            return [_past_the_end(f"an empty page ({evidence})", "empty")]
        told = "under its own number" if own else "under the number asked for"
        return [
            Finding(
                "past the end",
                f"a page with rows again, {told} ({evidence})",
                "certain" if total else "likely",
                ("past_the_end", "empty") if own else None,
            )
        ]

    async def _choose_group(self) -> Sequence[Finding]:
        """Of some groups the one with the most customers."""
        uids = [row.get(self._groups.uid) for row in (await self._known(self._groups)).rows]
        step = max(1, len(uids) // FIRST_LOOKS)
        best, looked, why = 0, 0, "there are no groups"
        for uid in uids[::step][:FIRST_LOOKS]:
            path = self._tenant | {"customerGroupUid": str(uid)}
            try:
                page = page_of(
                    await self._asker.get(
                        MEMBERS, path, {"pageNumber": self._first, "pageSize": self._size}
                    )
                )
            except CannotTell as reason:
                why = str(reason)
                continue
            looked += 1
            if len(page.rows) > best:
                best = len(page.rows)
                self._customers.path, self._customers.page = path, page
            if best >= PLENTY:
                break
        if not best:
            raise CannotTell(f"{looked} groups that were looked at have none" if looked else why)
        return [Finding("a group with customers", f"the best of {looked} has {best} on a page")]

    async def _largest_of_customers(self) -> Sequence[Finding]:
        """Whether they come in pages as large as those of groups: they are ten times as long."""
        size = self._largest_known
        if size <= self._size or self._customers.page is None:
            return []
        question = "largest page of customers"
        reply = await self._ask(self._customers, pageNumber=self._first, pageSize=size)
        try:
            page = page_of(reply)
        except CannotTell as why:
            smaller = ("max_page_size", self._size)
            return [Finding(question, f"less than {size} rows: {why}", "likely", smaller)]
        if page.size is not None and 0 < page.size < size:
            cut = ("max_page_size", page.size)
            return [Finding(question, f"{page.size} rows, to which {size} are cut", "likely", cut)]
        return [Finding(question, f"{size} rows are taken; {len(page.rows)} came")]

    async def _total(self, of: ExaminedList) -> Sequence[Finding]:
        page, question = await self._known(of), f"total of {of.name}"
        count, total, size = len(page.rows), page.total, self._size
        if total is None:
            return [Finding(question, "answers have no totalCount that can be read")]
        if total >= count == size:
            index = max(1, (total - 1) // size)
            reply = await self._ask(of, pageNumber=self._first + index, pageSize=size)
            last = SeenPage() if total == size and not reply.ok else page_of(reply)
            if last.rows == page.rows:
                last = SeenPage()
            if total == size and last.rows:
                return [Finding(question, f"it says {total}, and more rows follow")]
            count = index * size + len(last.rows)
            evidence = f"the last page, of {len(last.rows)} rows, ends at row {count}"
        else:
            evidence = f"{count} rows were counted"
        agrees = "as it says" if count == total else f"it says {total}"
        return [
            Finding(question, f"{agrees}: {evidence}", "certain" if count <= size else "likely")
        ]

    # -- orders

    async def _order(self, of: ExaminedList) -> Sequence[Finding]:
        """Whether the default order is the same twice, and what it seems to be."""
        page = await self._known(of)
        again = page_of(await self._first_page(of, anew=True))
        before, after = page.keys(of.uid)[: self._size], again.keys(of.uid)
        if len(before) < 2:
            raise CannotTell(f"too few rows: {len(before)}")
        if set(before) != set(after):
            raise CannotTell("the rows of the first page have changed meanwhile")
        if before != after:
            return [Finding(f"order of {of.name}", f"{len(before)} rows came in two orders")]
        members = {of.uid: False} | {each: _is_instant(name) for name, each in of.names.items()}
        looks = " or ".join(
            f"{member} {direction}"
            for member, instants in members.items()
            if (direction := seems_sorted(page.values(of.uid, member), instants))
        )
        return [
            Finding(
                f"order of {of.name}",
                f"{len(before)} rows came twice alike; {looks or NO_ORDER}",
                "likely",
            )
        ]

    async def _descending(self, of: ExaminedList, sort_by: str) -> Reply:
        return await self._first_page(of, sortBy=sort_by, sortDirection="DESC")

    async def _judge(self, of: ExaminedList, name: str, sort_by: str) -> Judged:
        """What this sortBy does; the best for a name is kept."""
        unknown = await self._descending(of, NOBODY)
        reply = await self._descending(of, sort_by)
        if not reply.ok:
            judged, page = Judged("refused", True, f"refused with {reply.status}"), SeenPage()
        else:
            page = page_of(reply)
            unsorted = page_of(unknown).keys(of.uid) == page.keys(of.uid) if unknown.ok else None
            instants = _is_instant(name)
            found = page.values(of.uid, of.names[name])
            judged = judge_descending(found, instants=instants, unsorted=unsorted)
        if name not in of.judged or judged.verdict == "kept":
            of.judged[name] = sort_by, judged, page
        return judged

    async def _sorts(self, of: ExaminedList) -> Sequence[Finding]:
        """`_spellings` tells what was found, once it has tried other names."""
        await self._known(of)
        unknown = await self._descending(of, NOBODY)
        for name, member in of.names.items():
            sort_by = of.in_force.get(name, member)
            try:
                await self._judge(of, name, sort_by)
            except CannotTell as why:
                of.judged[name] = sort_by, Judged("unknown", False, str(why)), SeenPage()
        told = "ignored" if unknown.ok else f"refused with {unknown.status}"
        return [Finding(f"unknown sortBy of {of.name}", told)]

    async def _spellings(self, of: ExaminedList) -> Sequence[Finding]:
        """Other names for what has none yet, and what is known then."""
        for name, (tried, judged, _) in list(of.judged.items()):
            for spelling in SPELLINGS[name]:
                if judged.verdict in ("kept", "unknown") or self._asker.left <= FOR_THE_MIRROR:
                    break
                if spelling != tried:
                    with suppress(CannotTell):
                        judged = await self._judge(of, name, spelling)
        return told(of) if of.judged else []

    async def _mirror(self) -> Sequence[Finding]:
        """Whether DESC is ASC backwards: by the list and the name with the most ties."""
        lists = (self._groups, self._customers)
        kept = [
            (ties(page.values(of.uid, of.names[name])), judged.sure, of, name)
            for of in lists
            for name, (_, judged, page) in of.judged.items()
            if judged.verdict == "kept" and len(page.rows) > 1
        ]
        if not kept:
            raise CannotTell("no order that is kept has two rows")
        *_, of, name = max(kept, key=lambda each: (each[1] and each[0] >= FEW, each[0]))
        sort_by, _, page = of.judged[name]
        total = len(page.rows) if page.total is None else page.total
        size, rows = last_page(max(1, total), self._size)
        last, asc = page, await self._first_page(of, sortBy=sort_by, sortDirection="ASC")
        if total > len(page.rows):
            number = self._first + (total - 1) // size
            last = page_of(
                await self._ask(
                    *(of,), pageNumber=number, pageSize=size, sortBy=sort_by, sortDirection="DESC"
                )
            )
        ascending = page_of(asc).values(of.uid, of.names[name])[:rows]
        return [mirrored(f"{of.name} by {name}", ascending, last.keys(of.uid))]

    # -- answers

    async def _unknown_group(self) -> Sequence[Finding]:
        path = self._tenant | {"customerGroupUid": NOBODY}
        reply = await self._asker.get(GROUP, path)
        return [Finding("an unknown group", f"status {reply.status}, {reply.shape}")]

    async def _wrong_query(self) -> Sequence[Finding]:
        reply = await self._ask(self._groups, pageNumber=self._first, pageSize="many")
        return [Finding("a wrong query", f"status {reply.status}, {reply.shape}")]


def _past_the_end(found: str, value: str) -> Finding:
    return Finding("past the end", found, "certain", ("past_the_end", value))


def page_base(default: SeenPage, zero: Reply, one: Reply, *, uid: str) -> Finding:
    """Which is the first page, by pages 0 and 1 of one row each."""
    before = page_of(zero).keys(uid) if zero.ok else []
    after = page_of(one).keys(uid) if one.ok else []
    first = default.keys(uid)[:1]
    several = max(len(default.rows), default.total or 0) > max(1, len(before))
    if before and after and before != after:
        return _base(0, "pages 0 and 1 have different rows", sure=before[:1] == first)
    if before and after and several:
        return _base(1, "page 0 is the first page again")
    if before and not after:
        return _base(0, f"page 0 has a row, page 1 {_why_empty(one)}", sure=not several)
    if after and not before:
        return _base(1, f"page 0 {_why_empty(zero)}", sure=after[:1] == first)
    if not zero.ok and one.ok:
        return _base(1, f"page 0 is refused with {zero.status}; there are no rows", sure=False)
    rows = "there is only one row" if before else "there are no rows"
    said = default.number
    for reply, other in ((zero, 1), (one, 0)):
        if reply.ok and page_of(reply).number == other:
            said = other
    if said in (0, 1):
        return _base(said, f"by the number that pages say they have; {rows}", sure=False)
    raise CannotTell(f"{rows}, and pages do not say their number")


def _base(first: int, evidence: str, *, sure: bool = True) -> Finding:
    return Finding("first page", f"{first}: {evidence}", _sure(sure), ("first_page", first))


def _why_empty(reply: Reply) -> str:
    return "has none" if reply.ok else f"is refused with {reply.status}"


def _sure(sure: bool) -> Certainty:
    return "certain" if sure else "likely"


def clamped(page: SeenPage, *, more: bool) -> Finding:
    """What a page of LARGEST rows says of the largest one; `more` says whether others follow."""
    count = len(page.rows)
    if page.size is not None and max(1, count) <= page.size < LARGEST:
        shown = more and count == page.size
        why = "more follow" if shown else f"answers say so, {count} rows don't show it"
        return Finding(
            "largest page",
            f"{page.size} rows, to which larger ones are cut; {why}",
            _sure(shown),
            ("max_page_size", page.size),
        )
    if more and count:
        return Finding(
            "largest page",
            f"{count} rows, to which larger ones are cut; answers do not say so, and more follow",
            "certain",
            ("max_page_size", count),
        )
    if not count:
        raise CannotTell("there are no rows, and answers do not name a smaller page")
    return Finding("largest page", f"{count} rows or more: that many came at once", "likely")


def told(of: ExaminedList) -> Sequence[Finding]:
    """What is known of each name, and the setting that follows."""
    findings: list[Finding] = []
    table: dict[str, str] = {}
    for name, (sort_by, judged, _) in of.judged.items():
        question = f"{of.name} by {name}"
        if judged.verdict == "unknown":
            findings.append(Finding(question, judged.evidence, "not found out"))
        else:
            verdict = "by" if judged.verdict == "kept" else "not by"
            evidence = f"{verdict} sortBy={sort_by}: {judged.evidence}"
            findings.append(Finding(question, evidence, _sure(judged.sure)))
        if judged.verdict == "kept" or (judged.verdict == "unknown" and name in of.in_force):
            table[name] = sort_by
    kept = [name for name, (_, judged, _) in of.judged.items() if judged.verdict == "kept"]
    unknown = [name for name, (_, judged, _) in of.judged.items() if judged.verdict == "unknown"]
    sure = not unknown and all(judged.sure for _, judged, _ in of.judged.values())
    lack = f"; not known: {', '.join(unknown)}" if unknown else ""
    setting = "group_sorts" if of.name == "groups" else "customer_sorts"
    findings.append(
        Finding(
            f"orders of {of.name}",
            f"by {', '.join(kept) or 'nothing'}{lack}",
            _sure(sure),
            (setting, table),
        )
    )
    return findings


def mirrored(
    what: str, ascending: Sequence[tuple[str, object]], descending: Sequence[str]
) -> Finding:
    """Whether the first rows of one are the last rows of the other, backwards."""
    question = "DESC mirrors ASC"
    count = min(len(ascending), len(descending))
    if count < 2:
        raise CannotTell(f"too few rows: {count}")
    alike = ties(ascending[:count])
    evidence = f"{count} {what}, {alike} pairs that compare alike"
    first, last = [uid for uid, _ in ascending[:count]], list(descending[-count:])
    if first != last[::-1]:
        # Other rows may have come because the list has changed.
        sure = set(first) == set(last)
        return Finding(question, f"no: {evidence}", _sure(sure), ("mirrored_sorts", False))
    if not alike:
        raise CannotTell(f"there are no ties: {evidence}")
    if alike < FEW:  # by chance; and if it is wrong, `last` shows wrong rows
        return Finding(question, f"yes, but there are few ties: {evidence}", "likely")
    return Finding(question, f"yes: {evidence}", "certain", ("mirrored_sorts", True))
