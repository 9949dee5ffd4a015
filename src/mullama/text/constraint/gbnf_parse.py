r"""GBNF, llama.cpp's language of grammars: text -> rules of expressions.

    root ::= greeting ("," [ \t]* name){1,3} <|end|>   # a comment
    name ::= [a-zA-Z]+ | "\u00e9" | !<think>

All of the language: literals, classes and `.`, escapes (\n \r \t \\ \" \[ \] \- \xHH \uHHHH
\UHHHHHHHH), `* + ? {m} {m,} {m,n}`, groups, alternatives, references, comments, and tokens by text
or by number, also negated. A rule ends with its line, but inside of parentheses and around `|`.

Source: grammars/README.md and src/llama-grammar.cpp of llama.cpp. Expressions are over characters;
what a token's text means is left to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mullama.errors import InvalidRequest

MAX_DEPTH = 60  # groups within groups
MAX_REPEAT = 100_000
MAX_LENGTH = 200_000  # characters of a grammar
_LAST = 0x10FFFF
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"} | {char: char for char in '\\"[]-'}
_HEX = {"x": 2, "u": 4, "U": 8}
_SIGNS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


@dataclass(frozen=True, slots=True)
class Chars:
    """One character, of these inclusive ranges of code points: sorted, none touching another."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Seq:
    parts: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Alt:
    options: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: Expr
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Ref:
    """The rule of that name."""

    name: str


@dataclass(frozen=True, slots=True)
class TokenRef:
    """One token, by its text in angle brackets or by its number; with `negated` any other."""

    token: str | int
    negated: bool


Expr = Chars | Seq | Alt | Repeat | Ref | TokenRef


def parse(source: str) -> dict[str, Expr]:
    """The rules by name. Raises InvalidRequest, with line and column, for what is not GBNF."""
    if len(source) > MAX_LENGTH:
        raise InvalidRequest(f"The grammar has {len(source)} characters; the most is {MAX_LENGTH}.")
    return _Parser(source).parse()


def chars(ranges: Iterable[tuple[int, int]], *, negated: bool = False) -> Chars:
    """The character class of `ranges`, in any order."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    if not negated:
        return Chars(tuple(merged))
    starts = [0, *(high + 1 for _, high in merged)]
    ends = [*(low - 1 for low, _ in merged), _LAST]
    return Chars(tuple((a, b) for a, b in zip(starts, ends, strict=True) if a <= b))


@dataclass(slots=True)
class _Parser:
    text: str
    pos: int = 0
    depth: int = 0
    opened: int = 0  # where the literal or class that is being read begins
    rules: dict[str, Expr] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)  # where a name is first referred to

    def parse(self) -> dict[str, Expr]:
        self._space(newlines=True)
        while self.pos < len(self.text):
            self._rule()
        if "root" not in self.rules:
            known = ", ".join([*self.rules][:5]) or "none"
            raise InvalidRequest(
                f"The grammar has no rule 'root', where it would begin. Its rules are: {known}."
            )
        for name, pos in self.used.items():
            if name not in self.rules:
                self.pos = pos
                raise self._error(f"the rule {name!r} is used and nowhere defined")
        return self.rules

    def _rule(self) -> None:
        start = self.pos
        name = self._name()
        self._space()
        if not self._take("::="):
            raise self._error("'::=' is missing")
        if name in self.rules:
            self.pos = start
            raise self._error(f"the rule {name!r} is defined twice")
        self._space(newlines=True)
        self.rules[name] = self._alternatives(nested=False)
        if self.pos < len(self.text) and self.text[self.pos] not in "\r\n":
            raise self._error(f"{self.text[self.pos]!r} is out of place")
        self._space(newlines=True)

    def _alternatives(self, *, nested: bool) -> Expr:
        options = [self._sequence(nested=nested)]
        while self._bar():
            self._space(newlines=True)
            options.append(self._sequence(nested=nested))
        return options[0] if len(options) == 1 else Alt(tuple(options))

    def _bar(self) -> bool:
        """Takes a '|', which may stand on the next line."""
        start = self.pos
        self._space(newlines=True)
        if self._take("|"):
            return True
        self.pos = start
        return False

    def _sequence(self, *, nested: bool) -> Expr:
        parts: list[Expr] = []
        while self.pos < len(self.text):
            char = self.text[self.pos]
            if char in "*+?{":
                if not parts:
                    raise self._error(f"there is nothing that {char!r} could repeat")
                parts[-1] = self._repeated(parts[-1])
            elif char in "|)\r\n":
                break
            else:
                parts.append(self._item(char))
            self._space(newlines=nested)
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def _item(self, char: str) -> Expr:
        match char:
            case '"':
                return self._literal()
            case "[":
                return self._class()
            case "(":
                return self._group()
            case "." if self._take("."):
                return Chars(((0, _LAST),))
            case "<" | "!":
                return self._token()
        start = self.pos
        name = self._name()
        self.used.setdefault(name, start)
        return Ref(name)

    def _literal(self) -> Expr:
        self.opened = self.pos
        self.pos += 1
        found = []
        while not self._take('"'):
            code = self._char()
            found.append(Chars(((code, code),)))
        return found[0] if len(found) == 1 else Seq(tuple(found))

    def _class(self) -> Expr:
        self.opened = self.pos
        self.pos += 1
        negated = self._take("^")
        ranges = []
        while not self._take("]"):
            low = high = self._char()
            if self.text.startswith("-", self.pos) and not self.text.startswith("-]", self.pos):
                self.pos += 1
                high = self._char()
            if high < low:
                raise self._error("a range of characters ends before it begins")
            ranges.append((low, high))
        if not ranges and not negated:
            raise self._error("an empty class of characters matches nothing")
        return chars(ranges, negated=negated)

    def _group(self) -> Expr:
        start = self.pos
        self.pos += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error(f"parentheses are nested more than {MAX_DEPTH} deep")
        self._space(newlines=True)
        inner = self._alternatives(nested=True)
        if not self._take(")"):
            self.pos = start
            raise self._error("a '(' is never closed")
        self.depth -= 1
        return inner

    def _token(self) -> Expr:
        negated = self._take("!")
        end = self.text.find(">", self.pos)
        if end < 0 or not self._take("<"):
            raise self._error("a token is written <text> or <[number]>")
        name, self.pos = self.text[self.pos : end], end + 1
        if name.startswith("["):
            number = name[1:-1]
            if not (name.endswith("]") and number.isascii() and number.isdigit()):
                raise self._error(f"<{name}> names no token")
            return TokenRef(int(number[:10]), negated)
        return TokenRef(f"<{name}>", negated)

    def _repeated(self, part: Expr) -> Expr:
        char = self.text[self.pos]
        self.pos += 1
        if char in _SIGNS:
            return Repeat(part, *_SIGNS[char])
        self._space(newlines=True)
        low = self._count()
        high: int | None = low
        if self._take(","):
            self._space(newlines=True)
            high = None if self.text.startswith("}", self.pos) else self._count()
        if not self._take("}"):
            raise self._error("a repetition is written {m}, {m,} or {m,n}")
        if high is not None and high < low:
            raise self._error("a repetition's bounds are in the wrong order")
        return Repeat(part, low, high)

    def _count(self) -> int:
        start = self.pos
        while self.text[self.pos : self.pos + 1].isdecimal():
            self.pos += 1
        digits = self.text[start : self.pos]
        if not digits or len(digits) > len(str(MAX_REPEAT)) or int(digits) > MAX_REPEAT:
            raise self._error(f"a repetition is a number up to {MAX_REPEAT}")
        self._space(newlines=True)
        return int(digits)

    def _char(self) -> int:
        if self.pos >= len(self.text):
            self.pos = self.opened
            raise self._error("a literal or class of characters is never closed")
        char = self.text[self.pos]
        self.pos += 1
        return ord(char) if char != "\\" else self._escape()

    def _escape(self) -> int:
        kind = self.text[self.pos : self.pos + 1]
        self.pos += 1
        if kind in _ESCAPES:
            return ord(_ESCAPES[kind])
        size = _HEX.get(kind, 0)
        digits = self.text[self.pos : self.pos + size]
        if not size or len(digits) < size or not all(c in "0123456789abcdefABCDEF" for c in digits):
            raise self._error(f"the escape \\{kind} is not known, or lacks its digits")
        self.pos += size
        code = int(digits, 16)
        if code > _LAST or 0xD800 <= code < 0xE000:
            raise self._error(f"U+{code:04X} is no character")
        return code

    def _name(self) -> str:
        start = self.pos
        while self.pos < len(self.text) and _is_word(self.text[self.pos]):
            self.pos += 1
        if self.pos == start:
            raise self._error(f"{self.text[start : start + 1]!r} is out of place")
        return self.text[start : self.pos]

    def _space(self, *, newlines: bool = False) -> None:
        spaces = " \t\r\n" if newlines else " \t"
        while self.pos < len(self.text):
            if self.text[self.pos] == "#":
                end = self.text.find("\n", self.pos)
                self.pos = end if end >= 0 else len(self.text)
            elif self.text[self.pos] in spaces:
                self.pos += 1
            else:
                return

    def _take(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.pos)
        self.pos += len(sign) * found
        return found

    def _error(self, what: str) -> InvalidRequest:
        line = self.text.count("\n", 0, self.pos) + 1
        column = self.pos - self.text.rfind("\n", 0, self.pos)
        return InvalidRequest(f"The grammar is not GBNF: in line {line}, column {column}, {what}.")


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in "-_")
