"""Arguments between tags of which one is missing: nothing is lost, and nothing taken for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mullama.text.channels import Parser
from mullama.text.constraint import Compiler
from mullama.text.guide import Wanted, guide, tools_of
from mullama.text.spans import Answer
from mullama.text.syntax import Arguments, CallSyntax, Format, Slot, Style
from mullama.text.toolcalls.common import told
from tests.text.chat_cases import parse
from tests.text.guide.tools import tool
from tests.text.guide.walks import MarkedVocab, follows

CODER = Format("coder", calls=told("<tool_call><function=<parameter="))
IN_LINE = Format(
    "in line",
    calls=CallSyntax(
        ('<call name="', Slot.NAME, '">', Slot.ARGUMENTS, "</call>"),
        arguments=Arguments(Style.TAGGED, begin='<arg name="', key_end='">', end="</arg>"),
    ),
)
PROPERTIES: dict[str, Any] = {
    "city": {"type": "string"},
    "days": {"type": "integer"},
    "more": {"type": "object"},
    "any": {},
}
TOOLS = [tool(name, {"type": "object", "properties": PROPERTIES}) for name in ("look", "find")]
END = "\n</function>\n</tool_call>"


def read(raw: str, format: Format = CODER) -> Answer:
    """The answer, which is the same whole and cut at every character."""
    whole = parse(Parser(format, tools=TOOLS), [raw])
    assert parse(Parser(format, tools=TOOLS), raw) == whole
    return whole


def call(*arguments: tuple[str, str], name: str = "look", end: str = END) -> str:
    """A call of which no argument is closed."""
    written = (f"\n<parameter={key}>\n{value}" for key, value in arguments)
    return f"<tool_call>\n<function={name}>{''.join(written)}{end}"


def arguments(answer: Answer) -> list[Any]:
    assert all(one.complete for one in answer.calls)
    return [json.loads(one.arguments) for one in answer.calls]


def test_an_argument_ends_where_the_next_one_begins() -> None:
    raw = call(("city", "Bern"), ("days", "3"), ("any", "x\n</parameter>"))
    assert arguments(read(raw)) == [{"city": "Bern", "days": 3, "any": "x"}]
    raw = call(("any", "{}"), ("more", '{"a": ["b"]}'), ("city", "Bern\n</parameter>"))
    assert arguments(read(raw)) == [{"any": {}, "more": {"a": ["b"]}, "city": "Bern"}]


@pytest.mark.parametrize("key", ["city", "any", "days", "more"])
@pytest.mark.parametrize("end", [END, "</function></tool_call>", "\n</function>", "\n</tool_call>"])
@pytest.mark.parametrize("rest", ["", "\n\nSo it is.", " <b>So</b>\n</function>\n"])
def test_the_last_argument_ends_where_its_call_does(key: str, end: str, rest: str) -> None:
    value, meant = ("{}", {}) if key == "more" else ("3", "3" if key == "city" else 3)
    other = "any" if key == "city" else "city"
    answer = read(call((other, "Bern"), (key, value), end=end) + rest)
    assert arguments(answer) == [{other: "Bern", key: meant}]
    assert answer.content.strip() == rest.strip()


def test_calls_follow_each_other_all_the_same() -> None:
    raw = "\n".join(call((key, "3"), name="find") for key in ("city", "days", "any"))
    answer = read(f"Look:\n{raw}\nSo.")
    assert arguments(answer) == [{"city": "3"}, {"days": 3}, {"any": 3}]
    assert answer.content == "Look:\n\nSo."


def test_an_argument_may_have_no_value_and_no_end() -> None:
    assert arguments(read(call(("city", ""), ("days", "3")))) == [{"city": "", "days": 3}]
    raw = f"<tool_call>\n<function=look>\n<parameter=city>\n<parameter=days>\n3{END}"
    assert arguments(read(raw)) == [{"city": "", "days": 3}]


def test_a_call_may_leave_out_its_own_end() -> None:
    answer = read(call(("city", "Bern\n</parameter>"), end="\n</tool_call>\nSo."))
    assert arguments(answer) == [{"city": "Bern"}]
    assert answer.content == "So."


@pytest.mark.parametrize(
    "text",
    [
        f"a{END}\nb",
        f"{END}{END}",
        "</function>",
        "a\n<parameter=zip>\nb",
        "a\n<parameter=city>\nb",
        "a <parameter=days> b",
        "a\n<parameter=days",
        "a\n<parameter=\n<parameter=",
        "\n</parameter",
    ],
)
def test_a_text_about_such_marks_is_a_text(text: str) -> None:
    raw = call(("city", f"{text}\n</parameter>"), ("days", "3\n</parameter>"))
    assert arguments(read(raw)) == [{"city": text, "days": 3}]


@pytest.mark.parametrize("inside", ["\\n</function>", "<parameter=days>", "</tool_call>", '\\"]'])
def test_a_value_is_not_ended_within_its_quotes(inside: str) -> None:
    written = f'{{"a": ["{inside}\n</function>"]}}'
    answer = read(call(("more", f"{written}\n</parameter>"), ("days", "3")))
    (found,) = (one.arguments for one in answer.calls)
    assert json.loads(found, strict=False)["days"] == 3


def test_an_argument_that_nothing_ends_is_cut() -> None:
    answer = read(call(("city", "Bern\n\nSo it is."), end=""))
    assert [(one.arguments, one.complete) for one in answer.calls] == [
        ('{"city": "Bern\\n\\nSo it is.', False)
    ]
    assert not answer.content


def test_the_marks_may_stand_in_a_line() -> None:
    def raw(city: str, end: str) -> str:
        return f'<call name="look"><arg name="city">{city}<arg name="days">3{end}</call>So.'

    for end in ("", "\n", "</arg>"):
        answer = read(raw("Bern", end), IN_LINE)
        assert arguments(answer) == [{"city": "Bern", "days": 3}]
        assert answer.content == "So."
    for text in ("a</call>b", 'a<arg name="zip">b', '<arg name="city">'):
        assert arguments(read(raw(f"{text}</arg>", ""), IN_LINE)) == [{"city": text, "days": 3}]


def test_a_text_is_passed_on_up_to_what_may_end_it() -> None:
    parser = Parser(CODER, tools=TOOLS)
    spans = parser.feed(call(("city", "Bern"), end=""))
    assert spans[-1].text.endswith('"Bern')
    assert parser.feed(f"{END} So.") == []
    (rest,) = parser.feed("\n</parameter>")
    assert rest.text == '\\n</function>\\n</tool_call> So."'


@pytest.mark.parametrize("format", [CODER, IN_LINE], ids=["lines", "in line"])
@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
def test_no_text_that_a_guide_allows_is_ended_so(format: Format, special: bool) -> None:
    assert format.calls is not None
    syntax = format.calls
    vocab = MarkedVocab(format, special=special)
    asked = Wanted(format, tools=tools_of(syntax, TOOLS, ["look"]), required=True)
    template = guide(Compiler(vocab), asked)
    assert template is not None
    written = syntax.write([("look", {"city": "@"})])
    for text, allowed in (("a", True), ("<b>\n</b>", True), ("</call", True)):
        assert follows(template.matcher(), vocab, written.replace("@", text)) is allowed
    begin = syntax.arguments.begin
    for text in (f"\n{begin}", f"{begin}days", f"a\n{begin}days"):
        head = written.partition("@")[0]
        matcher = template.matcher()
        assert follows(matcher, vocab, head)
        assert not follows(matcher, vocab, text + written.partition("@")[2])
