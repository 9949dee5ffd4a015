"""One call while it is read: what is known of it, and who gets it.

A call *begins* when its name is known, is one of the tools', and its arguments begin; such as came
before wait for that. From then on everything that arrives is passed on as soon as it is certain.
Until then the source holds what was taken, for the caller to give back as content.
"""

from __future__ import annotations

from typing import Protocol

from mullama.text.source import Source


class Sink(Protocol):
    """Who gets the calls."""

    def call_begins(self, name: str, id: str) -> None: ...
    def call_goes_on(self, text: str) -> None: ...
    def call_ends(self, complete: bool, id: str = "") -> None: ...


class Reading:
    """A call: `name`, `id`, whether it has `begun`, and arguments that are `waiting` for that.

    `literal` is its text so far, for an id that is made of name and number.
    """

    def __init__(self, source: Source, sink: Sink, literal: str = "") -> None:
        self._source = source
        self._sink = sink
        self.literal = literal
        self.name = ""
        self.id = ""
        self.begun = False
        self.waiting: list[str] = []

    def begin(self) -> None:
        """From here on it is a call."""
        self._source.release()
        self._sink.call_begins(self.name, self.id)
        self.begun = True
        for text in self.waiting:
            self._sink.call_goes_on(text)

    def begin_cut(self) -> None:
        """Begin a call whose name is known where the whole text ends; it is not complete."""
        if self.name and self._source.ended and not self._source.n_here:
            self.begin()

    def argue(self, text: str) -> None:
        """More of its arguments."""
        if self.begun:
            self._sink.call_goes_on(text)
        else:
            self.waiting.append(text)

    def end(self, complete: bool) -> None:
        """It is over."""
        self._sink.call_ends(complete, self.id)
