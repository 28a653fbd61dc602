"""Why a request is not answered with 2xx."""

from collections.abc import Mapping


class Refusal(Exception):
    """An error status. The message says nothing of what the request had in it."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers
