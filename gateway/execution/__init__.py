"""How an operation becomes REST calls: read, chosen, estimated, executed."""
