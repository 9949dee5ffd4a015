"""A restart: what was computed before it comes from disk, beside streams and alone.

Two starts of our server with the same cache folder make a round. The first computes two prefixes,
and one more while streams run, which pays for saving it. The second is asked for the first two
again, with other endings: one with nothing else to do, one while streams run, which pay for loading
it. A stream's gaps are compared to those that it had before, when nothing else was there.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from benchmarks.answers import calm_gap, longest_gap, read_answer
from benchmarks.client import Client, Recording, run_async
from benchmarks.figures import Outcome, of_answers
from benchmarks.rounds import Plan, Results, Subject, Tell, warm_up
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import ours, running
from benchmarks.started import Starting
from benchmarks.traffic import Load, start_streams

DISK, COMPUTED = "from disk", "computed"
SIDES = (DISK, COMPUTED)
ALONE = "1024 tokens and 16 more, nothing else to do"
BESIDE = "4 streams, while 1024 tokens are loaded (from disk) or saved (computed)"
REST = 2.0  # seconds in which a server saves what it has computed
N_STREAMS = 4
_N_PREFIX, _N_TAIL, _N_OUT = 1024, 16, 160

Visit = Callable[[Client, Load], Coroutine[Any, Any, dict[str, Outcome]]]


@dataclass(frozen=True, slots=True)
class _Prompts:
    """A round's prefixes: asked for alone, loaded beside streams, saved beside streams."""

    alone: list[int]
    loaded: list[int]
    saved: list[int]

    @classmethod
    def of(cls, load: Load) -> _Prompts:
        draw = load.prompts("restart")
        return cls(draw(_N_PREFIX), draw(_N_PREFIX), draw(_N_PREFIX))


def measure(starting: Starting, plan: Plan, results: Results, tell: Tell) -> None:
    """All rounds, each with a new folder. Raises ServerFailed, Unusable."""
    for number in range(plan.n_rounds):
        load = plan.load(number)
        with tempfile.TemporaryDirectory(prefix="benchmark-cache-") as folder:
            for side, visit in ((COMPUTED, _first_start), (DISK, _second_start)):
                tell(f"round {number + 1}: {side}")
                for name, outcome in _visit(starting, plan, folder, visit, load).items():
                    results.add(name, side, outcome)


def _visit(
    starting: Starting, plan: Plan, folder: str, visit: Visit, load: Load
) -> dict[str, Outcome]:
    command = ours("--cache-disk-path", folder)
    with running(command, starting.model, starting.n_ctx) as server:
        server.wait_until_ready(starting.patience)
        client = Client(server.address, timeout=starting.timeout)
        warm_up(Subject(command.name, client), [[SCENARIOS["single"]]], plan.load(-1))
        time.sleep(starting.settle)
        outcomes = run_async(visit(client, load))
        time.sleep(REST)
    return outcomes


async def _first_start(client: Client, load: Load) -> dict[str, Outcome]:
    prompts = _Prompts.of(load)
    draw = load.prompts("first endings")
    alone = await client.complete(prompts.alone + draw(_N_TAIL), 1)
    await client.complete(prompts.loaded + draw(1), 1)
    streams, began, ended = await _with_streams(client, load, prompts.saved + draw(1))
    # The wait that ends with the prompt's last step is over half a step later.
    saving = ended.end + (calm_gap(streams, began) or 0.0) / 2
    return {ALONE: _one(alone), BESIDE: _gaps(streams, began, saving, float("inf"))}


async def _second_start(client: Client, load: Load) -> dict[str, Outcome]:
    prompts = _Prompts.of(load)
    draw = load.prompts("second endings")
    alone = await client.complete(prompts.alone + draw(_N_TAIL), 1)
    streams, began, ended = await _with_streams(client, load, prompts.loaded + draw(1))
    return {ALONE: _one(alone), BESIDE: _gaps(streams, began, began, ended.end)}


async def _with_streams(
    client: Client, load: Load, prompt: list[int]
) -> tuple[list[Recording], float, Recording]:
    """Streams; when `prompt` was sent, while they ran; and what came of it."""
    draw, n_out = load.prompts("streams"), load.n(_N_OUT)
    streams, tasks = await start_streams(client, [draw(64) for _ in range(N_STREAMS)], n_out)
    began = perf_counter()
    other = await client.complete(prompt, 1)
    await asyncio.gather(*tasks)
    return streams, began, other


def _one(recording: Recording) -> Outcome:
    answer = read_answer(recording)
    return of_answers([answer], 1, max(1e-9, recording.end - recording.start))


def _gaps(streams: list[Recording], calm_until: float, begin: float, end: float) -> Outcome:
    """The longest gap between `begin` and `end`, beside the median before `calm_until`."""
    calm, longest = calm_gap(streams, calm_until), longest_gap(streams, begin, end)
    if calm is None or not longest:
        return Outcome(notes=("the streams were too short: give a larger --scale",), n_failed=1)
    return Outcome(
        {
            "gap_calm_ms": 1e3 * calm,
            "gap_max_ms": 1e3 * longest,
            "gap_calm_ratio": longest / calm,
        }
    )
