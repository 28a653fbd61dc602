"""A transport for the tests of it, closed with each; and an authority for TLS."""

from collections.abc import AsyncIterator

import pytest

from gateway.rest import HttpTransport
from tests.rest.certificates import OPENSSL, Authority
from tests.rest.wire import LONG


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport(connections=4, idle=LONG)
    yield made
    await made.aclose()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if OPENSSL is None:
        pytest.skip("certificates are made with openssl")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that the system trusts, as an operator would make it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    return authority
