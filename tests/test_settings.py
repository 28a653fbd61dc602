"""What an operator can set, where, and what is said of mistakes."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from gateway.backends.port import CustomerGroupSortField, CustomerSortField
from gateway.settings import (
    CustomerSort,
    FlowRetail,
    GroupSort,
    Settings,
    SettingsError,
    read_settings,
)

SAMPLES: Mapping[str, tuple[str, object]] = {
    "profile": ("development", "development"),
    "host": ("0.0.0.0", "0.0.0.0"),  # noqa: S104  # nothing listens
    "port": ("9000", 9000),
    "log_level": ("debug", "debug"),
    "default_tenant": ("acme", "acme"),
    "default_backend": ("", None),
    "deadline": ("2.5", 2.5),
    "default_page_size": ("5", 5),
    "max_page_size": ("50", 50),
    "max_membership_uids": ("7", 7),
    "max_request_body": ("1000", 1000),
    "relay_node": ("false", False),
    "flow_retail.url": ("https://api.example/v2", "https://api.example/v2"),
    "flow_retail.timeout": ("0.5", 0.5),
    "flow_retail.concurrency": ("3", 3),
    "flow_retail.retries": ("0", 0),
    "flow_retail.max_retry_after": ("1", 1.0),
    "flow_retail.max_body": ("10", 10),
    "flow_retail.connect_timeout": ("0.5", 0.5),
    "flow_retail.past_the_end": ("not_found", "not_found"),
    "flow_retail.first_page": ("0", 0),
    "flow_retail.max_page_size": ("50", 50),
    "flow_retail.mirrored_sorts": ("true", True),
    "flow_retail.membership_chunk": ("5", 5),
    "flow_retail.membership_atomic": ("true", True),
    "flow_retail.membership_conflict_is_unchanged": ("false", False),
    "flow_retail.membership_isolation": ("0", 0),
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


@pytest.mark.parametrize("name", SAMPLES)
def test_each_setting_has_a_variable(name):
    """GATEWAY_ and the name in capitals, the table's ahead of it."""
    text, value = SAMPLES[name]

    settings = read(**{f"GATEWAY_{name.replace('.', '_').upper()}": text})

    assert value_of(settings, name) == value
    assert settings != Settings()


@pytest.mark.parametrize("name", SAMPLES)
def test_each_setting_can_stand_in_the_file(name, tmp_path):
    """The file takes TOML's own types."""
    text, value = SAMPLES[name]
    written = f'"{text}"' if isinstance(value, str | None) else text

    settings = read(f"{name} = {written}", tmp_path)

    assert value_of(settings, name) == value


def test_the_samples_are_all_settings():
    """A new setting is tried in both places, or is a mapping, which only a file can hold."""
    mappings = {"tenants", "flow_retail.group_sorts", "flow_retail.customer_sorts"}
    tables = {"flow_retail", "commercetools"}
    names = {field.name for field in dataclasses.fields(Settings)} - tables
    names |= {f"flow_retail.{field.name}" for field in dataclasses.fields(FlowRetail)}

    assert names == set(SAMPLES) | mappings


def test_the_names_that_others_rely_on_stay():
    """Deployments, the image and the README name these variables."""
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
        flow_retail=FlowRetail(url="http://x/v2"),
        default_tenant="t",
        deadline=1.0,
        profile="development",
        log_level="error",
    )


def test_the_readme_shows_settings_that_are_there(tmp_path):
    """Its example is a file that can be used as it is."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    example = readme.partition("```toml\n")[2].partition("```")[0]

    settings = read(example, tmp_path)

    assert "flow_retail" in tomllib.loads(example)
    assert settings != Settings()


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
    settings = read(
        'tenants = {acme = "flow_retail"}\n[flow_retail.group_sorts]\nNAME = "groupName"', tmp_path
    )

    assert settings.tenants == {"acme": "flow_retail"}
    assert settings.flow_retail.group_sorts == {"NAME": "groupName"}
    assert settings.flow_retail.customer_sorts == FlowRetail().customer_sorts


def test_settings_can_not_be_changed(tmp_path):
    """Neither the values nor what is in the mappings of a file."""
    settings = read('[tenants]\nacme = "flow_retail"', tmp_path)

    with pytest.raises(TypeError):
        settings.tenants["other"] = "flow_retail"
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1


def test_what_can_be_left_out_can_be_left_empty(tmp_path):
    """A variable that is set to nothing takes back what the file says."""
    settings = read('default_tenant = "acme"', tmp_path, GATEWAY_DEFAULT_TENANT="")

    assert settings.default_tenant is None


def test_other_programs_variables_are_let_be():
    """Only names that begin with GATEWAY_ are ours."""
    assert read(PATH="/bin", GATEWAYS="3", gateway_port="x") == Settings()


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
        ('default_tenant = "acme\\n"', 1, "default_tenant"),
        ("host = ''", 1, "host"),
        ("\n[flow_retail]\nurl = 'ftp://x'", 3, "flow_retail.url"),
        ("tenants = 5", 1, "tenants"),
        ("[tenants]\n'a b' = 'flow_retail'", 2, "tenants.a b"),
        ("[tenants]\nok = 'flow_retail'\n'a/b' = 'flow_retail'", 3, "tenants.a/b"),
        ("[tenants]\nacme = 'flowretail'", 2, "tenants.acme"),
        ("[tenants]\nacme = 5", 2, "tenants.acme"),
        ("[flow_retail]\ngroup_sorts = 3", 2, "flow_retail.group_sorts"),
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
        ("GATEWAY_PORT", " 80"),
        ("GATEWAY_PORT", ""),
        ("GATEWAY_PORT", "tcp://10.0.0.1:80"),
        ("GATEWAY_HOST", ""),
        ("GATEWAY_PROFILE", "prod"),
        ("GATEWAY_LOG_LEVEL", "INFO"),
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
        ("GATEWAY_", "x"),
    ],
)
def test_a_mistake_in_a_variable_is_said_with_its_name(variable, text):
    """It starts with the variable, whether that is unknown or its value can't be."""
    [problem] = problems(**{variable: text})

    assert problem.startswith(f"{variable}: ")


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(tmp_path):
    """In both places."""
    [in_file, in_variable] = problems("prot = 1", tmp_path, GATEWAY_FLOWRETAIL_URL="http://x")

    assert in_file.endswith("did you mean port?")
    assert in_variable.endswith("did you mean GATEWAY_FLOW_RETAIL_URL?")


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
        "https://s3cret.example/v2 ",
        " https://s3cret.example/v2",
        "https://s3cret\n.example/v2",
        "https://s3cret.exa\tmple/v2",
        "https://s3cret\\x/v2",
        "https://[s3cret/v2",
        "https://s3cret:99999/v2",
        "https:///s3cret",
        "ftp://s3cret",
        "s3cret",
    ],
)
def test_a_base_url_is_a_base_and_nothing_more(url):
    """What templates are joined to can't have a query, a user or blanks; and what is refused may
    hold a secret, so it is not repeated.
    """
    [problem] = problems(GATEWAY_FLOW_RETAIL_URL=url)

    assert problem.startswith("GATEWAY_FLOW_RETAIL_URL: ")
    assert "s3cret" not in problem


@pytest.mark.parametrize(
    "url", ["http://localhost:8081/v2", "https://[::1]:80/", "HTTPS://A", "http://a/b%20c/"]
)
def test_an_ordinary_base_url_is_taken(url):
    """With a port, an IPv6 address, or a path of its own."""
    assert read(GATEWAY_FLOW_RETAIL_URL=url).flow_retail.url == url


def test_a_file_that_is_not_there_is_said(tmp_path):
    """Only where it was named; ./gateway.toml need not exist."""
    missing = tmp_path / "missing.toml"

    [problem] = problems(GATEWAY_CONFIG=str(missing))

    assert problem == (
        f"GATEWAY_CONFIG names {missing}, which can't be read: No such file or directory."
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"port = \xff", "it is not UTF-8"), (b"port", "it is not TOML"), (b"a=1\na=2", "not TOML")],
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
