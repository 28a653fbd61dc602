"""A vendor may answer anything: the doctor says what it could not find out, and goes on."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.doctor import diagnose
from gateway.doctor.asking import BUDGET
from gateway.rest import RawAnswer
from gateway.settings import FlowRetailSettings
from gateway.settings.configuration import read_settings
from gateway.simulator.faults import (
    Answer,
    Body,
    Close,
    Effect,
    Gzip,
    Headers,
    InvalidJson,
    LoseAnswer,
    Truncate,
)
from tests.doctor.patients import examined
from tests.doctor.test_asking import SECRET, Api
from tests.doctor.test_flow_retail import shop
from tests.harness import TENANT, Flow

ADA = "ada@example.com"
MEMBERS = (
    *("customerGroupUid", "customerUid", "name", "createdAt", "lastModifiedAt", "firstname"),
    *("customerType", "addresses", "relevance", ADA),
)
TEXTS = st.sampled_from(["", ADA, "g1", "g2", "2024-01-01T00:00:00Z", "PERSON", "\x1b[2J", "é"])
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=3)
    ),
    max_leaves=8,
)
ROWS = st.dictionaries(st.sampled_from(MEMBERS), TEXTS | VALUES, max_size=6)
COUNTS = st.integers(-1, 30) | VALUES
PAGES = st.fixed_dictionaries(
    {"items": st.lists(ROWS | VALUES, max_size=8) | VALUES},
    optional={
        "paging": st.dictionaries(
            st.sampled_from(["pageNumber", "pageSize", "totalCount"]), COUNTS, max_size=3
        )
        | VALUES
    },
)
BODIES = st.one_of(
    *[(PAGES | VALUES).map(lambda value: json.dumps(value).encode())] * 5,
    PAGES.map(lambda value: json.dumps(value).encode()[:-1]),
    st.binary(max_size=20),
    st.just(b"<html>"),
    st.just(b"[" * 50_000),
    st.just(b"9" * 5_000),
)
HEADERS = st.dictionaries(
    st.sampled_from(["Server", "Via", "Retry-After", "Date", "X-RateLimit-Limit"]),
    st.sampled_from(["", "nginx", "-1", "3", "1e9", f"{SECRET}!", "\x1b]0;x\x07", "Mon, 99"]),
    max_size=3,
)
ANSWERS = st.builds(
    RawAnswer,
    st.sampled_from([*[200] * 12, 204, 301, 400, 401, 404, 429, 500, 503]),
    HEADERS,
    BODIES,
    st.sampled_from([None, None, None, None, "It is cut off."]),
    st.just(0.1),
) | st.just("timeout: answer")


class Anything(Api):
    """Answers the same few things again and again."""

    async def send(self, method, template, path, *, query=None, **more):
        self.answers.append(self.answers[0])
        return await super().send(method, template, path, query=query, **more)


@pytest.mark.slow
@given(st.lists(ANSWERS, min_size=1, max_size=12), st.lists(PAGES, min_size=0, max_size=2))
async def test_no_answer_ends_the_doctor(answers, pages):
    """Nothing of a customer is printed, nor is the token; and what is to be pasted are settings."""
    first = [RawAnswer(200, {}, json.dumps(page).encode(), None, 0.1) for page in pages]
    asker = Anything(*first, *answers).asker(rate=1000)
    settings = FlowRetailSettings(url="https://flow.example/v2")
    report = await diagnose(asker, settings, TENANT)

    text, table = report.text(), report.toml()
    said = text + report.json()
    assert report.calls <= BUDGET
    assert ADA not in said
    assert SECRET not in said
    assert "\x1b" not in said
    assert tomllib.loads(table).keys() <= {"flow_retail"}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.toml"
        path.write_text((table or "[flow_retail]") + "\nurl = 'https://flow.example/v2'")
        read = read_settings({}, directory=Path(folder)).flow_retail
    for each in report.findings:
        if each.setting is not None:
            assert getattr(read, each.setting[0]) == each.setting[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "effect",
    [
        Close(),
        LoseAnswer(),
        Truncate(),
        Truncate(20),
        InvalidJson(),
        Gzip(),
        Body(b"<html>"),
        Body(b""),
        Body(b'{"items": 7}'),
        Headers({"Content-Encoding": "br"}),
        Headers({"Content-Type": "text/plain"}),
        Answer(500),
        Answer(204),
        Answer(302, headers={"Location": "https://elsewhere.example"}),
        Answer(401),
        Answer(403),
        Answer(404),
        Answer(429, headers={"Retry-After": "3600"}),
        Answer(503, headers={"Retry-After": "0"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize("skip", [0, 7])
async def test_no_fault_ends_the_doctor(flow: Flow, effect: Effect, times, skip):
    """Whenever it comes, and if it stays."""
    shop(flow)
    flow.fail(effect, times=times, skip=skip)

    report = await examined(flow)

    assert report.text()
    assert report.calls <= BUDGET
