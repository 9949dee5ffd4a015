"""Log-probabilities in the two shapes that clients know."""

from __future__ import annotations

import math

import pytest

from mullama.api.openai.logprobs import LOWEST, TextScores, chat_logprobs, finite, joined
from mullama.types import TokenLogprob
from tests.api.fakes import scored


@pytest.mark.parametrize("logprob", [-math.inf, math.nan, -1e9])
def test_what_json_lacks_is_very_unlikely(logprob: float) -> None:
    assert finite(logprob) == LOWEST
    assert finite(-0.5) == -0.5


def test_a_part_of_a_character_keeps_its_bytes() -> None:
    (one,) = chat_logprobs([TokenLogprob(1, b"\xf0\x9f", -1.0)])
    assert one["token"] == "\ufffd"
    assert one["bytes"] == [0xF0, 0x9F]


def test_offsets_count_characters_of_the_text_even_where_tokens_split_them() -> None:
    pieces = [b"a", b"\xf0\x9f", b"\x98\x80", b"b"]
    scores = TextScores().answer([TokenLogprob(1, piece, -1.0) for piece in pieces])
    assert scores["text_offset"] == [0, 1, 1, 2]


def test_the_chosen_token_is_always_among_the_likely_ones() -> None:
    scores = TextScores().answer([scored("c", -3.0, ("a", -0.5), ("b", -1.0))])
    assert scores["top_logprobs"] == [{"a": -0.5, "b": -1.0, "c": -3.0}]


def test_of_tokens_with_one_text_the_likeliest_counts() -> None:
    one = TokenLogprob(1, b"x", -9.0, ((1, b"\xff", -0.5), (2, b"\xfe", -4.0)))
    assert TextScores().answer([one])["top_logprobs"] == [{"\ufffd": -0.5, "x": -9.0}]


def test_a_first_token_of_the_prompt_has_the_text_that_remains() -> None:
    begun = (None, scored("ne", -1.0))
    assert TextScores().prompt(begun, "one")["tokens"] == ["o", "ne"]
    assert TextScores().prompt(begun, "ne")["tokens"] == ["", "ne"]  # a BOS has no text
    assert TextScores().prompt(begun, "other")["tokens"] == ["", "ne"]


def test_a_first_token_of_the_prompt_may_be_a_part_of_a_character() -> None:
    """It had no text, and each byte behind it counted as a character."""
    rest = [TokenLogprob(1, piece, -1.0) for piece in (b"\x97", b"\xa5", b"r")]
    scores = TextScores().prompt((None, *rest), "\u65e5r")
    assert scores["tokens"] == ["\ufffd", "\ufffd", "\ufffd", "r"]
    assert scores["text_offset"] == [0, 0, 0, 1]


def test_pieces_join_in_order() -> None:
    scores = TextScores()
    parts = [
        scores.prompt((None, scored("b", -1.0)), "ab"),
        scores.answer([scored("c", -2.0)]),
        scores.answer([]),
        scores.answer([scored("d", -3.0)]),
    ]
    assert joined(parts) == {
        "tokens": ["a", "b", "c", "d"],
        "token_logprobs": [None, -1.0, -2.0, -3.0],
        "top_logprobs": [None, {"b": -1.0}, {"c": -2.0}, {"d": -3.0}],
        "text_offset": [0, 1, 2, 3],
    }
