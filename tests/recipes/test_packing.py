"""Rows on disk: what is trained, what attends to what, which rows come when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recipes.tiny import bpe, packing
from recipes.tiny.chats import Segment
from recipes.tiny.settings import BUCKETS, SCHEDULE, Schedule

PLAIN = bpe.Tokenizer([])


def conversation(question: str, answer: str) -> list[int]:
    return packing.entries(PLAIN, [Segment(question, False), Segment(answer, True)])


def packed() -> np.ndarray:
    made = iter([conversation("ab", "cd"), conversation("e", "fgh")] * 50)
    return packing.pack(made, 10, 3)


def test_rows_hold_whole_conversations() -> None:
    rows = packed()
    assert rows.shape == (3, 10)
    assert PLAIN.decode(packing.tokens(rows)[0][:8]) == "abcdefgh"
    assert list(packing.tokens(rows)[0][8:]) == [bpe.END_OF_TEXT] * 2


def test_only_answers_are_predicted_each_from_the_token_before() -> None:
    row = packed()[:1]
    wanted = packing.targets(row)[0]
    c, d, f, g, h = (PLAIN.encode(letter)[0] for letter in "cdfgh")
    assert list(wanted) == [-1, c, d, -1, f, g, h, -1, -1, -1]


def test_conversations_and_padding_are_documents_of_their_own() -> None:
    assert list(packing.documents(packed()[:1])[0]) == [1, 1, 1, 1, 2, 2, 2, 2, 3, 4]


def test_conversations_longer_than_a_row_are_left_out() -> None:
    made = iter([conversation("x" * 20, "y"), *([conversation("ab", "cd")] * 100)])
    rows = packing.pack(made, 8, 2)
    assert "x" not in PLAIN.decode(packing.tokens(rows).ravel())


def test_batches_follow_from_their_number_across_files(tmp_path: Path) -> None:
    paths = [tmp_path / "0.rows", tmp_path / "1.rows"]
    for i, path in enumerate(paths):
        packing.write(
            path, np.full((3, 4), i * 10, np.uint16) + np.arange(3, dtype=np.uint16)[:, None]
        )
    rows = packing.Rows(paths, 4)
    firsts = [list(rows.batch(i, 2)[:, 0]) for i in range(4)]
    assert firsts == [[0, 1], [2, 10], [11, 12], [0, 1]]


def test_no_row_is_taken_twice_or_left_out_in_a_run() -> None:
    """So a run that goes on at any step goes on with the rows that come next."""
    schedule = Schedule(steps=60)
    taken: dict[str, list[int]] = {bucket.name: [] for bucket in BUCKETS}
    for step in range(schedule.steps):
        for bucket, index in schedule.takes(step):
            taken[bucket.name].append(index)
    for name, n in schedule.batches().items():
        assert taken[name] == list(range(n))


def test_the_rate_warms_up_stays_and_falls_to_nothing() -> None:
    rates = [SCHEDULE.rate(step) for step in range(SCHEDULE.steps)]
    assert rates[0] < 0.05
    assert max(rates) == 1.0
    assert rates[SCHEDULE.steps // 6] == 1.0
    assert 0 < rates[-1] < 0.001


@pytest.mark.parametrize("bucket", BUCKETS, ids=lambda bucket: bucket.name)
def test_every_micro_batch_has_as_many_tokens(bucket: object) -> None:
    assert bucket.length * bucket.rows == 4096  # type: ignore[attr-defined]
