"""A vocabulary as the grammar engine sees it: the bytes of each token, and which are special.

Special tokens (control tokens, and all that end a generation) never stand for their text: a JSON
string can't contain one. Text that names one, `<|python_tag|>` in a tool call's markup, means the
token, as it does where the prompt is tokenized; `split` finds such names. Everything else, tokens
that users have defined included, stands for its bytes.

Forced text is tokenized by the vocabulary itself, so that it becomes the tokens that the model has
seen in training. One of these is made for a vocabulary: at 152k tokens it takes about a second and
90 MB, most of it asking for the pieces.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property

from llguidance import LLTokenizer

from mullama.errors import InvalidRequest
from mullama.types import Token, Vocab

_MAX_TRIGGERS = 1024  # whose tokens are kept

# What stands before -> tokens that end a trigger there, each with the rest of its bytes.
Passing = dict[bytes, list[tuple[Token, bytes]]]


class Tokens:
    """The engine's tokenizer of `vocab`, and what it does not tell."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self.eog = frozenset(vocab.eog)
        self.n_tokens = vocab.n_tokens
        self.pieces: list[bytes] = []
        self._special: list[Token] = []
        self._passing: dict[bytes, Passing] = {}
        for token in range(self.n_tokens):
            piece = vocab.piece(token)
            if not piece or token in self.eog:
                piece = vocab.piece(token, special=True)
                self._special.append(token)
            self.pieces.append(piece)
        self.engine = self._make()

    def split(self, text: str) -> Iterator[str | Token]:
        """`text` in its parts: plain text, and the special tokens that it names."""
        parts = self._names.split(text.encode()) if self._special else [text.encode()]
        for part in parts:
            if part in self._by_name:
                yield self._by_name[part]
            elif part:
                yield part.decode()

    def named(self, text: str) -> Token | None:
        """The one token whose text this is; None if there is none, or it takes several."""
        special = self._by_name.get(text.encode())
        if special is not None:
            return special
        tokens = self.tokenize(text)
        return tokens[0] if len(tokens) == 1 else None

    def written(self, text: str) -> list[Token]:
        """The tokens of `text` with the special tokens that it names, as a model writes markup."""
        found: list[Token] = []
        for part in self.split(text):
            found += self.tokenize(part) if isinstance(part, str) else [part]
        return found

    def tokenize(self, text: str) -> list[Token]:
        """The tokens of `text` as it stands: no BOS, no space in front, no special tokens."""
        tokens = self._vocab.tokenize(text, add_special=False)
        if self._bytes(tokens) == text.encode():
            return tokens
        return self._after_newline(text)

    def tokenize_bytes(self, data: bytes) -> list[Token]:
        """As `tokenize`, for bytes that may begin or end within a character."""
        return list(self.engine.tokenize_bytes(data))

    def passing(self, trigger: bytes) -> Passing:
        """The tokens that end `trigger` and go on, by how much of it must stand before them."""
        if trigger not in self._passing:
            if len(self._passing) >= _MAX_TRIGGERS:
                self._passing.clear()
            self._passing[trigger] = self._find_passing(trigger)
        return self._passing[trigger]

    def _find_passing(self, trigger: bytes) -> Passing:
        found: Passing = {}
        for at in range(len(trigger)):
            end = trigger[at:]
            tokens = ((token, self.pieces[token][len(end) :]) for token in self._starting(end))
            found[trigger[:at]] = [(token, rest) for token, rest in tokens if rest]
        found[b""] += [
            (token, self.pieces[token].partition(trigger)[2])
            for token in self._longer(len(trigger))
            if self.pieces[token].find(trigger) > 0 and not self.pieces[token].endswith(trigger)
        ]
        return {before: rests for before, rests in found.items() if rests}

    def _starting(self, prefix: bytes) -> Iterator[Token]:
        at = bisect_left(self._sorted, (prefix, 0))
        while at < len(self._sorted) and self._sorted[at][0].startswith(prefix):
            yield self._sorted[at][1]
            at += 1

    def _longer(self, size: int) -> list[Token]:
        """The tokens of more than so many bytes; few, where a trigger is long."""
        at = bisect_right(self._by_size, size, key=lambda token: len(self.pieces[token]))
        return self._by_size[at:]

    @cached_property
    def digits(self) -> list[tuple[int, bytes, Token]]:
        """The tokens that begin with digits: how many, which, the token; the fewest first."""
        found = (
            (piece[: len(piece) - len(piece.lstrip(b"0123456789"))], token)
            for token, piece in enumerate(self.pieces)
            if piece[:1].isdigit()
        )
        return sorted((len(digits), digits, token) for digits, token in found)

    @cached_property
    def single_digits(self) -> tuple[Token, ...]:
        """The tokens that are one digit."""
        return tuple(token for n, _, token in self.digits if n == len(self.pieces[token]) == 1)

    @cached_property
    def only_in_strings(self) -> tuple[Token, ...]:
        """Tokens that may follow digits in a JSON string, and never in a number."""
        wanted = (b'"', b"a", b"x", b"_")
        return tuple(token for token, piece in enumerate(self.pieces) if piece in wanted)

    @cached_property
    def _by_size(self) -> list[Token]:
        return sorted(range(self.n_tokens), key=lambda token: len(self.pieces[token]))

    @cached_property
    def _sorted(self) -> list[tuple[bytes, Token]]:
        return sorted((piece, token) for token, piece in enumerate(self.pieces))

    @cached_property
    def _by_name(self) -> dict[bytes, Token]:
        return {self.pieces[token]: token for token in self._special if self.pieces[token]}

    @cached_property
    def _names(self) -> re.Pattern[bytes]:
        names = sorted(self._by_name, key=len, reverse=True)  # the longest that fits is meant
        return re.compile(b"(" + b"|".join(map(re.escape, names)) + b")")

    def _bytes(self, tokens: list[Token]) -> bytes:
        return b"".join(self.pieces[token] for token in tokens)

    def _after_newline(self, text: str) -> list[Token]:
        """SentencePiece puts a space before a text: but not before what follows a line's end."""
        tokens = self._vocab.tokenize("\n" + text, add_special=False)
        for at in range(len(tokens)):
            if self._bytes(tokens[at:]) == text.encode():
                return tokens[at:]
        return list(self.engine.greedy_tokenize(text))

    def _make(self) -> LLTokenizer:
        if not self.eog:
            raise InvalidRequest(
                "This model has no token that ends a generation, so answers can't be constrained."
            )
        ends = sorted(self.eog)
        return LLTokenizer(_Wrapper(self, ends[0]), self.n_tokens, ends)  # type: ignore[arg-type]


class _Wrapper:
    """The attributes and the call that llguidance's `TokenizerWrapper` has."""

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, tokens: Tokens, end: Token) -> None:
        self._tokens = tokens
        self.eos_token_id = end
        self.tokens = tokens.pieces
        self.special_token_ids = tokens._special

    def __call__(self, text: str) -> list[Token]:
        return self._tokens.tokenize(text)
