"""GraphQL for a Strawberry schema: documents, plans, cost estimates, runs; docs/engine.md."""

from gateway.engine._documents.documents import Refused
from gateway.engine._engine import Engine, Operation
from gateway.engine._limits import Limits
from gateway.engine._plan.fetching import Fetched, Key, Notice
from gateway.engine._plan.projecting import LOOKS_AT
from gateway.engine._plan.views import Views
from gateway.engine._run.account import Account

__all__ = [
    "LOOKS_AT",
    "Account",
    "Engine",
    "Fetched",
    "Key",
    "Limits",
    "Notice",
    "Operation",
    "Refused",
    "Views",
]
