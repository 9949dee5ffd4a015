"""The traffic: what people's programs do to a local server, as one function a scenario.

A function sends its requests through a client and returns figures. It knows neither which server
answers nor which round it is: prompts come from a `Load`, which draws the same ones for every
server of a round and others for each round, so that no server knows a prompt from before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from time import perf_counter
from typing import Any

from benchmarks.answers import calm_gap, read_answer, vector_error
from benchmarks.client import Client, Fields, Recording
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


# Six tenths of its characters are given: the names of its members, and what stands between.
FORM: Fields = {
    "type": "object",
    "properties": {
        f"{name}_{of}": {"type": "string", "pattern": "^[a-z]{12}$"}
        for name in ("departure", "destination")
        for of in ("airport", "terminal", "country", "gate_name", "time_zone")
    },
    "required": [],
    "additionalProperties": False,
}
FORM["required"] = list(FORM["properties"])

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
    return await _beside(client, load, "stall", n_streams=2, n_prompts=1, n_prompt=3072)


async def crowd(client: Client, load: Load) -> Outcome:
    return await _beside(client, load, "crowd", n_streams=4, n_prompts=3, n_prompt=3000)


async def swap(client: Client, load: Load) -> Outcome:
    return await _swap(client, load, n_at_once=1)


async def swap_busy(client: Client, load: Load) -> Outcome:
    return await _swap(client, load, n_at_once=4)


async def copy(client: Client, load: Load) -> Outcome:
    """An answer ends where the model ends it, so there is no number of tokens to be reached."""
    random = load.random("copy")
    texts = [" ".join(_word(random) for _ in range(40)) for _ in range(load.n(24))]
    asked = [await client.chat(f'Repeat "{text}"', 320) for text in texts]
    return _outcome(asked, 1)


async def noise(client: Client, load: Load) -> Outcome:
    """So hot that one token is about as likely as any other."""
    draw, n_out = load.prompts("noise"), load.n(256)
    hot: Fields = {"temperature": 20.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    recordings = [
        await client.complete(draw(128), n_out, seed=seed, **hot) for seed in range(load.n(4))
    ]
    return _outcome(recordings, n_out)


async def free(client: Client, load: Load) -> Outcome:
    return await _chats(client, load, n_at_once=1)


async def held(client: Client, load: Load) -> Outcome:
    """Nothing is forced: what a constraint costs."""
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 64}
    return await _chats(client, load, n_at_once=1, **_in_form(schema))


async def form(client: Client, load: Load) -> Outcome:
    return await _chats(client, load, n_at_once=1, **_in_form(FORM))


async def forms(client: Client, load: Load) -> Outcome:
    return await _chats(client, load, n_at_once=16, **_in_form(FORM))


async def _chats(client: Client, load: Load, *, n_at_once: int, **fields: Any) -> Outcome:
    random, n_out = load.random("chats"), load.n(160)
    texts = [some_text(random) for _ in range(load.n(max(6, n_at_once)))]
    asked = await at_most(
        n_at_once, [partial(client.chat, text, n_out, **fields) for text in texts]
    )
    return _outcome(asked, 1)


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


async def _beside(
    client: Client, load: Load, name: str, *, n_streams: int, n_prompts: int, n_prompt: int
) -> Outcome:
    """Long prompts that come together when every stream has a quarter of its tokens."""
    draw, n_out = load.prompts(name), load.n(160)
    streams, tasks = await start_streams(client, [draw(64) for _ in range(n_streams)], n_out)
    n_ended, begin = sum(task.done() for task in tasks), perf_counter()
    prompts = [draw(n_prompt) for _ in range(n_prompts)]
    longs = await asyncio.gather(*(client.complete(prompt, 1) for prompt in prompts))
    await asyncio.gather(*tasks)
    outcome = _with_long(_outcome(streams, n_out), longs, n_ended)
    calm = calm_gap(streams, begin)
    figures = {} if calm is None else {"gap_calm_ms": 1e3 * calm}
    return replace(outcome, figures=outcome.figures | figures)


async def _swap(client: Client, load: Load, *, n_at_once: int) -> Outcome:
    """Only what comes after the first pass, which nobody can have cached, is measured."""
    draw, n_out = load.prompts("swap"), load.n(32)
    histories = [draw(1500) for _ in range(24)]
    first = [await client.complete(history, 1) for history in histories]
    recordings = []
    for _ in range(2):
        histories = [history + draw(32) for history in histories]
        requests = [partial(client.complete, history, n_out) for history in histories]
        recordings += await at_most(n_at_once, requests)
    return _with_first(_outcome(recordings, n_out), first)


async def start_streams(
    client: Client, prompts: Sequence[Sequence[int]], n_out: int
) -> tuple[list[Recording], list[asyncio.Task[Recording]]]:
    """Streams that all have a quarter of their tokens, unless they have ended already."""
    streams = [Recording() for _ in prompts]
    tasks = [
        asyncio.create_task(client.complete(prompt, n_out, into=stream))
        for prompt, stream in zip(prompts, streams, strict=True)
    ]
    while not all(
        task.done() or _n_events(stream) > n_out // 4
        for task, stream in zip(tasks, streams, strict=True)
    ):
        await asyncio.sleep(_LOOK_AGAIN)
    return streams, tasks


def _n_events(stream: Recording) -> int:
    """So far. A fast server's events arrive several in a piece."""
    return sum(piece.count(b"data:") for _, piece in stream.pieces)


def _with_long(outcome: Outcome, longs: Sequence[Recording], n_ended: int) -> Outcome:
    """The streams' outcome with that of the long prompts."""
    answers = [read_answer(long) for long in longs]
    figures, notes = dict(outcome.figures), list(outcome.notes)
    errors = [answer.error for answer in answers if answer.error is not None]
    notes += (f"a long prompt failed with: {error}" for error in errors)
    firsts = [answer.ttft for answer in answers if answer.ttft is not None]
    if firsts and not errors:
        figures["long_ttft_ms"] = 1e3 * max(firsts)
    if n_ended:
        notes.append(f"{n_ended} streams were over before the long prompt came: gaps say little")
    return replace(
        outcome, figures=figures, notes=tuple(notes), n_failed=outcome.n_failed + len(errors)
    )


def _with_first(outcome: Outcome, first: Sequence[Recording]) -> Outcome:
    """The outcome with that of a first pass."""
    errors = [error for one in first if (error := read_answer(one).error) is not None]
    notes = (failures(errors, len(first)),) if errors else ()
    return replace(
        outcome,
        figures=outcome.figures | {"first_pass_s": _wall(first)},
        notes=outcome.notes + notes,
        n_failed=outcome.n_failed + len(errors),
    )


def _in_form(schema: Fields) -> Fields:
    wanted = {"name": "form", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


def _word(random: Random) -> str:
    """Syllables that make no word."""
    return "".join(random.choice("bdfklmnprst") + random.choice("aeiou") for _ in range(3))


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
