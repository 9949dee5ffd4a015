"""Following a grammar: masks, forced tokens, going back, copies; and what the cache keeps."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mullama.errors import InvalidRequest
from mullama.llama.model import LlamaModel
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from mullama.text.constraint import (
    Choice,
    Compiler,
    Json,
    Markup,
    Part,
    Regex,
    Repeat,
    Seq,
    Text,
    Until,
    Words,
)
from mullama.types import Constraint, ConstraintKind, Matcher, Vocab
from tests.text.constraint.vocabulary import CALL, END, SmallVocab, accepts, allowed, walk

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def write(matcher: Matcher, vocab: Vocab, text: str) -> None:
    for token in vocab.tokenize(text, add_special=False):
        matcher.accept(token)


def test_forced_tokens_are_those_that_must_come(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Constraint.json_schema(PERSON)).matcher()
    forced = matcher.forced()
    assert vocab.detokenize(forced) == '{"name": '  # ' ' may become ' "'
    for token in forced:
        assert token in allowed(matcher, vocab.n_tokens)
        matcher.accept(token)
    assert matcher.forced() == []


def test_forced_tokens_leave_room_for_a_longer_token(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Words(("abX", "abc"))).matcher()
    assert matcher.forced() == []  # "ab" is forced, but "abc" is one token
    assert vocab.tokenize("abc")[0] in allowed(matcher, vocab.n_tokens)


def test_the_end_is_allowed_where_the_answer_may_end(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Regex("ab*")).matcher()
    assert not matcher.can_end
    assert not vocab.eog & set(allowed(matcher, vocab.n_tokens))
    write(matcher, vocab, "a")
    assert matcher.can_end
    assert vocab.eog <= set(allowed(matcher, vocab.n_tokens))
    assert not matcher.done


def test_done_means_that_nothing_may_follow(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Text("ab")).matcher()
    write(matcher, vocab, "ab")
    assert matcher.done
    assert matcher.can_end
    assert set(allowed(matcher, vocab.n_tokens)) == vocab.eog


def test_special_tokens_never_stand_for_text(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Constraint.json_schema({"type": "string"})).matcher()
    write(matcher, vocab, '"')
    assert not {vocab.call, *vocab.eog} & set(allowed(matcher, vocab.n_tokens))
    assert accepts(matcher, vocab, f'{CALL}"')  # spelled out


def test_rollback_returns_to_the_same_mask(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Constraint.json_schema(PERSON)).matcher()
    write(matcher, vocab, '{"name": "')
    before = matcher.mask()
    tokens = vocab.tokenize('Ada", "age": 3')
    assert matcher.count_allowed(tokens) == len(tokens)
    assert matcher.mask() == before
    for token in tokens:
        matcher.accept(token)
    assert matcher.mask() != before
    matcher.rollback(len(tokens))
    assert matcher.mask() == before


def test_rollback_from_the_end(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Text("ab1")).matcher()
    write(matcher, vocab, "ab1")
    assert matcher.done
    matcher.rollback(1)
    assert not matcher.done
    write(matcher, vocab, "1")
    assert matcher.done


def test_a_draft_is_allowed_as_far_as_it_fits(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Regex("[a-c]+")).matcher()
    assert matcher.count_allowed(vocab.tokenize("aaxa")) == 2
    assert matcher.count_allowed([vocab.call]) == 0
    assert matcher.count_allowed([]) == 0


def test_clones_go_their_own_ways(compiler: Compiler, vocab: SmallVocab) -> None:
    one = compiler.compile(Words(("ax", "ay"))).matcher()
    write(one, vocab, "a")
    other = one.clone()
    write(one, vocab, "x")
    assert one.done
    assert not other.done
    write(other, vocab, "y")
    assert other.done


def test_a_token_that_is_not_allowed_is_an_error(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Text("a")).matcher()
    with pytest.raises(InvalidRequest, match="can't be constrained any further"):
        write(matcher, vocab, "b")


def test_white_space_only_where_it_is_allowed(compiler: Compiler, vocab: SmallVocab) -> None:
    pretty = '{\n  "name": "A",\n  "age" : 3\n}'
    compact = compiler.compile(Json(json.dumps(PERSON)))
    loose = compiler.compile(Json(json.dumps(PERSON), whitespace=True))
    assert not accepts(compact.matcher(), vocab, pretty)
    assert accepts(loose.matcher(), vocab, pretty)
    assert not accepts(loose.matcher(), vocab, '{"name":' + " " * 41)


def test_json_object(compiler: Compiler, vocab: SmallVocab) -> None:
    compiled = compiler.compile(Constraint(ConstraintKind.JSON_OBJECT))
    for seed in range(20):
        text = walk(compiled.matcher(), vocab, random.Random(seed), most=1000)
        assert isinstance(json.loads(text), dict)


def test_a_name_can_not_be_spelled_with_escapes(compiler: Compiler, vocab: SmallVocab) -> None:
    schema = {"properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "string"}}
    compiled = compiler.compile(Constraint.json_schema(schema))
    assert accepts(compiled.matcher(), vocab, '{"a": 1, "b": "x"}')
    assert not accepts(compiled.matcher(), vocab, '{"\\u0061": "x"}')


def test_options_for_the_engine_are_no_part_of_a_schema(compiler: Compiler) -> None:
    schema = {"type": "array", "uniqueItems": True, "x-guidance": {"lenient": True}}
    with pytest.raises(InvalidRequest, match="uniqueItems"):
        compiler.compile(Constraint.json_schema(schema))
    lark = f"start: a\na: %json {json.dumps(schema)}"
    with pytest.raises(InvalidRequest, match="uniqueItems"):
        compiler.compile(Constraint(ConstraintKind.LARK, lark))


@pytest.mark.parametrize(
    ("part", "good", "bad"),
    [
        (Seq((Text("a"), Text('"\\\n/é'))), ['a"\\\n/é'], ["a"]),
        (Choice((Text("ab"), Seq((Text("a"), Regex("[0-9]{2}"))))), ["ab", "a12"], ["a1", "a"]),
        (Words(("a/b", "", "ab|c", "é")), ["a/b", "", "ab|c", "é"], ["c", "a"]),
        (Repeat(Text("ab"), 1, 2), ["ab", "abab"], ["", "ababab"]),
        (Repeat(Text("ab")), ["", "ababab"], ["a"]),
        (Seq(()), [""], ["a"]),
        (Seq((Until("</x>"), Text("!"))), ["any\ntext</x>!", "</x>!"], ["</x>", "a</x>b</x>!"]),
        (Regex("(?!ab)[a-c]+"), [], ["ab"]),
        (Regex("^(?!ab)[a-c]+$"), ["ba", "a"], ["abc", "ab"]),
    ],
)
def test_parts(
    part: Part, good: list[str], bad: list[str], compiler: Compiler, vocab: SmallVocab
) -> None:
    try:
        compiled = compiler.compile(part)
    except InvalidRequest:
        assert not good
        return
    for text in good:
        assert accepts(compiled.matcher(), vocab, text), text
    for text in bad:
        assert not accepts(compiled.matcher(), vocab, text), text


def call(name: str, schema: object) -> Part:
    arguments = Json(json.dumps(schema))
    head = Seq((Markup('<tool_call>\n{"name": "'), Text(name), Text('", "arguments": ')))
    return Seq((head, arguments, Markup("}\n</tool_call>")))


def test_alternatives_by_name_have_their_own_schemas(compiler: Compiler, vocab: SmallVocab) -> None:
    tools = Choice((call("get", PERSON), call("get_all", {"type": "array"}), call("go", True)))
    compiled = compiler.compile(Repeat(tools, 1, 2))
    person = '<tool_call>\n{"name": "get", "arguments": {"name": "A", "age": 1}}\n</tool_call>'
    array = '<tool_call>\n{"name": "get_all", "arguments": [1]}\n</tool_call>'
    assert accepts(compiled.matcher(), vocab, person)
    assert accepts(compiled.matcher(), vocab, array + person)
    assert not accepts(compiled.matcher(), vocab, array.replace("[1]", "{}"))
    assert not accepts(compiled.matcher(), vocab, person.replace("get", "got"))


def test_white_space_in_json_within_markup(compiler: Compiler, vocab: SmallVocab) -> None:
    part = Seq((Text("<a>"), Json(json.dumps(PERSON), whitespace=True), Text("</a>")))
    matcher = compiler.compile(part).matcher()
    assert accepts(matcher, vocab, '<a>{ "name": "A", "age": 1 }</a>')


def test_markup_means_the_special_token_and_text_does_not(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    markup = compiler.compile(Seq((Markup(f"{CALL}x"), Text(END)))).matcher()
    markup.accept(vocab.call)
    write(markup, vocab, "x" + END)
    assert markup.done


def test_equal_constraints_are_compiled_once(vocab: SmallVocab) -> None:
    compiler = Compiler(vocab)
    first = compiler.compile(Constraint.json_schema(PERSON, param="response_format"))
    assert compiler.compile(Constraint.json_schema(PERSON, param="guided_json")) is first
    assert compiler.compile(Constraint.json_schema(PERSON, strict=False)) is not first
    assert len(compiler) == 2


def test_the_least_recently_used_goes_first(vocab: SmallVocab) -> None:
    compiler = Compiler(vocab, max_entries=2)
    first = compiler.compile(Text("a"))
    compiler.compile(Text("b"))
    assert compiler.compile(Text("a")) is first
    compiler.compile(Text("c"))
    assert len(compiler) == 2
    assert compiler.compile(Text("a")) is first
    small = Compiler(vocab, max_size=200)
    for i in range(20):
        small.compile(Text(f"{'x' * 50}{i}"))
    assert len(small) < 6


@pytest.fixture(scope="module", params=["llama-spm", "phi-3", "tiny"])
def real(
    request: pytest.FixtureRequest, tiny_model: Path, shared_data: Callable[[str], Path]
) -> Iterator[LlamaVocab]:
    name = request.param
    path = tiny_model if name == "tiny" else shared_data(f"vocab/ggml-vocab-{name}.gguf")
    with LlamaModel.load(read_info(path), vocab_only=True) as model:
        yield LlamaVocab(model)


def test_forced_text_is_tokenized_as_the_model_does(real: LlamaVocab) -> None:
    compiler = Compiler(real)
    matcher = compiler.compile(Text("The quick brown fox jumps.\n日本 ")).matcher()
    tokens = []
    while not matcher.done:
        forced = matcher.forced()
        tokens += forced
        for token in forced:
            matcher.accept(token)
    assert b"".join(map(real.piece, tokens)).decode() == "The quick brown fox jumps.\n日本 "
    expected = real.tokenize("\nThe quick brown fox jumps.\n日本 ", add_special=False)
    assert tokens == expected[len(expected) - len(tokens) :]


def test_real_vocabularies_write_a_document_token_by_token(real: LlamaVocab) -> None:
    matcher = Compiler(real).compile(Constraint.json_schema(PERSON)).matcher()
    document = '{"name": "Ada Lovelace \N{SNOWMAN} \\"x\\"", "age": -36}'.encode()
    rest, n_forced = document, 0
    while rest:
        chosen = matcher.forced()
        n_forced += len(chosen)
        for token in chosen or [longest(real, rest, allowed(matcher, real.n_tokens))]:
            matcher.accept(token)
            piece = real.piece(token)
            assert rest.startswith(piece)
            rest = rest[len(piece) :]
    assert matcher.done
    assert n_forced > 2


def longest(vocab: LlamaVocab, text: bytes, tokens: list[int]) -> int:
    """Of `tokens` the one that brings `text` furthest."""
    fitting = [token for token in tokens if (p := vocab.piece(token)) and text.startswith(p)]
    return max(fitting, key=lambda token: len(vocab.piece(token)))
