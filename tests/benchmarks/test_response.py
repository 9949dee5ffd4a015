"""Bytes become lines, however they are cut, and a response that is cut off is noticed."""

from __future__ import annotations

import pytest

from benchmarks.response import BadResponse, Response

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
    b"7\r\ndata: a\r\n2\r\n\n\n\r\na;ext=1\r\ndata: b\r\n\n\r\n6\r\n: ping\r\n0\r\n\r\n"
)
CHUNKED_LINES = [b"data: a", b"", b"data: b", b"", b": ping"]
PLAIN = b'HTTP/1.1 404 Not Found\r\ncontent-length: 13\r\n\r\n{"a":\n"b"}\r\nc'
PLAIN_LINES = [b'{"a":', b'"b"}', b"c"]


def read(*pieces: bytes) -> tuple[int, list[bytes]]:
    response = Response()
    lines = [line for piece in pieces for line in response.feed(piece)]
    return response.status, lines + response.finish()


@pytest.mark.parametrize(
    ("raw", "status", "lines"), [(CHUNKED, 200, CHUNKED_LINES), (PLAIN, 404, PLAIN_LINES)]
)
def test_lines_do_not_depend_on_where_the_bytes_are_cut(
    raw: bytes, status: int, lines: list[bytes]
) -> None:
    assert read(raw) == (status, lines)
    assert read(*(raw[i : i + 1] for i in range(len(raw)))) == (status, lines)
    for cut in range(len(raw)):
        assert read(raw[:cut], raw[cut:]) == (status, lines)


@pytest.mark.parametrize("raw", [CHUNKED, PLAIN])
def test_a_response_that_is_cut_off_anywhere_is_noticed(raw: bytes) -> None:
    for end in range(len(raw)):
        with pytest.raises(BadResponse):
            read(raw[:end])


def test_without_a_length_the_body_ends_with_the_connection() -> None:
    assert read(b"HTTP/1.1 200 OK\r\n\r\none\ntwo") == (200, [b"one", b"two"])


def test_a_line_comes_with_the_piece_that_completes_it() -> None:
    response = Response()
    response.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    assert response.feed(b"da") == []
    assert response.feed(b"ta\nmo") == [b"data"]
    assert response.feed(b"re\n") == [b"more"]


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_response_is_refused(raw: bytes) -> None:
    with pytest.raises(BadResponse):
        read(raw)
