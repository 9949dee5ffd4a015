"""How the wire asks for sampling: many names, one SamplerParams.

What a request leaves out is as llama-server has it: temperature 0.8, top_k 40, top_p 0.95, min_p
0.05, no penalties, and a fresh seed for each request.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mullama.api.openai.schema import MAX_TOKEN, GenerationBody, Token
from mullama.errors import InvalidRequest
from mullama.types import MAX_SEED, SamplerParams

_CHANGED: Mapping[str, Any] = {"penalty_repeat": 1.0, "seed": None}  # from the library's defaults

DEFAULTS = SamplerParams(**_CHANGED)

_MAX_BIAS = 100.0
_ID = re.compile("[0-9]{1,10}")

# Wire name -> name in SamplerParams, where a value goes over as it is.
_SAMPLER_FIELDS: Mapping[str, str] = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "top_n_sigma": "top_n_sigma",
    "dynatemp_range": "dynatemp_range",
    "dynatemp_exponent": "dynatemp_exponent",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
    "dry_multiplier": "dry_multiplier",
    "dry_base": "dry_base",
    "dry_allowed_length": "dry_allowed_length",
    "dry_penalty_last_n": "dry_penalty_last_n",
    "mirostat": "mirostat",
    "mirostat_tau": "mirostat_tau",
    "mirostat_eta": "mirostat_eta",
    "repeat_penalty": "penalty_repeat",
    "repetition_penalty": "penalty_repeat",
    "repeat_last_n": "penalty_last_n",
    "frequency_penalty": "penalty_freq",
    "presence_penalty": "penalty_present",
}


def agreed(body: GenerationBody, *names: str) -> Any:
    """The value of a thing with several names, or None. Raises InvalidRequest if two differ."""
    given = [(name, value) for name in names if (value := getattr(body, name)) is not None]
    if not given:
        return None
    first, value = given[0]
    for name, other in given[1:]:
        if other != value:
            raise InvalidRequest(
                f"{first} is {value} and {name} is {other}, but they mean the same; send one.",
                param=name,
            )
    return value


def sampler(body: GenerationBody) -> SamplerParams:
    """What the body asks for, on top of the defaults. Raises InvalidRequest."""
    agreed(body, "repeat_penalty", "repetition_penalty")
    changes: dict[str, Any] = {
        ours: value
        for name, ours in _SAMPLER_FIELDS.items()
        if (value := getattr(body, name)) is not None
    }
    if body.seed is not None and body.seed >= 0:
        changes["seed"] = body.seed % (MAX_SEED + 1)
    if body.dry_sequence_breakers is not None:
        changes["dry_sequence_breakers"] = tuple(body.dry_sequence_breakers)
    if body.logit_bias:
        changes["logit_bias"] = _logit_bias(body.logit_bias)
    return _replaced(changes, body) if changes else DEFAULTS


def _replaced(changes: dict[str, Any], body: GenerationBody) -> SamplerParams:
    """The defaults with `changes`; an error names the field as the client wrote it."""
    try:
        return SamplerParams(**{**_CHANGED, **changes})
    except InvalidRequest as error:
        ours = error.param or ""
        names = [name for name, other in _SAMPLER_FIELDS.items() if other == ours]
        wire = next((name for name in names if getattr(body, name) is not None), ours)
        raise InvalidRequest(error.message.replace(ours, wire, 1), param=wire) from None


def _logit_bias(value: Any) -> tuple[tuple[Token, float], ...]:
    """{"15043": -5, "17": false} or [[15043, -5], [17, false]]."""
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise InvalidRequest(
            "logit_bias must be an object of token ids and biases, or a list of such pairs.",
            param="logit_bias",
        )
    return tuple({_token_id(token): _bias(bias) for token, bias in pairs}.items())


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list | tuple) and len(pair) == 2


def _token_id(token: Any) -> Token:
    """An id, as a number or as an object's key. Whether the model has it, the backend says."""
    text = str(token) if type(token) is int else token
    if isinstance(text, str) and _ID.fullmatch(text) and int(text) <= MAX_TOKEN:
        return int(text)
    raise InvalidRequest(
        f"logit_bias has {token!r} where a token's id belongs; texts are not ids.",
        param="logit_bias",
    )


def _bias(bias: Any) -> float:
    if bias is False:
        return -math.inf
    if type(bias) in (int, float) and -_MAX_BIAS <= bias <= _MAX_BIAS:
        return float(bias)
    raise InvalidRequest(
        f"logit_bias has the bias {bias!r}; it must be -100 to 100, or false for never.",
        param="logit_bias",
    )
