"""The usual environment variables of outbound proxies: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
NO_PROXY, in upper or lower case.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


def proxy_variable(url: str, environ: Mapping[str, str]) -> str | None:
    """The variable that names the proxy for `url`; None if there is none, NO_PROXY lists the host,
    or the host is this machine, because a proxy would connect to itself.

    >>> environ = {"https_proxy": "proxy:3128", "NO_PROXY": "10.0.0.0/8, .internal.example"}
    >>> proxy_variable("https://api.example", environ)
    'https_proxy'
    >>> proxy_variable("https://erp.internal.example", environ)
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or PORTS[parts.scheme]
    exceptions = re.split(r"[\s,]+", _first(environ, "no_proxy")[1].lower())
    if any(_matches(each, host, port) for each in ("localhost", "127.0.0.0/8", "::1", *exceptions)):
        return None
    return _first(environ, f"{parts.scheme}_proxy", "all_proxy")[0]


def _first(environ: Mapping[str, str], *names: str) -> tuple[str | None, str]:
    for name in names:
        for variable in (name, name.upper()):
            if text := environ.get(variable, "").strip():
                return variable, text
    return None, ""


def _matches(exception: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY matches the host: `*`, an address or a network, or a domain with
    its subdomains. All but networks may have a port.
    """
    if exception == "*":
        return True
    try:
        network = ipaddress.ip_network(exception.strip("[]"), strict=False)
    except ValueError:
        name, _, wanted = exception.rpartition(":")
        if name and wanted != str(port):
            return False
        name = (name or exception).strip("[]").removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False
