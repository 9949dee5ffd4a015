"""Listening sockets, and plain words where there can be none."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from mullama.errors import Conflict, Forbidden, InvalidRequest, MullamaError

_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets that are bound to every address of `host`, all on one port, and hold connections.

    Raises Conflict for a port that is taken, Forbidden for one that is not allowed, and
    InvalidRequest for a host that is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise InvalidRequest(
            f"The host {host!r} is unknown ({error.strerror}); 127.0.0.1 is this machine alone, "
            "0.0.0.0 all its addresses.",
            param="host",
        ) from error
    addresses = dict.fromkeys((family, address) for family, _, _, _, address in found)
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for family, address in addresses:
        try:
            sockets.append(_listening(family, (address[0], port, *address[2:])))
        except OSError as error:
            if error.errno in _NOT_HERE:  # localhost may have an IPv6 address in name only
                missing = error
                continue
            for sock in sockets:
                sock.close()
            raise _bind_error(host, port, error) from error
        port = sockets[0].getsockname()[1]  # where a free one was to be picked
    if missing is not None and not sockets:
        raise _bind_error(host, port, missing) from missing
    return sockets


def _listening(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen()
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_error(host: str, port: int, error: OSError) -> MullamaError:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"Port {port} of {host} is taken by another program; choose another with --port, or 0 "
            "for any free one.",
            param="port",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Forbidden(
            f"There is no permission to listen on port {port} of {host}; choose a port above 1023 "
            "with --port.",
            param="port",
        )
    return InvalidRequest(
        f"Can't listen on port {port} of {host}: {error.strerror}. Is that an address of this "
        "machine?",
        param="host",
    )


def url(sockets: Sequence[socket.socket]) -> str:
    """The address that a browser on this machine would open."""
    host, port = sockets[0].getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_open(sockets: Sequence[socket.socket]) -> bool:
    """Whether other machines may reach one of them."""
    return not all(ip_address(sock.getsockname()[0]).is_loopback for sock in sockets)
