"""Messages leave in order, and nobody waits for a reader."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from mullama.host import frames
from mullama.host.outbox import Outbox

TIMEOUT = 10


@pytest.fixture
def ends() -> Iterator[tuple[Outbox, socket.socket]]:
    ours, theirs = socket.socketpair()
    outbox = Outbox(ours)
    with ours, theirs:
        theirs.settimeout(TIMEOUT)
        yield outbox, theirs
        theirs.close()  # a writer that still waits finds out
        assert outbox.flush(TIMEOUT)


def line(number: int, size: int = 0) -> frames.Log:
    return frames.Log(number, "logger", "x" * size)


def read(sock: socket.socket, count: int) -> list[frames.FromWorker]:
    splitter = frames.Splitter()
    found: list[frames.FromWorker] = []
    while len(found) < count:
        found += map(frames.decode_from_worker, splitter.feed(sock.recv(1 << 16)))
    return found


def test_a_message_is_there_when_send_returns(ends: tuple[Outbox, socket.socket]) -> None:
    outbox, theirs = ends
    outbox.send(line(1))
    theirs.setblocking(False)
    assert read(theirs, 1) == [line(1)]


def test_sending_never_waits_for_a_reader_and_loses_nothing(
    ends: tuple[Outbox, socket.socket],
) -> None:
    outbox, theirs = ends
    sent = [line(number, 100_000) for number in range(100)]  # 10 MB, far beyond any buffer
    sender = Thread(target=lambda: [outbox.send(message) for message in sent], daemon=True)
    sender.start()
    sender.join(TIMEOUT)
    assert not sender.is_alive()
    assert not outbox.flush(0)
    assert read(theirs, len(sent)) == sent
    assert outbox.flush(TIMEOUT)
    outbox.send(line(7))
    assert read(theirs, 1) == [line(7)]


def test_messages_of_several_threads_stay_whole(ends: tuple[Outbox, socket.socket]) -> None:
    outbox, theirs = ends

    def send(number: int) -> None:
        for i in range(50):
            outbox.send(line(number * 1000 + i, 10_000))

    threads = [Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    found = [m.level for m in read(theirs, 200) if isinstance(m, frames.Log)]
    for thread in threads:
        thread.join()
    for number in range(4):
        mine = [level for level in found if level // 1000 == number]
        assert mine == [number * 1000 + i for i in range(50)]


def test_what_can_not_be_sent_is_refused_whole(ends: tuple[Outbox, socket.socket]) -> None:
    outbox, theirs = ends
    with pytest.raises(frames.FrameError):
        outbox.send(frames.Log(1, "logger", "\ud800"))
    outbox.send(line(2))
    assert read(theirs, 1) == [line(2)]


def test_a_server_that_is_gone_is_no_error(ends: tuple[Outbox, socket.socket]) -> None:
    outbox, theirs = ends
    for _ in range(10):
        outbox.send(line(1, 100_000))
    theirs.close()
    outbox.send(line(2))
    assert outbox.flush(TIMEOUT)
    outbox.send(line(3))
