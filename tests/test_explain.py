"""`gateway explain`: settings and a file are enough."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.explain import CannotExplain, as_text, explain

COSTS = (Path(__file__).parent.parent / "docs" / "costs.md").read_text("utf-8")
URL = {"GATEWAY_FLOW_RETAIL_URL": "https://nowhere.example/v2"}
TWO = """
query A($first: Int) { customerGroups(first: $first) { totalCount } }
query B { tenant { uid } }
"""

pytestmark = pytest.mark.slow  # each makes a schema


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # there is no gateway.toml
    return tmp_path / "operation.graphql"


def explained(file: Path, query: str, environ: dict[str, str] = URL, **more: Any) -> Any:
    file.write_text(query, "utf-8")
    given = {"variables": None, "operation": None, "tenant": "acme"} | more
    return explain(environ, file, **given)


def test_the_text_in_the_documents_is_what_it_prints(file: Path):
    [query] = re.findall(r"So it says of\n`(.*)`:", COSTS)
    [shown] = re.findall(r"```text\n(.*?)\n?```", COSTS, re.DOTALL)

    text = as_text(explained(file, query)["extensions"]["explain"])

    assert shown == text
    assert max(map(len, text.splitlines())) <= 100


def test_lines_fit_whatever_the_operation(file: Path):
    """Where many deep fields share a call, and after many changes."""
    change = (
        'deleteCustomerGroup(input: {customerGroup: {uid: "g"}, onlyIfEmpty: true, '
        'expectedRevision: "r"}) { deletedUid }'
    )
    changes = "mutation { " + " ".join(f"alias{n}: {change}" for n in range(9)) + " }"
    deep = 'customerGroups { nodes { tenant { customerGroup(by: {uid: "g"}) { name %s } } } }'
    query = (
        "{ " + " ".join(f"alias{n}: {deep % 'customers { totalCount }'}" for n in range(9)) + " }"
    )

    text = as_text(explained(file, query)["extensions"]["explain"])
    long = as_text(explained(file, changes)["extensions"]["explain"])

    assert max(map(len, (text + long).splitlines())) <= 100
    assert "hop 27" in long
    assert "alias8.nodes.tenant.customerGroup" in text


@pytest.mark.parametrize("as_file", [False, True])
def test_variables_are_json_or_a_file(file: Path, as_file):
    variables = json.dumps({"first": 7})
    if as_file:
        (file.parent / "variables.json").write_text(variables)
        variables = "variables.json"

    body = explained(file, TWO, variables=variables, operation="A")

    assert body["extensions"]["explain"]["atMost"] == 1


def test_what_can_not_be_read_is_said(file: Path):
    deep = '{"first": ' + "[" * 100_000
    for variables in ("{", "no such file", '{"first": 1e999}', '{"first": "\\ud800"}', deep):
        with pytest.raises(CannotExplain):
            explained(file, TWO, variables=variables)
    with pytest.raises(CannotExplain):
        explain(URL, file.parent / "none", variables=None, operation=None, tenant=None)
    with pytest.raises(CannotExplain):
        explain(URL, file, variables=None, operation=None, tenant="ä")


def test_it_is_refused_as_when_it_is_served(file: Path):
    """By the settings: limits and trusted documents too."""
    costs_two = '{ a: customerGroup(by: {uid: "a"}) { name } b: customerGroups { totalCount } }'
    few = explained(file, costs_two, URL | {"GATEWAY_MAX_REST_CALLS": "1"})
    manifest = file.parent / "trusted.json"
    manifest.write_text("{}")
    strict = {"GATEWAY_TRUSTED_MODE": "enforce", "GATEWAY_TRUSTED_DOCUMENTS": str(manifest)}

    assert few["extensions"]["explain"]["refused"].startswith("This operation may need 2 REST")
    assert "errors" in explained(file, costs_two, URL | strict)
    assert "errors" in explained(file, "{ nothing }")


def test_each_backend_has_its_own_words(file: Path):
    environ = {
        "GATEWAY_DEFAULT_BACKEND": "commercetools",
        "GATEWAY_COMMERCETOOLS_URL": "https://nowhere.example",
    }
    query = (
        'mutation { updateCustomerGroup(input: {customerGroup: {key: "k"}, name: "n"}) '
        "{ customerGroup { customers { totalCount } } } }"
    )

    hops = explained(file, query, environ)["extensions"]["explain"]["hops"]

    assert [(call["method"], call["template"]) for hop in hops for call in hop["calls"]] == [
        ("GET", "/{projectKey}/customer-groups/key={key}"),
        ("POST", "/{projectKey}/customer-groups/{id}"),
        ("GET", "/{projectKey}/customers"),
    ]


def test_without_a_call_it_says_so(file: Path):
    for query in ("{ tenant { uid } }", "{ customerGroups { totalCount } }"):
        body = explained(file, query, tenant=None)

        assert as_text(body["extensions"]["explain"]).startswith("No REST call.")
