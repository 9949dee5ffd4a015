"""Figures: what is measured, in which unit, and whether more of it is better. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from benchmarks.answers import Answer


@dataclass(frozen=True, slots=True)
class Figure:
    """`name` is for people; `n_digits` is how many after the point they are shown."""

    name: str
    unit: str
    more_is_better: bool = False
    n_digits: int = 1


FIGURES = {
    "ttft_p50_ms": Figure("TTFT p50", "ms"),
    "ttft_p99_ms": Figure("TTFT p99", "ms"),
    "long_ttft_ms": Figure("long prompt's TTFT", "ms"),
    # Tokens that arrive together have no gap between them, so a fast server's p50 may be 0.
    "gap_mean_ms": Figure("gap mean", "ms", n_digits=2),
    "gap_p50_ms": Figure("gap p50", "ms", n_digits=2),
    "gap_p99_ms": Figure("gap p99", "ms", n_digits=2),
    "gap_max_ms": Figure("gap max", "ms", n_digits=2),
    "gap_calm_ms": Figure("gap p50 before", "ms", n_digits=2),
    "gap_ratio": Figure("gap max over p50", "×", n_digits=2),
    "gap_calm_ratio": Figure("gap max over p50 before", "×", n_digits=2),
    "prompt_computed": Figure("prompt computed, mean", "tokens"),
    "prompt_computed_max": Figure("prompt computed, most", "tokens"),
    "first_pass_s": Figure("first pass", "s"),
    "tokens_per_s": Figure("tokens", "/s", more_is_better=True),
    "requests_per_s": Figure("requests", "/s", more_is_better=True),
    "texts_per_s": Figure("texts", "/s", more_is_better=True),
    "request_p50_ms": Figure("request p50", "ms"),
    "wall_s": Figure("wall", "s", n_digits=2),
    "step_us": Figure("step", "µs"),
    "load_ms": Figure("load", "ms"),
    "first_token_s": Figure("spawn to first token", "s", n_digits=2),
    "rss_mb": Figure("RSS", "MB"),
    "pss_mb": Figure("PSS", "MB"),
    "anonymous_mb": Figure("PSS, not of files", "MB"),
    "first_pss_mb": Figure("PSS, first process", "MB"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario, one server, one round: figures by key, and what was wrong with them.

    `n_failed` requests are in no figure but the wall time; `notes` say why, and more.
    """

    figures: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    n_failed: int = 0

    def __post_init__(self) -> None:
        unknown = self.figures.keys() - FIGURES.keys()
        assert not unknown, f"figures that nobody described: {unknown}"


def percentile(values: Sequence[float], share: float) -> float:
    """The least of `values` that `share` of them do not exceed. `values` is not empty."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def of_answers(answers: Sequence[Answer], n_out: int, wall: float) -> Outcome:
    """Figures of completions of `n_out` tokens each that took `wall` seconds together."""
    good = [answer for answer in answers if answer.error is None]
    firsts = [answer.ttft for answer in good if answer.ttft is not None]
    gaps = [gap for answer in good for gap in answer.gaps]
    figures = {"wall_s": wall}
    if good:
        figures["tokens_per_s"] = sum(answer.n_tokens for answer in good) / wall
        figures["requests_per_s"] = len(good) / wall
    if gaps:
        figures["gap_mean_ms"] = 1e3 * fmean(gaps)
    figures |= _in_ms("ttft", firsts, p50=0.5, p99=0.99)
    figures |= _in_ms("gap", gaps, p50=0.5, p99=0.99, max=1.0)
    figures |= _of_prompts([a.n_computed for a in good if a.n_computed is not None])
    if figures.get("gap_p50_ms"):
        figures["gap_ratio"] = figures["gap_max_ms"] / figures["gap_p50_ms"]
    return Outcome(figures, tuple(_notes(answers, n_out)), len(answers) - len(good))


def _in_ms(name: str, seconds: Sequence[float], **shares: float) -> dict[str, float]:
    if not seconds:
        return {}
    return {f"{name}_{word}_ms": 1e3 * percentile(seconds, share) for word, share in shares.items()}


def _of_prompts(computed: Sequence[int]) -> dict[str, float]:
    if not computed:
        return {}
    return {"prompt_computed": fmean(computed), "prompt_computed_max": float(max(computed))}


def _notes(answers: Sequence[Answer], n_out: int) -> list[str]:
    notes = []
    errors = [answer.error for answer in answers if answer.error is not None]
    if errors:
        notes.append(failures(errors, len(answers)))
    short = [a.n_tokens for a in answers if a.error is None and a.n_tokens < n_out]
    if short:
        notes.append(
            f"{len(short)} of {len(answers)} answers ended early, "
            f"the shortest after {min(short)} of {n_out} tokens"
        )
    return notes


def failures(errors: Sequence[str], n_requests: int) -> str:
    """One line for all that failed."""
    return f"{len(errors)} of {n_requests} requests failed, the first with: {errors[0]}"
