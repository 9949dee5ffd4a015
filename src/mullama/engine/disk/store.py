"""The store: a folder, a shelf, and two threads between them.

    engine's thread    match, has, save, fetch, touch: from memory, in microseconds
    reader's thread    reads what was fetched
    writer's thread    looks through the folder at the start, writes, evicts

Nothing here fails a request. What can't be read, for whatever reason, is a miss, and the file of a
bad segment is removed. What can't be written is dropped and counted, and writing pauses after a
failure. A segment counts as stored from `save` on, and comes from memory until its file is written.
"""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Lock

from mullama.engine.disk.files import Files, Write, write_parts
from mullama.engine.disk.format import Segment, root_key
from mullama.engine.disk.health import DiskStats, Drop, Pause
from mullama.engine.disk.index import Part
from mullama.engine.disk.reader import Done, Reader
from mullama.engine.disk.shelf import Shelf
from mullama.engine.disk.worker import Job, Worker, yield_to_others
from mullama.engine.disk.writer import Writer

log = logging.getLogger("mullama.disk")

QUEUE_BYTES = 256 << 20
# Dropping what is queued takes no time, unless a thread hangs in the system.
LAST_SECONDS = 0.2


class DiskStore:
    """Segments of one model, in a folder that models and processes may share.

    `max_bytes` is the budget of the whole folder. `fingerprint` is the text of what shapes a state,
    `str(Fingerprint(...))`. Up to `queue_bytes` wait to be written, and at least one segment may.
    `clock` measures seconds; `wall_clock` has the time of day, as files have it.

    What is to be stored goes below the last segment of what is there, from its end on:

        parts = store.match(root, tokens, n)
        parent, start = (parts[-1].entry.key, parts[-1].end) if parts else (root, 0)
        store.save(Segment(parent, start, tokens[start:n], data))

    May be called from any thread. If the folder can't be made, one warning says so, and the store
    is off: it holds nothing and drops everything.
    """

    def __init__(
        self,
        path: str | Path,
        max_bytes: int,
        fingerprint: str,
        *,
        queue_bytes: int = QUEUE_BYTES,
        write: Write = write_parts,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._fingerprint = fingerprint
        self._clock = clock
        self._wall_clock = wall_clock
        self._files = Files(Path(path), fingerprint, write)
        self._shelf = Shelf(queue_bytes)
        self._pause = Pause(clock)
        self._reader = Reader(self._files, self._shelf, clock, wall_clock)
        self._writer = Writer(self._files, self._shelf, self._pause, max_bytes, wall_clock)
        self._reading, self._writing = Worker("disk-reader"), Worker("disk-writer")
        self._lock = Lock()  # over `_is_open`, and that nothing is put after the workers' end
        self._is_open = self._open()

    # -- without I/O --------------------------------------------------------------------------

    @property
    def read_bytes_per_second(self) -> float:
        """How fast segments are read and checked, as lately measured."""
        return self._shelf.read_bytes_per_second

    def root(self, namespace: str = "") -> bytes:
        """The key that a namespace's chains begin with."""
        return root_key(self._fingerprint, namespace)

    def has(self, key: bytes) -> bool:
        return self._shelf.has(key)

    def match(
        self, root: bytes, tokens: array[int], limit: int, *, with_state: bool = False
    ) -> tuple[Part, ...]:
        """The stored segments that spell the longest prefix of `tokens[:limit]`, in their order.

        Of each, its first `n_tokens` are wanted. With `with_state`, the last one has a state, at
        the match's end.
        """
        return self._shelf.match(root, tokens, limit, with_state=with_state)

    def fetch(self, keys: Sequence[bytes], done: Done) -> None:
        """Read segments; `done` is called once, by the reader's thread, and must not block.

        It gets them in order, up to the first that can't be had: what follows a gap is of no use.
        A store that is off or closed calls it at once, with none.
        """
        if not self._put(self._reading, partial(self._reader.fetch, tuple(keys), done)):
            done(())

    def save(self, segment: Segment) -> bool:
        """Queue a segment to be written; False if it is dropped (the counters say why).

        Its parent must be stored, or saved before. One that is stored already counts as used.
        """
        entry = segment.entry()
        with self._lock:
            if not self._shelf.has(entry.key):
                drop = self._refusal() or self._shelf.queue(segment, entry)
                if drop:
                    self._shelf.drop(entry, drop)
                    return False
                self._writing.put(partial(self._writer.save, segment, entry))
        self.touch(entry.key)
        return True

    def has_state(self, key: bytes) -> bool:
        """Whether a segment is stored that has a state of its own."""
        entry, _ = self._shelf.find(key)
        return entry is not None and entry.n_state > 0

    def touch(self, key: bytes) -> None:
        """A segment was of use, though it was not fetched: it is to stay longer than others."""
        now = self._wall_clock()
        entries = self._shelf.use(key, now)
        if entries:
            self._put(self._writing, partial(self._writer.note_use, entries, now))

    def stats(self) -> DiskStats:
        """A copy of the counters."""
        return self._shelf.stats(writes=self._refusal() is None)

    def _refusal(self) -> Drop | None:
        """Why nothing can be written now."""
        if not self._is_open:
            return Drop.OFF
        return Drop.PAUSED if self._pause.lasts else None

    def _put(self, worker: Worker, job: Job) -> bool:
        with self._lock:
            if self._is_open:
                worker.put(job)
            return self._is_open

    # -- beginning and end --------------------------------------------------------------------

    def _open(self) -> bool:
        try:
            self._files.create_root()
        except OSError as error:
            log.warning(
                "The disk cache is off: its folder %s can't be made (%s). Choose another, or "
                "correct the permissions, and start again.",
                self._files.path,
                error,
            )
            return False
        self._writing.put(self._writer.begin)  # nothing is found before, so this one can't wait
        self._writing.put(yield_to_others)
        self._reading.start()
        self._writing.start()
        return True

    def flush(self, timeout: float) -> bool:
        """Wait until all that was asked for so far is done, the look through the folder too.

        False if that takes longer than `timeout` seconds.
        """
        end = self._clock() + timeout
        for worker in (self._reading, self._writing):  # in this order: reading notes uses
            done = Event()
            if self._put(worker, done.set) and not done.wait(max(0.0, end - self._clock())):
                return False
        return True

    def close(self, timeout: float = 10.0) -> None:
        """Write what is queued, for at most `timeout` seconds, and end the threads."""
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            self._writer.is_closing = True
            self._reading.stop()
            self._writing.stop()
        end = self._clock() + timeout
        workers = (self._reading, self._writing)
        if all(worker.join(max(0.0, end - self._clock())) for worker in workers):
            return
        log.warning(
            "The disk cache did not finish writing within %.0f s; what is missing will be computed "
            "again when it is wanted.",
            timeout,
        )
        self._reader.is_late = self._writer.is_late = True
        for worker in workers:
            worker.join(LAST_SECONDS)
