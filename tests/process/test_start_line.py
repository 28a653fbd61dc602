"""The line of the start: what an operator learns from it, and what it keeps to itself."""

from __future__ import annotations

from gateway import VERSION
from gateway.process.start_line import start_line
from gateway.settings import CommercetoolsSettings, FlowRetailSettings, Settings, TenantSettings

FLOW = FlowRetailSettings(url="https://flow.example/v2")


def test_a_start_without_further_settings_is_a_short_line():
    """No limit differs."""
    assert start_line(Settings(flow_retail=FLOW, port=9)) == (
        f"started version={VERSION} profile=production backends=flow_retail tenants=none "
        "default_tenant=none default_backend=flow_retail trusted_mode=off manifests=none"
    )


def test_the_line_has_backends_tenants_manifests_and_limits_that_differ():
    """Those of a backend with the name of its table."""
    vienna = CommercetoolsSettings(url="https://ct.example", concurrency=3)
    chosen = Settings(
        profile="development",
        default_tenant="oslo",
        default_backend=None,
        trusted_mode="log",
        trusted_documents=("/etc/gateway/web.json", "app.json"),
        max_depth=5,
        deadline=2.5,
        flow_retail=FLOW,
        commercetools=vienna,
        tenants={
            "oslo": TenantSettings(upstream=FLOW),
            "wien": TenantSettings(upstream=vienna),
        },
    )

    assert start_line(chosen) == (
        f"started version={VERSION} profile=development backends='flow_retail, commercetools' "
        "tenants='oslo, wien' default_tenant=oslo default_backend=none trusted_mode=log "
        "manifests='web.json, app.json' max_depth=5 deadline=2.5 commercetools.concurrency=3"
    )


def test_of_many_tenants_twenty_are_named():
    """And the others counted."""
    tenants = {f"t{number}": TenantSettings(upstream=FLOW) for number in range(22)}

    assert "t18, t19, and 2 more' default" in start_line(Settings(tenants=tenants))


def test_the_line_has_no_secret_and_no_host():
    """Neither the proxy's password nor where an API is."""
    proxy = "http://user:s3cret@proxy.example:3128"
    flow = FlowRetailSettings(url="https://flow.example/v2", proxy=proxy, client_key="s3cret.key")

    line = start_line(Settings(flow_retail=flow, tenants={"a": TenantSettings(upstream=flow)}))

    assert "example" not in line
    assert "s3cret" not in line
