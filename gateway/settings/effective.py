"""What settings come to: whether they can be used together, and what the profile decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from gateway.settings import FlowRetailSettings, Settings, SettingsError


def require_sound(settings: Settings) -> None:
    """Raise SettingsError for settings that can't be used together."""
    if settings.default_upstream is None and not settings.tenants:
        raise SettingsError(
            "There is no backend to ask: set flow_retail.url (GATEWAY_FLOW_RETAIL_URL), "
            "or the url of default_backend, or list tenants in gateway.toml."
            if settings.default_backend
            else "There is no backend to ask: default_backend is none, and no tenants are listed."
        )
    if settings.cors_credentials and "*" in settings.cors_origins:
        raise SettingsError(
            'cors_credentials: it can\'t be on for "*": list the origins in cors_origins.'
        )
    tenant = settings.default_tenant
    if (
        tenant is not None
        and tenant not in settings.tenants
        and (settings.default_upstream is None or tenant in settings.hidden_projects)
    ):
        raise SettingsError(
            f"default_tenant: no backend holds {tenant}: list it in [tenants], or name another."
        )


def decided(settings: Settings) -> Settings:
    """The settings, with values for what they leave to the profile, and a default page that is not
    larger than the largest one.
    """
    development = settings.profile == "development"
    values: dict[str, Any] = {
        name: development
        for name in ("explain", "get_queries", "graphiql", "introspection")
        if getattr(settings, name) is None
    }
    settings = dataclasses.replace(settings, **values)
    sdl = settings.introspection if settings.federation_sdl is None else settings.federation_sdl
    default_page_size = min(settings.default_page_size, settings.max_page_size)
    return dataclasses.replace(settings, default_page_size=default_page_size, federation_sdl=sdl)


def warnings(settings: Settings) -> Iterator[str]:
    """What is probably a mistake, and does not stop the start."""
    yield from _shared_tokens(settings)
    yield from _urls_without_version(settings)
    yield from unknown_callers(settings)


def unknown_callers(settings: Settings) -> Iterator[str]:
    """Whether replicas that count a caller's calls together can't know that it is the same."""
    by_caller = settings.rate_limit and settings.rate_limit_by == "caller"
    if by_caller and settings.redis.url and settings.fingerprint_key is None:
        yield (
            "Replicas can't count a caller's REST calls together, in spite of Redis: "
            "give all the same fingerprint_key."
        )


def _shared_tokens(settings: Settings) -> Iterator[str]:
    """Whether both vendors get the same token: each could use it at the other."""
    kinds: dict[str, set[str]] = {}
    for upstream in settings.upstreams:
        kinds.setdefault(upstream.bearer_header.lower(), set()).add(type(upstream).__name__)
    for header, sharing in kinds.items():
        if len(sharing) > 1:
            yield (
                f"Both vendors are sent the token of the header {header}: "
                "name another one in flow_retail.bearer_header or commercetools.bearer_header."
            )


def _urls_without_version(settings: Settings) -> Iterator[str]:
    """Whether a URL of Flow Retail has no version: it would answer each REST call with 404."""
    listed = {f"tenants.{uid}": tenant.upstream for uid, tenant in settings.tenants.items()}
    places: dict[str, str] = {}
    for name, upstream in ({"flow_retail": settings.flow_retail} | listed).items():
        if isinstance(upstream, FlowRetailSettings) and upstream.url:
            places.setdefault(upstream.url.rstrip("/"), f"{name}.url")
    if without := [
        place for url, place in places.items() if not urlsplit(url).path.endswith("/v2")
    ]:
        yield f"A URL of Flow Retail ends in /v2, unlike {' and '.join(without)}."
