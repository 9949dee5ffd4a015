"""GBNF -> a grammar of the engine that accepts exactly the same texts.

A GBNF grammar is about characters. The engine first cuts a text into lexemes, each the longest that
fits, and parses these: much faster, but another language where a lexeme may swallow what should
come next (`[a-z]+ "end"`). So:

- A grammar without recursion is one regular expression, and so one lexeme. Nothing can go wrong.
- Otherwise its regular parts (literals, classes, rules without recursion) are taken as lexemes,
  where `lexemes` proves that the longest fit is the only one. One for which the proof fails is
  taken apart into smaller ones, down to single characters, which are always right.

So a grammar may become slower, never another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

from mullama.errors import InvalidRequest
from mullama.text.constraint.gbnf_parse import Alt, Chars, Expr, Ref, Repeat, Seq, TokenRef, parse
from mullama.text.constraint.gbnf_regular import (
    checked,
    children,
    factored,
    inlined,
    refs,
    regex,
    regular_rules,
)
from mullama.text.constraint.grammar import Lark
from mullama.text.constraint.lexemes import Positions, Ranges, check_work, meet, swallows
from mullama.text.constraint.tokens import Tokens

MAX_RULES = 1_000
_ROUNDS = 5  # in which what follows what is usually settled
_MAX_PAIRS = 5_000  # of lexemes that are compared; with more, all are taken apart


def to_grammar(source: str, tokens: Tokens) -> Lark:
    """The grammar of `source`. Raises InvalidRequest for what is no GBNF, or too large."""
    rules = parse(source)
    regular = regular_rules(rules)
    if "root" in regular:
        return Lark(f"%llguidance {{}}\nstart: R\nR: /{regex(regular['root'])}/\n")
    return Lark(_Grammar(rules, regular, tokens).write())


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A lexeme or a token, by its number."""

    n: int


_Node = Expr | _Leaf


@dataclass(slots=True)
class _Ends:
    """What a part of a rule may begin and end with, and whether it may be empty."""

    first: set[int]
    last: set[int]
    nullable: bool


_NOTHING = _Ends(set(), set(), True)


class _Grammar:
    """The rules that are not regular, over lexemes."""

    def __init__(self, rules: dict[str, Expr], regular: dict[str, Expr], tokens: Tokens) -> None:
        self._rules = {name: expr for name, expr in rules.items() if name not in regular}
        if len(self._rules) > MAX_RULES:
            raise InvalidRequest(
                f"The grammar has {len(self._rules)} rules that belong to a recursion; the most is "
                f"{MAX_RULES}."
            )
        self._regular = regular
        self._tokens = tokens
        self._apart: set[Expr] = set()
        self._leaves: dict[Expr, int] = {}
        self._bodies: dict[str, _Node] = {}

    def write(self) -> str:
        """The grammar, once no lexeme is in conflict with another."""
        needs = {
            name: [ref for ref in refs(expr) if ref in self._rules]
            for name, expr in self._rules.items()
        }
        while True:
            self._leaves = {}
            self._bodies = {name: self._build(expr) for name, expr in self._rules.items()}
            wrong = _Conflicts(self._bodies, list(self._leaves), needs).find()
            if not wrong:
                return _Writer(self._bodies, list(self._leaves), self._tokens).write()
            self._apart |= wrong

    def _build(self, expr: Expr) -> _Node:
        """`expr` over leaves: its largest regular parts that are not to be taken apart."""
        if isinstance(expr, TokenRef):
            return self._leaf(expr)
        if self._is_regular(expr):
            return self._leaf(checked(factored(inlined(expr, self._regular))))
        if isinstance(expr, Alt):
            expr = self._gathered(expr)
        return _over(expr, self._build)

    def _gathered(self, expr: Alt) -> Alt:
        """The regular options as one: the fewer lexemes, the better."""
        regular = tuple(filter(self._is_regular, expr.options))
        rest = tuple(option for option in expr.options if not self._is_regular(option))
        return Alt((*rest, Alt(regular))) if len(regular) > 1 else expr

    def _is_regular(self, expr: Expr) -> bool:
        if isinstance(expr, Ref):
            return expr.name in self._regular
        return not isinstance(expr, TokenRef) and all(map(self._is_regular, children(expr)))

    def _leaf(self, expr: Expr) -> _Node:
        if expr in self._apart:
            return _over(expr, self._leaf)
        return _Leaf(self._leaves.setdefault(expr, len(self._leaves)))


def _over(expr: Expr, build: Callable[[Expr], _Node]) -> _Node:
    """`expr` with its parts built anew."""
    match expr:
        case Seq(parts):
            return Seq(tuple(map(build, parts)))  # type: ignore[arg-type]
        case Alt(options):
            return Alt(tuple(map(build, options)))  # type: ignore[arg-type]
        case Repeat(part, low, high):
            return Repeat(build(part), low, high)  # type: ignore[arg-type]
    return expr


class _Conflicts:
    """Lexemes that may be cut where they should not."""

    def __init__(
        self, bodies: dict[str, _Node], leaves: list[Expr], needs: dict[str, list[str]]
    ) -> None:
        """`needs` has, for each rule, those that it refers to."""
        self._bodies = bodies
        self._leaves = leaves
        self._needs = needs
        self._positions = [Positions.of(leaf) for leaf in leaves]
        self._ends = {name: _Ends(set(), set(), False) for name in bodies}
        self._follow: list[set[int]] = [set() for _ in leaves]
        self._n_links = 0

    def find(self) -> set[Expr]:
        """The lexemes to take apart."""
        self._settle()
        following = [
            [span for n in behind for span in self._positions[n].begins()]
            for behind in self._follow
        ]
        return {self._leaves[n] for n in self._rivals(following)}

    def _rivals(self, following: list[list[Ranges]]) -> set[int]:
        """Lexemes that run on where another, begun at the same place, should have ended."""
        pairs = self._together()
        if len(pairs) > _MAX_PAIRS:
            return {n for n, one in enumerate(self._positions) if any(one.after)}
        return {
            longer
            for longer, shorter in pairs
            if any(self._positions[longer].after)
            and swallows(self._positions[longer], self._positions[shorter], following[shorter])
        }

    def _together(self) -> set[tuple[int, int]]:
        """The pairs of lexemes that may begin at the same place of the same text.

        Where two may be the same piece of it, what follows the one may stand where what follows
        the other does.
        """
        check_work(len(self._ends["root"].first) ** 2)
        first = self._ends["root"].first
        todo = list(product(first, first))
        found = set(todo)
        while todo and len(found) <= _MAX_PAIRS:
            a, b = todo.pop()
            check_work(len(self._follow[a]) * len(self._follow[b]))
            if a == b or meet(self._positions[a], self._positions[b]):
                new = set(product(self._follow[a], self._follow[b])) - found
                found |= new
                todo += new
        return found

    def _settle(self) -> None:
        """What each rule begins and ends with, and what follows what, until nothing changes."""
        order = self._order()
        before = None
        while before != (before := self._state()):
            for name in order:
                self._ends[name] = self._read(self._bodies[name])

    def _order(self) -> list[str]:
        """The rules, those that others need before these: then little is left to settle."""
        order: dict[str, None] = {}
        todo = ["root"]
        seen = set(todo)
        while todo:
            new = [name for name in self._needs[todo[-1]] if name not in seen]
            if new:
                seen.add(new[0])
                todo.append(new[0])
            else:
                order[todo.pop()] = None
        return list(order)

    def _state(self) -> int:
        """How much is known; it only grows."""
        sizes = (len(e.first) + len(e.last) + e.nullable for e in self._ends.values())
        return sum(sizes) + sum(map(len, self._follow))

    def _read(self, node: _Node) -> _Ends:
        match node:
            case _Leaf(n):
                return _Ends({n}, {n}, self._positions[n].nullable)
            case Ref(name):
                return self._ends[name]
            case Seq(parts):
                return self._sequence(map(self._read, parts))
            case Alt(options):
                found = [self._read(option) for option in options]
                return _Ends(
                    set().union(*(one.first for one in found)),
                    set().union(*(one.last for one in found)),
                    any(one.nullable for one in found),
                )
            case Repeat(part, low, high):
                ends = self._read(part)
                if high is None or high > 1:
                    self._link(ends.last, ends.first)
                return _Ends(ends.first, ends.last, ends.nullable or low == 0)
        raise AssertionError(node)

    def _sequence(self, parts: Iterable[_Ends]) -> _Ends:
        whole = _NOTHING
        for part in parts:
            self._link(whole.last, part.first)
            whole = _Ends(
                whole.first | part.first if whole.nullable else whole.first,
                whole.last | part.last if part.nullable else part.last,
                whole.nullable and part.nullable,
            )
        return whole

    def _link(self, before: set[int], behind: set[int]) -> None:
        self._n_links += len(before) * len(behind)
        check_work(self._n_links // _ROUNDS)
        for n in before:
            self._follow[n] |= behind


class _Writer:
    """Writes rules over lexemes in the engine's language."""

    def __init__(self, bodies: dict[str, _Node], leaves: list[Expr], tokens: Tokens) -> None:
        self._bodies = bodies
        self._tokens = tokens
        self._names = {name: f"r{n}" for n, name in enumerate(bodies)}
        self._lines = ["%llguidance {}", f"start: {self._names['root']}"]
        self._written = [self._terminal(n, leaf) for n, leaf in enumerate(leaves)]

    def write(self) -> str:
        rules = [f"{self._names[name]}: {self._node(node)}" for name, node in self._bodies.items()]
        return "\n".join([*self._lines, *rules, ""])

    def _terminal(self, n: int, leaf: Expr) -> str:
        if isinstance(leaf, TokenRef):
            return f"<[{'^' if leaf.negated else ''}{self._token(leaf)}]>"
        positions = Positions.of(leaf)
        if not positions.chars:
            return '""'
        text = f"/{regex(leaf)}/"
        if not positions.nullable:
            self._lines.append(f"T{n}: {text}")
            return f"T{n}"
        self._lines.append(f"T{n}: {text} & /(?s:.)+/")  # a lexeme is never empty
        return f"(T{n})?"

    def _token(self, ref: TokenRef) -> int:
        if isinstance(ref.token, int):
            if ref.token < self._tokens.n_tokens:
                return ref.token
        else:
            found = self._tokens.named(ref.token)
            if found is not None:
                return found
        raise InvalidRequest(f"The grammar names {ref.token!r}, which is no token of this model.")

    def _node(self, node: _Node) -> str:
        match node:
            case _Leaf(n):
                return self._written[n]
            case Ref(name):
                return self._names[name]
            case Seq(parts):
                return f"({' '.join(map(self._node, parts))})" if parts else '""'
            case Alt(options):
                return f"({' | '.join(map(self._node, options))})"
            case Repeat(part, low, high):
                return f"({self._node(part)}){{{low},{'' if high is None else high}}}"
            case Chars():
                raise AssertionError("characters are lexemes")
        raise AssertionError(node)
