"""The worker's conversation with its server, over a real socketpair, with a made-up model."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Event, Thread, current_thread
from typing import Any

import pytest

from mullama.config import ModelOptions
from mullama.engine.options import EngineOptions
from mullama.errors import ModelError
from mullama.host import frames, worker
from mullama.host.running import RunningModel
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    Delta,
    EmbedRequest,
    Failed,
    Finished,
    FinishReason,
    PromptScored,
    RerankRequest,
    RerankResult,
    Started,
    TokenizeRequest,
    TokenizeResult,
)
from mullama.types import Event as EngineEvent
from tests.host.fakes import Model, Vocab, options

TIMEOUT = 10
LOAD = frames.Load(b"/models/m.gguf", ModelOptions(), logging.INFO)
LARGE = "a" * worker.SMALL_FRAME
HELLO: tuple[dict[str, Any], ...] = ({"role": "user", "content": "hello"},)


class Server:
    """The server's end, the worker in threads, and the model that the worker loads."""

    def __init__(self, model: Model | None = None, load: Callable[..., Any] | None = None) -> None:
        self.model = model or Model()
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(TIMEOUT)
        self.ended: SimpleQueue[int] = SimpleQueue()
        self.running: RunningModel | None = None
        self.emit: Callable[[list[EngineEvent]], None]
        self._splitter = frames.Splitter()
        self._received: list[frames.FromWorker] = []
        self._theirs = theirs
        self._worker = worker.Worker(theirs, load or self._load, self.ended.put)
        self._thread = Thread(target=self._worker.run, daemon=True)
        self._thread.start()

    def _load(self, message: frames.Load, **callbacks: Any) -> RunningModel:
        self.loaded = message
        self.emit = callbacks["emit"]
        callbacks.pop("progress")(0.5)
        self.running = RunningModel(self.model.parts, EngineOptions(), **callbacks)
        return self.running

    def send(self, *messages: frames.ToWorker) -> None:
        self.sock.sendall(b"".join(frames.encode(message) for message in messages))

    def read(self) -> frames.FromWorker:
        """The next message that is not a line of the log."""
        while True:
            while not self._received:
                data = self.sock.recv(1 << 16)
                assert data, "the worker closed the connection"
                self._received += map(frames.decode_from_worker, self._splitter.feed(data))
            message = self._received.pop(0)
            if not isinstance(message, frames.Log):
                return message

    def start(self) -> None:
        self.send(LOAD)
        assert self.read() == frames.Loading(0.5)
        assert self.read() == frames.Ready(self.running.n_ctx if self.running else 0)

    def events(self) -> Iterator[EngineEvent]:
        """Events up to and including the first that ends an answer."""
        while True:
            message = self.read()
            assert isinstance(message, frames.Events), message
            for event in message:
                yield event
                if isinstance(event, Finished | Failed):
                    return

    def ends_with(self, code: int) -> None:
        assert self.ended.get(timeout=TIMEOUT) == code

    def close(self) -> None:
        """Hang up; nobody reads from the worker any more."""
        self.sock.close()
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()
        self._theirs.close()
        if self.model.runner is not None:
            self.model.runner.gate.set()
        if self.running is not None:
            self.running.close()


@pytest.fixture(autouse=True)
def _no_trace_in_logging() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.close()


def completion(prompt: str = "ab", **changes: Any) -> CompletionRequest:
    return CompletionRequest(prompt, options(**{"max_tokens": 4, **changes}))


def test_grammars_are_prepared_when_the_model_is_loaded_and_not_before() -> None:
    prepared: SimpleQueue[str] = SimpleQueue()

    class Watched(Server):
        def _load(self, message: frames.Load, **callbacks: Any) -> RunningModel:
            running = super()._load(message, **callbacks)
            running.prepare_guides = lambda: prepared.put(current_thread().name)  # type: ignore[method-assign]
            return running

    server = Watched()
    try:
        assert prepared.empty()
        server.start()
        assert prepared.get(timeout=TIMEOUT) == "load"
    finally:
        server.close()


def test_the_first_frame_says_what_to_load(server: Server) -> None:
    assert server.loaded == LOAD


@pytest.mark.parametrize("prompt", ["ab", LARGE], ids=["small", "large"])
def test_a_request_is_prepared_and_answered(prompt: str) -> None:
    server = Server(Model(n_cells=1 << 15, n_batch=1 << 12, n_ubatch=1 << 12))
    server.start()
    server.send(frames.Complete(3, completion(prompt)))
    first, *_, last = server.events()
    assert first == Started(3, 1 + len(prompt))
    assert isinstance(last, Finished)
    assert last.reason is FinishReason.LENGTH
    server.close()


def test_a_chat_is_answered(server: Server) -> None:
    server.send(frames.Chat(4, ChatRequest(HELLO, options(max_tokens=2))))
    first, *_, last = server.events()
    assert first == Started(4, 1 + len("user:hello;assistant:"))
    assert isinstance(last, Finished)


def test_a_refusal_names_its_request(server: Server) -> None:
    server.send(frames.Complete(9, completion("a" * 300)))
    refused = server.read()
    assert isinstance(refused, frames.Refused)
    assert (refused.id, refused.error.kind) == (9, "ContextLengthExceeded")
    assert refused.error.code == "context_length_exceeded"


def test_a_mistake_of_ours_is_told_without_details(server: Server) -> None:
    server.send(frames.Chat(9, ChatRequest(({"no role": 1},))))
    refused = server.read()
    assert isinstance(refused, frames.Refused)
    assert refused.error.kind == "InternalError"
    assert "role" not in refused.error.message
    server.send(frames.Complete(10, completion()))
    assert isinstance(next(server.events()), Started)


def test_a_cancelled_request_ends(server: Server) -> None:
    runner = server.model.runner
    assert runner is not None
    runner.gate.clear()
    server.send(frames.Complete(1, completion(max_tokens=None)))
    assert runner.entered.wait(TIMEOUT)  # it is in the middle of a step
    assert isinstance(server.read(), frames.Events)  # that it has started
    server.send(frames.Cancel(1), frames.Cancel(77), frames.Count())
    assert isinstance(server.read(), frames.Counted)  # the cancels were read
    runner.gate.set()
    *_, last = server.events()
    assert isinstance(last, Finished)
    assert last.reason is FinishReason.CANCELLED


def test_a_request_cancelled_while_it_is_prepared_never_starts(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparing, go_on = Event(), Event()
    assert server.running is not None
    prepare = server.running.prepare

    def slowly(id: int, request: Any) -> Any:
        if request.prompt == LARGE:
            preparing.set()
            go_on.wait(TIMEOUT)
        return prepare(id, completion())

    monkeypatch.setattr(server.running, "prepare", slowly)
    server.send(frames.Complete(1, completion(LARGE)))
    assert preparing.wait(TIMEOUT)
    server.send(frames.Complete(2, completion()))  # meanwhile others are served
    assert {event.id for event in server.events()} == {2}
    server.send(frames.Cancel(1), frames.Count())
    assert isinstance(server.read(), frames.Counted)
    go_on.set()
    server.send(frames.Complete(3, completion()))
    assert {event.id for event in server.events()} == {3}


def test_inputs_are_embedded(server: Server) -> None:
    server.send(frames.Embed(5, EmbedRequest(("ab", "c"))))
    embedded = server.read()
    assert isinstance(embedded, frames.Embedded)
    assert (embedded.id, len(embedded.result.vectors), embedded.result.n_tokens) == (5, 2, 7)


def test_an_embedding_that_fails_names_its_request(server: Server) -> None:
    server.send(frames.Embed(6, EmbedRequest(("a" * 50,))))
    refused = server.read()
    assert isinstance(refused, frames.Refused)
    assert (refused.id, refused.error.kind) == (6, "ContextLengthExceeded")


def test_a_cancelled_embedding_is_never_answered(server: Server) -> None:
    server.send(frames.Embed(1, EmbedRequest(("a",))))
    server.read()
    (embedder,) = server.model.embedders
    embedder.gate.clear()
    server.send(frames.Embed(2, EmbedRequest(("a",))), frames.Embed(3, EmbedRequest(("b",))))
    server.send(frames.Cancel(3), frames.Count())
    assert isinstance(server.read(), frames.Counted)
    embedder.gate.set()
    answer = server.read()
    assert isinstance(answer, frames.Embedded)
    assert answer.id == 2
    server.send(frames.Count())
    assert isinstance(server.read(), frames.Counted)


def test_documents_are_ranked() -> None:
    server = Server(Model(generates=False, ranks=True))
    server.start()
    server.send(frames.Rerank(5, RerankRequest("ab", ("c", "def"), raw=True)))
    assert server.read() == frames.Reranked(5, RerankResult((6, 8), 14))
    server.send(frames.Rerank(6, RerankRequest("ab", ("c" * 50,))))
    refused = server.read()
    assert isinstance(refused, frames.Refused)
    assert (refused.id, refused.error.kind) == (6, "ContextLengthExceeded")


@pytest.mark.parametrize("text", ["ab", LARGE], ids=["small", "large"])
def test_text_becomes_tokens_and_tokens_text(server: Server, text: str) -> None:
    server.send(frames.Tokenize(5, TokenizeRequest(text, add_special=False)))
    tokens = tuple(Vocab().tokenize(text, add_special=False))
    assert server.read() == frames.Tokenized(5, TokenizeResult(tokens))
    server.send(frames.Detokenize(6, tokens))
    pieces = b"".join(Vocab().piece(token, special=True) for token in tokens)
    assert server.read() == frames.Detokenized(6, pieces.decode())


def test_a_conversation_becomes_tokens(server: Server) -> None:
    server.send(frames.Tokenize(5, TokenizeRequest(ChatRequest(HELLO))))
    answer = server.read()
    assert isinstance(answer, frames.Tokenized)
    assert answer.result.prompt == "user:hello;assistant:"


def test_tokens_that_the_model_lacks_are_refused_by_id(server: Server) -> None:
    server.send(frames.Detokenize(7, (1, 99999)))
    refused = server.read()
    assert isinstance(refused, frames.Refused)
    assert (refused.id, refused.error.param) == (7, "tokens")


def test_tokens_that_nobody_waits_for_are_not_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.running is not None
    tokenize = server.running.tokenize
    begun, go_on = Event(), Event()

    def slowly(request: TokenizeRequest) -> TokenizeResult:
        begun.set()
        go_on.wait()
        return tokenize(request)

    monkeypatch.setattr(server.running, "tokenize", slowly)
    server.send(frames.Tokenize(1, TokenizeRequest(LARGE)))
    assert begun.wait(TIMEOUT)
    server.send(frames.Cancel(1), frames.Count())
    assert isinstance(server.read(), frames.Counted)
    go_on.set()
    server.send(frames.Tokenize(2, TokenizeRequest("a" * 3 * worker.SMALL_FRAME)))
    answer = server.read()
    assert isinstance(answer, frames.Tokenized)
    assert answer.id == 2


def test_an_answer_too_large_to_be_sent_is_an_error_of_its_request(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME", 300)
    server.send(frames.Embed(6, EmbedRequest(("a",) * 50)))
    refused = server.read()
    assert isinstance(refused, frames.Refused)
    assert (refused.id, refused.error.kind) == (6, "InvalidRequest")
    assert "the most is 300" in refused.error.message


def test_events_too_large_to_be_sent_cost_only_their_request(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME", 500)
    server.emit([Delta(1, 0, "a", 1), PromptScored(2, (None,) * 600), Delta(3, 0, "b", 1)])
    assert server.read() == frames.Events.of([Delta(1, 0, "a", 1)])
    refused = server.read()
    assert isinstance(refused, frames.Refused)
    assert refused.id == 2
    assert server.read() == frames.Events.of([Delta(3, 0, "b", 1)])


def test_counters_are_told_when_asked_for(server: Server) -> None:
    server.send(frames.Complete(1, completion()))
    list(server.events())
    server.send(frames.Count())
    counted = server.read()
    assert isinstance(counted, frames.Counted)
    assert counted.counters["n_requests_total"] == 1


def test_log_lines_come_as_frames(server: Server) -> None:
    logging.getLogger("mullama.test").warning("one %s", "two")
    logging.getLogger("mullama.test").debug("not this one")
    data = server.sock.recv(1 << 16)
    (frame,) = frames.Splitter().feed(data)
    assert frames.decode_from_worker(frame) == frames.Log(30, "mullama.test", "one two")


def test_shutdown_closes_the_model_and_ends() -> None:
    server = Server()
    server.start()
    server.send(frames.Shutdown())
    server.ends_with(0)
    assert server.model.closed
    server.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModelError("unknown model architecture: 'foo'"), "unknown model architecture: 'foo'"),
        (MemoryError("too much"), "Loading '/models/m.gguf' failed: MemoryError: too much"),
    ],
)
def test_a_failing_load_says_why_and_ends(error: Exception, told: str) -> None:
    def load(message: frames.Load, **callbacks: Any) -> RunningModel:
        raise error

    server = Server(load=load)
    server.send(LOAD)
    failed = server.read()
    assert isinstance(failed, frames.LoadFailed)
    assert (failed.error.kind, failed.error.message) == ("ModelError", told)
    server.ends_with(1)
    server.close()


def test_the_servers_end_is_noticed_in_the_middle_of_loading() -> None:
    loading, go_on = Event(), Event()

    def load(message: frames.Load, **callbacks: Any) -> RunningModel:
        loading.set()
        go_on.wait(TIMEOUT)
        raise ModelError("too late")

    server = Server(load=load)
    server.send(LOAD)
    assert loading.wait(TIMEOUT)
    server.sock.close()
    server.ends_with(0)
    go_on.set()
    server.ends_with(1)
    server.close()


def test_the_servers_end_is_noticed_in_the_middle_of_a_step() -> None:
    server = Server()
    server.start()
    assert server.model.runner is not None
    server.model.runner.gate.clear()
    server.send(frames.Complete(1, completion()))
    assert server.model.runner.entered.wait(TIMEOUT)
    server.sock.close()
    server.ends_with(0)
    server.close()


def test_a_crashed_engine_ends_the_worker(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    assert server.model.runner is not None
    server.model.runner.error = ZeroDivisionError("a mistake")
    server.send(frames.Complete(1, completion()))
    server.ends_with(1)
    assert capfd.readouterr().err.strip().endswith("ZeroDivisionError: a mistake")


def test_nonsense_from_the_server_ends_the_worker() -> None:
    server = Server()
    server.start()
    server.sock.sendall(b"\xff" * 8)
    server.ends_with(1)
    server.close()
