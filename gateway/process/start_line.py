"""The line by which a log says what has been started. It has no secret and no host."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway import VERSION
from gateway.settings import BACKENDS, Settings, numbers

NAMED: Final = 20
"""The most tenants that are named."""


def start_line(settings: Settings) -> str:
    """Version, profile, backends, tenants, manifests, and each limit that is not the default."""
    used = {type(upstream) for upstream in settings.upstreams}
    names = list(settings.tenants)
    more = [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
    said = {
        "version": VERSION,
        "profile": settings.profile,
        "backends": [name for name, kind in BACKENDS.items() if kind in used],
        "tenants": names[:NAMED] + more,
        "default_tenant": settings.default_tenant,
        "default_backend": settings.default_upstream and settings.default_backend,
        "trusted_mode": settings.trusted_mode,
        "manifests": [Path(path).name for path in settings.trusted_documents],
        **{name: value for name, value, default in numbers(settings) if value != default},
    }
    return "started " + " ".join(f"{name}={_shown(value)}" for name, value in said.items())


def _shown(value: object) -> str:
    if isinstance(value, list):
        value = ", ".join(value)
    if value in (None, ""):
        return "none"
    return repr(value) if " " in str(value) else str(value)
