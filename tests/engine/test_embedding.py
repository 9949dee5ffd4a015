from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mullama.engine.embedding import EmbedEngine
from mullama.errors import ContextLengthExceeded, InternalError, Overloaded
from mullama.types import Token


class FakeEmbedder:
    """An input's vector is its tokens, as bytes. Inputs with token 66 fail."""

    n_embd = 4
    n_ctx = 10
    n_batch = 20
    n_lanes = 3
    ranks = False

    def __init__(self) -> None:
        self.calls: list[list[int]] = []  # lengths

    def embed(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        self.calls.append([len(tokens) for tokens in inputs])
        if any(66 in tokens for tokens in inputs):
            raise InternalError("failed")
        return [bytes(tokens) for tokens in inputs]


def run(engine: EmbedEngine) -> None:
    while engine.step():
        pass


def result(future: Future[list[bytes]]) -> list[bytes]:
    return future.result(timeout=20)


def test_vectors_come_in_the_order_of_the_inputs() -> None:
    engine = EmbedEngine(FakeEmbedder())
    future = engine.submit([[1], [2, 2, 2], [3, 3]])
    assert engine.step()
    assert not engine.step()
    assert result(future) == [b"\1", b"\2\2\2", b"\3\3"]


def test_inputs_of_several_requests_share_calls() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    first, second = engine.submit([[1], [1] * 9]), engine.submit([[2] * 8, [2], [2]])
    run(engine)
    assert embedder.calls == [[9, 1, 8], [1, 1]]
    assert (len(result(first)), len(result(second))) == (2, 3)


def test_a_call_is_filled_with_the_longest_inputs_that_fit() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    engine.submit([[1] * n for n in (2, 7, 9, 6, 5)])
    run(engine)
    assert embedder.calls == [[9, 7, 2], [6, 5]]


def test_a_request_that_does_not_fit_keeps_its_turn() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    engine.submit([[1] * 9] * 4)
    engine.submit([[2] * 8])
    engine.submit([[3] * 2, [3] * 2])
    run(engine)
    assert embedder.calls == [[9, 9, 2], [8, 9, 2], [9]]


def test_a_small_request_does_not_wait_for_all_inputs_of_a_large_one() -> None:
    engine = EmbedEngine(FakeEmbedder())
    large = engine.submit([[1] * 10] * 1000)
    engine.step()
    small = [engine.submit([[2] * 10, [2] * 10]) for _ in range(3)]
    for _ in range(1 + len(small)):
        engine.step()
    assert all(one.done() for one in small)
    assert not large.done()


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.lists(st.integers(1, 10), min_size=1, max_size=8)),
        min_size=1,
        max_size=12,
    )
)
def test_every_request_has_its_turn_and_every_input_its_vector(
    arrivals: list[tuple[int, list[int]]],
) -> None:
    """A request arrives some steps after the one before; each of its turns is a round away."""
    engine = EmbedEngine(FakeEmbedder())
    open_until: dict[Future[list[bytes]], int] = {}
    expected: dict[Future[list[bytes]], list[bytes]] = {}
    now = 0

    def step() -> bool:
        nonlocal now
        now += 1
        more = engine.step()
        assert all(future.done() or now < until for future, until in open_until.items())
        return more

    for n_steps, lengths in arrivals:
        for _ in range(n_steps):
            step()
        inputs = [[len(expected) + 1] * n for n in lengths]
        future = engine.submit(inputs)
        expected[future] = [bytes(tokens) for tokens in inputs]
        open_until[future] = now + len(lengths) * len(arrivals)
    while step():
        pass
    for future, vectors in expected.items():
        assert result(future) == vectors


def test_no_call_exceeds_the_embedders_limits() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    futures = [engine.submit([[1] * (1 + (i + j) % 10) for i in range(25)]) for j in range(4)]
    run(engine)
    assert [len(result(future)) for future in futures] == [25] * 4
    assert all(len(call) <= 3 and sum(call) <= 20 for call in embedder.calls)


def test_one_input_alone_may_be_longer_than_a_call_of_several() -> None:
    embedder = FakeEmbedder()
    embedder.n_batch = 4
    engine = EmbedEngine(embedder)
    engine.submit([[1] * 9, [1], [1] * 3])
    run(engine)
    assert embedder.calls == [[9], [3, 1]]


def test_a_too_long_input_is_refused_by_number() -> None:
    with pytest.raises(ContextLengthExceeded, match=r"Input 1 has 11 tokens.*10"):
        EmbedEngine(FakeEmbedder()).submit([[1], [1] * 11])


def test_one_requests_trouble_never_touches_another() -> None:
    engine = EmbedEngine(FakeEmbedder())
    good, bad = engine.submit([[1], [2]]), engine.submit([[66]])
    run(engine)
    assert result(good) == [b"\1", b"\2"]
    with pytest.raises(InternalError):
        result(bad)


def test_a_cancelled_request_is_not_computed() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    engine.submit([[1]]).cancel()
    future = engine.submit([[2]])
    run(engine)
    assert embedder.calls == [[1]]
    assert result(future) == [b"\2"]


def test_a_request_that_failed_is_not_computed_further() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    future = engine.submit([[66] * 10, *[[1] * 9] * 10])
    engine.step()
    with pytest.raises(InternalError):
        result(future)
    n_calls = len(embedder.calls)
    assert not engine.step()
    assert len(embedder.calls) == n_calls


def test_room_in_the_queue_comes_back() -> None:
    engine = EmbedEngine(FakeEmbedder(), queue_size=3)
    for _ in range(5):
        engine.submit([[1]] * 3).cancel()
        engine.submit([[1]] * 0)
        engine.step()
        future = engine.submit([[1]] * 3)
        engine.step()
        assert len(result(future)) == 3


def test_a_crash_fails_what_waits_and_what_is_being_computed() -> None:
    class Broken(FakeEmbedder):
        def embed(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
            raise ZeroDivisionError

    engine = EmbedEngine(Broken())
    futures = [engine.submit([[1] * 10]) for _ in range(4)]
    with pytest.raises(ZeroDivisionError):
        engine.run()
    for future in futures:
        with pytest.raises(InternalError, match="stopped"):
            result(future)


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


def test_an_idle_engine_keeps_no_vectors() -> None:
    """It kept the last batch's requests, which may have vectors of hundreds of megabytes."""
    engine = EmbedEngine(FakeEmbedder())
    future = engine.submit([[1], [2]])
    kept = weakref.ref(future)
    run(engine)
    del future
    gc.collect()
    assert kept() is None


def test_a_call_that_closing_aborted_is_not_tried_again() -> None:
    embedder = FakeEmbedder()
    engine = EmbedEngine(embedder)
    futures = [engine.submit([[66]]), engine.submit([[66, 66]])]
    engine.close()
    engine.step()
    assert len(embedder.calls) == 1
    for future in futures:
        with pytest.raises(Overloaded):
            result(future)
