"""A real model: the greedy answer is the same however it came about.

Whether a prompt is computed cold, from a cached prefix, in a batch with others, in chunks, or again
after a preemption, the tokens must be those of a bare loop that decodes one row after another.
Attention sums over cells in the order in which they lie, which depends on what else was there, and
sums of floats depend on their order; so two nearly equal logits may change places. An answer is
right if at each of its places the bare loop, fed with the same tokens, finds the chosen one's logit
within TOLERANCE of the largest. The cache is q8_0 here: with an f16 cache flash attention also sums
in f16, and the order alone moves a logit of this model by up to 0.3 (they span about 30), which
would hide mistakes; with q8_0 it sums in f32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from mullama.engine.scheduler import EngineOptions, Scheduler
from mullama.llama.context import ContextOptions
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from mullama.types import (
    Chunk,
    Delta,
    Event,
    Finished,
    GenerateOptions,
    GenerateRequest,
    OpenSampler,
    Plan,
    PromptScored,
    Remove,
    SamplerParams,
    Status,
    Token,
)

TOLERANCE = 0.05
GREEDY = SamplerParams.greedy()
N_CELLS = 256


def context(n_lanes: int, n_ubatch: int) -> ContextOptions:
    return ContextOptions(
        N_CELLS, n_lanes=n_lanes, n_batch=512, n_ubatch=n_ubatch, type_k="q8_0", type_v="q8_0"
    )


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Iterator[LlamaModel]:
    with LlamaModel.load(read_info(tiny_model)) as loaded:
        yield loaded


class BareLoop:
    """One row a call, one sequence, no engine: what every answer is measured by."""

    def __init__(self, model: LlamaModel) -> None:
        self.runner = LlamaRunner(model, context(1, 512))
        self.eog = LlamaVocab(model).eog
        self.key = 0
        self.tokens: list[Token] = []

    def shortfalls(self, prompt: list[Token], answer: list[Token]) -> list[float]:
        """How far below the likeliest token each token of an answer is, in logits (nats).

        Tokens that end a generation don't count: the answers here go on regardless.
        """
        tokens = prompt + answer
        same = 0
        while same < min(len(tokens), len(self.tokens)) and tokens[same] == self.tokens[same]:
            same += 1
        same = min(same, len(prompt) - 1)  # the rows that predict the answer are computed
        self.runner.execute(Plan(ops=[Remove(0, same)]))
        self.tokens = tokens
        found = []
        for pos in range(same, len(tokens) - 1):
            target = tokens[pos + 1]
            chunk = Chunk(0, 0, pos, [tokens[pos]], False, logprobs=4, targets=[target])
            (score,) = self.runner.execute(Plan(chunks=[chunk])).scores[0]
            if pos >= len(prompt) - 1:
                best = next(logprob for token, logprob in score.top if token not in self.eog)
                found.append(best - score.logprob)
        return found

    def answer(self, prompt: list[Token], n: int) -> list[Token]:
        """The greedy answer."""
        self.key += 1
        self.tokens = []
        plan = Plan(ops=[Remove(0, 0)], opened=[OpenSampler(self.key, GREEDY, ())])
        tokens = list(prompt)
        for pos in range(len(prompt) + n - 1):
            sample = pos >= len(prompt) - 1
            plan.chunks = [Chunk(self.key, 0, pos, [tokens[pos]], sample, banned=tuple(self.eog))]
            drawn = self.runner.execute(plan).samples[0]
            if drawn is not None:
                tokens.append(drawn.token)
            plan = Plan()
        self.runner.execute(Plan(closed=[self.key]))
        return tokens[len(prompt) :]


@pytest.fixture(scope="module")
def bare(model: LlamaModel) -> Iterator[BareLoop]:
    loop = BareLoop(model)
    yield loop
    loop.runner.close()


class Bench:
    """A scheduler on the real runner, stepped by hand."""

    def __init__(self, runner: LlamaRunner, model: LlamaModel, **options: int | float) -> None:
        self.runner = runner
        self.scheduler = Scheduler(
            EngineOptions(**options),  # type: ignore[arg-type]
            runner,
            LlamaVocab(model),
            lambda: 0.0,
        )
        self.answers: dict[tuple[int, int], list[Token]] = defaultdict(list)
        self.ended: dict[tuple[int, int], Finished] = {}
        self.scored: list[PromptScored] = []

    def add(self, id: int, prompt: list[Token], n_tokens: int, **options: object) -> None:
        chosen = GenerateOptions(
            **{
                "sampler": GREEDY,
                "max_tokens": n_tokens,
                "ignore_eos": True,
                "return_tokens": True,
                **options,
            }  # type: ignore[arg-type]
        )
        self.take(self.scheduler.add(GenerateRequest(id, tuple(prompt), chosen)))

    def step(self) -> None:
        plan = self.scheduler.plan()
        output = self.runner.execute(plan)
        if plan.chunks:
            assert output.status is Status.DONE
            self.take(self.scheduler.apply(plan, output, 0.001 * plan.n_rows))

    def run(self) -> None:
        while self.scheduler.has_work:
            self.step()
        self.scheduler.audit(self.runner)

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Delta):
                self.answers[event.id, event.index] += event.tokens
            elif isinstance(event, Finished):
                self.ended[event.id, event.index] = event
            elif isinstance(event, PromptScored):
                self.scored.append(event)


@pytest.fixture
def bench(model: LlamaModel) -> Iterator[Bench]:
    with LlamaRunner(model, context(16, 64)) as runner:
        yield Bench(runner, model, target_gap=0.02)


@pytest.fixture(scope="module")
def prompt(model: LlamaModel) -> list[Token]:
    text = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    return LlamaVocab(model).tokenize(text, parse_special=True)


def test_cold_cached_and_batched_answers_are_the_bare_loops(
    bench: Bench, bare: BareLoop, prompt: list[Token]
) -> None:
    expected = bare.answer(prompt, 8)
    bench.add(1, prompt, 8)
    bench.run()
    bench.add(2, prompt, 8)
    bench.run()
    for id in range(3, 12):
        bench.add(id, prompt, 8)
    bench.run()
    assert bench.ended[2, 0].n_cached == len(prompt) - 1
    assert set(map(tuple, bench.answers.values())) == {tuple(expected)}


def test_a_prompts_scores_are_the_bare_loops(
    bench: Bench, bare: BareLoop, prompt: list[Token]
) -> None:
    bench.add(1, prompt * 4, 0, prompt_logprobs=True, logprobs=4)
    bench.run()
    (scored,) = bench.scored
    entries = [entry for entry in scored.logprobs if entry is not None]
    best = [next(p for t, _, p in entry.top if t not in bare.eog) for entry in entries]
    batched = np.subtract(best, [entry.logprob for entry in entries])
    alone = bare.shortfalls((prompt * 4)[:1], (prompt * 4)[1:])
    np.testing.assert_allclose(batched, alone, atol=TOLERANCE)


# Few beginnings, so that prompts share prefixes often; token ids of plain words.
BEGINNINGS = [list(range(400, 440)), [*range(400, 420), *range(900, 910)], [500, 501]]


def test_any_order_of_events_gives_greedy_answers(model: LlamaModel, bare: BareLoop) -> None:
    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.runner = LlamaRunner(model, context(6, 32))
            self.bench = Bench(self.runner, model, n_parallel=4, target_gap=0.01)
            self.prompts: dict[int, list[Token]] = {}

        @rule(
            beginning=st.sampled_from(BEGINNINGS),
            tail=st.lists(st.integers(300, 4000), max_size=20),
            n_tokens=st.integers(1, 60),
            n=st.integers(1, 2),
        )
        def submit(self, beginning: list[Token], tail: list[Token], n_tokens: int, n: int) -> None:
            id = len(self.prompts) + 1
            self.prompts[id] = beginning + tail
            self.bench.add(id, self.prompts[id], n_tokens, n=n)

        @precondition(lambda self: self.prompts)
        @rule(data=st.data())
        def cancel(self, data: st.DataObject) -> None:
            id = data.draw(st.sampled_from(sorted(self.prompts)))
            self.bench.take(self.bench.scheduler.cancel(id))

        @rule(n=st.integers(1, 10))
        def steps(self, n: int) -> None:
            for _ in range(n):
                self.bench.step()
            self.bench.scheduler.audit(self.runner)

        @rule(n=st.integers(1, 100))
        def evict(self, n: int) -> None:
            self.bench.scheduler._cache.evict(n)

        def teardown(self) -> None:
            try:
                self.bench.run()
                for (id, _), answer in self.bench.answers.items():
                    worst = max(bare.shortfalls(self.prompts[id], answer), default=0.0)
                    assert worst <= TOLERANCE, (id, worst)
            finally:
                self.runner.close()

    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
