"""Settings as the gateway.toml that makes them, without their secrets."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.settings import BACKENDS, Settings
from gateway.settings.configuration import DIRECT
from gateway.settings.effective import decided

SECRET: Final = "*" * 16
"""What stands for a secret: as long as one has to be."""
USER: Final = re.compile(r"^(\w+://)?.*@")
DECIDED_BY: Final = {"default_page_size": "max_page_size", "federation_sdl": "introspection"}


def printed(settings: Settings) -> str:
    """All of them, with the defaults and with what the profile decides. Read again, it is the same
    but for users, passwords and keys.
    """
    tables: list[list[str]] = []
    top = []
    effective = decided(settings)
    for name, value, default in _fields(effective):
        if name == "tenants":
            tables += [_tenant(uid, effective) for uid in settings.tenants]
        elif dataclasses.is_dataclass(value):
            tables.append([f"[{name}]", *(_line(*each) for each in _fields(value))])
        elif value != getattr(settings, name):
            top.append(f"{pair(name, value)}  # by {DECIDED_BY.get(name, 'profile')}")
        else:
            top.append(_line(name, value, default))
    return "\n\n".join("\n".join(lines) for lines in [top, *tables])


def _tenant(uid: str, settings: Settings) -> list[str]:
    """What differs from the settings of its backend."""
    tenant = settings.tenants[uid]
    backend = next(name for name, kind in BACKENDS.items() if type(tenant.upstream) is kind)
    base = getattr(settings, backend)
    lines = [f"[tenants.{uid}]", pair("backend", backend)]
    if tenant.project is not None:
        lines.append(pair("project", tenant.project))
    for name, value, _ in _fields(tenant.upstream):
        if value != getattr(base, name):
            lines.append(pair(name, value))
    return lines


def _fields(settings: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each with its value and its default."""
    for field in dataclasses.fields(settings):
        made = field.default_factory
        default = field.default if made is dataclasses.MISSING else made()
        yield field.name, getattr(settings, field.name), default


def _line(name: str, value: object, default: object) -> str:
    if value == default:
        return pair(name, value)
    return f"{pair(name, value)}  # default: {_toml(default)}"


def pair(name: str, value: object) -> str:
    """A setting's line of TOML."""
    if name == "proxy" and value is None:
        value = DIRECT  # without it, variables count
    elif name == "fingerprint_key" and value:
        value = SECRET
    elif name in ("url", "proxy") and isinstance(value, str):
        value = masked(value)
    return f"{name} = {_toml(value)}"


def masked(url: str) -> str:
    """
    >>> masked("http://user:secret@proxy:3128"), masked("proxy:3128")
    ('http://***:***@proxy:3128', 'proxy:3128')
    """
    return USER.sub(r"\1***:***@", url)


def _toml(value: object) -> str:
    match value:
        case None:
            return '""'
        case Mapping():
            return f"{{ {', '.join(f'{name} = {_toml(of)}' for name, of in value.items())} }}"
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            # JSON's texts, numbers and words are TOML's too, but for one control character.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
