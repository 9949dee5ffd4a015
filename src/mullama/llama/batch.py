"""The rows of one llama_decode, in arrays that are allocated once.

A batch is columns: token, position, lane and "logits wanted" of each row. They are numpy arrays
that llama.cpp reads in place; a long prompt is one slice assignment a column. Each row belongs to
one lane, so the pointers that llama.cpp wants to each row's list of lanes never change.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mullama.llama.lib import C
from mullama.types import Chunk, Token


class Batch:
    """Columns for at most `capacity` rows."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.n_rows = 0
        self.n_wanted = 0  # rows whose logits are wanted
        self._token = np.zeros(capacity, np.int32)
        self._pos = np.zeros(capacity, np.int32)
        self._lane = np.zeros(capacity, np.int32)
        self._wanted = np.zeros(capacity, np.int8)
        self._ramp = np.arange(capacity, dtype=np.int32)
        self._n_lanes = np.ones(capacity, np.int32)
        places = self._lane.ctypes.data + self._ramp.astype(np.uintp) * self._lane.itemsize
        self._lane_places = places.astype(np.uintp)
        self._struct = C.llama_batch(
            token=_pointer(self._token, C.llama_token),
            pos=_pointer(self._pos, C.llama_pos),
            n_seq_id=_pointer(self._n_lanes, ctypes.c_int32),
            seq_id=_pointer(self._lane_places, ctypes.POINTER(C.llama_seq_id)),
            logits=_pointer(self._wanted, ctypes.c_int8),
        )

    @property
    def struct(self) -> Any:
        """The llama_batch, for one call."""
        self._struct.n_tokens = self.n_rows
        return self._struct

    def clear(self) -> None:
        self.n_rows = 0
        self.n_wanted = 0

    def fill(self, chunks: Iterable[Chunk]) -> None:
        """Replace the rows with those of `chunks`, in order."""
        self.clear()
        for chunk in chunks:
            n = 1 + chunk.n_draft if chunk.sample else 0
            if chunk.targets or n == len(chunk.tokens):
                self.add(chunk.tokens, chunk.lane, chunk.pos, wanted=True)
                continue
            self.add(chunk.tokens, chunk.lane, chunk.pos, wanted=False)
            if n:
                self._wanted[self.n_rows - n : self.n_rows] = 1
                self.n_wanted += n

    def add(self, tokens: Sequence[Token], lane: int, pos: int, *, wanted: bool) -> None:
        """Append consecutive rows of one lane; all of their logits are wanted, or none."""
        start, n = self.n_rows, len(tokens)
        end = self.n_rows = start + n
        if n == 1:  # a stream's row: four scalars are twice as fast as four slices
            self._token[start] = tokens[0]
            self._pos[start] = pos
            self._lane[start] = lane
            self._wanted[start] = wanted
        else:
            self._token[start:end] = tokens
            np.add(self._ramp[:n], pos, out=self._pos[start:end])
            self._lane[start:end] = lane
            self._wanted[start:end] = wanted
        if wanted:
            self.n_wanted += n


def _pointer(array: np.ndarray[Any, Any], kind: Any) -> Any:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))
