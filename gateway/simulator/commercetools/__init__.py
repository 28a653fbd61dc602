"""commercetools' customer groups and the customers in them, simulated over SQLite."""
