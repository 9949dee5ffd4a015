"""Constraints that take hold after a trigger, wherever in a token the trigger ends."""

from __future__ import annotations

import json
import random

import pytest

from mullama.errors import InvalidRequest
from mullama.text.constraint import Choice, Compiler, Json, Lazy, Seq, Text, Words
from tests.text.constraint.vocabulary import CALL, SmallVocab, allowed

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
)


@pytest.fixture(scope="module")
def calls(compiler: Compiler) -> Lazy:
    """Free text, in which each <tool_call> is followed by JSON and </tool_call>."""
    body = compiler.compile(Seq((Text("\n"), Json(SCHEMA), Text("</tool_call>"))))
    return compiler.lazy({"<tool_call>": body})


def mark(vocab: SmallVocab, *texts: str) -> list[int]:
    return [token for text in texts for token in vocab.tokenize(text)]


def test_the_model_is_free_until_the_trigger(calls: Lazy, vocab: SmallVocab) -> None:
    matcher = calls.matcher()
    for token in [*mark(vocab, "any text {"), vocab.call]:
        assert matcher.mask() is None
        assert matcher.forced() == []
        assert matcher.can_end
        matcher.accept(token)


def test_the_trigger_starts_the_constraint(calls: Lazy, vocab: SmallVocab) -> None:
    matcher = calls.matcher()
    for token in mark(vocab, "text <tool_call", ">"):
        matcher.accept(token)
    assert allowed(matcher, vocab.n_tokens) == [ord("\n")]
    assert not matcher.can_end
    assert vocab.detokenize(matcher.forced()).startswith("\n")


def test_a_token_may_end_the_trigger_and_begin_what_follows(calls: Lazy, vocab: SmallVocab) -> None:
    matcher = calls.matcher()
    (both,) = mark(vocab, ">\n")
    for token in [*mark(vocab, "<tool_call"), both]:
        assert token in allowed(matcher, vocab.n_tokens)
        matcher.accept(token)
    assert ord("\n") not in allowed(matcher, vocab.n_tokens)
    assert mark(vocab, '{"')[0] in allowed(matcher, vocab.n_tokens)


def test_a_token_that_goes_on_wrongly_is_masked_where_it_would_end_the_trigger(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    lazy = compiler.lazy({"<tool_call>": compiler.compile(Text("x"))})
    matcher = lazy.matcher()
    (both,) = mark(vocab, ">\n")
    (tail,) = mark(vocab, "call>")
    assert matcher.mask() is None  # harmless here
    for token in mark(vocab, "<tool", "_call"):
        matcher.accept(token)
    assert both not in allowed(matcher, vocab.n_tokens)
    assert ord(">") in allowed(matcher, vocab.n_tokens)
    assert tail in allowed(matcher, vocab.n_tokens)
    with pytest.raises(InvalidRequest, match="ends a trigger"):
        matcher.accept(both)


def test_the_text_is_free_again_after_a_call(calls: Lazy, vocab: SmallVocab) -> None:
    matcher = calls.matcher()
    for text in ('<tool_call>\n{"a": 1}</tool_call>', " and ", '<tool_call>\n{"a": 2}</tool_call>'):
        for token in mark(vocab, text):
            assert token in allowed(matcher, vocab.n_tokens)
            matcher.accept(token)
    assert matcher.mask() is None
    assert matcher.can_end
    assert not matcher.done


def test_only_one_where_no_other_may_follow(compiler: Compiler, vocab: SmallVocab) -> None:
    lazy = compiler.lazy({"<": compiler.compile(Words(("a>", "b>")))}, again=False)
    matcher = lazy.matcher()
    for token in mark(vocab, "x<", "a", ">"):
        assert not matcher.done
        matcher.accept(token)
    assert matcher.done
    assert set(allowed(matcher, vocab.n_tokens)) == vocab.eog


def test_a_required_one_holds_the_end_back(compiler: Compiler, vocab: SmallVocab) -> None:
    lazy = compiler.lazy({"</think>": compiler.compile(Json(SCHEMA))}, required=True, again=False)
    matcher = lazy.matcher()
    for token in mark(vocab, "I think so.</"):
        assert not vocab.eog & set(allowed(matcher, vocab.n_tokens))
        assert not matcher.can_end
        matcher.accept(token)
    for token in mark(vocab, "think", ">", '{"a": 12}'):
        matcher.accept(token)
    assert matcher.done


def test_a_special_token_can_be_a_trigger(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.lazy({CALL: compiler.compile(Text("x"))}).matcher()
    matcher.accept(vocab.call)
    assert allowed(matcher, vocab.n_tokens) == [ord("x")]


def test_the_trigger_that_ends_first_counts(compiler: Compiler, vocab: SmallVocab) -> None:
    one, two = compiler.compile(Text("1")), compiler.compile(Text("2"))
    matcher = compiler.lazy({"abab": one, "ba": two}).matcher()
    for char in "aba":
        matcher.accept(ord(char))
    assert allowed(matcher, vocab.n_tokens) == [ord("2")]
    again = compiler.lazy({"aa": one, "aab": two}).matcher()
    for char in "xaa":
        again.accept(ord(char))
    assert allowed(again, vocab.n_tokens) == [ord("1")]


def test_a_trigger_within_one_token(compiler: Compiler, vocab: SmallVocab) -> None:
    lazy = compiler.lazy({"hin": compiler.compile(Text("k!"))})
    matcher = lazy.matcher()
    (think,) = mark(vocab, "think")
    matcher.accept(think)
    assert allowed(matcher, vocab.n_tokens) == [ord("!")]
    refusing = compiler.lazy({"hin": compiler.compile(Text("g"))}).matcher()
    assert think not in allowed(refusing, vocab.n_tokens)


def test_triggers_within_triggers(compiler: Compiler, vocab: SmallVocab) -> None:
    inner = compiler.lazy({"<call>": compiler.compile(Text("x"))})
    matcher = compiler.lazy({"</think>": inner}, required=True, again=False).matcher()
    for token in mark(vocab, "<call>", "free", "</think", ">"):
        matcher.accept(token)
    assert matcher.mask() is None
    assert matcher.can_end
    for token in mark(vocab, "ok <call", ">"):
        matcher.accept(token)
    assert allowed(matcher, vocab.n_tokens) == [ord("x")]


def test_rollback_over_triggers_and_ends(calls: Lazy, vocab: SmallVocab) -> None:
    text = 'a <tool_call>\n{"a": 1}</tool_call> b <tool_call>\n{"a": 20}</tool_call>'
    tokens = mark(vocab, text)
    masks = []
    matcher = calls.matcher()
    for token in tokens:
        masks.append(matcher.mask())
        matcher.accept(token)
    rng = random.Random(0)
    place = len(tokens)
    for _ in range(60):
        back = rng.randint(0, place)
        matcher.rollback(back)
        place -= back
        assert place == len(tokens) or matcher.mask() == masks[place]
        ahead = rng.randint(0, len(tokens) - place)
        draft = tokens[place : place + ahead]
        assert matcher.count_allowed(draft) == len(draft)
        for token in draft:
            matcher.accept(token)
        place += ahead


def test_a_draft_counts_as_far_as_the_grammar_takes_it(calls: Lazy, vocab: SmallVocab) -> None:
    matcher = calls.matcher()
    good = mark(vocab, "x<tool_call", ">\n", '{"')
    assert matcher.count_allowed([*good, ord("?"), ord("?")]) == len(good)
    assert matcher.mask() is None


def test_clones_of_a_waiting_matcher(calls: Lazy, vocab: SmallVocab) -> None:
    one = calls.matcher()
    for token in mark(vocab, "<tool_cal"):
        one.accept(token)
    other = one.clone()
    for token in mark(vocab, "l>"):
        other.accept(token)
    assert one.mask() is None or ord("z") in allowed(one, vocab.n_tokens)
    assert allowed(other, vocab.n_tokens) == [ord("\n")]


def test_alternatives_after_one_trigger(compiler: Compiler, vocab: SmallVocab) -> None:
    tools = [Seq((Text(f'{{"name":"{name}","x":'), Json(SCHEMA), Text("}"))) for name in ("f", "g")]
    matcher = compiler.lazy({"!": compiler.compile(Choice(tuple(tools)))}).matcher()
    text = '!{"name":"g","x":{"a": 1}}'
    for token in mark(vocab, text):
        assert token in allowed(matcher, vocab.n_tokens)
        matcher.accept(token)
    assert matcher.mask() is None


@pytest.mark.parametrize("triggers", [{}, {"": None}])
def test_a_trigger_has_text(triggers: dict[str, None], compiler: Compiler) -> None:
    with pytest.raises(ValueError, match="at least one character"):
        compiler.lazy(triggers)  # type: ignore[arg-type]
