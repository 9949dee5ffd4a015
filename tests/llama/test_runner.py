"""Plans carried out on a model of random weights, against a bare loop over the C API."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mullama import config
from mullama.errors import InternalError, InvalidRequest, ModelError
from mullama.llama import context
from mullama.llama import runner as runner_module
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner, split
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from mullama.types import (
    Chunk,
    Copy,
    MemoryKind,
    OpenSampler,
    Plan,
    Remove,
    Sample,
    SamplerParams,
    Status,
    Token,
)
from tests.gguf_models import write_model
from tests.llama.conftest import MakeRunner

GREEDY = SamplerParams.greedy()
PROMPT = [1, 121, 9, 37, 80, 115, 37, 64, 37, 67, 12, 200]


def bare_greedy(model: LlamaModel, prompt: Sequence[Token], n: int) -> list[Token]:
    """The model's greedy answer by nothing but C calls, one sequence, one row at a time."""
    params = C.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = 256, 1, 1
    with model.handle as weights:
        context = C.llama_init_from_model(weights, params)
        n_vocab = C.llama_vocab_n_tokens(C.llama_model_get_vocab(weights))
        answer: list[Token] = []
        tokens = list(prompt)
        for _ in range(n):
            for token in tokens:
                C.llama_decode(context, C.llama_batch_get_one((ctypes.c_int32 * 1)(token), 1))
            logits = C.llama_get_logits_ith(context, -1)
            tokens = [int(np.argmax(np.ctypeslib.as_array(logits, shape=(n_vocab,))))]
            answer += tokens
        C.llama_free(context)
    return answer


def greedy(
    runner: LlamaRunner, prompt: Sequence[Token], n: int, *, key: int = 0, lane: int = 0
) -> list[Token]:
    """The same through plans."""
    pos = len(prompt)
    plan = Plan(
        opened=[OpenSampler(key, GREEDY, prompt)], chunks=[Chunk(key, lane, 0, prompt, True)]
    )
    answer = [only(runner, plan).token]
    while len(answer) < n:
        chunk = Chunk(key, lane, pos, answer[-1:], True)
        answer.append(only(runner, Plan(chunks=[chunk])).token)
        pos += 1
    return answer


def only(runner: LlamaRunner, plan: Plan) -> Sample:
    output = runner.execute(plan)
    assert output.status is Status.DONE
    ((sample,),) = output.samples
    return sample


@pytest.fixture(scope="module")
def answer(model: LlamaModel) -> list[Token]:
    return bare_greedy(model, PROMPT, 30)


# ------------------------------------------------------------------------------------ correctness


def test_a_greedy_answer_is_that_of_a_bare_loop(runner: LlamaRunner, answer: list[Token]) -> None:
    assert greedy(runner, PROMPT, 30) == answer


def test_a_real_models_greedy_answer_is_that_of_a_bare_loop(tiny_model: Path) -> None:
    with LlamaModel.load(read_info(tiny_model)) as model:
        vocab = LlamaVocab(model)
        text = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
        prompt = vocab.tokenize(text, parse_special=True)
        with LlamaRunner(model, ContextOptions(n_ctx=512, n_lanes=2, n_threads=1)) as runner:
            answer = greedy(runner, prompt, 12)
        assert answer == bare_greedy(model, prompt, 12)
        assert "Paris" in vocab.detokenize(answer)


def test_several_sequences_in_one_batch_answer_as_alone(
    runner: LlamaRunner, answer: list[Token]
) -> None:
    prompts = [PROMPT, PROMPT[:5], [*PROMPT, 33], PROMPT]
    opened = [OpenSampler(i, GREEDY, prompt) for i, prompt in enumerate(prompts)]
    chunks = [Chunk(i, i, 0, prompt, True) for i, prompt in enumerate(prompts)]
    samples = runner.execute(Plan(opened=opened, chunks=chunks)).samples
    answers = [[sample.token] for (sample,) in samples]
    for n in range(9):
        chunks = [
            Chunk(i, i, len(prompt) + n, answers[i][-1:], True) for i, prompt in enumerate(prompts)
        ]
        for i, (sample,) in enumerate(runner.execute(Plan(chunks=chunks)).samples):
            answers[i].append(sample.token)
    assert answers[0] == answers[3] == answer[:10]


def test_a_prompt_in_chunks_beside_a_stream_answers_as_alone(
    runner: LlamaRunner, answer: list[Token]
) -> None:
    stream = greedy(runner, PROMPT, 1)
    runner.execute(Plan(opened=[OpenSampler(1, GREEDY, PROMPT)]))
    late: list[Token] = []
    for start in range(0, len(PROMPT), 5):
        part = PROMPT[start : start + 5]
        last = start + 5 >= len(PROMPT)
        output = runner.execute(
            Plan(
                chunks=[
                    Chunk(0, 0, len(PROMPT) + len(stream) - 1, stream[-1:], True),
                    Chunk(1, 1, start, part, last),
                ]
            )
        )
        (first,), second = output.samples
        stream.append(first.token)
        assert len(second) == last
        late += [sample.token for sample in second]
    assert stream == answer[: len(stream)]
    assert late == answer[:1]


def test_a_shared_prefix_answers_as_a_computed_one(
    runner: LlamaRunner, answer: list[Token]
) -> None:
    greedy(runner, PROMPT, 5)
    n = len(PROMPT)
    output = runner.execute(
        Plan(
            ops=[Copy(src=0, dst=2, start=0, end=n - 1)],
            opened=[OpenSampler(7, GREEDY, PROMPT)],
            chunks=[Chunk(7, 2, n - 1, PROMPT[-1:], True)],
        )
    )
    assert output.samples[0] == [Sample(answer[0])]
    assert runner.lane_length(2) == n


def test_a_sequence_cut_back_answers_as_before(runner: LlamaRunner, answer: list[Token]) -> None:
    greedy(runner, PROMPT, 10)
    n = len(PROMPT)
    plan = Plan(ops=[Remove(0, n - 1)], chunks=[Chunk(0, 0, n - 1, PROMPT[-1:], True)])
    assert only(runner, plan).token == answer[0]


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(1, len(PROMPT) - 1), max_size=5), n_ubatch=st.integers(1, 16))
def test_however_a_prompt_is_cut_the_logprobs_are_the_same(
    model: LlamaModel, cuts: list[int], n_ubatch: int
) -> None:
    """Within the rounding of sums that are taken in another order: 1e-3 of a logprob."""
    options = ContextOptions(n_ctx=256, n_ubatch=n_ubatch, n_threads=1)
    with LlamaRunner(model, options) as runner:
        runner.execute(Plan(opened=[OpenSampler(0, GREEDY, PROMPT)]))
        borders = [0, *sorted(set(cuts)), len(PROMPT)]
        for start, end in pairwise(borders):
            last = end == len(PROMPT)
            chunk = Chunk(0, 0, start, PROMPT[start:end], last, logprobs=5 if last else None)
            output = runner.execute(Plan(chunks=[chunk]))
        top = output.samples[0][0].top
    with LlamaRunner(model, ContextOptions(n_ctx=256, n_threads=1)) as runner:
        plan = Plan(
            opened=[OpenSampler(0, GREEDY, PROMPT)],
            chunks=[Chunk(0, 0, 0, PROMPT, True, logprobs=5)],
        )
        expected = only(runner, plan).top
    assert [token for token, _ in top] == [token for token, _ in expected]
    assert [value for _, value in top] == pytest.approx([v for _, v in expected], abs=1e-3)


# ---------------------------------------------------------------------------- samples and logprobs


def opened(params: SamplerParams = GREEDY, **options: Any) -> Plan:
    return Plan(
        opened=[OpenSampler(0, params, PROMPT)], chunks=[Chunk(0, 0, 0, PROMPT, True, **options)]
    )


def test_only_chunks_that_sample_get_a_sample(runner: LlamaRunner) -> None:
    chunks = [
        Chunk(0, 0, 0, PROMPT, False),
        Chunk(1, 1, 0, PROMPT, True),
        Chunk(2, 2, 0, [5], False),
    ]
    output = runner.execute(Plan(opened=[OpenSampler(1, GREEDY, [])], chunks=chunks))
    assert [len(samples) for samples in output.samples] == [0, 1, 0]
    assert output.scores == []


def test_logprobs_are_of_the_model_before_bias_bans_and_sampling(
    make_runner: MakeRunner, answer: list[Token]
) -> None:
    plain = only(make_runner(), opened(logprobs=3))
    params = SamplerParams(temperature=0, logit_bias=((9, 100.0),))
    changed = only(make_runner(), opened(params, logprobs=3, banned=answer[:1]))
    assert plain.token == plain.top[0][0] == answer[0]
    assert plain.logprob == plain.top[0][1] < 0
    assert changed.token == 9
    assert changed.top == plain.top
    assert changed.logprob < changed.top[-1][1]


def test_no_top_logprobs_with_0_and_none_without(make_runner: MakeRunner) -> None:
    some = only(make_runner(), opened(logprobs=0))
    none = only(make_runner(), opened())
    assert some.top == ()
    assert some.logprob < 0
    assert none == Sample(some.token)


def test_banned_tokens_are_not_sampled(runner: LlamaRunner, answer: list[Token]) -> None:
    assert only(runner, opened(banned=answer[:1])).token != answer[0]


def test_a_seed_answers_the_same_again_in_any_company(make_runner: MakeRunner) -> None:
    params = SamplerParams(seed=11)

    def answer(runner: LlamaRunner, company: bool) -> list[Token]:
        chunks = [Chunk(0, 0, 0, PROMPT, True)]
        samplers = [OpenSampler(0, params, PROMPT)]
        if company:
            chunks.insert(0, Chunk(5, 3, 0, PROMPT[:4], True))
            samplers.append(OpenSampler(5, SamplerParams(seed=1), []))
        tokens = []
        for pos in range(len(PROMPT), len(PROMPT) + 10):
            output = runner.execute(Plan(opened=samplers, chunks=chunks))
            (sample,) = output.samples[-1]
            tokens.append(sample.token)
            chunks, samplers = [Chunk(0, 0, pos, [sample.token], True)], []
        return tokens

    assert answer(make_runner(), False) == answer(make_runner(), True)


def test_a_sampler_ends_when_the_plan_says_so(runner: LlamaRunner) -> None:
    runner.execute(opened())
    runner.execute(Plan(closed=[0, 99]))
    with pytest.raises(KeyError):
        runner.execute(Plan(chunks=[Chunk(0, 0, len(PROMPT), [5], True)]))


# ------------------------------------------------------------------------------------------ scores


def scored(runner: LlamaRunner, prompt: list[Token], **options: Any) -> list[Sample]:
    chunk = Chunk(0, 0, 0, prompt[:-1], False, targets=prompt[1:], **options)
    output = runner.execute(Plan(chunks=[chunk]))
    assert output.samples == [[]]
    return output.scores[0]


def test_targets_are_scored_by_the_row_before_them(make_runner: MakeRunner) -> None:
    scores = scored(make_runner(), PROMPT, logprobs=2)
    assert [score.token for score in scores] == PROMPT[1:]
    for n in range(1, len(PROMPT)):
        plan = Plan(
            opened=[OpenSampler(0, GREEDY, [])],
            chunks=[Chunk(0, 0, 0, PROMPT[:n], True, logprobs=269)],
        )
        distribution = dict(only(make_runner(), plan).top)
        assert scores[n - 1].logprob == pytest.approx(distribution[PROMPT[n]], abs=1e-3)
        assert scores[n - 1].top[0][1] == pytest.approx(max(distribution.values()), abs=1e-3)


def test_scores_are_the_same_in_pieces(
    make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = {"type_k": "f32", "type_v": "f32", "flash_attn": "off"}  # no rounding to 16 bits
    prompt = PROMPT * 8
    whole = scored(make_runner(**exact), prompt)
    monkeypatch.setattr(runner_module, "SCORED_AT_ONCE", 7)
    pieces = scored(make_runner(**exact), prompt)
    assert [score.token for score in pieces] == [score.token for score in whole]
    assert [s.logprob for s in pieces] == pytest.approx([s.logprob for s in whole], abs=1e-3)


def test_a_scored_prompt_samples_too_and_so_do_its_companions(
    make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch, answer: list[Token]
) -> None:
    monkeypatch.setattr(runner_module, "SCORED_AT_ONCE", 5)
    chunks = [
        Chunk(0, 0, 0, PROMPT, True),
        Chunk(1, 1, 0, PROMPT, True, targets=PROMPT[1:]),
        Chunk(2, 2, 0, PROMPT, True),
    ]
    samplers = [OpenSampler(key, GREEDY, []) for key in range(3)]
    output = make_runner().execute(Plan(opened=samplers, chunks=chunks))
    assert output.samples == [[Sample(answer[0])]] * 3
    assert [len(scores) for scores in output.scores] == [0, len(PROMPT) - 1, 0]


@given(
    sizes=st.lists(st.tuples(st.integers(1, 30), st.booleans(), st.booleans()), min_size=1),
    n_outputs=st.integers(1, 12),
)
def test_pieces_are_the_chunks_in_order_within_the_limit(
    sizes: list[tuple[int, bool, bool]], n_outputs: int
) -> None:
    chunks = [
        Chunk(i, i, 100, list(range(n)), sample, targets=list(range(n)) if targets else [])
        for i, (n, sample, targets) in enumerate(sizes)
    ]
    rows: dict[int, list[Token]] = {i: [] for i in range(len(chunks))}
    for piece in split(chunks, n_outputs):
        assert sum(len(c.tokens) if c.targets else c.sample for _, c in piece) <= n_outputs
        for number, chunk in piece:
            assert chunk.pos == 100 + len(rows[number])
            rows[number] += chunk.tokens
            ends = len(rows[number]) == len(chunks[number].tokens)
            assert chunk.sample == (chunks[number].sample and ends)
    assert rows == {i: list(chunk.tokens) for i, chunk in enumerate(chunks)}


# ------------------------------------------------------------------------------------------ answers


def test_a_plan_of_operations_alone_is_carried_out(runner: LlamaRunner) -> None:
    runner.execute(opened())
    output = runner.execute(Plan(ops=[Copy(0, 1, 0, 4), Remove(0, 0)]))
    assert (output.status, output.samples) == (Status.DONE, [])
    assert [runner.lane_length(lane) for lane in (0, 1, 2)] == [0, 4, 0]


def test_no_room_changes_nothing(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=256)
    filler = [5] * 200
    runner.execute(Plan(chunks=[Chunk(0, 0, 0, filler, False)]))
    output = runner.execute(Plan(chunks=[Chunk(1, 1, 0, filler, False)]))
    assert (output.status, output.samples) == (Status.NO_SLOT, [])
    assert (runner.lane_length(0), runner.lane_length(1)) == (200, 0)
    runner.execute(Plan(ops=[Remove(0, 100)]))
    assert runner.execute(Plan(chunks=[Chunk(1, 1, 0, filler[:150], False)])).status is Status.DONE


def test_no_room_halfway_through_scoring_changes_nothing(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=256)
    runner.execute(Plan(chunks=[Chunk(0, 0, 0, [5] * 150, False)]))
    prompt = [5] * 120
    output = runner.execute(Plan(chunks=[Chunk(1, 1, 0, prompt, False, targets=prompt)]))
    assert (output.status, output.scores) == (Status.NO_SLOT, [])
    assert (runner.lane_length(0), runner.lane_length(1)) == (150, 0)


def test_a_position_out_of_order_is_invalid(runner: LlamaRunner) -> None:
    runner.execute(opened())
    output = runner.execute(Plan(chunks=[Chunk(0, 0, 500, [5], False)]))
    assert output.status is Status.INVALID
    assert runner.lane_length(0) == len(PROMPT)


def test_a_token_out_of_range_is_invalid(runner: LlamaRunner) -> None:
    output = runner.execute(Plan(chunks=[Chunk(0, 0, 0, [5, 100_000], False)]))
    assert output.status is Status.INVALID


def test_an_aborted_plan_tells_how_far_each_lane_came(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=256, n_ubatch=8)
    runner.execute(Plan(chunks=[Chunk(0, 0, 0, PROMPT, False)]))
    runner.abort()
    chunks = [Chunk(0, 0, len(PROMPT), [5], False), Chunk(1, 1, 0, [5] * 100, False)]
    output = runner.execute(Plan(chunks=chunks))
    assert output.status is Status.ABORTED
    assert output.lengths == {lane: runner.lane_length(lane) for lane in (0, 1)}
    assert runner.execute(Plan(chunks=[Chunk(2, 2, 0, [5], False)])).status is Status.DONE


def test_more_rows_than_a_batch_has_are_refused(make_runner: MakeRunner) -> None:
    """llama.cpp would end the process."""
    runner = make_runner(n_batch=16)
    with pytest.raises(InternalError, match="17 rows; the most is 16"):
        runner.execute(Plan(chunks=[Chunk(0, 0, 0, [5] * 17, False)]))


def test_positions_that_can_not_be_removed_are_an_error(
    runner: LlamaRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(C, "llama_memory_seq_rm", lambda *_: False)
    with pytest.raises(InternalError, match="can't be removed"):
        runner.execute(Plan(ops=[Remove(0, 3)]))


# -------------------------------------------------------------------------------- sizes and its end


def test_the_sizes_are_those_of_the_context(make_runner: MakeRunner) -> None:
    runner = make_runner(n_ctx=300, n_lanes=5, n_batch=64, n_ubatch=32)
    assert (runner.n_cells, runner.n_lanes) == (512, 5)  # cells in steps of 256
    assert (runner.n_batch, runner.n_ubatch) == (64, 32)
    assert runner.memory is MemoryKind.ATTENTION


def test_a_batch_smaller_than_the_lanes_is_made_to_fit(make_runner: MakeRunner) -> None:
    """llama.cpp would end the process."""
    assert make_runner(n_batch=2, n_lanes=64).n_batch >= 64


@pytest.mark.parametrize(
    "options",
    [
        {"flash_attn": "on"},
        {"flash_attn": "off"},
        {"type_k": "q8_0", "type_v": "q8_0"},
        {"type_k": "bf16", "type_v": "bf16"},
        {"n_threads": 2, "n_threads_batch": 1},
        {"n_ubatch": 1},
    ],
)
def test_a_context_in_every_way(make_runner: MakeRunner, options: dict[str, Any]) -> None:
    assert only(make_runner(**options), opened()).token >= 0


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"n_ctx": 0}, "context_size"),
        ({"n_ctx": 2**31}, "context_size"),
        ({"n_lanes": 0}, "parallel"),
        ({"n_lanes": 1000}, "parallel"),
        ({"flash_attn": "maybe"}, "flash_attn"),
        ({"type_k": "q3"}, "cache_type_k"),
        ({"type_v": "f17"}, "cache_type_v"),
    ],
)
def test_options_out_of_range_are_named(
    make_runner: MakeRunner, options: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        make_runner(**options)
    assert caught.value.param == param


def test_a_context_that_llama_cpp_refuses_gives_its_reason(make_runner: MakeRunner) -> None:
    with pytest.raises(ModelError, match="quantized V cache requires flash_attn"):
        make_runner(type_v="q8_0", flash_attn="off")


def test_automatic_flash_attention_falls_back(
    make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = C.llama_init_from_model
    tried: list[int] = []

    def only_without(weights: int, params: Any) -> int | None:
        tried.append(params.flash_attn_type)
        return None if params.flash_attn_type else create(weights, params)

    monkeypatch.setattr(C, "llama_init_from_model", only_without)
    make_runner()
    assert tried == [-1, 0]
    with pytest.raises(ModelError, match="No context for 'Random' could be made"):
        make_runner(flash_attn="on")


def test_a_closed_runner_can_not_be_used(make_runner: MakeRunner) -> None:
    runner = make_runner()
    runner.execute(opened())
    runner.close()
    runner.close()
    for use in (lambda: runner.execute(opened()), lambda: runner.lane_length(0)):
        with pytest.raises(InvalidRequest, match="The context is closed"):
            use()


def test_closing_from_another_thread_while_it_computes_is_an_error_not_a_crash(
    make_runner: MakeRunner,
) -> None:
    runner = make_runner()
    started = threading.Event()
    errors: list[Exception] = []

    def run() -> None:
        try:
            while True:
                runner.execute(
                    Plan(ops=[Remove(0, 0)], chunks=opened().chunks, opened=opened().opened)
                )
                started.set()
        except (InvalidRequest, KeyError) as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(30)
    runner.close()
    thread.join(30)
    assert len(errors) == 1


@pytest.fixture
def unfit(tmp_path: Path) -> Iterator[Callable[..., LlamaModel]]:
    made: list[LlamaModel] = []

    def load(vocab_only: bool = False, **options: Any) -> LlamaModel:
        info = read_info(write_model(tmp_path / "m.gguf", **options))
        made.append(LlamaModel.load(info, vocab_only=vocab_only))
        return made[-1]

    yield load
    for model in made:
        model.close()


def test_a_vocabulary_alone_does_not_generate(unfit: Callable[..., LlamaModel]) -> None:
    with pytest.raises(ModelError, match="only its vocabulary is loaded"):
        LlamaRunner(unfit(vocab_only=True), ContextOptions(n_ctx=64))


def test_an_encoder_does_not_generate(encoder: LlamaModel) -> None:
    with pytest.raises(ModelError, match="it is an encoder"):
        LlamaRunner(encoder, ContextOptions(n_ctx=64))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("llama_model_has_encoder", "run an encoder first"),
        ("llama_model_is_diffusion", "diffusion models"),
    ],
)
def test_kinds_that_are_not_supported_say_so(
    make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch, function: str, reason: str
) -> None:
    monkeypatch.setattr(C, function, lambda _: True)
    with pytest.raises(ModelError, match=reason):
        make_runner()


def test_recurrent_models_are_known(model: LlamaModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "llama_model_is_hybrid", lambda _: True)
    with LlamaContext(model, ContextOptions(n_ctx=64)) as context:
        assert context.memory_kind is MemoryKind.RECURRENT


def test_the_cache_types_are_those_of_the_options() -> None:
    assert set(context.CACHE_TYPES) == set(context.ELEMENT_BYTES) == set(config.CACHE_TYPES)
