"""Reading a row of logits, against the straightforward way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mullama.llama.rows import Logprobs, likeliest

# Few values and many tokens: ties are where selecting goes wrong.
ROWS = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.floats(-30, 30, width=32), st.just(-math.inf)),
    min_size=1,
    max_size=400,
).filter(lambda values: max(values) > -math.inf)


@given(ROWS, st.integers(1, 500))
def test_the_likeliest_tokens_are_among_those_found(values: list[float], k: int) -> None:
    row = np.array(values, np.float32)
    found = set(likeliest(row, k).tolist())
    kth = np.sort(row)[::-1][min(k, len(row)) - 1]
    assert found >= set(np.flatnonzero(row > kth).tolist())
    assert len(found) >= min(k, len(row))


def test_of_a_usual_row_hardly_more_than_k_are_found() -> None:
    row = np.random.default_rng(0).standard_normal(150_000).astype(np.float32)
    assert 40 <= len(likeliest(row, 40)) < 60


@given(ROWS, st.integers(0, 20))
def test_logprobs_are_the_logarithm_of_the_softmax(values: list[float], n: int) -> None:
    row = np.array(values, np.float32)
    exact = np.array(values, np.float64) - np.logaddexp.reduce(np.array(values, np.float64))
    below = row - row.max()
    logprobs = Logprobs(row)
    row[:] = math.nan  # it may be changed afterwards
    for token, expected in enumerate(exact):
        assert logprobs[token] == pytest.approx(expected, abs=1e-4)
    order = sorted(range(len(exact)), key=lambda token: (-below[token], token))
    assert [token for token, _ in logprobs.top(n)] == order[:n]
    assert all(logprob == logprobs[token] for token, logprob in logprobs.top(n))


def test_large_logits_do_not_overflow() -> None:
    logprobs = Logprobs(np.array([3e38, -3e38, 0], np.float32))
    assert logprobs[0] == 0
    assert logprobs.top(1) == ((0, 0.0),)


def test_a_broken_row_does_not_stop_anyone() -> None:
    for value in (math.nan, math.inf, -math.inf):
        Logprobs(np.full(100, value, np.float32)).top(3)
