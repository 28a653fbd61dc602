"""Fails on what Grafana's types do not know of the dashboards that are named: a misspelt member."""

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def unknown(written: Any, read: Any, where: str) -> list[str]:
    """Where something that is written was not read."""
    match written, read:
        case dict(), dict():
            members = [(name, value, read.get(name)) for name, value in written.items()]
        case list(), list() if len(written) == len(read):
            members = [(str(n), *both) for n, both in enumerate(zip(written, read, strict=True))]
        case _:
            return [] if written == read else [f"{where}: {written!r}"]
    return [line for name, *both in members for line in unknown(*both, f"{where}.{name}")]


register_default_plugins()
found = []
for path in sys.argv[1:]:
    written = json.loads(Path(path).read_text())
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(written)))
    found += unknown(written, read, path)
sys.exit("\n".join(found) or None)
