"""Which records the types of the schema are views of, and how its scalars are shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from gateway import records
from gateway.engine import Scalar, Views
from gateway.records import Projection
from gateway.schema.scalars import rfc3339

VIEWS: Final = Views(
    # A type that is a view of a record has its name.
    records={
        name: record
        for name, record in vars(records).items()
        if isinstance(record, type) and issubclass(record, records.Record)
    },
    scalars={
        "DateTime": Scalar(datetime, rfc3339),
        "Long": Scalar(int, None),
    },
    repaired=(records.Repaired,),
)


def projection(attributes: Mapping[type, Collection[str] | None]) -> Projection:
    """What backends have to read of records, of which an operation looks at these attributes."""
    read: dict[type, Collection[str] | None] = {records.CustomerGroup: (), records.Customer: ()}
    read.update(attributes)
    return Projection.reading({kind: names for kind, names in read.items() if names is not None})
