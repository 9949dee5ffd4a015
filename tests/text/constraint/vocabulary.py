"""A small vocabulary that tokenizes as one would think, and random walks through constraints."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from mullama.types import Matcher, Token

WORDS = (
    '":,{}[]-.0123456789',
    *(
        '{"',
        '":',
        '","',
        '":"',
        '"}',
        "}}",
        '"]',
        '":{"',
        '":[',
        "],",
        "},",
        "[]",
        "{}",
        ': "',
        '", "',
    ),
    *(
        "true",
        "false",
        "null",
        " the",
        "name",
        "_id",
        "ab",
        "abc",
        "id",
        "12",
        "2024",
        "00",
        "\n\n",
    ),
    *(
        "é",
        "日本",
        "\N{GRINNING FACE}",
        "\\n",
        '\\"',
        "\\\\",
        "tool",
        "_call",
        ">\n",
        "call>",
        "think",
    ),
)
END, CALL, OTHER_END = "<|end|>", "<|call|>", "</s>"


class SmallVocab:
    """All bytes, some words, and three special tokens; the longest token that fits is taken."""

    def __init__(self, words: Iterable[str] = WORDS[1:]) -> None:
        self._pieces = [bytes([i]) for i in range(256)]
        self._pieces += [word.encode() for word in words]
        self._special = {}
        for name in (END, CALL, OTHER_END):
            self._special[len(self._pieces)] = name.encode()
            self._pieces.append(b"")
        self._longest = max(map(len, self._pieces))
        self._ids = {piece: token for token, piece in enumerate(self._pieces) if piece}
        names = {name: token for token, name in self._special.items()}
        self.end, self.call = names[END.encode()], names[CALL.encode()]
        self.eog = frozenset({self.end, names[OTHER_END.encode()]})

    @property
    def n_tokens(self) -> int:
        return len(self._pieces)

    @property
    def bos(self) -> Token | None:
        return None

    @property
    def eos(self) -> Token | None:
        return self.end

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[Token]:
        data, tokens = text.encode(), []
        while data:
            size = next(n for n in range(self._longest, 0, -1) if data[:n] in self._ids)
            tokens.append(self._ids[data[:size]])
            data = data[size:]
        return tokens

    def detokenize(
        self,
        tokens: Sequence[Token],
        *,
        remove_special: bool = False,
        unparse_special: bool = False,
    ) -> str:
        return b"".join(map(self.piece, tokens)).decode(errors="replace")

    def piece(self, token: Token, *, special: bool = False) -> bytes:
        return self._pieces[token] or (self._special[token] if special else b"")

    def infill(self, prefix: str, suffix: str) -> list[Token] | None:
        return None


def allowed(matcher: Matcher, n_tokens: int) -> list[Token]:
    """The tokens that the mask allows."""
    mask = matcher.mask()
    if mask is None:
        return list(range(n_tokens))
    return [token for token in range(n_tokens) if mask[token // 8] >> token % 8 & 1]


def accepts(matcher: Matcher, vocab: SmallVocab, text: str) -> bool:
    """Whether `text`, and its end, could be written; it is tried token by token."""
    for token in vocab.tokenize(text):
        if token not in allowed(matcher, vocab.n_tokens):
            return False
        matcher.accept(token)
    return matcher.can_end


def walk(matcher: Matcher, vocab: SmallVocab, rng: random.Random, *, most: int = 300) -> str:
    """A random text that satisfies the constraint.

    It wanders for a while, then makes for the end: a token that closes something, if there is one.
    Raises AssertionError if the mask allows what can't be, Endless if it finds no end.
    """
    tokens: list[Token] = []
    wander = rng.randint(5, 60)
    while not matcher.done and len(tokens) < most:
        chosen = matcher.forced()
        if chosen:
            assert matcher.count_allowed(chosen) == len(chosen)
        else:
            choice = allowed(matcher, vocab.n_tokens)
            assert choice, f"nothing may follow {vocab.detokenize(tokens)!r}"
            ends = [token for token in choice if token in vocab.eog]
            assert bool(ends) == matcher.can_end
            hurry = len(tokens) > wander
            if len(choice) == len(ends) or (ends and (hurry or rng.random() < 0.3)):
                break
            chosen = [_step(choice, vocab, rng, 0.8 if hurry else 0.4)]
        for token in chosen:
            matcher.accept(token)
        tokens += chosen
    text = b"".join(map(vocab.piece, tokens))
    if not (matcher.done or matcher.can_end):
        raise Endless(text.decode(errors="replace"))
    return text.decode()


class Endless(Exception):
    """A walk went round and round in a recursion."""


def _step(choice: list[Token], vocab: SmallVocab, rng: random.Random, haste: float) -> Token:
    choice = [token for token in choice if token not in vocab.eog]
    if rng.random() < haste:
        closers = [ord(text) for text in '"}]' if ord(text) in choice]
        if closers:
            return rng.choice(closers)
    # Characters that most patterns and formats get on with are tried more often.
    common = [token for token in choice if token < 128 or rng.random() < 0.2]
    return rng.choice(common or choice)
