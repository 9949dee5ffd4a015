"""The engine without HTTP, beside a bare loop over the C API: what Python costs.

Both compute the same rows on the same weights in the same process, in turns. The bare loop fills a
batch, calls llama_decode and takes the most likely token of each row; it knows no requests, no
cache, no text. What the engine takes longer is ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from threading import Event as Flag
from threading import Thread

from benchmarks.figures import Outcome
from benchmarks.rounds import Plan, Results, Tell, Unusable
from benchmarks.traffic import Load
from mullama.engine.engine import Engine
from mullama.llama.batch import Batch
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.llama.vocab import LlamaVocab
from mullama.types import (
    Event,
    Failed,
    Finished,
    GenerateOptions,
    GenerateRequest,
    ModelInfo,
    ModelKind,
    SamplerParams,
    Status,
)

N_STREAMS = 16
PATIENCE = 600.0  # seconds for one piece of work
SIDES = ("engine", "bare loop")

Prompts = Sequence[Sequence[int]]
Compute = Callable[[Prompts, int], None]  # returns when all have so many tokens


@dataclass(frozen=True, slots=True)
class Work:
    """What is computed, and how its speed is told."""

    name: str
    n_streams: int
    n_prompt: int
    n_out: int

    def outcome(self, seconds: float) -> Outcome:
        """A prompt's work is its tokens, a stream's those that it draws, one a step."""
        if self.n_out == 1:
            return Outcome({"tokens_per_s": self.n_streams * self.n_prompt / seconds})
        n_tokens = self.n_streams * self.n_out
        return Outcome({"tokens_per_s": n_tokens / seconds, "step_us": 1e6 * seconds / self.n_out})


def works(load: Load) -> list[Work]:
    return [
        Work("one stream", 1, load.n(8), load.n(128)),
        Work(f"{N_STREAMS} streams", N_STREAMS, load.n(8), load.n(64)),
        Work("prompt", 1, load.n(1024), 1),
    ]


def measure(info: ModelInfo, plan: Plan, n_threads: int, tell: Tell) -> Results:
    """Rounds of all works, both sides taking turns. Raises Unusable, MullamaError."""
    results = Results(SIDES)
    jobs = works(plan.load(0))
    with _sides(info, jobs, n_threads) as sides:
        for work in jobs:
            for number in range(-1, plan.n_rounds):  # one before the first, not counted
                prompts = _prompts(work, plan.load(number))
                for name, compute in sides.items():
                    tell(f"{work.name}: {name}")
                    outcome = work.outcome(_seconds(compute, prompts, work.n_out))
                    if number >= 0:
                        results.add(work.name, name, outcome)
    return results


def _prompts(work: Work, load: Load) -> Prompts:
    draw = replace(load, scale=1.0).prompts(work.name)  # the lengths are scaled already
    return [draw(work.n_prompt) for _ in range(work.n_streams)]


def _seconds(compute: Compute, prompts: Prompts, n_out: int) -> float:
    begin = time.perf_counter()
    compute(prompts, n_out)
    return time.perf_counter() - begin


@contextmanager
def _sides(info: ModelInfo, jobs: Sequence[Work], n_threads: int) -> Iterator[dict[str, Compute]]:
    """What computes, by name."""
    if info.kind is not ModelKind.GENERATE:
        raise Unusable(f"{info.path} does not generate text. Give a model that does")
    with ExitStack() as stack:
        model = stack.enter_context(LlamaModel.load(info))
        options = ContextOptions(
            n_ctx=2 * max(work.n_streams * (work.n_prompt + work.n_out) for work in jobs),
            n_batch=max(work.n_streams * work.n_prompt for work in jobs),
            n_lanes=N_STREAMS,
            n_threads=n_threads,
        )
        engine = stack.enter_context(_running_engine(model, options))
        context = stack.enter_context(LlamaContext(model, options))
        yield {"engine": engine, "bare loop": bare_loop(context)}


def bare_loop(context: LlamaContext) -> Compute:
    """A function that computes with nothing but llama_decode and argmax."""
    batch = Batch(context.n_batch)

    def draw(n_rows: int) -> list[int]:
        status = context.decode(batch)
        assert status is Status.DONE, status
        return [int(row.argmax()) for row in context.logits(n_rows)[:n_rows]]

    def compute(prompts: Prompts, n_out: int) -> None:
        context.clear()
        batch.clear()
        for lane, prompt in enumerate(prompts):
            batch.add(prompt[:-1], lane, 0, wanted=False)
            batch.add(prompt[-1:], lane, len(prompt) - 1, wanted=True)
        tokens = draw(len(prompts))
        for pos in range(len(prompts[0]), len(prompts[0]) + n_out - 1):
            batch.clear()
            for lane, token in enumerate(tokens):
                batch.add((token,), lane, pos, wanted=True)
            tokens = draw(len(prompts))

    return compute


@contextmanager
def _running_engine(model: LlamaModel, options: ContextOptions) -> Iterator[Compute]:
    """An engine with its thread; the function submits requests and waits for their ends."""
    ends = _Ends()
    with LlamaRunner(model, options) as runner:
        engine = Engine(runner, LlamaVocab(model), emit=ends.take)
        thread = Thread(target=engine.run, name="engine")
        thread.start()
        ids = count()

        def compute(prompts: Prompts, n_out: int) -> None:
            ends.expect(len(prompts))
            for prompt in prompts:
                engine.submit(GenerateRequest(next(ids), tuple(prompt), _options(n_out)))
            ends.wait()

        try:
            yield compute
        finally:
            engine.close()
            thread.join()


def _options(n_out: int) -> GenerateOptions:
    """Nothing is left in the cache: llama.cpp would attend to those cells, too, if only to mask."""
    return GenerateOptions(
        SamplerParams.greedy(), max_tokens=n_out, ignore_eos=True, cache_prompt=False
    )


class _Ends:
    """Counts the ends of answers in the engine's thread; another one waits for the last."""

    def __init__(self) -> None:
        self._n_missing = 0
        self._all = Flag()
        self._error: str | None = None

    def expect(self, n: int) -> None:
        self._n_missing = n
        self._all.clear()

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Failed):
                self._error = event.error.message
            if isinstance(event, Finished | Failed):
                self._n_missing -= 1
        if self._n_missing <= 0:
            self._all.set()

    def wait(self) -> None:
        """Raises Unusable where a request failed."""
        if not self._all.wait(PATIENCE):
            raise Unusable(f"The engine was not done after {PATIENCE:g} s. A smaller --scale helps")
        if self._error is not None:
            raise Unusable(self._error)
