"""An operation that is not run at all."""

from __future__ import annotations

from collections.abc import Sequence

from graphql import GraphQLError


class Refused(Exception):
    """The operation is not run at all, for these reasons."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors
