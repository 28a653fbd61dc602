"""A plan has an upper bound of REST calls, which is known before any is made."""
