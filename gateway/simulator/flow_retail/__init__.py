"""Flow Retail's customer-group API v2, simulated over SQLite."""
