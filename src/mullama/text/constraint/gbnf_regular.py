"""The regular part of a GBNF grammar: the rules without recursion, each as one expression.

Rules are put in place of their names, which can multiply them: so their size is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

from mullama.errors import InvalidRequest
from mullama.text.constraint.gbnf_parse import Alt, Chars, Expr, Ref, Repeat, Seq, TokenRef
from mullama.text.constraint.regex import char_class

MAX_SIZE = 20_000  # characters and classes, where rules are put in place of their names
MAX_NESTING = 100  # of expressions, likewise


def regular_rules(rules: dict[str, Expr]) -> dict[str, Expr]:
    """The rules without recursion and tokens, with no names left in them."""
    done: dict[str, Expr] = {}
    users: dict[str, list[str]] = {name: [] for name in rules}
    waits = {}
    for name, expr in rules.items():
        needed = set(refs(expr))
        waits[name] = len(needed) + _has_token(expr)  # a token is never done
        for ref in needed:
            users[ref].append(name)
    ready = [name for name, n in waits.items() if not n]
    while ready:
        name = ready.pop()
        done[name] = checked(inlined(rules[name], done))  # in order, so that none is deep
        for user in users[name]:
            waits[user] -= 1
            if not waits[user]:
                ready.append(user)
    return done


def inlined(expr: Expr, regular: dict[str, Expr]) -> Expr:
    match expr:
        case Ref(name):
            return regular[name]
        case Seq(parts):
            return Seq(tuple(inlined(part, regular) for part in parts))
        case Alt(options):
            return Alt(tuple(inlined(option, regular) for option in options))
        case Repeat(part, low, high):
            return Repeat(inlined(part, regular), low, high)
    return expr


def factored(expr: Expr) -> Expr:
    """`expr` with the common beginnings of alternatives taken out, as of words in a list."""
    match expr:
        case Seq(parts):
            return Seq(tuple(map(factored, parts)))
        case Repeat(part, low, high):
            return Repeat(factored(part), low, high)
        case Alt(options):
            tails: dict[Expr, list[Expr]] = {}
            for option in options:
                head, tail = _beginning(option)
                tails.setdefault(head, []).append(tail)
            found = tuple(_joined(head, rest) for head, rest in tails.items())
            return found[0] if len(found) == 1 else Alt(found)
    return expr


def _beginning(expr: Expr) -> tuple[Expr, Expr]:
    if isinstance(expr, Seq) and expr.parts:
        head, *rest = expr.parts
        if isinstance(head, Seq):  # a literal that begins a sequence
            head, tail = _beginning(head)
            rest = [tail, *rest] if tail != Seq() else rest
        return head, rest[0] if len(rest) == 1 else Seq(tuple(rest))
    return expr, Seq()


def _joined(head: Expr, tails: list[Expr]) -> Expr:
    tail = factored(tails[0] if len(tails) == 1 else Alt(tuple(dict.fromkeys(tails))))
    return factored(head) if tail == Seq() else Seq((factored(head), tail))


def checked(expr: Expr) -> Expr:
    level, size = [expr], 0
    for _ in range(MAX_NESTING):
        size += len(level)
        if size > MAX_SIZE or not level:
            break
        level = [inner for outer in level for inner in children(outer)]
    if level:
        raise InvalidRequest(
            f"The grammar is too large when its rules are written out: the most is {MAX_SIZE} "
            f"characters and classes, and {MAX_NESTING} levels."
        )
    return expr


def children(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Seq(inner) | Alt(inner):
            return inner
        case Repeat(part):
            return (part,)
    return ()


def refs(expr: Expr) -> Iterator[str]:
    """The names of the rules that `expr` refers to."""
    if isinstance(expr, Ref):
        yield expr.name
    for inner in children(expr):
        yield from refs(inner)


def _has_token(expr: Expr) -> bool:
    return isinstance(expr, TokenRef) or any(map(_has_token, children(expr)))


def regex(expr: Expr) -> str:
    match expr:
        case Chars(ranges):
            return char_class(list(ranges))
        case Seq(parts):
            return "".join(map(regex, parts))
        case Alt(options):
            return f"(?:{'|'.join(map(regex, options))})"
        case Repeat(part, low, high):
            return f"(?:{regex(part)}){{{low},{'' if high is None else high}}}"
    raise AssertionError(expr)
