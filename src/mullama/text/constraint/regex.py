r"""Regular expressions as clients write them -> the one dialect that the grammar engine reads.

Clients write ECMA-262 (JSON Schema's `pattern`) or Python's `re` (the `regex` of structured
outputs); the engine reads Rust's. The three differ where nobody looks: `[a-z&&b]` is three
characters to one and an intersection to another, `.` excludes other line ends, `\w` is ASCII here
and Unicode there, an anchor inside a group is refused. So a pattern is parsed here and written
anew, in a form that means the same everywhere: hexadecimal escapes and explicit ranges.

Rules:

- The result always matches a whole text. A pattern that may be found anywhere (`search`) gets
  `any*` on the sides that have no anchor, alternative by alternative.
- Where the dialects differ the narrower meaning is taken, so that what is written satisfies every
  reader; under a negation that is the wider one.
- A look-ahead at the start (`^(?=.*[0-9])(?!x).{8,}$`) becomes further patterns that the text must
  match, or must not. Elsewhere look-around, back references, `\b` and possessive repetition are
  refused: a finite automaton has none of them.

The size of a pattern is counted in positions (characters, repetitions multiplied out) and bounded,
because its automaton has at least as many states. It does not know JSON, schemas or tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from mullama.text.constraint.regex_parse import (
    ANYTHING,
    Alt,
    CharSet,
    Edge,
    Look,
    Node,
    Parser,
    RegexError,
    Repeat,
    Seq,
    char_escape,
)

MAX_LENGTH = 10_000  # characters of a pattern
MAX_POSITIONS = 200_000


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text matches if it matches all of `must` and none of `must_not`, each as a whole."""

    must: tuple[str, ...]
    must_not: tuple[str, ...] = ()


def translate(pattern: str, *, search: bool) -> Pattern:
    """`pattern` in the engine's dialect; with `search` it may match anywhere in the text.

    Raises RegexError for syntax that is wrong or that no automaton has, and for too large a
    pattern.
    """
    if len(pattern) > MAX_LENGTH:
        raise RegexError(f"it has {len(pattern)} characters; the most is {MAX_LENGTH}")
    node = Parser(pattern).parse()
    size = _size(node)
    if size > MAX_POSITIONS:
        raise RegexError(
            f"it spans up to {size} characters, repetitions counted; the most is {MAX_POSITIONS}"
        )
    node, looks = _leading_looks(node)
    closed = _whole(node, search)
    must = [_emit(closed, wide=False)]
    must_not = []
    for look in looks:
        # A look-ahead says how the text begins, whatever the pattern's own end.
        begin = _anchored(look.node, left=True, right=False)
        if look.negative:
            must_not.append(_emit(begin, wide=True))
        else:
            must.append(_emit(begin, wide=False))
    return Pattern(tuple(must), tuple(must_not))


def literal(text: str) -> str:
    """The pattern, in the engine's dialect, that matches exactly `text`."""
    return "".join(map(char_escape, text))


def anything_but(texts: set[str]) -> str:
    """The pattern that matches every text except `texts`, as a whole."""
    tree: dict[str, dict[str, object]] = {}
    for text in texts:
        node = tree
        for char in text:
            node = node.setdefault(char, {})  # type: ignore[assignment]
        node[""] = {}
    return _complement(tree)


def char_class(ranges: list[tuple[int, int]], *, negated: bool = False) -> str:
    """A class of code points, in the engine's dialect."""
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1] and not negated:
        return char_escape(chr(ranges[0][0]))
    spans = ((char_escape(chr(low)), char_escape(chr(high))) for low, high in ranges)
    inner = "".join(low if low == high else f"{low}-{high}" for low, high in spans)
    return f"[{'^' if negated else ''}{inner}]"


# ------------------------------------------------------------------------- anchors and looks


def _leading_looks(node: Node) -> tuple[Node, list[Look]]:
    """`node` without the look-aheads that follow its first `^`, and these."""
    if not isinstance(node, Seq) or not any(isinstance(part, Look) for part in node.parts):
        return node, []
    parts = list(node.parts)
    edges = 0
    while edges < len(parts) and parts[edges] == Edge(True):
        edges += 1
    end = edges
    while end < len(parts) and isinstance(parts[end], Look):
        end += 1
    if not edges and end:
        raise RegexError("it has a look-ahead that is not anchored by '^'")
    looks = [part for part in parts[edges:end] if isinstance(part, Look)]
    return Seq((*parts[:edges], *parts[end:])), looks


def _whole(node: Node, search: bool) -> Node:
    return _anchored(node, left=not search, right=not search)


def _anchored(node: Node, *, left: bool, right: bool) -> Node:
    """`node` for a whole text: sides that are not anchored take anything beside it."""
    node = _side(node, True, anchored=left)
    node = _side(node, False, anchored=right)
    _check_no_edges(node)
    return node


def _side(node: Node, start: bool, *, anchored: bool) -> Node:
    """`node` with its edges on one side resolved: there are none left at that side."""
    match node:
        case Edge(start=edge) if edge == start:
            return Seq()
        case Alt(options):
            return Seq((Alt(tuple(_side(o, start, anchored=anchored) for o in options)),))
        case Seq(parts) if parts:
            outer = parts[0] if start else parts[-1]
            rest = parts[1:] if start else parts[:-1]
            if outer == Edge(start):
                return _side(Seq(rest), start, anchored=True)
            if isinstance(outer, Alt | Seq) and _has_edge(outer, start):
                inner = _side(outer, start, anchored=anchored)
                return Seq((inner, *rest) if start else (*rest, inner))
    if anchored:
        return node
    return Seq((ANYTHING, node) if start else (node, ANYTHING))


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Seq(parts):
            return parts
        case Alt(options):
            return options
        case Repeat(inner) | Look(inner):
            return (inner,)
    return ()


def _has_edge(node: Node, start: bool) -> bool:
    return node == Edge(start) or any(_has_edge(child, start) for child in _children(node))


def _check_no_edges(node: Node) -> None:
    if isinstance(node, Edge):
        raise RegexError(f"it has a {'^' if node.start else '$'!r} in its middle")
    if isinstance(node, Look):
        raise RegexError("it has a look-ahead that does not stand at its start, after '^'")
    for child in _children(node):
        _check_no_edges(child)


# ------------------------------------------------------------------------------------- writing


def _size(node: Node) -> int:
    """Positions of the automaton: characters, with repetitions multiplied out."""
    match node:
        case CharSet():
            return 1
        case Repeat(inner, low, high):
            return _size(inner) * max(low, high or 1, 1)
    return sum(map(_size, _children(node)))


def _emit(node: Node, *, wide: bool) -> str:
    match node:
        case CharSet(narrow, wider):
            return wider if wide else narrow
        case Seq(parts):
            return "".join(_grouped(part, wide=wide) for part in parts)
        case Alt(options):
            return "|".join(_emit(option, wide=wide) for option in options)
        case Repeat(inner, low, high):
            return f"(?:{_emit(inner, wide=wide)}){_repetition(low, high)}"
    raise AssertionError(node)


def _grouped(node: Node, *, wide: bool) -> str:
    text = _emit(node, wide=wide)
    return f"(?:{text})" if isinstance(node, Alt) else text


def _repetition(low: int, high: int | None) -> str:
    signs = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    return signs.get((low, high)) or f"{{{low},{'' if high is None else high}}}"


def _complement(tree: dict[str, dict[str, object]]) -> str:
    """Every text that does not end at an "" of the tree, written as nested alternatives."""
    known = sorted(char for char in tree if char)
    ranges = [(ord(char), ord(char)) for char in known]
    leaves = f"{char_class(ranges, negated=True)}(?s:.)*" if known else "(?s:.)+"
    options = [leaves]
    options += [char_escape(char) + _complement(tree[char]) for char in known]  # type: ignore[arg-type]
    body = f"(?:{'|'.join(options)})"
    return body if "" in tree else f"{body}?"
