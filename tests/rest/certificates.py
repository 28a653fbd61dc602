"""A certificate authority for the tests of TLS; openssl makes its certificates."""

from __future__ import annotations

import itertools
import shutil
import ssl
import subprocess
from functools import cache, partial
from pathlib import Path

OPENSSL = shutil.which("openssl")
CONFIG = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[issued]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(*words: str | Path) -> None:
    assert OPENSSL is not None
    subprocess.run([OPENSSL, *words], check=True, capture_output=True)  # noqa: S603  # our words


class Authority:
    """Issues certificates; all of its files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = folder / "ca.pem"
        self._numbers = itertools.count(2)
        # Tests need many servers of the same name, and openssl takes its time.
        self._issue_once = cache(partial(self._issue, usage="serverAuth"))
        config = self._config(names="DNS:unused", usage="serverAuth")
        openssl(
            *("req", "-x509", *NEW_KEY, "-config", config, "-extensions", "ca", "-days", "2"),
            *("-subj", "/CN=test authority"),
            *("-keyout", folder / "ca.key", "-out", self.certificate),
        )

    def server(self, names: str, *, days: int = 2) -> ssl.SSLContext:
        """A server's side of TLS for `names`."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._issue_once(names, days=days))
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    def files(self, names: str) -> tuple[Path, Path]:
        """A server's certificate and key, for other programs."""
        return self._issue_once(names, days=2)

    def client(self) -> tuple[Path, Path]:
        """A client's certificate and key."""
        return self._issue("DNS:client.example", usage="clientAuth", days=2)

    def _issue(self, names: str, *, usage: str, days: int) -> tuple[Path, Path]:
        number = str(next(self._numbers))
        certificate = self.folder / f"{number}.pem"
        key, request = certificate.with_suffix(".key"), certificate.with_suffix(".csr")
        config = self._config(names=names, usage=usage)
        openssl(
            *("req", "-new", *NEW_KEY, "-config", config, "-subj", "/CN=test"),
            *("-keyout", key, "-out", request),
        )
        openssl(
            *("x509", "-req", "-in", request, "-days", str(days), "-set_serial", number),
            *("-CA", self.certificate, "-CAkey", self.folder / "ca.key"),
            *("-extfile", config, "-extensions", "issued", "-out", certificate),
        )
        return certificate, key

    def _config(self, *, names: str, usage: str) -> Path:
        path = self.folder / "openssl.cnf"
        path.write_text(CONFIG.format(names=names, usage=usage))
        return path
