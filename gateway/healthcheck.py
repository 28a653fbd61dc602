"""python -m gateway.healthcheck: ends with 0 if the gateway on this machine is ready.

It looks where GATEWAY_HOST and GATEWAY_PORT say that the gateway listens; the image sets both. It
reads no file and imports none of the gateway, because a container runs it every few seconds.
"""

import http.client
import os
import socket
import sys
from collections.abc import Mapping

TIMEOUT = 2.0


def problem(environ: Mapping[str, str]) -> str | None:
    """Why the gateway of these variables is not ready."""
    host = environ.get("GATEWAY_HOST", "").strip() or "127.0.0.1"
    port = int(environ.get("GATEWAY_PORT", "").strip() or 8080)
    # The addresses that stand for all, 0.0.0.0 and ::, lead to this machine.
    asked = http.client.HTTPConnection(host.strip("[]"), port, timeout=TIMEOUT)
    try:
        if host.startswith("unix:"):
            asked.sock = socket.socket(socket.AF_UNIX)
            asked.sock.settimeout(TIMEOUT)
            asked.sock.connect(host.removeprefix("unix:"))
        asked.request("GET", "/health/ready", headers={"Host": "localhost"})
        status = asked.getresponse().status
    except (OSError, http.client.HTTPException) as failure:
        return f"{host}: {failure!r}"
    finally:
        asked.close()
    return None if status == 200 else f"{host}: status {status}"


if __name__ == "__main__":
    sys.exit(problem(os.environ))
