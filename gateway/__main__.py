"""The command line: serve, check, explain, doctor, demo, schema, simulate."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import signal
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from gateway import VERSION, serving
from gateway.app import schema_of
from gateway.check import check
from gateway.explain import CannotExplain, as_text, explain
from gateway.process import Sockets, create_server, listening
from gateway.process.start_line import start_line
from gateway.process.workers import Inherited, Parent, run_workers
from gateway.settings import Settings, SettingsError
from gateway.settings.configuration import read_settings
from gateway.telemetry.log_output import LogWriter, logging_to
from gateway.telemetry.traces import tracing


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is 2 where it could not begin, and 1 where it found that
    something is wrong.
    """
    chosen = _parser().parse_args(arguments)
    # Stopping a container means Ctrl-C; by default SIGTERM would end Python without clean-up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return chosen.run(chosen) or 0
    except (SettingsError, serving.CannotListen, CannotExplain, CannotSimulate) as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0  # uvicorn has shut down already and passes it on


class CannotSimulate(Exception):
    """--set names an unknown switch or value, or --data a file that can't be used."""


def serve(chosen: argparse.Namespace) -> int:
    """Serve the gateway with the settings of file and environment."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it has read what it would read again
    with logging_to(sys.stderr.fileno()) as log, ExitStack() as opened:
        settings = read_settings(os.environ)
        log.begin(settings.log_level, settings.log_format)
        if chosen.worker is not None:
            parent = opened.enter_context(closing(Parent(chosen.worker)))
            _serve(settings, parent.sockets, log, parent=parent)
            return 0
        sockets = opened.enter_context(listening(settings))
        if settings.workers > 1:
            _say_started(settings, sockets)
            return run_workers(settings, sockets)
        _serve(settings, sockets, log)
    return 0


def _serve(
    settings: Settings, sockets: Sockets, log: LogWriter, *, parent: Parent | None = None
) -> None:
    with tracing(os.environ) as spans:
        server = create_server(
            settings,
            sockets.management,
            log=log,
            environ=os.environ,
            spans=spans,
            begin=None if parent is None else parent.begin,
        )
        if parent is None:
            _say_started(settings, sockets)
        # What exists now is never garbage. Without this, each full collection would visit it.
        gc.collect()
        gc.freeze()
        # A response has thousands of objects and no cycles: looking for cycles every 700 objects,
        # Python's default, took a fifth of the time of a large response. With hundreds of requests
        # there are millions of objects, and a full collection takes half a second.
        gc.set_threshold(20_000, 5, 20)
        server.run(sockets=[sockets.clients])


def _say_started(settings: Settings, sockets: Sockets) -> None:
    log = logging.getLogger("gateway")
    log.info(start_line(settings))
    if sockets.management is not None:
        log.info("metrics and health on %s", serving.address(sockets.management))
    log.info("listening on %s", serving.address(sockets.clients))


def check_settings(chosen: argparse.Namespace) -> int:
    """Say what `serve` would do."""
    try:
        return 0 if check(os.environ, connect=chosen.connect) else 1
    except KeyboardInterrupt:
        return 1


def explain_operation(chosen: argparse.Namespace) -> int:
    """Say what an operation would cost."""
    body = explain(
        os.environ,
        chosen.file,
        variables=chosen.variables,
        operation=chosen.operation,
        tenant=chosen.tenant,
    )
    for error in body.get("errors", ()):
        print(error["message"], file=sys.stderr)
    if "errors" in body:
        return 1
    explained = body["extensions"]["explain"]
    print(json.dumps(explained, indent=2) if chosen.json else as_text(explained))
    return 1 if "refused" in explained else 0


def examine(chosen: argparse.Namespace) -> int:
    """Find out what a live tenant's API does."""
    from gateway.doctor import doctor  # `serve` has no doctor in its memory

    if chosen.customer and not chosen.write:
        raise SettingsError("--customer needs --write.")
    try:
        return doctor(
            os.environ,
            tenant=chosen.tenant,
            as_json=chosen.json,
            customers=list(dict.fromkeys(chosen.customer)) if chosen.write else None,
            yes=chosen.yes,
        )
    except KeyboardInterrupt:
        return 130  # as shells have it: not all was found out


def show_demo(chosen: argparse.Namespace) -> None:
    """Serve the gateway over the simulators."""
    from gateway.demo import demo  # `serve` has no simulator, nor SQLite, in its memory

    with logging_to(sys.stderr.fileno()) as log:
        settings = read_settings(os.environ)
        log.begin(settings.log_level, settings.log_format)
        demo(os.environ, simulator_port=chosen.simulator_port, log=log)


def print_schema(chosen: argparse.Namespace) -> None:
    """Print the schema that these settings make."""
    schema = schema_of(read_settings(os.environ))
    sys.stdout.write(schema.for_clients() if chosen.reader == "clients" else schema.as_str())


def simulate(chosen: argparse.Namespace) -> None:
    """Serve one simulator alone, over data that outlives it where a file can be written."""
    import sqlite3

    from gateway.demo import SIMULATIONS  # as above

    api = SIMULATIONS[chosen.api]
    data = chosen.data or _data_of(chosen.api)
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        opened = api.store(data)
    except (OSError, sqlite3.Error, ValueError) as problem:
        raise CannotSimulate(f"--data {data} can't be used: {problem}") from None
    with opened as store:
        try:
            app = api.app(store, chosen.set)
        except ValueError as mistake:
            raise CannotSimulate(f"--set {mistake}") from None
        with serving.listen(
            chosen.host, chosen.port, remedy="Choose another with --port."
        ) as listener:
            if not chosen.empty:
                api.fill(store, api.tenant)
            where = serving.address(listener) + api.base_path
            asked = where.replace("0.0.0.0", "localhost")  # noqa: S104  # in a container
            how = "" if chosen.empty else api.welcome(asked)
            print(f"{api.title}, simulated: {where}\n{how}  data in {data}", flush=True)
            serving.server(app).run(sockets=[listener])


def _data_of(api: str) -> Path:
    """A file in var/, or memory where nothing can be written, as in a container."""
    folder = Path("var")
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
    return folder / f"{api}.sqlite" if os.access(folder, os.W_OK) else Path(":memory:")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway",
        description="A GraphQL gateway over the REST APIs that own customer groups.",
    )
    parser.add_argument("--version", action="version", version=f"gateway {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    served = commands.add_parser("serve", help="serve GraphQL, as gateway.toml and GATEWAY_* say")
    served.set_defaults(run=serve)
    served.add_argument("--worker", type=Inherited.parse, help=argparse.SUPPRESS)
    checked = commands.add_parser(
        "check", help="print the settings that serve would have, or what is wrong with them"
    )
    checked.set_defaults(run=check_settings)
    checked.add_argument(
        "--connect", action="store_true", help="see whether each backend is reached, too"
    )
    explained = commands.add_parser(
        "explain", help="print the REST calls that an operation would take, without any"
    )
    explained.set_defaults(run=explain_operation)
    explained.add_argument("file", type=Path, metavar="FILE", help="a GraphQL document")
    explained.add_argument("--variables", metavar="JSON", help="or a file of it")
    explained.add_argument("--operation", metavar="NAME", help="which one, if there are several")
    explained.add_argument("--tenant", help="as the X-Tenant header; default: default_tenant")
    explained.add_argument("--json", action="store_true", help="as extensions.explain has it")
    examined = commands.add_parser(
        "doctor", help="find out what a live tenant's API does, by a few slow REST calls"
    )
    examined.set_defaults(run=examine)
    examined.add_argument("tenant", nargs="?", help="default: default_tenant")
    examined.add_argument("--json", action="store_true", help="print the report as JSON")
    examined.add_argument(
        "--write",
        action="store_true",
        help="examine changes too, in groups that it creates and deletes, by at most 120 calls "
        "beside the 40 that read",
    )
    examined.add_argument(
        "--customer",
        action="append",
        default=[],
        metavar="UID",
        help="with --write: a customer who may be put into these groups and taken out again",
    )
    examined.add_argument("--yes", action="store_true", help="with --write: do not ask before")
    shown = commands.add_parser("demo", help="serve GraphQL over simulated backends")
    shown.set_defaults(run=show_demo)
    shown.add_argument(
        "--simulator-port",
        type=int,
        default=8081,
        metavar="PORT",
        help="of Flow Retail; commercetools takes the next one; 0: any (default: %(default)s)",
    )
    printed = commands.add_parser("schema", help="print the schema of these settings in SDL")
    printed.set_defaults(run=print_schema)
    printed.add_argument(
        "--for",
        dest="reader",
        choices=["supergraph", "clients"],
        default="supergraph",
        help="clients: without federation, with @semanticNonNull (default: %(default)s)",
    )
    simulator = commands.add_parser("simulate", help="serve one simulated REST API alone")
    simulator.set_defaults(run=simulate)
    simulator.add_argument(
        "--api",
        choices=["flow-retail", "commercetools"],
        default="flow-retail",
        help="default: %(default)s",
    )
    simulator.add_argument(
        "--host",
        default=os.environ.get("GATEWAY_HOST", "127.0.0.1"),
        help="default: GATEWAY_HOST, or 127.0.0.1",
    )
    simulator.add_argument("--port", type=int, default=8081)
    simulator.add_argument(
        "--data", type=Path, help="default: var/API.sqlite, or memory where that can't be written"
    )
    simulator.add_argument("--empty", action="store_true", help="without the demo's data")
    simulator.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a switch: how the API behaves where its documents are silent",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
