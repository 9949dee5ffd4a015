from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mullama.engine.lookup import LONG_COPY, N_CANDIDATES, Lookup


def lookup_of(text: str, **options: int) -> Lookup:
    lookup = Lookup(**options)
    lookup.extend(map(ord, text))
    return lookup


def draft(lookup: Lookup, n: int) -> str:
    return "".join(map(chr, lookup.propose(n)))


def append(lookup: Lookup, text: str) -> list[bool | None]:
    return [lookup.append(ord(c)) for c in text]


def test_proposes_what_followed_the_last_time() -> None:
    assert draft(lookup_of("the cat sat. the c"), 4) == "at s"


def test_without_a_match_there_is_nothing_to_propose() -> None:
    lookup = lookup_of("abcdefgh")
    assert not lookup.foresees
    assert not lookup.propose(4)


@pytest.mark.parametrize("text", ["", "a", "ab"])
def test_the_first_tokens_match_nothing(text: str) -> None:
    assert not lookup_of(text).foresees


def test_token_zero_is_a_token_like_any_other() -> None:
    lookup = Lookup()
    lookup.extend([0, 5])
    assert not lookup.foresees
    lookup.extend([7, 0, 5])
    assert list(lookup.propose(1)) == [7]


def test_before_the_first_token_there_is_no_token_zero() -> None:
    lookup = Lookup()
    lookup.extend([5, 7, 0, 5])
    assert not lookup.foresees


def test_the_longest_match_wins() -> None:
    assert draft(lookup_of("xabcd1 yzbcd2 xabcd"), 1) == "1"


def test_of_equal_matches_the_most_recent_wins() -> None:
    assert draft(lookup_of("ab1 ab2 ab"), 1) == "2"


def test_beyond_the_longest_ngram_matches_are_equal() -> None:
    text = "xabcd1 yabcd2 xabcd"
    assert draft(lookup_of(text, max_ngram=5), 1) == "1"
    assert draft(lookup_of(text, max_ngram=4), 1) == "2"


def test_a_match_shorter_than_the_least_is_none() -> None:
    assert lookup_of("abc1 abc", min_ngram=3).foresees
    assert not lookup_of("xbc1 abc", min_ngram=3).foresees
    assert lookup_of("c1 c", min_ngram=1).foresees


def test_a_longest_ngram_of_one_needs_no_pair() -> None:
    assert draft(lookup_of("c1 c", max_ngram=1), 1) == "1"


def test_only_the_latest_occurrences_are_compared() -> None:
    text = "xyab1 " + "".join(f"{c}ab " for c in "cdefghijklmnopqrstuvw"[: N_CANDIDATES - 1])
    assert draft(lookup_of(text + "xyab"), 1) == "1"
    assert draft(lookup_of(text + "zab xyab"), 1) == " "


@pytest.mark.parametrize("n", [0, 1, 3, 4, 10])
def test_a_draft_has_the_length_asked_for_and_repeats_at_the_end(n: int) -> None:
    assert draft(lookup_of("abcabc"), n) == "abcabcabcabc"[:n]


def test_every_token_tells_whether_it_was_foreseen() -> None:
    lookup = lookup_of("hello world, ")
    assert append(lookup, "hello!") == [None, None, True, True, True, False]


def test_a_copy_is_followed_even_where_a_later_occurrence_would_match() -> None:
    lookup = lookup_of("abcde1 cde2 ab")
    assert append(lookup, "cde") == [True, True, True]
    assert draft(lookup, 1) == "1"


def test_a_long_copy_goes_on_after_a_token_that_was_replaced() -> None:
    source = "0123456789abcdefghij"
    lookup = lookup_of(source)
    assert append(lookup, source[: LONG_COPY + 2])[2:] == [True] * LONG_COPY
    assert append(lookup, "?") == [False]
    assert draft(lookup, 3) == source[LONG_COPY + 3 : LONG_COPY + 6]


def test_after_a_token_that_was_replaced_a_match_is_better_than_going_on() -> None:
    source = "0123456789abcdefghij 9?Z "
    lookup = lookup_of(source)
    append(lookup, source[:10] + "?")
    assert draft(lookup, 1) == "Z"


def test_a_short_copy_ends_with_a_token_that_was_replaced() -> None:
    lookup = lookup_of("0123456789")
    assert append(lookup, "0123?") == [None, None, True, True, False]
    assert not lookup.foresees


def test_a_copy_is_given_up_after_two_wrong_tokens() -> None:
    source = "0123456789abcdefghij"
    lookup = lookup_of(source)
    append(lookup, source[: LONG_COPY + 2] + "?!")
    assert not lookup.foresees


def test_a_prompt_at_once_is_the_same_as_token_by_token() -> None:
    rng = random.Random(3)
    tokens = [rng.randrange(4) for _ in range(500)]
    whole, parts = Lookup(), Lookup()
    whole.extend(tokens)
    for token in tokens:
        parts.extend([token])
    assert whole.propose(20) == parts.propose(20)
    assert len(whole) == len(parts) == 500


def longest_match(tokens: Sequence[int], least: int, most: int) -> int | None:
    """The end of the most recent of the longest earlier matches, the slow way."""
    ends = range(len(tokens) - 1, 0, -1)
    for n in range(min(most, len(tokens) - 1), least - 1, -1):
        for end in ends:
            if end >= n and tokens[end - n : end] == tokens[len(tokens) - n :]:
                return end
    return None


@given(st.lists(st.integers(0, 3), max_size=14), st.integers(1, 3), st.integers(0, 3))
def test_any_proposal_is_what_a_plain_search_finds(
    tokens: list[int], least: int, more: int
) -> None:
    lookup = Lookup(least + more, least)
    lookup.extend(tokens)
    end = longest_match(tokens, least, least + more)
    assert lookup.foresees == (end is not None)
    if end is not None:
        copied = list(tokens)
        for i in range(9):
            copied.append(copied[end + i])
        assert list(lookup.propose(9)) == copied[len(tokens) :]
