"""GBNF: what is read, what is refused with its place, and that the same texts are accepted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mullama.errors import InvalidRequest
from mullama.text.constraint import Compiled, Compiler
from mullama.text.constraint.gbnf_parse import Alt, Chars, Expr, Ref, Repeat, Seq, parse
from mullama.types import Constraint, ConstraintKind
from tests.text.constraint.vocabulary import CALL, Endless, SmallVocab, accepts, walk

JSON = r"""
# JSON, as llama.cpp has it
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws (
    value            # a value
    ("," ws value)*
  )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
"""


# In the manner of those that people keep beside llama.cpp.
KEPT = {
    "a list": (
        "root ::= item+\n\n# no line ends within an item\n"
        'item ::= "- " [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ "\\n"',
        ["- one\n- two, three\n"],
        ["- one", "-one\n", "- a\u2028b\n"],
    ),
    "sums": (
        'root ::= (sum "=" ws part "\\n")+\nsum ::= part ([-+*/] ws part)*\n'
        'part ::= name | digits | "(" ws sum ")" ws\nname ::= [a-z] [a-z0-9_]* ws\n'
        "digits ::= [0-9]{1,9} ws\nws ::= [ \\t]*",
        ["x_1 + (2*y) = 7\n", "a=b\n1 = 1\n"],
        ["1 + = 2\n", "(1 = 1\n", "1 = 1"],
    ),
    "sums, left-recursive": (
        'root ::= sum\nsum ::= sum "+" digits | digits\ndigits ::= [0-9]+',
        ["1", "1+22+3"],
        ["+1", "1+"],
    ),
    "a game": (
        'root ::= ([1-9] [0-9]? ". " move (" " move)? "\\n"){1,99}\n'
        'move ::= (piece | pawn | castle) [+#]?\npiece ::= [NBKQR] [a-h]? [1-8]? "x"? square\n'
        'pawn ::= ([a-h] "x")? square ("=" [NBQR])?\ncastle ::= "O-O" "-O"?\n'
        "square ::= [a-h] [1-8]",
        ["1. e4 e5\n2. Nf3 Nc6\n3. O-O-O exd8=Q+\n"],
        ["1. e9\n", "1. Nf3 Nc6", "1. O-O-O-O\n"],
    ),
    "kana": (
        "root ::= word+ ([ \\t\\n] word+)*\nword ::= [ぁ-ゟ] | [ァ-ヿ] | [\\u3001-\\u303e]",
        ["ひらがな カタカナ、"],
        ["latin", "ひ  か"],
    ),
}


def gbnf(source: str) -> Constraint:
    return Constraint(ConstraintKind.GBNF, source, param="grammar")


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        ('root ::= "a" "b"', ["ab"], ["a", "abc", ""]),
        ('root ::= [a-c]+ | "é\\u65e5\\x41"', ["abcc", "é日A"], ["d", "é日"]),
        ('root ::= "\\U0001F600" [^a-z\\n]', ["😀A", "😀日"], ["😀a", "😀\n"]),
        ('root ::= "x"{2} "y"{1,} "z"{0,2}', ["xxyyzz", "xxy"], ["xyz", "xxyzzz"]),
        ('root ::= ("a" | "b")? .', ["ac", "\n", "bb"], ["", "abc"]),
        (
            "root ::= item (\n  item # twice\n)\nitem ::= [-+] |\n [x\\]\\-]",
            ["-x", "]-"],
            ["x", "y"],
        ),
        ('root ::= "a"\n  | "b"', ["a", "b"], ["ab"]),
        ("root ::= [a-]", ["a", "-"], ["b"]),
        ('root ::= a "end"\na ::= [a-z]* | "(" a ")"', ["xend", "(end)end", "end"], ["xen", "("]),
        ('root ::= "<" root | "<=" root | "=x" root | ""', ["<=x", "<=<", "=x<"], ["<x", "="]),
        ('root ::= "(" root ")" root | ""', ["(()())()", ""], ["(()", ")("]),
        (JSON, ['{"a": [1.5e3,true ,{}] }', "{ }"], ['{"a"}', "[]", "{,}"]),
    ],
)
def test_a_grammar_accepts_what_it_says(
    source: str, good: list[str], bad: list[str], compiler: Compiler, vocab: SmallVocab
) -> None:
    compiled = compiler.compile(gbnf(source))
    for text in good:
        assert accepts(compiled.matcher(), vocab, text), text
    for text in bad:
        assert not accepts(compiled.matcher(), vocab, text), text


@pytest.mark.parametrize("name", KEPT)
def test_a_grammar_that_is_kept_beside_a_model(
    name: str, compiler: Compiler, vocab: SmallVocab
) -> None:
    source, good, bad = KEPT[name]
    compiled = compiler.compile(gbnf(source))
    for text in good:
        assert accepts(compiled.matcher(), vocab, text), text
    for text in bad:
        assert not accepts(compiled.matcher(), vocab, text), text


def test_tokens_by_text_and_by_number(compiler: Compiler, vocab: SmallVocab) -> None:
    source = f"root ::= {CALL} rest <[{vocab.call}]>\nrest ::= !{CALL}*"
    matcher = compiler.compile(gbnf(source)).matcher()
    matcher.accept(vocab.call)
    for token in vocab.tokenize("any text"):
        matcher.accept(token)
    assert not matcher.done
    matcher.accept(vocab.call)
    assert matcher.done


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "no rule 'root'"),
        ('start ::= "a"', "no rule 'root', where it would begin. Its rules are: start."),
        ('root ::= root "a"', "a way out of its recursion"),
        ('root ::= "a', "line 1, column 10, a literal"),
        ('root ::= "a"\nroot ::= "b"', "line 2, column 1, the rule 'root' is defined twice"),
        ('root ::= "a"\n\nb ::= missing', "line 3, column 7, the rule 'missing' is used"),
        ('root ::= ("a"', "line 1, column 10, a '(' is never closed"),
        ('root ::= "a")', "line 1, column 13, ')' is out of place"),
        ('root ::= "\\q"', "line 1, column 13, the escape \\q"),
        ('root ::= "\\u12"', "line 1, column 13, the escape \\u"),
        ('root ::= "\\ud800"', "U+D800 is no character"),
        ("root ::= [z-a]", "ends before it begins"),
        ("root ::= []", "an empty class"),
        ("root ::= *", "nothing that '*' could repeat"),
        ('root ::= "a"{2', "a repetition is written"),
        ('root ::= "a"{3,2}', "wrong order"),
        ('root ::= "a"{99999999}', "a number up to"),
        ("root = x", "line 1, column 6, '::=' is missing"),
        ("root ::= <[5", "a token is written"),
        ("root ::= <[x]>", "names no token"),
        ('root ::= "(" root ")"', "has an end"),
        ("root ::= <no such token here>", "no token of this model"),
        ("root ::= <[99999999]>", "no token of this model"),
        ("root ::= " + "(" * 100, "nested more than"),
        ("root ::= " + "a" * 300_000, "the most is"),
        (
            "root ::= a0 a0\n"
            + "\n".join(f"a{i} ::= a{i + 1} a{i + 1}" for i in range(30))
            + '\na30 ::= "x"',
            "too large",
        ),
        (
            "root ::= a0\n"
            + "\n".join(f'a{i} ::= "(" a{i + 1}' for i in range(500))
            + '\na500 ::= "x"',
            "too large",
        ),
    ],
)
def test_what_is_no_gbnf_is_refused_with_its_place(
    source: str, words: str, compiler: Compiler
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        compiler.compile(gbnf(source))
    assert words in caught.value.message
    assert caught.value.param == "grammar"


def ends(expr: Expr, text: str, start: int, rules: dict[str, Expr]) -> set[int]:
    """Where `expr`, begun at `start`, can end: the language's definition, by characters."""
    match expr:
        case Chars(ranges):
            inside = start < len(text) and any(a <= ord(text[start]) <= b for a, b in ranges)
            return {start + 1} if inside else set()
        case Ref(name):
            return ends(rules[name], text, start, rules)
        case Alt(options):
            return set().union(*(ends(option, text, start, rules) for option in options))
        case Seq(parts):
            places = {start}
            for part in parts:
                places = {end for place in places for end in ends(part, text, place, rules)}
            return places
        case Repeat(part, low, high):
            return repeated(part, low, high, text, start, rules)
    raise AssertionError(expr)


def repeated(
    part: Expr, low: int, high: int | None, text: str, start: int, rules: dict[str, Expr]
) -> set[int]:
    places, found = {start}, set()
    for n in range((len(text) + 2 if high is None else high) + 1):
        if n >= low:
            found |= places
        places = {end for place in places for end in ends(part, text, place, rules)}
    return found


def random_grammar(rng: random.Random) -> str:
    """Rules over few characters, so that they get in each other's way; no left recursion."""

    def item(depth: int) -> str:
        kinds = ["literal", "literal", "class", "rule"]
        kind = rng.choice(kinds + ["group", "repeat"] * (depth > 0))
        match kind:
            case "literal":
                return f'"{"".join(rng.choices("ab=<", k=rng.randint(1, 3)))}"'
            case "class":
                return rng.choice(["[ab]", "[a-b=]", "[^a]", "[=<]"])
            case "rule":
                return rng.choice(['"(" root ")"', "word", '"<" more'])
            case "group":
                return f"({alternatives(depth - 1)})"
        return f"({sequence(depth - 1)}){rng.choice(['*', '+', '?', '{1,2}'])}"

    def sequence(depth: int) -> str:
        return " ".join(item(depth) for _ in range(rng.randint(1, 3)))

    def alternatives(depth: int) -> str:
        return " | ".join(sequence(depth) for _ in range(rng.randint(1, 3)))

    more = rng.choice(['"" | "=" more', '"a" more | word', "[ab]*"])
    word = rng.choice(["[ab]+", '"a" | "ab" | "="', '("ab")* "a"?'])
    return f"root ::= {alternatives(2)}\nword ::= {word}\nmore ::= {more}"


def texts(rng: random.Random) -> Iterator[str]:
    for _ in range(40):
        yield "".join(rng.choices("ab=<()", k=rng.randint(0, 7)))


def walks(compiled: Compiled, vocab: SmallVocab, rng: random.Random) -> Iterator[str]:
    """Short texts that a grammar allows; none where it is endlessly ambiguous."""
    for _ in range(3):
        with suppress(InvalidRequest, Endless):
            text = walk(compiled.matcher(), vocab, rng, most=40)
            if len(text) < 15:
                yield text


def test_lexemes_change_no_grammar(compiler: Compiler, vocab: SmallVocab) -> None:
    n_accepted = 0
    for seed in range(120):
        rng = random.Random(seed)
        source = random_grammar(rng)
        rules = parse(source)
        try:
            compiled = compiler.compile(gbnf(source))
        except InvalidRequest:
            assert not any(ends(rules["root"], text, 0, rules) for text in texts(rng))
            continue
        candidates = list(texts(rng))
        # What walks write is accepted by definition; random texts seldom are.
        candidates += walks(compiled, vocab, rng)
        for text in candidates:
            expected = len(text) in ends(rules["root"], text, 0, rules)
            assert accepts(compiled.matcher(), vocab, text) == expected, (source, text)
            n_accepted += expected
    assert n_accepted > 200
