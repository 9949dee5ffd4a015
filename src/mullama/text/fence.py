"""Takes a Markdown fence off an answer that is to be nothing but JSON.

    ```json
    {"amount": 123.45}
    ```

Incremental, `feed` and `finish`. An answer without an opening fence loses only the white space at
its ends, which is no part of any JSON.
"""

from __future__ import annotations

import re

_OPENING = re.compile(r"\s*```[ \t]*(?:json|JSON)?[ \t]*\n")
_MAY_OPEN = re.compile(r"\s*(?:`{0,3}|```[ \t]*(?:j|js|jso|json|J|JS|JSO|JSON)?[ \t]*)\Z")


class Fence:
    """`feed` gives what is certain of the text between the fences."""

    def __init__(self) -> None:
        self._held = ""
        self._blank: list[str] = []  # white space after what is held
        self._begun = False
        self._fenced = False

    def feed(self, text: str) -> str:
        if self._begun and not text.strip():
            self._blank.append(text)
            return ""
        self._held += "".join(self._blank) + text
        self._blank = []
        if not self._begun:
            self._held = self._held.lstrip()
            if _MAY_OPEN.match(self._held):
                return ""
            self._begun = True
            opening = _OPENING.match(self._held)
            self._fenced = bool(opening)
            self._held = self._held[opening.end() :] if opening else self._held
        end = _tail(self._held, self._fenced)
        certain, self._held = self._held[:end], self._held[end:]
        return certain

    def finish(self) -> str:
        rest, self._held = self._held, ""
        if self._fenced and rest.strip() == "```":
            return ""
        return rest.rstrip()


def _tail(text: str, fenced: bool) -> int:
    """Where the end that may be white space, or the closing fence, begins."""
    end = len(text.rstrip())
    if fenced:
        while end and text[end - 1] == "`":
            end -= 1
        end = len(text[:end].rstrip())
    return end
