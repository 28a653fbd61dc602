"""How an operation becomes REST calls: read, chosen, rehearsed, executed."""
