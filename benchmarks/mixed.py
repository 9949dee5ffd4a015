"""Mixed traffic: everything at once, for long, with too little room for it.

Users chat, repeat themselves, leave in the middle of an answer, and have texts embedded by a second
model. The KV cache, the host's memory and the disk are small, so that prefixes are pushed out of
each all the time and running answers are preempted. At rest, between the parts, one looks at what
the server holds.

Some of the answers are kept, to be compared with those of a server that shares nothing between
requests. Weights and KV cache are f32 and flash attention is off, since otherwise an answer depends
on what else is computed beside it (see `synthetic.exact`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from benchmarks import memory
from benchmarks.answers import read_answer, shortfall, vector_error
from benchmarks.client import Client, run_async
from benchmarks.rounds import Tell, Unusable
from benchmarks.servers import Command, Server, ours
from benchmarks.soak import SETTLE, Look, counters
from benchmarks.traffic import Load, some_text

EMBEDDING = "embedding"  # the second model's name
N_USERS = 12
LONGEST_HISTORY = 500  # tokens; a user then begins anew
TIE = 0.001  # nats; rounding gives logits another by 0.00001 here
N_LIKELIEST = 5
AUDIT_EVERY = 11.0  # seconds: an idle engine checks its books if it has not for a little less

_SAME = ["--cache-type-k", "f32", "--cache-type-v", "f32", "--flash-attn", "off"]
LEAST_ASKED = 4  # requests of each user in each part, however slow the machine is
_SMALL = "--context-size 1024 --parallel 6 --cache-ram 8MiB --cache-disk 24MiB"


def small(folder: str, embedding: Path) -> Command:
    """Our server with little room. `{model}` comes first, so it is the default one."""
    return ours(
        *("--model", f"{EMBEDDING}={embedding}", *_SMALL.split(), *_SAME),
        *("--cache-disk-path", folder),
    )


def cold() -> Command:
    """Our server with nothing behind its KV cache."""
    return ours(*_SAME, "--cache-ram", "0", "--draft-model", "none", name="cold")


@dataclass(frozen=True, slots=True)
class Sample:
    """A greedy answer to be compared."""

    prompt: tuple[int, ...]
    n_out: int
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer that is another, cold. Sums of floats depend on their order, so two tokens that are
    about as likely may change places: that is a tie, and no mistake."""

    sample: Sample
    cold: str
    shortfall: float  # in nats, of the first token that differs

    @property
    def is_tie(self) -> bool:
        return self.shortfall <= TIE

    def __str__(self) -> str:
        return (
            f"{self.sample.text!r} to a prompt of {len(self.sample.prompt)} tokens; cold: "
            f"{self.cold!r}, likelier by {self.shortfall:.4f} nats"
        )


@dataclass(slots=True)
class Users:
    """Who asks, and what came of it. `samples` are up to `n_samples` of all answers alike."""

    chat: Client
    embedding: Client
    load: Load
    n_samples: int
    n_requests: int = 0
    n_left: int = 0
    n_answers: int = 0
    errors: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    random: Random = field(default_factory=Random)

    async def stay(self, part: int, seconds: float) -> None:
        """All users ask for so many seconds, but a few times at least, and wait for their last
        answers."""
        self.random = self.load.random(f"samples of {part}")
        end = perf_counter() + seconds
        await asyncio.gather(*(self._user(f"{part}/{user}", end) for user in range(N_USERS)))

    async def _user(self, name: str, end: float) -> None:
        draw, random = self.load.prompts(name), self.load.random(f"choices of {name}")
        history: list[int] = []
        n_asked = 0
        while perf_counter() < end or n_asked < LEAST_ASKED:
            n_asked += 1
            self.n_requests += 1
            kind = random.choices(("chat", "again", "leave", "embed"), (6, 1, 2, 2))[0]
            if kind == "embed":
                await self._embed(random)
                continue
            if not history or len(history) > LONGEST_HISTORY:
                history = draw(random.randint(16, 300))
            elif kind != "again":
                history = history + draw(random.randint(4, 60))
            asking = self._ask(tuple(history), random.randint(1, 24))
            await (self._leave(asking, random) if kind == "leave" else asking)

    async def _ask(self, prompt: tuple[int, ...], n_out: int) -> None:
        answer = read_answer(await self.chat.complete(prompt, n_out))
        if answer.error is not None:
            self.errors.append(answer.error)
        else:
            self._keep(Sample(prompt, n_out, answer.text))

    async def _leave(self, asking: Coroutine[Any, Any, None], random: Random) -> None:
        try:
            await asyncio.wait_for(asking, random.uniform(0.0, 0.3))
        except TimeoutError:
            self.n_left += 1

    async def _embed(self, random: Random) -> None:
        texts = [some_text(random) for _ in range(random.randint(1, 4))]
        error = vector_error(await self.embedding.embed(texts), len(texts))
        if error is not None:
            self.errors.append(error)

    def _keep(self, sample: Sample) -> None:
        """Each answer so far is among the samples with the same chance."""
        self.n_answers += 1
        if len(self.samples) < self.n_samples:
            self.samples.append(sample)
        elif (place := self.random.randrange(self.n_answers)) < self.n_samples:
            self.samples[place] = sample


def look_on(
    users: Users, server: Server, seconds: float, n_parts: int, tell: Tell
) -> Iterator[Look]:
    """A look after each part of the time; the first part is for what a server makes once."""
    asked = 0.0
    for part in range(n_parts):
        begin = perf_counter()
        run_async(users.stay(part, seconds / n_parts))
        asked += perf_counter() - begin
        server.check_alive()
        time.sleep(SETTLE)
        tell(f"{asked:.0f} s, {users.n_requests} requests, {len(users.errors)} failed")
        held, found = memory.of_tree(server.pid), counters(users.chat)
        yield Look(users.n_requests, len(users.errors), asked, held, found)


def audit(users: Users) -> dict[str, float]:
    """The counters after a check of the books, for which the engine must be idle for a while."""
    time.sleep(AUDIT_EVERY)
    run_async(users.chat.complete([1], 1))
    time.sleep(SETTLE)
    return counters(users.chat)


def compare(client: Client, samples: Sequence[Sample], tell: Tell) -> list[Difference]:
    """What a server that has nothing of it cached says otherwise."""
    tell(f"{len(samples)} answers are compared")
    return run_async(_compare(client, samples))


async def _compare(client: Client, samples: Sequence[Sample]) -> list[Difference]:
    found = []
    for sample in samples:
        recording = await client.complete(
            sample.prompt, sample.n_out, cache_prompt=False, logprobs=N_LIKELIEST
        )
        answer = read_answer(recording)
        if answer.error is not None:
            raise Unusable(f"The server without caches gives no answer: {answer.error}")
        if answer.text != sample.text:
            missing = shortfall(recording, sample.text)
            found.append(Difference(sample, answer.text, missing))
    return found
