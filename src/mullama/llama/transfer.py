"""Moves what lanes remember out of the KV cache and back.

llama.cpp copies whole lanes. One lane is kept aside for copying parts: it is given the wanted
positions by reference, copied as a whole, and emptied again; on the way back the other way round.

    out:  lane --[start, end)--> aside --bytes--> blob        in:  blob --> aside --> lane

Beside its cells a lane can have a state: a recurrent one, or the cells of a sliding window. It has
no positions to choose from, and is copied on its own. So that the bytes of cells are free of it
(tens of megabytes), the lane aside is given the least state there is before it is copied: that of
an empty lane, or of one position, since an empty window is not put back.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from mullama.errors import InternalError
from mullama.llama.batch import Batch
from mullama.llama.context import LlamaContext
from mullama.types import Blob, Chunk, Load, LoadState, MemoryKind, Op, Remove, Save, SaveState


@dataclass(slots=True)
class Moved:
    """Bytes that were copied one way, and how long it took."""

    n_bytes: int = 0
    seconds: float = 0.0


class Transfer:
    """Executes a plan's lane operations on a context whose last lane is kept aside."""

    def __init__(self, context: LlamaContext, aside: int) -> None:
        self._context = context
        self._aside = aside
        self._recurrent = context.memory_kind is MemoryKind.RECURRENT
        self._least: memoryview | None = None
        self.state_bytes = 0  # of one lane, roughly
        if context.memory_kind is not MemoryKind.ATTENTION:
            self._measure()
        self.start_counting()

    def start_counting(self) -> tuple[Moved, Moved]:
        """What will have been put back and copied out from now on, until the next call."""
        self._loaded, self._saved = Moved(), Moved()
        return self._loaded, self._saved

    def _measure(self) -> None:
        """Compute one row to see what a lane remembers beside its cells."""
        context, lane = self._context, self._aside
        empty = context.get_state(lane, partial=True)
        batch = Batch(1)
        batch.fill([Chunk(0, lane, 0, [0], sample=False)])
        context.decode(batch)
        one = context.get_state(lane, partial=True)
        context.remove(lane, 0, -1)
        self._least = empty if self._recurrent else one
        n_positions = 1 if self._recurrent else context.n_window
        self.state_bytes = len(empty) + (len(one) - len(empty)) * n_positions

    def apply(self, op: Op) -> bool:
        """Carry `op` out; False if a blob could not be put back."""
        if isinstance(op, Save | Load | SaveState | LoadState):
            moved = self._saved if isinstance(op, Save | SaveState) else self._loaded
            begin = time.perf_counter()
            done = self._move(op)
            moved.seconds += time.perf_counter() - begin
            moved.n_bytes += op.blob.n_bytes
            return done
        if isinstance(op, Remove):
            self.remove(op.lane, op.start, op.end)
        else:
            self._context.copy(op.src, op.dst, op.start, op.end)
        return True

    def remove(self, lane: int, start: int, end: int) -> None:
        """Take `lane` off its cells at positions [start, end), and off its state."""
        if start > 0 and self._recurrent:  # its state stands in the way
            self._shrink_state(lane)
        self._context.remove(lane, start, end)

    def _move(self, op: Save | Load | SaveState | LoadState) -> bool:
        if isinstance(op, Save):
            self._save(op.lane, op.blob)
            return True
        if isinstance(op, SaveState):
            self._fill(op.blob, op.lane, partial=True)
            return True
        if isinstance(op, LoadState):
            return self._put(op.lane, op.blob, partial=True)
        return self._load(op)

    def _save(self, lane: int, blob: Blob) -> None:
        self._context.copy(lane, self._aside, blob.start, blob.end)
        self._shrink_state(self._aside)
        self._fill(blob, self._aside, partial=False)
        self._context.remove(self._aside, 0, -1)

    def _load(self, op: Load) -> bool:
        done = self._put(self._aside, op.blob, partial=False)
        if done:
            self._context.copy(self._aside, op.lane, op.start, op.end)
        self._context.remove(self._aside, 0, -1)
        return done

    def _fill(self, blob: Blob, lane: int, *, partial: bool) -> None:
        blob.data = self._context.get_state(lane, partial=partial)
        blob.n_bytes = len(blob.data)

    def _put(self, lane: int, blob: Blob, *, partial: bool) -> bool:
        if blob.data is None:
            raise InternalError("A blob was to be put back before it was saved.")
        return self._context.set_state(lane, blob.data, partial=partial)

    def _shrink_state(self, lane: int) -> None:
        if self._least is not None:
            self._context.set_state(lane, self._least, partial=True)
