"""Ids of calls in the forms that templates want, the same for a call and its result.

Some templates insist on nine letters and digits. Others print a call's id in the place of its name,
as the ids that their models write have the name in them: `functions.get_time:0`, with the number of
the call in the conversation.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from mullama.text.messages import Message

_SHORT = 9  # characters of an id, where a template insists on a length


def shorten(message: Message) -> None:
    """Nine letters and digits, the same for the same id."""
    for holder, key in (
        *((call, "id") for call in message.get("tool_calls", ())),
        (message, "tool_call_id"),
    ):
        id = holder.get(key)
        if isinstance(id, str) and not (len(id) == _SHORT and id.isalnum()):
            holder[key] = hashlib.blake2b(id.encode()).hexdigest()[:_SHORT]


def named(messages: Sequence[Message]) -> list[Message]:
    """The messages with names in their ids, those that have them already as they are."""
    n_calls = 0
    latest: dict[str, str] = {}  # a client may use an id again
    for message in messages:
        for call in message.get("tool_calls", ()):
            name, id = call["function"]["name"], str(call["id"])
            if not re.fullmatch(rf"(?:\w+\.)?{re.escape(name)}:\d+", id):
                call["id"] = latest[id] = f"functions.{name}:{n_calls}"
            n_calls += 1
        if message.get("tool_call_id") in latest:
            message["tool_call_id"] = latest[message["tool_call_id"]]
    return [*messages]
