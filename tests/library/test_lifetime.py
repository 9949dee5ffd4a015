"""Closing, dropping, forking and ending: always an error or nothing, never a crash or a hang."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mullama import Context, EmbeddingGenerator, InvalidRequest, Model

PATIENCE = 60.0


def test_a_closed_context_is_an_error(model: Model) -> None:
    context = Context(model, n_ctx=256)
    stream = context.generate_stream("Once upon a time")
    begun = context.generate_stream("Once upon a time")
    next(begun)
    context.close()
    context.close()
    for use in (
        lambda: context.generate("x"),
        lambda: context.generate_stream("x"),
        lambda: context.astream("x"),
        lambda: context.decode([1]),
        lambda: context.clear_cache(),
        lambda: context.get_embeddings(),
        lambda: next(stream),
        lambda: list(begun),
    ):
        with pytest.raises(InvalidRequest, match="Context is closed"):
            use()
    assert model.tokenize("still open")


def test_closing_a_model_closes_what_was_made_from_it(tiny_model: Path) -> None:
    model = Model.load(tiny_model)
    name = model.name
    context = Context(model, n_ctx=256)
    generator = EmbeddingGenerator(model)
    model.close()
    model.close()
    context.close()
    generator.close()
    for use in (
        lambda: context.generate("x"),
        lambda: generator.embed("x"),
        lambda: model.tokenize("x"),
        lambda: model.detokenize([1]),
        lambda: model.token_is_eog(1),
        lambda: model.apply_chat_template([("user", "x")]),
        lambda: model.metadata(),
        lambda: model.n_vocab,
        lambda: model.token_bos,
        lambda: Context(model),
        lambda: EmbeddingGenerator(model),
    ):
        with pytest.raises(InvalidRequest, match="is closed"):
            use()
    assert model.name == name


def test_whoever_waits_when_a_model_is_closed_gets_an_error(tiny_model: Path) -> None:
    model = Model.load(tiny_model)
    context = Context(model, n_ctx=4096)
    streaming, errors = threading.Barrier(4), []

    def ask() -> None:
        stream = context.generate_stream("Once upon a time")
        next(stream)
        streaming.wait()
        try:
            list(stream)
        except InvalidRequest as error:
            errors.append(error.code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    streaming.wait()
    model.close()
    for thread in threads:
        thread.join()
    assert set(errors) <= {"closed"}  # an answer may have been complete before


def engine_threads() -> int:
    return sum(thread.name in ("engine", "embedding", "close") for thread in threading.enumerate())


def until_no_more_than(n: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while engine_threads() > n:
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.005)


def test_what_is_dropped_is_closed(tiny_model: Path) -> None:
    n_before = engine_threads()
    for _ in range(5):
        model = Model.load(tiny_model)
        context = Context(model, n_ctx=256)
        generator = EmbeddingGenerator(model)
        next(context.generate_stream("Once upon a time"))
        del model, context, generator
    until_no_more_than(n_before)


def test_what_is_dropped_in_a_circle_is_closed(tiny_model: Path) -> None:
    n_before = engine_threads()
    for _ in range(5):
        circle: list[object] = [Model.load(tiny_model)]
        circle.append(Context(circle[0], n_ctx=256))  # type: ignore[arg-type]
        circle.append(circle)
        del circle
    gc.collect()
    until_no_more_than(n_before)


def test_a_stream_keeps_its_context_open(tiny_model: Path) -> None:
    stream = Context(Model.load(tiny_model), n_ctx=256).generate_stream("Once", max_tokens=3)
    gc.collect()
    assert len(list(stream)) == 3


BEGIN = """
import asyncio, gc, os, sys, threading, time
from mullama import Model, Context, EmbeddingGenerator
model = Model.load(sys.argv[1])
context = Context(model, n_ctx=1024)
"""


def program(body: str, tiny_model: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGIN + body, str(tiny_model)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    "body",
    [
        "stream = context.generate_stream('Once upon a time'); next(stream)",
        "EmbeddingGenerator(model).embed('x')",
        "begun = threading.Event()\n"
        "def work():\n"
        "    for _ in context.generate_stream('Once upon a time'):\n"
        "        begun.set()\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "begun.wait()",
        "threading.Thread(target=context.generate, args=('Once upon', 50)).start()",
        "model.me = model; model.context = context; del model, context; gc.collect()",
        "async def main():\n"
        "    async for _ in context.astream('Once upon a time'):\n"
        "        break\n"
        "asyncio.run(main())",
    ],
    ids=["streaming", "embedding", "daemon thread", "thread", "circle", "left task"],
)
def test_a_program_ends_cleanly_without_closing(body: str, tiny_model: Path) -> None:
    done = program(body, tiny_model)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_ends_cleanly_after_an_error(tiny_model: Path) -> None:
    done = program("next(context.generate_stream('Once')); raise SystemExit(3)", tiny_model)
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system can't fork")
def test_a_forked_process_is_told_to_load_its_own(tiny_model: Path) -> None:
    body = """
import warnings; warnings.simplefilter("ignore")  # newer Pythons warn of forking
if os.fork() == 0:
    for use in (context.generate, model.tokenize):
        try:
            use("x")
        except Exception as error:
            print(type(error).__name__, error.code, flush=True)
    context.close()
    model.close()
    sys.exit()
os.wait()
print(bool(context.generate("Once upon", max_tokens=3)))
"""
    done = program(body, tiny_model)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n")[:3] == ["InvalidRequest forked"] * 2 + ["True"]
