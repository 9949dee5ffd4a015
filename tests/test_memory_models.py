"""The tiny models remember what their kind does, and llama.cpp gives and takes it as we rely on.

Contexts compute exactly (no 16-bit cache, no flash attention), so what differs in the order of its
sums only is equal within `SAME`; another token far back changes logits by twenty times that.

A call is one micro-batch: in calls of several, llama.cpp takes cells of a sliding window away that
the first of them still needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from mullama.llama.batch import Batch
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.models.gguf import read_info
from mullama.types import Chunk, OpenSampler, Plan, SamplerParams, Status, Token
from tests.gguf_models import CONTROL, vocabulary
from tests.memory_models import KINDS, N_WINDOW, write_memory_model

SAME = 1e-2  # of logits, whose standard deviation is about 4
TEXT: list[Token] = np.random.default_rng(1).integers(len(CONTROL), len(vocabulary()), 100).tolist()
CUT = 60
WINDOWS = {"gemma3": N_WINDOW, "gpt-oss": N_WINDOW // 2, "lfm2-window": N_WINDOW}
RECURRENT = {"mamba", "mamba2", "rwkv7"}
N_BATCH = 128
N_LANES = 4
SCRATCH = 3  # a lane that is empty between operations

MakeContext = Callable[[], LlamaContext]
Row = NDArray[np.float32]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    path = write_memory_model(tmp_path_factory.mktemp("memory") / f"{kind}.gguf", kind)
    with LlamaModel.load(read_info(path)) as model:
        yield model


@pytest.fixture
def make_context(model: LlamaModel) -> Iterator[MakeContext]:
    made: list[LlamaContext] = []
    exact: dict[str, Any] = {"type_k": "f32", "type_v": "f32", "flash_attn": "off"}
    size = {"n_ctx": 512, "n_batch": N_BATCH, "n_ubatch": N_BATCH, "n_lanes": N_LANES}
    options = ContextOptions(**size, n_threads=1, **exact)

    def make() -> LlamaContext:
        made.append(LlamaContext(model, options))
        return made[-1]

    yield make
    for context in made:
        context.close()


@pytest.fixture
def context(make_context: MakeContext) -> LlamaContext:
    return make_context()


def compute(context: LlamaContext, *pieces: tuple[int, int, Sequence[Token]]) -> Row:
    """One llama_decode of (lane, position, tokens); the logits of each one's last row."""
    batch = Batch(context.n_batch)
    batch.fill(Chunk(0, lane, pos, tokens, sample=True) for lane, pos, tokens in pieces)
    assert context.decode(batch) is Status.DONE
    return context.logits(len(pieces)).copy()


def greedy(runner: LlamaRunner, prompt: Sequence[Token], n: int) -> list[Token]:
    runner.execute(Plan(opened=[OpenSampler(0, SamplerParams.greedy(), prompt)]))
    tokens = list(prompt)
    pos = 0
    for _ in range(n):
        ((sample,),) = runner.execute(Plan(chunks=[Chunk(0, 0, pos, tokens[pos:], True)])).samples
        pos = len(tokens)
        tokens.append(sample.token)
    return tokens[len(prompt) :]


# --------------------------------------------------------------------------------------- the models


def test_llama_cpp_says_which_kind_of_memory_it_is(kind: str, model: LlamaModel) -> None:
    with model.handle as weights:
        assert C.llama_model_is_recurrent(weights) == (kind in RECURRENT)
        has_both = kind not in RECURRENT | {"gemma3", "gpt-oss"}
        assert C.llama_model_is_hybrid(weights) == has_both
        assert C.llama_model_n_swa(weights) == WINDOWS.get(kind, 0)


def test_different_prompts_have_different_answers(model: LlamaModel) -> None:
    answers = []
    for prompt in (TEXT[:20], TEXT[20:40]):
        with LlamaRunner(model, ContextOptions(n_ctx=256, n_threads=1)) as runner:
            answers.append(greedy(runner, prompt, 100))
    assert answers[0] != answers[1]


def test_logits_are_numbers_that_vary(context: LlamaContext) -> None:
    (row,) = compute(context, (0, 0, TEXT))
    assert np.isfinite(row).all()
    assert 2 < row.std() < 8


def test_the_first_of_forty_tokens_matters(context: LlamaContext) -> None:
    other = [TEXT[50], *TEXT[1:40]]
    rows = compute(context, (0, 0, TEXT[:40]), (1, 0, other))
    assert abs(rows[0] - rows[1]).max() > 20 * SAME


def test_chunks_answer_as_one_batch(make_context: MakeContext) -> None:
    (whole,) = compute(make_context(), (0, 0, TEXT))
    context = make_context()
    for start, end in ((0, 37), (37, 38), (38, 39), (39, 70), (70, 100)):
        (row,) = compute(context, (0, start, TEXT[start:end]))
    assert_allclose(row, whole, rtol=0, atol=SAME)


def test_sequences_that_come_and_go_answer_as_alone(kind: str, make_context: MakeContext) -> None:
    """Beside states, llama.cpp makes several micro-batches of several sequences: one a call."""
    at_once = 1 if kind == "lfm2-window" else N_LANES
    most = N_BATCH // N_LANES  # rows of a sequence in one call
    random = np.random.default_rng(0)
    context, alone = make_context(), make_context()
    texts: list[list[Token]] = [[] for _ in range(N_LANES)]
    for _ in range(40):
        lanes = random.permutation(N_LANES)[: random.integers(at_once) + 1].tolist()
        pieces = []
        for lane in lanes:
            if len(texts[lane]) > N_BATCH - most:
                context.remove(lane, 0, -1)
                texts[lane] = []
            tokens = random.choice(TEXT, random.choice([1, 5, most])).tolist()
            pieces.append((lane, len(texts[lane]), tokens))
            texts[lane] += tokens
        row = compute(context, *pieces)[0]
        alone.clear()
        assert_allclose(row, compute(alone, (0, 0, texts[lanes[0]]))[0], rtol=0, atol=SAME)


# ----------------------------------------------------------------------- what is saved and put back


def test_a_copy_with_its_state_goes_on_as_its_source_did(context: LlamaContext) -> None:
    compute(context, (0, 0, TEXT[:CUT]))
    state = context.get_state(0, partial=True)
    expected = compute(context, (0, CUT, TEXT[CUT:]))
    context.copy(0, 1, 0, CUT)
    assert context.set_state(1, state, partial=True)
    assert context.length(1) == CUT
    rows = compute(context, (1, CUT, TEXT[CUT:]))
    assert_allclose(rows, expected, rtol=0, atol=SAME)


def test_cells_and_state_put_back_into_an_empty_memory_answer_as_before(
    context: LlamaContext,
) -> None:
    nothing = context.get_state(SCRATCH, partial=True)
    compute(context, (0, 0, TEXT[:CUT]))
    state = context.get_state(0, partial=True)
    expected = compute(context, (0, CUT, TEXT[CUT:]))
    pieces = [save(context, nothing, start, end) for start, end in ((0, 30), (30, CUT))]
    context.clear()
    for start, end, cells in pieces:
        assert context.set_state(SCRATCH, cells, partial=False)
        context.copy(SCRATCH, 1, start, end)
        context.remove(SCRATCH, 0, -1)
    assert context.set_state(1, state, partial=True)
    rows = compute(context, (1, CUT, TEXT[CUT:]))
    assert_allclose(rows, expected, rtol=0, atol=SAME)


def save(
    context: LlamaContext, nothing: memoryview, start: int, end: int
) -> tuple[int, int, memoryview]:
    """Lane 0's cells at [start, end). Their copy would also get its state, without `nothing`."""
    context.copy(0, SCRATCH, start, end)
    assert context.set_state(SCRATCH, nothing, partial=True)
    cells = context.get_state(SCRATCH, partial=False)
    context.remove(SCRATCH, 0, -1)
    return start, end, cells


def test_a_lane_goes_back_to_a_state_of_its_own(context: LlamaContext) -> None:
    nothing = context.get_state(SCRATCH, partial=True)
    compute(context, (0, 0, TEXT[:CUT]))
    state = context.get_state(0, partial=True)
    expected = compute(context, (0, CUT, TEXT[CUT:]))
    assert context.set_state(0, nothing, partial=True)
    context.remove(0, CUT, -1)
    assert context.set_state(0, state, partial=True)
    rows = compute(context, (0, CUT, TEXT[CUT:]))
    assert_allclose(rows, expected, rtol=0, atol=SAME)
