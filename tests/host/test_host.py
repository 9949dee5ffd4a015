"""The host's models and their workers' lives, with made-up worker processes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from mullama.config import ModelOptions, ServedModel, ServerOptions
from mullama.errors import (
    ErrorInfo,
    InvalidRequest,
    ModelError,
    MullamaError,
    NotFound,
    Overloaded,
)
from mullama.host import frames
from mullama.host.host import Host
from mullama.host.slot import Backoff
from mullama.types import (
    CompletionRequest,
    Delta,
    EmbedRequest,
    EmbedResult,
    Event,
    Finished,
    FinishReason,
    GenerateOptions,
    ModelState,
    RerankRequest,
    RerankResult,
    Started,
    Timings,
    TokenizeRequest,
    TokenizeResult,
)

TIMEOUT = 10
READY = frames.Ready(4000)
KILLED = "was killed by signal 9 (possibly out of memory)"
REQUEST = CompletionRequest("ab", GenerateOptions())
HANG = CompletionRequest("hang", GenerateOptions())


def write_model(path: Path, architecture: str = "llama") -> Path:
    """A GGUF header that says as little as a model's must."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    entries = [
        text("general.architecture") + struct.pack("<I", 8) + text(architecture),
        text(f"{architecture}.context_length") + struct.pack("<II", 4, 4096),
    ]
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries))
    return path


class FakeProcess:
    """A worker in the test's own loop. `outcome` is what loading comes to: None hangs up."""

    def __init__(self, outcome: frames.FromWorker | None = READY) -> None:
        self.sock, self._theirs = socket.socketpair()
        self.outcome = outcome
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.gone = asyncio.Event()
        self.how = "ended with exit code 0"
        self.cancelled: list[int] = []
        self._writer: asyncio.StreamWriter
        self._task: asyncio.Task[None]

    async def listen(self) -> None:
        reader, self._writer = await asyncio.open_unix_connection(sock=self._theirs)
        self._task = asyncio.create_task(self._run(reader))

    async def ended(self, patience: float) -> str:
        try:
            await asyncio.wait_for(self.gone.wait(), patience)
        except TimeoutError:
            self.die("was killed after its time")
        return self.how

    def die(self, how: str = KILLED) -> None:
        self.how = how
        self.hang_up()
        self.gone.set()

    def hang_up(self) -> None:
        self._task.cancel()
        self._writer.transport.abort()

    async def _run(self, reader: asyncio.StreamReader) -> None:
        splitter = frames.Splitter()
        while data := await reader.read(1 << 16):
            for frame in splitter.feed(data):
                await self._handle(frames.decode_to_worker(frame))
        self.die("ended with exit code 0")

    async def _handle(self, message: frames.ToWorker) -> None:
        match message:
            case frames.Load():
                await self.may_load.wait()
                if self.outcome is None:
                    return self.die()
                self._send(self.outcome)
                if isinstance(self.outcome, frames.LoadFailed):
                    self.die("ended with exit code 1")
            case frames.Complete(id=id):
                self._send(frames.Events.of([Started(id, 2), Delta(id, 0, "x", 1)]))
                if message.request != HANG:
                    self._send(frames.Events.of([finished(id)]))
            case frames.Embed(id=id):
                self._send(frames.Embedded(id, EmbedResult((b"\0" * 4,), 1, 2)))
            case frames.Rerank(id=id):
                self._send(frames.Reranked(id, RerankResult((0.5,), 3)))
            case frames.Tokenize(id=id):
                self._send(frames.Tokenized(id, TokenizeResult((1, 2))))
            case frames.Detokenize(id=id):
                self._send(frames.Detokenized(id, "ab"))
            case frames.Cancel(id=id):
                self.cancelled.append(id)
            case frames.Count():
                self._send(frames.Counted({"n_requests_total": 7}))
            case frames.Shutdown():
                self.die("ended with exit code 0")
        return None

    def _send(self, message: frames.FromWorker) -> None:
        self._writer.write(frames.encode(message))


def finished(id: int) -> Finished:
    return Finished(id, 0, FinishReason.STOP, None, 2, 0, 0, 0, 1, Timings())


def served(
    paths: Mapping[str, Path], options: ModelOptions | None = None
) -> dict[str, ServedModel]:
    return {name: ServedModel(path, options or ModelOptions()) for name, path in paths.items()}


class Fixture:
    """A host of two models, whose workers the test makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.make: Callable[[], FakeProcess] = FakeProcess
        self.spawned: dict[str, list[FakeProcess]] = {"a": [], "b": []}
        self.hosts: list[Host] = []

    def host(self, model_options: ModelOptions | None = None, **options: Any) -> Host:
        paths = {name: write_model(self.folder / f"{name}.gguf") for name in self.spawned}
        models = served(paths, model_options)
        host = Host(models, ServerOptions(**options), spawn=self._spawn)
        self.hosts.append(host)
        return host

    def _spawn(self, name: str) -> FakeProcess:
        process = self.make()
        self.spawned[name].append(process)
        return process


@pytest.fixture
async def fixture(tmp_path: Path) -> AsyncIterator[Fixture]:
    fixture = Fixture(tmp_path)
    yield fixture
    for host in fixture.hosts:
        await host.stop(0)


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


async def text(host: Host, name: str | None = None) -> str:
    async with asyncio.timeout(TIMEOUT):
        events = await collect(host.generate(name, REQUEST))
    return "".join(event.text for event in events if isinstance(event, Delta))


async def error_of(host: Host, name: str | None = None) -> MullamaError:
    with pytest.raises(MullamaError) as caught:
        await text(host, name)
    return caught.value


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():
            await asyncio.sleep(0.001)


async def begin(host: Host, name: str | None = None) -> AsyncIterator[Event]:
    """A stream that has started and does not end."""
    events = host.generate(name, HANG)
    assert isinstance(await anext(events), Started)
    assert isinstance(await anext(events), Delta)
    return events


pytestmark = pytest.mark.anyio


async def test_models_are_listed_in_order_with_what_their_files_say(fixture: Fixture) -> None:
    host = fixture.host()
    a, b = host.models()
    assert (a.name, b.name) == ("a", "b")
    assert (a.is_default, b.is_default) == (True, False)
    assert (a.state, a.n_ctx, a.n_active, a.error) == (ModelState.UNLOADED, 4096, 0, None)
    assert a.info.architecture == "llama"
    assert a.created == int(os.stat(fixture.folder / "a.gguf").st_mtime)


async def test_the_default_model_has_several_names(fixture: Fixture) -> None:
    host = fixture.host()
    assert {host.model(name).name for name in (None, "", "default", "a")} == {"a"}
    assert host.model("b").name == "b"


async def test_a_model_may_be_called_default(fixture: Fixture) -> None:
    paths = {name: write_model(fixture.folder / name) for name in ("first", "default")}
    host = Host(served(paths), ServerOptions())
    assert host.model("default").name == "default"
    assert host.model(None).name == "first"


async def test_an_unknown_model_is_not_found_and_the_others_are_named(fixture: Fixture) -> None:
    host = fixture.host()
    for ask in (lambda: text(host, "c"), lambda: host.embed("c", EmbedRequest(("x",)))):
        with pytest.raises(NotFound, match=r"'c'.*'a', 'b'") as caught:
            await ask()
        assert caught.value.code == "model_not_found"
    with pytest.raises(NotFound):
        host.model("c")


async def test_each_model_has_options_of_its_own(fixture: Fixture) -> None:
    path = write_model(fixture.folder / "x.gguf")
    sizes = {"small": 512, "large": 1024}
    models = {n: ServedModel(path, ModelOptions(context_size=size)) for n, size in sizes.items()}
    host = Host(models, ServerOptions(), spawn=lambda _: FakeProcess())
    assert {model.name: model.n_ctx for model in host.models()} == sizes


async def test_a_host_without_models_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        Host({}, ServerOptions())


@pytest.mark.parametrize("path", ["missing.gguf", "nul\0.gguf", "x" * 5000, "."])
async def test_a_path_that_is_no_model_is_refused_before_anything_starts(
    fixture: Fixture, path: str
) -> None:
    paths = {"good": write_model(fixture.folder / "a.gguf"), "bad": fixture.folder / path}
    with pytest.raises((NotFound, ModelError)):
        Host(served(paths), ServerOptions(), spawn=fixture._spawn)


def test_a_response_schema_that_is_none_is_refused_before_anything_starts(tmp_path: Path) -> None:
    options = ModelOptions(response_schema='{"type": "object"}')
    with pytest.raises(InvalidRequest, match=r"\$\.properties must have one of content"):
        Host(served({"a": write_model(tmp_path / "a.gguf")}, options), ServerOptions())


async def test_all_workers_are_started_and_requests_wait_for_them(fixture: Fixture) -> None:
    host = fixture.host()
    await host.start()
    assert [len(processes) for processes in fixture.spawned.values()] == [1, 1]
    assert {model.state for model in host.models()} == {ModelState.LOADING}
    assert await text(host, "b") == "x"
    await until(lambda: all(m.state is ModelState.LOADED for m in host.models()))
    assert host.model("a").n_ctx == 4000


async def test_a_model_that_is_not_started_starts_with_its_first_request(fixture: Fixture) -> None:
    host = fixture.host()
    answers = await asyncio.gather(*(text(host) for _ in range(3)))
    assert answers == ["x"] * 3
    assert [len(processes) for processes in fixture.spawned.values()] == [1, 0]


async def test_vectors_come_from_the_worker(fixture: Fixture) -> None:
    host = fixture.host()
    result = await host.embed(None, EmbedRequest(("x",)))
    assert result.n_tokens == 2


async def test_scores_tokens_and_text_come_from_the_worker(fixture: Fixture) -> None:
    host = fixture.host()
    assert await host.rerank("a", RerankRequest("q", ("d",))) == RerankResult((0.5,), 3)
    assert await host.tokenize("b", TokenizeRequest("ab")) == TokenizeResult((1, 2))
    assert await host.detokenize("b", [1, 2]) == "ab"
    assert [len(processes) for processes in fixture.spawned.values()] == [1, 1]


async def test_a_request_does_not_wait_longer_than_it_should(fixture: Fixture) -> None:
    host = fixture.host(load_wait=0)
    await host.start()
    fixture.spawned["a"][0].may_load.clear()
    error = await error_of(host)
    assert isinstance(error, Overloaded)
    assert error.code == "model_loading"
    assert error.retry_after is not None
    assert error.retry_after >= 1
    fixture.spawned["a"][0].may_load.set()
    await until(lambda: host.model("a").state is ModelState.LOADED)
    assert await text(host) == "x"


async def test_a_load_failure_reaches_everyone_who_waits(fixture: Fixture) -> None:
    reason = ErrorInfo("ModelError", "unknown model architecture: 'foo'", code="model_invalid")
    fixture.make = lambda: FakeProcess(frames.LoadFailed(reason))
    host = fixture.host()
    errors = await asyncio.gather(error_of(host), error_of(host))
    assert [error.message for error in errors] == [reason.message] * 2
    status = host.model("a")
    assert (status.state, status.error) == (ModelState.FAILED, reason.message)


@pytest.mark.parametrize(("watched", "n_lines"), [(True, 0), (False, 1)])
async def test_what_comes_of_a_start_is_logged_where_nobody_watches(
    fixture: Fixture, caplog: pytest.LogCaptureFixture, watched: bool, n_lines: int
) -> None:
    """`serve` used to tell a failed load twice: once itself, once in the log."""
    reason = ErrorInfo("ModelError", "unknown model architecture: 'foo'")
    fixture.make = lambda: FakeProcess(frames.LoadFailed(reason))
    host = fixture.host()
    with caplog.at_level(logging.INFO, "mullama.host"):
        if watched:
            await host.start()
            await until(lambda: host.model("a").state is ModelState.FAILED)
        else:
            await error_of(host)
    assert sum("[a] unknown model" in line for line in caplog.messages) == n_lines


async def test_a_worker_that_can_not_be_talked_to_fails_its_requests(fixture: Fixture) -> None:
    """Its requests used to wait for a model that stayed loading for ever."""

    class Mute(FakeProcess):
        async def listen(self) -> None:
            await super().listen()
            raise OSError("Too many open files")

    fixture.make = Mute
    host = fixture.host()
    error = await error_of(host)
    assert isinstance(error, ModelError)
    assert "Too many open files" in error.message
    assert host.model("a").state is ModelState.FAILED
    assert fixture.spawned["a"][0].gone.is_set()


async def test_no_more_requests_wait_for_a_model_than_its_queue_takes(fixture: Fixture) -> None:
    process = FakeProcess()
    process.may_load.clear()
    fixture.make = lambda: process
    host = fixture.host(model_options=ModelOptions(queue_size=2))
    waiting = [asyncio.create_task(text(host)) for _ in range(2)]
    await until(lambda: host.model("a").n_active == 2)
    error = await error_of(host)
    assert isinstance(error, Overloaded)
    assert error.code == "queue_full"
    assert error.retry_after is not None
    process.may_load.set()
    assert await asyncio.gather(*waiting) == ["x", "x"]


async def test_a_model_s_file_may_have_any_name(fixture: Fixture, tmp_path: Path) -> None:
    r"""The name b"\xff.gguf" is no text; such a model used to be loading for ever."""
    name = os.fsdecode(b"\xff.gguf")
    host = Host(
        served({"odd": write_model(tmp_path / name)}),
        ServerOptions(),
        spawn=lambda _: FakeProcess(),
    )
    fixture.hosts.append(host)
    assert await text(host) == "x"


async def test_a_file_that_is_gone_is_no_mistake_of_those_who_ask(fixture: Fixture) -> None:
    """A model that is listed used to be answered with 404 when its file was deleted."""
    reason = ErrorInfo("NotFound", "There is no file 'a.gguf'.", code="model_not_found")
    fixture.make = lambda: FakeProcess(frames.LoadFailed(reason))
    error = await error_of(fixture.host())
    assert isinstance(error, ModelError)
    assert (error.message, error.code) == (reason.message, "model_unreadable")


async def test_a_file_that_was_exchanged_while_no_worker_had_it_is_described_anew(
    fixture: Fixture,
) -> None:
    host = fixture.host()
    assert await text(host) == "x"
    write_model(fixture.folder / "a.gguf", "qwen2")
    fixture.spawned["a"][0].die()
    await until(lambda: host.model("a").state is ModelState.UNLOADED)
    assert host.model("a").info.architecture == "qwen2"
    assert host.model("a").n_ctx == 4096
    assert await text(host) == "x"
    assert host.model("a").n_ctx == READY.n_ctx


async def test_a_template_that_was_exchanged_while_no_worker_had_it_is_read_anew(
    fixture: Fixture,
) -> None:
    """The worker had the new one, and answers were still read by the old one."""
    template = fixture.folder / "chat.jinja"
    template.write_text("old")
    host = fixture.host(model_options=ModelOptions(chat_template=f"@{template}"))
    assert await text(host) == "x"
    template.write_text("the new one")
    assert host.model("a").info.chat_template == "old"  # as the worker has it
    fixture.spawned["a"][0].die()
    await until(lambda: host.model("a").state is ModelState.UNLOADED)
    assert host.model("a").info.chat_template == "the new one"


async def test_a_file_that_is_no_model_any_more_changes_nothing_until_it_is_loaded(
    fixture: Fixture,
) -> None:
    host = fixture.host()
    (fixture.folder / "a.gguf").write_bytes(b"half a copy")
    assert host.model("a").info.architecture == "llama"
    (fixture.folder / "a.gguf").unlink()
    assert host.model("a").info.architecture == "llama"


async def test_a_model_that_keeps_failing_is_not_tried_all_the_time(fixture: Fixture) -> None:
    fixture.make = lambda: FakeProcess(frames.LoadFailed(ErrorInfo("ModelError", "broken")))
    host = fixture.host()
    assert (await error_of(host)).message == "broken"
    again = await error_of(host)
    assert again.message == "broken It is tried again in 1 s."
    assert again.retry_after is not None
    assert len(fixture.spawned["a"]) == 1
    clock = host._slots["a"]._clock  # a second later
    host._slots["a"]._clock = lambda: clock() + 1
    fixture.make = FakeProcess
    assert await text(host) == "x"
    assert host.model("a").error is None


async def test_a_worker_that_dies_while_loading_says_so(fixture: Fixture) -> None:
    fixture.make = lambda: FakeProcess(None)
    host = fixture.host()
    error = await error_of(host)
    assert isinstance(error, ModelError)
    assert error.message == f"The worker of model 'a' {KILLED}. It was loading the model."
    assert error.code == "worker_died"
    assert host.model("a").state is ModelState.FAILED


async def test_a_worker_that_dies_ends_its_requests_and_no_others(fixture: Fixture) -> None:
    host = fixture.host()
    dying, living = await begin(host, "a"), await begin(host, "b")
    fixture.spawned["a"][0].die()
    with pytest.raises(ModelError, match=r"killed by signal 9 .* with the next request"):
        await anext(dying)
    assert host.model("a").state is ModelState.UNLOADED
    assert await text(host, "a") == "x"
    assert len(fixture.spawned["a"]) == 2
    assert host.model("b").n_active == 1
    await living.aclose()  # type: ignore[attr-defined]


async def test_a_request_right_after_a_death_gets_a_new_worker(fixture: Fixture) -> None:
    host = fixture.host()
    assert await text(host) == "x"
    (process,) = fixture.spawned["a"]
    process.hang_up()  # the connection ends before the process does
    await until(lambda: host._slots["a"]._client.lost.done())  # type: ignore[union-attr]
    answer = asyncio.create_task(text(host))
    await asyncio.sleep(0)
    process.gone.set()
    assert await answer == "x"
    assert len(fixture.spawned["a"]) == 2


async def test_no_worker_starts_once_the_host_stops(fixture: Fixture) -> None:
    host = fixture.host()
    assert await text(host) == "x"
    (process,) = fixture.spawned["a"]
    process.hang_up()
    await until(lambda: host._slots["a"]._client.lost.done())  # type: ignore[union-attr]
    waiting = asyncio.create_task(error_of(host))  # for the end of the dead one
    await asyncio.sleep(0)
    await host.stop(0)
    assert (await waiting).code == "shutting_down"
    assert len(fixture.spawned["a"]) == 1


async def test_a_worker_that_answered_before_it_died_is_always_replaced_at_once(
    fixture: Fixture,
) -> None:
    host = fixture.host()
    for number in range(4):
        assert await text(host) == "x"
        fixture.spawned["a"][number].die()
        await until(lambda: host.model("a").state is ModelState.UNLOADED)


async def test_workers_that_die_before_they_answer_are_replaced_later_and_later(
    fixture: Fixture,
) -> None:
    host = fixture.host()
    for number in range(2):
        events = await begin(host)
        fixture.spawned["a"][number].die()
        with pytest.raises(ModelError):
            await anext(events)
    error = await error_of(host)
    assert error.message.endswith("It is tried again in 1 s.")


async def test_no_process_to_be_had_is_an_error_of_the_request(fixture: Fixture) -> None:
    def fail() -> FakeProcess:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    fixture.make = fail
    host = fixture.host()
    await host.start()
    assert {model.state for model in host.models()} == {ModelState.FAILED}
    error = await error_of(host)
    assert isinstance(error, ModelError)
    assert "Resource temporarily unavailable" in error.message


async def test_active_requests_are_counted(fixture: Fixture) -> None:
    host = fixture.host()
    events = await begin(host)
    assert [model.n_active for model in host.models()] == [1, 0]
    await events.aclose()  # type: ignore[attr-defined]
    assert host.model("a").n_active == 0
    await until(lambda: len(fixture.spawned["a"][0].cancelled) == 1)


async def test_counters_of_the_engine_are_shown(fixture: Fixture) -> None:
    host = fixture.host()
    assert host.model("a").stats == {}
    await text(host)
    await until(lambda: host.model("a").stats == {"n_requests_total": 7})


async def test_stopping_refuses_new_requests_and_waits_for_running_ones(fixture: Fixture) -> None:
    host = fixture.host()
    await host.start()
    events = await begin(host)
    stopping = asyncio.create_task(host.stop(TIMEOUT))
    await asyncio.sleep(0)
    refused = await error_of(host, "b")
    assert isinstance(refused, Overloaded)
    assert (refused.code, refused.retry_after) == ("shutting_down", 10)
    fixture.spawned["a"][0]._send(frames.Events.of([finished(1)]))
    assert await anext(events) == finished(1)
    assert not stopping.done()
    assert await collect(events) == []
    await stopping
    assert all(process.gone.is_set() for made in fixture.spawned.values() for process in made)
    assert [process.how for process in fixture.spawned["a"]] == ["ended with exit code 0"]


async def test_answers_that_take_too_long_are_ended_with_a_word(fixture: Fixture) -> None:
    host = fixture.host()
    events = await begin(host)
    await host.stop(0.01)
    with pytest.raises(Overloaded, match="shutting down"):
        await anext(events)


async def test_a_second_stop_ends_at_once(fixture: Fixture) -> None:
    host = fixture.host()
    events = await begin(host)
    first = asyncio.create_task(host.stop(3600))
    await asyncio.sleep(0)
    async with asyncio.timeout(TIMEOUT):
        await host.stop(0)
        with pytest.raises(Overloaded):
            await anext(events)
        await first
    await host.stop(0)


async def test_a_stop_that_is_cancelled_can_be_repeated(fixture: Fixture) -> None:
    host = fixture.host()
    async with aclosing(await begin(host)):  # type: ignore[type-var]
        first = asyncio.create_task(host.stop(3600))
        await asyncio.sleep(0)
        first.cancel()
        await host.stop(0)
    assert fixture.spawned["a"][0].gone.is_set()


async def test_a_loading_worker_is_stopped_too(fixture: Fixture) -> None:
    host = fixture.host()
    await host.start()
    fixture.spawned["a"][0].may_load.clear()
    waiting = asyncio.create_task(error_of(host))
    await asyncio.sleep(0)
    await host.stop(0)
    error = await waiting
    assert (error.code, error.retry_after is not None) == ("shutting_down", True)
    assert fixture.spawned["a"][0].gone.is_set()


async def test_a_server_that_stops_is_no_failed_start_to_those_who_wait(fixture: Fixture) -> None:
    """They were told that the model could not be loaded, and might ask again in vain."""
    host = fixture.host()
    await host.start()
    fixture.spawned["a"][0].may_load.clear()
    await until(lambda: host._slots["a"]._client is not None)
    waiting = asyncio.create_task(error_of(host))
    await asyncio.sleep(0)
    await host.stop(0)
    assert isinstance(await waiting, Overloaded)


async def test_stopping_a_host_that_never_started_is_nothing(fixture: Fixture) -> None:
    await fixture.host().stop(0)


def delays(*lives: bool) -> list[float]:
    """Seconds until the next start after each life that answered nothing (True: it was ready)."""
    backoff = Backoff()
    found = []
    for was_ready in lives:
        backoff.failed(100.0, was_ready=was_ready)
        found.append(max(0.0, backoff.until - 100.0))
    return found


def test_delays_double_up_to_a_minute_when_loading_fails() -> None:
    assert delays(*[False] * 8) == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_first_death_of_a_ready_worker_costs_no_delay() -> None:
    assert delays(True, True, True) == [0, 1, 2]


def test_an_answer_makes_up_for_all_failures() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.failed(0.0, was_ready=False)
    backoff.succeeded()
    backoff.failed(100.0, was_ready=False)
    assert backoff.until == 101.0
