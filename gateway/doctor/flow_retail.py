"""What a tenant's Flow Retail does where its documents are silent, found out by reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.backends.flow_retail.adapter import GROUP, GROUPS
from gateway.doctor.asking import Asker, CannotTell, Reply, Unreached
from gateway.doctor.probes import Probe
from gateway.doctor.report import Certainty, Finding
from gateway.settings import FlowRetailSettings

UID: Final = "customerGroupUid"
FAR: Final = 1_000_000
"""A page that no list has."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, as far as it can be read."""

    rows: Sequence[dict[str, Any]]
    number: int | None
    size: int | None
    total: int | None

    def keys(self, uid: str) -> Sequence[str]:
        """What tells the rows from each other."""
        return [str(row.get(uid)) for row in self.rows]


def page_of(reply: Reply) -> Page:
    """Raises CannotTell for an answer that is no page of a list."""
    given = reply.json if reply.ok else None
    members = given if isinstance(given, dict) else {}
    items = [] if members.get("items", ...) is None else members.get("items")
    if not isinstance(items, list):
        raise CannotTell(f"answered {reply.status} with {reply.shape}, not with a page of a list")
    paging = members.get("paging")
    said = paging if isinstance(paging, dict) else {}
    return Page(
        [row for row in items if isinstance(row, dict)],
        *(count(said.get(name)) for name in ("pageNumber", "pageSize", "totalCount")),
    )


def count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**31 else None


class Examination:
    """Asks for groups, and for the customers of one of them. What one probe finds out, the others
    use; until then they believe the settings in force.
    """

    def __init__(self, asker: Asker, settings: FlowRetailSettings, tenant: str) -> None:
        self._asker = asker
        self._settings = settings
        self._tenant = tenant
        self._first = settings.first_page
        self._default = Page((), None, None, None)
        """The groups that are answered to a request without parameters."""

    def probes(self) -> Sequence[Probe]:
        return [
            Probe("reached", self._reached),
            Probe("first page", self._page_base),
            Probe("past the end", self._past_the_end),
            Probe("error bodies", self._errors),
        ]

    async def _groups(self, **query: str | int) -> Reply:
        return await self._asker.get(GROUPS, {"tenantUid": self._tenant}, query)

    async def _reached(self) -> Sequence[Finding]:
        try:
            reply = await self._groups()
            if reply.status in (401, 403):
                raise Unreached(f"refused with {reply.status}: the token is not good for this")
            if reply.status == 404:
                raise Unreached("answered 404: does url end in /v2, and is this its tenant?")
            self._default = page_of(reply)
        except Unreached:
            raise
        except CannotTell as why:
            raise Unreached(str(why)) from None
        page = self._default
        size = "an unknown number" if page.size is None else str(page.size)
        return [
            Finding("reached", f"yes: status {reply.status}, {len(page.rows)} groups"),
            Finding("default page", f"{size} of rows, if the request does not say"),
        ]

    async def _page_base(self) -> Sequence[Finding]:
        zero = await self._groups(pageNumber=0, pageSize=1)
        one = await self._groups(pageNumber=1, pageSize=1)
        found = page_base(self._default, zero, one)
        if found.setting is not None:
            self._first = found.setting[1]
        return [found]

    async def _past_the_end(self) -> Sequence[Finding]:
        total = self._default.total
        number = self._first + (FAR if total is None else max(1, total))
        reply = await self._groups(pageNumber=number, pageSize=1)
        evidence = f"page {number} of one row, of {total} rows"
        if reply.status == 404:
            return [past_the_end(f"404 ({evidence})", "not_found")]
        if 400 <= reply.status < 500:
            return [Finding("past the end", f"refused with {reply.status} ({evidence})")]
        page = page_of(reply)
        if not page.rows:
            return [past_the_end(f"an empty page ({evidence})", "empty")]
        own = page.number is not None and page.number != number
        told = "under its own number" if own else "under the number asked for"
        return [
            Finding(
                "past the end",
                f"a page with rows again, {told} ({evidence})",
                "certain" if total else "likely",
                ("past_the_end", "empty") if own else None,
            )
        ]

    async def _errors(self) -> Sequence[Finding]:
        path = {"tenantUid": self._tenant, "customerGroupUid": "gateway-doctor-no-such-group"}
        absent = await self._asker.get(GROUP, path)
        wrong = await self._groups(pageNumber=self._first, pageSize="many")
        return [
            Finding("an unknown group", f"status {absent.status}, {absent.shape}"),
            Finding("a wrong query", f"status {wrong.status}, {wrong.shape}"),
        ]


def past_the_end(found: str, value: str) -> Finding:
    return Finding("past the end", found, "certain", ("past_the_end", value))


def page_base(default: Page, zero: Reply, one: Reply) -> Finding:
    """Which is the first page, by pages 0 and 1 of one row each."""
    before = _rows(zero)
    after = _rows(one)
    first = default.keys(UID)[:1]
    several = max(len(default.rows), default.total or 0) > max(1, len(before))
    said = next(
        (said for page, said in ((zero, 1), (one, 0)) if page.ok and page_of(page).number == said),
        default.number,
    )
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
    if said in (0, 1):
        return _base(said, f"by the number that pages say they have; {rows}", sure=False)
    raise CannotTell(f"{rows}, and pages do not say their number")


def _base(first: int, evidence: str, *, sure: bool = True) -> Finding:
    certainty: Certainty = "certain" if sure else "likely"
    return Finding("first page", f"{first}: {evidence}", certainty, ("first_page", first))


def _rows(reply: Reply) -> Sequence[str]:
    return page_of(reply).keys(UID) if reply.ok else []


def _why_empty(reply: Reply) -> str:
    return "has none" if reply.ok else f"is refused with {reply.status}"
