"""The traffic: what people's programs do to a local server, as one function a scenario.

A function sends its requests through a client and returns figures. It knows neither which server
answers nor which round it is: prompts come from a `Load`, which draws the same ones for every
server of a round and others for each round, so that no server knows a prompt from before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

from benchmarks.answers import read_answer, vector_error
from benchmarks.client import Client, Recording
from benchmarks.figures import Outcome, failures, of_answers, percentile

# Ids below this are often control tokens.
FIRST_TOKEN = 1000
N_TEXT_WORDS = 60
_LOOK_AGAIN = 0.005  # seconds


@dataclass(frozen=True, slots=True)
class Load:
    """Where prompts come from, and how much of them.

    `seed` names the round. `scale` multiplies lengths and repetitions, not the clients at once.
    """

    seed: str
    n_vocab: int
    scale: float = 1.0

    def n(self, count: int) -> int:
        """`count`, scaled; at least 1."""
        return max(1, round(count * self.scale))

    def prompts(self, purpose: str) -> Callable[[int], list[int]]:
        """A function that draws prompts of about so many tokens, always the same ones."""
        random = self.random(purpose)
        first = min(FIRST_TOKEN, self.n_vocab // 4)

        def draw(count: int) -> list[int]:
            return [random.randrange(first, self.n_vocab) for _ in range(self.n(count))]

        return draw

    def random(self, purpose: str) -> Random:
        return Random(f"{self.seed}/{purpose}")


Run = Callable[[Client, Load], Coroutine[Any, Any, Outcome]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`shown` are the figures that matter most. It runs right after `follows` on each server."""

    name: str
    about: str
    run: Run
    shown: tuple[str, ...]
    follows: str | None = None
    embeds: bool = False


# ------------------------------------------------------------------------------- completions


async def single(client: Client, load: Load) -> Outcome:
    return await _together(client, [load.prompts("single")(128)], load.n(128))


async def parallel(client: Client, load: Load) -> Outcome:
    draw = load.prompts("parallel")
    return await _together(client, [draw(128) for _ in range(16)], load.n(64))


async def burst(client: Client, load: Load) -> Outcome:
    return await _with_prefix(client, load, "burst")


async def warm(client: Client, load: Load) -> Outcome:
    return await _with_prefix(client, load, "warm")


async def turns(client: Client, load: Load) -> Outcome:
    draw, n_out = load.prompts("turns"), load.n(32)
    histories = [draw(200) for _ in range(6)]
    recordings = []
    for _ in range(5):
        for history in histories:
            history += draw(32)
            recordings.append(await client.complete(history, n_out))
    return _outcome(recordings, n_out)


async def stall(client: Client, load: Load) -> Outcome:
    draw, n_out = load.prompts("stall"), load.n(160)
    streams = [Recording() for _ in range(2)]
    tasks = [asyncio.create_task(client.complete(draw(64), n_out, into=one)) for one in streams]
    while not all(
        task.done() or _n_events(stream) > n_out // 4
        for task, stream in zip(tasks, streams, strict=True)
    ):
        await asyncio.sleep(_LOOK_AGAIN)
    n_ended = sum(task.done() for task in tasks)
    long = await client.complete(draw(3072), 1)
    await asyncio.gather(*tasks)
    return _with_long(_outcome(streams, n_out), long, n_ended)


async def storm(client: Client, load: Load) -> Outcome:
    draw = load.prompts("storm")
    requests = [partial(client.complete, draw(16), 1) for _ in range(load.n(200))]
    return _outcome(await at_most(32, requests), 1)


async def _together(client: Client, prompts: Iterable[Sequence[int]], n_out: int) -> Outcome:
    answers = (client.complete(prompt, n_out) for prompt in prompts)
    return _outcome(await asyncio.gather(*answers), n_out)


async def _with_prefix(client: Client, load: Load, name: str) -> Outcome:
    prefix = load.prompts("prefix")(1024)
    draw = load.prompts(name)
    return await _together(client, [prefix + draw(16) for _ in range(16)], load.n(16))


def _n_events(stream: Recording) -> int:
    """So far. A fast server's events arrive several in a piece."""
    return sum(piece.count(b"data:") for _, piece in stream.pieces)


def _with_long(outcome: Outcome, long: Recording, n_ended: int) -> Outcome:
    """The streams' outcome with the long prompt's."""
    answer = read_answer(long)
    figures, notes, n_failed = dict(outcome.figures), list(outcome.notes), outcome.n_failed
    if answer.error is not None:
        notes.append(f"the long prompt failed with: {answer.error}")
        n_failed += 1
    elif answer.ttft is not None:
        figures["long_ttft_ms"] = 1e3 * answer.ttft
    if n_ended:
        notes.append(f"{n_ended} streams were over before the long prompt came: gaps say little")
    return replace(outcome, figures=figures, notes=tuple(notes), n_failed=n_failed)


def _outcome(recordings: Sequence[Recording], n_out: int) -> Outcome:
    return of_answers([read_answer(one) for one in recordings], n_out, _wall(recordings))


def _wall(recordings: Sequence[Recording]) -> float:
    """From the first request to the last byte, in seconds; never 0, as rates divide by it."""
    begin = min(one.start for one in recordings)
    return max(1e-9, max(one.end for one in recordings) - begin)


async def at_most(
    n_at_once: int, requests: Sequence[Callable[[], Awaitable[Recording]]]
) -> list[Recording]:
    """The recordings of all requests, sent in order, only so many at once."""
    waiting = iter(requests)
    recordings: list[Recording] = []

    async def work() -> None:
        for request in waiting:
            recordings.append(await request())

    await asyncio.gather(*(work() for _ in range(n_at_once)))
    return recordings


# -------------------------------------------------------------------------------- embeddings


async def embed(client: Client, load: Load) -> Outcome:
    random, n_texts = load.random("embed"), 8
    batches = [[some_text(random) for _ in range(n_texts)] for _ in range(load.n(32))]
    recordings = await at_most(8, [partial(client.embed, texts) for texts in batches])
    return _embed_outcome(recordings, n_texts)


def some_text(random: Random) -> str:
    return " ".join(f"word{random.randrange(9999)}" for _ in range(N_TEXT_WORDS))


def _embed_outcome(recordings: Sequence[Recording], n_texts: int) -> Outcome:
    errors = {id(one): vector_error(one, n_texts) for one in recordings}
    good = [one for one in recordings if errors[id(one)] is None]
    bad = [error for error in errors.values() if error is not None]
    wall = _wall(recordings)
    figures = {"wall_s": wall}
    if good:
        figures["texts_per_s"] = len(good) * n_texts / wall
        figures["request_p50_ms"] = 1e3 * percentile([one.end - one.start for one in good], 0.5)
    notes = (failures(bad, len(recordings)),) if bad else ()
    return Outcome(figures, notes, len(bad))


# --------------------------------------------------------------------------------- the table

_STREAM = ("ttft_p50_ms", "gap_mean_ms", "gap_p50_ms", "gap_p99_ms", "gap_max_ms", "tokens_per_s")
_CROWD = ("ttft_p50_ms", "ttft_p99_ms", "gap_mean_ms", "gap_p99_ms", "tokens_per_s", "wall_s")

SCENARIOS = {
    one.name: one
    for one in (
        Scenario("single", "one client: 128 tokens in, 128 out", single, _STREAM),
        Scenario("parallel", "16 clients at once: 128 tokens in, 64 out", parallel, _CROWD),
        Scenario(
            "burst",
            "16 clients at once, the same 1024 tokens before 16 of their own: 16 out",
            burst,
            _CROWD,
        ),
        Scenario("warm", "the burst's prefix again, other endings", warm, _CROWD, follows="burst"),
        Scenario(
            "turns",
            "6 users one after another, 5 turns each, their history sent again: 32 out",
            turns,
            ("ttft_p50_ms", "ttft_p99_ms", "gap_mean_ms", "tokens_per_s", "wall_s"),
        ),
        Scenario(
            "stall",
            "3072 tokens come in while 2 clients stream 160 each",
            stall,
            ("gap_p50_ms", "gap_p99_ms", "gap_max_ms", "long_ttft_ms", "tokens_per_s"),
        ),
        Scenario(
            "storm",
            "200 requests over 32 connections: 16 tokens in, 1 out",
            storm,
            ("requests_per_s", "ttft_p50_ms", "ttft_p99_ms"),
        ),
        Scenario(
            "embed",
            "32 requests over 8 connections, 8 texts of 60 words each",
            embed,
            ("texts_per_s", "request_p50_ms"),
            embeds=True,
        ),
    )
}

COMPLETIONS = tuple(one.name for one in SCENARIOS.values() if not one.embeds)
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
