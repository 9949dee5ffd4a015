"""How each model writes its answers, found when its first conversation arrives, and kept.

A format is found by rendering a dozen conversations with the model's template, which takes 10 to
50 ms; so a thread does it, once. The template comes from the model's header, so this needs no
worker. It knows nothing of requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from threading import Lock

from mullama.text.syntax import Format
from mullama.types import ModelInfo


@dataclass(frozen=True, slots=True)
class Known:
    """A model's format, and the marks that its reader must see."""

    format: Format
    marks: tuple[str, ...]


class Formats:
    """The formats of all models, by their templates and response schemas."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, bool], Known] = {}
        self._lock = Lock()

    async def find(self, info: ModelInfo, *, tools: bool) -> Known | None:
        """The format of a model's answers to conversations with or without tools.

        None where the model has no template, and so no conversations.
        """
        source = (info.tool_template if tools else None) or info.chat_template
        if not source:
            return None
        schema = info.response_schema or ""
        known = self._known.get((source, schema, tools))
        return known or await asyncio.to_thread(self._find, source, schema, tools)

    def _find(self, source: str, schema: str, tools: bool) -> Known:
        # Not for a server without conversations: importing Jinja takes 14 MB.
        from mullama.text.formats import find_format, with_response
        from mullama.text.template import ChatTemplate

        with self._lock:
            if (source, schema, tools) not in self._known:
                format = find_format(ChatTemplate(source, bos="", eos=""))
                if schema:
                    format = with_response(format, schema)
                for key, one in ((True, format), (False, replace(format, calls=None))):
                    self._known[source, schema, key] = Known(one, tuple(sorted(one.marks)))
            return self._known[source, schema, tools]
