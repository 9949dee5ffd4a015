"""Texts to be embedded or ranked -> tokens that fit; what the model computed of them -> an answer.

An input that is longer than the model's context is an error with both numbers, unless the request
says that it may be cut. Then the end of the text goes, and the tokens with which the model ends its
inputs stay.

Pure over a vocabulary: it knows no llama.cpp, no thread and no socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mullama.errors import ContextLengthExceeded, InvalidRequest, ModelError
from mullama.types import (
    EmbedRequest,
    EmbedResult,
    Pair,
    RerankRequest,
    RerankResult,
    Token,
    Vocab,
)


def to_embed(
    vocab: Vocab, request: EmbedRequest, *, n_embd: int, n_ctx: int
) -> list[Sequence[Token]]:
    """Each input in at most `n_ctx` tokens, for vectors of `n_embd` components.

    Raises InvalidRequest, and ContextLengthExceeded for an input that is too long.
    """
    if request.dimensions is not None and not 1 <= request.dimensions <= n_embd:
        raise InvalidRequest(
            f"dimensions is {request.dimensions}; this model's vectors have {n_embd} "
            "components, so it must be between 1 and that.",
            param="dimensions",
        )
    limit = min(request.truncate or n_ctx, n_ctx)
    inputs = [_input(vocab, index, item) for index, item in enumerate(request.inputs)]
    for index, tokens in enumerate(inputs):
        if len(tokens) <= limit:
            continue
        if request.truncate is None:
            raise _too_long(f"input[{index}]", len(tokens), n_ctx, "input")
        inputs[index] = _cut(tokens, limit, _ending(vocab))
    return inputs


def to_rank(vocab: Vocab, request: RerankRequest, *, n_ctx: int) -> list[Sequence[Token]]:
    """The query with each document, in at most `n_ctx` tokens.

    Raises InvalidRequest where the model can't be given pairs, ContextLengthExceeded where one is
    too long, or the query leaves no room for a document.
    """
    limit = min(request.truncate or n_ctx, n_ctx)
    inputs: list[Sequence[Token]] = []
    for index, document in enumerate(request.documents):
        pair = vocab.pair(request.query, document)
        if pair is None:
            raise InvalidRequest(
                "This model's file has no template for reranking and no tokens to part a query "
                "from a document. Choose another model, or convert it again.",
                param="model",
            )
        if request.max_document is not None:
            pair = _shorten(pair, request.max_document)
        if len(pair.tokens) > limit:
            if request.truncate is None:
                name = f"The query with documents[{index}]"
                raise _too_long(name, len(pair.tokens), n_ctx, "documents")
            pair = _fit(pair, limit)
        inputs.append(pair.tokens)
    return inputs


def embedded(
    vectors: Iterable[bytes], *, dimensions: int | None, normalize: bool, n_tokens: int
) -> EmbedResult:
    """The answer to an EmbedRequest, from its inputs' raw vectors (float32).

    A vector of zeros has no direction and stays as it is. Raises ModelError for NaN or infinity.
    """
    matrix = np.stack([np.frombuffer(vector, dtype="<f4") for vector in vectors])[:, :dimensions]
    if not np.isfinite(matrix).all():
        raise _not_finite("a vector")
    if normalize:
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        matrix = matrix / np.where(lengths > 0, lengths, 1)
    rows = tuple(row.tobytes() for row in np.ascontiguousarray(matrix, dtype="<f4"))
    return EmbedResult(rows, matrix.shape[1], n_tokens)


def ranked(log_odds: Iterable[bytes], *, raw: bool, n_tokens: int) -> RerankResult:
    """The answer to a RerankRequest, from its pairs' log-odds (one float32 each).

    Raises ModelError for NaN or infinity.
    """
    scores = np.frombuffer(b"".join(log_odds), dtype="<f4").astype(np.float64)
    if not np.isfinite(scores).all():
        raise _not_finite("a score")
    if not raw:
        scores = np.exp(-np.logaddexp(0, -scores))  # the logistic function, without overflow
    return RerankResult(tuple(scores.tolist()), n_tokens)


def check_tokens(vocab: Vocab, tokens: Sequence[Token], param: str) -> None:
    """Raises InvalidRequest, naming `param`, for token ids that the vocabulary lacks."""
    n = vocab.n_tokens
    if tokens and not (min(tokens) >= 0 and max(tokens) < n):
        bad = next(token for token in tokens if not 0 <= token < n)
        raise InvalidRequest(
            f"{param} holds token {bad}, and this model's tokens go from 0 to {n - 1}.",
            param=param,
        )


def _input(vocab: Vocab, index: int, item: str | tuple[Token, ...]) -> Sequence[Token]:
    if isinstance(item, str):
        tokens: Sequence[Token] = vocab.tokenize(item, add_special=True)
    else:
        check_tokens(vocab, item, "input")
        tokens = item
    if not tokens:
        raise InvalidRequest(f"input[{index}] is empty. Send some text.", param="input")
    return tokens


def _ending(vocab: Vocab) -> list[Token]:
    """What the model ends an input with: EOS or SEP, or nothing."""
    around = vocab.tokenize("", add_special=True)
    return around[1:] if around[:1] == [vocab.bos] else around


def _cut(tokens: Sequence[Token], n: int, ending: list[Token]) -> Sequence[Token]:
    """`n` of more tokens; the last ones are still the `ending`, if they were."""
    kept = n - len(ending)
    if kept <= 0 or not ending or list(tokens[-len(ending) :]) != ending:
        return tokens[:n]
    return [*tokens[:kept], *ending]


def _shorten(pair: Pair, n: int) -> Pair:
    """With at most `n` tokens of the document."""
    end = min(pair.end, pair.start + n)
    return Pair([*pair.tokens[:end], *pair.tokens[pair.end :]], pair.start, end)


def _fit(pair: Pair, limit: int) -> Pair:
    """The pair in `limit` tokens, cut at the document's end."""
    n_document = pair.end - pair.start
    n_others = len(pair.tokens) - n_document
    if n_others >= limit:
        raise ContextLengthExceeded(
            f"The query and what stands around it take {n_others} of {limit} tokens, which leaves "
            "no room for a document. Send a shorter query.",
            param="query",
        )
    return _shorten(pair, limit - n_others)


def _too_long(what: str, n_tokens: int, n_ctx: int, param: str) -> ContextLengthExceeded:
    return ContextLengthExceeded(
        f"{what} has {n_tokens} tokens; this model takes at most {n_ctx} at once. Split the text "
        "into shorter pieces, or send truncate: true to have its end cut off.",
        param=param,
    )


def _not_finite(instead_of: str) -> ModelError:
    return ModelError(
        f"The model computed NaN or infinity instead of {instead_of}; its file may be damaged."
    )
