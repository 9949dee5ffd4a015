"""Free text with a budget is closed where that is fit, and left alone where it ends by itself."""

from __future__ import annotations

import pytest

from mullama.text.constraint import Compiler, Lazy, Text
from mullama.text.constraint.combine import End
from mullama.text.constraint.lazy import Budget, LazyFollower
from tests.text.constraint.vocabulary import SmallVocab, allowed

CLOSE = "\n</t>\n\n"


def thought(compiler: Compiler, n_tokens: int) -> Lazy:
    """Free text up to </t>, then "x"."""
    tokens, then = compiler.tokens, compiler.compile(Text("x"))
    in_line, at_line = (tuple(tokens.written(text)) for text in (CLOSE, CLOSE.lstrip()))
    budget = Budget(n_tokens, in_line, at_line, then)
    return Lazy(tokens, {"</t>": then}, required=True, again=False, budget=budget)


def cut(lazy: Lazy, said: str) -> str:
    """What of `said`, a token for each byte, is written before the closing, and the closing."""
    matcher = lazy.matcher()
    data = said.encode()
    for place, byte in enumerate(data):
        forced = matcher.forced()
        if forced:
            assert allowed(matcher, lazy.tokens.n_tokens) == forced[:1]
            closing = b"".join(lazy.tokens.pieces[token] for token in forced)
            return (data[:place] + b"|" + closing).decode()
        matcher.accept(byte)
    return said


@pytest.mark.parametrize("n_tokens", [0, 1, 5])
def test_the_text_is_closed_where_its_budget_ends(compiler: Compiler, n_tokens: int) -> None:
    assert cut(thought(compiler, n_tokens), "abcdefgh") == "abcdefgh"[:n_tokens] + "|" + CLOSE


@pytest.mark.parametrize("character", ["é", "€", "😀"])
def test_a_character_is_not_cut(compiler: Compiler, character: str) -> None:
    size = len(character.encode())
    for n_tokens in range(2, size + 1):
        assert cut(thought(compiler, n_tokens), f"a{character}bc") == f"a{character}|{CLOSE}"


def test_what_is_no_character_at_all_does_not_go_on_for_ever(compiler: Compiler) -> None:
    matcher = thought(compiler, 2).matcher()
    n = 0
    while not matcher.forced():
        matcher.accept(0xE2)
        n += 1
    assert n < 12


def test_a_mark_that_is_being_written_is_completed(compiler: Compiler) -> None:
    matcher = thought(compiler, 3).matcher()
    for byte in b"ab</":
        assert not matcher.forced()
        matcher.accept(byte)
    assert not matcher.forced()
    for byte in b"t>":
        matcher.accept(byte)
    assert allowed(matcher, compiler.tokens.n_tokens) == [ord("x")]


def test_a_text_that_ended_its_line_gets_no_empty_one(compiler: Compiler) -> None:
    assert cut(thought(compiler, 3), "ab\ncd") == "ab\n|</t>\n\n"


def test_a_sentence_may_end_a_little_later(compiler: Compiler) -> None:
    assert cut(thought(compiler, 40), "a" * 42 + ". And more") == "a" * 42 + ".|" + CLOSE
    assert cut(thought(compiler, 40), "a" * 39 + ". And more") == "a" * 39 + ".|" + CLOSE
    assert cut(thought(compiler, 40), "a" * 60) == "a" * 45 + "|" + CLOSE


def test_a_text_that_ends_by_itself_is_as_free_as_without_a_budget(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    with_budget = thought(compiler, 40)
    then = compiler.compile(Text("x"))
    without = Lazy(compiler.tokens, {"</t>": then}, required=True, again=False)
    matchers = with_budget.matcher(), without.matcher()
    for token in [*vocab.tokenize("Well. This is all\nthere is"), *b"</t>x"]:
        one, other = matchers
        assert one.mask() == other.mask()
        assert one.forced() == other.forced()
        for matcher in matchers:
            matcher.accept(token)
    assert all(matcher.done for matcher in matchers)


def test_it_goes_back_over_the_closing(compiler: Compiler) -> None:
    matcher = thought(compiler, 2).matcher()
    tokens = [*b"ab", *compiler.tokens.written(CLOSE), ord("x")]
    masks = []
    for token in tokens:
        masks.append(matcher.mask())
        matcher.accept(token)
    assert matcher.done
    for back in range(1, len(tokens) + 1):
        matcher.rollback(back)
        assert matcher.mask() == masks[-back]
        assert matcher.count_allowed(tokens[-back:]) == back
        copy = matcher.clone()
        for token in tokens[-back:]:
            matcher.accept(token)
            copy.accept(token)
        assert copy.done


def within(compiler: Compiler, n_tokens: int, *, again: bool) -> LazyFollower:
    """Words in which there may be thoughts (<t>…</t>), and calls (<c>x)."""
    tokens, end = compiler.tokens, End(compiler.tokens)
    written = tuple(tokens.written("</t>"))
    budget = Budget(n_tokens, written, written, end)
    inner = Lazy(tokens, {"</t>": end}, again=False, budget=budget)
    call = compiler.compile(Text("x"))
    return Lazy(tokens, {"<t>": inner, "<c>": call}, again=again, aside=["<t>"]).matcher()


def write(matcher: LazyFollower, text: str) -> None:
    for byte in text.encode():
        assert not matcher.done
        matcher.accept(byte)


def test_all_thoughts_of_an_answer_have_one_budget(compiler: Compiler) -> None:
    matcher = within(compiler, 14, again=True)
    write(matcher, "a<t>123456</t>b<t>1")  # with its mark the first thought has ten
    for byte in b"23.":
        assert not matcher.forced()
        matcher.accept(byte)
        matcher.rollback(1)
        matcher.accept(byte)
    assert matcher.forced() == compiler.tokens.written("</t>")


def test_a_thought_does_not_count_where_nothing_may_follow_a_call(compiler: Compiler) -> None:
    matcher = within(compiler, 40, again=False)
    write(matcher, "<t>hm</t>words<t>so</t><c>x")
    assert matcher.done
    closed = within(compiler, 2, again=False)
    write(closed, "<t>hm</t>words")
    assert closed.can_end
    assert not closed.done


def test_what_is_free_ahead_ends_where_a_thought_may(compiler: Compiler, vocab: SmallVocab) -> None:
    tokens = compiler.tokens
    matcher = Lazy(tokens, {"</t>": End(tokens)}, again=False).matcher()
    draft = [*vocab.tokenize("so on"), *b"</t>"]
    assert matcher.count_free(draft) == len(draft) - 1
    assert matcher.count_free(draft[:3]) == 3
    limited = thought(compiler, 2).matcher()
    assert limited.count_free([*b"abc"]) == 0  # it can't end yet, so not everything may come
