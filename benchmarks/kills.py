"""Kills: a worker ends at a random moment while its prefixes are written, again and again.

Each round is a host of its own over one folder. It is asked for a prompt that was written before
the first kill, and for those that the last worker was computing when it was killed; then it
computes new ones, and its worker is killed. What had been written must be there, what had not must
be no trouble, and every answer must be the one that a worker without any cache gives.

Weights and KV cache are f32 and flash attention is off (see `synthetic.exact`), so that equal
answers can be asked for.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from benchmarks.report import align
from benchmarks.rounds import Tell
from benchmarks.traffic import Load
from mullama.config import ModelOptions, ServedModel, ServerOptions
from mullama.errors import MullamaError
from mullama.host.host import Host
from mullama.host.process import WorkerProcess
from mullama.types import (
    CompletionRequest,
    Delta,
    Finished,
    GenerateOptions,
    SamplerParams,
)

PATIENCE = 120.0  # seconds for one round
N_PROMPTS = 6  # computed while the worker is killed
N_PROMPT, N_OUT = 256, 4
LONGEST_DELAY = 0.05  # seconds; what is written for these prompts takes less
FLUSH_PATIENCE = 30.0

Prompt = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, and how many tokens of its prompt came from disk."""

    text: str
    n_from_disk: int


@dataclass(slots=True)
class Tally:
    """What came of all rounds. `wrong` says where an answer was another than the cold one.

    `n_warm` rounds found the first prompt on disk, and `n_survived` of `n_asked` prompts of killed
    workers were there, at least in part. `n_killed_answers` were running when their worker died.
    """

    n_kills: int = 0
    n_warm: int = 0
    n_asked: int = 0
    n_survived: int = 0
    n_killed_answers: int = 0
    wrong: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # unfinished files after the last round

    @property
    def is_sound(self) -> bool:
        """Every start after a kill was warm, and nothing was wrong or left behind."""
        return self.n_warm == self.n_kills + 1 and not self.wrong and not self.left


async def kill(model: Path, folder: Path, load: Load, n_kills: int, tell: Tell) -> Tally:
    """Kill `n_kills` workers that write to `folder`, which is empty at first.

    `model` has f32 weights. Raises MullamaError if a worker can't be started.
    """
    cold = ModelOptions(cache_ram="0", cache_type_k="f32", cache_type_v="f32", flash_attn="off")
    warm = replace(cold, cache_ram=ModelOptions().cache_ram, cache_disk_path=str(folder))
    draw, random, tally = load.prompts("kills"), load.random("moments"), Tally()
    first = tuple(draw(N_PROMPT))
    async with _worker(model, warm) as (host, _):
        await _say(host, first)
    async with _worker(model, cold) as (reference, _):
        earlier: list[Prompt] = []
        for number in range(n_kills):
            prompts = [tuple(draw(N_PROMPT)) for _ in range(N_PROMPTS)]
            async with asyncio.timeout(PATIENCE):
                await _round(model, warm, reference, first, earlier, prompts, random, tally)
            tally.n_kills += 1
            earlier = prompts
            tell(f"{number + 1} kills, {tally.n_warm} warm, {len(tally.wrong)} wrong answers")
        async with _worker(model, warm) as (host, _):
            await _ask_again(host, reference, first, earlier, tally)
    tally.left = sorted(path.name for path in folder.rglob("*.tmp"))
    return tally


async def _round(
    model: Path,
    options: ModelOptions,
    reference: Host,
    first: Prompt,
    earlier: Sequence[Prompt],
    prompts: Sequence[Prompt],
    random: Random,
    tally: Tally,
) -> None:
    async with _worker(model, options, ends=False) as (host, pids):
        await _ask_again(host, reference, first, earlier, tally)
        running = [asyncio.create_task(_say(host, prompt)) for prompt in prompts]
        await _some_end(running, random.randrange(len(running) + 1))
        await asyncio.sleep(random.uniform(0.0, LONGEST_DELAY))
        os.kill(pids[-1], signal.SIGKILL)
        ends = await asyncio.gather(*running, return_exceptions=True)
    for end in ends:
        if isinstance(end, MullamaError):
            tally.n_killed_answers += 1
        elif isinstance(end, BaseException):
            raise end


async def _some_end(running: Sequence[asyncio.Task[Said]], n: int) -> None:
    """Wait until `n` of them have ended."""
    for _, end in zip(range(n), asyncio.as_completed(running), strict=False):
        await end


async def _ask_again(
    host: Host, reference: Host, first: Prompt, earlier: Sequence[Prompt], tally: Tally
) -> None:
    """Compare the answers to known prompts with those of a worker without a cache."""
    for prompt in (first, *earlier):
        expected, said = await _say(reference, prompt), await _say(host, prompt)
        if said.text != expected.text:
            tally.wrong.append(
                f"after {tally.n_kills} kills: {said.text!r} for {expected.text!r}, with "
                f"{said.n_from_disk} tokens from disk"
            )
        if prompt is first:
            tally.n_warm += said.n_from_disk > 0
        else:
            tally.n_asked += 1
            tally.n_survived += said.n_from_disk > 0


@asynccontextmanager
async def _worker(
    model: Path, options: ModelOptions, *, ends: bool = True
) -> AsyncIterator[tuple[Host, list[int]]]:
    """A host, and the process ids of its workers. One that `ends` writes what is queued before."""
    pids: list[int] = []

    def spawn(name: str) -> WorkerProcess:
        process = WorkerProcess(name)
        pids.append(process.pid)
        return process

    host = Host({"model": ServedModel(model, options)}, ServerOptions(), spawn=spawn)
    await host.start()
    try:
        yield host, pids
    finally:
        await host.stop(FLUSH_PATIENCE if ends else 0)


async def _say(host: Host, prompt: Prompt) -> Said:
    options = GenerateOptions(SamplerParams.greedy(), max_tokens=N_OUT, ignore_eos=True)
    text, n_from_disk = "", 0
    async for event in host.generate(None, CompletionRequest(prompt, options)):
        if isinstance(event, Delta):
            text += event.text
        elif isinstance(event, Finished):
            n_from_disk = event.n_from_disk
    return Said(text, n_from_disk)


def card(tally: Tally) -> str:
    rows = [
        ["kills", f"{tally.n_kills}"],
        ["starts that found the first prompt on disk", f"{tally.n_warm} of {tally.n_kills + 1}"],
        ["prompts of killed workers found again", f"{tally.n_survived} of {tally.n_asked}"],
        ["answers that ended with their worker", f"{tally.n_killed_answers}"],
        ["answers unlike the cold ones", f"{len(tally.wrong)}"],
        ["unfinished files left", f"{len(tally.left)}"],
    ]
    return "\n".join([*align(rows), *(f"! {wrong}" for wrong in tally.wrong)])
