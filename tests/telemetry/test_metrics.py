"""What metrics say, as Prometheus reads it: what moves each of them, and what labels may be."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import time
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from gateway import VERSION
from gateway.rest import UpstreamCall
from gateway.settings import RedisSettings
from gateway.simulator.faults import Answer, Close, Delay, LoseAnswer
from gateway.telemetry import OperationDone
from gateway.telemetry.log_output import WAITING, LogWriter
from gateway.telemetry.metrics import MOST, NAMES, Metrics
from gateway.telemetry.spans import Spans
from tests.harness import TENANT, TOKEN, Flow, Measured, running_measured, settings
from tests.http.test_disconnects import until
from tests.programs import program
from tests.serving.test_process import serving

ROOT = Path(__file__).parents[2]
NAMED = "query Names { customerGroups(first: 2) { nodes { name } } }"
LIST = "{ customerGroups(first: 2) { nodes { name } } }"
STRANGER = "unknown"
GROUPS = "/tenants/{tenantUid}/customer-groups"
CREATE = 'mutation { createCustomerGroup(input: {name: "%s"}) { userErrors { code } } }'


@pytest.fixture
async def measured(flow: Flow) -> AsyncIterator[Measured]:
    async with running_measured(settings(flow.url)) as running:
        yield running


# -- operations


async def test_an_operation_is_counted_by_kind_outcome_and_name(measured: Measured):
    """The name is the document's."""
    await measured.query(NAMED)
    await measured.query(CREATE % "Gold")

    scraped = await measured.scrape()
    operations = "gateway_operations_total"
    assert scraped.value(operations, kind="query", outcome="ok", name="Names") == 1
    assert scraped.value(operations, kind="mutation", outcome="ok", name="none") == 1
    assert scraped.value("gateway_operation_seconds_count", kind="query", outcome="ok") == 1
    [event, _] = [event for event in measured.events if isinstance(event, OperationDone)]
    seconds = scraped.value("gateway_operation_seconds_sum", kind="query")
    assert seconds == pytest.approx(event.seconds)


@pytest.mark.parametrize(
    ("query", "outcome", "code"),
    [
        ("{ customerGroups(first: 2) { nodes { name } } }", "failed", "UPSTREAM_UNAVAILABLE"),
        ("{ __typename customerGroups(first: 2) { nodes { name } } }", "partial", None),
        ('{ customerGroup(by: {uid: ".."}) { name } }', "failed", "BAD_USER_INPUT"),
        ("{ nothing }", "refused", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "refused", "GRAPHQL_PARSE_FAILED"),
    ],
)
async def test_outcomes_and_codes(measured: Measured, flow: Flow, query, outcome, code):
    """Of what has no data, of what has some, and of what did not run."""
    flow.fail(Answer(503), times=10)

    await measured.ask(query)

    scraped = await measured.scrape()
    assert scraped.value("gateway_operations_total", outcome=outcome) == 1
    assert scraped.value("gateway_operations_total") == 1
    assert scraped.value("gateway_errors_total", code=code or "UPSTREAM_UNAVAILABLE") == 1
    assert scraped.value("gateway_errors_total") == 1


async def test_mistakes_that_are_data_are_no_failure(measured: Measured):
    """A payload says what the caller can do."""
    await measured.query(CREATE % "")

    scraped = await measured.scrape()
    assert scraped.value("gateway_operations_total", kind="mutation", outcome="ok") == 1
    assert scraped.value("gateway_errors_total") == 0


async def test_a_change_of_which_nothing_is_known_is_partial(measured: Measured, flow: Flow):
    """Though only its payload says so."""
    flow.fail(LoseAnswer(), times=1)

    await measured.query(CREATE % "Gold")

    scraped = await measured.scrape()
    assert scraped.value("gateway_operations_total", kind="mutation", outcome="partial") == 1
    assert scraped.value("gateway_errors_total", code="OUTCOME_UNKNOWN") == 1
    changes = {"kind": "createCustomerGroup", "outcome": "unknown"}
    assert scraped.value("gateway_changes_total", **changes) == 1


async def test_a_client_that_is_gone_is_an_outcome(measured: Measured, flow: Flow):
    """And the REST call that was made for it is cancelled."""
    flow.fail(Delay(30), times=1)
    asking = asyncio.create_task(measured.post(LIST))
    await until(lambda: len(flow.calls) == 1)

    asking.cancel()
    await until(lambda: any(isinstance(event, OperationDone) for event in measured.events))

    scraped = await measured.scrape()
    assert scraped.value("gateway_operations_total", outcome="client_gone") == 1
    assert scraped.value("gateway_rest_calls_total", result="cancelled") == 1


async def test_failures_are_counted_for_tenants_that_the_settings_name(measured: Measured):
    """Those that callers make up are one."""
    for tenant in (TENANT, "made-up", "made-up-too"):
        await measured.ask(LIST, headers={"X-Tenant": tenant}, token=STRANGER)

    scraped = await measured.scrape()
    assert scraped.value("gateway_tenant_errors_total", tenant=TENANT) == 1
    assert scraped.value("gateway_tenant_errors_total", tenant="other") == 2
    assert scraped.values("gateway_tenant_errors_total", "tenant") == {TENANT, "other"}


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        ("{ customerGroups(first: 1000) { nodes { name } } }", "max_page_size"),
        ("{ " + " ".join(f"a{n}: __typename" for n in range(200)) + " }", "max_aliases"),
        ("{ __typename }" + " " * 2_000_000, "max_request_body"),
    ],
)
async def test_limits_that_operations_meet(measured: Measured, query, limit):
    """Whether the document or the request exceeds it."""
    await measured.ask(query)

    assert (await measured.scrape()).value("gateway_limits_reached_total", limit=limit) == 1


async def test_limits_that_connections_meet_and_requests_refused_at_the_door(measured: Measured):
    """Before anything reads them as GraphQL."""
    await measured.client.get(f"{measured.url}/graphql", headers={"X": "x" * 40_000})
    await measured.client.get(f"{measured.url}/graphql", headers={"Host": "a b"})

    scraped = await measured.scrape()
    refused = "gateway_requests_refused_total"
    assert scraped.value("gateway_limits_reached_total", limit="max_head") == 1
    assert scraped.value(refused, status="431", limit="max_head") == 1
    assert scraped.value(refused, status="400", limit="none") == 1
    assert scraped.value("gateway_operations_total") == 0


# -- REST calls


async def test_rest_calls_are_counted_by_template_and_status(measured: Measured, flow: Flow):
    """And how long they took."""
    flow.add_group("gold")

    await measured.query('{ customerGroup(by: {uid: "gold"}) { name } }')
    await measured.query('{ customerGroup(by: {uid: "none"}) { name } }')

    scraped = await measured.scrape()
    labels = {
        "backend": "flow_retail",
        "method": "GET",
        "template": GROUPS + "/{customerGroupUid}",
    }
    calls = "gateway_rest_calls_total"
    assert scraped.value(calls, **labels, result="200") == 1
    assert scraped.value(calls, **labels, result="404") == 1
    assert scraped.value(calls) == len(flow.calls)
    assert scraped.value("gateway_rest_call_seconds_count", **labels) == 2
    seconds = [event.seconds for event in measured.events if isinstance(event, UpstreamCall)]
    assert scraped.value("gateway_rest_call_seconds_sum", **labels) == pytest.approx(sum(seconds))


@pytest.mark.slow
async def test_calls_that_are_sent_again_are_counted(measured: Measured, flow: Flow):
    """By what was wrong with the first one."""
    flow.fail(Answer(503), times=1)
    await measured.query(LIST)
    flow.fail(Close(), times=1)
    await measured.query(LIST)

    scraped = await measured.scrape()
    assert scraped.value("gateway_rest_repeats_total", backend="flow_retail") == 2
    found = {r: scraped.value("gateway_rest_calls_total", result=r) for r in ("503", "reset")}
    assert found == {"503": 1, "reset": 1}
    assert scraped.value("gateway_rest_calls_total", result="200") == 2


async def test_a_backend_that_is_not_there_is_a_cause(flow: Flow):
    """And no status."""
    async with running_measured(settings("http://127.0.0.1:1/v2")) as measured:
        await measured.ask(LIST)

        scraped = await measured.scrape()
    assert scraped.values("gateway_rest_calls_total", "result") == {"refused"}


async def test_answers_that_can_t_be_used_are_counted(measured: Measured, flow: Flow):
    """Their status was 200."""
    flow.fail(Answer(200, b'{"items": 7}'), times=1)

    await measured.ask(LIST)

    scraped = await measured.scrape()
    labels = {"backend": "flow_retail", "template": GROUPS}
    assert scraped.value("gateway_unusable_answers_total", **labels) == 1
    assert scraped.value("gateway_rest_calls_total", result="200") == 1


def shown_by(metrics: Metrics) -> str:
    metrics.refresh()
    return metrics.shown().decode()


def call(**changed: object) -> UpstreamCall:
    given = {"backend": "b", "tenant": "t", "method": "GET", "template": "/x", "status": None}
    return UpstreamCall(**given | {"seconds": 0.1, "attempt": 1, "request_id": "r"} | changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cause", "result"),
    [
        ("tls: unable to get issuer certificate", "tls"),
        ("unreachable: ENETUNREACH", "unreachable"),
        ("proxy: timeout: connect", "proxy"),
        ("timeout: answer", "timeout: answer"),
        ("timeout: another", "other"),
        ("whatever a backend may make of it", "other"),
    ],
)
async def test_of_a_cause_its_kind_is_shown(flow: Flow, cause, result):
    """What follows may be anything."""
    metrics = Metrics(settings(flow.url))

    metrics(call(cause=cause))

    assert f'result="{result}"' in shown_by(metrics)


# -- what replicas share


async def test_what_the_rate_limit_refuses_is_counted(flow: Flow):
    """By whose limit it was."""
    async with running_measured(settings(flow.url, rate_limit=0.1, rate_limit_burst=1)) as measured:
        for _ in range(3):
            await measured.ask(LIST)

        scraped = await measured.scrape()
    assert scraped.value("gateway_rate_limited_total", by="caller") == 2
    assert scraped.value("gateway_limits_reached_total", limit="rate_limit") == 2


async def test_what_is_asked_of_redis_is_counted(flow: Flow):
    """Though nobody listens there."""
    chosen = settings(flow.url, redis=RedisSettings(url="redis://127.0.0.1:1"))
    async with running_measured(chosen) as measured:
        await measured.client.post(
            f"{measured.url}/graphql", json={"extensions": apq("{ __typename }")}
        )

        scraped = await measured.scrape()
    calls = "gateway_redis_calls_total"
    assert scraped.value(calls, use="attempt", result="connection") == 1
    assert scraped.value(calls, use="persisted_queries", result="skipped") == 1


# -- what is read when somebody looks


async def test_the_gate_is_shown_while_it_is_full(flow: Flow):
    """Who waits, and who does not."""
    flow.fail(Delay(30), times=1)
    chosen = settings(flow.url, flow_retail={"concurrency": 1})
    async with running_measured(chosen) as measured:
        asking = [asyncio.create_task(measured.post(LIST)) for _ in range(3)]
        await until(lambda: len(flow.calls) == 1)
        scraped = await measured.scraped_when(lambda all: all.value("gateway_gate_waiting") == 2)

        labels = {"backend": "flow_retail"}
        assert scraped.value("gateway_gate_in_use", **labels) == 1
        assert scraped.value("gateway_gate_places", **labels) == 1
        assert scraped.value("gateway_requests_in_flight") == 3
        assert scraped.value("gateway_connections") == 3
        for task in asking:
            task.cancel()
        scraped = await measured.scraped_when(lambda all: not all.value("gateway_connections"))
        assert scraped.value("gateway_gate_in_use", **labels) == 0
        assert scraped.value("gateway_requests_in_flight") == 0


@pytest.mark.slow
async def test_breakers_that_are_open_are_counted(measured: Measured, flow: Flow):
    """Those of two tenants, until their calls succeed."""
    fault = flow.faults.add(Answer(500), times=1_000)
    for tenant in (TENANT, "other"):
        for _ in range(40):
            await measured.post(LIST, headers={"X-Tenant": tenant})
            await asyncio.sleep(0.03)

    scraped = await measured.scrape()
    assert scraped.value("gateway_breakers_open", backend="flow_retail") == 2
    fault.times = 0
    await asyncio.sleep(1.1)
    for tenant in (TENANT, "other"):
        await measured.query(LIST, headers={"X-Tenant": tenant})
    assert (await measured.scrape()).value("gateway_breakers_open") == 0


async def test_documents_are_found_in_their_cache(measured: Measured):
    """From the second time on."""
    for _ in range(3):
        await measured.query(LIST)

    scraped = await measured.scrape()
    assert scraped.value("gateway_cache_hits_total", cache="documents") == 2
    assert scraped.value("gateway_cache_misses_total", cache="documents") == 1
    assert scraped.value("gateway_cache_bytes", cache="documents") > 4_000


def apq(query: str) -> dict[str, object]:
    """What names it by its hash."""
    digest = hashlib.sha256(query.encode()).hexdigest()
    return {"persistedQuery": {"version": 1, "sha256Hash": digest}}


async def test_persisted_queries_are_found_once_they_are_registered(measured: Measured):
    """They are kept in UTF-8."""
    asked = {"extensions": apq(LIST)}

    await measured.client.post(f"{measured.url}/graphql", json=asked)
    await measured.post(LIST, **asked)
    await measured.client.post(f"{measured.url}/graphql", json=asked)

    scraped = await measured.scrape()
    assert scraped.value("gateway_cache_misses_total", cache="persisted_queries") == 1
    assert scraped.value("gateway_cache_hits_total", cache="persisted_queries") == 1
    assert scraped.value("gateway_cache_bytes", cache="persisted_queries") > len(LIST)


@pytest.mark.slow
async def test_reads_of_one_operation_are_found_in_its_cache(measured: Measured, flow: Flow):
    """Which is there as long as the operation."""
    flow.add_groups(3)
    flow.add_customers(2, "g001", "g002")
    members = "customers(first: 2) { nodes { uid } }"
    again = f"{{ nodes {{ customerGroups {{ name {members} }} }} }}"
    groups = f"nodes {{ {members} both: customers(first: 2) {again} }}"
    query = f"{{ customerGroups(first: 3) {{ {groups} }} }}"
    flow.fail(Delay(30), path="/g002/customers", times=1)

    asking = asyncio.create_task(measured.post(query))
    await measured.scraped_when(lambda all: all.value("gateway_cache_bytes", cache="reads"))
    asking.cancel()
    scraped = await measured.scraped_when(
        lambda all: not all.value("gateway_cache_bytes", cache="reads")
    )
    misses = scraped.value("gateway_cache_misses_total", cache="reads")
    await measured.query(query)

    scraped = await measured.scrape()
    assert scraped.value("gateway_cache_hits_total", cache="reads") > 0
    assert scraped.value("gateway_cache_misses_total", cache="reads") - misses == 4
    assert scraped.value("gateway_cache_bytes", cache="reads") == 0


async def test_accepted_tokens_are_found_once_a_backend_has_accepted_them(measured: Measured):
    """Others are not."""
    for token in (TOKEN, TOKEN, "unknown"):
        await measured.ask(LIST, token=token)

    scraped = await measured.scrape()
    assert scraped.value("gateway_cache_hits_total", cache="accepted_tokens") == 1
    assert scraped.value("gateway_cache_misses_total", cache="accepted_tokens") == 2
    assert scraped.value("gateway_cache_bytes", cache="accepted_tokens") > 0


@pytest.mark.slow
async def test_a_loop_that_stands_still_is_late(measured: Measured):
    """By as much."""
    await asyncio.sleep(0.15)

    time.sleep(0.3)  # noqa: ASYNC251  # so that nothing else runs
    await asyncio.sleep(0.15)

    scraped = await measured.scrape()
    lag = "gateway_event_loop_lag_seconds"
    late = scraped.value(f"{lag}_count") - scraped.value(f"{lag}_bucket", le="0.1")
    assert late >= 1
    assert scraped.value(f"{lag}_sum") >= 0.15


async def test_lines_that_the_log_drops_are_counted(flow: Flow):
    """Nobody writes them here."""
    log = LogWriter(os.open(os.devnull, os.O_WRONLY))
    for _ in range(WAITING + 3):
        log.waiting.enqueue(None)  # type: ignore[arg-type]
    async with running_measured(settings(flow.url), log=log) as measured:
        scraped = await measured.scrape()

    assert scraped.value("gateway_log_lines_dropped_total") == 3


class Refusing(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


@pytest.mark.slow
async def test_spans_that_are_lost_are_counted(flow: Flow):
    """Of an operation and its REST call, and of reading and planning it."""
    spans = Spans(Refusing(), delay=0.05)
    async with running_measured(settings(flow.url), spans=spans) as measured:
        await measured.query(LIST)

        await measured.scraped_when(lambda all: all.value("gateway_spans_lost_total") == 4)
    spans.stop()


@pytest.mark.slow
async def test_a_gateway_that_drains_is_not_ready(tmp_path: Path, flow: Flow):
    """Though it still answers."""
    more = {"GATEWAY_MANAGEMENT_PORT": "0", "GATEWAY_DRAIN": "30"}
    async with serving(tmp_path, flow, **more) as served:
        metrics = f"{served.management}/metrics"
        await served.ask(LIST)
        before = (await served.client.get(metrics)).text
        served.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            while "gateway_ready 0.0" not in (await served.client.get(metrics)).text:
                pass

    assert "gateway_ready 1.0" in before


async def test_the_version_and_the_settings_are_shown(flow: Flow):
    """Those that are numbers by name, of a backend as well."""
    chosen = settings(flow.url, max_depth=12, flow_retail={"concurrency": 7})
    async with running_measured(chosen) as measured:
        scraped = await measured.scrape()

    assert scraped.value("gateway_info", version=VERSION, profile="development") == 1
    settings_info = {"default_backend": "flow_retail", "trusted_mode": "off"}
    assert scraped.value("gateway_settings_info", **settings_info) == 1
    assert scraped.value("gateway_setting", name="max_depth") == 12
    assert scraped.value("gateway_setting", name="flow_retail.concurrency") == 7
    assert scraped.value("gateway_setting", name="port") == 0


async def test_the_process_is_shown(measured: Measured):
    """As every exporter does."""
    scraped = await measured.scrape()

    assert scraped.value("process_resident_memory_bytes") > 10_000_000
    assert scraped.value("process_cpu_seconds_total") == pytest.approx(time.process_time(), rel=0.2)
    assert scraped.value("python_gc_collections_total", generation="0") > 0
    later = await measured.scrape()
    before = scraped.value("process_cpu_seconds_total")
    assert before <= later.value("process_cpu_seconds_total") < before + 60


@pytest.mark.slow
async def test_several_threads_can_show_them_at_once(flow: Flow):
    """What one of them has read late does not make a counter go back."""
    metrics = Metrics(settings(flow.url))

    def shown() -> None:
        for _ in range(20):
            metrics.shown()

    await asyncio.gather(*(asyncio.to_thread(shown) for _ in range(6)))

    cpu = re.search(r"^process_cpu_seconds_total (\S+)", shown_by(metrics), re.M)
    assert cpu is not None
    assert float(cpu[1]) <= time.process_time() + 0.1


# -- labels


@pytest.mark.slow  # a second for each hundred
async def test_a_stranger_adds_no_label(measured: Measured, flow: Flow):
    """Whatever names it makes up: of operations, fields, tenants, clients, groups."""
    await measured.query(NAMED)
    await measured.ask(LIST, token=STRANGER, headers={"X-Tenant": "unknown"})
    labels = {(s.name, *s.labels.items()) for s in (await measured.scrape()).samples}

    for n in range(350):
        made_up = {
            "X-Tenant": f"t{n}",
            "graphql-client-name": f"c{n}",
            "X-Request-Id": f"r{n}",
        }
        for query in (
            f'query Q{n} {{ customerGroup(by: {{uid: "u{n}"}}) {{ a{n}: name }} }}',
            f"query Q{n} {{ a{n} }}",
            LIST,
        ):
            await measured.post(query, token=f"token-{n}", headers=made_up)

    added = {(s.name, *s.labels.items()) for s in (await measured.scrape()).samples} - labels
    assert {name for sample in added for _, name in sample[1:]} <= {
        *{"flow_retail", "GET", "401", "query", "none", "other", "failed", "refused"},
        *{f"{GROUPS}/{{customerGroupUid}}", "GRAPHQL_VALIDATION_FAILED", "UNAUTHENTICATED"},
        *{sample.labels.get("le") for sample in (await measured.scrape()).samples},
    }


async def test_accepted_callers_add_a_hundred_names(flow: Flow):
    """The first ones; others are counted as one."""
    metrics = Metrics(settings(flow.url))

    for n in range(300):
        metrics(done(operation_name=f"Q{n}", accepted=True))
    metrics(done(operation_name="Q7"))

    shown = shown_by(metrics)
    names = re.findall(r'gateway_operations_total{.*name="(\w+)".*} (\S+)', shown)
    assert len(names) == NAMES + 1
    assert dict(names)["other"] == "200.0"
    assert dict(names)["Q7"] == "2.0"


async def test_trusted_documents_have_their_names(flow: Flow, tmp_path: Path):
    """Whoever sends them, however many other names there are."""
    manifest = tmp_path / "web.json"
    manifest.write_text(json.dumps({"names": NAMED}))
    chosen = settings(flow.url, trusted_documents=(str(manifest),), trusted_mode="enforce")
    async with running_measured(chosen) as measured:
        await measured.ask(NAMED, token=STRANGER)
        await measured.ask("query Made { __typename }", token=STRANGER)

        scraped = await measured.scrape()
    assert scraped.values("gateway_operations_total", "name") == {"Names", "other"}


def done(**changed: object) -> OperationDone:
    given = {"operation_name": None, "seconds": 0.1, "error_codes": (), "request_id": "r"}
    return OperationDone(**given | changed)  # type: ignore[arg-type]


@pytest.mark.slow
async def test_no_metric_has_more_than_so_many_combinations(flow: Flow):
    """Not even if a backend answers anything, or a manifest has thousands of names."""
    metrics = Metrics(settings(flow.url))

    for n in range(2 * MOST):
        metrics(call(status=n, template=f"/{n}"))
        metrics(done(operation_name=f"Q{n}", trusted=True))

    shown = shown_by(metrics)
    for name in ("gateway_rest_calls_total{", "gateway_operations_total{"):
        assert shown.count(name) == MOST + 1


# -- all of it


async def test_the_page_has_every_metric(measured: Measured):
    """With its kind and its labels, and no other."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    row = re.compile(r"^\| `(\w+)` \| (counter|gauge|histogram) \| ((?:`\w+`(?:, )?)*) ?\|", re.M)
    documented = {
        name: (kind, tuple(re.findall(r"\w+", labels))) for name, kind, labels in row.findall(page)
    }

    shown = (await measured.scrape()).text
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", shown, re.M))

    assert {name: kind for name, (kind, _) in documented.items()} == kinds
    for name, (_, labels) in documented.items():
        children = re.findall(rf"^{name}(?:_bucket)?{{(.*)}}", shown, re.M)
        for child in children:
            assert {*re.findall(r'(\w+)="', child)} - {"le"} == {*labels}, name


@pytest.mark.slow
async def test_promtool_finds_nothing_to_say(measured: Measured, flow: Flow):
    """Neither of names nor of units and help."""
    await measured.query(NAMED)
    flow.fail(Answer(500), times=10)
    await measured.ask(LIST)
    text = (await measured.scrape()).text

    process = await asyncio.create_subprocess_exec(
        program("promtool", "prometheus"),
        "check",
        "metrics",
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
    )
    said, _ = await process.communicate(text.encode())

    assert (process.returncode, said) == (0, b"")


@pytest.mark.slow
async def test_several_processes_are_added_up(tmp_path: Path, flow: Flow):
    """Each shows the sum, and what is under way in all of them."""
    shared = tmp_path / "shared"
    shared.mkdir()
    environ = {"GATEWAY_MANAGEMENT_PORT": "0", "PROMETHEUS_MULTIPROC_DIR": str(shared)}
    async with (
        serving(tmp_path, flow, **environ) as first,
        serving(tmp_path, flow, **environ) as second,
    ):
        for served in (first, first, second):
            await served.ask(NAMED)
        scraped = []
        for served in (first, second):
            async with asyncio.timeout(60):
                while True:
                    text = (await served.client.get(f"{served.management}/metrics")).text
                    if re.search(r'gateway_operations_total{.*name="Names".*} 3.0', text):
                        break
                    await asyncio.sleep(0.1)
            scraped.append(text)

    for text in scraped:
        assert "gateway_connections 2.0" in text
        assert re.search(r"gateway_operation_seconds_count{.*} 3.0", text)
        assert 'gateway_gate_places{backend="flow_retail"} 128.0' in text
        assert 'gateway_setting{name="max_depth"} 20.0' in text
        assert "process_resident_memory_bytes" in text
