"""A GraphQL gateway over the REST APIs that own customer groups."""

from typing import Final

VERSION: Final = "0.1.0"
