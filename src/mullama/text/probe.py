"""What a template takes, found out by rendering known conversations and looking at what came out.

A template says nowhere whether it knows system messages or lists of parts: some refuse them, some
leave them out without a word, some print them as Python would. So each question is a conversation
with marked texts, and the answer is whether the marks are in the prompt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mullama.text.sandbox import TemplateLimit

Message = dict[str, Any]
Render = Callable[[list[Message], bool], str]  # messages; whether `tools` is None or undefined


@dataclass(frozen=True, slots=True)
class Traits:
    """What a template does with a conversation.

    `text`, `parts`: it prints content given as a string, as a list of parts. `system`,
    `developer`: it prints a message of that role, and knows the role. `no_tools`: it runs with
    `tools` set to None; others must find it undefined.
    """

    text: bool = True
    parts: bool = False
    system: bool = True
    developer: bool = False
    no_tools: bool = True


def probe(render: Render, source: str) -> Traits:
    """The traits of the template with this source. Raises TemplateLimit, as any rendering would."""
    text = _message("user")
    parts = {"role": "user", "content": [{"type": "text", "text": "@user@"}]}
    no_tools = any(_prints(render, [user], no_tools=True) for user in (text, parts))

    def takes(*messages: Message) -> bool:
        return _prints(render, list(messages), no_tools=no_tools)

    takes_text = takes(text)
    user = text if takes_text else parts
    # Many templates print any role that they are given; few know this one.
    names_developer = "'developer'" in source or '"developer"' in source
    return Traits(
        text=takes_text,
        parts=takes(parts),
        system=takes(_message("system"), user),
        developer=names_developer and takes(_message("developer"), user),
        no_tools=no_tools,
    )


def _message(role: str) -> Message:
    return {"role": role, "content": f"@{role}@"}


def _prints(render: Render, messages: list[Message], *, no_tools: bool) -> bool:
    """Whether the template runs on the messages and prints the text of each, and not its repr."""
    marks = [f"@{message['role']}@" for message in messages]
    try:
        text = render(messages, no_tools)
    except TemplateLimit:
        raise  # another conversation would end no better
    except Exception:
        return False
    return all(
        mark in text and f"'{mark}'" not in text and f'"{mark}"' not in text for mark in marks
    )
