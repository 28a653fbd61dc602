"""Which proxy leads to which API: the setting, else the variables that most programs know."""

from __future__ import annotations

import pytest

from gateway.settings import Settings, SettingsError
from gateway.settings.configuration import read_settings

URL = "https://api.example/v2"
PROXY = "http://proxy.example:3128"


def proxy(url: str = URL, **environ: str) -> str | None:
    return read_settings({"GATEWAY_FLOW_RETAIL_URL": url, **environ}).flow_retail.proxy


def test_an_api_has_the_proxy_of_its_setting():
    """Whatever the other variables say: it is for this API alone."""
    assert proxy(GATEWAY_FLOW_RETAIL_PROXY=PROXY, HTTPS_PROXY="http://b", NO_PROXY="*") == PROXY


def test_direct_is_no_proxy():
    """Whatever the other variables say."""
    assert proxy(GATEWAY_FLOW_RETAIL_PROXY="direct", HTTPS_PROXY=PROXY) is None


@pytest.mark.parametrize(
    ("url", "environ", "found"),
    [
        (URL, {"HTTPS_PROXY": PROXY}, PROXY),
        (URL, {"https_proxy": PROXY}, PROXY),
        (URL, {"https_proxy": PROXY, "HTTPS_PROXY": "http://b"}, PROXY),
        (URL, {"https_proxy": "", "HTTPS_PROXY": PROXY}, PROXY),
        (URL, {"ALL_PROXY": PROXY}, PROXY),
        (URL, {"all_proxy": "socks5://b", "HTTPS_PROXY": PROXY}, PROXY),
        (URL, {"HTTPS_PROXY": "proxy.example:3128"}, "proxy.example:3128"),
        (URL, {"HTTP_PROXY": PROXY}, None),
        (URL, {"HTTPS_PROXY": "", "Https_Proxy": PROXY}, None),
        ("http://api.example/v2", {"HTTP_PROXY": PROXY}, PROXY),
        ("http://api.example/v2", {"http_proxy": PROXY}, PROXY),
        ("http://api.example/v2", {"HTTPS_PROXY": PROXY}, None),
        ("http://api.example/v2", {"ALL_PROXY": PROXY}, PROXY),
    ],
)
def test_an_api_has_the_proxy_of_its_scheme(url, environ, found):
    """In either case of the name; the lower one counts first, as for curl."""
    assert proxy(url, **environ) == found


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("*", URL),
        ("api.example", URL),
        ("API.Example", URL),
        ("api.example", "https://API.example./v2"),
        ("example", URL),
        (".example", URL),
        ("*.example", URL),
        ("other, api.example", URL),
        ("other api.example", URL),
        ("api.example:443", URL),
        ("api.example:8443", "https://api.example:8443/v2"),
        ("10.1.2.3", "https://10.1.2.3/"),
        ("10.1.2.3:443", "https://10.1.2.3/"),
        ("10.0.0.0/8", "https://10.1.2.3/"),
        ("10.1.2.9/8", "https://10.1.2.3/"),
        ("fd00::/8", "https://[fd00::1]/"),
        ("[fd00::1]", "https://[fd00:0::1]/"),
        ("[fd00::1]:443", "https://[fd00::1]/"),
        ("", "https://localhost:8081/"),
        ("", "https://127.1.2.3/"),
        ("", "https://[::1]/"),
    ],
)
def test_no_proxy_lists_hosts_that_are_reached_without_one(listed, url):
    """By name, domain, address or network; this machine itself always is."""
    assert proxy(url, HTTPS_PROXY=PROXY, NO_PROXY=listed) is None
    assert proxy(url, ALL_PROXY=PROXY, no_proxy=listed) is None


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("", URL),
        (",", URL),
        (".", URL),
        ("ample", URL),
        ("pi.example", URL),
        ("api.example.org", URL),
        ("api.example:80", URL),
        ("v2", URL),
        ("10.0.0.0/8", "https://11.1.2.3/"),
        ("10.0.0.0/8", URL),
        ("::/0", "https://10.1.2.3/"),
        ("0.1.2.3", "https://10.1.2.3/"),
    ],
)
def test_other_hosts_have_their_proxy(listed, url):
    """A name is not taken for the end of another one."""
    assert proxy(url, HTTPS_PROXY=PROXY, NO_PROXY=listed) == PROXY


def test_each_tenants_url_has_its_own_proxy(tmp_path):
    """NO_PROXY may have one and not the other."""
    (tmp_path / "gateway.toml").write_text(f"""
        [flow_retail]
        url = "{URL}"
        [tenants]
        a = "flow_retail"
        b = {{ backend = "flow_retail", url = "https://erp.internal/v2" }}
        c = {{ backend = "flow_retail", proxy = "http://c.example" }}
        d = {{ backend = "flow_retail", proxy = "direct" }}
    """)

    settings = read_settings({"HTTPS_PROXY": PROXY, "NO_PROXY": "internal"}, directory=tmp_path)

    found = {uid: tenant.upstream.proxy for uid, tenant in settings.tenants.items()}
    assert found == {"a": PROXY, "b": None, "c": "http://c.example", "d": None}


def test_an_api_that_is_not_set_has_no_proxy():
    """So a proxy that can't be used stops nobody who has no use for it."""
    assert read_settings({"HTTPS_PROXY": "socks5://b"}) == Settings()


UNUSABLE = ["socks5://a:s3cret@b:1080", "https://s3cret@b", "b:s3cret"]


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_setting_that_names_a_proxy_of_another_kind_is_refused(url):
    """By its name; the URL, which may hold a password, is not shown."""
    with pytest.raises(SettingsError) as refused:
        proxy(GATEWAY_FLOW_RETAIL_PROXY=url)

    assert str(refused.value).startswith("GATEWAY_FLOW_RETAIL_PROXY: ")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize("url", UNUSABLE)
def test_a_variable_that_names_a_proxy_of_another_kind_is_warned_of(caplog, variable, url):
    """It may be set for other programs. The gateway starts without a proxy, and says so once,
    however many APIs the variable is for.
    """
    found = read_settings(
        {
            "GATEWAY_FLOW_RETAIL_URL": URL,
            "GATEWAY_COMMERCETOOLS_URL": "https://other.example",
            variable: url,
        }
    )

    assert (found.flow_retail.proxy, found.commercetools.proxy) == (None, None)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"{variable}: ")
    assert "s3cret" not in record.getMessage()


def test_no_repr_of_the_settings_has_a_proxys_password():
    """They may end up in a log."""
    settings = read_settings(
        {"GATEWAY_FLOW_RETAIL_URL": URL, "HTTPS_PROXY": "http://ada:s3cret@proxy.example"}
    )

    assert settings.flow_retail.proxy == "http://ada:s3cret@proxy.example"
    assert "s3cret" not in repr(settings)
