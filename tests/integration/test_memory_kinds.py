"""Every kind of memory: what is cached, copied out and put back gives the bare loop's answers.

The models are random; of each a lost or doubled cell, or another sequence's state, shows in the
logits (their standard deviation is about 4). The cache is f32, so that the order in which cells lie
changes nothing above TOLERANCE.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mullama.engine.tiers import TierOptions
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.models.gguf import read_info
from mullama.types import MemoryKind, Token
from tests.gguf_models import EOS
from tests.integration.harness import BareLoop, Bench, context
from tests.integration.lives import live, shortfall
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
        assert shortfall(bare, prompts, bench) < TOLERANCE


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
        assert shortfall(bare, {1: prompt, 2: prompt}, bench) < TOLERANCE


BEGINNINGS = [[*range(20, 60), EOS], [*range(20, 40), EOS, *range(90, 100)], [50, 51]]


def test_any_order_of_events_gives_greedy_answers(model: LlamaModel, bare: BareLoop) -> None:
    def open_bench() -> Bench:
        runner = LlamaRunner(model, context(4, 32, **OPTIONS))
        ram = 6 * (runner.state_bytes + 40 * runner.cell_bytes)
        tiers = TierOptions(ram=ram, min_tokens=4)
        return Bench(runner, model, n_parallel=3, target_gap=0.01, tiers=tiers)

    live(
        open_bench,
        bare,
        BEGINNINGS,
        words=(10, 200),
        tolerance=TOLERANCE,
        n_lives=8,
        n_events=12,
    )
