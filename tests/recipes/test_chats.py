"""What the recipe shows the model is what the chat template writes."""

from __future__ import annotations

from pathlib import Path

import pytest

import recipes.tiny
from mullama.text.template import ChatTemplate
from recipes.tiny.chats import Chat, render
from recipes.tiny.skills import FAMILIES
from recipes.tiny.source import Source

SOURCE = Path(recipes.tiny.__file__).with_name("template.jinja").read_text()
TEMPLATE = ChatTemplate(SOURCE, bos="", eos="<|im_end|>")


def prompt(it: Chat) -> str:
    """What a server would make of all messages but the last."""
    return TEMPLATE.render(
        [message.to_wire() for message in it.messages[:-1]],
        tools=[tool.to_wire() for tool in it.tools] or None,
        add_generation_prompt=True,
        enable_thinking=it.think and bool(it.messages[-1].thought),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_template_writes_the_same_prompt(family: str) -> None:
    source = Source(f"template/{family}")
    for _ in range(4):
        it = FAMILIES[family](source)
        *head, answer, end = render(it)
        assert "".join(segment.text for segment in head) == prompt(it)
        assert answer.trained
        assert answer.text.endswith("<|im_end|>")
        assert (end.text, end.trained) == ("\n", False)


def test_a_corrected_call_is_trained_on_and_the_wrong_one_is_not() -> None:
    for i in range(20):
        it = FAMILIES["tool_retry"](Source(str(i)))
        calls = [segment for segment in render(it) if segment.text.startswith("<tool_call>")]
        assert [segment.trained for segment in calls] == [False, True]
