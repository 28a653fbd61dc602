"""Manifests of Apollo's and Relay's tools, and what is said of those that can't be used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.engine._documents.documents import Documents
from gateway.engine._documents.manifest import read_manifests
from gateway.engine._limits import Limits
from tests.harness import schema

DOCUMENTS = Documents(
    schema()._schema, Limits(max_depth=5), memory=0, suggestions=True, introspection=False
)
GROUPS = "query Groups { customerGroups { nodes { name } } }"
TENANT = "query Tenant { tenant { uid } }"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def apollo(*operations: object, **more: object) -> str:
    whole = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}
    return json.dumps(whole | more)


def operation(text: str, **more: object) -> dict[str, object]:
    return {"id": sha256(text), "name": "Groups", "type": "query", "body": text} | more


@pytest.fixture
def written(tmp_path):
    def write(content: str | bytes, name: str = "manifest.json") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(*paths: Path) -> Mapping[str, str]:
    return read_manifests(paths, DOCUMENTS.mistakes)


def refused(*paths: Path) -> list[str]:
    """The lines of the refusal, with the names of files for their paths."""
    with pytest.raises(ValueError, match="manifest") as caught:
        read(*paths)
    return str(caught.value).replace(f"{paths[0].parent}/", "").splitlines()


def test_apollos_manifest(written):
    """As generate-persisted-query-manifest writes it; names and types are for people."""
    path = written(apollo(operation(GROUPS), operation(TENANT, clientName="web")))

    assert read(path) == {sha256(GROUPS): GROUPS, sha256(TENANT): TENANT}


def test_an_operation_needs_its_id_and_its_body_only(written):
    """Other tools leave out the rest, and ids are what they choose."""
    path = written(apollo({"id": "groups/1", "body": GROUPS}))

    assert read(path) == {"groups/1": GROUPS}


def test_relays_manifest(written):
    """As relay-compiler's persistFile: texts by their MD5."""
    path = written(json.dumps({"7e2d": GROUPS, "91ab": TENANT}))

    assert read(path) == {"7e2d": GROUPS, "91ab": TENANT}


@pytest.mark.parametrize("content", ["{}", apollo()])
def test_a_manifest_may_be_empty(written, content):
    """relay-compiler is given one to begin with."""
    assert read(written(content)) == {}


def test_one_document_for_two_clients(written):
    """The same id with the same text is no contradiction."""
    path = written(apollo(operation(GROUPS, clientName="a"), operation(GROUPS, clientName="b")))

    assert read(path) == {sha256(GROUPS): GROUPS}


def test_what_was_read_does_not_change(written):
    """It is shared by all requests."""
    manifest = read(written(json.dumps({"a": GROUPS})))

    with pytest.raises(TypeError):
        manifest["b"] = TENANT


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe", "it is not UTF-8."),
        ("{", "it is not JSON: "),
        ("", "it is not JSON: "),
        ("1" * 5000, "it is not JSON that can be read."),
        ("[" * 100_000, "it is not JSON that can be read."),
        ("[]", "it is neither apollo-persisted-query-manifest nor "),
        ('"text"', "it is neither apollo-persisted-query-manifest nor "),
        ("null", "it is neither apollo-persisted-query-manifest nor "),
        ('{"format": "apollo", "version": 1, "operations": []}', 'its "format" is not '),
        ('{"operations": []}', 'its "format" is not '),
        (apollo(version=2), 'its "version" is not 1'),
        (apollo(version="1"), 'its "version" is not 1'),
        (apollo(version=True), 'its "version" is not 1'),
        (apollo(operations={"id": "a"}), 'its "operations" are no list.'),
        (apollo(operations=None), 'its "operations" are no list.'),
        (apollo(5), "operation 1: it is no object."),
        (apollo([["id", "a"], ["body", GROUPS]]), "operation 1: it is no object."),
        (apollo(operation(GROUPS), {"id": "a"}), 'operation 2: it has no "body" '),
        (apollo({"body": GROUPS}), 'operation 1: it has no "id" '),
        (apollo(operation(GROUPS, id=7)), 'operation 1: it has no "id" '),
        (apollo(operation(GROUPS, id="")), "operation 1: its id is empty."),
        (apollo(operation(GROUPS, id="a", body=" \n")), 'operation 1: the text of "a" is empty.'),
        ('{"a": ""}', 'document 1: the text of "a" is empty.'),
        ('{"a": {"text": "{ a }"}}', 'document 1: the text of "a" is no string.'),
        (r'{"a": "{ a } # \ud800"}', 'document 1: the text of "a" is not Unicode.'),
        ('{"sha256:00": "{ a }"}', 'document 1: "sha256:00" is not the SHA-256 of its text; '),
    ],
)
def test_what_is_no_manifest(written, content, problem):
    """Each mistake is said in one line, with the file and where in it."""
    [line] = refused(written(content))

    assert line.startswith(f"manifest.json: {problem}")


def test_a_file_that_is_not_there(tmp_path):
    """With its path as it was given."""
    missing = tmp_path / "manifest.json"

    with pytest.raises(ValueError, match=r"can't be read") as caught:
        read(missing)

    assert str(caught.value) == f"{missing}: it can't be read: No such file or directory."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("query Groups {\n  customerGroups(", "line 2: Syntax Error: Expected Name, found <EOF>."),
        (
            "query Groups {\n  customerGroups {\n    nodes { nam }\n  }\n}",
            "line 3: Cannot query field 'nam' on type 'CustomerGroup'. Did you mean ",
        ),
        ("{ __schema { __typename } }", "line 1: "),
        (
            "{\n customerGroups { nodes { customers { nodes { customerGroups { name } } } } } }",
            "line 2: This has 6 levels of fields; at most 5 are allowed.",
        ),
    ],
)
def test_what_would_be_refused_when_it_is_sent(written, text, problem):
    """It is found when the gateway starts, with its file, its id and its line: what is no GraphQL,
    what the schema has not, and what exceeds a limit.
    """
    [line] = refused(written(json.dumps({"good": GROUPS, "bad": text})))

    assert line.startswith(f'manifest.json: document 2, "bad", {problem}')


def test_several_manifests(written):
    """One for each app, in any of the formats; what they share is the same in both."""
    web = written(apollo(operation(GROUPS, id="g")), "web.json")
    app = written(json.dumps({"g": GROUPS, "t": TENANT}), "app.json")

    assert read(web, app) == {"g": GROUPS, "t": TENANT}


def test_mistakes_in_several_manifests_are_said_at_once(written):
    """Whatever is wrong with one does not hide the others'."""
    web = written("[", "manifest-1.json")
    app = written(json.dumps({"g": GROUPS}), "manifest-2.json")
    till = written(apollo(operation(TENANT, id="g"), operation("{ x }")), "manifest-3.json")

    [first, second, third] = refused(web, app, till)

    assert first.startswith("manifest-1.json: it is not JSON: ")
    assert second.startswith(
        'manifest-3.json: operation 1: the id "g" stands for another text in manifest-2.json, '
        "document 1;"
    )
    assert third.startswith("manifest-3.json: operation 2, ")


def test_one_id_for_two_texts(written):
    """Clients are not told apart, so that it would depend on the order which of them is served."""
    path = written(apollo(operation(GROUPS, id="g"), operation(TENANT, id="g", clientName="b")))

    [line] = refused(path)
    assert line.startswith(
        'manifest.json: operation 2: the id "g" stands for another text in manifest.json, '
        "operation 1;"
    )


def test_one_id_twice_in_relays_format(written):
    """A JSON parser would silently take the last."""
    [line] = refused(written(json.dumps({"g": GROUPS})[:-1] + ', "g": "{ b }"}'))

    assert 'document 2: the id "g" stands for another text in manifest.json, document 1;' in line


def test_all_mistakes_are_said_at_once(written):
    """Up to ten; and no text of a document is."""
    private = "query Private { customerGroups { totalCount } }"
    operations = [operation(private, id=""), operation(private), *[{"id": "a"} for _ in range(12)]]

    lines = refused(written(apollo(*operations)))

    assert lines[0] == "manifest.json: operation 1: its id is empty."
    assert lines[1].startswith('manifest.json: operation 3: it has no "body"')
    assert lines[10:] == ["And 3 more mistakes."]
    assert "Private" not in "".join(lines)


def test_an_id_can_not_break_a_line(written):
    """Whoever reads the log reads one mistake a line."""
    [line] = refused(written(json.dumps({"a\n\u2028b" + "x" * 1000: ""})))

    assert r"a\n\u2028b" in line
    assert len(line) < 200
