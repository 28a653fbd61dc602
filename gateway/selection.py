"""What an operation looks at: the fields of records that have to be read for it.

A page of full records costs several times what the few fields cost that are shown of it. So who
knows the whole operation says which they are, and a backend may leave the others at their defaults
in what it reads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway.records import Record, made_of


@dataclass(frozen=True, slots=True)
class Selection:
    """Fields by the record that they are of; made by `looking_at`.

    Two that have the same fields are equal: what is made for one serves the other.
    """

    fields: frozenset[tuple[type[Record], frozenset[str]]]

    @classmethod
    def looking_at(cls, attributes: Mapping[type[Record], Collection[str]]) -> Selection:
        """The fields that these attributes of records show, or are made of.

        A record that is not named is read whole, in whatever it is nested. Names are a record's
        fields or properties; any other raises AttributeError: it would be a field that is never
        read.

        >>> from gateway.records import Customer, CustomerAddress
        >>> seen = {Customer: ["email", "addresses"], CustomerAddress: ["city"]}
        >>> sorted(Selection.looking_at(seen).of(Customer) or ())
        ['addresses', 'email']
        """
        return cls(
            frozenset(
                (record, frozenset(field for name in names for field in made_of(record, name)))
                for record, names in attributes.items()
            )
        )

    def of(self, record: type[Record]) -> frozenset[str] | None:
        """The fields of `record` that are looked at; None for all of them."""
        return next((fields for kind, fields in self.fields if kind is record), None)
