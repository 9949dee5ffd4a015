"""A running model answers from any thread, and closes in order."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from concurrent.futures import CancelledError
from queue import SimpleQueue
from threading import Thread
from threading import enumerate as enumerate_threads

import pytest

from mullama.engine.options import EngineOptions
from mullama.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    ModelError,
    MullamaError,
    Overloaded,
)
from mullama.host.running import RunningModel
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    Delta,
    EmbedRequest,
    Event,
    Failed,
    Finished,
    FinishReason,
    RerankRequest,
    RerankResult,
    Started,
)
from tests.engine.fakes import FakeVocab, reference
from tests.host.fakes import BOS, N_EMBD, Model, Vocab, options

TIMEOUT = 10


class Harness:
    """A running model, with what it emits and what it crashed with."""

    def __init__(self, model: Model, engine_options: EngineOptions | None = None) -> None:
        self.model = model
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.crashes: SimpleQueue[BaseException] = SimpleQueue()
        self.running = RunningModel(
            model.parts,
            engine_options or EngineOptions(),
            emit=lambda events: [self.events.put(event) for event in events],
            crashed=self.crashes.put,
        )

    def submit(self, id: int, request: ChatRequest | CompletionRequest) -> None:
        self.running.submit(self.running.prepare(id, request))

    def until_end(self) -> Iterator[Event]:
        while True:
            event = self.events.get(timeout=TIMEOUT)
            yield event
            if isinstance(event, Finished | Failed):
                return


@pytest.fixture
def harness() -> Iterator[Harness]:
    harness = Harness(Model())
    yield harness
    assert harness.model.runner is not None
    harness.model.runner.gate.set()
    harness.running.close()


def completion(prompt: str | tuple[int, ...] = "ab", **changes: object) -> CompletionRequest:
    return CompletionRequest(prompt, options(**{"max_tokens": 4, **changes}))


def test_closing_waits_for_the_grammars_that_are_being_prepared() -> None:
    harness = Harness(Model())
    harness.running.prepare_guides()
    harness.running.close()
    harness.running.prepare_guides()  # too late for anything
    assert "guides" not in {thread.name for thread in enumerate_threads()}
    assert harness.crashes.empty()
    only_embeds = Harness(Model(generates=False))
    only_embeds.running.prepare_guides()
    only_embeds.running.close()
    assert only_embeds.crashes.empty()


def test_a_request_is_answered_by_events(harness: Harness) -> None:
    harness.submit(5, completion())
    events = list(harness.until_end())
    prompt = [BOS, *Vocab().tokenize("ab", add_special=False)]
    text = "".join(event.text for event in events if isinstance(event, Delta))
    assert events[0] == Started(5, 3)
    assert text == FakeVocab().detokenize(reference(prompt, 4))
    assert isinstance(events[-1], Finished)
    assert events[-1].reason is FinishReason.LENGTH


def test_a_prompt_in_tokens_comes_with_its_text(harness: Harness) -> None:
    harness.submit(5, completion((3, 4)))
    events = list(harness.until_end())
    assert events[0] == Started(5, 2, prompt_text=Vocab().detokenize((3, 4)))


def test_a_chat_with_marks_starts_with_what_its_prompt_has_opened(harness: Harness) -> None:
    messages = ({"role": "user", "content": "Hi"},)
    harness.submit(5, ChatRequest(messages, options(max_tokens=2), marks=("x",)))
    started = next(harness.until_end())
    assert isinstance(started, Started)
    assert started.opened == "assistant:"


def test_a_prompt_that_can_never_fit_is_refused_at_once(harness: Harness) -> None:
    for prompt in ("a" * 300, (1,) * 300):
        with pytest.raises(ContextLengthExceeded, match=r"30[01] tokens"):
            harness.submit(1, completion(prompt))
    harness.submit(2, completion())  # and nothing of it is left
    assert next(harness.until_end()) == Started(2, 3)


def test_a_cancelled_request_finishes_as_such(harness: Harness) -> None:
    assert harness.model.runner is not None
    harness.model.runner.gate.clear()
    harness.submit(1, completion(max_tokens=None))
    assert harness.model.runner.entered.wait(TIMEOUT)
    harness.running.cancel(1)
    harness.running.cancel(99)
    harness.model.runner.gate.set()
    *_, last = harness.until_end()
    assert isinstance(last, Finished)
    assert last.reason is FinishReason.CANCELLED


def test_counters_go_by_name(harness: Harness) -> None:
    harness.submit(1, completion())
    list(harness.until_end())
    assert harness.running.stats()["n_requests_total"] == 1
    assert harness.running.n_ctx == 256


def test_the_embedder_is_opened_when_first_needed(harness: Harness) -> None:
    assert harness.model.embedders == []
    result = harness.running.embed(EmbedRequest(("ab", (5,)), normalize=False)).result(TIMEOUT)
    assert [struct.unpack("<4f", v) for v in result.vectors] == [(4, BOS, 0, 0), (1, 5, 0, 0)]
    assert (result.n_embd, result.n_tokens) == (N_EMBD, 5)
    harness.running.embed(EmbedRequest(("c",))).result(TIMEOUT)
    assert len(harness.model.embedders) == 1
    assert harness.running.n_embd == N_EMBD


def test_an_embedder_that_can_not_be_opened_fails_its_request_only(harness: Harness) -> None:
    harness.model.embedder_error = ModelError("no memory for it")
    with pytest.raises(ModelError, match="no memory"):
        harness.running.embed(EmbedRequest(("ab",)))
    harness.submit(1, completion())
    *_, last = harness.until_end()
    assert isinstance(last, Finished)
    harness.model.embedder_error = None
    assert harness.running.embed(EmbedRequest(("ab",))).result(TIMEOUT).n_embd == N_EMBD


def test_an_input_that_is_too_long_is_named(harness: Harness) -> None:
    with pytest.raises(ContextLengthExceeded, match=r"input\[1\] has 22 tokens.*\b16\b"):
        harness.running.embed(EmbedRequest(("ab", "a" * 20)))


def test_an_error_while_embedding_reaches_the_caller(harness: Harness) -> None:
    harness.running.embed(EmbedRequest(("a",))).result(TIMEOUT)
    harness.model.embedders[0].error = ModelError("it failed")
    with pytest.raises(ModelError, match="it failed"):
        harness.running.embed(EmbedRequest(("a",))).result(TIMEOUT)


def test_a_cancelled_embedding_is_not_computed(harness: Harness) -> None:
    harness.running.embed(EmbedRequest(("a",))).result(TIMEOUT)
    (embedder,) = harness.model.embedders
    embedder.gate.clear()
    first = harness.running.embed(EmbedRequest(("a",)))
    second = harness.running.embed(EmbedRequest(("b",)))
    assert second.cancel()
    embedder.gate.set()
    assert first.result(TIMEOUT).n_embd == N_EMBD
    with pytest.raises(CancelledError):
        second.result(TIMEOUT)


def test_a_reranking_model_ranks_and_does_nothing_else() -> None:
    harness = Harness(Model(generates=False, ranks=True))
    ask = RerankRequest("ab", ("c", "def"), raw=True)
    assert harness.running.rerank(ask).result(TIMEOUT) == RerankResult((6, 8), 14)
    with pytest.raises(InvalidRequest, match="/v1/rerank"):
        harness.running.embed(EmbedRequest(("a",)))
    with pytest.raises(InvalidRequest, match="/v1/rerank"):
        harness.running.prepare(1, completion())
    harness.running.close()


def test_a_model_without_a_rank_head_is_told_so(harness: Harness) -> None:
    for one in (harness, Harness(Model(generates=False))):
        with pytest.raises(InvalidRequest, match="no rank head") as caught:
            one.running.rerank(RerankRequest("a", ("b",)))
        assert caught.value.param == "model"
    one.running.close()
    assert harness.model.embedders == []


def test_a_pair_that_is_too_long_is_refused_before_it_waits() -> None:
    harness = Harness(Model(generates=False, ranks=True))
    with pytest.raises(ContextLengthExceeded, match=r"documents\[1\] has 24 tokens"):
        harness.running.rerank(RerankRequest("a", ("b", "c" * 20)))
    harness.running.close()


def test_an_embedding_model_embeds_and_does_not_generate() -> None:
    model = Model(generates=False)
    harness = Harness(model)
    assert len(model.embedders) == 1
    assert harness.running.n_ctx == 16
    assert harness.running.stats() == {}
    assert harness.running.embed(EmbedRequest(("a",))).result(TIMEOUT).n_tokens == 3
    with pytest.raises(InvalidRequest, match="/v1/embeddings") as caught:
        harness.running.prepare(1, completion())
    assert caught.value.param == "model"
    harness.running.cancel(1)
    harness.running.close()
    assert model.closed


def test_closing_ends_the_computation_and_frees_all_in_order(harness: Harness) -> None:
    harness.running.embed(EmbedRequest(("a",))).result(TIMEOUT)
    harness.submit(1, completion(max_tokens=None))
    harness.running.close()
    assert harness.model.runner is not None
    assert harness.model.runner.aborted
    assert harness.model.closed
    assert any(isinstance(event, Failed | Finished) for event in harness.until_end())
    with pytest.raises(Overloaded):
        harness.submit(2, completion())
    harness.running.close()  # once more does nothing


def test_closing_does_not_wait_for_embeddings(harness: Harness) -> None:
    harness.running.embed(EmbedRequest(("a",))).result(TIMEOUT)
    (embedder,) = harness.model.embedders
    embedder.entered.clear()
    embedder.gate.clear()  # only an abort ends the computation
    future = harness.running.embed(EmbedRequest(("a",)))
    assert embedder.entered.wait(TIMEOUT)
    closing = Thread(target=harness.running.close, daemon=True)
    closing.start()
    closing.join(TIMEOUT)
    assert not closing.is_alive()
    with pytest.raises(Overloaded):
        future.result(TIMEOUT)


def test_a_closed_model_opens_no_embedder(harness: Harness) -> None:
    harness.running.close()
    with pytest.raises(MullamaError, match="being closed"):
        harness.running.embed(EmbedRequest(("a",)))
    assert harness.model.embedders == []


def test_an_error_in_an_engines_thread_is_handed_over(harness: Harness) -> None:
    assert harness.model.runner is not None
    harness.model.runner.error = ZeroDivisionError("a mistake")
    harness.submit(1, completion())
    assert isinstance(harness.crashes.get(timeout=TIMEOUT), ZeroDivisionError)
