"""Calls whose arguments stand between tags: how a guide lets them end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mullama.text.constraint import Compiler
from mullama.text.guide import Wanted, guide, tools_of
from mullama.text.spans import Answer
from mullama.text.syntax import Format
from mullama.text.toolcalls.common import told
from mullama.types import Matcher
from tests.text.guide.tools import tool
from tests.text.guide.walks import MarkedVocab, follows, read

CODER = Format("coder", calls=told("<tool_call><function=<parameter="))
CLOSED = "</parameter>\n</function>\n</tool_call>"


def tools(city: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = {"type": "object", "properties": {"city": city}, "required": ["city"]}
    return [tool("look", parameters)]


def begun(city: dict[str, Any], *, special: bool) -> tuple[Matcher, MarkedVocab]:
    """A matcher in which the text of an argument is to come."""
    assert CODER.calls is not None
    vocab = MarkedVocab(CODER, special=special)
    wanted = Wanted(CODER, tools=tools_of(CODER.calls, tools(city)), required=True)
    template = guide(Compiler(vocab), wanted)
    assert template is not None
    matcher = template.matcher()
    assert follows(matcher, vocab, "<tool_call>\n<function=look>\n<parameter=city>\n")
    return matcher, vocab


def understood(city: dict[str, Any], written: str) -> str:
    text = f"<tool_call>\n<function=look>\n<parameter=city>\n{written}{CLOSED}"
    whole: Answer = read(CODER, text, tools(city), "", split=False)
    assert read(CODER, text, tools(city), "", split=True) == whole
    assert [call.complete for call in whole.calls] == [True]
    value: str = json.loads(whole.calls[0].arguments)["city"]
    return value


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
@pytest.mark.parametrize("city", [{"maxLength": 3}, {"pattern": "^[a-c\\n]{0,3}$"}, {}])
@pytest.mark.parametrize("value", ["abc", "a", "ab\n", "\n", "a\n\n"])
def test_a_text_ends_on_a_line_of_its_own(city: dict[str, Any], value: str, special: bool) -> None:
    city = {"type": "string", **city}
    matcher, vocab = begun(city, special=special)
    assert follows(matcher, vocab, f"{value}\n{CLOSED}")
    assert matcher.can_end
    assert understood(city, f"{value}\n") == value


def test_where_the_mark_is_a_token_the_line_may_be_left_out() -> None:
    city = {"type": "string", "maxLength": 3}
    for value in ("abc", "a"):
        matcher, vocab = begun(city, special=True)
        assert follows(matcher, vocab, f"{value}{CLOSED}")
        assert understood(city, value) == value


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
@pytest.mark.parametrize("written", ["abcd", "abc\nd", "abc\n\n", "ab\n\n\n"])
def test_a_line_s_end_makes_no_text_longer_than_it_may_be(written: str, special: bool) -> None:
    matcher, vocab = begun({"type": "string", "maxLength": 3}, special=special)
    assert not follows(matcher, vocab, f"{written}{CLOSED}")
