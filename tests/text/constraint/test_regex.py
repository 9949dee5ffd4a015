"""Regular expressions: the same texts match as in Python's `re`, where the dialects agree."""

from __future__ import annotations

import re
import warnings

import pytest

from mullama.text.constraint import Compiler, Json
from mullama.text.constraint.formats import FORMATS
from mullama.text.constraint.regex import anything_but, literal, translate
from mullama.text.constraint.regex_parse import RegexError
from tests.text.constraint.vocabulary import SmallVocab, accepts

TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "abc",
    "xay",
    "xa",
    "ax",
    "aab",
    "&",
    "a&b",
    "1",
    "12",
    "a1",
    "A",
    "aB",
]
TEXTS += ["]", "-", "a-b", "a.b", "/", "{", "a{,3}", " ", "\t", "é", "\N{GRINNING FACE}", "x\ny"]
PATTERNS = [
    "a", "^a", "a$", "^a$", "^(a|b)$", "a|^b$", "^a|b$", "(^a|b$)", "(^|x)a", "^(?:ab)+$", "^$", "",
    "^[a-c]{2,3}$", "^a{2}", "b{0}", "^[^a]$", "[\\]]", "^[-a]+$", "^[a-]+$", "^[a&&b]+$",
    "^[a.b-]*$",
    "\\d", "\\W", "\\s", "^\\S+$", "^[\\d\\s]*$", "^[^\\d\\s]+$", "^\\/$", "\\.", "^\\{$", "^{$",
    "\\x61", "\\u0061", "^(?P<n>a)b", "^a*?b$", "^.$", "^a.b$", "(?i)^ab$", "^(?i:A)b$", "\\Aa\\Z",
    "^(?=a)[ab]+$", "^(?=.*1)a", "^(?=a)(?=.b)ab",
]  # fmt: skip


def matches(pattern: str, text: str) -> bool:
    """By Python, of patterns in the engine's dialect, which it reads but for one escape."""
    plain = re.sub(r"\\x\{([0-9a-f]+)\}", lambda m: f"\\U{int(m[1], 16):08x}", pattern)
    plain = plain.replace(r"\p{L}\p{N}\p{M}\p{Pc}", r"\w").replace(r"\p{Nd}", r"\d")
    plain = plain.replace(r"\P{Nd}", r"\D").replace("[[^", "[^").replace("]]", "]")
    return re.fullmatch(plain, text) is not None


@pytest.mark.parametrize("pattern", PATTERNS)
def test_search_as_python_does(pattern: str) -> None:
    found = translate(pattern, search=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python wonders about "&&"
        expected = re.compile(pattern)
    for text in TEXTS:
        mine = all(matches(one, text) for one in found.must)
        assert mine == bool(expected.search(text)), (text, found)


def test_the_narrower_reading_is_taken() -> None:
    assert not matches(translate(r"^\w$", search=True).must[0], "é")  # ECMA-262
    assert not matches(translate(r"^\W$", search=True).must[0], "é")  # Python
    assert not matches(translate(r"^\d$", search=True).must[0], "\N{ARABIC-INDIC DIGIT ONE}")
    assert not matches(translate(r"^\D$", search=True).must[0], "\N{ARABIC-INDIC DIGIT ONE}")
    assert not matches(translate("^.$", search=True).must[0], "\r")


def test_negative_look_ahead_is_kept_apart() -> None:
    found = translate("^(?!ab|x$)[a-x]+$", search=True)
    assert len(found.must) == len(found.must_not) == 1
    assert [text for text in ("ab", "abc", "x") if not matches(found.must_not[0], text)] == []
    assert not matches(found.must_not[0], "xa")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"\bword", r"\b, which an automaton has not"),
        (r"(a)\1", r"\1, which"),
        ("a(?=b)c", "a look-ahead that does not stand at its start"),
        ("(?=a)b", "not anchored"),
        ("(?<=a)b", "look-behind"),
        ("x(^a)", "'^' in its middle"),
        ("a$b", "'$' in its middle"),
        ("[", "never closed"),
        ("[]", "readers disagree"),
        ("[^]a]", "readers disagree"),
        ("a{,3}", "readers disagree"),
        ("(", "never closed"),
        (")", "closes nothing"),
        ("a**", "nothing to repeat"),
        ("a++", "possessive"),
        ("^*", "an anchor or look-ahead that is repeated"),
        ("[b-a]", "no order"),
        ("a{3,2}", "wrong order"),
        ("a{1000000}", "more than"),
        ("((a{1000}){1000}){1000}", "repetitions counted"),
        ("(" * 100, "nested more than"),
        ("a" * 10_001, "10001 characters"),
        ("\\", "backslash at the end"),
        ("\\x6", "hexadecimal"),
        ("\\ud800", "half a surrogate pair"),
        ("\\u{110000}", "beyond Unicode"),
        ("(?x)a", "only i and s"),
    ],
)
def test_what_no_automaton_has_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(RegexError) as caught:
        translate(pattern, search=True)
    assert words in str(caught.value)


def test_a_surrogate_pair_is_one_character() -> None:
    assert matches(translate(r"^\ud83d\ude00$", search=True).must[0], "\N{GRINNING FACE}")


def test_anything_but_some_texts() -> None:
    pattern = anything_but({"", "ab", "abc", "x]"})
    for text in [*TEXTS, "x]", "x]]", "abcd", "x"]:
        plain = pattern.replace("(?s:.)", r"[\s\S]")
        assert matches(plain, text) == (text not in {"", "ab", "abc", "x]"}), text


def test_literals_are_literal() -> None:
    for text in TEXTS:
        assert matches(literal(text), text)


GOOD = {
    "date": "2024-02-29 2000-02-29 0001-01-31 9999-12-31",
    "time": "23:59:59Z 00:00:00.5+05:30",
    "date-time": "2023-02-28T12:00:00Z",
    "duration": "P1Y2M3DT4H5M6S PT5M P3W P1D",
    "email": "a.b+c@example.org x@a-b.co.uk",
    "hostname": "localhost a-b.example.org",
    "ipv4": "0.0.0.0 255.255.255.255 192.168.1.10",
    "ipv6": ":: ::1 1:2:3:4:5:6:7:8 fe80::1:2 1::8",
    "uri": "https://example.org/a?b=c#d mailto:x@y.z urn:isbn:123 http://h:80/",
    "uri-reference": "/a/b ?x #y a/b https://e.org",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "json-pointer": "/a~0b/0 /",
    "relative-json-pointer": "0# 1/a",
    "base64": "YWJj YWI= YQ==",
}
BAD = {
    "date": "2023-02-29 1900-02-29 2024-04-31 0000-01-01 2024-13-01 24-01-01",
    "time": "24:00:00Z 12:60:00Z 12:00:61Z 12:00:00",
    "date-time": "2023-02-29T12:00:00Z 2023-02-28 12:00:00Z",
    "duration": "P PT 1D P1H P1Y1D",
    "email": "a@b @b.org a@.org a..b@c.org",
    "hostname": "-a a- a..b",
    "ipv4": "256.1.1.1 1.2.3 01.2.3.4",
    "ipv6": "::: 1:2:3:4:5:6:7 1::2::3 1:2:3:4:5:6:7:8:9",
    "uri": "/a http http://h:x/",
    "uri-reference": "a:b:c d%",
    "uuid": "123e4567e89b12d3a456426614174000",
    "json-pointer": "a /~2",
    "relative-json-pointer": "/a 01",
    "base64": "YWJ YQ=",
}


@pytest.mark.parametrize("name", GOOD)
def test_formats(name: str, compiler: Compiler) -> None:
    vocab = SmallVocab()
    compiled = compiler.compile(Json(f'{{"type": "string", "format": "{name}"}}'))
    for text in GOOD[name].split():
        assert accepts(compiled.matcher(), vocab, f'"{text}"'), text
    for text in BAD[name].split(" "):
        if name == "uri-reference":
            continue  # hardly anything is none
        assert not accepts(compiled.matcher(), vocab, f'"{text}"'), text


def test_every_format_compiles(compiler: Compiler) -> None:
    for name in FORMATS:
        assert compiler.compile(Json(f'{{"format": "{name}"}}')).loosened == ()


def test_a_host_name_has_a_longest_length(compiler: Compiler) -> None:
    matcher = compiler.compile(Json('{"type": "string", "format": "hostname"}')).matcher()
    assert not accepts(matcher, SmallVocab(), '"' + ".".join(["a"] * 128) + '"')
