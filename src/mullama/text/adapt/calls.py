"""Calls and what tools answered, as templates take them that know the one or the other only so far.

Each function takes and gives a whole conversation, and may change its messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mullama.text.arguments import as_object, as_text
from mullama.text.messages import Message, flattened, joined
from mullama.text.syntax import CallSyntax
from mullama.text.traits import METADATA


def calls_as_text(messages: list[Message], syntax: CallSyntax) -> list[Message]:
    """Calls as the model would write them, behind what is said beside them."""
    n_calls = 0
    for message in messages:
        functions = [call["function"] for call in message.pop("tool_calls", ())]
        if functions:
            calls = [(one["name"], as_object(one["arguments"])) for one in functions]
            text = syntax.write(calls, n_calls)
            message["content"] = joined(message["content"], text, "\n")
            n_calls += len(calls)
    return messages


def calls_as_messages(messages: list[Message]) -> list[Message]:
    """Each call as a message of its own, behind what is said beside them."""
    made: list[Message] = []
    for message in messages:
        functions = [call["function"] for call in message.pop("tool_calls", ())]
        if message["content"] or not functions:
            made.append(message)
        made += [
            {"role": "assistant", METADATA: one["name"], "content": as_text(one["arguments"])}
            for one in functions
        ]
    return made


def one_call_each(messages: list[Message]) -> list[Message]:
    """Several calls of one message as several messages, each followed by its own answers."""
    made: list[Message] = []
    for message, answers in _turns(messages):
        calls = message.get("tool_calls", [])
        if len(calls) < 2:
            made += [message, *answers]
            continue
        called = [call["id"] for call in calls]
        for call in calls:
            made.append(message | {"tool_calls": [call]})
            made += [one for one in answers if one.get("tool_call_id") == call["id"]]
            message = {"role": "assistant", "content": ""}
        made += [one for one in answers if one.get("tool_call_id") not in called]
    return made


def _turns(messages: list[Message]) -> Iterator[tuple[Message, list[Message]]]:
    """Each message with the answers of tools that follow it."""
    start = 0
    for end in range(1, len(messages) + 1):
        if end == len(messages) or messages[end]["role"] != "tool":
            yield messages[start], messages[start + 1 : end]
            start = end


def content_apart(messages: list[Message]) -> list[Message]:
    """What is said beside calls as a message of its own, before them."""
    made: list[Message] = []
    for message in messages:
        if message.get("tool_calls") and message["content"]:
            made.append({key: value for key, value in message.items() if key != "tool_calls"})
            message = {"role": "assistant", "content": "", "tool_calls": message["tool_calls"]}
        made.append(message)
    return made


def results_as_user(messages: list[Message]) -> list[Message]:
    return [_as_user(message) if message["role"] == "tool" else message for message in messages]


def orphans_as_user(messages: list[Message]) -> list[Message]:
    """Results whose calls are missing, as in conversations that were cut at their beginning."""
    made: list[Message] = []
    known: set[Any] = set()
    for message in messages:
        if message["role"] != "tool":
            known = {call["id"] for call in message.get("tool_calls", ())}
        elif message.get("tool_call_id") not in known:
            message = _as_user(message)
        made.append(message)
    return made


def _as_user(result: Message) -> Message:
    text = flattened(result["content"])
    return {"role": "user", "content": f"<tool_response>\n{text}\n</tool_response>"}


def answer_after_result(messages: list[Message]) -> list[Message]:
    """An empty answer between what a tool said and what the user says then."""
    made: list[Message] = []
    for message in messages:
        if message["role"] == "user" and made and made[-1]["role"] == "tool":
            made.append({"role": "assistant", "content": ""})
        made.append(message)
    return made
