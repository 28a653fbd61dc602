"""The settings as `gateway check` prints them: whole, valid, and without secrets."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gateway.settings import FlowRetailSettings, RedisSettings, Settings
from gateway.settings.effective import decided
from gateway.settings.printed import printed
from tests.settings.test_settings import SAMPLES, read

TENANTS = """
[flow_retail]
url = "https://flow.example/v2"
[tenants]
oslo = "flow_retail"
[tenants.wien]
backend = "commercetools"
url = "https://ct.example"
project = "wien-live"
concurrency = 3
"""
SORTS = '[flow_retail.group_sorts]\nNAME = "the \\"name\\"\\u007F"'


def again(settings: Settings, directory: Path, **environ: str) -> Settings:
    """Settings that are printed, and read from that."""
    return read(printed(settings), directory, **environ)


@pytest.mark.parametrize("text", ["", TENANTS, SORTS, 'profile = "development"\nmax_page_size = 5'])
def test_what_is_printed_is_a_file_that_makes_the_same_settings(tmp_path, text):
    """The defaults, what the profile decides, and what differs for tenants."""
    settings = read(text, tmp_path)

    assert again(settings, tmp_path) == decided(settings)


def test_each_setting_is_printed_so(tmp_path):
    """Whatever it is set to; but for the key of fingerprints, which is a secret."""
    secret = "fingerprint_key"  # noqa: S105  # its name
    environ = {
        f"GATEWAY_{name.replace('.', '_').upper()}": text
        for name, (text, _) in SAMPLES.items()
        if name != secret
    }
    settings = read(**environ)

    assert again(settings, tmp_path) == decided(settings)


def test_no_proxy_is_printed_as_one_that_no_variable_changes(tmp_path):
    """A setting that is left out would be what HTTPS_PROXY says."""
    settings = read(TENANTS, tmp_path, NO_PROXY="ct.example", HTTPS_PROXY="proxy:3128")

    found = again(settings, tmp_path, HTTPS_PROXY="other:3128")

    assert found.flow_retail.proxy == "proxy:3128"
    assert found.tenants["wien"].upstream.proxy is None


def test_secrets_are_masked():
    """Whatever is kept out of reprs: users, passwords, keys."""
    proxy = "http://ann:s3cret@proxy.example:3128"
    flow = FlowRetailSettings(url="https://flow.example/v2", proxy=proxy)
    redis = RedisSettings(url="redis://ann:s3cret@redis.example/1")
    settings = Settings(fingerprint_key="s3cret-s3cret-s3cret", flow_retail=flow, redis=redis)
    values = [getattr(settings, field.name) for field in dataclasses.fields(settings)]
    tables = [settings, *filter(dataclasses.is_dataclass, values)]
    fields = [field for table in tables for field in dataclasses.fields(table)]
    hidden = {field.name for field in fields if not field.repr}

    text = printed(settings)

    assert "s3cret" not in text
    assert "ann" not in text
    assert 'proxy = "http://***:***@proxy.example:3128"' in text
    assert 'url = "redis://***:***@redis.example/1"' in text
    assert hidden == {"fingerprint_key", "proxy", "url"}, "and others have to be tried here"


def test_what_is_not_the_default_is_marked():
    """With what the default is, or what has decided it."""
    lines = printed(Settings(profile="development", max_depth=7)).splitlines()

    assert "max_depth = 7  # default: 20" in lines
    assert "max_fields = 1000" in lines
    assert "graphiql = true  # by profile" in lines
    assert "federation_sdl = true  # by introspection" in lines
