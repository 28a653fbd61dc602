"""Other programs that tests of whole processes need."""

from __future__ import annotations

import shutil

import pytest


def program(name: str, package: str | None = None) -> str:
    """Its path; without it the test fails, and says what to install."""
    path = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        pytest.fail(f"{name} is not installed: apt-get install {package or name}")
    return path
