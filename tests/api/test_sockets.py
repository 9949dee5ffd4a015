"""Listening sockets, and what is said where there can be none."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mullama.api.sockets import bind, is_open, url
from mullama.errors import Conflict, Forbidden, InvalidRequest

NOBODY = 65534


@contextmanager
def bound(host: str, port: int = 0) -> Iterator[list[socket.socket]]:
    sockets = bind(host, port)
    yield sockets
    for sock in sockets:
        sock.close()


def test_a_free_port_is_picked_and_clients_may_connect_at_once() -> None:
    with bound("127.0.0.1") as sockets:
        port = sockets[0].getsockname()[1]
        assert url(sockets) == f"http://127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)]
)
def test_only_loopback_addresses_are_closed_to_others(host: str, expected: bool) -> None:
    with bound(host) as sockets:
        assert is_open(sockets) is expected


def test_all_addresses_of_a_name_share_one_port() -> None:
    with bound("localhost") as sockets:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1


def test_an_address_in_name_only_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers often say that localhost is also ::1, without having IPv6."""
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    nowhere = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [nowhere, here])
    with bound("localhost") as sockets:
        assert [sock.family for sock in sockets] == [socket.AF_INET]


@pytest.mark.parametrize(
    ("host", "seen"), [("0.0.0.0", "http://127.0.0.1:"), ("::", "http://[::1]:")]
)
def test_the_url_is_one_that_a_browser_can_open(host: str, seen: str) -> None:
    with bound(host) as sockets:
        assert url(sockets).startswith(seen)


def test_a_taken_port_is_a_conflict_that_names_the_way_out() -> None:
    with bound("127.0.0.1") as sockets:
        port = sockets[0].getsockname()[1]
        with pytest.raises(Conflict, match=f"^Port {port} of 127.0.0.1 is taken.*--port"):
            bind("127.0.0.1", port)


def test_a_port_can_be_taken_again_right_after_it_was_left() -> None:
    with bound("127.0.0.1") as sockets:
        port = sockets[0].getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        server, _ = socket.socket.accept(sockets[0])
        server.close()  # closes first: this side is the one that waits
        client.close()
    with bound("127.0.0.1", port) as sockets:
        assert sockets[0].getsockname()[1] == port


def test_no_permission_is_said_with_the_way_out() -> None:
    setting = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if setting.exists() and int(setting.read_text()) == 0:
        pytest.skip("this system lets everybody listen on every port")
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(Forbidden, match=r"no permission to listen on port 1 .*1023.*--port"):
            bind("127.0.0.1", 1)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("no.such.host.invalid", "unknown"),
        ("192.0.2.1", "an address of this machine"),
        ("", "unknown"),
    ],
)
def test_a_host_that_is_not_this_machine_s_is_refused(host: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        bind(host, 0)
    assert caught.value.param == "host"
