"""The gateway as a process over upstreams that misbehave, and an oracle that knows what is right.

`make chaos` runs every fault with every operation, `make soak` mixes them for minutes beside
clients that leave, `make restarts` restarts gateways behind proxies, `make figures` measures a
checkout of the gateway under attack and outage, and `make dashboard-picture` draws what Prometheus
sees of gateways under load.
"""
