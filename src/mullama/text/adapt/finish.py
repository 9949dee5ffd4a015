"""One message in the forms that a template prints: its content, calls, ids and thoughts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mullama.text import ids
from mullama.text.arguments import as_object, as_text
from mullama.text.messages import Message, as_parts, flattened, joined
from mullama.text.traits import REASONING_PART, Traits


def finish(message: Message, traits: Traits) -> None:
    """The message's content, calls, ids and thoughts in the forms that the template prints."""
    role = message["role"]
    content = message["content"]
    if not content and not traits.silence and not _has_more(message):
        content = message["content"] = " "
    if isinstance(content, list) and role not in traits.parts:
        message["content"] = flattened(content)
    elif isinstance(content, str) and role not in traits.text and role in traits.parts:
        message["content"] = as_parts(content) if content else []
    if not traits.any_id:
        ids.shorten(message)
    if "tool_calls" in message:
        _finish_calls(message, traits)
    if role == "assistant" and isinstance(message.get("reasoning_content"), str):
        _give_reasoning(message, traits)
    if role == "tool":
        message["role"] = traits.result_role


def _has_more(answer: Message) -> bool:
    return bool(answer.get("tool_calls") or answer.get("reasoning_content"))


def _finish_calls(message: Message, traits: Traits) -> None:
    convert: Callable[[Any], Any] = as_text if traits.arguments == "text" else as_object
    for call in message["tool_calls"]:
        call["function"]["arguments"] = convert(call["function"]["arguments"])
    if not traits.mixed and message["content"] and message.get("reasoning_content"):
        text = flattened(message["content"])
        message["reasoning_content"] = joined(message["reasoning_content"], text, "\n\n")
        message["content"] = ""
    if traits.no_content != "" and not message["content"]:
        message["content"] = traits.no_content


def _give_reasoning(message: Message, traits: Traits) -> None:
    thought = message["reasoning_content"]
    if traits.reasoning == REASONING_PART and thought:
        del message["reasoning_content"]
        part = {"type": "thinking", "thinking": thought}
        message["content"] = [part, *(as_parts(message["content"]) if message["content"] else [])]
    elif traits.reasoning and traits.reasoning != "reasoning_content":
        message[traits.reasoning] = message.pop("reasoning_content")
