"""Tokens and their bytes: llama.cpp's tokenizer behind the protocol `Vocab`.

Thread-safe, as llama.cpp's tokenizer is. The pieces of tokens are asked for once and kept. It lives
no longer than its model: closing the model closes it too.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mullama.errors import InvalidRequest, ModelError
from mullama.llama import pairs
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.types import Pair, Token

_LONGEST = 2**31 - 1  # bytes; llama.cpp counts them in an int32
_NO_VOCAB = 0


class LlamaVocab:
    """The vocabulary of a loaded model. Raises ModelError where the model has none."""

    def __init__(self, model: LlamaModel) -> None:
        self._handle = model.handle
        with model.handle as pointer:
            self._vocab: int = C.llama_model_get_vocab(pointer)
            self._n_tokens: int = C.llama_vocab_n_tokens(self._vocab)
            kind = C.llama_vocab_type(self._vocab)
            if kind == _NO_VOCAB:
                raise ModelError(
                    f"{model.info.path!r} has no tokenizer, so it can't read text. "
                    "Get a GGUF file that was converted with one.",
                    code="model_invalid",
                )
            self._add_bos: bool = C.llama_vocab_get_add_bos(self._vocab)
            self._adds_eos: bool = C.llama_vocab_get_add_eos(self._vocab)
            self._spells_bytes = kind == C.LLAMA_VOCAB_TYPE_BPE
            self._rerank_template = _rerank_template(pointer)
        self._pieces: tuple[dict[Token, bytes], dict[Token, bytes]] = ({}, {})

    @property
    def n_tokens(self) -> int:
        return self._n_tokens

    @cached_property
    def bos(self) -> Token | None:
        return self._special(C.llama_vocab_bos)

    @cached_property
    def eos(self) -> Token | None:
        return self._special(C.llama_vocab_eos)

    @cached_property
    def eog(self) -> frozenset[Token]:
        """The tokens that end a generation. The first look asks for every token (30 ms)."""
        is_eog = C.llama_vocab_is_eog
        with self._handle:
            return frozenset(t for t in range(self._n_tokens) if is_eog(self._vocab, t))

    @cached_property
    def suppressed(self) -> tuple[Token, ...]:
        """The tokens that the model file says must never be drawn."""
        count = ctypes.c_int32()
        with self._handle:
            tokens = C.llama_vocab_get_suppress_tokens(self._vocab, ctypes.byref(count))
            return tuple(tokens[: count.value])

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[Token]:
        """Tokens of `text`; `add_special` puts BOS and EOS where the model wants them.

        With `parse_special`, text that names a control token becomes that token. Raises
        InvalidRequest for text that is not valid Unicode.
        """
        data = _encode(text)
        capacity = len(data) + 8  # hardly ever are there more tokens than bytes
        with self._handle:
            while True:
                tokens = np.empty(capacity, np.int32)
                count: int = C.llama_tokenize(
                    self._vocab,
                    data,
                    len(data),
                    _pointer(tokens, C.llama_token),
                    capacity,
                    add_special,
                    parse_special,
                )
                if count >= 0:
                    found: list[Token] = tokens[:count].tolist()
                    return found
                if -count <= capacity or -count > _LONGEST:
                    raise InvalidRequest("The text is too long to be tokenized.")
                capacity = -count

    def detokenize(
        self,
        tokens: Sequence[Token],
        *,
        remove_special: bool = False,
        unparse_special: bool = False,
    ) -> str:
        """The text of `tokens`; bytes that are not UTF-8 become U+FFFD.

        `remove_special` leaves out BOS and EOS at the ends, `unparse_special` writes control
        tokens as text. Raises InvalidRequest for a token that the model does not have.
        """
        array = self._checked(tokens)
        if self._spells_bytes:
            # llama.cpp would drop spaces before punctuation, as nobody wants who sends them.
            kept = self._without_ends(tokens) if remove_special else tokens
            pieces = (self.piece(token, special=unparse_special) for token in kept)
            return b"".join(pieces).decode("utf-8", errors="replace")
        capacity = 8 * len(array) + 16
        with self._handle:
            while True:
                buffer = ctypes.create_string_buffer(capacity)
                count: int = C.llama_detokenize(
                    self._vocab,
                    _pointer(array, C.llama_token),
                    len(array),
                    buffer,
                    capacity,
                    remove_special,
                    unparse_special,
                )
                if count >= 0:
                    return buffer.raw[:count].decode("utf-8", errors="replace")
                capacity = -count

    def _without_ends(self, tokens: Sequence[Token]) -> Sequence[Token]:
        """Tokens without the BOS and EOS that `tokenize` would have put at the ends."""
        if self._add_bos and tokens and tokens[0] == self.bos:
            tokens = tokens[1:]
        if self._adds_eos and tokens and tokens[-1] == self.eos:
            tokens = tokens[:-1]
        return tokens

    def piece(self, token: Token, *, special: bool = False) -> bytes:
        """The bytes of one token; a control token has some only with `special`."""
        pieces = self._pieces[special]
        try:
            return pieces[token]
        except KeyError:
            return pieces.setdefault(token, self._ask_piece(token, special))

    def infill(self, prefix: str, suffix: str) -> list[Token] | None:
        """The fill-in-the-middle prompt, or None where the model has no tokens for it.

        It is prefix token, prefix, suffix token, suffix, middle token: what models are trained on
        where nothing else is said, after BOS where the model begins with it.
        """
        marks = [self._special(f) for f in (C.llama_vocab_fim_pre, C.llama_vocab_fim_suf)]
        middle = self._special(C.llama_vocab_fim_mid)
        if middle is None or None in marks:
            return None
        tokens = [self.bos] if self._add_bos and self.bos is not None else []
        for mark, text in zip(marks, (prefix, suffix), strict=True):
            assert mark is not None
            tokens += [mark, *self.tokenize(text, add_special=False)]
        return [*tokens, middle]

    def pair(self, query: str, document: str) -> Pair | None:
        """A query and a document as one input, or None where the model has no way to part them."""
        if self._rerank_template is not None:
            tokenize = partial(self.tokenize, add_special=False, parse_special=True)
            return pairs.by_template(self._rerank_template, query, document, tokenize)
        with self._handle:
            adds_sep = C.llama_vocab_get_add_sep(self._vocab)
        sep = self._special(C.llama_vocab_sep)
        return pairs.by_tokens(
            self.tokenize(query, add_special=False),
            self.tokenize(document, add_special=False),
            bos=self.bos if self._add_bos else None,
            eos=(sep if self.eos is None else self.eos) if self._adds_eos else None,
            sep=sep if adds_sep else None,
        )

    def _special(self, function: Any) -> Token | None:
        with self._handle:
            token = int(function(self._vocab))
        return token if token >= 0 else None

    def _ask_piece(self, token: Token, special: bool) -> bytes:
        if not 0 <= token < self._n_tokens:
            raise self._unknown(token)
        capacity = 64
        with self._handle:
            while True:
                buffer = ctypes.create_string_buffer(capacity)
                count: int = C.llama_token_to_piece(
                    self._vocab, token, buffer, capacity, 0, special
                )
                if count >= 0:
                    return buffer.raw[:count]
                capacity = -count

    def _checked(self, tokens: Sequence[Token]) -> NDArray[np.int32]:
        for token in tokens:
            if not 0 <= token < self._n_tokens:
                raise self._unknown(token)
        return np.asarray(tokens, np.int32)

    def _unknown(self, token: Token) -> InvalidRequest:
        return InvalidRequest(
            f"There is no token {token}; this model's tokens are 0 to {self._n_tokens - 1}."
        )


def _rerank_template(model: int) -> str | None:
    template: bytes | None = C.llama_model_chat_template(model, b"rerank")
    text = (template or b"").decode("utf-8", errors="replace")
    return text if pairs.is_template(text) else None


def _encode(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"The text is not valid Unicode: half a surrogate pair, U+{ord(text[error.start]):X}, "
            f"stands at character {error.start}. Send whole characters."
        ) from None
    if len(data) > _LONGEST:
        raise InvalidRequest(f"The text has {len(data)} bytes; the most is {_LONGEST}.")
    return data


def _pointer(array: NDArray[np.int32], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
