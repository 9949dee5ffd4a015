"""How each model writes its answers, found when its first conversation arrives, and kept.

A format is found by rendering a dozen conversations with the model's template, which takes 10 to
50 ms; so a thread does it, once. The template comes from the model's header, so this needs no
worker. It knows nothing of requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from threading import Lock

from mullama.text.reading import answer_format, conversations
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
        self._known: dict[tuple[str, str | None, bool], Known] = {}
        self._lock = Lock()

    async def find(self, info: ModelInfo, *, tools: bool) -> Known | None:
        """The format of a model's answers to conversations with or without tools.

        None where the model has no template, and so no conversations.
        """
        template = conversations(info, tools=tools)
        if not template:
            return None
        known = self._known.get((template, info.response_schema, tools))
        return known or await asyncio.to_thread(self._find, template, info.response_schema, tools)

    def _find(self, template: str, schema: str | None, tools: bool) -> Known:
        with self._lock:
            if (template, schema, tools) not in self._known:
                format = answer_format(template, schema)
                for key, one in ((True, format), (False, replace(format, calls=None))):
                    self._known[template, schema, key] = Known(one, tuple(sorted(one.marks)))
            return self._known[template, schema, tools]
