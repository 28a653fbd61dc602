"""One process of the gateway: its sockets, and the app with all that observes it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway import serving
from gateway.app import create_app
from gateway.process.reload import Reload
from gateway.settings import Settings
from gateway.telemetry import Observer, all_of
from gateway.telemetry.log_lines import Log
from gateway.telemetry.log_output import LogWriter

if TYPE_CHECKING:
    from gateway.telemetry.spans import Spans


class Sockets(NamedTuple):
    clients: socket.socket
    management: socket.socket | None = None
    """Of the management port, if there is one."""


@contextmanager
def listening(settings: Settings) -> Iterator[Sockets]:
    """Sockets that the gateway listens on; raises CannotListen."""
    host, management = settings.host, None
    with ExitStack() as opened:
        remedy = "Choose another with GATEWAY_HOST or GATEWAY_PORT."
        clients = opened.enter_context(serving.listen(host, settings.port, remedy=remedy))
        if settings.management_port is not None:
            if host.startswith(serving.UNIX):
                host = "127.0.0.1"
            remedy = "Choose another with GATEWAY_MANAGEMENT_PORT."
            management = opened.enter_context(
                serving.listen(host, settings.management_port, remedy=remedy)
            )
        yield Sockets(clients, management)


def create_server(
    settings: Settings,
    management: socket.socket | None = None,
    *,
    log: LogWriter | None = None,
    environ: Mapping[str, str] | None = None,
    spans: Spans | None = None,
    begin: Callable[[serving.Server], None] | None = None,
    observers: tuple[Observer, ...] = (),
    **app: Any,
) -> serving.Server:
    """The gateway's server, which counts metrics if there is a socket to show them on. It is
    observed by the log, by `spans` and by `observers`; `app` is for create_app. With the `environ`
    that settings came from, some are read again at SIGHUP. `begin` is called in the event loop when
    requests are accepted.
    """
    observers = (Log() if log is None else Log(log.waiting.write), *observers)
    if spans is not None:
        observers = (*observers, spans)
        app["begin_trace"] = spans.begin
    metrics, beside = None, None
    if management is not None:
        # It takes a twentieth of a second to import, and chooses then how processes add up.
        from gateway.http.management import management as management_app
        from gateway.telemetry.metrics import Metrics

        metrics = Metrics(settings, directory=os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
        beside = serving.Management(management_app(metrics), management)
        observers = (*observers, metrics)
        app["watch"] = metrics.watch
    observe = all_of(*observers)
    served = create_app(settings, observe=observe, **app)

    def begun() -> None:
        if environ is not None:
            Reload(settings, environ, served.state.trust).begin()
        if begin is not None:
            begin(server)

    server = serving.server(served, settings, observe=observe, management=beside, begin=begun)
    if metrics is not None:
        metrics.watch(server.figures)
        if log is not None:
            metrics.watch(log.figures)
        if spans is not None:
            metrics.watch(spans.figures)
    return server
