from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mullama.engine.detokenizer import Detokenizer


def run(pieces: list[bytes], stop: tuple[str, ...] = ()) -> tuple[str, str | None, list[int]]:
    """Text, stop string and kept items (each piece's index) of an answer fed piece by piece."""
    detokenizer: Detokenizer[int] = Detokenizer(stop)
    text, kept = "", []
    for index, piece in enumerate(pieces):
        new, items = detokenizer.feed(piece, index)
        text += new
        kept += items
        if detokenizer.stopped is not None:
            break
    new, items = detokenizer.finish()
    return text + new, detokenizer.stopped, kept + items


def splits(data: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and cut in two and in three at every place."""
    places = range(len(data) + 1)
    two = [[data[:i], data[i:]] for i in places]
    three = [[data[:i], data[i:j], data[j:]] for i, j in itertools.combinations(places, 2)]
    return [[data], [data[i : i + 1] for i in range(len(data))], *two, *three]


@pytest.mark.parametrize(
    ("text", "stop", "expected", "stopped"),
    [
        ("plain text", (), "plain text", None),
        ("grüße, 世界 👩‍👩‍👧", (), "grüße, 世界 👩‍👩‍👧", None),
        ("one\nUser: two", ("\nUser:",), "one", "\nUser:"),
        ("almost \nUse", ("\nUser:",), "almost \nUse", None),
        ("aab", ("ab",), "a", "ab"),
        ("ababac", ("abac",), "ab", "abac"),
        ("xabc", ("abc", "b"), "xa", "b"),
        ("xabx", ("abc", "bx"), "xa", "bx"),
        ("xab", ("b", "ab"), "x", "ab"),
        ("日本語です", ("語",), "日本", "語"),
        ("stop", ("stop",), "", "stop"),
    ],
)
def test_the_result_does_not_depend_on_where_tokens_are_split(
    text: str, stop: tuple[str, ...], expected: str, stopped: str | None
) -> None:
    for pieces in splits(text.encode()):
        got = run(pieces, stop)
        assert got[:2] == (expected, stopped), pieces


@given(st.binary(max_size=24), st.lists(st.text("ab\né", min_size=1, max_size=3), max_size=3))
def test_any_bytes_and_stops_give_the_same_text_whole_and_byte_by_byte(
    data: bytes, stop: list[str]
) -> None:
    whole = run([data], tuple(stop))
    single = run([data[i : i + 1] for i in range(len(data))], tuple(stop))
    assert whole[:2] == single[:2]


def test_bytes_that_are_no_utf8_become_replacement_characters() -> None:
    assert run([b"a\xff", b"b"])[0] == "a\ufffdb"


def test_an_unfinished_character_at_the_end_is_dropped() -> None:
    assert run(["é".encode()[:1]])[0] == ""
    assert run([b"ok", "世".encode()[:2]])[0] == "ok"


def test_only_a_possible_beginning_of_a_stop_string_is_held_back() -> None:
    detokenizer: Detokenizer[int] = Detokenizer(("</s>",))
    assert detokenizer.feed(b"a <")[0] == "a "
    assert detokenizer.feed(b"/")[0] == ""
    assert detokenizer.feed(b"b>")[0] == "</b>"


def test_items_come_with_the_text_that_they_complete() -> None:
    detokenizer: Detokenizer[int] = Detokenizer()
    first, second = "é".encode()[:1], "é".encode()[1:]
    assert detokenizer.feed(first, 1) == ("", [1])  # no character of its own yet
    assert detokenizer.feed(second, 2) == ("é", [2])


def test_items_behind_a_stop_string_are_dropped_and_those_before_it_kept() -> None:
    assert run([b"a", b"b", b"ST", b"OP", b"c"], ("STOP",)) == ("ab", "STOP", [0, 1])
    assert run([b"a", b"bS", b"TOP"], ("STOP",)) == ("ab", "STOP", [0, 1])


def test_a_stop_string_does_not_count_while_stops_are_off() -> None:
    detokenizer: Detokenizer[int] = Detokenizer(("x",))
    assert detokenizer.feed(b"x", stops=False)[0] == "x"
    assert detokenizer.feed(b"x")[0] == ""
    assert detokenizer.stopped == "x"
