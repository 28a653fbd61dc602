"""Whether spans are recorded: what the OTEL_* variables and the installed packages say."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.telemetry.spans import Spans

log = logging.getLogger("gateway")
EXTRA: Final = "pip install 'customer-groups-gateway[otel]'"


@contextmanager
def tracing(environ: Mapping[str, str]) -> Iterator[Spans | None]:
    """What records spans while the gateway serves; None if nothing says where to send them.

    The variables are those of OpenTelemetry's specification. Those that are not read here are read
    by its SDK, from the process's environment. Whatever is wrong with them is logged, and the
    gateway serves without traces.
    """
    spans = _spans(environ)
    try:
        yield spans
    finally:
        if spans is not None:
            spans.stop()


def _spans(environ: Mapping[str, str]) -> Spans | None:
    endpoint = _of_traces(environ, "ENDPOINT")
    exporter = environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if not endpoint or exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if exporter != "otlp":
        log.warning("There are no traces: OTEL_TRACES_EXPORTER may be otlp or none.")
        return None
    if _of_traces(environ, "PROTOCOL") not in (None, "http/protobuf"):
        log.warning("Traces are sent by http/protobuf, whatever OTEL_EXPORTER_OTLP_PROTOCOL says.")
    try:
        from gateway.telemetry.spans import Spans  # it takes half a second

        return Spans()
    except ModuleNotFoundError:
        log.warning("There are no traces, though OTEL_* asks for them: %s", EXTRA)
    except (ValueError, OSError) as mistake:
        log.warning("There are no traces: an OTEL_* variable can't be used: %s", mistake)
    return None


def _of_traces(environ: Mapping[str, str], name: str) -> str | None:
    """A variable of the exporter; the one for traces alone counts first."""
    return (
        environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}")
        or environ.get(f"OTEL_EXPORTER_OTLP_{name}")
        or None
    )
