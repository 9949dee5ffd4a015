"""The scenarios by name: which traffic, what of it is shown, and what runs beside what."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks import traffic
from benchmarks.client import Client
from benchmarks.figures import Outcome
from benchmarks.traffic import Load

Run = Callable[[Client, Load], Coroutine[Any, Any, Outcome]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`shown` are the figures that matter most. It runs right after `follows` on each server.

    A `special` one says something only with certain options or models, so it runs where asked for.
    """

    name: str
    about: str
    run: Run
    shown: tuple[str, ...]
    follows: str | None = None
    embeds: bool = False
    special: bool = False


_STREAM = ("ttft_p50_ms", "gap_mean_ms", "gap_p50_ms", "gap_p99_ms", "gap_max_ms", "tokens_per_s")
_CROWD = ("ttft_p50_ms", "ttft_p99_ms", "gap_mean_ms", "gap_p99_ms", "tokens_per_s", "wall_s")

SCENARIOS = {
    one.name: one
    for one in (
        Scenario("single", "one client: 128 tokens in, 128 out", traffic.single, _STREAM),
        Scenario("parallel", "16 clients at once: 128 tokens in, 64 out", traffic.parallel, _CROWD),
        Scenario(
            "burst",
            "16 clients at once, the same 1024 tokens before 16 of their own: 16 out",
            traffic.burst,
            _CROWD,
        ),
        Scenario(
            "warm", "the burst's prefix again, other endings", traffic.warm, _CROWD, follows="burst"
        ),
        Scenario(
            "turns",
            "6 users one after another, 5 turns each, their history sent again: 32 out",
            traffic.turns,
            ("ttft_p50_ms", "ttft_p99_ms", "prompt_computed", "gap_mean_ms", "tokens_per_s"),
        ),
        Scenario(
            "swap",
            "24 conversations of 1500 tokens take turns, 2 each: 32 more in, 32 out",
            traffic.swap,
            ("ttft_p50_ms", "ttft_p99_ms", "prompt_computed", "tokens_per_s", "first_pass_s"),
            special=True,
        ),
        Scenario(
            "swap-busy",
            "24 conversations of 1500 tokens, 4 of them at once, 2 turns each: 32 more in, 32 out",
            traffic.swap_busy,
            ("ttft_p50_ms", "ttft_p99_ms", "prompt_computed", "tokens_per_s", "first_pass_s"),
            special=True,
        ),
        Scenario(
            "stall",
            "3072 tokens come in while 2 clients stream 160 each",
            traffic.stall,
            ("gap_p50_ms", "gap_p99_ms", "gap_max_ms", "long_ttft_ms", "tokens_per_s"),
        ),
        Scenario(
            "crowd",
            "three prompts of 3000 tokens come at once while 4 clients stream 160 each",
            traffic.crowd,
            ("gap_calm_ms", "gap_p50_ms", "gap_max_ms", "gap_ratio", "long_ttft_ms"),
        ),
        Scenario(
            "copy",
            "24 chats one after another: an answer repeats 40 words of the question",
            traffic.copy,
            ("tokens_per_s", "gap_mean_ms"),
            special=True,
        ),
        Scenario(
            "noise",
            "one client: 128 tokens in, 256 out, drawn at random",
            traffic.noise,
            ("tokens_per_s", "gap_mean_ms"),
            special=True,
        ),
        Scenario(
            "free",
            "6 chats one after another: 160 tokens out",
            traffic.free,
            ("ttft_p50_ms", "tokens_per_s", "gap_mean_ms"),
            special=True,
        ),
        Scenario(
            "held",
            "the same, held to a list of strings",
            traffic.held,
            ("ttft_p50_ms", "tokens_per_s", "gap_mean_ms"),
            special=True,
        ),
        Scenario(
            "form",
            "6 chats one after another: 10 members of a JSON object",
            traffic.form,
            ("ttft_p50_ms", "tokens_per_s", "wall_s"),
            special=True,
        ),
        Scenario(
            "forms",
            "16 of these at once",
            traffic.forms,
            ("ttft_p50_ms", "tokens_per_s", "wall_s"),
            special=True,
        ),
        Scenario(
            "storm",
            "200 requests over 32 connections: 16 tokens in, 1 out",
            traffic.storm,
            ("requests_per_s", "ttft_p50_ms", "ttft_p99_ms"),
        ),
        Scenario(
            "embed",
            "32 requests over 8 connections, 8 texts of 60 words each",
            traffic.embed,
            ("texts_per_s", "request_p50_ms"),
            embeds=True,
        ),
    )
}

COMPLETIONS = tuple(one.name for one in SCENARIOS.values() if not (one.embeds or one.special))
EMBEDDINGS = tuple(one.name for one in SCENARIOS.values() if one.embeds)


def groups(names: Iterable[str]) -> list[list[Scenario]]:
    """The scenarios with these names in the table's order; a group stays together on a server.

    One that follows another brings that one along.
    """
    wanted = set(names)
    wanted |= {before for name in wanted if (before := SCENARIOS[name].follows) is not None}
    found: list[list[Scenario]] = []
    for scenario in SCENARIOS.values():
        if scenario.name not in wanted:
            continue
        if scenario.follows is not None:
            found[-1].append(scenario)
        else:
            found.append([scenario])
    return found
