"""Counts events for Prometheus, and shows what was counted.

Labels have few values, whoever sends what: backends, path templates, settings and error codes are
ours; of tenants, those that are listed; of operations' names, those of trusted documents and the
first hundred that callers with an accepted token have used. All else is `other`.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Final, Generic, Literal, TypeVar

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector

from gateway import VERSION
from gateway.rest import BreakerChanged, UnusableAnswer, UpstreamCall
from gateway.settings import Settings, numbers
from gateway.telemetry import (
    ChangeDone,
    ContractDeviation,
    Draining,
    Event,
    Figures,
    LimitReached,
    OperationDone,
    OperationPrepared,
    RateLimitReached,
    RedisCall,
    RedisChanged,
    RequestRefused,
    Stopped,
    UntrustedDocument,
)

OTHER: Final = "other"
DEVIATION: Final = "gateway_contract_deviation"
DEVIATIONS: Final = f"{DEVIATION}s_total"
MEMBER: Final = ("backend", "template", "member", "kind")
NAMES: Final = 100
"""Names of operations that no manifest has."""
MOST: Final = 2_000
"""Combinations of one metric's labels, whatever comes."""
CAUSES: Final = frozenset(
    {"dns", "invalid answer", "lost", "proxy", "refused", "reset", "tls", "unreachable"}
    | {f"timeout: {of}" for of in ("answer", "connect", "deadline")}
)
"""The kinds of causes, which are followed by a colon where there is more to say."""
OPERATION: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; so are the next ones."""
REST_CALL: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LAG: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
TICK: Final = 0.1
"""Seconds from one look at the event loop's lag to the next."""
TICKS: Final = 20
"""Ticks after which figures are read again, where others show them."""
Mode = Literal["livesum", "livemin", "livemax", "min", "max"]
MODES: Final[dict[str, Mode]] = {
    "process_open_fds": "livemax",
    "process_max_fds": "livemin",
    "process_start_time_seconds": "livemin",
}
"""How several processes' gauges are summed up, where they are not added."""
MetricT = TypeVar("MetricT", bound=MetricWrapperBase)
_Labelled = tuple[str, tuple[str, ...]]


class _Children(dict[tuple[object, ...], MetricT], Generic[MetricT]):
    """A metric's children by the values of its labels: prometheus-client would check those, and
    take a lock, at each event.
    """

    def __init__(self, metric: MetricT, names: Sequence[str]) -> None:
        super().__init__()
        self._metric = metric
        self.names = names

    def __missing__(self, values: tuple[object, ...]) -> MetricT:
        if not values:
            child = self._metric
        elif len(self) < MOST:
            child = self._metric.labels(*values)
        else:
            return self._metric.labels(*[OTHER for _ in values])
        self[values] = child
        return child


class _Seconds(Histogram):
    """A histogram that takes many observations at once."""

    def add(self, counts: Sequence[int], total: float) -> None:
        """So many in each bucket, and the sum of all."""
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class _Tally:
    """What happened since it was last added to the metrics."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0


class _Tallies(dict[tuple[object, ...], _Tally]):
    """By the values of a counter's labels, the first of which are a histogram's. To tell the two of
    each event would take longer than the log does: each takes locks, and a dozen function calls.
    """

    def __init__(
        self, counter: _Children[Counter], seconds: _Children[_Seconds], bounds: Sequence[float]
    ) -> None:
        super().__init__()
        self._counter, self._seconds, self._bounds = counter, seconds, bounds
        self._shared = len(seconds.names)

    def __missing__(self, values: tuple[object, ...]) -> _Tally:
        if len(self) >= MOST:
            values = (OTHER,) * len(values)
        return self.setdefault(values, _Tally(len(self._bounds) + 1))

    def count(self, values: tuple[object, ...], seconds: float) -> None:
        tally = self[values]
        tally.counts[bisect_left(self._bounds, seconds)] += 1
        tally.total += seconds

    def flush(self) -> None:
        """Add all to the metrics."""
        for values, tally in self.items():
            if any(tally.counts):
                self._counter[values].inc(sum(tally.counts))
                self._seconds[values[: self._shared]].add(tally.counts, tally.total)
                tally.counts = [0] * len(tally.counts)
                tally.total = 0.0


class Metrics:
    """An observer that counts, for one process or, with a `directory` that they share, several."""

    def __init__(self, settings: Settings, *, directory: str | None = None) -> None:
        """With `directory`, prometheus-client must have found it in PROMETHEUS_MULTIPROC_DIR when
        it was imported.
        """
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self._directory = directory
        self._registry = registry = CollectorRegistry()
        self._sources: list[Figures] = []
        self._counters: dict[str, _Children[Counter]] = {}
        self._gauges: dict[str, _Children[Gauge]] = {}
        self._counted: dict[_Labelled, float] = {}
        """What counters had when they were last read."""
        self._names: set[str] = set()
        self._tenants = {*settings.tenants, settings.default_tenant}
        self._one = Lock()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        GCCollector(registry=self._process)

        def counter(name: str, about: str, *labels: str) -> _Children[Counter]:
            made = self._counters[name] = _Children(
                Counter(name, about, labels, registry=registry), labels
            )
            return made

        def gauge(name: str, about: str, *labels: str, mode: Mode = "livesum") -> _Children[Gauge]:
            made = self._gauges[name] = _Children(
                Gauge(name, about, labels, registry=registry, multiprocess_mode=mode), labels
            )
            return made

        def seconds(
            name: str, about: str, *labels: str, buckets: Sequence[float]
        ) -> _Children[_Seconds]:
            made = _Seconds(name, about, labels, registry=registry, buckets=buckets)
            return _Children(made, labels)

        self._operations = _Tallies(
            counter("gateway_operations_total", "Operations.", "kind", "outcome", "name"),
            seconds(
                "gateway_operation_seconds",
                "Seconds from an operation's first byte until its response is written.",
                "kind",
                "outcome",
                buckets=OPERATION,
            ),
            OPERATION,
        )
        self._errors = counter("gateway_errors_total", "Errors of operations.", "code")
        self._tenant_errors = counter(
            "gateway_tenant_errors_total",
            "Operations that failed or were answered in part, by the tenants asked.",
            "tenant",
        )
        self._limits = counter(
            "gateway_limits_reached_total", "Limits that operations or connections met.", "limit"
        )
        self._changes = counter(
            "gateway_changes_total", "Changes asked of backends.", "kind", "outcome"
        )
        self._refused = counter(
            "gateway_requests_refused_total",
            "Requests refused before they were read as GraphQL.",
            "status",
            "limit",
        )
        of_calls = "backend", "method", "template"
        self._rest_calls = _Tallies(
            counter(
                "gateway_rest_calls_total",
                "REST calls sent; the result is a status, or why there is no usable one.",
                *of_calls,
                "result",
            ),
            seconds(
                "gateway_rest_call_seconds",
                "Seconds that REST calls took.",
                *of_calls,
                buckets=REST_CALL,
            ),
            REST_CALL,
        )
        self._repeats = counter(
            "gateway_rest_repeats_total", "REST calls sent again after a failure.", "backend"
        )
        self._unusable = counter(
            "gateway_unusable_answers_total",
            "Answers of REST calls that can't be used.",
            "backend",
            "template",
        )
        self._deviations = counter(
            DEVIATIONS,
            "Looked-at answers that are not as documented; known is what the documents show.",
            *MEMBER,
            "known",
        )
        self._first_deviations = gauge(
            f"{DEVIATION}_first_timestamp_seconds",
            "When an answer was first seen not to be as documented; the shape of what came.",
            *MEMBER,
            "example",
            mode="min",
        )
        self._last_deviations = gauge(
            f"{DEVIATION}_last_timestamp_seconds",
            "When an answer was last seen not to be as documented.",
            *MEMBER,
            mode="max",
        )
        self._rate_limited = counter(
            "gateway_rate_limited_total", "Operations refused by the rate limit.", "by"
        )
        self._redis_calls = counter(
            "gateway_redis_calls_total", "Commands for Redis.", "use", "result"
        )
        self._lag = seconds(
            "gateway_event_loop_lag_seconds",
            "Seconds by which the event loop was late, ten times a second.",
            buckets=LAG,
        )
        gauge("gateway_breakers_open", "Tenants whose REST calls are held back.", "backend")
        gauge("gateway_gate_in_use", "REST calls under way.", "backend")
        gauge("gateway_gate_waiting", "REST calls that wait for a place.", "backend")
        gauge("gateway_gate_places", "REST calls that may be under way at once.", "backend")
        gauge("gateway_ready", "Whether it is to be sent requests: 0 from when it is to stop.")
        gauge("gateway_requests_in_flight", "Requests under way.")
        gauge("gateway_connections", "Connections of clients.")
        gauge("gateway_cache_bytes", "Bytes in a cache.", "cache")
        counter("gateway_cache_hits_total", "Look-ups that a cache answered.", "cache")
        counter("gateway_cache_misses_total", "Look-ups that it did not.", "cache")
        counter("gateway_log_lines_dropped_total", "Lines of the log that nobody read in time.")
        counter("gateway_spans_lost_total", "Spans that no collector has taken.")
        for family in self._process.collect():
            sample = family.samples[0]
            about = family.documentation, *sample.labels
            if family.type == "counter":
                counter(sample.name, *about)
            else:
                gauge(sample.name, *about, mode=MODES.get(sample.name, "livesum"))
        info = gauge("gateway_info", "The version that runs.", "version", "profile", mode="livemax")
        info[VERSION, settings.profile].set(1)
        chosen = settings.default_backend or "none", settings.trusted_mode
        info = gauge(
            "gateway_settings_info",
            "Settings that are no numbers.",
            "default_backend",
            "trusted_mode",
            mode="livemax",
        )
        info[chosen].set(1)
        setting = gauge("gateway_setting", "Settings that are numbers.", "name", mode="livemax")
        for name, value, _default in numbers(settings):
            setting[(name,)].set(value)

    # -- what happens

    def __call__(self, event: Event) -> None:
        match event:
            case UpstreamCall():
                self._count_rest_call(event)
            case OperationDone():
                self._count_operation(event)
            case ChangeDone():
                self._changes[event.kind, event.outcome].inc()
            case UnusableAnswer():
                self._unusable[event.backend, event.template].inc()
            case ContractDeviation():
                self._count_deviation(event)
            case LimitReached():
                self._limits[(event.limit,)].inc()
            case RequestRefused():
                self._refused[event.status, event.limit or "none"].inc()
            case RateLimitReached():
                self._rate_limited[(event.by,)].inc()
            case RedisCall():
                self._redis_calls[event.use, event.result].inc()
            case BreakerChanged() | RedisChanged() | UntrustedDocument() | OperationPrepared():
                pass  # breakers that are open are read
            case Draining() | Stopped():
                pass  # whether it is ready is read

    def _count_operation(self, event: OperationDone) -> None:
        values = (event.kind or "none", event.outcome, self._name(event))
        self._operations.count(values, event.seconds)
        if not event.error_codes:
            return
        for code in event.error_codes:
            self._errors[(code,)].inc()
        for limit in event.limits:
            self._limits[(limit,)].inc()
        if event.tenant and event.outcome in ("partial", "failed"):
            for tenant in event.tenant.split(","):
                self._tenant_errors[(tenant if tenant in self._tenants else OTHER,)].inc()

    def _name(self, event: OperationDone) -> str:
        name = event.operation_name
        if name is None:
            return "none"
        if name not in self._names:
            if not (event.trusted or (event.accepted and len(self._names) < NAMES)):
                return OTHER
            self._names.add(name)
        return name

    def _count_rest_call(self, event: UpstreamCall) -> None:
        result: object = event.status
        if event.cause is not None and not event.cause.startswith("status "):
            kind = event.cause.partition(":")[0]
            result = event.cause if event.cause in CAUSES else kind if kind in CAUSES else OTHER
        elif result is None:
            result = "cancelled"
        values = (event.backend, event.method, event.template, result)
        self._rest_calls.count(values, event.seconds)
        if event.attempt > 1:
            self._repeats[(event.backend,)].inc()

    def _count_deviation(self, event: ContractDeviation) -> None:
        member = (event.backend, event.template, event.member, event.kind)
        counted, now = (*member, str(event.known).lower()), time.time()
        if counted not in self._deviations:
            first = self._first_deviations[*member, event.example]
            if not first._value.get():  # which the worker before this one may have set
                first.set(now)
        self._deviations[counted].inc()
        self._last_deviations[member].set(now)

    # -- what is read

    def watch(self, figures: Figures) -> None:
        """Show these as well, as they are when somebody looks."""
        self._sources.append(figures)

    def refresh(self) -> None:
        """Add up what happened, and read all figures; in the event loop."""
        self._operations.flush()
        self._rest_calls.flush()
        sums: dict[_Labelled, float] = {}
        for figures in self._sources:
            for name, labels, value in figures():
                sums[name, labels] = sums.get((name, labels), 0) + value
        for (name, labels), value in sums.items():
            self._set(name, labels, value)

    def _set(self, name: str, labels: tuple[str, ...], value: float) -> None:
        if name in self._gauges:
            self._gauges[name][labels].set(value)
        else:
            before, self._counted[name, labels] = self._counted.get((name, labels), 0), value
            self._counters[name][labels].inc(value - before)

    def _refresh_process(self) -> None:
        """In a thread: to count descriptors takes milliseconds for each thousand."""
        with self._one:  # where there are several processes, two threads do this
            for sample in [each for family in self._process.collect() for each in family.samples]:
                self._set(sample.name, tuple(sample.labels.values()), sample.value)

    def shown(self) -> bytes:
        """All metrics in Prometheus' text format; in any thread."""
        self._refresh_process()
        return generate_latest(self._all())

    def _all(self) -> CollectorRegistry:
        """Of all processes."""
        if self._directory is None:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]  # nor has it
        return registry

    def deviations(self) -> bytes:
        """Where answers are not as documented, in JSON, those that the documents do not show
        themselves first; in any thread.
        """
        found: dict[tuple[str, ...], dict[str, object]] = {}
        samples = [each for family in self._all().collect() for each in family.samples]
        for sample in sorted(samples, key=lambda sample: sample.value, reverse=True):
            if not sample.name.startswith(DEVIATION):
                continue
            labels = dict(sample.labels)
            row = found.setdefault(tuple(labels[name] for name in MEMBER), {})
            row |= labels
            if sample.name == DEVIATIONS:
                row |= {"known": labels["known"] == "true", "count": int(sample.value)}
            else:  # the first of all processes comes last
                when = datetime.fromtimestamp(sample.value, UTC).isoformat(timespec="seconds")
                row["first" if "example" in labels else "last"] = when
        rows = sorted(found.values(), key=lambda row: (row.get("known"), *map(row.get, MEMBER)))
        return msgspec.json.encode({"deviations": rows})

    # -- the event loop's lag

    async def measure(self) -> None:
        """Measure how late the event loop is, until cancelled; and where other processes show the
        figures of this one, read them now and then.
        """
        loop = asyncio.get_running_loop()
        ticks = 0
        try:
            while True:
                if self._directory is not None and ticks % TICKS == 0:
                    self.refresh()
                    await asyncio.to_thread(self._refresh_process)
                due = loop.time() + TICK
                await asyncio.sleep(TICK)
                self._lag[()].observe(max(0.0, loop.time() - due))
                ticks += 1
        finally:
            if self._directory is not None:
                self.refresh()
