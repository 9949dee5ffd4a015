"""What holds the answers of one model: templates of matchers, made once and kept by content."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from mullama.text.constraint import Compiler, Template
from mullama.text.formats import find_format
from mullama.text.guide import Wanted, guide, tools_of
from mullama.text.syntax import Format
from mullama.text.template import ChatTemplate
from mullama.types import ChatRequest, Constraint, Matcher, ToolMode, Vocab

_MOST = 128  # answers that are kept

_Key = tuple[object, ...]


class Guides:
    """Makes them. Thread-safe."""

    def __init__(self, vocab: Vocab) -> None:
        self._compiler = Compiler(vocab)
        self._lock = Lock()
        self._formats: dict[str, Format] = {}  # by a template's source; a model has two at most
        self._kept: OrderedDict[_Key, Template | None] = OrderedDict()

    def constraint(self, constraint: Constraint) -> Callable[[], Matcher]:
        """Makes matchers for whole answers. Raises InvalidRequest."""
        return self._compiler.compile(constraint).matcher

    def answer(
        self, request: ChatRequest, source: str, opened: str
    ) -> Callable[[], Matcher] | None:
        """Makes matchers for answers that are told apart by the format of a template's `source`.

        Raises InvalidRequest for what can't be enforced.
        """
        key = _key(request, source, opened)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found = self._kept[key]
                return None if found is None else found.matcher
        made = guide(self._compiler, self._answer(request, source, opened))
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return None if made is None else made.matcher

    def _answer(self, request: ChatRequest, source: str, opened: str) -> Wanted:
        format, choice = self._format(source), request.tool_choice
        syntax = format.calls if request.offered else None
        marks = [format.reasoning.open, format.reasoning.close] if format.reasoning else []
        return Wanted(
            format,
            opened,
            thinks=any(mark.strip() and mark.strip() in source for mark in marks),
            tools=tools_of(syntax, request.tools, choice.names) if syntax else (),
            required=choice.mode is ToolMode.REQUIRED,
            parallel=choice.parallel,
            constraint=request.options.constraint,
            budget=request.thinking_budget,
        )

    def _format(self, source: str) -> Format:
        with self._lock:
            if source not in self._formats:
                self._formats[source] = find_format(ChatTemplate(source, bos="", eos=""))
            return self._formats[source]


def _key(request: ChatRequest, source: str, opened: str) -> _Key:
    return (
        json.dumps(request.offered),
        request.tool_choice,
        request.options.constraint,
        request.thinking_budget,
        source,
        opened,
    )
