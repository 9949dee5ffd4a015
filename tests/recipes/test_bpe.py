"""The tokenizer: any text comes back, and llama.cpp makes the same tokens of it."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import gguf
import pytest

from mullama import Model
from recipes.tiny import bpe
from recipes.tiny.generate import segments
from recipes.tiny.source import Source
from tests.recipes.dummy import write_dummy

N_VOCAB = 700


@pytest.fixture(scope="module")
def tokenizer() -> bpe.Tokenizer:
    made = segments("short", Source("bpe"))
    texts = [
        segment.text.replace("<|im_start|>", "").replace("<|im_end|>", "")
        for _ in range(400)
        for segment in next(made)
    ]
    return bpe.Tokenizer(bpe.train(texts, N_VOCAB))


def strings(n: int) -> list[str]:
    """Text of all scripts: letters, marks, digits and signs, spaces of all kinds, and mixtures."""
    rng = random.Random(7)
    by_block: dict[int, list[str]] = {}
    for code in range(0x20, 0x2FA20):
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co"):
            by_block.setdefault(code >> 7, []).append(chr(code))
    blocks = list(by_block.values())
    spaces = [" ", " ", "  ", "\n", "\n\n", "\t", "\u00a0", "\u3000", " \n ", "   ", "\r\n"]
    signs = [*"'\".,!?-_/\\{}[]()<>|=+*&^%$#@~`:;0123456789", "'s", "'ll", "'T", "🐶", "👩‍🚀", "½"]

    def piece() -> str:
        kind = rng.random()
        if kind < 0.25:
            return rng.choice(spaces)
        if kind < 0.45:
            return "".join(rng.choices(signs, k=rng.randint(1, 3)))
        if kind < 0.6:
            return Source(str(rng.random())).any_word()
        return "".join(rng.choices(rng.choice(blocks), k=rng.randint(1, 6)))

    return ["".join(piece() for _ in range(rng.randint(1, 12))) for _ in range(n)]


def test_any_text_comes_back(tokenizer: bpe.Tokenizer) -> None:
    for text in strings(2000):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_special_tokens_are_one_token_each(tokenizer: bpe.Tokenizer) -> None:
    assert [tokenizer.encode(name) for name in bpe.SPECIAL] == [
        [i] for i in range(len(bpe.SPECIAL))
    ]
    assert tokenizer.encode("<|im_start|>")[0] == bpe.IM_START
    assert tokenizer.decode(tokenizer.encode("a<think>b")) == "a<think>b"


def test_training_is_deterministic_and_saved_whole(tmp_path: Path) -> None:
    texts = ["one two three two", "three four two", "two"] * 3
    merges = bpe.train(texts, 290)
    assert merges == bpe.train(reversed(texts), 290)
    assert merges[0] in {("t", "w"), ("w", "o")}
    one = bpe.Tokenizer(merges)
    one.save(tmp_path / "t.json")
    other = bpe.Tokenizer.load(tmp_path / "t.json")
    assert other.tokens == one.tokens
    assert other.encode("two three five") == one.encode("two three five")


def test_llama_cpp_makes_the_same_tokens(tokenizer: bpe.Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "vocab.gguf"
    write_dummy(path, tokenizer)
    differing = differing_strings(path, tokenizer)
    assert not differing, (len(differing), differing[:5])


def differing_strings(path: Path, tokenizer: bpe.Tokenizer) -> list[str]:
    with Model.load(path, vocab_only=True) as model:
        return [
            text
            for text in strings(10_000)
            if model.tokenize(text, add_bos=False, special=True) != tokenizer.encode(text)
        ]


def test_the_model_in_the_package_has_the_recipe_s_tokens(tiny_model: Path) -> None:
    fields = gguf.GGUFReader(tiny_model).fields
    merges = fields["tokenizer.ggml.merges"].contents()
    tokenizer = bpe.Tokenizer([(a, b) for a, b in (merge.split(" ") for merge in merges)])
    assert tokenizer.tokens == fields["tokenizer.ggml.tokens"].contents()
    differing = differing_strings(tiny_model, tokenizer)
    assert not differing, (len(differing), differing[:5])
