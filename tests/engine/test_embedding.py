from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from mullama.engine.embedding import EmbedEngine
from mullama.errors import ContextLengthExceeded, InternalError, Overloaded
from mullama.types import Token


class FakeEmbedder:
    """An input's vector is its tokens, as bytes. Inputs with token 66 fail."""

    n_embd = 4
    n_ctx = 10
    n_batch = 20
    n_lanes = 3

    def __init__(self) -> None:
        self.calls: list[list[int]] = []  # lengths

    def embed(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        self.calls.append([len(tokens) for tokens in inputs])
        if any(66 in tokens for tokens in inputs):
            raise InternalError("failed")
        return [bytes(tokens) for tokens in inputs]


def result(future: Future[list[bytes]]) -> list[bytes]:
    return future.result(timeout=20)


def test_vectors_come_in_the_order_of_the_inputs() -> None:
    engine = EmbedEngine(FakeEmbedder())
    future = engine.submit([[1], [2, 2, 2], [3, 3]])
    assert engine.step()
    assert result(future) == [b"\1", b"\2\2\2", b"\3\3"]


def test_inputs_of_several_requests_share_calls_packed_by_length() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    first, second = engine.submit([[1] * 9, [1]]), engine.submit([[2] * 8, [2], [2]])
    engine.step()
    assert embedder.calls == [[9, 8, 1], [1, 1]]
    assert (len(result(first)), len(result(second))) == (2, 3)


def test_no_call_exceeds_the_embedders_limits() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    future = engine.submit([[1] * (1 + i % 10) for i in range(100)])
    engine.step()
    assert len(result(future)) == 100
    assert all(len(call) <= 3 and sum(call) <= 20 for call in embedder.calls)


def test_a_too_long_input_is_refused_by_number() -> None:
    with pytest.raises(ContextLengthExceeded, match=r"Input 1 has 11 tokens.*10"):
        EmbedEngine(FakeEmbedder()).submit([[1], [1] * 11])


def test_one_requests_trouble_never_touches_another() -> None:
    engine = EmbedEngine(FakeEmbedder())
    good, bad = engine.submit([[1], [2]]), engine.submit([[66]])
    engine.step()
    assert result(good) == [b"\1", b"\2"]
    with pytest.raises(InternalError):
        result(bad)


def test_a_cancelled_request_is_not_computed() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    engine.submit([[1]]).cancel()
    future = engine.submit([[2]])
    engine.step()
    assert embedder.calls == [[1]]
    assert result(future) == [b"\2"]


def test_no_inputs_are_no_vectors() -> None:
    assert result(EmbedEngine(FakeEmbedder()).submit([])) == []


def test_a_full_queue_refuses() -> None:
    engine = EmbedEngine(FakeEmbedder(), queue_size=2)
    engine.submit([[1], [1]])
    with pytest.raises(Overloaded):
        engine.submit([[1]])


def test_closing_fails_what_waits_and_refuses_what_comes() -> None:
    engine = EmbedEngine(FakeEmbedder())
    future = engine.submit([[1]])
    engine.close()
    thread = threading.Thread(target=engine.run)
    thread.start()
    thread.join(20)
    with pytest.raises(Overloaded):
        result(future)
    with pytest.raises(Overloaded):
        engine.submit([[1]])
