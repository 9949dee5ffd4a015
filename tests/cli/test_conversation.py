"""Conversations over a scripted context; no model, no terminal."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable
from typing import Any

import click
import pytest

from mullama.cli.conversation import Chat, Conversation, Message, Wish
from mullama.cli.terminal import given_text, show
from mullama.text.spans import Span, SpanKind
from mullama.text.syntax import Format, Reasoning
from mullama.types import SamplerParams

FORMAT = Format(name="test", reasoning=Reasoning())


class Scripted:
    """A template that joins the messages, and a context that answers "1", "2", ... in pieces."""

    def __init__(self, opened: str = "", pieces: tuple[str, ...] = ()) -> None:
        self.opened = opened
        self.pieces = pieces
        self.prompts: list[str] = []
        self.marks: set[str] = set()
        self.n_closed = 0

    def apply_chat_template(
        self, messages: list[Message], add_generation_prompt: bool = True
    ) -> str:
        text = "|".join(f"{message['role']}:{message['content']}" for message in messages)
        return text + (self.opened if add_generation_prompt else "")

    def generate_stream(
        self,
        prompt: str,
        max_tokens: int | None,
        params: SamplerParams,
        stop: tuple[str, ...],
        *,
        marks: Iterable[str],
    ) -> Generator[str, None, None]:
        self.prompts.append(prompt)
        self.marks = set(marks)
        try:
            yield from self.pieces or ("an", "swer ", str(len(self.prompts)))
        finally:
            self.n_closed += 1


def conversation(script: Scripted, system: str | None = None) -> Conversation:
    return Conversation(Chat(script, FORMAT), script, Wish(SamplerParams(), system=system))


def said(*texts: str) -> list[Span]:
    return [Span(SpanKind.CONTENT, text) for text in texts]


def test_an_answer_comes_in_pieces() -> None:
    assert list(conversation(Scripted()).ask("hi")) == said("an", "swer ", "1")


def test_thoughts_come_apart_and_are_kept_as_such() -> None:
    script = Scripted(opened="<think>", pieces=("Hm.", "</think>", "\n42"))
    talk = conversation(script)
    assert list(talk.ask("hi")) == [Span(SpanKind.REASONING, "Hm."), *said("42")]
    answer = {"role": "assistant", "content": "42", "reasoning_content": "Hm."}
    assert talk.messages == [{"role": "user", "content": "hi"}, answer]
    assert script.marks >= {"<think>", "</think>"}


def test_text_that_is_continued_has_no_marks() -> None:
    script = Scripted(pieces=("<think>", "Hm."))
    answer = list(Conversation(None, script, Wish(SamplerParams())).ask("hi"))
    assert answer == said("<think>", "Hm.")
    assert script.marks == set()


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
        def generate_stream(self, prompt: str, **asked: Any) -> Generator[str, None, None]:
            raise RuntimeError(prompt)
            yield ""

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
    script = Scripted()
    talk = Conversation(None, script, Wish(SamplerParams()))
    list(talk.ask("a"))
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
