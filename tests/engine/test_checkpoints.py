from __future__ import annotations

from array import array

from mullama.engine.checkpoints import CLOSE, places, spacing

END = 0


def prompt(*lengths: int, header: int = 3) -> array[int]:
    """Messages of so many tokens, each closed by an end token, and an answer's header."""
    tokens = array("i")
    for n in lengths:
        tokens.extend([5] * (n - 1) + [END])
    tokens.extend([7] * header)
    return tokens


def test_states_are_saved_where_messages_end() -> None:
    assert places(prompt(100, 100, 100), {END}, 512, last=False) == [100, 200, 300]


def test_of_two_ends_close_together_the_first_counts() -> None:
    """A short question moved the system prompt's state behind itself, where no other conversation
    with that system prompt could use it."""
    assert places(prompt(300, 20), {END}, 512, last=False) == [300]
    assert places(prompt(300, CLOSE), {END}, 512, last=False) == [300, 300 + CLOSE]


def test_a_message_end_takes_the_place_of_one_that_is_not() -> None:
    assert places(prompt(530, 200), {END}, 512, last=False) == [530, 730]


def test_only_the_last_few_ends_and_the_spacing_of_a_long_text() -> None:
    assert places(prompt(100, 100, 100, 100, 100), {END}, 512, last=False) == [300, 400, 500]
    assert places(prompt(1700), {END}, 512, last=False) == [512, 1024, 1536, 1700]


def test_other_answers_to_one_prompt_begin_at_its_last_place() -> None:
    tokens = prompt(100)
    assert places(tokens, {END}, 512, last=True) == [100, len(tokens) - 1]
    assert places(array("i", [5]), {END}, 512, last=True) == []


def test_large_states_are_saved_at_longer_intervals() -> None:
    assert spacing(0) == 512
    assert spacing(32 << 20) == 2048
    assert spacing(1 << 40) == 8192
