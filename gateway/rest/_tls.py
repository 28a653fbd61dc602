"""Whom connections trust, and the certificate that they show."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path


def tls_context(
    *,
    ca_file: str | None = None,
    client_certificate: str | None = None,
    client_key: str | None = None,
    on_handshake: Callable[[ssl.SSLObject], None] | None = None,
) -> ssl.SSLContext:
    """TLS that trusts the authorities in `ca_file`, or those of the system (or SSL_CERT_FILE and
    SSL_CERT_DIR), and shows the client certificate to a server that asks for one. `on_handshake`
    is called with what was agreed on for each connection.

    All are PEM files; the key may be in the certificate's. Raises ValueError, whose message begins
    with the name of the argument that is wrong.
    """
    if client_key is not None and client_certificate is None:
        raise ValueError("client_key: there is no client_certificate that it is the key of.")
    named = {
        "ca_file": ca_file,
        "client_certificate": client_certificate,
        "client_key": client_key,
    }
    for name, path in named.items():
        try:
            if path is not None:
                Path(path).read_bytes()  # ssl does not say which of two files it can't read
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or "it is no path"
            raise ValueError(f"{name}: {path!r} can't be read: {reason}.") from None
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise ValueError(f"ca_file: {ca_file!r} has no certificates in PEM format.") from None
    context.set_alpn_protocols(["http/1.1"])
    if client_certificate is not None:
        _show(context, client_certificate, client_key or client_certificate)
    if on_handshake is not None:
        tell = on_handshake

        class Watched(ssl.SSLObject):
            def do_handshake(self) -> None:
                super().do_handshake()
                tell(self)

        context.sslobject_class = Watched
    return context


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    encrypted = False

    def password() -> str:
        # Without this function, OpenSSL would ask for the password at the terminal.
        nonlocal encrypted
        encrypted = True
        return ""

    try:
        context.load_cert_chain(certificate, key, password)
    except ssl.SSLError:
        if encrypted:
            problem = f"client_key: the key in {key!r} is encrypted; store it without a password."
        else:
            problem = (
                f"client_certificate: {certificate!r} and {key!r} are not a certificate and its "
                "private key in PEM format."
            )
        raise ValueError(problem) from None
