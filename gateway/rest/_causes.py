"""Why a call failed, in a few words for the log. They never contain a value, a URL or a host, as
messages of TLS errors often do.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import Final

import httpx

from gateway.rest._proxies import ProxyError, ProxyRefused

HOSTNAME_MISMATCH: Final = frozenset({62, 64})
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and its sibling for IP addresses."""
WORDS: Final = re.compile(r"[A-Za-z0-9 _-]{1,80}")
CLOSED: Final = frozenset(
    {"ServerDisconnected", "ConnectionResetError", "BrokenPipeError", "NoneType"}
)


def unconnected(failure: httpx.ConnectError) -> str:
    """Why there was no connection."""
    if isinstance(failure, ProxyError):
        return f"proxy: {_unconnected(failure)}"
    return _unconnected(failure)


def _unconnected(failure: httpx.ConnectError) -> str:
    match failure.__cause__:
        case ProxyRefused(status=status):
            return f"status {status}"
        case socket.gaierror() | UnicodeError():
            return "dns"
        case ssl.SSLError() as tls:
            return tls_reason(tls)
        case TimeoutError():
            return "timeout: connect"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionResetError():
            return "reset"
        case OSError(errno=int(number)) if number in errno.errorcode:
            return f"unreachable: {errno.errorcode[number]}"
        case httpx.ConnectError() as inner:
            return unconnected(inner)
        case httpx.ReadError() as unanswered:
            return lost(unanswered)
        case _:
            return "unreachable"


def tls_reason(failure: ssl.SSLError) -> str:
    """OpenSSL's reason for it, if that names no host."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        if failure.verify_code in HOSTNAME_MISMATCH:
            return "tls: the certificate is for another name"
        reason = failure.verify_message
    else:
        reason = (getattr(failure, "reason", None) or "").replace("_", " ").lower()
    return f"tls: {reason if WORDS.fullmatch(reason) else 'handshake'}"


def lost(failure: httpx.TransportError) -> str:
    """Why an answer was lost. Our transport's message is the name of the exception."""
    said = str(failure)
    if said in CLOSED:
        return "reset"
    if said.startswith("tls: "):
        return said
    return "invalid answer: HTTP" if said.startswith("HttpParser") or "Head" in said else "lost"
