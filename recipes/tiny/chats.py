"""What a skill makes: exchanges and chats, and the text that the model sees of them.

An `Exchange` is one question with its answer; skills that only answer questions make these, so that
others can put them into a conversation, behind a persona, beside tools. A `Chat` is a whole
conversation. Each carries `keys`: what an evaluation must not have in common with the training data
(see `held_out.py`).

`render` is the chat template (`template.jinja`) written in Python, because a million conversations
are rendered; a test holds the two equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    ask: str
    answer: str
    keys: tuple[str, ...]
    thought: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def to_wire(self) -> dict[str, Any]:
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = self.parameters
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str = ""
    thought: str = ""
    calls: tuple[Call, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.thought:
            message["reasoning_content"] = self.thought
        if self.calls:
            message["tool_calls"] = [
                {
                    "type": "function",
                    "id": f"call_{i}",
                    "function": {"name": call.name, "arguments": dict(call.arguments)},
                }
                for i, call in enumerate(self.calls)
            ]
        return message


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation that ends with an answer. `think` is what `enable_thinking` says.

    `trained` False for earlier answers keeps them out of the loss: the wrong call that is to be
    corrected must not be learned.
    """

    messages: tuple[Message, ...]
    keys: tuple[str, ...]
    tools: tuple[Tool, ...] = ()
    think: bool = False
    untrained: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Segment:
    text: str
    trained: bool


def chat(exchange: Exchange, system: str = "", think: bool = False) -> Chat:
    """One exchange as a conversation."""
    thought = exchange.thought if think else ""
    messages = [Message("user", exchange.ask), Message("assistant", exchange.answer, thought)]
    if system:
        messages.insert(0, Message("system", system))
    return Chat(tuple(messages), exchange.keys, think=bool(thought))


def with_system(it: Chat, system: str) -> Chat:
    return replace(it, messages=(Message("system", system), *it.messages)) if system else it


def compact(value: object) -> str:
    """JSON as the template writes it."""
    return json.dumps(value, ensure_ascii=False)


def render(it: Chat) -> list[Segment]:
    """The text of a conversation, in pieces that are trained on and pieces that are not."""
    messages = it.messages
    segments: list[Segment] = []
    system = messages[0].content if messages[0].role == "system" else ""
    if it.tools:
        functions = "".join("\n" + compact(tool.to_wire()["function"]) for tool in it.tools)
        head = f"{system}\n\n" if system else ""
        segments.append(
            Segment(
                f"<|im_start|>system\n{head}# Tools\n<tools>{functions}\n</tools>\n"
                'To call a function, write <tool_call>\n{"name": ..., "arguments": ...}\n'
                "</tool_call><|im_end|>\n",
                False,
            )
        )
    elif system:
        segments.append(Segment(f"<|im_start|>system\n{system}<|im_end|>\n", False))
    last_user = max((i for i, m in enumerate(messages) if m.role == "user"), default=-1)
    for i, message in enumerate(messages):
        if message.role == "system":
            continue
        if message.role == "assistant":
            segments += _answer(it, i, thinks=it.think and i > last_user)
        elif message.role == "tool":
            first = i == 0 or messages[i - 1].role != "tool"
            last = i + 1 == len(messages) or messages[i + 1].role != "tool"
            text = f"\n<tool_response>\n{message.content}\n</tool_response>"
            start = "<|im_start|>user" if first else ""
            segments.append(Segment(start + text + ("<|im_end|>\n" if last else ""), False))
        else:
            segments.append(Segment(f"<|im_start|>user\n{message.content}<|im_end|>\n", False))
    return segments


def _answer(it: Chat, i: int, thinks: bool) -> list[Segment]:
    message = it.messages[i]
    start = "<|im_start|>assistant\n"
    text = message.content
    for n, call in enumerate(message.calls):
        text += "\n" if text or n else ""
        text += f'<tool_call>\n{{"name": "{call.name}", "arguments": '
        text += f"{compact(dict(call.arguments))}}}\n</tool_call>"
    if thinks and message.thought:
        start += "<think>\n"
        text = f"{message.thought}\n</think>\n\n{text}"
    trained = i not in it.untrained
    return [
        Segment(start, False),
        Segment(f"{text}<|im_end|>", trained),
        Segment("\n", False),
    ]
