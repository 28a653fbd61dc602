"""The gateway under a path of a proxy, which takes the path away or leaves it."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.harness import NO_TLS, TOKEN, Flow, running_gateway, settings
from tests.http.test_disconnects import until
from tests.programs import program
from tests.serving.test_process import serving, stopped

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
NAMES = {"query": "{ customerGroups { nodes { uid } } }"}
NGINX = """
daemon off; master_process off; error_log stderr; pid {folder}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    upstream gateway {{ server {gateway}; }}
    server {{
        listen unix:{folder}/nginx.sock;
        location /shop/ {{ proxy_pass http://gateway{path}; }}
    }}
}}
"""


async def holds(client: httpx.AsyncClient, base: str) -> None:
    """GraphQL, health, and GraphiQL's page with each file that it loads from here, below `base`."""
    answer = await client.post(f"{base}/graphql", json=NAMES, headers=AUTHORIZED)
    assert answer.json()["data"] == {"customerGroups": {"nodes": [{"uid": "gold"}]}}
    health = await client.get(f"{base}/health")
    assert health.json()["status"] == "ok"
    page = await client.get(f"{base}/graphql", headers={"Accept": "text/html"})
    files = re.findall(r'(?:src|href)="(?!https:)([^"]+)"', page.text)
    assert files
    for file in files:
        loaded = await client.head(page.url.join(file))
        assert (file, loaded.status_code) == (file, 200)


@pytest.mark.parametrize("root_path", ["/shop", "/shop/v1", "/graphql"])
async def test_paths_come_with_or_without_the_root_path(flow: Flow, root_path):
    """A proxy may leave it or take it away; a probe asks without it."""
    flow.add_group("gold")
    async with running_gateway(settings(flow.url, root_path=root_path)) as gateway:
        await holds(gateway.client, gateway.url)
        await holds(gateway.client, gateway.url + root_path)
        other = await gateway.client.get(f"{gateway.url}{root_path}s/health")

    assert other.status_code == 404


async def test_health_below_the_root_path_is_answered_when_there_is_no_room(flow: Flow):
    """As it is without."""
    flow.switches.latency = 0.2
    async with (
        running_gateway(settings(flow.url, root_path="/shop", max_requests=1)) as gateway,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(gateway.post(NAMES["query"]))
        await until(lambda: len(flow.calls) == 1)
        health = await gateway.client.get(f"{gateway.url}/shop/health")

    assert health.status_code == 200


@asynccontextmanager
async def nginx(folder: Path, gateway: str, *, path: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of nginx, which has `gateway` below /shop/, and puts `path` in its place."""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, gateway=gateway, path=path))
    process = await asyncio.create_subprocess_exec(
        program("nginx", "nginx-light"), "-c", config, "-p", folder, "-e", "stderr"
    )
    transport = httpx.AsyncHTTPTransport(uds=f"{folder}/nginx.sock", verify=NO_TLS)
    try:
        await until(lambda: process.returncode is not None or (folder / "nginx.sock").exists())
        async with httpx.AsyncClient(
            transport=transport, base_url="http://shop.example", timeout=60
        ) as client:
            yield client
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "workers"), [("", 1), ("/", 2)], ids=["leaves it", "takes it away"]
)
async def test_nginx_leaves_or_takes_away_the_path_of_a_gateway_at_a_unix_socket(
    tmp_path, flow: Flow, path, workers
):
    """The real program, and a gateway with both settings, whose log says where it listens; the
    socket's file goes with it.
    """
    flow.add_group("gold")
    where = f"unix:{tmp_path}/http.sock"
    async with serving(
        tmp_path,
        flow,
        GATEWAY_HOST=where,
        GATEWAY_ROOT_PATH="/shop",
        GATEWAY_PROFILE="development",
        GATEWAY_WORKERS=str(workers),
    ) as served:
        assert served.url == where
        async with nginx(tmp_path, where, path=path) as client:
            await holds(client, "/shop")
        served.process.send_signal(signal.SIGTERM)
        code, _ = await stopped(served)

    assert (code, (tmp_path / "http.sock").exists()) == (0, False)
