"""Control tokens that are shown are text; one that ends the answer is its last."""

from __future__ import annotations

from typing import Any

from mullama.types import Delta
from tests.engine.bench import Bench
from tests.engine.fakes import EOG, FakeVocab, request

EOG_TEXT = FakeVocab().piece(EOG, special=True).decode()


def text_of(*, tokens: list[int], **options: Any) -> str:
    bench = Bench()
    bench.runner.forced[1] = list(tokens)
    bench.add(request(1, [5], len(tokens), **options))
    bench.run()
    return "".join(event.text for event in bench.events if isinstance(event, Delta))


def letters(*tokens: int) -> str:
    return b"".join(map(FakeVocab().piece, tokens)).decode()


def test_the_token_that_ends_an_answer_is_its_last_text_where_it_is_shown() -> None:
    assert text_of(tokens=[10, EOG, 11], shown=(EOG,)) == letters(10) + EOG_TEXT
    assert text_of(tokens=[10, EOG, 11]) == letters(10)


def test_a_shown_token_in_the_middle_is_text() -> None:
    given: dict[str, Any] = {"tokens": [10, EOG, 11], "ignore_eos": True}
    assert text_of(**given, shown=(EOG,)) == letters(10) + EOG_TEXT + letters(11)
    assert text_of(**given) == letters(10, 11)


def test_the_last_mark_ends_no_stop_string() -> None:
    stop = (letters(10) + EOG_TEXT,)
    assert text_of(tokens=[10, EOG], shown=(EOG,), stop=stop) == letters(10) + EOG_TEXT
