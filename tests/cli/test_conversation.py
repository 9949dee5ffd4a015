"""Conversations over a scripted context; no model, no terminal."""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from typing import Any

import click
import pytest

from mullama.cli.conversation import Conversation, Message, Wish
from mullama.cli.terminal import given_text, show
from mullama.text.spans import Span, SpanKind
from mullama.types import Constraint, SamplerParams


class Scripted:
    """A context that answers "1", "2", ... in pieces, or in these spans."""

    def __init__(self, *spans: Span) -> None:
        self.spans = spans
        self.prompts: list[str] = []
        self.asked: dict[str, Any] = {}
        self.n_closed = 0

    def chat_stream(
        self,
        messages: Sequence[Message],
        max_tokens: int | None,
        params: SamplerParams,
        stop: tuple[str, ...],
        **asked: Any,
    ) -> Generator[Span, None, None]:
        self.asked = asked
        self.prompts.append("|".join(f"{one['role']}:{one['content']}" for one in messages))
        try:
            yield from self.spans or said("an", "swer ", str(len(self.prompts)))
        finally:
            self.n_closed += 1

    def generate_stream(
        self,
        prompt: str,
        max_tokens: int | None,
        params: SamplerParams,
        stop: tuple[str, ...],
        **asked: Any,
    ) -> Generator[str, None, None]:
        self.asked = asked
        self.prompts.append(prompt)
        yield from (span.text for span in self.spans)


def conversation(script: Scripted, system: str | None = None) -> Conversation:
    return Conversation(script, Wish(SamplerParams(), system=system), chats=True)


def said(*texts: str) -> list[Span]:
    return [Span(SpanKind.CONTENT, text) for text in texts]


def test_an_answer_comes_in_pieces() -> None:
    assert list(conversation(Scripted()).ask("hi")) == said("an", "swer ", "1")


def test_thoughts_come_apart_and_are_kept_as_such() -> None:
    thought = Span(SpanKind.REASONING, "Hm.")
    talk = conversation(Scripted(thought, *said("42")))
    assert list(talk.ask("hi")) == [thought, *said("42")]
    answer = {"role": "assistant", "content": "42", "reasoning_content": "Hm."}
    assert talk.messages == [{"role": "user", "content": "hi"}, answer]


def test_what_an_answer_is_to_be_is_asked_each_time() -> None:
    script, held = Scripted(), Constraint.regex("a+")
    wish = Wish(SamplerParams(), constraint=held, thinking="low")
    list(Conversation(script, wish, chats=True).ask("hi"))
    assert script.asked == {"constraint": held, "thinking": "low"}
    list(Conversation(script, wish, chats=False).ask("hi"))
    assert script.asked == {"constraint": held}


def test_later_turns_know_the_earlier_ones() -> None:
    script = Scripted()
    talk = conversation(script, system="be brief")
    list(talk.ask("a"))
    list(talk.ask("b"))
    assert script.prompts == [
        "system:be brief|user:a",
        "system:be brief|user:a|assistant:answer 1|user:b",
    ]


def test_what_was_said_before_an_interruption_counts() -> None:
    script = Scripted()
    talk = conversation(script)
    answer = talk.ask("a")
    next(answer)
    with pytest.raises(KeyboardInterrupt):
        answer.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert script.n_closed == 1
    list(talk.ask("b"))
    assert script.prompts[1] == "user:a|assistant:an|user:b"


def test_a_turn_without_an_answer_is_forgotten() -> None:
    class Failing(Scripted):
        def chat_stream(self, *_: Any, **asked: Any) -> Generator[Span, None, None]:
            raise RuntimeError
            yield Span(SpanKind.CONTENT)

    talk = conversation(Failing(), system="be brief")
    with pytest.raises(RuntimeError):
        list(talk.ask("a"))
    assert talk.messages == [{"role": "system", "content": "be brief"}]


def test_a_cleared_conversation_keeps_what_the_model_was_told_to_be() -> None:
    script = Scripted()
    talk = conversation(script, system="be brief")
    list(talk.ask("a"))
    talk.clear()
    list(talk.ask("b"))
    assert script.prompts[1] == "system:be brief|user:b"


def test_without_a_template_each_text_is_continued_by_itself() -> None:
    script = Scripted(*said("<think>", "Hm."))
    talk = Conversation(script, Wish(SamplerParams()), chats=False)
    assert list(talk.ask("a")) == said("<think>", "Hm.")
    list(talk.ask("b"))
    assert script.prompts == ["a", "b"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("argument", "stdin", "text"),
    [
        ("hi", Terminal(), "hi"),
        (None, Terminal(), None),
        ("hi", None, "hi"),
        (None, io.StringIO("piped\n"), "piped"),
        ("sum up", io.StringIO("a\nb\n"), "a\nb\n\nsum up"),
        ("hi", io.StringIO(""), "hi"),
        (None, io.StringIO(""), None),
    ],
)
def test_the_prompt_is_what_is_piped_in_and_the_argument(
    argument: str | None, stdin: io.StringIO | None, text: str | None
) -> None:
    assert given_text(argument, stdin) == text


def test_piped_bytes_that_are_no_text_are_refused() -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"abc\xff"), encoding="utf-8")
    with pytest.raises(click.UsageError, match=r"not utf-8 text.*byte 3"):
        given_text(None, stdin)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [(["a", "b"], "ab\n"), (["a\n"], "a\n"), (["a\n", ""], "a\n"), ([], "")],
)
def test_an_answer_s_last_line_is_ended_once(pieces: list[str], shown: str) -> None:
    out = io.StringIO()
    show(said(*pieces), out)
    assert out.getvalue() == shown


def test_a_terminal_gets_thoughts_dimmed_and_a_file_does_not() -> None:
    spans = [Span(SpanKind.REASONING, "H\x1bm"), Span(SpanKind.REASONING, "."), *said("42")]
    terminal, file = Terminal(), io.StringIO()
    show(spans, terminal)
    show(spans, file)
    assert terminal.getvalue() == "\x1b[2mHm.\x1b[22m\n\n42\n"
    assert file.getvalue() == "42\n"
    cut = Terminal()
    show(spans[:2], cut)
    assert cut.getvalue() == "\x1b[2mHm.\x1b[22m\n"


def test_an_answer_that_is_cut_ends_its_line() -> None:
    def cut() -> Generator[Span, None, None]:
        yield Span(SpanKind.CONTENT, "half")
        raise KeyboardInterrupt

    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        show(cut(), out)
    assert out.getvalue() == "half\n"


def test_a_terminal_gets_no_control_characters() -> None:
    text = "a\x1b]0;title\x07b\r\x9b2Jc\td\n"
    terminal, file = Terminal(), io.StringIO()
    show(said(text), terminal)
    show(said(text), file)
    assert terminal.getvalue() == "a]0;titleb2Jc\td\n"
    assert file.getvalue() == text
