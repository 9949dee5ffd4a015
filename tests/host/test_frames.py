"""Frames survive the way whole, whatever the pieces they arrive in."""

from __future__ import annotations

import struct

import pytest

from mullama.config import ModelOptions
from mullama.errors import ErrorInfo
from mullama.host import frames
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    Delta,
    EmbedRequest,
    EmbedResult,
    Failed,
    Finished,
    FinishReason,
    GenerateOptions,
    Progress,
    PromptScored,
    SamplerParams,
    Started,
    Timings,
    TokenLogprob,
)

ERROR = ErrorInfo("ModelError", "no", code="model_error", retry_after=1.5)
OPTIONS = GenerateOptions(
    sampler=SamplerParams(temperature=0.0, logit_bias=((5, -1.0),)), stop=("\n", "é"), logprobs=2
)
TO_WORKER: list[frames.ToWorker] = [
    frames.Load(b"/models/\xff.gguf", ModelOptions(context_size=512), 20),
    frames.Chat(1, ChatRequest(({"role": "user", "content": [{"type": "text"}]},), OPTIONS)),
    frames.Complete(2, CompletionRequest("Once", OPTIONS, suffix="end")),
    frames.Complete(3, CompletionRequest((1, 2, 3))),
    frames.Embed(4, EmbedRequest(("text", (1, 2)), dimensions=8, normalize=False)),
    frames.Cancel(4),
    frames.Count(),
    frames.Shutdown(),
]
LOGPROB = TokenLogprob(7, b"\xc3", -0.5, ((7, b"\xc3", -0.5), (8, b"x", -2.0)))
STEP = [
    Started(1, 3, (1, 2, 3), "abc"),
    Progress(1, 3, 1, 2, 0.5),
    PromptScored(1, (None, LOGPROB)),
    Delta(1, 0, "héllo", 2, (4, 5), (LOGPROB, LOGPROB)),
    Delta(2, 1, "", 1),
    Finished(2, 1, FinishReason.LENGTH, None, 3, 2, 1, 1, 9, Timings(0.1, 0.2, 0.3)),
    Failed(3, ERROR),
]
FROM_WORKER: list[frames.FromWorker] = [
    frames.Loading(0.5),
    frames.Ready(4096),
    frames.LoadFailed(ERROR),
    frames.Events.of(STEP),
    frames.Embedded(4, EmbedResult((b"\0" * 8, b"\1" * 8), 2, 5)),
    frames.Refused(5, ERROR),
    frames.Counted({"n_running": 2, "seconds": 0.25}),
    frames.Log(30, "mullama.llama", "slow"),
]


def split(*pieces: bytes) -> list[bytes]:
    splitter = frames.Splitter()
    found = [bytes(frame) for piece in pieces for frame in splitter.feed(piece)]
    splitter.finish()
    return found


@pytest.mark.parametrize("message", TO_WORKER, ids=lambda m: type(m).__name__)
def test_a_message_to_the_worker_comes_back_equal(message: frames.ToWorker) -> None:
    (frame,) = split(bytes(frames.encode(message)))
    assert frames.decode_to_worker(frame) == message


@pytest.mark.parametrize("message", FROM_WORKER, ids=lambda m: type(m).__name__)
def test_a_message_from_the_worker_comes_back_equal(message: frames.FromWorker) -> None:
    (frame,) = split(bytes(frames.encode(message)))
    assert frames.decode_from_worker(frame) == message


def test_events_keep_the_order_of_each_request() -> None:
    assert list(frames.Events.of(reversed(STEP[:2]))) == STEP[:2]
    assert list(frames.Events.of(STEP)) == STEP


def test_decoded_events_are_the_plain_dataclasses() -> None:
    (frame,) = split(bytes(frames.encode(frames.Events.of(STEP))))
    message = frames.decode_from_worker(frame)
    assert isinstance(message, frames.Events)
    assert list(message) == STEP
    assert isinstance(message.finished[0].reason, FinishReason)


def test_frames_may_be_split_at_every_byte() -> None:
    whole = b"".join(bytes(frames.encode(message)) for message in FROM_WORKER)
    expected = split(whole)
    assert [frames.decode_from_worker(frame) for frame in expected] == FROM_WORKER
    for cut in range(1, len(whole)):
        assert split(whole[:cut], whole[cut:]) == expected
    assert split(*(whole[i : i + 1] for i in range(len(whole)))) == expected


def test_a_stream_that_ends_within_a_frame_is_an_error() -> None:
    whole = bytes(frames.encode(frames.Ready(1)))
    for cut in range(1, len(whole)):
        with pytest.raises(frames.FrameError, match=f"ends {cut} bytes into a frame"):
            split(whole[:cut])


def test_an_absurd_length_is_refused_before_anything_is_stored() -> None:
    splitter = frames.Splitter()
    assert splitter.feed(b"\xff\xff") == []
    with pytest.raises(frames.FrameError, match=r"4,294,967,295 bytes"):
        splitter.feed(b"\xff\xff")


def test_a_frame_over_the_limit_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME", 100)
    frames.encode(frames.Log(20, "a", "x" * 80))
    with pytest.raises(frames.FrameError, match="the most is 100"):
        frames.encode(frames.Log(20, "a", "x" * 100))


def deep(levels: int) -> list[object]:
    nested: list[object] = []
    for _ in range(levels):
        nested = [nested]
    return nested


@pytest.mark.parametrize("value", ["\ud800", 2**64, -(2**63) - 1, object(), deep(100_000)])
def test_what_msgpack_cannot_hold_is_an_error(value: object) -> None:
    request = ChatRequest(({"role": "user", "content": value},))
    with pytest.raises(frames.FrameError, match="can't be encoded"):
        frames.encode(frames.Chat(1, request))


@pytest.mark.parametrize(
    "content", [b"", b"\xc1", b"\x92\xa6Cancel\xa1x", b"\x91\xa5Other", b"\x92\xa5Ready"]
)
def test_nonsense_in_a_frame_is_an_error(content: bytes) -> None:
    (frame,) = split(struct.pack("<I", len(content)) + content)
    with pytest.raises(frames.FrameError, match="can't be read"):
        frames.decode_to_worker(frame)
    with pytest.raises(frames.FrameError, match="can't be read"):
        frames.decode_from_worker(frame)
