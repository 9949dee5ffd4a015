"""Samplers: each setting does what it says, the shortcuts decide as llama.cpp's samplers do."""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mullama.errors import InvalidRequest
from mullama.llama import chain as chain_module
from mullama.llama.chain import Chain, DryStore
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.llama.sampler import Sampler, Samplers, _last, _Penalties, _window
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from mullama.types import Chunk, OpenSampler, Plan, SamplerParams, Token
from tests.llama.conftest import MakeRunner

N_CTX = 256
NEUTRAL = {
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "penalty_repeat": 1.0,
    "temperature": 1.0,
    "seed": 1,
}


def settings_of(**options: Any) -> SamplerParams:
    """Settings under which everything is off, but for `options`."""
    return SamplerParams(**(NEUTRAL | options))


GREEDY = settings_of(temperature=0.0)


class Bench:
    """A context whose one computed row can be overwritten with any logits."""

    def __init__(self, runner: LlamaRunner, model: LlamaModel) -> None:
        self._context = runner._context
        params = SamplerParams.greedy()
        tokens = [7, 8, 9]
        runner.execute(
            Plan(opened=[OpenSampler(0, params, tokens)], chunks=[Chunk(0, 0, 0, tokens, True)])
        )
        self.row = self._context.logits(1)[0]
        self.n_vocab = len(self.row)
        with model.handle as weights:
            self.vocab: int = C.llama_model_get_vocab(weights)
        self._samplers: list[Samplers] = []

    def sampler(
        self, params: SamplerParams, history: Sequence[Token] = (), never: Sequence[Token] = ()
    ) -> Sampler:
        samplers = Samplers(self.vocab, self.n_vocab, N_CTX, eos=0, never=never)
        self._samplers.append(samplers)
        samplers.open(5, params, history)
        return samplers[5]

    def draw(
        self, sampler: Sampler, logits: Sequence[float], banned: Sequence[Token] = ()
    ) -> Token:
        """A token by `sampler`, from `logits` for the first tokens; others can't be drawn."""
        self.row[:] = -math.inf
        self.row[: len(logits)] = logits
        with self._context.handle as context:
            return sampler.sample(context, 2, self.row, banned)

    def draws(
        self, params: SamplerParams, logits: Sequence[float], n: int = 200, **options: Any
    ) -> list[Token]:
        sampler = self.sampler(params, **options)
        return [self.draw(sampler, logits) for _ in range(n)]


@pytest.fixture
def bench(make_runner: MakeRunner, model: LlamaModel) -> Bench:
    return Bench(make_runner(), model)


# ------------------------------------------------------------------------------------------- greedy


def test_temperature_0_takes_the_most_likely_token(bench: Bench) -> None:
    sampler = bench.sampler(GREEDY)
    assert [bench.draw(sampler, logits) for logits in ([1, 3, 2], [5, 3, 2], [3, 3, 2])] == [
        1,
        0,
        0,
    ]


def test_a_temperature_near_0_does_too(bench: Bench) -> None:
    assert set(bench.draws(settings_of(temperature=1e-30), [50, 49.9, 1])) == {0}


def test_greedy_heeds_what_changes_the_row_and_nothing_that_draws(bench: Bench) -> None:
    draws = {"xtc_probability": 1.0, "mirostat": 2, "dynatemp_range": 3.0}
    params = settings_of(temperature=0.0, logit_bias=((2, 5.0),), **draws)
    assert set(bench.draws(params, [3, 2, 1])) == {2}


# ----------------------------------------------------------------------- bias, bans and penalties


def test_bias_is_added_and_may_be_infinite(bench: Bench) -> None:
    logits = [1.0, 2.0, 3.0]
    assert bench.draws(settings_of(temperature=0.0, logit_bias=((1, 1.5),)), logits, 1) == [1]
    assert set(bench.draws(settings_of(logit_bias=((0, math.inf),)), logits)) == {0}
    assert set(bench.draws(settings_of(logit_bias=((2, -math.inf),)), logits)) == {0, 1}


def test_bias_for_one_token_given_twice_adds_up(bench: Bench) -> None:
    params = settings_of(temperature=0.0, logit_bias=((0, 1.5), (0, 1.5)))
    assert bench.draws(params, [0, 2], 1) == [0]


@pytest.mark.parametrize("params", [GREEDY, settings_of()])
def test_banned_tokens_are_not_drawn(bench: Bench, params: SamplerParams) -> None:
    sampler = bench.sampler(params)
    for _ in range(50):
        assert bench.draw(sampler, [9, 8, 1, 1], banned=[0, 1]) in {2, 3}


@pytest.mark.parametrize("params", [GREEDY, settings_of()])
def test_tokens_that_nobody_may_draw_are_not_drawn(bench: Bench, params: SamplerParams) -> None:
    assert set(bench.draws(params, [9, 8, 1], never=[0, 1])) == {2}


@settings(max_examples=50)
@given(
    repeat=st.sampled_from([0.5, 1.0, 1.1, 2.0]),
    freq=st.sampled_from([-1.0, 0.0, 0.7]),
    present=st.sampled_from([0.0, 1.5]),
    last_n=st.sampled_from([-1, 0, 1, 3, 64]),
    history=st.lists(st.integers(0, 9), max_size=8),
    accepted=st.lists(st.integers(0, 9), max_size=5),
)
def test_penalties_are_those_of_llama_cpp(
    repeat: float,
    freq: float,
    present: float,
    last_n: int,
    history: list[Token],
    accepted: list[Token],
) -> None:
    params = settings_of(
        penalty_repeat=repeat, penalty_freq=freq, penalty_present=present, penalty_last_n=last_n
    )
    window = _window(last_n, N_CTX)
    reference = C.llama_sampler_init_penalties(10, window, repeat, freq, present)
    for token in [*history, *accepted]:
        C.llama_sampler_accept(reference, token)
    logits = np.linspace(-2, 3, 10, dtype=np.float32)
    expected = apply(reference, logits)
    C.llama_sampler_free(reference)

    row = logits.copy()
    ours = _Penalties.of(params, _last(history, window), window)
    if ours is not None:
        for token in accepted:
            ours.accept(token)
        ours.apply(row)
    np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-6)


def apply(sampler: int, logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What a llama.cpp sampler makes of a row."""
    array, data = candidates(logits)
    C.llama_sampler_apply(sampler, ctypes.byref(array))
    return data["logit"]


def candidates(logits: np.ndarray[Any, Any]) -> tuple[Any, np.ndarray[Any, Any]]:
    data = np.zeros(len(logits), [("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
    data["id"], data["logit"] = np.arange(len(logits)), logits
    array = C.llama_token_data_array()
    array.data = ctypes.cast(data.ctypes.data, ctypes.POINTER(C.llama_token_data))
    array.size, array.selected, array.sorted = len(logits), -1, False
    return array, data


def test_penalties_look_back_on_history_and_on_what_is_drawn(bench: Bench) -> None:
    params = settings_of(temperature=0.0, penalty_present=10.0, penalty_last_n=2)
    sampler = bench.sampler(params, history=[3, 0])
    assert [bench.draw(sampler, [4, 3, 2, 1]) for _ in range(4)] == [1, 2, 0, 1]


def test_dry_forbids_to_go_on_repeating(bench: Bench) -> None:
    repeating = [5, 6, 7, 8, 5, 6, 7]
    logits = [0.0] * 8 + [3.0, 2.0]
    assert bench.draws(settings_of(temperature=0.0), logits, 1, history=repeating) == [8]
    params = settings_of(temperature=0.0, dry_multiplier=5.0, dry_sequence_breakers=())
    assert bench.draws(params, logits, 1, history=repeating) == [9]
    short = settings_of(temperature=0.0, dry_multiplier=5.0, dry_penalty_last_n=3)
    assert bench.draws(short, logits, 1, history=repeating) == [8]


def test_dry_samplers_of_equal_settings_do_not_share_what_they_saw(bench: Bench) -> None:
    params = settings_of(temperature=0.0, dry_multiplier=5.0)
    samplers = Samplers(bench.vocab, bench.n_vocab, N_CTX, eos=0)
    samplers.open(1, params, [5, 6, 7, 8, 5, 6, 7])
    samplers.open(2, params, [])
    logits = [0.0] * 8 + [3.0, 2.0]
    assert [bench.draw(samplers[key], logits) for key in (2, 1)] == [8, 9]
    samplers.close_all()


def test_more_dry_settings_than_are_kept(bench: Bench) -> None:
    store = DryStore(bench.vocab)
    for n in range(20):
        params = settings_of(dry_multiplier=1.0 + n % 12)
        for sampler in store.clone(params, 64):
            C.llama_sampler_free(sampler)
    assert len(store._made) == 8
    store.close()


@pytest.mark.parametrize("breaker", ["", "x" * 41, "a\0b", "\ud800"])
def test_a_breaker_that_llama_cpp_would_cut_is_refused(breaker: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        SamplerParams(dry_sequence_breakers=(breaker,))
    assert caught.value.param == "dry_sequence_breakers"


# ------------------------------------------------------------------------------------------ drawing


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {0, 1, 2, 3, 4, 5}),
        ({"top_k": 2}, {0, 1}),
        ({"top_k": 1}, {0}),
        ({"top_k": 10**6}, {0, 1, 2, 3, 4, 5}),
        ({"top_p": 0.6}, {0, 1}),
        ({"top_p": 0.0}, {0}),
        ({"min_p": 0.5}, {0, 1}),
        ({"min_p": 1.0}, {0}),
        ({"typical_p": 0.3}, {0, 1}),
        ({"typical_p": 0.0}, {1}),
        ({"top_n_sigma": 1.0}, {0, 1}),
        ({"xtc_probability": 1.0, "xtc_threshold": 0.1}, {2, 3, 4, 5}),
        ({"xtc_probability": 1.0, "xtc_threshold": 0.6}, {0, 1, 2, 3, 4, 5}),
        ({"temperature": 0.01}, {0}),
        ({"temperature": 100.0}, {0, 1, 2, 3, 4, 5}),
    ],
)
def test_what_can_be_drawn(bench: Bench, options: dict[str, Any], expected: set[Token]) -> None:
    logits = [3.0, 2.5, 1.5, 0.5, 0.4, 0.3]  # 0.46 0.28 0.10 ...
    assert set(bench.draws(settings_of(**options), logits, 500)) == expected


def test_draws_follow_the_distribution(bench: Bench) -> None:
    counts = Counter(bench.draws(settings_of(), [math.log(6), math.log(3), 0.0], 5000))
    assert counts[0] / 5000 == pytest.approx(0.6, abs=0.04)
    assert counts[1] / 5000 == pytest.approx(0.3, abs=0.04)


def test_a_dynamic_temperature_is_low_where_the_model_is_sure(bench: Bench) -> None:
    params = settings_of(top_k=4, dynatemp_range=0.999, dynatemp_exponent=4.0)
    sure = Counter(bench.draws(params, [6.0, 3.0, 3.0, 3.0], 500))
    unsure = Counter(bench.draws(params, [3.1, 3.0, 3.0, 3.0], 500))
    assert sure[0] == 500
    assert unsure[0] < 300


@pytest.mark.parametrize("version", [1, 2])
def test_mirostat_cuts_off_what_surprises_too_much(bench: Bench, version: int) -> None:
    logits = [5.0] + [2.0] * 10 + [-1.0] * 50
    narrow = bench.draws(settings_of(mirostat=version, mirostat_tau=0.1), logits)
    wide = bench.draws(settings_of(mirostat=version, mirostat_tau=9.0), logits)
    assert len(set(narrow)) < len(set(wide))


@pytest.mark.parametrize(
    "options",
    [{}, {"mirostat": 1}, {"mirostat": 2}, {"xtc_probability": 0.5}, {"typical_p": 0.5}],
)
def test_a_seed_makes_draws_reproducible(bench: Bench, options: dict[str, Any]) -> None:
    logits = np.random.default_rng(3).standard_normal(200).tolist()
    first, again, other = (
        bench.draws(settings_of(**options).with_seed(seed), logits, 30) for seed in (7, 7, 8)
    )
    assert first == again != other


def test_without_a_seed_each_sampler_draws_anew(bench: Bench) -> None:
    logits = [0.0] * 200
    assert bench.draws(settings_of(seed=None), logits, 30) != bench.draws(
        settings_of(seed=None), logits, 30
    )


def test_largest_seed(bench: Bench) -> None:
    params = settings_of(seed=2**32 - 2)
    assert bench.draws(params, [0.0] * 50, 30) == bench.draws(params, [0.0] * 50, 30)


# --------------------------------------------------------------------------------- rows gone wrong


EVERY_KIND = [
    {"temperature": 0.0},
    {},
    {"top_k": 3},
    {"top_p": 0.5},
    {"min_p": 0.5},
    {"typical_p": 0.5},
    {"top_n_sigma": 1.0},
    {"dynatemp_range": 0.5},
    {"xtc_probability": 1.0},
    {"mirostat": 1},
    {"mirostat": 2},
    {"dry_multiplier": 1.0},
    {"penalty_repeat": 1.5, "penalty_freq": 0.5},
]


@pytest.mark.parametrize("options", EVERY_KIND)
def test_nan_is_never_drawn(bench: Bench, options: dict[str, Any]) -> None:
    logits = [1.0, math.nan, 2.0, math.nan, 0.5]
    assert set(bench.draws(settings_of(**options), logits, 50)) <= {0, 2, 4}


@pytest.mark.parametrize("value", [math.nan, -math.inf])
@pytest.mark.parametrize("options", EVERY_KIND)
def test_a_row_that_leaves_no_choice_ends_the_answer(
    bench: Bench, options: dict[str, Any], value: float
) -> None:
    assert set(bench.draws(settings_of(**options), [value] * bench.n_vocab, 3)) == {0}


@pytest.mark.parametrize("options", EVERY_KIND)
def test_one_possible_token_is_drawn(bench: Bench, options: dict[str, Any]) -> None:
    assert set(bench.draws(settings_of(**options), [-math.inf, -math.inf, 1.0], 20)) == {2}


@pytest.mark.parametrize("options", EVERY_KIND)
def test_infinite_logits_do_not_crash(bench: Bench, options: dict[str, Any]) -> None:
    for token in bench.draws(settings_of(**options), [math.inf, math.inf, 1.0, 3e38, -3e38], 5):
        assert 0 <= token < bench.n_vocab


# ------------------------------------------------------------------------------ large vocabularies


@pytest.mark.parametrize(
    "options",
    [
        {"top_k": 40},
        {"top_k": 40, "top_p": 0.9, "min_p": 0.05, "temperature": 0.8},
        {"top_k": 5, "typical_p": 0.7},
        {"top_k": 100, "xtc_probability": 0.5},
        {"top_k": 40, "dynatemp_range": 0.5},
    ],
)
def test_a_chain_decides_the_same_on_the_candidates_alone(
    bench: Bench, options: dict[str, Any]
) -> None:
    """On a vocabulary of 20,000; the whole row goes through the same samplers for comparison."""
    rows = np.random.default_rng(5).standard_normal((50, 20_000)).astype(np.float32) * 3
    params = settings_of(**options)
    store = DryStore(bench.vocab)
    narrow, whole = (Chain.of(params, 20_000, N_CTX, store) for _ in range(2))
    assert narrow is not None
    assert whole is not None
    for row in rows:
        array, data = candidates(row)
        C.llama_sampler_apply(whole._pointer, ctypes.byref(array))
        expected = array.data[array.selected].id
        assert narrow.sample(0, 0, row) == expected
        assert len(data) == 20_000
    narrow.close()
    whole.close()


def test_a_chain_that_looks_at_the_whole_row_gets_it(bench: Bench) -> None:
    store = DryStore(bench.vocab)
    for options in (
        {"top_k": 0},
        {"top_k": 40, "top_n_sigma": 1.0},
        {"top_k": 40, "dry_multiplier": 1.0},
        {"top_k": 40, "mirostat": 2},
        {"top_k": 5000},
    ):
        chain = Chain.of(settings_of(**options), 20_000, N_CTX, store)
        assert chain is not None
        assert chain._candidates is None
        chain.close()
    store.close()


def test_many_equal_logits_go_through_the_whole_row(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_module, "_NARROW_FROM", 0)
    monkeypatch.setattr(chain_module, "_MOST_CANDIDATES", 50)
    tokens = set(bench.draws(settings_of(top_k=2), [1.0] * 200, 50))
    assert len(tokens) == 2


def test_a_small_vocabulary_narrowed_draws_as_one_that_is_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = np.random.default_rng(3).standard_normal(bench.n_vocab).tolist()
    params = settings_of(top_k=12, top_p=0.9, temperature=0.7)
    expected = bench.draws(params, logits, 100)
    monkeypatch.setattr(chain_module, "_NARROW_FROM", 0)
    assert bench.draws(params, logits, 100) == expected


# --------------------------------------------------------------------------------------- by key


def test_samplers_are_kept_by_key_and_closed(bench: Bench) -> None:
    samplers = Samplers(bench.vocab, bench.n_vocab, N_CTX, eos=0)
    samplers.open(1, settings_of(), [])
    samplers.open(2, GREEDY, [])
    samplers.open(1, GREEDY, [])
    samplers.close(2)
    samplers.close(2)
    assert len(samplers) == 1
    with pytest.raises(KeyError):
        samplers[2]
    samplers.close_all()
    assert len(samplers) == 0


def test_a_real_vocabulary_has_its_breakers(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("vocab/ggml-vocab-gpt-2.gguf")
    with LlamaModel.load(read_info(path), vocab_only=True) as model:
        vocab = LlamaVocab(model)
        with model.handle as weights:
            pointer = C.llama_model_get_vocab(weights)
        samplers = Samplers(pointer, vocab.n_tokens, 4096, eos=0)
        for key in range(100):
            samplers.open(key, settings_of(dry_multiplier=0.8), vocab.tokenize("again: again"))
        samplers.close_all()
