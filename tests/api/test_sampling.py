"""Sampling by the names that people send."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from mullama.api.openai.sampling import DEFAULTS, sampler
from mullama.api.openai.schema import CompletionBody
from mullama.errors import InvalidRequest
from mullama.types import MAX_SEED, SamplerParams


def sampled(**fields: Any) -> SamplerParams:
    body = json.dumps({"prompt": "x", **fields})
    return sampler(CompletionBody.model_validate_json(body))


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        sampled(**fields)
    return caught.value


def test_the_defaults_are_llama_servers() -> None:
    assert sampled() == DEFAULTS
    shown = (DEFAULTS.temperature, DEFAULTS.top_k, DEFAULTS.top_p, DEFAULTS.min_p)
    assert shown == (0.8, 40, 0.95, 0.05)
    assert DEFAULTS.penalty_repeat == 1.0
    assert DEFAULTS.seed is None


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("temperature", 0, "temperature"),
        ("top_k", 5, "top_k"),
        ("top_p", 0.5, "top_p"),
        ("min_p", 0.1, "min_p"),
        ("typical_p", 0.9, "typical_p"),
        ("top_n_sigma", 1.5, "top_n_sigma"),
        ("dynatemp_range", 0.5, "dynatemp_range"),
        ("dynatemp_exponent", 2, "dynatemp_exponent"),
        ("xtc_probability", 0.5, "xtc_probability"),
        ("xtc_threshold", 0.2, "xtc_threshold"),
        ("dry_multiplier", 0.8, "dry_multiplier"),
        ("dry_base", 2, "dry_base"),
        ("dry_allowed_length", 3, "dry_allowed_length"),
        ("dry_penalty_last_n", 100, "dry_penalty_last_n"),
        ("mirostat", 2, "mirostat"),
        ("mirostat_tau", 4, "mirostat_tau"),
        ("mirostat_eta", 0.2, "mirostat_eta"),
        ("repeat_penalty", 1.2, "penalty_repeat"),
        ("repetition_penalty", 1.2, "penalty_repeat"),
        ("repeat_last_n", -1, "penalty_last_n"),
        ("frequency_penalty", -2, "penalty_freq"),
        ("presence_penalty", 2, "penalty_present"),
        ("seed", 7, "seed"),
    ],
)
def test_every_name_reaches_its_field(name: str, value: float, field: str) -> None:
    changed = sampled(**{name: value})
    assert getattr(changed, field) == value
    assert changed != DEFAULTS


def test_breakers_are_a_list_of_texts() -> None:
    assert sampled(dry_sequence_breakers=["\n"]).dry_sequence_breakers == ("\n",)


def test_a_negative_seed_is_a_fresh_one_and_a_large_one_is_folded() -> None:
    assert sampled(seed=-1).seed is None
    assert sampled(seed=MAX_SEED).seed == MAX_SEED
    assert sampled(seed=2**63).seed == 2**63 % (MAX_SEED + 1)


def test_both_names_of_the_repeat_penalty_must_agree() -> None:
    assert sampled(repeat_penalty=1.2, repetition_penalty=1.2).penalty_repeat == 1.2
    assert refusal(repeat_penalty=1.2, repetition_penalty=1.3).param == "repetition_penalty"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("top_p", 1.1),
        ("repeat_penalty", 0),
        ("repetition_penalty", -1),
        ("repeat_last_n", -2),
        ("frequency_penalty", 1e6),
        ("presence_penalty", -1e6),
        ("mirostat", 3),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_name_that_was_sent(name: str, value: float) -> None:
    error = refusal(**{name: value})
    assert error.param == name
    assert error.message.startswith(f"{name} is ")


def test_biases_are_an_object_or_pairs() -> None:
    expected = ((15043, -5.0), (17, -math.inf))
    assert sampled(logit_bias={"15043": -5, "17": False}).logit_bias == expected
    assert sampled(logit_bias=[[15043, -5], ["17", False]]).logit_bias == expected
    assert sampled(logit_bias={}).logit_bias == ()
    assert sampled(logit_bias=[[17, 1], [17, 2]]).logit_bias == ((17, 2.0),)  # the last counts


@pytest.mark.parametrize(
    "value",
    [
        {"word": 1},
        {"-1": 1},
        {"٣": 1},
        {"99999999999": 1},
        {"1": 101},
        {"1": True},
        {"1": "x"},
        {"1": None},
        [[1, 2, 3]],
        [[1.5, 2]],
        [[True, 2]],
        [1],
        "x",
        5,
    ],
)
def test_other_biases_are_refused(value: Any) -> None:
    assert refusal(logit_bias=value).param == "logit_bias"
