"""What can be listened on, and how many descriptors the process may have."""

from __future__ import annotations

import os
import resource
import socket
import stat
from pathlib import Path

import pytest

from gateway.serving import CannotListen, address, listen
from gateway.serving._sockets import descriptor_limit, raise_descriptor_limit


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_of_ipv6_is_listened_on(host):
    """With and without brackets; its URL has them."""
    with listen(host, 0, remedy="") as listener:
        port = listener.getsockname()[1]
        socket.create_connection(("::1", port)).close()

        assert address(listener) == f"http://[::1]:{port}"


def test_a_unix_socket_is_listened_on_by_whoever_may_enter_its_directory(tmp_path: Path):
    """Its file is gone when nothing listens any more."""
    path = tmp_path / "http.sock"
    with listen(f"unix:{path}", 8080, remedy="") as listener:
        connect(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        named = address(listener)

    assert (mode, named) == (0o666, f"unix:{path}")
    assert not path.exists()


def test_a_unix_socket_that_was_handed_on_leaves_no_file_either(tmp_path: Path):
    """The parent of several workers keeps no descriptor while they stop."""
    path = tmp_path / "http.sock"
    with listen(f"unix:{path}", 0, remedy="") as listener:
        os.close(listener.detach())
        assert path.exists()

    assert not path.exists()


def test_what_a_killed_process_has_left_is_replaced(tmp_path: Path):
    """A file on which nobody listens."""
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))

    with listen(f"unix:{path}", 0, remedy=""):
        connect(path)


def test_nobodys_socket_is_taken_away(tmp_path: Path):
    """Neither at the start nor at the end, where another has taken the place."""
    path = tmp_path / "http.sock"
    first = listen(f"unix:{path}", 0, remedy="")
    with pytest.raises(CannotListen, match=r"^unix:/.* Address already in use\. Choose\.$"):
        listen(f"unix:{path}", 0, remedy="Choose.")
    path.unlink()
    with listen(f"unix:{path}", 0, remedy=""):
        first.close()
        connect(path)


def test_a_file_that_is_no_socket_stays(tmp_path: Path):
    """It may be a mistake in the setting."""
    path = tmp_path / "notes.txt"
    path.write_text("mine")

    with pytest.raises(CannotListen, match="Address already in use"):
        listen(f"unix:{path}", 0, remedy="")

    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no-such/directory/http.sock", "No such file or directory"),
        ("x" * 200, "path too long"),
        ("", "No such file or directory"),
        ("\0", "There is no such address"),
    ],
)
def test_a_path_that_can_not_be_is_said(tmp_path: Path, monkeypatch, path, reason):
    """With the reason, and no traceback."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CannotListen, match=reason):
        listen(f"unix:{path}", 0, remedy="")


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_the_process_has_as_many_descriptors_as_it_may():
    """The soft limit becomes the hard one, which nobody but root can raise."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before // 2, most))
    try:
        raise_descriptor_limit()

        assert descriptor_limit() == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))
