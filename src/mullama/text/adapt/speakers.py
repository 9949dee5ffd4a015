"""Who speaks when, as templates take it that refuse some roles, or an order of them.

Each function takes and gives a whole conversation, and may change its messages.
"""

from __future__ import annotations

from mullama.text.adapt.calls import calls_as_text
from mullama.text.messages import SYSTEM, Message, flattened, joined
from mullama.text.syntax import CallSyntax


def developer_as_system(messages: list[Message]) -> list[Message]:
    for message in messages:
        if message["role"] == "developer":
            message["role"] = "system"
    return messages


def one_system(messages: list[Message]) -> list[Message]:
    """The system messages that begin it as one, and later ones before the user's next words."""
    n = _n_system(messages)
    first = [message | {"role": messages[0]["role"]} for message in messages[:n]]
    return [*merged(first), *system_as_user(messages[n:])]


def system_as_user(messages: list[Message]) -> list[Message]:
    """System messages put in front of the user message that follows them."""
    kept: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] in SYSTEM:
            waiting.append(flattened(message["content"]))
            continue
        if waiting and message["role"] == "user":
            message["content"] = joined("\n".join(waiting), message["content"], "\n")
        elif waiting:
            kept.append({"role": "user", "content": "\n".join(waiting)})
        waiting = []
        kept.append(message)
    if waiting:
        kept.append({"role": "user", "content": "\n".join(waiting)})
    return kept


def system_to_last_user(messages: list[Message]) -> list[Message]:
    """Instructions in front of the user's last words, where somebody has spoken since: where nobody
    has, it is there that the template puts them."""
    n = _n_system(messages)
    users = [message for message in messages if message["role"] == "user"]
    if not n or not users or messages[-1] is users[-1]:
        return messages
    texts = "\n\n".join(flattened(message["content"]) for message in messages[:n])
    users[-1]["content"] = joined(texts, users[-1]["content"], "\n\n")
    return messages[n:]


def merged(messages: list[Message]) -> list[Message]:
    """Messages of one role in a row as one. Calls end a message: what follows them is another."""
    made: list[Message] = []
    for message in messages:
        last = made[-1] if made else {}
        if message["role"] == "tool" or last.get("role") != message["role"] or "tool_calls" in last:
            made.append(message)
            continue
        thoughts = [item.get("reasoning_content") for item in (last, message)]
        last |= message | {"content": joined(last["content"], message["content"], "\n\n")}
        if any(thoughts):
            last["reasoning_content"] = "\n\n".join(filter(None, thoughts))
    return made


def with_user(messages: list[Message]) -> list[Message]:
    """A conversation in which the user speaks, if only by giving instructions."""
    if any(message["role"] == "user" for message in messages):
        return messages
    if _n_system(messages) == len(messages):
        return [*messages[:-1], messages[-1] | {"role": "user"}]
    return user_first(messages)


def user_first(messages: list[Message]) -> list[Message]:
    n = _n_system(messages)
    if n < len(messages) and messages[n]["role"] == "assistant":
        return [*messages[:n], {"role": "user", "content": ""}, *messages[n:]]
    return messages


def as_one(messages: list[Message], syntax: CallSyntax) -> list[Message]:
    """A conversation as one message of the user's, which says who spoke."""
    if len(messages) < 2:
        return messages
    spoken = (
        f"{message['role'].capitalize()}: {flattened(message['content'])}"
        for message in calls_as_text(messages, syntax)
    )
    return [{"role": "user", "content": "\n\n".join(spoken)}]


def _n_system(messages: list[Message]) -> int:
    """How many messages the instructions at the beginning are."""
    spoken = (place for place, item in enumerate(messages) if item["role"] not in SYSTEM)
    return next(spoken, len(messages))
