"""SamplerParams: what each field takes, and who is named when it does not."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from mullama.errors import InvalidRequest
from mullama.types import MAX_SEED, SamplerParams
from mullama.types.sampling import MAX_BREAKERS

WHOLE = ["top_k", "penalty_last_n", "seed", "dry_allowed_length", "dry_penalty_last_n", "mirostat"]


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        SamplerParams(**fields)
    return caught.value


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [1.5, 1.0, True, "1", [1], np.float32(1), Decimal(1)])
def test_a_whole_number_is_one(name: str, value: Any) -> None:
    error = refusal(**{name: value})
    assert error.param == name
    assert error.message.startswith(f"{name} is ")
    assert "whole number" in error.message


@pytest.mark.parametrize("value", ["0.5", None, False, [0.5], 1j, math.nan, np.float32("nan")])
def test_a_number_is_one(value: Any) -> None:
    error = refusal(temperature=value)
    assert error.param == "temperature"
    assert error.message.startswith("temperature is ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("top_p", 1.1),
        ("top_k", -2),
        ("seed", -1),
        ("seed", MAX_SEED + 1),
        ("mirostat", 3),
        ("dry_sequence_breakers", [""]),
        ("dry_sequence_breakers", [5]),
        ("dry_sequence_breakers", "\n:"),
        ("dry_sequence_breakers", ["x"] * (MAX_BREAKERS + 1)),
        ("logit_bias", {"a": 1}),
        ("logit_bias", {1.5: 1}),
        ("logit_bias", {1: "much"}),
        ("logit_bias", [1, 2]),
        ("logit_bias", [(1, math.nan)]),
    ],
)
def test_a_value_out_of_range_is_named(name: str, value: Any) -> None:
    assert refusal(**{name: value}).param == name


def test_numbers_of_numpy_become_pythons_own() -> None:
    params = SamplerParams(top_k=np.int64(7), seed=np.uint32(9), temperature=np.float32(0.5))
    assert (params.top_k, params.seed, params.temperature) == (7, 9, 0.5)
    assert [type(value) for value in (params.top_k, params.seed, params.temperature)] == [
        int,
        int,
        float,
    ]


def test_lists_and_mappings_become_tuples() -> None:
    """A list used to reach the engine's thread, and ended it there: nothing hashes a list."""
    params = SamplerParams(
        dry_sequence_breakers=["\n", "é"],  # type: ignore[arg-type]
        logit_bias={np.int32(5): -1, 6: -math.inf},  # type: ignore[arg-type]
    )
    assert params.dry_sequence_breakers == ("\n", "é")
    assert params.logit_bias == ((5, -1.0), (6, -math.inf))
    assert hash(params) == hash(SamplerParams(**{f: getattr(params, f) for f in params.__slots__}))


def test_no_seed_is_a_fresh_one() -> None:
    assert SamplerParams(seed=None).seed is None
