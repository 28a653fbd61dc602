"""How many descriptors the process may have."""

from __future__ import annotations

import resource

from gateway.serving._sockets import descriptor_limit, raise_descriptor_limit


def test_the_process_has_as_many_descriptors_as_it_may():
    """The soft limit becomes the hard one, which nobody but root can raise."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before // 2, most))
    try:
        raise_descriptor_limit()

        assert descriptor_limit() == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))
