"""From a row of logits to the next token: one sampler a sequence.

The steps are logit bias, penalties, tokens that can't be drawn, then llama.cpp's chain (see
`chain`). The first three change the row itself, in numpy: llama.cpp's penalties look up every token
of the vocabulary, which at 152k tokens takes 680 µs, and changing only those that occurred takes
3 µs. Where the most likely token is all that is wanted there is no chain, only an argmax.

A sampler is opened with the tokens that its sequence has, and sees each token that it draws. It
knows nothing of requests, positions or batches.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from math import inf
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mullama.llama.chain import Chain, DryStore
from mullama.llama.rows import Row, keep_only
from mullama.types import SamplerParams, Token

logger = logging.getLogger(__name__)

_MOST_BIAS = 1e9  # beyond every logit and finite: the difference of two infinities is NaN


class Samplers:
    """The samplers of the sequences that are being generated, by key."""

    def __init__(
        self, vocab: int, n_vocab: int, n_ctx: int, *, eos: Token, never: Iterable[Token] = ()
    ) -> None:
        """`vocab` is llama.cpp's, `never` are tokens that can't be drawn by anyone.

        `n_ctx` is what "the whole context" means to those who look back. `eos` is what a row that
        leaves no choice gives.
        """
        self._n_vocab = n_vocab
        self._n_ctx = n_ctx
        self._eos = eos
        self._never = np.array(list(never), np.intp)
        self._dry = DryStore(vocab)
        self._open: dict[int, Sampler] = {}

    def __getitem__(self, key: int) -> Sampler:
        return self._open[key]

    def __len__(self) -> int:
        return len(self._open)

    def open(self, key: int, params: SamplerParams, history: Sequence[Token]) -> None:
        """Make the sampler `key`; one that had the key is closed."""
        self.close(key)
        window = _window(params.dry_penalty_last_n, self._n_ctx)
        chain = Chain.of(params, self._n_vocab, window, self._dry)
        if chain is not None and params.dry_multiplier > 0:
            chain.accept(_last(history, window))
        window = _window(params.penalty_last_n, self._n_ctx)
        penalties = _Penalties.of(params, _last(history, window), window)
        self._open[key] = Sampler(params, chain, penalties, self._never, self._eos)

    def close(self, key: int) -> None:
        """Free the sampler `key`, if there is one."""
        sampler = self._open.pop(key, None)
        if sampler is not None:
            sampler.close()

    def close_all(self) -> None:
        for key in list(self._open):
            self.close(key)
        self._dry.close()

    def __del__(self) -> None:
        self.close_all()


class Sampler:
    """Draws tokens for one sequence."""

    def __init__(
        self,
        params: SamplerParams,
        chain: Chain | None,
        penalties: _Penalties | None,
        never: NDArray[np.intp],
        eos: Token,
    ) -> None:
        self._eos = eos
        self._chain = chain
        self._penalties = penalties
        self._never = never if len(never) else None
        self._bias = _Bias.of(params)

    def see(self, tokens: Sequence[Token]) -> None:
        """Tokens became part of the answer without being drawn."""
        for token in tokens:
            if self._penalties is not None:
                self._penalties.accept(token)
        if self._chain is not None:
            self._chain.accept(tokens)

    def sample(
        self,
        context: int,
        index: int,
        row: Row,
        banned: Sequence[Token] = (),
        mask: bytes | None = None,
    ) -> Token:
        """A token from `row`, which is the context's output for batch row `index`.

        `row` is changed. Tokens in `banned` are not drawn, with `mask` only those in it.
        """
        if self._bias is not None:
            self._bias.apply(row)
        if self._penalties is not None:
            self._penalties.apply(row)
        if self._never is not None:
            row[self._never] = -np.inf
        if banned:
            row[list(banned)] = -np.inf
        if mask is not None:
            keep_only(row, mask)
        token = self._choose(context, index, row)
        if self._penalties is not None:
            self._penalties.accept(token)
        return token

    def _choose(self, context: int, index: int, row: Row) -> Token:
        best = int(row.argmax())
        highest = row.item(best)
        if highest != highest:  # argmax finds NaN first; C would compare and sort with it
            logger.error("The model computed NaN. Its file may be broken: get it again.")
            np.copyto(row, -np.inf, where=np.isnan(row))
            best = int(row.argmax())
            highest = row.item(best)
        if highest == -inf:
            return self._eos
        return best if self._chain is None else self._chain.sample(context, index, row)

    def close(self) -> None:
        if self._chain is not None:
            self._chain.close()


def _last(history: Sequence[Token], n: int) -> Sequence[Token]:
    return history[-n:] if n else ()


def _window(n: int, n_ctx: int) -> int:
    """How far back to look: -1 is the whole context, and nobody sees further than that."""
    return n_ctx if n < 0 else min(n, n_ctx)


class _Bias:
    """Added to the logits of some tokens."""

    def __init__(self, bias: Sequence[tuple[Token, float]]) -> None:
        total: defaultdict[Token, float] = defaultdict(float)
        for token, value in bias:
            total[token] += value
        self._tokens = np.array(list(total), np.intp)
        values = np.array(list(total.values()), np.float64)
        self._values = np.minimum(values, _MOST_BIAS).astype(np.float32)

    @classmethod
    def of(cls, params: SamplerParams) -> Self | None:
        return cls(params.logit_bias) if params.logit_bias else None

    def apply(self, row: Row) -> None:
        row[self._tokens] += self._values


class _Penalties:
    """Makes tokens less likely that occurred among the last ones (repeat, frequency, presence)."""

    def __init__(self, params: SamplerParams, recent: Sequence[Token], window: int) -> None:
        self._repeat = params.penalty_repeat
        self._freq = params.penalty_freq
        self._present = params.penalty_present
        self._window = window
        self._recent = deque(recent)
        self._counts = Counter(self._recent)

    @classmethod
    def of(cls, params: SamplerParams, recent: Sequence[Token], window: int) -> Self | None:
        neutral = params.penalty_repeat == 1 and not params.penalty_freq
        if not window or (neutral and not params.penalty_present):
            return None
        return cls(params, recent, window)

    def apply(self, row: Row) -> None:
        n = len(self._counts)
        if not n:
            return
        tokens = np.fromiter(self._counts.keys(), np.intp, n)
        logits = row[tokens]
        logits = np.where(logits <= 0, logits * self._repeat, logits / self._repeat)
        if self._freq or self._present:
            counts = np.fromiter(self._counts.values(), np.float32, n)
            logits -= counts * self._freq + self._present
        row[tokens] = logits

    def accept(self, token: Token) -> None:
        self._recent.append(token)
        self._counts[token] += 1
        if len(self._recent) > self._window:
            oldest = self._recent.popleft()
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
