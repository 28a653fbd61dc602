"""GraphQL for a Strawberry schema: documents, plans, cost estimates, runs; docs/engine.md."""

from gateway.engine._documents.documents import Refused
from gateway.engine._documents.manifest import ManifestError, read_manifest
from gateway.engine._engine import Engine, Operation
from gateway.engine._limits import DocumentLimits, ResponseLimits
from gateway.engine._plan.fetching import Fetched, Key
from gateway.engine._plan.projecting import LOOKS_AT
from gateway.engine._plan.views import Scalar, Views
from gateway.engine._run.account import Account
from gateway.engine._run.reports import Reports

__all__ = [
    "LOOKS_AT",
    "Account",
    "DocumentLimits",
    "Engine",
    "Fetched",
    "Key",
    "ManifestError",
    "Operation",
    "Refused",
    "Reports",
    "ResponseLimits",
    "Scalar",
    "Views",
    "read_manifest",
]
