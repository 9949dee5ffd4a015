"""Messages as clients write them -> messages that this very template understands.

Templates differ in what they take: content as text or as a list of parts, a system message or
none, the role `developer` or only `system`. `probe` finds out what one takes; the functions here
rewrite a conversation for it. Nothing is dropped: what can't be said is refused. Everything works
on copies that hold plain JSON and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text.probe import Message, Traits


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


def checked(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Copies of the messages. Raises InvalidRequest for what no template could take."""
    copies: list[Message] = plain(list(messages), "messages")
    if not copies:
        raise InvalidRequest("messages is empty; send at least one.", param="messages")
    for index, message in enumerate(copies):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InvalidRequest(
                f"messages[{index}] must be an object with a role, such as "
                '{"role": "user", "content": "Hello"}.',
                param="messages",
            )
        content = message.setdefault("content", "")
        if content is None:
            message["content"] = ""
        elif not isinstance(content, (str, list)):
            raise InvalidRequest(
                f"messages[{index}].content must be text or a list of parts.", param="messages"
            )
    return copies


def adapted(messages: list[Message], traits: Traits) -> list[Message]:
    """The messages as a template with these traits takes them. Changes its argument."""
    for message in messages:
        if message["role"] == "developer" and not traits.developer:
            message["role"] = "system"
        message["content"] = _content(message["content"], traits)
    return messages if traits.system else _without_system(messages)


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


def _content(content: str | list[Any], traits: Traits) -> str | list[Any]:
    if isinstance(content, list):
        return content if traits.parts else flattened(content)
    if traits.text or not traits.parts:
        return content
    return [{"type": "text", "text": content}]


def _without_system(messages: list[Message]) -> list[Message]:
    """System messages put in front of the user message that follows them."""
    kept: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "system":
            waiting.append(flattened(message["content"]))
            continue
        if waiting and message["role"] != "user":
            kept.append({"role": "user", "content": "\n".join(waiting)})
            waiting = []
        elif waiting:
            message["content"] = "\n".join([*waiting, flattened(message["content"])])
            waiting = []
        kept.append(message)
    if waiting:
        kept.append({"role": "user", "content": "\n".join(waiting)})
    return kept


def _name(key: Any, param: str) -> str:
    if not isinstance(key, str):
        raise InvalidRequest(
            f"{param} has a key of type {type(key).__name__}; keys must be text.", param=param
        )
    return str.__str__(key)
