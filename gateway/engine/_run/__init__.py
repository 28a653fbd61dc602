"""A plan becomes a response."""
