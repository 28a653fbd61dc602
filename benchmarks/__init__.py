"""The benchmark: `make bench` installs the peers, checks that all answer alike, and measures."""
