"""One operation beside its faults: a tenant of its own, what arrived, and what is wrong."""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from chaos.client import Client, Unanswered
from chaos.faults import FAULTS, AlreadyDone, Fault, NotHere
from chaos.notes import Notes
from chaos.operations import (
    COMMERCETOOLS,
    OPERATIONS,
    PREPARE,
    Operation,
    Prepared,
)
from chaos.oracle import Response, Verdict, judge_change, judge_data, read
from chaos.upstream import Api, Exchange

When = Literal["first", "all", "writes"]
REFUSED: Final = "connection-refused"
"""The one fault that is none of a request's: nobody listens for the tenant."""
MIXED: Final = "mixed"
NOTHING: Final = "nothing"
"""No fault: else what is right is not known."""
TOKEN: Final = re.compile("tk-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a trial is; its text says it again: fault:operation:when."""

    fault: str
    operation: str
    when: When

    def __str__(self) -> str:
        return f"{self.fault}:{self.operation}:{self.when}"


def plans() -> Iterator[Plan]:
    """Every fault with every operation, and with every request that it may befall."""
    for name, operation in OPERATIONS.items():
        chosen: Sequence[When] = (
            ("first", "all", "writes") if operation.change else ("first", "all")
        )
        for fault in FAULTS.values():
            for when in chosen:
                if fault.kind == "write" and (when == "first" or not operation.change):
                    continue
                yield Plan(fault.name, name, when)
        yield Plan(NOTHING, name, "all")
        if not operation.prepares and not operation.both:
            yield Plan(REFUSED, name, "all")


class Unprepared(Exception):
    """Nothing was wrong yet, and the gateway did not answer well."""


@dataclass(slots=True)
class Outcome:
    plan: Plan
    played: Sequence[str]
    wrong: list[str] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    seconds: float = 0.0
    response: Response | None = None
    arrived: Sequence[str] = ()
    harmless: bool = False

    @property
    def late(self) -> bool:
        """Whether it is wrong, and may be so for want of time alone, on a machine that is busy with
        other things: then it is tried once more by itself.
        """
        said = self.response.body if self.response is not None else b""
        signs = (b"DEADLINE_EXCEEDED", b"in time", b"UNKNOWN")
        return bool(self.wrong) and (self.harmless or any(sign in said for sign in signs))

    @property
    def problems(self) -> Iterator[tuple[str, str]]:
        for kind in ("wrong", "malformed", "leaked", "twice"):
            for problem in getattr(self, kind):
                yield kind, problem


class Trial:
    """A case of the upstreams' (chaos.upstream.Case)."""

    def __init__(
        self,
        plan: Plan,
        number: int,
        apis: Mapping[str, Api],
        client: Client,
        *,
        seed: int,
        pool: int | None = None,
    ) -> None:
        """`pool` is how many tenants of commercetools there are, where their turn comes again."""
        self.plan = plan
        self.operation: Operation = OPERATIONS[plan.operation]
        self.token = f"tk-{secrets.token_hex(16)}"
        self.notes = Notes()
        self._apis = apis
        self._client = client
        self._seed = seed
        self._armed = False
        self._hit = False
        self._outcome = Outcome(plan, self.notes.played)
        self._arrived: list[str] = []
        self._writes: dict[tuple[str, str, bytes], Exchange] = {}
        self._seen: dict[tuple[str, str], int] = {}
        again = number if pool is None else number % pool
        deaf = plan.fault == REFUSED
        flow, ct = (f"d{again}", f"e{again}") if deaf else (f"f{number}", f"k{again}")
        first = ct if self.operation.backend == COMMERCETOOLS else flow
        self._tenants = {self.operation.backend: first}
        if self.operation.both:
            self._tenants[COMMERCETOOLS] = ct

    @property
    def tenant(self) -> str:
        return self._tenants[self.operation.backend]

    async def run(self, *, within: float) -> Outcome:
        for name, tenant in self._tenants.items():
            self._apis[name].world.fill(tenant, self.token)
            self._apis[name].cases[tenant] = self
        try:
            await self._run(within)
        finally:
            for name, tenant in self._tenants.items():
                del self._apis[name].cases[tenant]
                self._apis[name].world.clear(tenant)
        self._outcome.arrived = self._arrived
        self._outcome.harmless = self.notes.harmless
        return self._outcome

    async def _run(self, within: float) -> None:
        outcome, operation = self._outcome, self.operation
        world = self._apis[operation.backend].world
        prepared = await self._prepared(within)
        before = world.state(self.tenant)
        self._armed = True
        if self.plan.fault == REFUSED:
            self.notes.played.append(REFUSED)
            self.notes.harmless = False
        try:
            response = await self._client.ask(
                operation.text,
                operation.variables(prepared),
                token=self.token,
                tenant=self.tenant,
                within=within,
            )
        except Unanswered as failure:
            outcome.malformed.append(f"no answer: {failure}")
            return
        finally:
            self._armed = False
        outcome.seconds, outcome.response = response.seconds, response
        if self.token.encode() in response.body or self.token in str(response.headers):
            outcome.leaked.append("the token is in the response")
        verdict = Verdict()
        body = read(response, verdict)
        self.notes.estimates = operation.backend == COMMERCETOOLS and not self.notes.harmless
        if body is not None:
            self.notes.written = "".join(f"{path} {sent!r}" for _, path, sent in self._writes)
            self.notes.conflicts = "".join(
                exchange.request.body.decode()
                for exchange in self._writes.values()
                if exchange.status == 409 and exchange.request.path.endswith("/customers")
                if not _names_several(exchange)
            )
            if not self._writes:
                self.notes.unsure = True  # a write that is not here was lost on its way
                self.notes.harmless = self.notes.harmless and operation.change is None
            if any(_in_doubt(exchange) for exchange in self._writes.values()):
                self.notes.unsure = True
            if operation.right is not None:
                judge_data(operation.right(prepared), body, self.notes, verdict)
            if operation.change is not None:
                after = world.state(self.tenant)
                judge_change(operation.change, body, before, after, self.notes, verdict)
            made = body.get("extensions", {}).get("cost", {}).get("restCallsMade")
            if made is not None and len(self._arrived) > made:
                verdict.wrong.append(
                    f"{made} REST calls are told, and {len(self._arrived)} arrived"
                )
        outcome.wrong += verdict.wrong
        outcome.malformed += verdict.malformed

    async def _prepared(self, within: float) -> Prepared:
        prepared = Prepared(self.tenant, self._tenants.get(COMMERCETOOLS, ""))
        if not self.operation.prepares:
            return prepared
        for _ in range(5):  # on a busy machine it may be late
            response = await self._client.ask(
                PREPARE, token=self.token, tenant=self.tenant, within=within
            )
            body = read(response, Verdict()) or {}
            if not body.get("errors") and body.get("data"):
                break
        else:
            raise Unprepared(f"{self.plan}: {body}")
        data = body["data"]
        edges = data["customerGroups"]["edges"]
        edges_of_members = data["customerGroup"]["customers"]["edges"]
        return Prepared(
            self.tenant,
            prepared.other_tenant,
            cursors={edge["node"]["uid"]: edge["cursor"] for edge in (*edges, *edges_of_members)},
            ids={edge["node"]["uid"]: edge["node"]["id"] for edge in edges},
            revisions={edge["node"]["uid"]: edge["node"]["revision"] for edge in edges},
        )

    # -- what the upstreams ask

    def arrived(self, exchange: Exchange) -> None:
        request = exchange.request
        headers = dict(request.headers)
        if headers.pop("authorization", None) != f"Bearer {self.token}":
            self._outcome.leaked.append(f"another token came with {request.method} {request.path}")
        if TOKEN.search(f"{request.target} {headers}") or TOKEN.search(repr(request.body)):
            self._outcome.leaked.append(f"a token beside Authorization: {request.method}")
        if not self._armed:
            return
        line = f"{request.method} {request.target.replace(exchange.tenant, '$T')}"
        self._arrived.append(f"{line} {request.body.decode()}".rstrip())
        if request.writes:
            key = (request.method, request.target, request.body)
            former = self._writes.get(key)
            # After a conflict, whether to write anew is for whoever has read anew.
            if former is not None and former.status != 409:
                self._outcome.twice.append(f"{line} {request.body.decode()}")
            self._writes[key] = exchange

    async def answer(self, exchange: Exchange) -> None:
        fault = self._fault(exchange) if self._armed else None
        if fault is None:
            await exchange.send(await exchange.real())
            return
        notes = self.notes
        harmless, played = notes.harmless, f"{fault.name} to {self._arrived[-1]}"
        notes.harmless = harmless and fault.harmless
        notes.played.append(played)
        self._hit = True
        try:
            await fault.play(exchange, notes)
            return
        except AlreadyDone as done:
            answer = done.answer
        except NotHere:
            answer = await exchange.real()
        self._hit, notes.harmless = False, harmless
        notes.played.remove(played)
        await exchange.send(answer)

    def _fault(self, exchange: Exchange) -> Fault | None:
        if self.plan.fault.startswith(MIXED):
            return self._mixed(exchange)
        match self.plan.when:
            case "first" if self._hit:
                return None
            case "writes" if not exchange.request.writes:
                return None
            case _:
                return FAULTS.get(self.plan.fault)

    def _mixed(self, exchange: Exchange) -> Fault | None:
        """Half of the requests meet a fault, always the same one for the same seed, whatever the
        order in which they come.
        """
        request = exchange.request
        key = (request.method, request.target.replace(exchange.tenant, "$T"))
        count = self._seen[key] = self._seen.get(key, 0) + 1
        choice = random.Random(f"{self._seed} {self.plan} {key} {count}")  # noqa: S311  # no secret
        if choice.random() < 0.5:
            return None
        return choice.choice(list(FAULTS.values()))


def _in_doubt(exchange: Exchange) -> bool:
    """Whether it is a refused membership request of Flow Retail's for several customers, which may
    have made some of the changes: its documents do not say.
    """
    request, status = exchange.request, exchange.status or 0
    several = _names_several(exchange)
    refused = 400 <= status < 500 and status not in (401, 403, 429)
    return refused and several and request.method == "PUT" and request.path.endswith("/customers")


def _names_several(exchange: Exchange) -> bool:
    body = exchange.request.body
    return body.count(b'"c') + body.count(b'"nobody') > 1
