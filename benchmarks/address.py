"""Where a server listens. Only this machine's own addresses are let through."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit


class BadAddress(ValueError):
    """A URL that is malformed, or leads to another machine."""


@dataclass(frozen=True, slots=True)
class Address:
    """`base` comes before every path; it is empty or begins with a slash."""

    host: str
    port: int
    base: str = ""

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address in `url`. Raises BadAddress unless it is http on a loopback address."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or 80
        except ValueError as error:
            raise BadAddress(f"{url!r} is no URL: {error}.") from error
        if parts.scheme != "http" or not host:
            raise BadAddress(f"{url!r} is no server's address; one is http://127.0.0.1:8080.")
        if not _is_loopback(host):
            raise BadAddress(
                f"{host} is not this machine. Benchmarks send their load to loopback addresses "
                "only: run them where the server runs, with http://127.0.0.1 and its port."
            )
        return cls("127.0.0.1" if host == "localhost" else host, port, parts.path.rstrip("/"))

    @property
    def netloc(self) -> str:
        """Host and port, as a Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"http://{self.netloc}{self.base}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which could be anybody's
        return False
