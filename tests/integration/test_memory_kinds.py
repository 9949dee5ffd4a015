"""Every kind of memory: what is cached, copied out and put back gives the bare loop's answers.

The models are random; of each a lost or doubled cell, or another sequence's state, shows in the
logits (their standard deviation is about 4). The cache is f32, so that the order in which cells lie
changes nothing above TOLERANCE.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from mullama.engine.tiers import TierOptions
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.models.gguf import read_info
from mullama.types import MemoryKind, Token
from tests.gguf_models import EOS
from tests.integration.harness import BareLoop, Bench, context, lives
from tests.memory_models import KINDS, write_memory_model

TOLERANCE = 0.01
OPTIONS: dict[str, Any] = {
    "type_k": "f32",
    "type_v": "f32",
    "flash_attn": "off",
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LlamaModel]:
    path = write_memory_model(tmp_path_factory.mktemp("kinds") / "model.gguf", request.param)
    with LlamaModel.load(read_info(path)) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def bare(model: LlamaModel) -> Iterator[BareLoop]:
    loop = BareLoop(model, **OPTIONS)
    yield loop
    loop.runner.close()


def worst(bare: BareLoop, prompts: dict[int, list[Token]], bench: Bench) -> float:
    """How far the least likely of all answered tokens is below the bare loop's best."""
    found = [0.0]
    for (id, _), answer in bench.answers.items():
        found += bare.shortfalls(prompts[id], answer)
    return max(found)


def test_a_fifth_turn_computes_only_what_is_new(model: LlamaModel, bare: BareLoop) -> None:
    with LlamaRunner(model, context(2, 64, **OPTIONS)) as runner:
        assert runner.memory is not MemoryKind.ATTENTION
        assert runner.state_bytes > 0
        bench = Bench(runner, model, n_parallel=2, tiers=TierOptions(1 << 30, 8))
        prompts: dict[int, list[Token]] = {}
        history: list[Token] = []
        for turn in range(1, 6):
            question = [10 + (7 * turn + i) % 200 for i in range(12)]
            prompts[turn] = [*history, *question, EOS, 5, 6]
            bench.add(turn, prompts[turn], 10)
            bench.run()
            history = [*prompts[turn], *bench.answers[turn, 0], EOS]
        computed = [len(prompts[turn]) - bench.ended[turn, 0].n_cached for turn in range(2, 6)]
        assert computed == [12 + 3 + 2] * 4  # the question, and what was sampled last before it
        assert worst(bare, prompts, bench) < TOLERANCE


def test_another_answer_to_the_same_prompt_computes_a_few_tokens(
    model: LlamaModel, bare: BareLoop
) -> None:
    with LlamaRunner(model, context(2, 64, **OPTIONS)) as runner:
        bench = Bench(runner, model, n_parallel=2, tiers=TierOptions(1 << 30, 8))
        prompt = [*range(20, 100), EOS, 5, 6]
        for id in (1, 2):
            bench.add(id, prompt, 10)
            bench.run()
        assert bench.ended[2, 0].n_cached == 81
        assert worst(bare, {1: prompt, 2: prompt}, bench) < TOLERANCE


# Few beginnings, so that prompts share prefixes often.
BEGINNINGS = [[*range(20, 60), EOS], [*range(20, 40), EOS, *range(90, 100)], [50, 51]]


def test_any_order_of_events_gives_greedy_answers(model: LlamaModel, bare: BareLoop) -> None:
    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.runner = LlamaRunner(model, context(4, 32, **OPTIONS))
            ram = 6 * (self.runner.state_bytes + 40 * self.runner.cell_bytes)
            tiers = TierOptions(ram=ram, min_tokens=4)
            self.bench = Bench(self.runner, model, n_parallel=3, target_gap=0.01, tiers=tiers)
            self.prompts: dict[int, list[Token]] = {}

        @rule(
            beginning=st.sampled_from(BEGINNINGS),
            tail=st.lists(st.integers(10, 200), max_size=20),
            n_tokens=st.integers(1, 50),
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
            self.bench.scheduler._residents.cache.evict(n)

        def teardown(self) -> None:
            try:
                self.bench.run()
                assert worst(bare, self.prompts, self.bench) < TOLERANCE
            finally:
                self.runner.close()

    run_state_machine_as_test(Life, settings=lives(8, 12))
