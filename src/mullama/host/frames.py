"""What the server and a worker say to each other, as bytes.

A frame is a length (4 bytes, little-endian) and that many bytes of msgpack: one message, an array
whose first item tells the kind. The plain dataclasses of `mullama.types` travel inside as they
are. A union can't hold several of them, so an `Events` message has a list for each kind of event,
which is also the fastest form: no wrapping, one frame for a whole step. Within a step the order of
the lists is the order of one request's events, and the order between requests means nothing.

Splitting bytes into frames (`Splitter`) and reading a frame's content (`decode_…`) are two things,
so that a reader knows a message's size. Neither knows sockets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from mullama.config import ModelOptions
from mullama.errors import ErrorInfo
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    Delta,
    EmbedRequest,
    EmbedResult,
    Event,
    Failed,
    Finished,
    Progress,
    PromptScored,
    RerankRequest,
    RerankResult,
    Started,
    Token,
    TokenizeRequest,
    TokenizeResult,
)

# Holds 65,536 vectors of 1,024 components, and any prompt that a context could. Beyond it a length
# is more likely to be nonsense than a message.
MAX_FRAME = 256 << 20

_LENGTH = struct.Struct("<I")


class FrameError(ValueError):
    """The bytes are not what the other side may send, or a message is too large to be sent."""


class _Message(msgspec.Struct, array_like=True, gc=False, tag=True):
    pass


# ------------------------------------------------------------------------- from server to worker


class Load(_Message):
    """The first message: which model to load, and how. `log_level` as in `logging`."""

    path: bytes  # as the system has it: a file's name need be no text
    options: ModelOptions
    log_level: int


class Chat(_Message):
    """Answer a conversation. Its events carry `id`."""

    id: int
    request: ChatRequest


class Complete(_Message):
    """Continue a prompt. Its events carry `id`."""

    id: int
    request: CompletionRequest


class Embed(_Message):
    """Turn inputs into vectors: answered by Embedded or Refused."""

    id: int
    request: EmbedRequest


class Rerank(_Message):
    """Score documents: answered by Reranked or Refused."""

    id: int
    request: RerankRequest


class Tokenize(_Message):
    """Text into tokens: answered by Tokenized or Refused."""

    id: int
    request: TokenizeRequest


class Detokenize(_Message):
    """Tokens into text: answered by Detokenized or Refused."""

    id: int
    tokens: tuple[Token, ...]


class Cancel(_Message):
    """Nobody waits for this request any more. Unknown ids mean nothing."""

    id: int


class Count(_Message):
    """Asks for Counted."""


class Shutdown(_Message):
    """Close the model and end."""


# ------------------------------------------------------------------------- from worker to server


class Loading(_Message):
    """How far loading is, from 0 to 1."""

    progress: float


class Ready(_Message):
    """The model is loaded. `n_ctx`: positions that one request can have."""

    n_ctx: int


class LoadFailed(_Message):
    """The model can't be loaded; the worker ends."""

    error: ErrorInfo


class Events(_Message):
    """All that one step has to say."""

    deltas: list[Delta] = []
    finished: list[Finished] = []
    started: list[Started] = []
    scored: list[PromptScored] = []
    failed: list[Failed] = []
    progress: list[Progress] = []

    @classmethod
    def of(cls, events: Iterable[Event]) -> Events:
        """Sort a step's events into lists."""
        message = cls([], [], [], [], [], [])
        lists = {
            Delta: message.deltas,
            Finished: message.finished,
            Started: message.started,
            PromptScored: message.scored,
            Failed: message.failed,
            Progress: message.progress,
        }
        for event in events:
            lists[type(event)].append(event)  # type: ignore[attr-defined]
        return message

    def __iter__(self) -> Iterator[Event]:
        """The events again, each request's in their order."""
        yield from self.started
        yield from self.progress
        yield from self.scored
        yield from self.deltas
        yield from self.finished
        yield from self.failed


class Embedded(_Message):
    """The vectors that were asked for."""

    id: int
    result: EmbedResult


class Reranked(_Message):
    """The scores that were asked for."""

    id: int
    result: RerankResult


class Tokenized(_Message):
    """The tokens that were asked for."""

    id: int
    result: TokenizeResult


class Detokenized(_Message):
    """The text that was asked for."""

    id: int
    result: str


class Refused(_Message):
    """A request that came to nothing before the engine took it, or an Ask that failed."""

    id: int
    error: ErrorInfo


class Counted(_Message):
    """The engine's counters."""

    counters: dict[str, float]


class Log(_Message):
    """A line of the worker's log; `level` as in `logging`."""

    level: int
    logger: str
    text: str


Ask = Embed | Rerank | Tokenize | Detokenize
Answer = Embedded | Reranked | Tokenized | Detokenized
ToWorker = Load | Chat | Complete | Ask | Cancel | Count | Shutdown
FromWorker = Events | Answer | Refused | Counted | Log | Loading | Ready | LoadFailed

_M = TypeVar("_M")

_encoder = msgspec.msgpack.Encoder()
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


def encode(message: ToWorker | FromWorker) -> bytearray:
    """A message as a frame. Raises FrameError for what can't be sent, such as lone surrogates."""
    frame = bytearray(_LENGTH.size)
    try:
        _encoder.encode_into(message, frame, _LENGTH.size)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise FrameError(f"it can't be encoded: {error}") from error
    size = len(frame) - _LENGTH.size
    if size > MAX_FRAME:
        raise FrameError(f"it has {size:,} bytes; the most is {MAX_FRAME:,}")
    _LENGTH.pack_into(frame, 0, size)
    return frame


def size(event: Event) -> int:
    """Bytes that an event takes in a frame."""
    return len(_encoder.encode(event))


def decode_to_worker(frame: bytes | memoryview) -> ToWorker:
    """The message of a frame that the server sent. Raises FrameError."""
    return _decode(_to_worker, frame)


def decode_from_worker(frame: bytes | memoryview) -> FromWorker:
    """The message of a frame that a worker sent. Raises FrameError."""
    return _decode(_from_worker, frame)


def _decode(decoder: msgspec.msgpack.Decoder[_M], frame: bytes | memoryview) -> _M:
    try:
        return decoder.decode(frame)
    except msgspec.DecodeError as error:
        raise FrameError(f"a message can't be read: {error}") from error


class Splitter:
    """Cuts a stream of bytes into frames, however it arrives."""

    def __init__(self) -> None:
        self._held = bytearray()  # the beginning of a frame, its length included
        self._wanted = 0  # bytes to hold before a look at them is worth while

    def feed(self, data: bytes) -> list[memoryview]:
        """The contents of all frames that `data` completes. Raises FrameError for a bad length."""
        whole: bytes | bytearray = data
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return []
            whole, self._held = self._held, bytearray()
        return self._cut(memoryview(whole))

    def finish(self) -> None:
        """The stream has ended. Raises FrameError if that was in the middle of a frame."""
        if self._held:
            raise FrameError(f"the stream ends {len(self._held)} bytes into a frame")

    def _cut(self, view: memoryview) -> list[memoryview]:
        frames = []
        start, size = 0, 0
        while len(view) - start >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(view, start)
            if size > MAX_FRAME:
                raise FrameError(f"a frame claims {size:,} bytes; the most is {MAX_FRAME:,}")
            end = start + _LENGTH.size + size
            if end > len(view):
                break
            frames.append(view[start + _LENGTH.size : end])
            start = end
        self._held += view[start:]
        self._wanted = _LENGTH.size + size if len(self._held) >= _LENGTH.size else _LENGTH.size
        return frames
