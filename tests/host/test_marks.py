"""The marks of a chat become tokens that are shown, and its prompt says what it has opened."""

from __future__ import annotations

from typing import Any

from mullama.host.prepare import Prepared, Preparer
from mullama.types import ChatRequest, GenerateOptions, Token, ToolChoice, ToolMode
from tests.host import fakes
from tests.host.fakes import Template

HELLO: tuple[dict[str, Any], ...] = ({"role": "user", "content": "hello"},)
TOOLS = tuple({"type": "function", "function": {"name": name}} for name in ("f", "g"))
OPEN, CLOSE = 93, 94


class Vocab(fakes.Vocab):
    """ "{" and "}" are control tokens, too."""

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[Token]:
        tokens = super().tokenize(text, add_special=add_special, parse_special=parse_special)
        if add_special or not parse_special:
            return tokens
        marks = {"{": OPEN, "}": CLOSE}
        return [marks.get(c, token) for c, token in zip(text, tokens, strict=True)]

    def piece(self, token: Token, *, special: bool = False) -> bytes:
        if token in (OPEN, CLOSE):
            return b"{}"[token - OPEN :][:1] if special else b""
        return super().piece(token, special=special)


def prepared(**fields: Any) -> Prepared:
    request = ChatRequest(**{"messages": HELLO, "marks": ("a{b", "}", "c"), **fields})
    return Preparer(Vocab(), Template(), 4096).generate(7, request)


def test_only_the_control_tokens_among_the_marks_are_shown() -> None:
    options = GenerateOptions(max_tokens=3)
    shown = prepared(options=options).request.options
    assert set(shown.shown) == {OPEN, CLOSE}
    assert shown.max_tokens == 3


def test_without_marks_nothing_is_shown_and_nothing_said_of_the_prompt() -> None:
    made = prepared(marks=())
    assert made.request.options.shown == ()
    assert made.opened == ""


def test_what_the_prompt_has_of_the_answer_is_told() -> None:
    assert prepared().opened == "assistant:"
    assert prepared(add_generation_prompt=False).opened == ""


def test_a_continued_message_is_a_part_of_the_answer() -> None:
    messages = (*HELLO, {"role": "assistant", "content": "Hi"})
    made = prepared(messages=messages, continue_final_message=True, add_generation_prompt=False)
    assert made.opened == "assistant:Hi;"


def test_a_template_that_renders_no_history_tells_nothing() -> None:
    class Picky(Template):
        def render(self, messages: Any, **given: Any) -> str:
            if not given["add_generation_prompt"]:
                given["refuse"] = True
            return super().render(messages, **given)

    request = ChatRequest(HELLO, marks=("}",))
    assert Preparer(Vocab(), Picky(), 4096).generate(7, request).opened == ""


def test_the_template_is_told_of_the_tools_that_may_be_called() -> None:
    def prompt(choice: ToolChoice) -> str:
        request = ChatRequest(HELLO, tools=TOOLS, tool_choice=choice)
        return Preparer(Vocab(), Template(), 4096).render(request)

    assert prompt(ToolChoice()).startswith("tool:f;tool:g;user:")
    assert prompt(ToolChoice(names=("g",))).startswith("tool:g;user:")
    assert prompt(ToolChoice(ToolMode.NONE)).startswith("user:")
