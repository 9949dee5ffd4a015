"""What holds the answers of one model: templates of matchers, made once and kept by content.

A share of the room becomes a budget here, where it is known whether the model thinks and what its
template knows. It is given to models that would otherwise take no notice of an effort, and is never
less than `LEAST_SHARE` tokens, so that it ends long thoughts and leaves short ones alone.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from mullama.text.constraint import Compiler, Template
from mullama.text.effort import names_in
from mullama.text.formats import find_format
from mullama.text.guide import Wanted, guide, tools_of
from mullama.text.syntax import Format
from mullama.text.template import ChatTemplate
from mullama.types import ChatRequest, Constraint, Matcher, ToolMode, Vocab

LEAST_SHARE = 256  # tokens
_SHARE_BITS = 4  # that differ between two budgets, or each prompt would make a guide of its own
_MOST = 128  # answers that are kept

_Key = tuple[object, ...]


class Guides:
    """Makes them. Thread-safe."""

    def __init__(self, vocab: Vocab) -> None:
        self._compiler = Compiler(vocab)
        self._lock = Lock()
        self._formats: dict[str, Format] = {}  # by a template's source; a model has two at most
        self._kept: OrderedDict[_Key, Template | None] = OrderedDict()

    def prepare(self) -> None:
        """Do now what the first answer would wait for: a second for 152k tokens."""
        _ = self._compiler.tokens

    def constraint(self, constraint: Constraint) -> Callable[[], Matcher]:
        """Makes matchers for whole answers. Raises InvalidRequest."""
        return self._compiler.compile(constraint).matcher

    def answer(
        self, request: ChatRequest, source: str, opened: str, room: int
    ) -> Callable[[], Matcher] | None:
        """Makes matchers for answers that are told apart by the format of a template's `source`.

        There is `room` for so many tokens. Raises InvalidRequest for what can't be enforced.
        """
        budget = self._budget(request, source, room)
        key = _key(request, source, opened, budget)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found = self._kept[key]
                return None if found is None else found.matcher
        made = guide(self._compiler, self._answer(request, source, opened, budget))
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return None if made is None else made.matcher

    def _budget(self, request: ChatRequest, source: str, room: int) -> int | None:
        if request.thinking_budget is not None or request.thinking_share is None:
            return request.thinking_budget
        if names_in(source) or not self._thinks(source):
            return None
        if request.options.max_tokens is not None:
            room = min(room, request.options.max_tokens)
        return share_of(request.thinking_share, room)

    def _thinks(self, source: str) -> bool:
        """Whether a template shows thoughts."""
        reasoning = self._format(source).reasoning
        marks = [reasoning.open.strip(), reasoning.close.strip()] if reasoning else []
        return any(mark and mark in source for mark in marks)

    def _answer(self, request: ChatRequest, source: str, opened: str, budget: int | None) -> Wanted:
        format, choice = self._format(source), request.tool_choice
        syntax = format.calls if request.offered else None
        return Wanted(
            format,
            opened,
            thinks=self._thinks(source),
            tools=tools_of(syntax, request.tools, choice.names) if syntax else (),
            required=choice.mode is ToolMode.REQUIRED,
            parallel=choice.parallel,
            constraint=request.options.constraint,
            budget=budget,
            last_words=request.last_words,
        )

    def _format(self, source: str) -> Format:
        with self._lock:
            if source not in self._formats:
                self._formats[source] = find_format(ChatTemplate(source, bos="", eos=""))
            return self._formats[source]


def share_of(share: float, room: int) -> int | None:
    """A budget that leaves the rest of the room for the answer; None where it would end nothing."""
    n_tokens = max(LEAST_SHARE, int(share * room))
    fine = max(0, n_tokens.bit_length() - _SHARE_BITS)
    budget = n_tokens >> fine << fine
    return budget if budget < room else None


def _key(request: ChatRequest, source: str, opened: str, budget: int | None) -> _Key:
    return (
        json.dumps(request.offered),
        request.tool_choice,
        request.options.constraint,
        request.last_words if budget is not None else "",
        budget,
        source,
        opened,
    )
