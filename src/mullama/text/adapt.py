"""A conversation -> the same conversation as a template with certain traits takes it.

What a template can't take is said in a form that it can: a system message becomes the beginning of
the user's, a call becomes text, two messages of one role become one. Each step is for one trait and
does nothing for a template that has it, so that a conversation which a template takes is left as it
is. Messages come from `messages.normalized`, and are changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from mullama.text import ids
from mullama.text.arguments import as_object, as_text
from mullama.text.messages import Message, flattened
from mullama.text.syntax import CallSyntax
from mullama.text.toolcalls import hermes
from mullama.text.traits import METADATA, REASONING_PART, Traits

_SYSTEM = ("system", "developer")
_CALL = ("function_name", {"argument_name": "value"})


def adapted(
    messages: list[Message], traits: Traits, tools: Sequence[dict[str, Any]] = ()
) -> list[Message]:
    """The messages as such a template takes them. Changes its argument.

    Tools that the template would leave out are a field of the first system message, where it
    looks for them there, and else described in it.
    Raises InvalidRequest for content that can't be said in text.
    """
    syntax = traits.told or hermes.CALLS
    if tools and not traits.tools:
        if traits.tool_field:
            messages = _with_tools(messages, tools, *traits.tool_field)
        else:
            messages = _described(messages, tools, traits.example or syntax.write([_CALL]))
    in_words = partial(_calls_as_text, syntax=syntax)
    has_tools = bool(tools) and bool(traits.tools or traits.tool_field or traits.functions)
    for has_trait, step in (
        (traits.developer, _developer_as_system),
        (traits.arguments and (has_tools or traits.calls_alone), in_words),
        (traits.several_calls, _one_call_each),
        (traits.calls_beside, _content_apart),
        (traits.results, _results_as_user),
        (traits.orphans, _orphans_as_user),
        (traits.user_after_result, _answer_after_result),
        (traits.systems, _one_system),
        (traits.system, _system_as_user),
        (traits.userless, _with_user),
        (traits.repeats, _merged),
        (traits.assistant_first, _user_first),
        (traits.system_ahead, _system_to_last_user),
        (traits.turns, partial(_as_one, syntax=syntax)),
        (traits.arguments != METADATA, _calls_as_messages),
        (not traits.named_ids, ids.named),
    ):
        if not has_trait:
            messages = step(messages)
    for message in messages:
        _finish(message, traits)
    return _with_functions(messages, tools) if traits.functions else messages


def filled(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool with the description and parameters that a template misses."""
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    function = {**function, "parameters": dict(function.get("parameters") or {})}
    function.setdefault("description", "")
    function["parameters"].setdefault("type", "object")
    function["parameters"].setdefault("properties", {})
    return {**tool, "function": function}


# --------------------------------------------------------------------------- whole conversations


def _described(
    messages: list[Message], tools: Sequence[dict[str, Any]], example: str
) -> list[Message]:
    listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    text = (
        "You can call functions. Their descriptions, as JSON, one a line:\n"
        f"<tools>\n{listed}\n</tools>\n"
        f"To call one, write its name and its arguments exactly in this form:\n{example}"
    )
    first, rest = _system_first(messages)
    return [first | {"content": _joined(first["content"], text, "\n\n")}, *rest]


def _with_tools(
    messages: list[Message], tools: Sequence[dict[str, Any]], field: str, form: str
) -> list[Message]:
    first, rest = _system_first(messages)
    functions = [tool.get("function", tool) for tool in tools]
    given = json.dumps(functions, ensure_ascii=False) if form == "text" else [*map(filled, tools)]
    return [first | {field: given}, *rest]


def _system_first(messages: list[Message]) -> tuple[Message, list[Message]]:
    """The system message that begins the conversation, an empty one if none does, and the rest."""
    if messages[0]["role"] in _SYSTEM:
        return messages[0], messages[1:]
    return {"role": "system", "content": ""}, messages


def _developer_as_system(messages: list[Message]) -> list[Message]:
    for message in messages:
        if message["role"] == "developer":
            message["role"] = "system"
    return messages


def _calls_as_text(messages: list[Message], syntax: CallSyntax) -> list[Message]:
    """Calls as the model would write them, behind what is said beside them."""
    n_calls = 0
    for message in messages:
        functions = [call["function"] for call in message.pop("tool_calls", ())]
        if functions:
            calls = [(one["name"], as_object(one["arguments"])) for one in functions]
            text = syntax.write(calls, n_calls)
            message["content"] = _joined(message["content"], text, "\n")
            n_calls += len(calls)
    return messages


def _calls_as_messages(messages: list[Message]) -> list[Message]:
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


def _one_call_each(messages: list[Message]) -> list[Message]:
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


def _content_apart(messages: list[Message]) -> list[Message]:
    """What is said beside calls as a message of its own, before them."""
    made: list[Message] = []
    for message in messages:
        if message.get("tool_calls") and message["content"]:
            made.append({key: value for key, value in message.items() if key != "tool_calls"})
            message = {"role": "assistant", "content": "", "tool_calls": message["tool_calls"]}
        made.append(message)
    return made


def _results_as_user(messages: list[Message]) -> list[Message]:
    return [_as_user(message) if message["role"] == "tool" else message for message in messages]


def _orphans_as_user(messages: list[Message]) -> list[Message]:
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


def _answer_after_result(messages: list[Message]) -> list[Message]:
    """An empty answer between what a tool said and what the user says then."""
    made: list[Message] = []
    for message in messages:
        if message["role"] == "user" and made and made[-1]["role"] == "tool":
            made.append({"role": "assistant", "content": ""})
        made.append(message)
    return made


def _one_system(messages: list[Message]) -> list[Message]:
    """The system messages that begin it as one, and later ones before the user's next words."""
    n = _n_system(messages)
    first = [message | {"role": messages[0]["role"]} for message in messages[:n]]
    return [*_merged(first), *_system_as_user(messages[n:])]


def _system_as_user(messages: list[Message]) -> list[Message]:
    """System messages put in front of the user message that follows them."""
    kept: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] in _SYSTEM:
            waiting.append(flattened(message["content"]))
            continue
        if waiting and message["role"] == "user":
            message["content"] = _joined("\n".join(waiting), message["content"], "\n")
        elif waiting:
            kept.append({"role": "user", "content": "\n".join(waiting)})
        waiting = []
        kept.append(message)
    if waiting:
        kept.append({"role": "user", "content": "\n".join(waiting)})
    return kept


def _system_to_last_user(messages: list[Message]) -> list[Message]:
    """Instructions in front of the user's last words, where somebody has spoken since: where nobody
    has, it is there that the template puts them."""
    n = _n_system(messages)
    users = [message for message in messages if message["role"] == "user"]
    if not n or not users or messages[-1] is users[-1]:
        return messages
    texts = "\n\n".join(flattened(message["content"]) for message in messages[:n])
    users[-1]["content"] = _joined(texts, users[-1]["content"], "\n\n")
    return messages[n:]


def _merged(messages: list[Message]) -> list[Message]:
    """Messages of one role in a row as one. Calls end a message: what follows them is another."""
    made: list[Message] = []
    for message in messages:
        last = made[-1] if made else {}
        if message["role"] == "tool" or last.get("role") != message["role"] or "tool_calls" in last:
            made.append(message)
            continue
        thoughts = [item.get("reasoning_content") for item in (last, message)]
        last |= message | {"content": _joined(last["content"], message["content"], "\n\n")}
        if any(thoughts):
            last["reasoning_content"] = "\n\n".join(filter(None, thoughts))
    return made


def _with_user(messages: list[Message]) -> list[Message]:
    """A conversation in which the user speaks, if only by giving instructions."""
    if any(message["role"] == "user" for message in messages):
        return messages
    if _n_system(messages) == len(messages):
        return [*messages[:-1], messages[-1] | {"role": "user"}]
    return _user_first(messages)


def _user_first(messages: list[Message]) -> list[Message]:
    n = _n_system(messages)
    if n < len(messages) and messages[n]["role"] == "assistant":
        return [*messages[:n], {"role": "user", "content": ""}, *messages[n:]]
    return messages


def _as_one(messages: list[Message], syntax: CallSyntax) -> list[Message]:
    """A conversation as one message of the user's, which says who spoke."""
    if len(messages) < 2:
        return messages
    spoken = (
        f"{message['role'].capitalize()}: {flattened(message['content'])}"
        for message in _calls_as_text(messages, syntax)
    )
    return [{"role": "user", "content": "\n\n".join(spoken)}]


def _with_functions(messages: list[Message], tools: Sequence[dict[str, Any]]) -> list[Message]:
    """The tools as a message, behind the instructions."""
    listed = [tool.get("function", tool) for tool in tools]
    content = json.dumps(listed, ensure_ascii=False, indent=4)
    n = int(messages[0]["role"] in _SYSTEM)
    return [*messages[:n], {"role": "functions", "content": content}, *messages[n:]]


def _n_system(messages: list[Message]) -> int:
    """How many messages the instructions at the beginning are."""
    spoken = (place for place, item in enumerate(messages) if item["role"] not in _SYSTEM)
    return next(spoken, len(messages))


def _joined(first: str | list[Any], second: str | list[Any], separator: str) -> str | list[Any]:
    if not first or not second:
        return first or second
    if isinstance(first, str) and isinstance(second, str):
        return first + separator + second
    return [*_as_parts(first), *_as_parts(second)]


def _as_parts(content: str | list[Any]) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


# ------------------------------------------------------------------------------- single messages


def _finish(message: Message, traits: Traits) -> None:
    """The message's content, calls, ids and thoughts in the forms that the template prints."""
    role = message["role"]
    content = message["content"]
    if not content and not traits.silence and not _has_more(message):
        content = message["content"] = " "
    if isinstance(content, list) and role not in traits.parts:
        message["content"] = flattened(content)
    elif isinstance(content, str) and role not in traits.text and role in traits.parts:
        message["content"] = _as_parts(content) if content else []
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
        message["reasoning_content"] = _joined(message["reasoning_content"], text, "\n\n")
        message["content"] = ""
    if traits.no_content != "" and not message["content"]:
        message["content"] = traits.no_content


def _give_reasoning(message: Message, traits: Traits) -> None:
    thought = message["reasoning_content"]
    if traits.reasoning == REASONING_PART and thought:
        del message["reasoning_content"]
        part = {"type": "thinking", "thinking": thought}
        message["content"] = [part, *(_as_parts(message["content"]) if message["content"] else [])]
    elif traits.reasoning and traits.reasoning != "reasoning_content":
        message[traits.reasoning] = message.pop("reasoning_content")
