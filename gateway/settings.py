"""Everything an operator can set: read once, from a file and the environment, and checked by name.

A setting in the environment wins over the file. `GATEWAY_` and the name in capitals is its
variable; those of a table carry the table's name too: `GATEWAY_FLOW_RETAIL_URL` is `url` in
`[flow_retail]`.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Text = Annotated[str, Meta(min_length=1)]
TenantUid = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,128}\Z")]
GroupSort = Annotated[str, Meta(pattern=r"^(NAME|CREATED_AT|LAST_MODIFIED_AT)\Z")]
CustomerSort = Annotated[
    str,
    Meta(
        pattern=r"^(DISPLAY_NAME|FIRSTNAME|LASTNAME|COMPANY_NAME|EMAIL|CREATED_AT|LAST_MODIFIED_AT)\Z"
    ),
]
PREFIX: Final = "GATEWAY_"
DEFAULT_FILE: Final = "gateway.toml"


def _table(**values: str) -> Mapping[str, str]:
    return types.MappingProxyType(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """How a REST API is reached."""

    url: str | None = None
    """The API's base URL. Without it there is no such backend."""
    timeout: Seconds = 5.0
    """Seconds to wait for one REST call, its body included."""
    connect_timeout: Seconds = 2.0
    """Seconds to wait for a connection; after that, nothing was sent."""
    concurrency: Count = 64
    """REST calls under way at once in this process."""
    retries: Annotated[int, Meta(ge=0, le=5)] = 1
    """How often a failed read is sent again."""
    max_retry_after: Seconds = 2.0
    """The longest Retry-After that is waited for; a longer one is answered as RATE_LIMITED."""
    max_body: Count = 1_000_000
    """Bytes of one answer, decompressed; a longer one is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRetail(Upstream):
    """Flow Retail: `url` ends in /v2. What its documents leave open is in docs/upstreams.md."""

    first_page: Literal[0, 1] = 1
    """The pageNumber of a list's first page."""
    max_page_size: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """The largest pageSize that is asked for; what an answer's paging says wins."""
    past_the_end: Literal["empty", "not_found"] = "empty"
    """What a page past the end of a list answers: no items, or 404."""
    group_sorts: Mapping[GroupSort, Text] = field(
        default_factory=lambda: _table(
            NAME="name", CREATED_AT="createdAt", LAST_MODIFIED_AT="lastModifiedAt"
        )
    )
    """sortBy for each CustomerGroupSortField that the API knows."""
    customer_sorts: Mapping[CustomerSort, Text] = field(
        default_factory=lambda: _table(
            DISPLAY_NAME="displayName",
            FIRSTNAME="firstname",
            LASTNAME="lastname",
            COMPANY_NAME="companyName",
            EMAIL="email",
            CREATED_AT="createdAt",
            LAST_MODIFIED_AT="lastModifiedAt",
        )
    )
    """sortBy for each CustomerSortField that the API knows."""
    mirrored_sorts: bool = False
    """Whether DESC is the exact mirror of ASC, ties included; then `last` costs one call."""
    membership_chunk: Count = 500
    """Customers in one membership request."""
    membership_atomic: bool = False
    """Whether a refused membership request has changed nothing at all."""
    membership_conflict_is_unchanged: bool = True
    """Whether 409 to a single customer's membership means that it is as wanted already."""
    membership_isolation: Annotated[int, Meta(ge=0, le=10_000)] = 64
    """Further requests an edit may spend on finding the customers that were refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    profile: Literal["development", "production"] = "production"
    """`development` shows GraphiQL, introspection and suggestions."""
    host: Text = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    """The port to listen on."""
    log_level: Literal["critical", "error", "warning", "info", "debug"] = "info"
    """Below `info`, one line an operation; `debug` adds one line a REST call."""
    default_tenant: TenantUid | None = None
    """The tenant of fields that name none, where no X-Tenant header came."""
    default_backend: Literal["flow_retail"] | None = "flow_retail"
    """The backend of tenants that are not listed in `[tenants]`; "" for none."""
    deadline: Seconds = 10.0
    """Seconds for one operation; what is not answered then fails with DEADLINE_EXCEEDED."""
    default_page_size: Count = 20
    """Rows of a connection without `first` and `last`."""
    max_page_size: Count = 100
    """The largest `first` and `last`."""
    max_membership_uids: Count = 10_000
    """Customers in each list of one membership edit."""
    max_request_body: Count = 1_000_000
    """Bytes of one GraphQL request."""
    relay_node: bool = True
    """Whether the schema has `node` and `nodes`; only one subgraph of a supergraph can."""
    flow_retail: FlowRetail = field(default_factory=FlowRetail)
    tenants: Mapping[TenantUid, Literal["flow_retail"]] = field(
        default_factory=lambda: types.MappingProxyType({})
    )
    """Which backend holds which tenant."""


class SettingsError(Exception):
    """Settings that can't be used; the message has a line for each, with its place and its
    problem.
    """


def read_settings(environ: Mapping[str, str], *, directory: Path | None = None) -> Settings:
    """The settings of the file that GATEWAY_CONFIG names, else ./gateway.toml if there, and of
    `environ`.

    Raises SettingsError with every mistake that was found, each with where it was made.
    """
    named = environ.get(f"{PREFIX}CONFIG")
    path = Path(named) if named else (directory or Path()) / DEFAULT_FILE
    problems: list[str] = []
    values: dict[str, Any] = {}
    if named or path.is_file():
        text = _read_file(path, named)
        _Reader(path.name, text, problems).table(_parse(path, text), Settings, values, ())
    _read_environment(environ, values, problems)
    if problems:
        raise SettingsError("\n".join(problems))
    if "flow_retail" in values:
        values["flow_retail"] = FlowRetail(**values["flow_retail"])
    return Settings(**values)


def _variable(*names: str) -> str:
    return PREFIX + "_".join(names).upper()


def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _read_file(path: Path, named: str | None) -> str:
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
        raise SettingsError(f"{path.name}: it is not TOML: {mistake}.") from None


class _Reader:
    """Takes a file's tables over, value by value, and notes what is wrong with which line."""

    def __init__(self, name: str, text: str, problems: list[str]) -> None:
        self._name = name
        self._lines = text.splitlines()
        self._problems = problems

    def table(
        self, given: Mapping[str, Any], kind: type, values: dict[str, Any], at: tuple[str, ...]
    ) -> None:
        hints = _hints(kind)
        for name, value in given.items():
            if name not in hints:
                self._note((*at, name), f"there is no such setting; {_nearest(name, hints)}")
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

    def _mapping(
        self, given: Mapping[str, Any], hint: Any, at: tuple[str, ...]
    ) -> Mapping[str, Any]:
        of_name, of_value = get_args(hint)
        for name, value in given.items():
            try:
                msgspec.convert(name, of_name)
                msgspec.convert(value, of_value)
            except msgspec.ValidationError as mistake:
                self._note((*at, name), f"{mistake}.")
        return types.MappingProxyType(dict(given))

    def _note(self, names: tuple[str, ...], problem: str) -> None:
        # Within an inline table, the line of the table.
        parents = (names[:length] for length in range(len(names), 0, -1))
        line = next(filter(None, map(self._line, parents)), None)
        place = f"{self._name}, line {line}" if line else self._name
        self._problems.append(f"{place}: {'.'.join(names)}: {problem}")

    def _line(self, names: tuple[str, ...]) -> int | None:
        """The line that sets `names`; tomllib does not tell, so it is looked for."""
        table: tuple[str, ...] = ()
        for number, line in enumerate(self._lines, start=1):
            if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
                table = tuple(part.strip(" \"'") for part in header[1].split("."))
                if table == names:
                    return number
            elif assigned := re.match(r"\s*([^=#]+?)\s*=", line):
                key = tuple(part.strip(" \"'") for part in assigned[1].split("."))
                if table + key == names:
                    return number
        return None


def _read_environment(
    environ: Mapping[str, str], values: dict[str, Any], problems: list[str]
) -> None:
    known: dict[str, tuple[dict[str, Any], str, Any]] = {}
    for name, hint in _hints(Settings).items():
        if dataclasses.is_dataclass(hint):
            inner = values.setdefault(name, {})
            for part, part_hint in _hints(hint).items():  # type: ignore[arg-type]
                known[_variable(name, part)] = (inner, part, part_hint)
        else:
            known[_variable(name)] = (values, name, hint)
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == f"{PREFIX}CONFIG":
            continue
        if variable not in known:
            problems.append(f"{variable}: there is no such setting; {_nearest(variable, known)}")
            continue
        into, name, hint = known[variable]
        try:
            into[name] = _convert(name, text, hint, strict=False)
        except msgspec.ValidationError as mistake:
            problems.append(f"{variable}: {mistake}.")


def _convert(name: str, value: object, hint: Any, *, strict: bool) -> object:
    """`value` as the setting's type; "" is None where the setting may be left out."""
    if value == "" and type(None) in get_args(hint):
        return None
    converted = msgspec.convert(value, hint, strict=strict)
    if name == "url" and (problem := _url_problem(str(converted))):
        raise msgspec.ValidationError(problem)
    return converted


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "It is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "It is not an http or https URL with a host"
    # urlsplit drops some of these, and does not tell an empty query from none.
    if re.search(r"[^!-~]|[?#@\\]", url):
        return "It has a query, a fragment, a user, blanks or such, which it must not"
    return None


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else "see the README for those there are."
