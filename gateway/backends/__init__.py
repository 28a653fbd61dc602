"""The ways to the REST APIs: one port, and an adapter behind it for each API."""
