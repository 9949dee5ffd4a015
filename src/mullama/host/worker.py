"""The worker: a process of its own for one model, since llama.cpp may end the process it runs in.

Started by the server with one end of a socketpair; the first frame says what to load. Its threads:

    main         reads frames, and so sees cancels at once; prepares small requests itself
    prepare      render and tokenize large ones, which take long and must delay nobody
    load         loads the model, then ends
    the engines' (see `wiring`); each sends a step's events itself, as one frame
    outbox       only when the server is slower than the worker

The main thread never does anything that blocks but to wait for the server, so the end of the
server (end of the stream) ends the worker at once, in the middle of whatever it is doing. Nothing
that the worker holds needs saving. SIGINT and SIGTERM are the server's to act upon: both also
reach a worker where a terminal or a supervisor sends them to every process.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from mullama.errors import ErrorInfo, InternalError, InvalidRequest, ModelError, MullamaError
from mullama.host import frames
from mullama.host.outbox import Outbox
from mullama.types import ChatRequest, CompletionRequest, Event

if TYPE_CHECKING:
    from mullama.host.running import RunningModel

log = logging.getLogger("mullama.worker")

READ_SIZE = 1 << 18
# A request up to this many bytes is prepared in a millisecond or two, mostly much less: sooner done
# than handed to another thread.
SMALL_FRAME = 4 << 10
PREPARE_THREADS = 4
FLUSH_SECONDS = 5.0
# The engine's thread waits this long for the interpreter when it comes back from llama_decode and
# another thread is busy. Python's own 5 ms would be seen in the gaps between tokens.
SWITCH_INTERVAL = 0.0005
PROGRESS_STEP = 0.01

Loader = Callable[..., "RunningModel"]  # the arguments of `load`
R = TypeVar("R")


class Worker:
    """Answers one server over `sock`. `end` ends the process, with an exit code."""

    def __init__(
        self, sock: socket.socket, load: Loader, end: Callable[[int], object] = os._exit
    ) -> None:
        self._sock = sock
        self._load_model = load
        self._end = end
        self._outbox = Outbox(sock)
        self._model: RunningModel | None = None
        self._lock = Lock()
        self._preparing: set[int] = set()  # requests that no engine has yet
        self._computing: dict[int, Future[Any]] = {}  # vectors and scores
        self._pool = ThreadPoolExecutor(max_workers=PREPARE_THREADS, thread_name_prefix="prepare")
        self._progress = 0.0

    def run(self) -> None:
        """Read frames until the server is gone or says so; then the process ends."""
        try:
            self._read()
        except Exception as error:
            self._crashed(error)
        else:
            self._end(0)

    def _read(self) -> None:
        splitter = frames.Splitter()
        with contextlib.suppress(ConnectionError):
            while data := self._sock.recv(READ_SIZE):
                for frame in splitter.feed(data):
                    self._handle(frames.decode_to_worker(frame), len(frame))

    def _handle(self, message: frames.ToWorker, size: int) -> None:
        match message:
            case frames.Chat() | frames.Complete():
                submit = partial(self._submit, message.id, message.request)
                self._accept(message.id, submit, here=size <= SMALL_FRAME)
            case frames.Embed():  # the first one opens a context
                embed = partial(self._running.embed, message.request)
                self._compute(message.id, embed, frames.Embedded)
            case frames.Rerank():
                rerank = partial(self._running.rerank, message.request)
                self._compute(message.id, rerank, frames.Reranked)
            case frames.Tokenize():
                tokenize = partial(self._running.tokenize, message.request)
                self._tell(message.id, tokenize, frames.Tokenized, size)
            case frames.Detokenize():
                detokenize = partial(self._running.detokenize, message.tokens)
                self._tell(message.id, detokenize, frames.Detokenized, size)
            case frames.Cancel():
                self._cancel(message.id)
            case frames.Count():
                self._outbox.send(frames.Counted(self._running.stats()))
            case frames.Load():
                self._start_logging(message)
                Thread(target=self._load, args=(message,), name="load", daemon=True).start()
            case frames.Shutdown():
                Thread(target=self._shut_down, name="shutdown", daemon=True).start()

    @property
    def _running(self) -> RunningModel:
        assert self._model is not None, "the server asked before the worker was ready"
        return self._model

    # -- the model's life ---------------------------------------------------------------------

    def _start_logging(self, message: frames.Load) -> None:
        root = logging.getLogger()
        root.addHandler(FrameHandler(self._outbox))
        root.setLevel(message.log_level)

    def _load(self, message: frames.Load) -> None:
        try:
            model = self._load_model(
                message, emit=self._emit, progress=self._report, crashed=self._crashed
            )
        except MullamaError as error:
            self._fail_to_load(error.info())
        except Exception as error:
            path = os.fsdecode(message.path)
            log.exception("Loading %r failed.", path)
            reason = f"{type(error).__name__}: {error}"
            self._fail_to_load(ModelError(f"Loading {path!r} failed: {reason}").info())
        else:
            gc.freeze()  # what is there now stays: no collection needs to look at it again
            self._model = model
            self._outbox.send(frames.Ready(model.n_ctx))
            model.prepare_guides()

    def _fail_to_load(self, error: ErrorInfo) -> None:
        self._outbox.send(frames.LoadFailed(error))
        self._outbox.flush(FLUSH_SECONDS)
        self._end(1)

    def _report(self, progress: float) -> None:
        if progress - self._progress >= PROGRESS_STEP:
            self._progress = progress
            self._outbox.send(frames.Loading(progress))

    def _shut_down(self) -> None:
        if self._model is not None:
            self._model.close()
        self._end(0)

    def _crashed(self, error: BaseException) -> None:
        """A thread ended by a mistake of ours: the server repeats these last words."""
        traceback.print_exception(error)
        self._end(1)

    # -- requests -----------------------------------------------------------------------------

    def _emit(self, events: list[Event]) -> None:
        try:
            self._outbox.send(frames.Events.of(events))
        except frames.FrameError:
            for event in events:
                self._emit_one(event)

    def _emit_one(self, event: Event) -> None:
        try:
            self._outbox.send(frames.Events.of([event]))
        except frames.FrameError as error:
            self._refuse(event.id, error)
            self._running.cancel(event.id)

    def _accept(self, id: int, work: Callable[[], None], *, here: bool) -> None:
        """Do `work`, which gives the request to an engine, in this thread or in another one."""
        with self._lock:
            self._preparing.add(id)
        if here:
            self._attempt(id, work)
        else:
            self._pool.submit(self._attempt, id, work)

    def _attempt(self, id: int, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._refuse(id, error)

    def _submit(self, id: int, request: ChatRequest | CompletionRequest) -> None:
        prepared = self._running.prepare(id, request)
        with self._lock:  # so that a cancel finds it either here or there
            if id in self._preparing:
                self._preparing.remove(id)
                self._running.submit(prepared)

    def _compute(
        self, id: int, start: Callable[[], Future[R]], answer: Callable[[int, R], frames.Answer]
    ) -> None:
        """Prepare in another thread what an engine of vectors computes; answer when it is done."""

        def work() -> None:
            future = start()
            with self._lock:
                if id in self._preparing:
                    self._preparing.remove(id)
                    self._computing[id] = future
                else:
                    future.cancel()
            future.add_done_callback(deliver)

        def deliver(done: Future[R]) -> None:
            with self._lock:
                self._computing.pop(id, None)
            if not done.cancelled():
                self._attempt(id, lambda: self._outbox.send(answer(id, done.result())))

        self._accept(id, work, here=False)

    def _tell(
        self, id: int, find: Callable[[], R], answer: Callable[[int, R], frames.Answer], size: int
    ) -> None:
        """Answer what no engine is needed for."""

        def work() -> None:
            result = find()
            with self._lock:
                is_wanted = id in self._preparing
                self._preparing.discard(id)
            if is_wanted:
                self._outbox.send(answer(id, result))

        self._accept(id, work, here=size <= SMALL_FRAME)

    def _cancel(self, id: int) -> None:
        with self._lock:
            is_preparing = id in self._preparing
            self._preparing.discard(id)
            computing = self._computing.get(id)
        if computing is not None:
            computing.cancel()
        elif not is_preparing:
            self._running.cancel(id)

    def _refuse(self, id: int, error: Exception) -> None:
        with self._lock:
            self._preparing.discard(id)
        self._outbox.send(frames.Refused(id, _as_info(error)))


def _as_info(error: Exception) -> ErrorInfo:
    match error:
        case MullamaError():
            return error.info()
        case frames.FrameError():
            return InvalidRequest(f"The answer can't be sent: {error}. Ask for less.").info()
        case _:
            log.error("A request failed.", exc_info=error)
            return InternalError("The request failed because of an internal error.").info()


class FrameHandler(logging.Handler):
    """Python's log records, as frames: the server writes them with its own."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._outbox.send(frames.Log(record.levelno, record.name, self.format(record)))
        except Exception:
            self.handleError(record)


def load(
    message: frames.Load,
    *,
    emit: Callable[[list[Event]], None],
    progress: Callable[[float], None],
    crashed: Callable[[BaseException], None],
) -> RunningModel:
    """Load the model and start its engines. Slow imports wait until here."""
    from mullama.host import wiring

    path = os.fsdecode(message.path)
    return wiring.load(path, message.options, emit=emit, progress=progress, crashed=crashed)


def die_with_parent() -> None:
    """On Linux, have the kernel kill this process when its parent ends.

    The end of the stream does it everywhere; this holds even if the main thread is stuck.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main() -> None:
    """The process: `python -m mullama.host.worker FD`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    die_with_parent()
    sys.setswitchinterval(SWITCH_INTERVAL)
    # llama.cpp would start a debugger to print a backtrace before it aborts.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    Worker(socket.socket(fileno=int(sys.argv[1])), load).run()


if __name__ == "__main__":
    main()
