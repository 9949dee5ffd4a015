"""Messages as clients write them -> messages in one form, which everything behind relies on.

The form is OpenAI's, with its freedoms taken out: copies of plain JSON without nulls; `content` is
text or a list of parts; earlier thoughts are `reasoning_content`; a call is
`{"id", "type", "function": {"name", "arguments"}}`, where `arguments` is an object or the text of
one; what a tool answered has the role `tool`, and the `tool_call_id` and `name` of its call, in the
order of the calls. What this very template makes of it is `adapt`'s concern.

Nothing is dropped: what can't be said in this form is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mullama.errors import InvalidRequest

Message = dict[str, Any]

SYSTEM = ("system", "developer")  # the roles that give instructions

# Other names under which clients send back what a model thought.
_REASONING = ("reasoning", "thinking")


def plain(value: Any, param: str) -> Any:
    """A deep copy of a JSON-like value. Raises InvalidRequest, naming the field, for others."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # not a subclass's own idea of it
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {_name(key, param): plain(item, param) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, param) for item in value]
    raise InvalidRequest(
        f"{param} holds a value of type {type(value).__name__}; a chat template takes JSON only.",
        param=param,
    )


def normalized(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Copies of the messages in one form. Raises InvalidRequest for what no template could take."""
    copies: list[Any] = plain(list(messages), "messages")
    if not copies:
        raise InvalidRequest("messages is empty; send at least one.", param="messages")
    made = [_message(message, f"messages[{index}]") for index, message in enumerate(copies)]
    return _paired(made)


def flattened(content: str | list[Any]) -> str:
    """Text parts as one text, a line each. Raises InvalidRequest for parts of another type."""
    if isinstance(content, str):
        return content
    for part in content:
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise InvalidRequest(
                f"This model's chat template takes text only, and a message has a part of type "
                f"{kind!r}. Leave it out.",
                param="messages",
            )
    return "\n".join(part["text"] for part in content)


def joined(first: str | list[Any], second: str | list[Any], separator: str) -> str | list[Any]:
    if not first or not second:
        return first or second
    if isinstance(first, str) and isinstance(second, str):
        return first + separator + second
    return [*as_parts(first), *as_parts(second)]


def as_parts(content: str | list[Any]) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _message(message: Any, where: str) -> Message:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise InvalidRequest(
            f"{where} must be an object with a role, such as "
            '{"role": "user", "content": "Hello"}.',
            param="messages",
        )
    made = {key: value for key, value in message.items() if value is not None}
    if not isinstance(made.setdefault("content", ""), (str, list)):
        raise InvalidRequest(f"{where}.content must be text or a list of parts.", param="messages")
    _check_id(made, "tool_call_id", where)
    if made["role"] == "function":
        made["role"] = "tool"
    for name in _REASONING:
        if isinstance(made.get(name), str):
            made.setdefault("reasoning_content", made.pop(name))
    calls = _calls(made, where)
    if calls:
        made["tool_calls"] = calls
    return made


def _calls(message: Message, where: str) -> list[Message]:
    """The message's calls, taken out of it."""
    given = message.pop("tool_calls", [])
    if "function_call" in message:  # before there were several
        given = given or [{"function": message["function_call"]}]
        del message["function_call"]
    if not isinstance(given, list):
        raise InvalidRequest(f"{where}.tool_calls must be a list.", param="messages")
    return [_call(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(given)]


def _call(call: Any, where: str) -> Message:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InvalidRequest(
            f'{where} must be a call such as {{"id": "call_1", "type": "function", '
            '"function": {"name": "now", "arguments": "{}"}}.',
            param="messages",
        )
    _check_id(call, "id", where)
    arguments = function.get("arguments")
    if not isinstance(arguments, (str, dict, type(None))):
        raise InvalidRequest(
            f"{where}.function.arguments must be JSON text or an object.", param="messages"
        )
    function = {**function, "arguments": "{}" if arguments is None else arguments}
    return {**call, "type": "function", "function": function}


def tool_list(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copies of the tools, in OpenAI's form. Raises InvalidRequest for what is none."""
    copies: list[Any] = plain(list(tools), "tools")
    for index, tool in enumerate(copies):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise InvalidRequest(
                f'tools[{index}] must be a function such as {{"type": "function", '
                '"function": {"name": "now", "parameters": {"type": "object"}}}.',
                param="tools",
            )
        tool["function"] = {key: item for key, item in function.items() if item is not None}
    return copies


def _check_id(holder: Message, key: str, where: str) -> None:
    if not isinstance(holder.get(key), (str, type(None))):
        raise InvalidRequest(f"{where}.{key} must be text.", param="messages")


def _paired(messages: list[Message]) -> list[Message]:
    """The messages, where each answer of a tool knows its call, in the order of the calls.

    Many templates print answers without ids, so that only their order says what they answer.
    """
    made: list[Message] = []
    calls: list[Message] = []
    answers: list[Message] = []
    n_calls = 0
    for message in messages:
        if message["role"] == "tool":
            answers.append(message)
            continue
        made += _in_order(answers, calls)
        answers, calls = [], message.get("tool_calls", [])
        seen: set[str] = set()
        for call in calls:
            if not call.get("id") or call["id"] in seen:
                call["id"] = f"call{n_calls:05}"
            seen.add(call["id"])
            n_calls += 1
        made.append(message)
    return made + _in_order(answers, calls)


def _in_order(answers: list[Message], calls: list[Message]) -> list[Message]:
    """The answers with the ids and names of their calls, in the calls' order.

    One whose id is missing or unknown answers the first call that has no answer yet. Where there is
    none it stays as it is, at the end.
    """
    waiting: dict[str, list[int]] = {}
    for place in reversed(range(len(calls))):
        waiting.setdefault(calls[place]["id"], []).append(place)
    named = [waiting.get(answer.get("tool_call_id", "")) for answer in answers]
    found = [places.pop() if places else None for places in named]
    rest = iter(sorted(set(range(len(calls))).difference(found)))
    order = [next(rest, len(calls)) if place is None else place for place in found]
    for place, answer in zip(order, answers, strict=True):
        if place < len(calls):
            answer["tool_call_id"] = calls[place]["id"]
            answer.setdefault("name", calls[place]["function"]["name"])
    return [answers[index] for index in sorted(range(len(answers)), key=order.__getitem__)]


def _name(key: Any, param: str) -> str:
    if not isinstance(key, str):
        raise InvalidRequest(
            f"{param} has a key of type {type(key).__name__}; keys must be text.", param=param
        )
    return str.__str__(key)
