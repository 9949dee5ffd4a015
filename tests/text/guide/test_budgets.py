"""Thoughts without end, in the format of every template: a budget ends them, and answers follow."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import jsonschema
import pytest

from mullama.text.constraint import Compiler
from mullama.text.guide import Wanted, guide, tools_of
from mullama.text.spans import Answer
from mullama.text.syntax import Format, Protocol
from mullama.types import Constraint, Matcher, Token
from tests.text.chat_cases import TEMPLATES, format_of
from tests.text.guide.tools import TOOLS, check, closing
from tests.text.guide.walks import MarkedVocab, follows, read, text_of, wander, written
from tests.text.unknown import format_of as format_of_unknown
from tests.text.unseen import CALLS, Model

BUDGETS = {True: (0, 5), False: (1, 40)}  # with marks that are tokens, and that are text
OVER = 8  # tokens more, to end a character, a mark or a sentence
THOUGHT = "Grüße, 日本 😀 and <so on, again and again; " * 4
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer", "maximum": 99, "minimum": 0}},
    "required": ["a"],
    "additionalProperties": False,
}
CALL: tuple[str, dict[str, object]] = ("now", {})


class Case:
    """One format, with its marks as tokens or as text."""

    def __init__(self, format: Format, *, special: bool) -> None:
        assert format.reasoning is not None
        self.format = format
        self.open = format.reasoning.open
        self.vocab = MarkedVocab(format, special=special)
        self.compiler = Compiler(self.vocab)
        self.tools = tools_of(format.calls, TOOLS) if format.calls else ()
        self.harmony = format.protocol is Protocol.HARMONY

    def start(self, wanted: Wanted) -> tuple[Matcher, list[Token]]:
        """A matcher behind a thought that only the budget ends, and all tokens until then."""
        template = guide(self.compiler, wanted)
        assert template is not None
        matcher = template.matcher()
        tokens: list[Token] = []
        if self.open and self.open not in wanted.opened:
            opening = written(self.vocab, self.open)
            if matcher.count_allowed(opening) < len(opening):
                return matcher, tokens  # no thought at all
            for token in opening:
                matcher.accept(token)
                tokens.append(token)
        n = self._think(matcher, tokens)
        assert wanted.budget is not None
        assert n <= wanted.budget + OVER
        return matcher, tokens

    def _think(self, matcher: Matcher, tokens: list[Token]) -> int:
        """Say the thought byte by byte until it is closed."""
        for n, byte in enumerate(THOUGHT.encode()):
            while forced := matcher.forced():
                for token in forced:
                    matcher.accept(token)
                    tokens.append(token)
                if not matcher.forced():
                    return n
            matcher.accept(byte)
            tokens.append(byte)
        raise AssertionError("the thought was not closed")

    def read(self, tokens: list[Token], opened: str) -> Answer:
        """The answer, which is the same whole and in pieces; its thought is whole characters."""
        text = text_of(self.vocab, tokens)
        whole = read(self.format, text, TOOLS, opened, split=False)
        assert read(self.format, text, TOOLS, opened, split=True) == whole
        assert THOUGHT.startswith(whole.reasoning.rstrip()), text
        return whole


def openings(format: Format) -> list[str]:
    assert format.reasoning is not None
    return [format.head, format.head + format.reasoning.open]


def check_required(case: Case, budget: int) -> None:
    for opened in openings(case.format):
        wanted = Wanted(case.format, opened, tools=case.tools, required=True, budget=budget)
        matcher, tokens = case.start(wanted)
        rng = random.Random(budget)
        tokens += wander(matcher, case.vocab, rng, closing=closing(case.format))
        whole = case.read(tokens, opened)
        assert whole.calls
        assert not whole.content.strip()
        check(whole)


def check_constraint(case: Case, budget: int) -> None:
    for opened in openings(case.format):
        constraint = Constraint.json_schema(SCHEMA)
        wanted = Wanted(case.format, opened, constraint=constraint, budget=budget)
        matcher, tokens = case.start(wanted)
        tokens += wander(matcher, case.vocab, random.Random(budget))
        jsonschema.validate(json.loads(case.read(tokens, opened).content), SCHEMA)


def free(case: Case, opened: str, budget: int) -> Wanted:
    parallel = opened == case.format.head
    return Wanted(case.format, opened, tools=case.tools, parallel=parallel, budget=budget)


def check_words(case: Case, budget: int) -> None:
    format = case.format
    head = format.head if case.harmony else ""
    words = head + format.content_begin + "Done." + format.content_end
    for opened in openings(format):
        matcher, tokens = case.start(free(case, opened, budget))
        assert follows(matcher, case.vocab, words)
        assert matcher.can_end
        tokens += written(case.vocab, words)
        assert case.read(tokens, opened).content.strip() == "Done."


def check_call(case: Case, budget: int) -> None:
    format = case.format
    assert format.calls is not None
    for opened in openings(format):
        matcher, tokens = case.start(free(case, opened, budget))
        call = (format.head if case.harmony else "") + format.calls.write([CALL])
        assert follows(matcher, case.vocab, call)
        whole = case.read(tokens + written(case.vocab, call), opened)
        assert [one.name for one in whole.calls] == ["now"]
        check(whole)


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_thought_is_closed_and_an_answer_follows(template: str, special: bool) -> None:
    case = Case(format_of(template), special=special)
    for budget in BUDGETS[special]:
        if case.tools:
            check_required(case, budget)
            check_call(case, budget)
        check_constraint(case, budget)
        check_words(case, budget)


@pytest.mark.parametrize("model", CALLS, ids=lambda model: model.name)
def test_also_in_formats_that_nobody_has_seen(model: Model) -> None:
    case = Case(format_of_unknown(model.source), special=True)
    for budget in (0, 5):
        check_constraint(case, budget)
        check_words(case, budget)
        if case.format.calls:
            check_call(case, budget)


def test_the_second_thought_of_an_answer_has_what_the_first_left() -> None:
    format = format_of("mistralai-Ministral-3-14B-Reasoning-2512.jinja")
    case = Case(format, special=True)
    template = guide(case.compiler, Wanted(format, format.head, budget=11))
    assert template is not None
    matcher = template.matcher()
    for token in written(case.vocab, "[THINK]12345678[/THINK]words[THINK]1"):
        matcher.accept(token)
    assert not matcher.forced()
    for byte in b"2.":
        matcher.accept(byte)
    (close,) = written(case.vocab, "[/THINK]")
    assert matcher.forced() == [close]
    matcher.accept(close)
    (again,) = written(case.vocab, "[THINK]")
    assert not matcher.count_allowed([again])  # nothing is left for a third
    assert follows(matcher, case.vocab, "the end")
    assert matcher.can_end


def test_last_words_stand_before_the_mark() -> None:
    format = format_of("Qwen-Qwen3-0.6B.jinja")
    case = Case(format, special=True)
    wanted = Wanted(format, format.head + "<think>\n", budget=2, last_words=" That will do.")
    _, tokens = case.start(wanted)
    assert text_of(case.vocab, tokens) == "Gr That will do.\n</think>\n\n"


def test_what_needs_no_hold_has_none() -> None:
    format = format_of("Qwen-Qwen3-0.6B.jinja")
    case = Case(format, special=True)
    ended = Wanted(format, format.head + "<think>\n\n</think>\n\n", budget=0)
    assert guide(case.compiler, ended) is None
    assert guide(case.compiler, replace(ended, opened=format.head)) is not None
