"""The syntax of regular expressions, ECMA-262's and Python's in common: text -> a tree.

A tree's leaves are sets of one character, already in the grammar engine's spelling, in a narrower
and a wider reading where ECMA-262 and Python differ (`regex` says which is taken). What an
automaton can't do is refused here, with its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_DEPTH = 60  # groups within groups
MAX_REPEAT = 100_000


class RegexError(ValueError):
    """What in a pattern can't be taken, and where."""


# ------------------------------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True)
class CharSet:
    """One character: as the engine's class, in the narrower and in the wider reading."""

    narrow: str
    wide: str


@dataclass(frozen=True, slots=True)
class Seq:
    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Alt:
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    node: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Edge:
    """`^` (start) or `$`."""

    start: bool


@dataclass(frozen=True, slots=True)
class Look:
    node: Node
    negative: bool


Node = CharSet | Seq | Alt | Repeat | Edge | Look

ANY = CharSet("[\\x{0}-\\x{10ffff}]", "[\\x{0}-\\x{10ffff}]")
ANYTHING = Repeat(ANY, 0, None)


# ---------------------------------------------------------------------------------- shorthands


_SPACES = r"\t-\r\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_MORE_SPACES = _SPACES + r"\x{feff}\x{1c}-\x{1f}\x{85}"  # of ECMA-262 or of Python alone

# What stands inside the brackets: the narrower reading, the wider one.
_SHORTHANDS = {
    "d": ("0-9", r"\p{Nd}"),
    "D": (r"\P{Nd}", "[^0-9]"),
    "w": ("0-9A-Za-z_", r"\p{L}\p{N}\p{M}\p{Pc}"),
    "W": (r"[^\p{L}\p{N}\p{M}\p{Pc}]", "[^0-9A-Za-z_]"),
    "s": (_SPACES, _MORE_SPACES),
    "S": (f"[^{_MORE_SPACES}]", f"[^{_SPACES}]"),
}
_DOT = CharSet(r"[^\n\r\x{2028}\x{2029}]", r"[^\n]")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}


def char_escape(char: str) -> str:
    return char if char.isascii() and char.isalnum() else f"\\x{{{ord(char):x}}}"


# ------------------------------------------------------------------------------------- parsing

_GROUP = re.compile(r"i?:|=|!|P?<[A-Za-z_]\w*>")  # what may follow "(?"
_CODES = {
    "x": re.compile(r"\{([0-9a-fA-F]{1,6})\}|[0-9a-fA-F]{2}"),
    "u": re.compile(r"\{([0-9a-fA-F]{1,6})\}|[0-9a-fA-F]{4}"),
}
_REPETITION = re.compile(r"[*+?]|\{(\d+)(,?)(\d*)\}|\{,\d+\}")


@dataclass(slots=True)
class Parser:
    """Recursive descent over `text`; `pos` is the next character."""

    text: str
    pos: int = 0
    depth: int = 0
    dot_all: bool = False
    ignore_case: bool = False

    def parse(self) -> Node:
        self._global_flags()
        node = self._alternatives()
        if self.pos < len(self.text):
            raise self._error("a ')' that closes nothing")
        return node

    def _global_flags(self) -> None:
        match = re.match(r"\(\?([a-zA-Z]+)\)", self.text)
        if not match:
            return
        flags = match[1]
        if set(flags) - set("ius"):
            raise self._error(f"flags {flags!r}; only i and s are known")
        self.pos = match.end()
        self.dot_all = "s" in flags
        self.ignore_case = "i" in flags

    def _alternatives(self) -> Node:
        options = [self._sequence()]
        while self._take("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Alt(tuple(options))

    def _sequence(self) -> Node:
        parts = []
        while self.pos < len(self.text) and self.text[self.pos] not in "|)":
            parts.append(self._quantified(self._atom()))
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def _quantified(self, node: Node) -> Node:
        match = _REPETITION.match(self.text, self.pos)
        if not match:
            return node
        if match[0].startswith("{,"):  # text in ECMA-262, a repetition in Python
            raise self._error(f"{match[0]}, which readers disagree on; write {{0{match[0][1:]}")
        if isinstance(node, Edge | Look):
            raise self._error("an anchor or look-ahead that is repeated")
        self.pos = match.end()
        if self._take("+"):
            raise self._error("possessive repetition")
        self._take("?")  # which match is found first makes no difference to a whole one
        low, high = self._bounds(match)
        return Repeat(node, low, high)

    def _bounds(self, match: re.Match[str]) -> tuple[int, int | None]:
        sign = match[0]
        if sign in "*+?":
            return int(sign == "+"), 1 if sign == "?" else None
        low = self._count(match[1])
        high = self._count(match[3]) if match[3] else None if match[2] else low
        if high is not None and high < low:
            raise self._error(f"{sign}, whose bounds are in the wrong order")
        return low, high

    def _count(self, digits: str) -> int:
        if len(digits) > len(str(MAX_REPEAT)) or int(digits) > MAX_REPEAT:
            raise self._error(f"a repetition of more than {MAX_REPEAT}")
        return int(digits)

    def _atom(self) -> Node:
        char = self._next()
        match char:
            case "^" | "$":
                return Edge(char == "^")
            case ".":
                return ANY if self.dot_all else _DOT
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                self.pos -= 1
                raise self._error(f"a {char!r} with nothing to repeat")
        return self._single(char)

    def _group(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error(f"groups nested more than {MAX_DEPTH} deep")
        outer_case = self.ignore_case
        kind = self._group_kind()
        self.ignore_case |= kind == "i:"
        node = self._alternatives()
        if not self._take(")"):
            raise self._error("a '(' that is never closed")
        self.depth -= 1
        self.ignore_case = outer_case
        if kind in ("=", "!"):
            return Look(node, negative=kind == "!")
        # A group keeps its alternatives together.
        return Seq((node,)) if isinstance(node, Alt) else node

    def _group_kind(self) -> str:
        if not self._take("?"):
            return ""
        match = _GROUP.match(self.text, self.pos)
        if not match:
            raise self._error("look-behind, a back reference or another extended group")
        self.pos = match.end()
        return match[0]

    def _class(self) -> Node:
        negated = self._take("^")
        narrow, wide = "", ""
        first = self.pos
        while not self._take("]"):
            item = self._class_item()
            if isinstance(item, str) and self._range_follows():
                self.pos += 1
                end = self._class_item()
                if not isinstance(end, str) or ord(end) < ord(item):
                    raise self._error("a range of characters that has no order")
                item = (f"{char_escape(item)}-{char_escape(end)}",) * 2
            elif isinstance(item, str):
                item = (char_escape(item),) * 2
            narrow, wide = narrow + item[0], wide + item[1]
        if self.pos == first + 1:
            raise self._error("[] or [^], which readers disagree on; write \\]")
        if negated:  # the narrower complement is that of the wider class
            narrow, wide = "^" + wide, "^" + narrow
        return self._set(f"[{narrow}]", f"[{wide}]")

    def _range_follows(self) -> bool:
        return self.text.startswith("-", self.pos) and not self.text.startswith("-]", self.pos)

    def _class_item(self) -> str | tuple[str, str]:
        if self.pos >= len(self.text):
            raise self._error("a '[' that is never closed")
        char = self._next()
        if char != "\\":
            return self._joined(char)
        if self._take("b"):
            return "\b"
        node = self._shorthand()
        return node if node else self._escaped_char()

    def _escape(self) -> Node:
        if self.text[self.pos : self.pos + 1] in ("A", "Z", "z"):  # Python's and Rust's anchors
            return Edge(self._next() == "A")
        shorthand = self._shorthand()
        if shorthand:
            return self._set(f"[{shorthand[0]}]", f"[{shorthand[1]}]")
        return self._single(self._escaped_char())

    def _shorthand(self) -> tuple[str, str] | None:
        char = self.text[self.pos : self.pos + 1]
        if char and char in _SHORTHANDS:
            self.pos += 1
            return _SHORTHANDS[char]
        known = re.compile(r"[pP](\{[A-Za-z_]+(=[A-Za-z_]+)?\}|[LMNPSZC])").match(
            self.text, self.pos
        )
        if not known:
            return None
        self.pos = known.end()
        return ("\\" + known[0],) * 2

    def _escaped_char(self) -> str:
        if self.pos >= len(self.text):
            raise self._error("a backslash at the end")
        char = self._next()
        if char in _CONTROLS and not (char == "0" and self.text[self.pos : self.pos + 1].isdigit()):
            return _CONTROLS[char]
        if char in "xu":
            return self._coded(char)
        if char == "c" and self.text[self.pos : self.pos + 1].isalpha():
            return chr(ord(self._next()) % 32)
        if char.isalnum():
            self.pos -= 2
            raise self._error(f"\\{char}, which an automaton has not or nobody defines")
        return char

    def _coded(self, sign: str) -> str:
        r"""\xHH, \uHHHH (a surrogate pair is one character) or \u{H…}."""
        match = _CODES[sign].match(self.text, self.pos)
        if not match:
            self.pos -= 2
            raise self._error(f"\\{sign} without its hexadecimal digits")
        self.pos = match.end()
        code = int(match[1] or match[0], 16)
        if code > 0x10FFFF:
            raise self._error("a code point beyond Unicode")
        return self._joined(chr(code))

    def _joined(self, char: str) -> str:
        """`char`, or what a surrogate and the one that follows mean together."""
        if not "\ud800" <= char <= "\udfff":
            return char
        low = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})").match(self.text, self.pos)
        if char > "\udbff" or not low:
            raise self._error("half a surrogate pair")
        self.pos = low.end()
        return chr(0x10000 + ((ord(char) - 0xD800) << 10) + int(low[1], 16) - 0xDC00)

    def _single(self, char: str) -> CharSet:
        text = char_escape(self._joined(char))
        return self._set(text, text)

    def _set(self, narrow: str, wide: str) -> CharSet:
        if self.ignore_case:
            return CharSet(f"(?i:{narrow})", f"(?i:{wide})")
        return CharSet(narrow, wide)

    def _next(self) -> str:
        self.pos += 1
        return self.text[self.pos - 1]

    def _take(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.pos)
        self.pos += len(sign) * found
        return found

    def _error(self, what: str) -> RegexError:
        return RegexError(f"it has {what}, at character {min(self.pos, len(self.text)) + 1}")
