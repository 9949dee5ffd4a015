"""Values as models write them -> JSON text, piece by piece, as early as each piece is certain.

A `Dialect` is what may differ from JSON: the quotes, the words for true, false and null, whether
keys stand bare. Whatever the dialect, what comes out is JSON with one space after `:` and `,`.
Small sins are forgiven, as models commit them: raw line breaks inside of strings, escapes that JSON
does not know (`\\d`), a comma before a closing bracket.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from mullama.text.source import Reader, Source

Emit = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs from JSON. `quotes` are tried in order; with `escapes`, `\\` has a meaning."""

    quotes: tuple[str, ...] = ('"',)
    escapes: bool = True
    words: Mapping[str, str] = field(
        default_factory=lambda: {word: word for word in ("true", "false", "null")}
    )
    bare_keys: bool = False
    brackets: Mapping[str, str] = field(default_factory=lambda: {"{": "}", "[": "]"})


class _Next(Enum):
    """What follows in a list or an object: a value, its end, or something that may not."""

    VALUE = "value"
    END = "end"
    BROKEN = "broken"


JSON = Dialect()
PYTHON = Dialect(
    quotes=('"""', "'''", '"', "'"),
    words={**JSON.words, "True": "true", "False": "false", "None": "null"},
    brackets={**JSON.brackets, "(": ")"},
)

# JSON by models that have read much Python.
RELAXED = Dialect(quotes=('"', "'"), words=PYTHON.words)


def braced(quote: str) -> Dialect:
    """Bare keys, and text that is everything between two of these quotes."""
    return Dialect(quotes=(quote, '"'), escapes=quote == '"', bare_keys=True)


def value(source: Source, dialect: Dialect, emit: Emit) -> Reader[bool]:
    """Read one value; False where it is none, with what was read taken and emitted."""
    open_: list[str] = []  # the closing brackets that are to come, innermost last
    while True:
        yield from source.space()
        closing = dialect.brackets.get((yield from source.at(0)))
        if closing:
            source.take(1)
            emit("{" if closing == "}" else "[")
            open_.append(closing)
            follows = yield from _member(source, dialect, emit, closing, "")
        else:
            done = yield from _scalar(source, dialect, emit)
            follows = _Next.END if done else _Next.BROKEN
        while follows is _Next.END and open_:
            follows = yield from _after_value(source, dialect, emit, open_)
        if follows is not _Next.VALUE:
            return follows is _Next.END


def whole(text: str, dialect: Dialect) -> str:
    """The JSON of a text that is one value and no more; "" where it is none."""
    source, pieces = Source(), list[str]()
    source.feed(text.strip())
    source.ended = True  # so the reader waits for nothing
    try:
        next(value(source, dialect, pieces.append))
    except StopIteration as end:
        return "".join(pieces) if end.value and not source.n_here else ""
    raise AssertionError("a reader waits for text behind the end")


def string(source: Source, dialect: Dialect, emit: Emit) -> Reader[bool]:
    """Read one string with its quotes; False where there is none or it never ends."""
    quote = yield from _quote(source, dialect)
    if not quote:
        return False
    source.take(len(quote))
    emit('"')
    if not (yield from _inside(source, dialect, quote, emit)):
        return False
    emit('"')
    return True


def skip(_: str) -> None:
    """Emit to nobody."""


def _member(
    source: Source, dialect: Dialect, emit: Emit, closing: str, comma: str
) -> Reader[_Next]:
    """Come to the next value of the list or object that this bracket closes, if there is one."""
    yield from source.space()
    if (yield from source.at(0)) == closing:
        return _Next.END
    emit(comma)
    if closing == "}":
        if not (yield from _key(source, dialect, emit)):
            return _Next.BROKEN
        yield from source.space()
        if not (yield from source.mark(":")):
            return _Next.BROKEN
        emit(": ")
    return _Next.VALUE


def _after_value(source: Source, dialect: Dialect, emit: Emit, open_: list[str]) -> Reader[_Next]:
    """Close the innermost list or object, or come to its next value."""
    yield from source.space()
    if (yield from source.mark(open_[-1])):
        emit("}" if open_.pop() == "}" else "]")
        return _Next.END
    if not (yield from source.mark(",")):
        return _Next.BROKEN
    return (yield from _member(source, dialect, emit, open_[-1], ", "))


def _key(source: Source, dialect: Dialect, emit: Emit) -> Reader[bool]:
    if (yield from string(source, dialect, emit)):
        return True
    name = (yield from source.run(_BARE_KEY)) if dialect.bare_keys else ""
    if not name:
        return False
    emit(json.dumps(name.rstrip(), ensure_ascii=False))
    return True


def _scalar(source: Source, dialect: Dialect, emit: Emit) -> Reader[bool]:
    if (yield from _quote(source, dialect)):
        return (yield from string(source, dialect, emit))
    word = yield from source.run(_BARE)
    if not (yield from source.at(0)):  # cut: it might have gone on, so it is kept as it is
        emit(word)
        return False
    if _NUMBER.fullmatch(word):
        emit(word)
    elif word in dialect.words:
        emit(dialect.words[word])
    elif word and dialect.bare_keys:  # where keys need no quotes, models leave out others too
        emit(f'"{escaped(word)}"')
    else:
        emit(word)
        return False
    return True


def _quote(source: Source, dialect: Dialect) -> Reader[str]:
    """The quote that stands here, "" for none."""
    for quote in dialect.quotes:
        if (yield from source.stands(quote)):
            return quote
    return ""


def _inside(source: Source, dialect: Dialect, quote: str, emit: Emit) -> Reader[bool]:
    """A string's text and its closing quote."""
    plain = _plain(quote[0], dialect.escapes)
    while found := (yield from source.at(0)):
        text = source.match(plain)
        if text:
            emit(escaped(text))
        elif found == "\\" and dialect.escapes:
            emit((yield from _escape(source)))
        elif found == quote[0] and (yield from source.stands(quote)):
            source.take(len(quote))
            return True
        else:
            emit(escaped(source.take(1)))
    return False


def _escape(source: Source) -> Reader[str]:
    """One escape, as JSON writes it."""
    letter = yield from source.at(1)
    if letter in _HEX:
        digits = ""
        while len(digits) < _HEX[letter]:
            digit = yield from source.at(2 + len(digits))
            if not digit or digit not in "0123456789abcdefABCDEF":
                break
            digits += digit
        if len(digits) == _HEX[letter]:
            source.take(2 + len(digits))
            return "\\u" + digits.rjust(4, "0")
    if letter and letter in '"\\/bfnrt':
        return source.take(2)
    if letter == "'":
        source.take(2)
        return "'"
    source.take(1)
    return "\\\\"


def escaped(text: str) -> str:
    """Text as it stands inside of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1] if _SPECIAL.search(text) else text


_HEX = {"u": 4, "x": 2}
_SPECIAL = re.compile(r'["\\\x00-\x1f]')
_BARE = re.compile(r"""[^\s,:{}\[\]()"'<]+""")
_BARE_KEY = re.compile(r"""[^,:{}\[\]()"'<]+""")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


@lru_cache
def _plain(quote: str, escapes: bool) -> re.Pattern[str]:
    """What can neither end a string nor be an escape."""
    return re.compile(rf"[^{re.escape(quote)}{re.escape(chr(92)) if escapes else ''}]+")
