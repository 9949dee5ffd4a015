"""Generating: in one piece, streamed, from threads and from tasks."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import fields
from inspect import signature
from typing import Any

import numpy as np
import pytest

from mullama import (
    Context,
    ContextLengthExceeded,
    InternalError,
    InvalidRequest,
    Model,
    SamplerParams,
)
from mullama.config import ModelOptions
from mullama.library.answers import Answers
from mullama.library.options import BY_KEYWORD
from mullama.llama.runner import LlamaRunner
from mullama.types import Plan, StepOutput

GREEDY = SamplerParams.greedy()
PARIS = "The capital of France is Paris."


@pytest.fixture(scope="module")
def prompt(model: Model) -> str:
    return model.apply_chat_template([("user", "What is the capital of France?")])


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that runners execute from now on."""
    seen: list[Plan] = []
    execute = LlamaRunner.execute

    def record(self: LlamaRunner, plan: Plan) -> StepOutput:
        seen.append(plan)
        return execute(self, plan)

    monkeypatch.setattr(LlamaRunner, "execute", record)
    return seen


def test_a_prompt_is_continued(context: Context, prompt: str) -> None:
    assert context.generate(prompt, max_tokens=60, params=GREEDY) == PARIS
    assert context.generate(prompt, params=GREEDY) == PARIS


def test_a_stream_s_pieces_are_the_answer(context: Context, prompt: str) -> None:
    pieces = list(context.generate_stream(prompt, max_tokens=60, params=GREEDY))
    assert len(pieces) > 3
    assert all(pieces)
    assert "".join(pieces) == PARIS


def test_tokens_are_a_prompt_too(context: Context, model: Model, prompt: str) -> None:
    tokens = model.tokenize(prompt, special=True)
    for given in (tokens, tuple(tokens), np.array(tokens), iter(tokens)):
        assert context.generate(given, params=GREEDY) == PARIS


def test_control_tokens_in_a_prompt_are_tokens(
    model: Model, prompt: str, plans: list[Plan]
) -> None:
    with Context(model, n_ctx=256) as context:
        context.generate(prompt, max_tokens=1)
    computed = [token for plan in plans for chunk in plan.chunks for token in chunk.tokens]
    assert computed == model.tokenize(prompt, special=True)


def test_max_tokens_ends_an_answer(context: Context, prompt: str) -> None:
    assert len(list(context.generate_stream(prompt, max_tokens=3, params=GREEDY))) == 3
    assert context.generate(prompt, max_tokens=0, params=GREEDY) == ""


def test_a_stop_string_ends_an_answer_before_it(context: Context, prompt: str) -> None:
    for stop in (" Paris", [" Paris"], ("nothing", " Paris")):
        assert context.generate(prompt, params=GREEDY, stop=stop) == "The capital of France is"


def test_the_same_seed_gives_the_same_answer(context: Context, prompt: str) -> None:
    def answers(seed: int) -> set[str]:
        params = SamplerParams(temperature=2.0, top_k=0, top_p=1.0, min_p=0.0, seed=seed)
        found = set()
        for _ in range(2):
            context.clear_cache()  # where cells lie decides the last bits of a logit
            found.add(context.generate(prompt, max_tokens=12, params=params))
        return found

    assert len(answers(1)) == len(answers(2)) == 1
    assert answers(1) != answers(2)


def test_nothing_is_computed_before_the_first_piece_is_asked_for(
    context: Context, prompt: str, plans: list[Plan]
) -> None:
    stream = context.generate_stream(prompt, params=GREEDY)
    assert not plans
    first = next(stream)
    assert first
    assert PARIS.startswith(first)
    assert plans
    stream.close()


def test_closing_a_stream_ends_the_answer(context: Context, plans: list[Plan]) -> None:
    stream = context.generate_stream("Once upon a time", params=GREEDY)
    next(stream)
    stream.close()
    context.decode([1, 2, 3])  # what was cancelled is gone before this is computed
    n_plans = len(plans)
    context.generate("x", max_tokens=2)
    assert max(len(plan.chunks) for plan in plans[n_plans:]) == 1


def test_calls_from_threads_share_a_batch(context: Context, prompt: str, plans: list[Plan]) -> None:
    found: list[str] = []
    gate = threading.Barrier(6)

    def ask() -> None:
        gate.wait()
        found.append(context.generate(prompt, max_tokens=40, params=GREEDY))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [PARIS] * 6
    assert max(len(plan.chunks) for plan in plans) > 1


def test_tasks_stream_side_by_side(context: Context, prompt: str) -> None:
    async def ask() -> str:
        return "".join([piece async for piece in context.astream(prompt, params=GREEDY)])

    async def main() -> list[str]:
        return await asyncio.gather(*[ask() for _ in range(4)])

    assert asyncio.run(main()) == [PARIS] * 4


def test_a_stream_does_not_hold_up_the_event_loop(context: Context) -> None:
    async def main() -> int:
        turns = 0

        async def spin() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        spinning = asyncio.create_task(spin())
        async for _ in context.astream("Once upon a time", max_tokens=20, params=GREEDY):
            pass
        spinning.cancel()
        return turns

    assert asyncio.run(main()) > 20


def test_a_blocking_stream_in_a_task_gets_all_of_its_answer(context: Context, prompt: str) -> None:
    async def ask() -> str:
        return "".join(context.generate_stream(prompt, params=GREEDY))

    async def main() -> list[str]:
        return await asyncio.gather(ask(), ask())

    assert asyncio.run(main()) == [PARIS] * 2


def test_a_cancelled_task_ends_its_answer(context: Context, prompt: str) -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def ask() -> None:
            async for _ in context.astream("Once upon a time", params=GREEDY):
                begun.set()

        task = asyncio.create_task(ask())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not context._answers._inboxes
    assert context.generate(prompt, params=GREEDY) == PARIS


def test_a_task_that_leaves_while_its_prompt_is_prepared_asks_for_nothing(
    context: Context, monkeypatch: pytest.MonkeyPatch, plans: list[Plan]
) -> None:
    running = context._answers._running
    entered, gate, prepare = threading.Event(), threading.Event(), running.prepare

    def slow(*args: Any) -> Any:
        entered.set()
        gate.wait()
        return prepare(*args)

    monkeypatch.setattr(running, "prepare", slow)

    async def main() -> None:
        stream = context.astream("Once upon a time")
        task = asyncio.create_task(anext(stream))  # type: ignore[arg-type]
        await asyncio.to_thread(entered.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()

    asyncio.run(main())
    assert not context._answers._inboxes
    assert not plans


# ------------------------------------------------------------------------------ bad input


def test_a_prompt_without_room_is_refused_with_both_numbers(model: Model) -> None:
    with Context(model, n_ctx=256) as small:
        with pytest.raises(ContextLengthExceeded, match=r"300.*256"):
            small.generate([1] * 300)
        assert small.generate([1] * 200, max_tokens=2, params=GREEDY) is not None


def test_an_answer_ends_where_the_context_does(model: Model, plans: list[Plan]) -> None:
    never = tuple((t, float("-inf")) for t in range(model.n_vocab) if model.token_is_eog(t))
    with Context(model, n_ctx=256) as small:
        small.generate("Once upon a time", params=SamplerParams(logit_bias=never))
    ends = [chunk.pos + len(chunk.tokens) for plan in plans for chunk in plan.chunks]
    assert max(ends) in (255, 256)  # the last token needs no cell


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"prompt": [5000]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [1.5]}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": b"bytes are no tokens"}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "x", "max_tokens": -1}, "max_tokens"),
        ({"prompt": "x", "max_tokens": 1.5}, "max_tokens"),
        ({"prompt": "x", "stop": ""}, "stop"),
        ({"prompt": "x", "stop": [1]}, "stop"),
        ({"prompt": "x", "params": {"temperature": 1}}, "params"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(
    context: Context, arguments: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        context.generate(**arguments)
    assert caught.value.param == param
    assert context.generate("x", max_tokens=1) is not None  # the engine never saw it


def test_text_that_is_not_unicode_is_refused(context: Context) -> None:
    with pytest.raises(InvalidRequest, match="Unicode"):
        context.generate("\ud800")


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"n_ctx": -1}, "n_ctx"),
        ({"n_ctx": 4096.0}, "n_ctx"),
        ({"n_ctx": "4096"}, "n_ctx"),
        ({"parallel": 2.5}, "parallel"),
        ({"kv_offload": "no"}, "kv_offload"),
        ({"flash_attn": True}, "flash_attn"),
        ({"n_batch": 0}, "n_batch"),
        ({"n_threads": -1}, "n_threads"),
        ({"no_such": 1}, "no_such"),
        ({"cache_type_k": "q17"}, "cache_type_k"),
    ],
)
def test_a_context_s_wrong_option_is_refused_by_name(
    model: Model, options: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Context(model, **options)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("gpu_layers", 35, "Model.load(…, n_gpu_layers=…)"),
        ("n_gpu_layers", 35, "Model.load(…, n_gpu_layers=…)"),
        ("mmap", False, "Model.load(…, use_mmap=…)"),
        ("chat_template", "x", "Model.load(…, chat_template=…)"),
        ("context_size", 512, "is called n_ctx here"),
        ("response_schema", "{}", "Model.load(…, response_schema=…)"),
    ],
)
def test_what_a_context_can_not_change_any_more_is_refused(
    model: Model, name: str, value: Any, words: str
) -> None:
    """Every option of ModelOptions was taken, and those of a model's loading changed nothing."""
    with pytest.raises(InvalidRequest) as caught:
        Context(model, **{name: value})
    assert words in caught.value.message
    assert caught.value.param == name


def test_every_option_of_a_context_s_is_one_by_keyword_or_an_argument() -> None:
    loading = {*signature(Model.load).parameters, "gpu_layers", "mmap", "mlock"}
    arguments = {"context_size", "batch_size", "threads"}
    assert {*BY_KEYWORD} == {item.name for item in fields(ModelOptions)} - loading - arguments


def test_a_context_says_how_large_it_is(context: Context, model: Model) -> None:
    assert (context.n_ctx, context.n_batch) == (2048, 512)
    with Context(model) as whole:
        assert (whole.n_ctx, whole.n_batch) == (model.n_ctx_train, 2048)


def test_the_engine_s_error_reaches_those_who_wait(
    model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: LlamaRunner, plan: Plan) -> StepOutput:
        raise ZeroDivisionError("broken on purpose")

    with Context(model, n_ctx=256) as context, caplog.at_level(logging.ERROR):
        monkeypatch.setattr(LlamaRunner, "execute", fail)
        with pytest.raises(InternalError) as caught:
            context.generate("x")
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        context._answers._running.close()  # the thread has ended, and has said why
        with pytest.raises(InternalError, match="broken on purpose"):
            context.generate("x")
    assert "internal error" in caplog.text


# -------------------------------------------------------------------- decode and embeddings


def test_decoded_tokens_are_not_computed_again(model: Model, plans: list[Plan]) -> None:
    tokens = model.tokenize("The quick brown fox jumps over the lazy dog.")
    with Context(model, n_ctx=256) as context:
        context.decode(tokens)
        n_rows = sum(plan.n_rows for plan in plans)
        assert n_rows == len(tokens)
        context.generate(tokens, max_tokens=1)
        assert sum(plan.n_rows for plan in plans) - n_rows == 1


def test_a_context_with_embeddings_keeps_the_last_vector(model: Model) -> None:
    with Context(model, n_ctx=256, embeddings=True) as context:
        assert context.get_embeddings() is None
        context.decode(model.tokenize("hello"))
        hello = context.get_embeddings()
        assert hello is not None
        assert hello.shape == (model.n_embd,)
        assert hello.dtype == np.float32
        assert np.linalg.norm(hello) == pytest.approx(1, abs=1e-5)
        context.decode(model.tokenize("something else"))
        assert not np.array_equal(context.get_embeddings(), hello)  # type: ignore[arg-type]


def test_a_context_without_embeddings_says_so(context: Context) -> None:
    with pytest.raises(InvalidRequest, match="embeddings=True"):
        context.get_embeddings()


def test_clearing_the_cache_forgets_prefixes_and_changes_no_answer(
    context: Context, prompt: str
) -> None:
    assert isinstance(context._answers, Answers)
    running = context._answers._running
    assert context.generate(prompt, params=GREEDY) == PARIS
    assert running.stats()["n_cells_cached"] > 0
    context.clear_cache()
    context.generate("x", max_tokens=1)
    assert running.stats()["n_cells_cached"] < 8
    assert context.generate(prompt, params=GREEDY) == PARIS


def test_pieces_of_others_are_nobody_s(context: Context) -> None:
    """Events of a request that was left are dropped, not kept."""
    assert isinstance(context._answers, Answers)
    for _ in range(5):
        next(context.generate_stream("Once upon a time"))
    context.generate("x", max_tokens=1)
    assert not context._answers._inboxes
