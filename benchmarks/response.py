"""An HTTP/1.1 response, from bytes to the lines of its body.

`feed(data)` returns the lines that became complete with it, `finish()` the last one, which may lack
its line break. It does no I/O, keeps no time, and does not know what the lines mean.
"""

from __future__ import annotations


class BadResponse(ValueError):
    """Bytes that are no HTTP response, or not all of one."""


class Response:
    """`status` is 0 until the head is there."""

    def __init__(self) -> None:
        self.status = 0
        self._raw = b""  # received, not yet taken
        self._line = b""  # of the body, its break missing
        self._chunked = False
        self._n_missing: int | None = None  # bytes of the body, where its length was told
        self._ended = False

    def feed(self, data: bytes) -> list[bytes]:
        """Lines that are complete now, without their breaks. Raises BadResponse."""
        self._raw += data
        if not self.status and not self._take_head():
            return []
        body = self._take_chunks() if self._chunked else self._take_all()
        *lines, self._line = (self._line + body).split(b"\n")
        return [line.rstrip(b"\r") for line in lines]

    def finish(self) -> list[bytes]:
        """The connection was closed. Raises BadResponse if that was too early."""
        if not self.status:
            raise BadResponse("the connection was closed before an answer came")
        if (self._chunked and not self._ended) or self._n_missing:
            raise BadResponse("the answer was cut off")
        return [self._line] if self._line else []

    def _take_head(self) -> bool:
        head, found, rest = self._raw.partition(b"\r\n\r\n")
        if not found:
            return False
        first, *fields = head.split(b"\r\n")
        words = first.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise BadResponse(f"this is not HTTP/1.1: {first[:80]!r}")
        for field in fields:
            name, _, value = field.lower().partition(b":")
            if name == b"transfer-encoding" and b"chunked" in value:
                self._chunked = True
            elif name == b"content-length":
                self._n_missing = int(value)
        self.status, self._raw = int(words[1]), rest
        return True

    def _take_all(self) -> bytes:
        body, self._raw = self._raw, b""
        if self._n_missing is not None:
            self._n_missing = max(0, self._n_missing - len(body))
        return body

    def _take_chunks(self) -> bytes:
        """The chunks that are there as a whole: an event counts when its last byte has come."""
        body = []
        while not self._ended:
            head, found, rest = self._raw.partition(b"\r\n")
            size = _chunk_size(head) if found else 0
            if not found or len(rest) < size + 2:
                break
            body.append(rest[:size])
            self._raw = rest[size + 2 :]
            self._ended = size == 0
        return b"".join(body)


def _chunk_size(head: bytes) -> int:
    try:
        return int(head.partition(b";")[0], 16)
    except ValueError:
        raise BadResponse(f"a chunk's size is {head[:20]!r}") from None
