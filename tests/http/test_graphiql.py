"""The GraphiQL page and its files: from the project's own build, and without one from a CDN."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.http.graphiql import CDN, GraphiQL
from tests.harness import Flow, Gateway

ROOT = Path(__file__).parent.parent.parent
BUILT = {
    "main-1A2B.js": "render()",
    "main-3C4D.css": "body {}",
    "icon-5E6F.svg": "<svg/>",
    "codicon-7G8H.ttf": "glyphs",
}
PAGE = """<!doctype html>
<link rel="icon" type="image/svg+xml" href="graphiql/icon-5E6F.svg">
<link rel="stylesheet" href="graphiql/main-3C4D.css">
<div id="graphiql" data-headers="{headers}"></div>
<script type="module" src="graphiql/main-1A2B.js"></script>
"""


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """What `make graphiql` leaves, in short."""
    directory = tmp_path / "http" / "assets"
    directory.mkdir(parents=True)
    for name, text in BUILT.items():
        (directory / name).write_text(text, encoding="utf-8")
        (directory / f"{name}.br").write_text(f"br: {text}")  # as good as compressed
        (directory / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    (directory / "page.html").write_text(PAGE, encoding="utf-8")
    (directory.parent / "graphiql.py").write_text("# not for browsers", encoding="utf-8")
    return directory


TOKENS = {"Authorization": "YOUR_TOKEN", "X-Commercetools-Authorization": "OTHER_TOKEN"}
"""A header for each vendor, with what stands for its token."""


def client_of(graphiql: GraphiQL) -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/graphql", graphiql.page), *graphiql.routes])
    app.router.redirect_slashes = False  # as in the gateway
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


@pytest.fixture
async def own(assets: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(GraphiQL(tokens=TOKENS, assets=assets)) as client:
        yield client


@pytest.fixture
async def from_cdn(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(GraphiQL(tokens=TOKENS, assets=tmp_path / "never-built")) as client:
        yield client


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text within scripts and styles."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.found: list[tuple[str, Mapping[str, str | None]]] = []
        self.inline = ""
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.inline += data

    def all(self, tag: str) -> list[Mapping[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def start(self) -> Mapping[str, str | None]:
        """What the page's script is told."""
        [found] = [attributes for attributes in self.all("div") if attributes["id"] == "graphiql"]
        return found

    @property
    def names(self) -> list[str]:
        """Everything that the page loads by itself."""
        return [
            attributes.get("src") or attributes.get("href") or ""
            for tag in ("link", "script")
            for attributes in self.all(tag)
        ]


def policy(page: httpx.Response) -> dict[str, list[str]]:
    """The sources of each directive."""
    directives = page.headers["Content-Security-Policy"].split("; ")
    return {name: sources for name, *sources in map(str.split, directives)}


async def test_a_page_has_nothing_inline(own, from_cdn):
    """So that its policy needs no exception for scripts, and one that is slipped in never runs."""
    for client in (own, from_cdn):
        page = await client.get("/graphql")

        elements = Elements(page)
        attributes = {name for _, of_element in elements.found for name in of_element}
        assert elements.inline.strip() == ""
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        scripts = policy(page)["script-src"]
        assert scripts[0] == "'self'"
        assert [source for source in scripts[1:] if not source.startswith("https://")] == []


async def test_the_own_page_loads_nothing_from_elsewhere(own):
    """By its markup, and by its policy, whatever its scripts try."""
    page = await own.get("/graphql")

    assert "//" not in page.text.replace("<!doctype html>", "")
    assert policy(page) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "worker-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }


async def test_without_a_build_the_page_says_that_it_is_from_a_cdn(own, from_cdn):
    """And how to have the other one."""
    page = await from_cdn.get("/graphql")

    assert re.search(r"comes from a CDN.*<code>make graphiql</code>", page.text, re.DOTALL)
    assert "CDN" not in (await own.get("/graphql")).text


async def test_the_cdn_may_serve_those_files_only(from_cdn):
    """Each of a fixed version, allowed by its whole address and held to its hash."""
    page = await from_cdn.get("/graphql")

    elements = Elements(page)
    loaded = {
        attributes.get("src") or attributes.get("href") or "": attributes["integrity"] or ""
        for _, attributes in elements.found
        if "crossorigin" in attributes
    }
    allowed = [source for sources in policy(page).values() for source in sources if "/" in source]
    assert len(loaded) == 4
    assert set(allowed) == set(loaded) == {name for name in elements.names if "//" in name}
    assert all(re.fullmatch(r"https://unpkg\.com/[\w-]+@\d+\.\d+\.\d+/.+", at) for at in loaded)
    assert all(re.fullmatch(r"sha384-[\w+/=]{64}", found) for found in loaded.values())


async def test_every_file_of_ours_is_there(own, from_cdn):
    """Under addresses that a proxy's own path before them does not break."""
    for client in (own, from_cdn):
        elements = Elements(await client.get("/graphql"))

        ours = [name for name in elements.names if "//" not in name]
        assert len(ours) == 3
        for name in ours:
            assert name.startswith("graphiql/")
            assert (await client.get(f"/{name}")).status_code == 200


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("main-1A2B.js", "text/javascript; charset=utf-8"),
        ("main-3C4D.css", "text/css; charset=utf-8"),
        ("icon-5E6F.svg", "image/svg+xml"),
        ("codicon-7G8H.ttf", "font/ttf"),
    ],
)
async def test_a_file_is_what_it_says_and_is_kept(own, name, media_type):
    """Its name has its hash, so a browser never needs to ask again."""
    answer = await own.get(f"/graphiql/{name}")

    assert answer.text == BUILT[name]
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; script-src 'self'"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0, gzip;q=0.1", "gzip"),
        ("GZIP", "gzip"),
        ("*", "br"),
        ("*;q=0.1, br;q=0", "gzip"),
        ("br;q=0, gzip;q=0", None),
        ("*;q=0", None),
        ("identity", None),
        ("deflate", None),
        ("", None),
    ],
)
async def test_a_file_is_compressed_as_the_client_takes_it(own, accepted, coding):
    """By brotli rather than by gzip; what takes neither gets the file as it is."""
    path = "/graphiql/main-1A2B.js"
    answer = await own.get(path, headers={"Accept-Encoding": accepted})

    assert answer.headers.get("Content-Encoding") == coding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.text == ("br: " if coding == "br" else "") + BUILT["main-1A2B.js"]
    etag = {"Accept-Encoding": accepted, "If-None-Match": answer.headers["ETag"]}
    assert (await own.get(path, headers=etag)).status_code == 304


async def test_names_without_a_hash_are_asked_for_again(from_cdn):
    """They stay the same when the gateway changes."""
    answer = await from_cdn.get("/graphiql/start.js", headers={"Accept-Encoding": "br, gzip"})

    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/graphiql",
        "/graphiql/",
        "/graphiql/..%2fgraphiql.py",
        "/graphiql/%2e%2e/graphiql.py",
        "/graphiql/sub/%2e%2e/%2e%2e/graphiql.py",
        "/graphiql//etc/hostname",
        "/graphiql/linked.py",
        "/graphiql/%2e%2e%5cgraphiql.py",
        "/graphiql/main-1A2B.js%00",
    ],
)
async def test_nothing_else_is_served(own, assets, path):
    """Neither a directory, nor what is beside it, nor what a link in it leads to."""
    (assets / "linked.py").symlink_to(assets.parent / "graphiql.py")

    answer = await own.get(httpx.URL("http://gateway").copy_with(raw_path=path.encode()))

    assert answer.status_code == 404
    assert "not for browsers" not in answer.text


async def test_a_token_is_data(assets, tmp_path):
    """Even one that looks like markup, or like a place to fill."""
    markup = "\"'><script>alert(1)</script>{notice}&quot;"

    for directory in (assets, tmp_path):
        async with client_of(
            GraphiQL(tokens={"Authorization": markup}, assets=directory)
        ) as client:
            elements = Elements(await client.get("/graphql"))

        shown = json.loads(elements.start["data-headers"])
        assert shown == {"Authorization": f"Bearer {markup}"}
        assert elements.inline.strip() == ""


async def test_the_page_keeps_no_token(own, from_cdn):
    """No cache keeps the page, which may show one. What the own build stores is looked at in a
    browser: `make browser`.
    """
    for client in (own, from_cdn):
        page = await client.get("/graphql")

        assert page.headers["Cache-Control"] == "no-store"
        shown = json.loads(Elements(page).start["data-headers"])
        assert shown == {name: f"Bearer {token}" for name, token in TOKENS.items()}
    started = (await from_cdn.get("/graphiql/start.js")).text
    assert "storage: null" in started
    assert "shouldPersistHeaders: false" in started


@pytest.mark.slow
async def test_the_first_example_works(gateway: Gateway, flow: Flow, from_cdn):
    """What a developer sees first is a query that needs nothing but a token."""
    flow.add_group("gold", "Gold members")
    flow.add_customer("ada", "gold", displayName="Ada")
    example = (CDN / "welcome.graphql").read_text(encoding="utf-8")

    answer = await gateway.query(example)

    [group] = answer["customerGroups"]["nodes"]
    assert group["customers"]["nodes"][0]["displayName"] == "Ada"
    assert Elements(await from_cdn.get("/graphql")).start["data-example"] == example.rstrip()


@pytest.mark.slow
def test_the_wheel_carries_the_build(tmp_path):
    """Although the repository ignores it; and the licences of what is in it."""
    source = tmp_path / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        source.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source)
    (source / "gateway/http/assets").mkdir(parents=True)
    shutil.copytree(CDN, source / "gateway/http/cdn")
    for name in ("main-1A2B.js.br", "page.html", "licences.txt"):
        (source / "gateway/http/assets" / name).touch()

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=source,
        check=True,
        capture_output=True,
    )

    [path] = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        carried = {name.removeprefix("gateway/http/") for name in wheel.namelist()}
    assert {"assets/main-1A2B.js.br", "assets/page.html", "assets/licences.txt"} <= carried
    assert {f"cdn/{path.name}" for path in CDN.iterdir()} <= carried
