"""llama.cpp's chain of samplers for some settings: it narrows a row's choice and draws.

The samplers, in order; one that would do nothing is left out, so the usual settings cost little:

    DRY · top-n-sigma · top-k · typical-p · top-p · min-p · XTC · temperature · draw
                                              (Mirostat replaces all from top-n-sigma on)

Where top-k comes first, the chain gets only the tokens that it could keep. It decides the same on
forty candidates as on the whole vocabulary, which at 152k tokens takes 150 µs to copy and sort, and
1.8 MB of cache a sequence.
"""

from __future__ import annotations

import ctypes
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from mullama.llama.lib import C
from mullama.llama.rows import Row, likeliest
from mullama.types import MAX_SEED, SamplerParams, Token

_COLDEST = 1e-6  # below, logits divided by it overflow; nothing but the best has a chance by then
_MIROSTAT_M = 100  # tokens from which Mirostat 1 estimates; the paper's number
_TINY_P = 1e-30  # relative to the most likely token; see `_without_zeros`
_KEPT_DRY = 8  # DRY samplers to clone from
_NARROW_FROM = 1 << 14  # tokens; a smaller vocabulary is copied as fast as it is searched
_MOST_CANDIDATES = 1024

_CANDIDATE = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])  # llama_token_data


class Chain:
    """A chain that ends in a choice. `close` frees it."""

    def __init__(self, samplers: Iterable[int], top_k: int = 0) -> None:
        """With `top_k`, the first sampler keeps only so many of the likeliest tokens."""
        params = C.llama_sampler_chain_default_params()
        params.no_perf = True
        self._pointer: int = C.llama_sampler_chain_init(params)
        for sampler in samplers:
            C.llama_sampler_chain_add(self._pointer, sampler)  # which frees it with the chain
        self._top_k = top_k
        self._candidates = _Candidates() if top_k else None

    @classmethod
    def of(cls, params: SamplerParams, n_vocab: int, window: int, dry: DryStore) -> Self | None:
        """The chain for `params`; None where the most likely token is all that is wanted.

        DRY looks back `window` tokens.
        """
        first = list(dry.clone(params, window))
        if params.temperature < _COLDEST:
            return cls([*first, C.llama_sampler_init_greedy()]) if first else None
        narrow = n_vocab >= _NARROW_FROM and 0 < params.top_k < _MOST_CANDIDATES
        plain = not first and not params.mirostat and params.top_n_sigma <= 0
        top_k = params.top_k if narrow and plain else 0
        return cls([*first, *_drawing(params, n_vocab)], top_k)

    def sample(self, context: int, index: int, row: Row) -> Token:
        """A token from `row`, which is the context's output for batch row `index`."""
        if self._candidates is not None:
            tokens = likeliest(row, self._top_k)
            if len(tokens) <= _MOST_CANDIDATES:  # many have equal logits otherwise
                return self._candidates.choose(self._pointer, tokens, row)
        token: int = _sample(self._pointer, context, index)
        return token

    def accept(self, tokens: Iterable[Token]) -> None:
        """Let the chain look back on `tokens`."""
        for token in tokens:
            _accept(self._pointer, token)

    def close(self) -> None:
        pointer, self._pointer = self._pointer, 0
        if pointer:
            C.llama_sampler_free(pointer)


class _Candidates:
    """A llama_token_data_array of our own, filled anew for each choice."""

    def __init__(self) -> None:
        self._data = np.zeros(_MOST_CANDIDATES, _CANDIDATE)
        self._ids = self._data["id"]
        self._logits = self._data["logit"]
        kind = ctypes.POINTER(C.llama_token_data)
        self._place = ctypes.cast(self._data.ctypes.data, kind)
        self._array = C.llama_token_data_array()
        self._reference = ctypes.byref(self._array)

    def choose(self, chain: int, tokens: np.ndarray[Any, np.dtype[np.intp]], row: Row) -> Token:
        n = len(tokens)
        self._ids[:n] = tokens
        self._logits[:n] = row[tokens]
        array = self._array
        array.data, array.size, array.selected, array.sorted = self._place, n, -1, False
        _apply(chain, self._reference)
        token: int = array.data[array.selected].id
        return token


class DryStore:
    """DRY samplers by their settings, to be cloned: making one reads the vocabulary (30 ms)."""

    def __init__(self, vocab: int) -> None:
        self._vocab = vocab
        self._made: OrderedDict[tuple[object, ...], int] = OrderedDict()

    def clone(self, params: SamplerParams, window: int) -> Iterator[int]:
        """A fresh DRY sampler, or none where it would do nothing."""
        if params.dry_multiplier <= 0 or params.dry_base < 1 or not window:
            return
        key = (
            params.dry_multiplier,
            params.dry_base,
            params.dry_allowed_length,
            window,
            params.dry_sequence_breakers,
        )
        if key not in self._made:
            self._made[key] = self._make(params, window)
            if len(self._made) > _KEPT_DRY:
                C.llama_sampler_free(self._made.popitem(last=False)[1])
        self._made.move_to_end(key)
        yield C.llama_sampler_clone(self._made[key])

    def _make(self, params: SamplerParams, window: int) -> int:
        breakers = [text.encode() for text in params.dry_sequence_breakers]
        sampler: int = C.llama_sampler_init_dry(
            self._vocab,
            params.dry_multiplier,
            params.dry_base,
            params.dry_allowed_length,
            window,
            (ctypes.c_char_p * len(breakers))(*breakers),
            len(breakers),
        )
        return sampler

    def close(self) -> None:
        while self._made:
            C.llama_sampler_free(self._made.popitem()[1])


def _drawing(params: SamplerParams, n_vocab: int) -> Iterator[int]:
    """The samplers that narrow the choice, and the one that draws."""
    seed = secrets.randbelow(MAX_SEED + 1) if params.seed is None else params.seed
    if params.mirostat:
        yield from _mirostat(params, n_vocab, seed)
        return
    if params.top_n_sigma > 0:
        yield C.llama_sampler_init_top_n_sigma(params.top_n_sigma)
    if 0 < params.top_k < n_vocab:
        yield C.llama_sampler_init_top_k(params.top_k)
    if params.typical_p < 1:
        yield _without_zeros()
        yield C.llama_sampler_init_typical(params.typical_p, 1)
    if params.top_p < 1:
        yield C.llama_sampler_init_top_p(params.top_p, 1)
    if params.min_p > 0:
        yield C.llama_sampler_init_min_p(params.min_p, 1)
    if params.xtc_probability > 0 and params.xtc_threshold <= 0.5:
        yield C.llama_sampler_init_xtc(params.xtc_probability, params.xtc_threshold, 1, seed)
    yield from _temperature(params)
    yield C.llama_sampler_init_dist(seed)


def _mirostat(params: SamplerParams, n_vocab: int, seed: int) -> Iterator[int]:
    if params.temperature != 1:
        yield C.llama_sampler_init_temp(params.temperature)
    yield _without_zeros()
    tau, eta = params.mirostat_tau, params.mirostat_eta
    if params.mirostat == 1:
        yield C.llama_sampler_init_mirostat(n_vocab, seed, tau, eta, _MIROSTAT_M)
    else:
        yield C.llama_sampler_init_mirostat_v2(seed, tau, eta)


def _temperature(params: SamplerParams) -> Iterator[int]:
    if params.dynatemp_range > 0:
        yield C.llama_sampler_init_temp_ext(
            params.temperature, params.dynatemp_range, params.dynatemp_exponent
        )
    elif params.temperature != 1:
        yield C.llama_sampler_init_temp(params.temperature)


def _without_zeros() -> int:
    """A filter before samplers that take a logarithm of each probability.

    One that float32 rounds to 0 (a banned token's is) would make their sums NaN.
    """
    filter_: int = C.llama_sampler_init_min_p(_TINY_P, 1)
    return filter_


# Bound once: looking them up in the module costs as much as calling them.
_sample: Any = C.llama_sampler_sample
_accept: Any = C.llama_sampler_accept
_apply: Any = C.llama_sampler_apply
