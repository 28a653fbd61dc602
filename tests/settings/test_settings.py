"""What an operator can set, where, and what is said of mistakes."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from gateway.backends.port import CustomerGroupSortField, CustomerSortField
from gateway.settings import (
    BACKENDS,
    CommercetoolsSettings,
    CustomerSort,
    FlowRetailSettings,
    GroupSort,
    RedisSettings,
    Settings,
    SettingsError,
    TenantSettings,
    UpstreamSettings,
)
from gateway.settings.configuration import read_settings

ROOT = Path(__file__).parents[2]

SAMPLES: Mapping[str, tuple[str, object]] = {
    "profile": ("development", "development"),
    "host": ("0.0.0.0", "0.0.0.0"),  # noqa: S104  # nothing listens
    "port": ("9000", 9000),
    "root_path": ("/shop", "/shop"),
    "management_port": ("9464", 9464),
    "workers": ("4", 4),
    "log_level": ("debug", "debug"),
    "log_format": ("json", "json"),
    "fingerprint_key": ("0123456789abcdef", "0123456789abcdef"),
    "default_tenant": ("acme", "acme"),
    "default_backend": ("", None),
    "forward_baggage": ("true", True),
    "deadline": ("2.5", 2.5),
    "default_page_size": ("5", 5),
    "max_page_size": ("50", 50),
    "max_membership_uids": ("7", 7),
    "max_custom_fields": ("7", 7),
    "max_request_body": ("1000", 1000),
    "max_requests": ("10", 10),
    "max_connections": ("10", 10),
    "max_head": ("1000", 1000),
    "max_headers": ("10", 10),
    "head_timeout": ("0.5", 0.5),
    "silent_timeout": ("0.5", 0.5),
    "keep_alive_timeout": ("0.5", 0.5),
    "unread_timeout": ("0.5", 0.5),
    "drain": ("0.5", 0.5),
    "doctor_rate": ("0.5", 0.5),
    "graphiql": ("false", False),
    "introspection": ("true", True),
    "federation_sdl": ("true", True),
    "explain": ("true", True),
    "get_queries": ("true", True),
    "cors_origins": ("https://a.example", ("https://a.example",)),
    "cors_headers": ("X-Shop", ("X-Shop",)),
    "cors_credentials": ("true", True),
    "max_rest_calls": ("10", 10),
    "max_document": ("1000", 1000),
    "max_tokens": ("100", 100),
    "max_lines": ("5", 5),
    "max_nesting": ("5", 5),
    "max_fields": ("5", 5),
    "max_comparisons": ("5", 5),
    "max_depth": ("5", 5),
    "max_aliases": ("5", 5),
    "max_alias_length": ("5", 5),
    "max_response_body": ("5", 5),
    "max_root_fields": ("5", 5),
    "max_directives": ("5", 5),
    "max_fragment_spreads": ("5", 5),
    "rate_limit": ("2.5", 2.5),
    "rate_limit_burst": ("7", 7),
    "rate_limit_by": ("tenant", "tenant"),
    "redis.url": ("redis://redis.example", "redis://redis.example"),
    "redis.timeout": ("0.5", 0.5),
    "max_variables": ("1000", 1000),
    "max_variable_values": ("100", 100),
    "document_cache": ("0", 0),
    "trusted_documents": ("web.json, an app.json", ("web.json", "an app.json")),
    "trusted_mode": ("log", "log"),
    "persisted_queries": ("false", False),
    "persisted_query_cache": ("0", 0),
    "stranger_share": ("0.25", 0.25),
    "relay_node": ("false", False),
    "flow_retail.url": ("https://api.example/v2", "https://api.example/v2"),
    "flow_retail.timeout": ("0.5", 0.5),
    "flow_retail.concurrency": ("3", 3),
    "flow_retail.retries": ("0", 0),
    "flow_retail.max_retry_after": ("1", 1.0),
    "flow_retail.max_tenant_pause": ("1", 1.0),
    "flow_retail.max_body": ("10", 10),
    "max_rows": ("10", 10),
    "max_values": ("10", 10),
    "max_entities": ("10", 10),
    "max_errors": ("10", 10),
    "flow_retail.bearer_header": ("X-Flow-Token", "X-Flow-Token"),
    "commercetools.bearer_header": ("X-Ct-Authorization", "X-Ct-Authorization"),
    "flow_retail.connect_timeout": ("0.5", 0.5),
    "flow_retail.connection_max_age": ("0.5", 0.5),
    "flow_retail.proxy": ("http://proxy.example:3128", "http://proxy.example:3128"),
    "flow_retail.ca_file": ("ca.pem", "ca.pem"),
    "flow_retail.client_certificate": ("client.pem", "client.pem"),
    "flow_retail.client_key": ("client.key", "client.key"),
    "flow_retail.past_the_end": ("not_found", "not_found"),
    "flow_retail.first_page": ("0", 0),
    "flow_retail.max_page_size": ("50", 50),
    "flow_retail.mirrored_sorts": ("true", True),
    "flow_retail.membership_chunk": ("5", 5),
    "flow_retail.membership_atomic": ("true", True),
    "flow_retail.membership_conflict_is_unchanged": ("true", True),
    "flow_retail.membership_isolation": ("0", 0),
    "commercetools.url": ("https://api.example", "https://api.example"),
    "commercetools.timeout": ("0.5", 0.5),
    "commercetools.concurrency": ("3", 3),
    "commercetools.retries": ("0", 0),
    "commercetools.max_retry_after": ("1", 1.0),
    "commercetools.max_tenant_pause": ("1", 1.0),
    "commercetools.max_body": ("10", 10),
    "commercetools.connect_timeout": ("0.5", 0.5),
    "commercetools.connection_max_age": ("0.5", 0.5),
    "commercetools.proxy": ("http://proxy.example:3128", "http://proxy.example:3128"),
    "commercetools.ca_file": ("ca.pem", "ca.pem"),
    "commercetools.client_certificate": ("client.pem", "client.pem"),
    "commercetools.client_key": ("client.key", "client.key"),
    "commercetools.membership": ("both", "both"),
    "commercetools.membership_concurrency": ("2", 2),
}
"""A text for every setting that a variable can hold, and the value that it stands for."""


def value_of(settings: Settings, name: str) -> object:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def read(text: str | None = None, directory: Path | None = None, **environ: str) -> Settings:
    if text is not None:
        assert directory is not None
        (directory / "gateway.toml").write_text(text, encoding="utf-8")
    return read_settings(environ, directory=directory or Path("/nowhere"))


def problems(text: str | None = None, directory: Path | None = None, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read(text, directory, **environ)
    return str(refused.value).splitlines()


# -- where settings come from


def test_without_file_and_variables_all_have_defaults():
    """An empty environment is no mistake; that there is no backend is for the app to say."""
    assert read() == Settings()


@pytest.mark.slow
def test_each_setting_has_a_variable():
    """GATEWAY_ and the name in capitals, the table's ahead of it."""
    for name, (text, value) in SAMPLES.items():
        settings = read(**{f"GATEWAY_{name.replace('.', '_').upper()}": text})

        assert (name, value_of(settings, name)) == (name, value)
        assert settings != Settings(), name


@pytest.mark.slow
def test_each_setting_can_stand_in_the_file(tmp_path):
    """The file takes TOML's own types."""
    for name, (text, value) in SAMPLES.items():
        written = f'"{text}"' if isinstance(value, str | None) else text
        if isinstance(value, tuple):
            written = str(list(value))

        settings = read(f"{name} = {written}", tmp_path)

        assert (name, value_of(settings, name)) == (name, value)


def test_the_samples_are_all_settings():
    """A new setting is tried in both places, or is a mapping, which only a file can hold."""
    mappings = {"tenants", "flow_retail.group_sorts", "flow_retail.customer_sorts"}
    tables = {**BACKENDS, "redis": RedisSettings}
    names = {field.name for field in dataclasses.fields(Settings)} - set(tables)
    for table, kind in tables.items():
        names |= {f"{table}.{field.name}" for field in dataclasses.fields(kind)}

    assert names == set(SAMPLES) | mappings


def test_the_names_that_others_rely_on_stay():
    """Deployments, the image and the documents name these variables."""
    fixed = {
        "GATEWAY_HOST": "::1",
        "GATEWAY_PORT": "1",
        "GATEWAY_FLOW_RETAIL_URL": "http://x/v2",
        "GATEWAY_DEFAULT_TENANT": "t",
        "GATEWAY_DEADLINE": "1",
        "GATEWAY_PROFILE": "development",
        "GATEWAY_LOG_LEVEL": "error",
    }

    settings = read(**fixed)

    assert settings == Settings(
        host="::1",
        port=1,
        flow_retail=FlowRetailSettings(url="http://x/v2"),
        default_tenant="t",
        deadline=1.0,
        profile="development",
        log_level="error",
    )


@pytest.mark.parametrize("page", ["README.md", "docs/settings.md"])
def test_the_example_of_a_page_can_be_used_as_it_is(page: str, tmp_path):
    """It names both backends and a tenant of each."""
    text = (ROOT / page).read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]

    settings = read(example, tmp_path)

    assert set(BACKENDS) | {"tenants"} <= tomllib.loads(example).keys()
    assert {type(tenant.upstream) for tenant in settings.tenants.values()} == set(BACKENDS.values())


def test_the_pages_list_every_setting_with_its_variable_and_default():
    """What commercetools has like Flow Retail is listed once; mappings only a file can set."""
    rows = [
        row
        for page in ("settings.md", "limits-and-errors.md")
        for row in re.findall(
            r"^\| `([\w.]+)` \| `(GATEWAY_\w+)` \| (?:`(.*?)`|none|by profile) \|",
            (ROOT / "docs" / page).read_text(encoding="utf-8"),
            re.M,
        )
    ]

    for name, variable, default in rows:
        assert variable == f"GATEWAY_{name.replace('.', '_').upper()}"
        value = value_of(Settings(), name)
        assert ("" if value in (None, ()) else str(value)).lower() == default.lower()
    listed = {name for name, _, _ in rows}
    shared = {f"commercetools.{field.name}" for field in dataclasses.fields(UpstreamSettings)}
    assert sorted(set(SAMPLES) - listed - shared) == []


def test_a_variable_wins_over_the_file(tmp_path):
    """A deployment changes one thing without another file."""
    settings = read("port = 1\nhost = 'a'", tmp_path, GATEWAY_PORT="2")

    assert (settings.port, settings.host) == (2, "a")


def test_gateway_config_names_another_file(tmp_path):
    """Then ./gateway.toml is not read."""
    (tmp_path / "gateway.toml").write_text("port = 1")
    (tmp_path / "other.toml").write_text("deadline = 3")

    settings = read(None, tmp_path, GATEWAY_CONFIG=str(tmp_path / "other.toml"))

    assert (settings.port, settings.deadline) == (8080, 3.0)


def test_mappings_are_read_from_the_file(tmp_path):
    """They replace the default whole: what is not listed is not there."""
    settings = read('[flow_retail.group_sorts]\nNAME = "groupName"', tmp_path)

    assert settings.flow_retail.group_sorts == {"NAME": "groupName"}
    assert settings.flow_retail.customer_sorts == FlowRetailSettings().customer_sorts


def test_settings_can_not_be_changed(tmp_path):
    """Neither the values nor what is in the mappings, be they of a file or the defaults."""
    text = 'acme = {backend = "flow_retail", url = "http://x", group_sorts = {NAME = "n"}}'
    settings = read(f"[tenants]\n{text}", tmp_path)

    mappings = [
        *(settings.tenants, Settings().tenants),
        *(settings.flow_retail.group_sorts, settings.flow_retail.customer_sorts),
        settings.tenants["acme"].upstream.group_sorts,
    ]
    for mapping in mappings:
        with pytest.raises(TypeError):
            mapping["NAME"] = "x"
    for value in (settings, settings.commercetools, settings.tenants["acme"]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, dataclasses.fields(value)[0].name, "x")


def test_what_can_be_left_out_can_be_left_empty(tmp_path):
    """A variable that is set to nothing takes back what the file says."""
    settings = read('default_tenant = "acme"', tmp_path, GATEWAY_DEFAULT_TENANT="")

    assert settings.default_tenant is None


def test_other_programs_variables_are_let_be():
    """Only names that begin with GATEWAY_ are ours."""
    assert read(PATH="/bin", GATEWAYS="3", gateway_port="x") == Settings()


# -- tenants

CT = """
[flow_retail]
url = "http://flow/v2"
max_page_size = 30

[commercetools]
url = "http://ct"
timeout = 1.5

[tenants]
"""


def test_a_tenant_is_the_name_of_its_backend(tmp_path):
    """Then all is as in that backend's own table."""
    settings = read(CT + 'oslo = "flow_retail"\nwien = "commercetools"', tmp_path)

    assert settings.tenants == {
        "oslo": TenantSettings(upstream=FlowRetailSettings(url="http://flow/v2", max_page_size=30)),
        "wien": TenantSettings(upstream=CommercetoolsSettings(url="http://ct", timeout=1.5)),
    }


@pytest.mark.parametrize(
    "text",
    [
        'wien = {backend = "commercetools", project = "live", membership = "both", retries = 0}',
        '[tenants.wien]\nbackend = "commercetools"\nproject = "live"\nretries = 0\n'
        'membership = "both"',
        'wien.backend = "commercetools"\nwien.project = "live"\nwien.retries = 0\n'
        'wien.membership = "both"',
    ],
)
def test_a_tenant_is_a_table_of_what_differs_for_it(tmp_path, text):
    """However TOML lets a table be written; what it does not say is as in the backend's table."""
    settings = read(CT + text, tmp_path)

    wien = CommercetoolsSettings(url="http://ct", timeout=1.5, membership="both", retries=0)
    assert settings.tenants == {"wien": TenantSettings(upstream=wien, project="live")}
    assert settings.commercetools == CommercetoolsSettings(url="http://ct", timeout=1.5)


@pytest.mark.slow
def test_each_setting_of_a_backend_can_differ_for_a_tenant(tmp_path):
    """Its limits and the settings of what is not known, too."""
    for name, (text, value) in SAMPLES.items():
        backend, _, setting = name.partition(".")
        if backend not in BACKENDS:
            continue
        written = f'"{text}"' if isinstance(value, str) else text

        settings = read(f"{CT}t = {{backend = '{backend}', {setting} = {written}}}", tmp_path)

        assert (name, getattr(settings.tenants["t"].upstream, setting)) == (name, value)
        assert getattr(getattr(settings, backend), setting) != value, name


@pytest.mark.parametrize(
    "url",
    [
        *("redis://h", "redis://:s3cret%40@h:1/2", "rediss://u:p@h?ssl_ca_certs=/ca.pem"),
        *("redis://[::1]:6379", "unix:///run/redis.sock?db=1"),
    ],
)
def test_redis_is_named_by_a_url(url: str):
    """Of TCP, TLS or a Unix socket. It holds a password, so that no repr shows it."""
    settings = read(GATEWAY_REDIS_URL=url)

    assert settings.redis.url == url
    assert url not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        *("http://:s3cret@h", "redis://", "redis://:s3cret@h:99999", "redis://:s3cret@h:x"),
        *("redis://:s3cret@h/a", "redis://:s3cret@[::1", "h:6379", "unix://", "redis://h?s3cret=1"),
    ],
)
def test_what_is_no_url_of_redis_stops_the_start(url: str, tmp_path):
    """The message says where it stands and what to write, and does not repeat a password."""
    for given in ({"text": f'[redis]\nurl = "{url}"', "directory": tmp_path}, {}):
        with pytest.raises(SettingsError, match="rediss://HOST") as refused:
            read(**given, **({} if given else {"GATEWAY_REDIS_URL": url}))

        assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", ["password", "pass%77ord"])
def test_redis_has_its_password_before_the_host(name: str):
    """Elsewhere in the URL, `gateway check` would print it."""
    with pytest.raises(SettingsError, match="A password stands before its @") as refused:
        read(GATEWAY_REDIS_URL=f"redis://h?{name}=s3cret")

    assert "s3cret" not in str(refused.value)


def test_a_mapping_can_differ_for_a_tenant(tmp_path):
    """It replaces that of the backend's table whole."""
    text = "[tenants.oslo]\nbackend = 'flow_retail'\n[tenants.oslo.group_sorts]\nNAME = 'n'"
    settings = read(CT + text, tmp_path)

    assert settings.tenants["oslo"].upstream.group_sorts == {"NAME": "n"}
    assert settings.flow_retail.group_sorts == FlowRetailSettings().group_sorts


def test_tenants_build_on_the_variables_too(tmp_path):
    """A variable wins over the backend's table, and what a tenant says over both."""
    settings = read(
        CT + "a = 'commercetools'\nb = {backend = 'commercetools', timeout = 3}",
        tmp_path,
        GATEWAY_COMMERCETOOLS_TIMEOUT="2",
        GATEWAY_COMMERCETOOLS_URL="http://elsewhere",
    )

    assert settings.tenants == {
        "a": TenantSettings(upstream=CommercetoolsSettings(url="http://elsewhere", timeout=2.0)),
        "b": TenantSettings(upstream=CommercetoolsSettings(url="http://elsewhere", timeout=3.0)),
    }


def test_a_tenants_url_can_be_its_own_or_a_variables(tmp_path):
    """The file need not name any; a backend without tenants needs none."""
    text = "[tenants]\na = 'commercetools'\nb = {backend = 'commercetools', url = 'http://b'}"
    settings = read(text, tmp_path, GATEWAY_COMMERCETOOLS_URL="http://a")

    urls = [tenant.upstream.url for tenant in settings.tenants.values()]
    assert urls == ["http://a", "http://b"]
    assert settings.flow_retail.url is None


def test_an_empty_project_is_none(tmp_path):
    """As with all that can be left out; then the tenant's name is the project's."""
    settings = read(CT + "wien = {backend = 'commercetools', project = ''}", tmp_path)

    assert settings.tenants["wien"].project is None


@pytest.mark.parametrize(
    ("text", "line", "name", "what"),
    [
        ("wien = 'sap'", 1, "wien", 'name "flow_retail" or "commercetools".'),
        ("wien = 'commercetool'", 1, "wien", 'did you mean "commercetools"?'),
        ("wien = 5", 1, "wien", 'name its backend: "flow_retail" or "commercetools".'),
        ("wien = {}", 1, "wien", 'name its backend: "flow_retail" or "commercetools".'),
        ("wien = {url = 'http://x'}", 1, "wien", "name its backend"),
        ("#\nwien.project = 'x'", 2, "wien", "name its backend"),
        ("\n[tenants.wien.group_sorts]\nNAME = 'x'", 2, "wien", "name its backend"),
        ("[[tenants.wien]]\nbackend = 'flow_retail'", 1, "wien", "name its backend"),
        ("wien = {backend = ['flow_retail']}", 1, "wien", "name its backend"),
        (
            "[tenants.wien]\nproject = 'x'\nbackend = 'flowretail'",
            3,
            "wien.backend",
            'did you mean "flow_retail"?',
        ),
        (
            "[tenants.wien]\nbackend = 'commercetools'\nprojct = 'x'",
            3,
            "wien.projct",
            "did you mean project?",
        ),
        (
            "[tenants.wien]\nbackend = 'commercetools'\nmembershp = 'both'",
            3,
            "wien.membershp",
            "did you mean membership?",
        ),
        (
            "[tenants.wien]\nbackend = 'commercetools'\nfirst_page = 0",
            3,
            "wien.first_page",
            "there is no such setting",
        ),
        (
            "[tenants.wien]\nbackend = 'commercetools'\nupstream = 0",
            3,
            "wien.upstream",
            "there is no such setting",
        ),
        (
            "[tenants.wien]\nbackend = 'flow_retail'\nproject = 'x'",
            3,
            "wien.project",
            "Flow Retail has no projects: leave it out.",
        ),
        (
            "[tenants.wien]\nbackend = 'commercetools'\nproject = 'a/b'",
            3,
            "wien.project",
            "It must be 1 to 128 of A-Z, a-z, 0-9, _ and -.",
        ),
        (
            "wien = {backend = 'commercetools', project = 5}",
            1,
            "wien.project",
            "It must be 1 to 128 of A-Z, a-z, 0-9, _ and -.",
        ),
        ("wien = {backend = 'commercetools', url = 'x'}", 1, "wien.url", "URL"),
        (
            "wien = {backend = 'commercetools', timeout = '1'}",
            1,
            "wien.timeout",
            'It must be a number above 0 and up to 3600, not `"1"`.',
        ),
        (
            "wien = {backend = 'commercetools', membership = 'new'}",
            1,
            "wien.membership",
            'It must be one of "assignments", "legacy", "both", not `"new"`.',
        ),
        (
            "[tenants.wien]\nbackend = 'flow_retail'\n[tenants.wien.group_sorts]\nSIZE = 'x'",
            4,
            "wien.group_sorts.SIZE",
            "It must be one of NAME, CREATED_AT, LAST_MODIFIED_AT.",
        ),
        ('"a.b" = "flow_retail"', 1, "a.b", "a tenant's name is 1 to 128 of"),
        ('[tenants."a.b"]\nbackend = "flow_retail"', 1, "a.b", "a tenant's name is 1 to 128 of"),
    ],
)
def test_a_mistake_in_a_tenant_is_said_with_its_remedy(tmp_path, text, line, name, what):
    """The line, the key, and what to write instead."""
    [problem] = problems(CT + text, tmp_path)

    place, whose, said = problem.split(": ", 2)
    assert place == f"gateway.toml, line {CT.count(chr(10)) + line}"
    assert whose == f"tenants.{name}"
    assert what in said


def test_a_tenant_whose_backend_has_no_url_is_told_where_to_set_one(tmp_path):
    """Each of them; the line is the tenant's."""
    text = "[tenants]\na = 'flow_retail'\n[tenants.b]\nbackend = 'commercetools'\nurl = ''"

    assert problems(text, tmp_path) == [
        "gateway.toml, line 2: tenants.a: it has no url: "
        "set one here, or in [flow_retail] for all of its tenants.",
        "gateway.toml, line 3: tenants.b: it has no url: "
        "set one here, or in [commercetools] for all of its tenants.",
    ]


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("[commercetools]\nurl = 'x'", {}),
        ("[commercetools]\nulr = 'http://x'", {}),
        ("", {"GATEWAY_COMMERCETOOLS_URL": "x"}),
    ],
)
def test_a_url_that_can_not_be_is_said_once(tmp_path, text, environ):
    """Not again for every tenant that would have it."""
    tenants = "[tenants]\na = 'commercetools'\nb = 'commercetools'"

    assert len(problems(f"{text}\n{tenants}", tmp_path, **environ)) == 1


def test_mistakes_in_several_tenants_are_said_at_once(tmp_path):
    """One line each, in the order of the file."""
    said = problems(
        CT + "a = 'sap'\nb = 'flow_retail'\nc = {backend = 'commercetools', x = 1, y = 2}",
        tmp_path,
    )

    assert [problem.split(": ")[1] for problem in said] == [
        "tenants.a",
        "tenants.c.x",
        "tenants.c.y",
    ]


def test_lines_are_counted_as_toml_counts_them(tmp_path):
    """Other characters that end a line elsewhere can stand in a comment."""
    [problem] = problems("# \u2028 \u0085\nprot = 1", tmp_path)

    assert problem.startswith("gateway.toml, line 2: prot: ")


# -- mistakes


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ("\nprot = 1", 2, "prot"),
        ("[flow_retial]\nurl = 'http://x'", 1, "flow_retial"),
        ("# first\n[flow_retail]\nfirst_page = 7", 3, "flow_retail.first_page"),
        ("flow_retail.first_page = 7", 1, "flow_retail.first_page"),
        ("[ flow_retail ]  # here\n first_page = 7", 2, "flow_retail.first_page"),
        ("port = 1\nflow_retail = {first_page = 7}", 2, "flow_retail.first_page"),
        ("flow_retail = 5", 1, "flow_retail"),
        ("[[flow_retail]]\nurl = 'http://x'", 1, "flow_retail"),
        ("port = '80'", 1, "port"),
        ("port = true", 1, "port"),
        ("port = 65536", 1, "port"),
        ("deadline = nan", 1, "deadline"),
        ("deadline = inf", 1, "deadline"),
        ("deadline = 0", 1, "deadline"),
        ("relay_node = 1", 1, "relay_node"),
        ("default_tenant = 'a b'", 1, "default_tenant"),
        ('default_tenant = "ac\\nme"', 1, "default_tenant"),
        ("host = ''", 1, "host"),
        ("\n[flow_retail]\nurl = 'ftp://x'", 3, "flow_retail.url"),
        ("tenants = 5", 1, "tenants"),
        ("[tenants]\n'a b' = 'flow_retail'", 2, "tenants.a b"),
        ("[tenants]\n\n'a/b' = 'flow_retail'", 3, "tenants.a/b"),
        ("[tenants]\nacme = 'flowretail'", 2, "tenants.acme"),
        ("[tenants]\nacme = 5", 2, "tenants.acme"),
        ("[commercetools]\nmembership = 'new'", 2, "commercetools.membership"),
        ("[commercetools]\nproject = 'x'", 2, "commercetools.project"),
        ("commercetools = {membership_concurrency = 0}", 1, "commercetools.membership_concurrency"),
        ("[flow_retail]\ngroup_sorts = 3", 2, "flow_retail.group_sorts"),
        pytest.param(
            f"[flow_retail]\nfirst_page = 0x{'f' * 9000}", 2, "flow_retail.first_page", id="huge"
        ),
        pytest.param(f"deadline = {'9' * 4000}", 1, "deadline", id="long"),
        ("[flow_retail.group_sorts]\nNAMES = 'x'", 2, "flow_retail.group_sorts.NAMES"),
        ("[flow_retail.group_sorts]\nEMAIL = 'x'", 2, "flow_retail.group_sorts.EMAIL"),
        ("[flow_retail]\ncustomer_sorts = {NAME = 'x'}", 2, "flow_retail.customer_sorts.NAME"),
        ("[flow_retail]\ngroup_sorts = {NAME = 5}", 2, "flow_retail.group_sorts.NAME"),
        ("[flow_retail]\ngroup_sorts.NAME = ''", 2, "flow_retail.group_sorts.NAME"),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_line(tmp_path, text, line, name):
    """The file, the line and the setting's whole name; then what is wrong."""
    [problem] = problems(text, tmp_path)

    place, whose, what = problem.split(": ", 2)
    assert (place, whose) == (f"gateway.toml, line {line}", name)
    assert what.endswith((".", "?"))
    assert not what.endswith("?.")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("GATEWAY_PORT", "x"),
        ("GATEWAY_PORT", "8 0"),
        ("GATEWAY_PORT", ""),
        ("GATEWAY_HOST", ""),
        ("GATEWAY_PROFILE", "prod"),
        ("GATEWAY_LOG_LEVEL", "INFORM"),
        ("GATEWAY_DEADLINE", "nan"),
        ("GATEWAY_DEADLINE", "1e400"),
        ("GATEWAY_RELAY_NODE", "yes"),
        ("GATEWAY_TENANTS", '{"acme": "flow_retail"}'),
        ("GATEWAY_DEFAULT_TENANT", "a/b"),
        ("GATEWAY_DEFAULT_BACKEND", "flowretail"),
        ("GATEWAY_FLOW_RETAIL", "{}"),
        ("GATEWAY_FLOW_RETAIL_URL", "api.example/v2"),
        ("GATEWAY_FLOW_RETAIL_FIRST_PAGE", "2"),
        ("GATEWAY_FLOWRETAIL_URL", "http://x"),
        ("GATEWAY_COMMERCETOOLS_URL", "api.example"),
        ("GATEWAY_COMMERCETOOLS_MEMBERSHIP", "new"),
        ("GATEWAY_COMMERCETOOLS_PROJECT", "x"),
        ("GATEWAY_", "x"),
    ],
)
def test_a_mistake_in_a_variable_is_said_with_its_name(variable, text):
    """It starts with the variable, whether that is unknown or its value can't be."""
    [problem] = problems(**{variable: text})

    assert problem.startswith(f"{variable}: ")


def test_a_choice_is_answered_with_what_there_is(tmp_path):
    """In both places, and where nothing at all is a choice as well."""
    said = problems(
        "profile = 'prod'\ndefault_backend = 'sap'", tmp_path, GATEWAY_FLOW_RETAIL_FIRST_PAGE="2"
    )

    assert [problem.rsplit(": ", 1)[1] for problem in said] == [
        'It must be one of "development", "production", not `"prod"`.',
        'It must be one of "flow_retail", "commercetools", not `"sap"`.',
        "It must be one of 0, 1, not `2`.",
    ]


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("PORT", "eighty", "a whole number from 0 to 65535, not `eighty`"),
        ("PORT", "80.5", "a whole number from 0 to 65535, not `80.5`"),
        ("PORT", "", "a whole number from 0 to 65535, not ``"),
        ("PORT", "80\n90", r"a whole number from 0 to 65535, not `80\n90`"),
        ("MAX_DEPTH", "0", "a whole number from 1 to 1000000, not `0`"),
        ("DEADLINE", "10s", "a number above 0 and up to 3600, not `10s`"),
        ("STRANGER_SHARE", "10%", "a number above 0 and up to 1, not `10%`"),
        ("RELAY_NODE", "yes", "true or false, not `yes`"),
        ("GRAPHIQL", "on", "true or false, not `on`"),
        ("PROFILE", "prod", 'one of "development", "production", not `prod`'),
        ("DEFAULT_TENANT", "a/b", "1 to 128 of A-Z, a-z, 0-9, _ and -"),
        ("HOST", " ", "a text that is not empty"),
        ("CORS_HEADERS", "X-A, X B", "a list, and each of it the name of a header"),
        (
            "FLOW_RETAIL_BEARER_HEADER",
            "Bearer s3cret",
            "Authorization, or a header whose name ends in -Authorization or -Token",
        ),
    ],
)
def test_a_mistake_in_a_variable_says_what_is_wanted(variable, text, said):
    """In words, for each type of setting. A text is not repeated, because it may be a secret."""
    assert problems(**{f"GATEWAY_{variable}": text}) == [f"GATEWAY_{variable}: It must be {said}."]


def test_a_mistake_in_the_file_says_what_is_wanted(tmp_path):
    """With the value as TOML has it; not with a table, which may hold anything."""
    said = problems(
        "port = '80'\nrelay_node = 1\nhost = 5\ncors_origins = 5\ndeadline = {token = 's3cret'}"
        "\nflow_retail.group_sorts = 3",
        tmp_path,
    )

    assert [problem.split("It must be ")[1] for problem in said] == [
        'a whole number from 0 to 65535, not `"80"`.',
        "true or false, not `1`.",
        "a text that is not empty.",
        "a list, and each of it a text that is not empty.",
        "a number above 0 and up to 3600.",
        "a table.",
    ]


def test_capitals_and_blanks_make_no_difference(tmp_path):
    """Choices are compared in lower case; the ends of texts, and of those in lists, are stripped.
    Files of secrets end in a new line.
    """
    written = """
        profile = "Development "
        cors_origins = [" https://a.example "]
        [tenants]
        oslo = {backend = " Flow_Retail", group_sorts = {NAME = " name "}}
    """
    config = tmp_path / "gateway.toml"
    settings = read(
        written,
        tmp_path,
        GATEWAY_CONFIG=f" {config}\n",
        GATEWAY_LOG_LEVEL=" DEBUG",
        GATEWAY_PORT=" 80\t",
        GATEWAY_RELAY_NODE="False ",
        GATEWAY_DEFAULT_TENANT=" ",
        GATEWAY_FLOW_RETAIL_URL="https://api.example/v2\n",
    )

    oslo = FlowRetailSettings(url="https://api.example/v2", group_sorts={"NAME": "name"})
    assert settings == Settings(
        profile="development",
        log_level="debug",
        port=80,
        relay_node=False,
        cors_origins=("https://a.example",),
        flow_retail=FlowRetailSettings(url="https://api.example/v2"),
        tenants={"oslo": TenantSettings(upstream=oslo)},
    )


def test_kubernetes_service_links_are_ignored_with_one_warning(caplog):
    """Of a Service named `gateway`, and of others whose names begin so."""
    links = {
        f"GATEWAY_{name}": value
        for service in ("", "REDIS_", "FLOW_RETAIL_")
        for name, value in {
            f"{service}SERVICE_HOST": "10.0.0.1",
            f"{service}SERVICE_PORT": "80",
            f"{service}SERVICE_PORT_HTTP_ADMIN": "80",
            f"{service}PORT": "tcp://10.0.0.1:80",
            f"{service}PORT_80_TCP": "tcp://10.0.0.1:80",
            f"{service}PORT_53_UDP": "udp://10.0.0.1:53",
            f"{service}PORT_80_TCP_PROTO": "tcp",
            f"{service}PORT_80_TCP_PORT": "80",
            f"{service}PORT_80_TCP_ADDR": "10.0.0.1",
        }.items()
    }

    assert read(**links) == Settings()
    [warning] = caplog.messages
    assert warning.split(": ")[-1].split(", ") == list(links)


@pytest.mark.parametrize("variable", ["SERVICE", "PORT_80", "PORT_HTTP_TCP", "REDIS_PORT", "PORTS"])
def test_what_kubernetes_does_not_set_is_a_mistake(variable):
    """Else a misspelt setting would be ignored."""
    assert len(problems(**{f"GATEWAY_{variable}": "80"})) == 1


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(tmp_path):
    """In both places."""
    [in_file, in_variable] = problems("prot = 1", tmp_path, GATEWAY_FLOWRETAIL_URL="http://x")

    assert in_file.endswith("did you mean port?")
    assert in_variable.endswith("did you mean GATEWAY_FLOW_RETAIL_URL?")


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://shop.example",
        "http://localhost:3000",
        "http://127.0.0.1:5173",
        "http://[::1]:3000",
        "https://shop.example:80",
        "https://xn--bcher-kva.example",
        "http://my_box:8080",
        "http://web1:3000",
        "https://shop.k8s2",
        "capacitor://localhost",
        "chrome-extension://aapocclcgogkmnckokdopfmhonfmgoek",
    ],
)
def test_an_origin_is_what_browsers_send(origin):
    """Of web pages, of apps, and of what a developer serves."""
    assert read(GATEWAY_CORS_ORIGINS=origin).cors_origins == (origin,)


@pytest.mark.parametrize(
    ("origin", "written"),
    [
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:0080", "http://shop.example"),
        ("https://shop.example/", "https://shop.example"),
        ("https://shop.example/basket?now#top", "https://shop.example"),
        ("https://user:s3cret@shop.example", "https://shop.example"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
        ("Capacitor://LocalHost", "capacitor://localhost"),
    ],
)
def test_an_origin_that_no_browser_sends_is_answered_with_the_one_it_does(origin, written):
    """It would never match, and nothing would say why."""
    said = problems(GATEWAY_CORS_ORIGINS=f"https://a.example,{origin}")

    assert said == [f'GATEWAY_CORS_ORIGINS: Browsers write this origin "{written}".']


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        ("null", 'Any page can have the origin "null"'),
        *[
            (origin, "It is not an origin, such as ")
            for origin in (
                "shop.example",
                "localhost:3000",
                "//shop.example",
                "https://",
                "https://*.shop.example",
                "https://b\u00fccher.example",
                "http://127.1",
                "http://127.0.0.1.",
                "http://shop.0x1f",
                "//127.0.0.1",
                "http://[::1",
                "http://[zz]",
                "http://localhost:99999",
                "file:///basket.html",
            )
        ],
    ],
)
def test_what_is_no_origin(origin, why):
    """Nor is what any page can have: a frame without one of its own is enough."""
    [said] = problems(GATEWAY_CORS_ORIGINS=origin)

    assert said.startswith(f"GATEWAY_CORS_ORIGINS: {why}")


def test_all_mistakes_are_said_at_once(tmp_path):
    """One line each: nobody mends a deployment mistake by mistake."""
    said = problems(
        "prot = 1\n[flow_retail]\nurl = 'x'\nfirst_page = 3",
        tmp_path,
        GATEWAY_PROFILE="prod",
        GATEWAY_NOPE="1",
    )

    assert [problem.split(": ")[0] for problem in said] == [
        "gateway.toml, line 1",
        "gateway.toml, line 3",
        "gateway.toml, line 4",
        "GATEWAY_PROFILE",
        "GATEWAY_NOPE",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://user:s3cret@api.example/v2",
        "https://s3cret@api.example/v2",
        "https://@s3cret/",
        "https://api.example/v2?key=s3cret",
        "https://api.example/s3cret?",
        "https://api.example/s3cret#",
        "https://s3cret.example/ v2",
        "https://s3cret\n.example/v2",
        "https://s3cret.exa\tmple/v2",
        "https://s3cret\\x/v2",
        "https://[s3cret/v2",
        "https://s3cret:99999/v2",
        "https:///s3cret",
        "ftp://s3cret",
        "s3cret",
        "http://s3cret:0/",
        "http://s3cret:00/v2",
        "http://[v1.s3cret]/",
        "http://[s3cret]/",
        "http://xn--/s3cret",
        "http://xn--a/s3cret",
        "http://999.1.1.1/s3cret",
        "http://s3cret..example/",
        "http://.s3cret/",
        "http://s3cret%00/",
        "http://s3cret,b/",
        "http://s3cret" + "a" * 60 + ".example/",
        "http://host/s3cret" + "a" * 70_000,
    ],
    ids=lambda url: url[:40],
)
def test_a_base_url_is_a_base_and_nothing_more(url):
    """What templates are joined to can't have a query, a user or blanks; and what is refused may
    hold a secret, so it is not repeated.
    """
    [problem] = problems(GATEWAY_FLOW_RETAIL_URL=url)

    assert problem.startswith("GATEWAY_FLOW_RETAIL_URL: ")
    assert "s3cret" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8081/v2",
        "https://[::1]:80/",
        "https://[::ffff:10.0.0.1]/",
        "HTTPS://A",
        "http://a/b%20c/",
        "http://flow_retail:8081/v2",  # as Docker names its services
        "http://10.0.0.1/v2",
        "http://xn--bcher-kva.example./",
    ],
)
def test_an_ordinary_base_url_is_taken(url):
    """With a port, an address, a name that is not of the web, or a path of its own."""
    assert read(GATEWAY_FLOW_RETAIL_URL=url).flow_retail.url == url


@pytest.mark.parametrize(
    "text",
    [
        "[flow_retail]\nurl = 'http://xn--a/'",
        "[tenants]\na = {backend = 'flow_retail', url = 'http://h:0'}",
    ],
)
def test_a_url_that_no_call_could_be_sent_to_is_said_with_its_place(tmp_path, text):
    """Of a backend and of a tenant, when the settings are read: not when the gateway starts."""
    [problem] = problems(text, tmp_path)

    assert problem.startswith("gateway.toml, line 2: ")
    assert ".url: " in problem


def test_a_file_that_is_not_there_is_said(tmp_path):
    """Only where it was named; ./gateway.toml need not exist."""
    missing = tmp_path / "missing.toml"

    [problem] = problems(GATEWAY_CONFIG=str(missing))

    assert problem == (
        f"GATEWAY_CONFIG names {missing}, which can't be read: No such file or directory."
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"port = \xff", "it is not UTF-8"),
        (b"port", "it is not TOML"),
        (b"a=1\na=2", "not TOML"),
        (b"port = " + b"9" * 5000, "gateway.toml: a number in it is too long."),
        (b"a = " + b"[" * 2000 + b"]" * 2000, "gateway.toml: it nests too deeply."),
        (b"a = " + b"{a=" * 2000 + b"1" + b"}" * 2000, "gateway.toml: it nests too deeply."),
    ],
    ids=["not UTF-8", "no value", "twice", "a long number", "deep lists", "deep tables"],
)
def test_a_file_that_can_not_be_read_is_said(tmp_path, content, said):
    """Without a traceback."""
    (tmp_path / "gateway.toml").write_bytes(content)

    [problem] = problems(None, tmp_path)

    assert "gateway.toml" in problem
    assert said in problem


@pytest.mark.parametrize(
    ("names", "fields"),
    [(GroupSort, CustomerGroupSortField), (CustomerSort, CustomerSortField)],
)
def test_the_sort_fields_of_the_settings_are_the_ports(names, fields):
    """They are written down twice, as settings import nothing of ours."""
    meta = get_args(names)[1]

    assert meta.pattern == "^(" + "|".join(field.value for field in fields) + r")\Z"
