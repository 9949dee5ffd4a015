"""A real model: the greedy answer is the same however it came about.

Whether a prompt is computed cold, from a cached prefix, in a batch with others, in chunks, or again
after a preemption, the tokens must be those of a bare loop that decodes one row after another.
Sums of floats depend on their order, and that on how rows are batched and where their cells lie: a
logit of this model (they span about 30) moves by up to 0.5 with quantized weights, 0.3 with an f16
cache, 0.1 with flash attention. That would hide mistakes; so weights and cache are f32 here and
flash attention is off, which leaves 0.00001. An answer is right if at each of its places the bare
loop, fed with the same tokens, finds the chosen one's logit within TOLERANCE of the largest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.synthetic import exact
from mullama.engine.tiers import TierOptions
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from mullama.types import Token
from tests.integration.harness import BareLoop, Bench, context
from tests.integration.lives import live

TOLERANCE = 0.001
EXACT: dict[str, Any] = {"type_k": "f32", "type_v": "f32", "flash_attn": "off"}


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    path = exact(tiny_model, tmp_path_factory.mktemp("exact"))
    with LlamaModel.load(read_info(path)) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def bare(model: LlamaModel) -> Iterator[BareLoop]:
    loop = BareLoop(model, **EXACT)
    yield loop
    loop.runner.close()


@pytest.fixture
def bench(model: LlamaModel) -> Iterator[Bench]:
    with LlamaRunner(model, context(16, 64, **EXACT)) as runner:
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


# Token ids of plain words.
BEGINNINGS = [list(range(400, 440)), [*range(400, 420), *range(900, 910)], [500, 501]]


@pytest.mark.parametrize("ram", [0, 200_000], ids=["cells alone", "with a host tier"])
def test_any_order_of_events_gives_greedy_answers(
    model: LlamaModel, bare: BareLoop, ram: int
) -> None:
    def open_bench() -> Bench:
        runner = LlamaRunner(model, context(6, 32, **EXACT))
        tiers = TierOptions(ram=ram, min_tokens=4)
        return Bench(runner, model, n_parallel=4, target_gap=0.01, tiers=tiers)

    live(
        open_bench,
        bare,
        BEGINNINGS,
        words=(300, 4000),
        tolerance=TOLERANCE,
        n_lives=15,
        n_events=15,
    )
