"""How a token is drawn: the samplers' parameters, and their ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import index
from typing import Any

from mullama.errors import InvalidRequest

Token = int

MAX_SEED = 2**32 - 2  # llama.cpp reserves 2**32 - 1 for "draw one"
MAX_BREAKERS = 64  # each is looked for in every token of the vocabulary


@dataclass(frozen=True, slots=True)
class SamplerParams:
    """How the next token is chosen from the model's distribution.

    The samplers run in llama.cpp's usual order: logit_bias, repetition penalties, DRY, top-n-sigma,
    top-k, typical-p, top-p, min-p, XTC, temperature, and then a draw; Mirostat replaces everything
    from top-n-sigma on. `temperature` 0 takes the most likely token.

    `seed` makes a draw reproducible; None draws a fresh seed for each request.
    `penalty_last_n` and `dry_penalty_last_n` look back that many tokens (-1: the whole context).

    Raises InvalidRequest, naming the field, for a value outside its range or of another type.
    """

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    typical_p: float = 1.0
    penalty_repeat: float = 1.1
    penalty_freq: float = 0.0
    penalty_present: float = 0.0
    penalty_last_n: int = 64
    seed: int | None = 0
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    top_n_sigma: float = -1.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: tuple[tuple[Token, float], ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if type(value) is not type(low):
                value = self._made_plain(name, whole=isinstance(low, int))
            if not low <= value <= high:  # also false for NaN
                raise InvalidRequest(
                    f"{name} is {value}; it must be between {low:g} and {high:g}.", param=name
                )
        if self.seed is not None and not 0 <= self._made_plain("seed", whole=True) <= MAX_SEED:
            raise InvalidRequest(
                f"seed is {self.seed}; it must be between 0 and {MAX_SEED}.", param="seed"
            )
        object.__setattr__(self, "logit_bias", _biases(self.logit_bias))
        object.__setattr__(self, "dry_sequence_breakers", _breakers(self.dry_sequence_breakers))

    def _made_plain(self, name: str, *, whole: bool) -> float:
        """The field's value, from now on as one of Python's own numbers."""
        number = _plain(getattr(self, name), name, whole=whole)
        object.__setattr__(self, name, number)
        return number

    @classmethod
    def greedy(cls) -> SamplerParams:
        """Always the most likely token."""
        return cls(temperature=0.0, top_k=1, top_p=1.0, min_p=0.0, penalty_repeat=1.0)

    @classmethod
    def creative(cls) -> SamplerParams:
        """More varied than the default."""
        return cls(temperature=1.1, top_k=100, top_p=0.98, min_p=0.02)

    @classmethod
    def precise(cls) -> SamplerParams:
        """Closer to the most likely token than the default."""
        return cls(temperature=0.3, top_k=20, top_p=0.8, min_p=0.1)

    def with_seed(self, seed: int) -> SamplerParams:
        """A copy with another seed."""
        return replace(self, seed=seed)


def _plain(value: object, name: str, *, whole: bool) -> float:
    """A number of any library as Python's own. Raises InvalidRequest for what is none.

    True and False are none, nor is 1.0 where it must be `whole`.
    """
    try:
        if not isinstance(value, bool | str | bytes):
            return index(value) if whole else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        pass
    kind = "a whole number" if whole else "a number"
    raise InvalidRequest(f"{name} is {value!r}; it must be {kind}.", param=name)


def whole_number(value: object, name: str) -> int:
    """A whole number of any library as Python's own. Raises InvalidRequest, naming `name`."""
    return int(_plain(value, name, whole=True))


def _biases(given: Iterable[Any]) -> tuple[tuple[Token, float], ...]:
    """Pairs of token and bias, or a mapping, as a tuple of pairs."""
    pairs = given.items() if isinstance(given, Mapping) else given
    found = []
    try:
        for token, bias in pairs:
            pair = whole_number(token, "logit_bias"), _plain(bias, "logit_bias", whole=False)
            found.append(pair)
    except (TypeError, ValueError):
        raise InvalidRequest(
            "logit_bias must hold pairs of a token's id and a bias.", param="logit_bias"
        ) from None
    if any(math.isnan(bias) for _, bias in found):
        raise InvalidRequest("logit_bias holds NaN.", param="logit_bias")
    return tuple(found)


def _breakers(given: Iterable[str]) -> tuple[str, ...]:
    texts = () if isinstance(given, str) else tuple(given)
    if isinstance(given, str) or len(texts) > MAX_BREAKERS:
        raise InvalidRequest(
            f"dry_sequence_breakers must be a list of {MAX_BREAKERS} texts at most.",
            param="dry_sequence_breakers",
        )
    for text in texts:
        if not _can_break(text):
            raise InvalidRequest(
                f"dry_sequence_breakers holds {text!r}; each must be 1 to 40 bytes of text.",
                param="dry_sequence_breakers",
            )
    return texts


def _can_break(text: object) -> bool:
    """Whether llama.cpp takes `text` as a DRY breaker without cutting or dropping it."""
    try:
        return isinstance(text, str) and 1 <= len(text.encode()) <= 40 and "\0" not in text
    except UnicodeEncodeError:  # half a surrogate pair
        return False


_BIG = 1e9
# A field whose least value is an int must be one.
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("temperature", 0.0, 100.0),
    ("top_k", -1, _BIG),
    ("top_p", 0.0, 1.0),
    ("min_p", 0.0, 1.0),
    ("typical_p", 0.0, 1.0),
    ("penalty_repeat", 0.01, 100.0),
    ("penalty_freq", -100.0, 100.0),
    ("penalty_present", -100.0, 100.0),
    ("penalty_last_n", -1, _BIG),
    ("dynatemp_range", 0.0, 100.0),
    ("dynatemp_exponent", 0.0, 100.0),
    ("top_n_sigma", -1.0, 1000.0),
    ("xtc_probability", 0.0, 1.0),
    ("xtc_threshold", 0.0, 1.0),
    ("dry_multiplier", 0.0, 1000.0),
    ("dry_base", 0.0, 1000.0),
    ("dry_allowed_length", 0, _BIG),
    ("dry_penalty_last_n", -1, _BIG),
    ("mirostat", 0, 2),
    ("mirostat_tau", 0.0, 1000.0),
    ("mirostat_eta", 0.0, 1000.0),
)
