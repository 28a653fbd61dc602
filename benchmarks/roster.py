"""Who is measured: how each is started, and which workloads its schema can express."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.shop import PROJECT, TENANT
from benchmarks.stub import COMMERCETOOLS, FLOW_RETAIL, TOKEN
from benchmarks.workloads import Workload

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "bench"
FLOW_ONLY = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8")
ALL = (*FLOW_ONLY, "W2c")
SIMPLE = ("W1", "W2", "W4", "W6", "W7")
"""For peers without code: no field with several REST calls of its own, no computed value."""


class Missing(Exception):
    """The peer can't be had on this machine; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    name: str
    title: str
    command: Sequence[str]
    workloads: Sequence[str] = FLOW_ONLY
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = ROOT
    path: str = "/graphql"
    probe: str = "{ __typename }"
    texts: Mapping[str, str] = field(default_factory=dict)
    """Texts of its own, by workload."""
    graphql: bool = True
    """False: its answers are bytes of the REST API, so only its REST calls are compared."""
    fewest_calls: bool = False
    """Whether it has to make as few REST calls as the API allows."""
    versions: str = ""

    def path_of(self, workload: Workload) -> str:
        return self.path if self.graphql else f"/{workload.name}"


def environment(peer: Peer, *, port: int, stub: str) -> dict[str, str]:
    """What a peer finds in its environment; nothing of this shell that could change how it runs."""
    shell = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {
        **shell,
        "NODE_ENV": "production",
        "PORT": str(port),
        "TENANT": TENANT,
        "UPSTREAM": stub + FLOW_RETAIL,
        "COMMERCETOOLS": stub + COMMERCETOOLS,
        **peer.environment,
    }


HEADERS = {"Authorization": f"Bearer {TOKEN}"}
PEERS = ("ours", "bare", "naive", "apollo", "mercurius", "hive", "tailcall")


def find_peer(name: str, *, port: int, stub: str, checkout: Path = ROOT) -> Peer:
    """Raises Missing where it can't be started here. `checkout` is where ours is taken from."""
    match name:
        case "ours" | "before":
            return _ours(name, port, stub, checkout)
        case "bare":
            return Peer(
                name="bare",
                title="bare ASGI, no GraphQL",
                command=[sys.executable, "-m", "benchmarks.peers.bare"],
                workloads=ALL,
                graphql=False,
                fewest_calls=True,
                versions=f"uvicorn {version('uvicorn')}, httptools {version('httptools')}",
            )
        case "naive":
            return Peer(
                name="naive",
                title="Strawberry, naive",
                command=[sys.executable, "-m", "benchmarks.peers.naive"],
                versions=f"strawberry {version('strawberry-graphql')}, httpx {version('httpx')}",
            )
        case "apollo" | "mercurius":
            packages = {
                "apollo": ("@apollo/server", "dataloader", "undici"),
                "mercurius": ("mercurius", "graphql-jit", "fastify", "undici"),
            }
            return Peer(
                name=name,
                title={"apollo": "Apollo Server", "mercurius": "mercurius + graphql-jit"}[name],
                command=["node", str(HERE / "peers" / name / "server.mjs")],
                path="/" if name == "apollo" else "/graphql",
                versions=_npm_versions(name, packages[name]),
            )
        case "hive":
            return _hive(port, stub)
        case "tailcall":
            return _tailcall(port, stub)
        case _:
            raise Missing(f"There is no such peer; there are {', '.join(PEERS)}.")


def _ours(name: str, port: int, stub: str, checkout: Path) -> Peer:
    config = BUILD / f"{name}.toml"
    config.write_text(
        f'default_tenant = "{TENANT}"\n'
        f'[flow_retail]\nurl = "{stub}{FLOW_RETAIL}"\n'
        f'[commercetools]\nurl = "{stub}{COMMERCETOOLS}"\n'
        f'[tenants]\n{PROJECT} = "commercetools"\n'
    )
    return Peer(
        name=name,
        title="this gateway" if name == "ours" else "this gateway, before",
        command=[sys.executable, "-m", "gateway", "serve"],
        workloads=ALL,
        environment={"GATEWAY_CONFIG": str(config), "GATEWAY_PORT": str(port)},
        directory=checkout,
        fewest_calls=True,
        versions=f"{_commit(checkout)}, Python {sys.version.split()[0]}",
    )


def _commit(checkout: Path) -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607  # git is where PATH says
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "no commit"


def _npm_versions(name: str, packages: Sequence[str]) -> str:
    modules = HERE / "peers" / name / "node_modules"
    if not modules.is_dir():
        raise Missing("its packages are not installed: make bench installs them.")
    found = [
        f"{package} {json.loads((modules / package / 'package.json').read_text())['version']}"
        for package in packages
    ]
    return ", ".join(found)


def _hive(port: int, stub: str) -> Peer:
    folder = HERE / "peers" / "hive"
    supergraph = BUILD / "supergraph.graphql"
    texts = {file.stem: file.read_text() for file in folder.glob("W*.graphql")}
    hive = Peer(
        name="hive",
        title="Hive Gateway",
        command=[
            *("node", str(folder / "node_modules" / ".bin" / "hive-gateway")),
            *("supergraph", str(supergraph), "--jit"),
            *("--fork", "1", "--host", "127.0.0.1", "--port", str(port)),
        ],
        workloads=SIMPLE,
        texts=texts | {"W6": texts["W2"]},
        directory=BUILD,
        versions=_npm_versions("hive", ("@graphql-hive/gateway", "@omnigraph/openapi")),
    )
    composed = subprocess.run(  # noqa: S603  # a command of the peer's own package
        [  # node is where PATH says
            *("node", str(folder / "node_modules" / ".bin" / "mesh-compose")),
            *("-c", "mesh.config.mjs", "-o", str(supergraph)),
        ],
        cwd=folder,
        env=environment(hive, port=port, stub=stub) | {"OPENAPI": str(BUILD / "openapi.json")},
        capture_output=True,
        text=True,
        check=False,
    )
    if composed.returncode:
        raise Missing(f"its supergraph is not composed: {composed.stdout[-500:]}")
    return hive


def _tailcall(port: int, stub: str) -> Peer:
    folder = HERE / "peers" / "tailcall"
    for release in ("tailcall-1.6", "tailcall-1.0"):
        binary = folder / "node_modules" / release / "bin" / "tailcall"
        try:
            said = subprocess.run(  # noqa: S603  # the peer itself
                [binary, "--version"], capture_output=True, text=True, check=True
            )
            break
        except (OSError, subprocess.CalledProcessError):
            continue  # it is for another processor, or for a newer libc
    else:
        raise Missing("none of its binaries runs on this machine.")
    config = BUILD / "tailcall.graphql"
    written = (folder / "config.graphql").read_text().replace("PORT", str(port))
    config.write_text(written.replace("UPSTREAM", f"{stub}{FLOW_RETAIL}/tenants/{TENANT}"))
    return Peer(
        name="tailcall",
        title="tailcall",
        command=[str(binary), "start", str(config)],
        # Not W7: it keeps what it made of every text for ever, gigabytes within half a minute.
        workloads=[name for name in SIMPLE if name != "W7"],
        versions=said.stdout.strip(),
    )
