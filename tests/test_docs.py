"""The pages of docs/ name what there is: files, headings, error codes, figures on record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from benchmarks import chart
from gateway import errors

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(page: Path) -> set[str]:
    """Those that GitHub and its like make of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file, and a heading of it where it names one."""
    assert list(broken(page)) == []


def test_the_index_has_every_page() -> None:
    """And every decision."""
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / path).resolve()
        for path, _ in LINK.findall(index.read_text(encoding="utf-8"))
    }

    assert sorted(set((ROOT / "docs").rglob("*.md")) - linked) == [index]


def test_the_readme_is_read_in_two_minutes() -> None:
    """What takes longer has a page of its own."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_every_error_code_is_explained() -> None:
    """Those that the gateway's own errors have."""
    page = (ROOT / "docs" / "limits-and-errors.md").read_text(encoding="utf-8")
    found = [errors.GatewayError]
    for kind in found:
        found.extend(kind.__subclasses__())

    codes = {kind.code for kind in found if hasattr(kind, "code")}
    assert len(codes) > 20
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []


@pytest.mark.parametrize(
    ("page", "patterns"),
    [
        (
            "supergraph.md",
            ("federation/*.*", "composition/*.mjs", "composition/neighbours/*.graphql"),
        ),
        ("clients.md", ("clients/*.*", "clients/relay/*.js")),
    ],
)
def test_what_pages_on_other_programs_show_is_run(page: str, patterns: Sequence[str]) -> None:
    """Their snippets stand, whatever their indentation, in files that commands of the page run;
    those are steps of continuous integration.
    """

    def lines(text: str) -> str:
        return "\n".join(line.strip() for line in text.splitlines())

    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    files = [
        lines(path.read_text(encoding="utf-8"))
        for pattern in patterns
        for path in ROOT.glob(pattern)
    ]
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    snippets = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)

    assert len(snippets) > 10
    for language, snippet in snippets:
        if language == "sh":
            assert [line for line in snippet.splitlines() if f"step {line}\n" not in steps] == []
        else:
            assert any(lines(snippet) in file for file in files), snippet


def test_the_chart_and_the_table_are_those_of_the_results_on_record() -> None:
    """`make chart` draws them again."""
    results = json.loads(chart.RECORD.read_text(encoding="utf-8"))

    assert chart.CHART.read_text(encoding="utf-8") == chart.draw(results)
    assert chart.table(results) in chart.PAGE.read_text(encoding="utf-8")


def test_a_run_is_put_on_record_with_three_digits() -> None:
    """Its medians by workload and peer, and the memory after the last pass."""
    measured = [
        {"workload": "W1", "peer": "ours", "cpu_ms": 0.26149},
        {"workload": "W1", "peer": "bare", "cpu_ms": 0.0712},
        {"workload": "W6", "peer": "ours", "cpu_ms": 4.0},
        {"workload": "W1", "peer": "before", "cpu_ms": 0.3},
    ]

    record = chart.record_of(
        {
            "date": "2026-11-30T07:44:07+00:00",
            "machine": "2 cores",
            "options": {"rounds": 7},
            "peers": {"ours": "cd9348d, Python 3.13.5"},
            "measured": measured,
            "memory_mb": {"ours": [70.2, 78.4], "before": [1.0]},
        }
    )

    assert record == {
        "date": "2026-11-30",
        "commit": "cd9348d",
        "machine": "2 cores",
        "rounds": 7,
        "cpu_ms": {"W1": {"ours": 0.261, "bare": 0.0712}},
        "memory_mb": {"ours": 78},
    }


def test_a_run_of_one_workload_is_drawn_too() -> None:
    """As `make bench` with `--workloads` leaves it; then there is one value on the axis."""
    results = {"date": "2026-11-30", "commit": "x", "cpu_ms": {"W8": {"ours": 10.0}}}

    drawn = chart.draw(results)

    assert "this gateway: 10 ms" in drawn
    assert "W1" not in drawn
