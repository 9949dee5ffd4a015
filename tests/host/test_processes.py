"""Real worker processes with real models: what lives, what dies, and who notices."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mullama.config import ModelOptions, ServedModel, ServerOptions
from mullama.errors import ContextLengthExceeded, InvalidRequest, ModelError
from mullama.host.host import Host
from mullama.host.process import WorkerProcess, explain
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    Delta,
    EmbedRequest,
    Event,
    Finished,
    FinishReason,
    GenerateOptions,
    ModelState,
    SamplerParams,
    Started,
)
from tests.gguf_models import write_model

pytestmark = pytest.mark.anyio

TIMEOUT = 60
OPTIONS = ModelOptions(context_size=1024, parallel=8, threads=1)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@asynccontextmanager
async def serving(options: ModelOptions = OPTIONS, /, **models: Path) -> AsyncIterator[Host]:
    served = {name: ServedModel(path, options) for name, path in models.items()}
    host = Host(served, ServerOptions())
    await host.start()
    try:
        async with asyncio.timeout(TIMEOUT):
            yield host
    finally:
        await host.stop(0)


def ask(prompt: str, max_tokens: int | None = 16, *, endless: bool = False) -> CompletionRequest:
    return CompletionRequest(
        prompt,
        GenerateOptions(SamplerParams.greedy(), max_tokens=max_tokens, ignore_eos=endless),
    )


async def text_of(events: AsyncIterator[Event]) -> str:
    return "".join([event.text async for event in events if isinstance(event, Delta)])


async def begin(host: Host, name: str) -> AsyncGenerator[Event, None]:
    """A stream that has shown its first text, and would go on for long."""
    events = host.generate(name, ask("Once upon a time", None, endless=True))
    async for event in events:
        if isinstance(event, Delta):
            break
    return events


def pid_of(host: Host, name: str) -> int:
    process = host._slots[name]._process
    assert isinstance(process, WorkerProcess)
    return process.pid


def without_template(model: Path, folder: Path) -> Path:
    """The same model, its chat template under a name that nobody looks for."""
    path = folder / "bare.gguf"
    path.write_bytes(
        model.read_bytes().replace(b"tokenizer.chat_template", b"tokenizer.chat_nothing!")
    )
    return path


async def test_a_model_answers_chats_completions_and_embeddings(tiny_model: Path) -> None:
    async with serving(tiny=tiny_model) as host:
        question = {"role": "user", "content": "What is the capital of France?"}
        options = GenerateOptions(SamplerParams.greedy(), max_tokens=32)
        events = [e async for e in host.generate(None, ChatRequest((question,), options))]
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Finished)
        assert await text_of(host.generate("tiny", ask("Once upon a time")))
        result = await host.embed("tiny", EmbedRequest(("hello", "world")))
        vector = struct.unpack(f"<{result.n_embd}f", result.vectors[0])
        assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)
        assert host.model(None).n_ctx == 1024


async def test_answers_are_the_same_alone_and_together(tiny_model: Path) -> None:
    prompts = [f"{word} upon a time" for word in ("Once", "Twice", "Never", "Always")]
    async with serving(tiny=tiny_model) as host:
        alone = [await text_of(host.generate(None, ask(prompt))) for prompt in prompts]
        together = await asyncio.gather(*(text_of(host.generate(None, ask(p))) for p in prompts))
        assert together == alone
        assert all(alone)


async def test_a_long_prompt_is_refused_with_both_numbers(tiny_model: Path) -> None:
    async with serving(tiny=tiny_model) as host:
        with pytest.raises(ContextLengthExceeded, match=r"\d{4,} tokens.*1024"):
            await text_of(host.generate(None, ask("word " * 20_000)))


async def test_a_model_without_a_template_completes_but_does_not_chat(
    tiny_model: Path, tmp_path: Path
) -> None:
    async with serving(bare=without_template(tiny_model, tmp_path)) as host:
        with pytest.raises(InvalidRequest, match="no chat template"):
            await text_of(host.generate(None, ChatRequest(({"role": "user", "content": "hi"},))))
        assert await text_of(host.generate(None, ask("Once upon a time")))


async def test_an_embedding_model_embeds_and_does_not_generate(minilm_model: Path) -> None:
    async with serving(mini=minilm_model) as host:
        result = await host.embed("mini", EmbedRequest(("hello world",), dimensions=8))
        assert (result.n_embd, len(result.vectors[0])) == (8, 32)
        with pytest.raises(InvalidRequest, match="/v1/embeddings"):
            await text_of(host.generate("mini", ask("hi")))
        with pytest.raises(ContextLengthExceeded, match=r"\d{4} tokens.*512"):
            await host.embed("mini", EmbedRequest(("word " * 1000,)))


async def test_closing_a_stream_frees_what_it_had(tiny_model: Path) -> None:
    async with serving(tiny=tiny_model) as host:
        await (await begin(host, "tiny")).aclose()
        client = await host._slots["tiny"].acquire(0)
        while (stats := await client.stats())["n_running"]:
            await asyncio.sleep(0.01)
        assert stats["n_cancelled_total"] == 1
        assert stats["n_cells"] == stats["n_cells_free"] + stats["n_cells_cached"]


async def test_a_killed_worker_ends_its_streams_alone_and_is_replaced(
    tiny_model: Path, tmp_path: Path
) -> None:
    other = without_template(tiny_model, tmp_path)
    async with serving(tiny=tiny_model, other=other) as host:
        async with aclosing(await begin(host, "tiny")) as dying:
            living = asyncio.create_task(text_of(host.generate("other", ask("Once", 200))))
            os.kill(pid_of(host, "tiny"), signal.SIGKILL)
            with pytest.raises(ModelError, match=r"signal 9 .*next request") as caught:
                await text_of(dying)
        assert caught.value.code == "worker_died"
        assert host.model("tiny").state is ModelState.UNLOADED
        assert await text_of(host.generate("tiny", ask("Once upon a time")))
        expected = await text_of(host.generate("other", ask("Once", 200)))
        assert await living == expected


async def test_a_worker_leaves_signals_for_the_server_to_its_server(tiny_model: Path) -> None:
    async with serving(tiny=tiny_model) as host:
        events = await begin(host, "tiny")
        pid = pid_of(host, "tiny")
        assert os.getpgid(pid) != os.getpgid(0)  # a terminal's signals do not even reach it
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        assert isinstance(await anext(events), Delta)
        await events.aclose()


async def test_running_answers_finish_before_the_worker_ends(tiny_model: Path) -> None:
    async with serving(tiny=tiny_model) as host:
        events = host.generate(None, ask("Once upon a time", 100, endless=True))
        await anext(events)
        pid = pid_of(host, "tiny")
        stopping = asyncio.create_task(host.stop(TIMEOUT))
        *_, last = [event async for event in events]
        assert isinstance(last, Finished)
        assert last.reason is FinishReason.LENGTH
        await stopping
        assert not is_alive(pid)


async def test_the_reason_of_a_failed_load_reaches_the_request(tmp_path: Path) -> None:
    path = write_model(tmp_path / "foo.gguf", arch="foo")
    async with serving(foo=path) as host:
        with pytest.raises(ModelError, match="unknown model architecture: 'foo'"):
            await text_of(host.generate(None, ask("hi")))
        assert host.model(None).state is ModelState.FAILED


async def test_a_worker_puts_its_model_where_it_is_told(tiny_model: Path) -> None:
    options = replace(
        OPTIONS, device="none", override_tensor=".*=CPU", kv_offload=False, op_offload=False
    )
    async with serving(options, tiny=tiny_model) as host:
        assert await text_of(host.generate("tiny", ask("Once upon a time")))


async def test_a_device_that_is_not_there_reaches_the_request(tiny_model: Path) -> None:
    async with serving(replace(OPTIONS, device="CUDA99"), tiny=tiny_model) as host:
        with pytest.raises(ModelError, match="There is no device 'CUDA99'"):
            await text_of(host.generate("tiny", ask("Once upon a time")))


async def test_a_crash_is_explained_by_the_last_line(
    tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tiny=tiny_model) as host:
        client = await host._slots["tiny"].acquire(TIMEOUT)
        events = await begin(host, "tiny")
        client._transport.write(b"\xff" * 8)
        with pytest.raises(ModelError, match=r"exit code 1: .*FrameError: a frame claims"):
            await text_of(events)
    assert any("[tiny] Traceback" in message for message in caplog.messages)


SERVER = """
import asyncio, sys
from pathlib import Path
from mullama.config import ModelOptions, ServedModel, ServerOptions
from mullama.host.host import Host
from mullama.types import CompletionRequest, GenerateOptions

async def main():
    model = ServedModel(Path(sys.argv[1]), ModelOptions(context_size=512))
    host = Host({"m": model}, ServerOptions())
    await host.start()
    options = GenerateOptions(ignore_eos=True)
    async for event in host.generate(None, CompletionRequest("Once", options)):
        print(host._slots["m"]._process.pid, flush=True)
        if sys.argv[2] == "leave":
            return
    await asyncio.sleep(60)

asyncio.run(main())
"""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip() != "" and not state.stdout.startswith("Z")


def until_gone(pid: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


@pytest.mark.parametrize("end", ["kill", "leave"])
def test_no_worker_survives_its_server(tiny_model: Path, end: str) -> None:
    command = [sys.executable, "-c", SERVER, str(tiny_model), end]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        if end == "kill":
            assert is_alive(pid)
            server.kill()
        server.wait(TIMEOUT)
    until_gone(pid)


def test_the_end_of_a_process_is_put_into_words() -> None:
    assert explain(-9, "") == "was killed by signal 9 (possibly out of memory)"
    assert explain(-6, "GGML_ASSERT(x) failed") == (
        "was killed by signal 6 (Aborted): GGML_ASSERT(x) failed"
    )
    assert explain(1, "") == "ended with exit code 1"
