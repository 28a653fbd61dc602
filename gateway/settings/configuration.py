"""The settings, read once from a file and the environment, and checked by name.

A setting in the environment wins over the file. `GATEWAY_` and the name in capitals is its
variable; those of a table carry the table's name too: `GATEWAY_FLOW_RETAIL_URL` is `url` in
`[flow_retail]`.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import logging
import re
import tomllib
import types
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)
from urllib.parse import unquote, urlsplit

import msgspec

from gateway.rest import BaseUrl, Proxy
from gateway.settings import (
    BACKENDS,
    TENANT_NAME,
    TENANT_UID,
    CommercetoolsSettings,
    FlowRetailSettings,
    RedisSettings,
    RedisUrl,
    Settings,
    SettingsError,
    TenantSettings,
    UpstreamSettings,
)
from gateway.settings.proxies import proxy_variable

PREFIX: Final = "GATEWAY_"
DEFAULT_FILE: Final = "gateway.toml"
NO_SETTINGS: Final = frozenset({f"{PREFIX}CONFIG", f"{PREFIX}DOCTOR_TOKEN"})
"""Variables with another meaning."""
DIRECT: Final = "direct"
"""What `proxy` is for no proxy."""
log = logging.getLogger("gateway")
HOST: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
NUMBERED: Final = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)\.?\Z")
"""A host that browsers take for an IPv4 address (URL Standard, "ends in a number checker")."""
LINK_NAME: Final = re.compile(
    r"(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
LINK: Final = re.compile(r"(tcp|udp|sctp)://")
"""What Kubernetes' variables for each Service of a namespace are named, or hold ("Accessing the
Service", Environment variables).
"""
UpstreamT = TypeVar("UpstreamT", bound=UpstreamSettings)
_BACKEND_NAMES: Final = [f'"{name}"' for name in BACKENDS]
_EITHER_BACKEND: Final = " or ".join(_BACKEND_NAMES)


def read_settings(environ: Mapping[str, str], *, directory: Path | None = None) -> Settings:
    """The settings of the file that GATEWAY_CONFIG names, else ./gateway.toml if there, and of
    `environ`.

    Raises SettingsError with every mistake that was found, each with where it was made.
    """
    named = environ.get(f"{PREFIX}CONFIG", "").strip()
    path = Path(named) if named else (directory or Path()) / DEFAULT_FILE
    problems: list[str] = []
    values: dict[str, Any] = {}
    reader = None
    if named or path.is_file():
        text = _read_file(path, named)
        reader = _Reader(path.name, text, problems)
        reader.table(_parse(path, text), Settings, values, ())
    _read_environment(environ, values, problems)
    tenants = values.pop("tenants", {})
    for name, kind in {**BACKENDS, "redis": RedisSettings}.items():
        values[name] = kind(**values.get(name, {}))
    if reader is not None:
        values["tenants"] = reader.tenants(tenants, values)
    if problems:
        raise SettingsError("\n".join(problems))
    return _with_proxies(Settings(**values), environ)


def _with_proxies(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The settings, with the proxy that each API is reached through, or None.

    The variables are set for other programs too, which may use proxies that can't be used here: one
    that names such a proxy is warned of, and does not count.
    """
    problems: dict[str, str] = {}

    def with_proxy(upstream: UpstreamT) -> UpstreamT:
        if upstream.proxy == DIRECT:
            return dataclasses.replace(upstream, proxy=None)
        variable = proxy_variable(upstream.url, environ) if upstream.url else None
        if upstream.proxy is not None or variable is None:
            return upstream
        if problem := _proxy_problem(environ[variable]):
            problems[variable] = problem
            return upstream
        return dataclasses.replace(upstream, proxy=environ[variable])

    tenants = {
        uid: dataclasses.replace(tenant, upstream=with_proxy(tenant.upstream))
        for uid, tenant in settings.tenants.items()
    }
    settings = dataclasses.replace(
        settings,
        flow_retail=with_proxy(settings.flow_retail),
        commercetools=with_proxy(settings.commercetools),
        tenants=types.MappingProxyType(tenants),
    )
    for variable, problem in problems.items():
        log.warning(
            '%s: %s. REST calls do without it: set `proxy` to another, or to "direct".',
            variable,
            problem,
        )
    return settings


def _variable(*names: str) -> str:
    return PREFIX + "_".join(names).upper()


def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _read_file(path: Path, named: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        origin = f"{PREFIX}CONFIG names" if named else "there is"
        reason = failure.strerror if isinstance(failure, OSError) else "it is not UTF-8"
        raise SettingsError(f"{origin} {path}, which can't be read: {reason}.") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as mistake:
        problem = f"it is not TOML: {mistake}"
    except ValueError:  # int() reads 4,300 digits
        problem = "a number in it is too long"
    except RecursionError:
        problem = "it nests too deeply"
    raise SettingsError(f"{path.name}: {problem}.")


class _Reader:
    """Reads a file's tables value by value, and lists each mistake with its line."""

    def __init__(self, name: str, text: str, problems: list[str]) -> None:
        self._name = name
        self._lines = text.split("\n")  # splitlines() knows more ends of lines than TOML
        self._problems = problems

    def table(
        self,
        given: Mapping[str, Any],
        kind: type,
        values: dict[str, Any],
        at: tuple[str, ...],
        *,
        beside: Mapping[str, Any] = types.MappingProxyType({}),
    ) -> None:
        """Read the settings of `kind` into `values`; `beside` are other names that the table can
        have.
        """
        hints = _hints(kind)
        for name, value in given.items():
            if name == "tenants" and not at:
                values[name] = value  # read last: they build on the backends
            elif name not in hints:
                self._note(
                    (*at, name), f"there is no such setting; {_nearest(name, {**hints, **beside})}"
                )
            elif dataclasses.is_dataclass(hints[name]):
                if isinstance(value, dict):
                    inner = values.setdefault(name, {})
                    self.table(value, hints[name], inner, (*at, name))
                else:
                    self._note((*at, name), "it is a table: write [" + name + "].")
            elif get_origin(hints[name]) is Mapping and isinstance(value, dict):
                values[name] = self._mapping(value, hints[name], (*at, name))
            else:
                try:
                    values[name] = _convert(name, value, hints[name], strict=True)
                except msgspec.ValidationError as mistake:
                    self._note((*at, name), f"{mistake}.")

    def tenants(self, given: object, values: Mapping[str, Any]) -> Mapping[str, TenantSettings]:
        """The rows of [tenants]; `values` has the settings of each backend."""
        if not isinstance(given, dict):
            self._note(("tenants",), "it is a table: write [tenants].")
            return {}
        # A mistake above may be in the very url that a tenant seems to lack.
        whole = not self._problems
        rows = {}
        for name, value in given.items():
            at = ("tenants", name)
            row = dict(value) if isinstance(value, dict) else {"backend": value}
            backend = row.pop("backend", None)
            if isinstance(backend, str):
                backend = backend.strip().lower()
            if not re.fullmatch(TENANT_UID, name):
                self._note(at, f"a tenant's name is {TENANT_NAME}.")
            elif isinstance(backend, str) and backend in BACKENDS:
                rows[name] = self._tenant(at, row, backend, values[backend], whole)
            elif isinstance(backend, str):
                place = (*at, "backend") if isinstance(value, dict) else at
                nearest = _nearest(f'"{backend}"', _BACKEND_NAMES, f"name {_EITHER_BACKEND}.")
                self._note(place, f"there is no such backend; {nearest}")
            else:
                self._note(at, f"name its backend: {_EITHER_BACKEND}.")
        return types.MappingProxyType(rows)

    def _tenant(
        self,
        at: tuple[str, ...],
        row: dict[str, Any],
        backend: str,
        base: FlowRetailSettings | CommercetoolsSettings,
        whole: bool,
    ) -> TenantSettings:
        found: dict[str, Any] = {}
        differs: dict[str, Any] = {}
        own = _hints(TenantSettings).keys() - {"upstream"}
        if not isinstance(base, CommercetoolsSettings):
            if row.pop("project", None) is not None:
                self._note((*at, "project"), "Flow Retail has no projects: leave it out.")
            own = set()
        self.table({name: row.pop(name) for name in own & row.keys()}, TenantSettings, found, at)
        self.table(row, type(base), differs, at, beside=dict.fromkeys(["backend", *own]))
        upstream = dataclasses.replace(base, **differs)
        if upstream.url is None and whole and not row.get("url"):
            problem = f"it has no url: set one here, or in [{backend}] for all of its tenants."
            self._note(at, problem)
        return TenantSettings(upstream=upstream, **found)

    def _mapping(
        self, given: Mapping[str, Any], hint: Any, at: tuple[str, ...]
    ) -> Mapping[str, Any]:
        of_name, of_value = get_args(hint)
        values = {}
        for name, value in given.items():
            try:
                _convert("", name, of_name, strict=True)
                values[name] = _convert("", value, of_value, strict=True)
            except msgspec.ValidationError as mistake:
                self._note((*at, name), f"{mistake}.")
        return types.MappingProxyType(values)

    def _note(self, names: tuple[str, ...], problem: str) -> None:
        # Within an inline table, the line of the table.
        parents = (names[:length] for length in range(len(names), 0, -1))
        line = next(filter(None, map(self._line, parents)), None)
        place = f"{self._name}, line {line}" if line else self._name
        self._problems.append(f"{place}: {'.'.join(names)}: {problem}")

    def _line(self, names: tuple[str, ...]) -> int | None:
        """The line that sets `names`, else the first one that sets a part of it. It is searched for
        in the text, because tomllib keeps no lines.
        """
        wanted = ".".join(names)
        part_of_it = None
        table = ""
        for number, line in enumerate(self._lines, start=1):
            if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
                name = table = _dotted(header[1])
            elif assigned := re.match(r"\s*([^=#]+?)\s*=", line):
                name = ".".join(filter(None, (table, _dotted(assigned[1]))))
            else:
                continue
            if name == wanted:
                return number
            if part_of_it is None and name.startswith(f"{wanted}."):
                part_of_it = number
        return part_of_it


def _dotted(key: str) -> str:
    """A TOML key without quotes and blanks. No setting has a quoted key with a dot in it."""
    return ".".join(part.strip(" \t\"'") for part in key.split("."))


def _read_environment(
    environ: Mapping[str, str], values: dict[str, Any], problems: list[str]
) -> None:
    known: dict[str, tuple[dict[str, Any], str, Any]] = {}
    for name, hint in _hints(Settings).items():
        if name == "tenants":
            continue  # only a file can hold them
        if dataclasses.is_dataclass(hint):
            inner = values.setdefault(name, {})
            for part, part_hint in _hints(hint).items():  # type: ignore[arg-type]
                known[_variable(name, part)] = (inner, part, part_hint)
        else:
            known[_variable(name)] = (values, name, hint)
    links = []
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in NO_SETTINGS:
            continue
        if _is_service_link(variable, text, known):
            links.append(variable)
            continue
        if variable not in known:
            problems.append(f"{variable}: there is no such setting; {_nearest(variable, known)}")
            continue
        into, name, hint = known[variable]
        try:
            into[name] = _convert(name, text, hint, strict=False)
        except msgspec.ValidationError as mistake:
            problems.append(f"{variable}: {mistake}.")
    if links:
        log.warning(
            "Variables that Kubernetes sets for Services are ignored; "
            "enableServiceLinks: false leaves them out: %s",
            ", ".join(links),
        )


def _is_service_link(variable: str, text: str, known: Iterable[str]) -> bool:
    """GATEWAY_PORT is both a setting and what Kubernetes sets for a Service named `gateway`."""
    if variable.endswith("_PORT") and LINK.match(text):
        return True
    return variable not in known and bool(LINK_NAME.fullmatch(variable, len(PREFIX)))


def _convert(name: str, value: object, hint: Any, *, strict: bool) -> object:
    """`value` as the setting's type; "" becomes None if the setting is optional."""
    if isinstance(value, str):
        value = value.strip()
        if value.lower() in _choices(hint):
            value = value.lower()
    if value == "" and type(None) in get_args(hint):
        return None
    if get_origin(hint) is tuple and isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if isinstance(value, list):
        value = [part.strip() if isinstance(part, str) else part for part in value]
    try:
        converted = msgspec.convert(value, hint, strict=strict)
    except ValueError:  # msgspec's, or of a number too long for its message
        raise msgspec.ValidationError(
            f"It must be {_wanted(hint)}{_but_is(value, hint, strict=strict)}"
        ) from None
    checks = {"url": _url_problem, "proxy": _proxy_problem, "cors_origins": _origin_problem}
    if RedisUrl in get_args(hint):
        checks["url"] = _redis_problem
    if name in checks:
        for each in converted if isinstance(converted, tuple) else (converted,):
            if problem := checks[name](str(each)):
                raise msgspec.ValidationError(problem)
    return converted


def _choices(hint: Any) -> tuple[Any, ...]:
    """The values that a setting of a Literal type can have."""
    kinds = (hint, *get_args(hint))  # a Literal, or what one is an alternative of
    return next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ())


def _wanted(hint: Any) -> str:
    """What a setting of this type can be, in words."""
    kind, parts = get_origin(hint), get_args(hint)
    if choices := _choices(hint):
        return f"one of {', '.join(map(json.dumps, choices))}"
    if type(None) in parts:
        return _wanted(parts[0])
    if kind is tuple:
        return f"a list, and each of it {_wanted(parts[0])}"
    if kind is Annotated:
        meta = parts[1]
        least = f"above {meta.gt} and up" if meta.ge is None else f"from {meta.ge}"
        return meta.description or f"{_wanted(parts[0])} {least} to {meta.le}"
    words = {bool: "true or false", int: "a whole number", float: "a number", Mapping: "a table"}
    return words.get(kind or hint, "a text")


def _but_is(value: object, hint: Any, *, strict: bool) -> str:
    """What a setting is instead; not where it is a text, which may be a secret at a wrong place."""
    if not isinstance(value, str | int | float) or not (
        _choices(hint) or any(kind in (bool, int, float) for kind in (hint, *get_args(hint)))
    ):
        return ""
    try:
        shown = json.dumps(value)
    except ValueError:  # an int of more digits than Python prints
        return ""
    return f", not `{shown if strict else shown[1:-1]}`" if len(shown) <= 40 else ""


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "It is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "It is not an http or https URL with a host"
    # urlsplit drops some of these characters, and an empty query looks to it like none.
    if re.search(r"[^!-~]|[?#@\\]", url):
        return "It has a query, a fragment, a user, blanks or such, which it must not"
    if port == 0:
        return "Nothing can be reached at port 0"
    if "[" not in parts.netloc and not HOST.fullmatch(parts.hostname):
        return "Its host is neither a name nor an address"
    try:
        BaseUrl(url)
    except Exception:  # of many kinds: it checks addresses, punycode and lengths
        return "It is not a URL that a call can be sent to"
    return None


def _redis_problem(url: str) -> str | None:
    from redis.asyncio import ConnectionPool  # not for all: most gateways have none

    try:
        parts = urlsplit(url)
        ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
        local = parts.scheme == "unix"
        if parts.path if local else parts.hostname and re.fullmatch(r"(/\d*)?", parts.path):
            return "A password stands before its @" if "password" in unquote(parts.query) else None
    except Exception:  # noqa: S110  # of many kinds: its query can have any option of a connection
        pass
    return (
        "It is not a URL of Redis, such as redis://:PASSWORD@HOST:6379/0, rediss://HOST or "
        "unix:///PATH"
    )


def _origin_problem(origin: str) -> str | None:
    if origin == "null":
        return 'Any page can have the origin "null"; write "*" if any page may send requests'
    if origin == "*":
        return None
    try:
        written = _serialized(origin)
    except ValueError:
        return 'It is not an origin, such as "https://shop.example" or "http://localhost:3000"'
    # It is compared as it stands with what a browser sends.
    return None if origin == written else f'Browsers write this origin "{written}"'


def _serialized(origin: str) -> str:
    """An origin as browsers write it (HTML Standard, "serialization of an origin"); raises
    ValueError for what is none.
    """
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{IPv6Address(host)}]"
    elif NUMBERED.search(host):
        host = str(IPv4Address(host))
    elif not HOST.fullmatch(host):
        raise ValueError("It has no host.")
    if not parts.scheme:
        raise ValueError("It has no scheme.")
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _proxy_problem(url: str) -> str | None:
    try:
        if url != DIRECT:
            Proxy(url)
    except ValueError as problem:
        return str(problem)
    return None


def _nearest(
    name: str, known: Iterable[str], otherwise: str = "docs/settings.md lists all settings."
) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else otherwise
