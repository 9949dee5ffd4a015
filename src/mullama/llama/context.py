"""A llama_context: the KV cache, the compute buffers and one computation at a time.

It owns the C object and says what llama.cpp answers in our words. Everything but `abort` is called
from one thread at a time. Which rows to compute, and when, is not its business.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mullama.errors import InternalError, InvalidRequest, ModelError
from mullama.llama import log
from mullama.llama.batch import Batch
from mullama.llama.handle import Handle
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.llama.system import default_threads
from mullama.types import MemoryKind, Status

MAX_LANES = 256  # llama.cpp's own limit
MAX_CELLS = 2**31 - 1
# On a CPU, flash attention of fewer rows than its tile (GGML_FA_TILE_Q) goes row by row, which deep
# in a context takes several times as long for 63 rows as for 64. On GPUs this was not measured.
ATTENTION_TILE = 64
MATRIX_TILE = 16  # without it: from about here on, weights are not read for each row again
CACHE_TYPES = {
    "f32": 0, "f16": 1, "bf16": 30, "q8_0": 8, "q5_1": 7, "q5_0": 6, "q4_1": 3, "q4_0": 2,
    "iq4_nl": 20,
}  # fmt: skip
ELEMENT_BYTES = {
    "f32": 4, "f16": 2, "bf16": 2, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32,
    "q4_1": 20 / 32, "q4_0": 18 / 32, "iq4_nl": 18 / 32,
}  # fmt: skip
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
POOLING = {"none": 0, "mean": 1, "cls": 2, "last": 3, "rank": 4}


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """How a context is made. 0 threads means one a physical core.

    `n_aside` lanes are made beside the `n_lanes` that sequences get. `n_outputs` rows of one call
    can have logits; `pooling` None means as the model says. `kv_offload` keeps a layer's cells on
    the layer's device, `op_offload` computes large batches on one also with weights of the CPU's.
    """

    n_ctx: int
    n_batch: int = 2048
    n_ubatch: int = 512
    n_lanes: int = 1
    n_aside: int = 0
    n_outputs: int = 0
    n_threads: int = 0
    n_threads_batch: int = 0
    flash_attn: str = "auto"
    type_k: str = "f16"
    type_v: str = "f16"
    embeddings: bool = False
    pooling: str | None = None
    kv_offload: bool = True
    op_offload: bool = True


class LlamaContext:
    """A context on a model's weights; closed with the model at the latest."""

    def __init__(self, model: LlamaModel, options: ContextOptions) -> None:
        """Raises InvalidRequest for options out of range, ModelError with llama.cpp's reason."""
        self.model = model
        self.memory_kind = memory_kind(model)
        self._abort_flag = ctypes.create_string_buffer(2)  # "\1" while an abort is wanted
        with model.handle as weights:
            self.n_window = int(C.llama_model_n_swa(weights))
            pointer = self._create(weights, options)
            self._memory: int | None = C.llama_get_memory(pointer)
            self._n_vocab = C.llama_vocab_n_tokens(C.llama_model_get_vocab(weights))
        self.handle = Handle(pointer, C.llama_free, "context")
        self.n_ctx: int = C.llama_n_ctx(pointer)
        self.n_batch: int = C.llama_n_batch(pointer)
        self.n_ubatch: int = C.llama_n_ubatch(pointer)
        self.n_lanes: int = C.llama_n_seq_max(pointer) - options.n_aside
        self.n_tile = ATTENTION_TILE if options.flash_attn != "off" else MATRIX_TILE
        self._logits = np.empty((0, self._n_vocab), np.float32)
        self._logits_at: int | None = None
        model.adopt(self)

    def _create(self, weights: int, options: ContextOptions) -> int:
        params = self._params(options)
        with log.capture() as lines:
            pointer = C.llama_init_from_model(weights, params)
            if not pointer and options.flash_attn == "auto":
                params.flash_attn_type = _FLASH_ATTENTION["off"]
                pointer = C.llama_init_from_model(weights, params)
        if not pointer:
            reason = log.reason(lines) or "llama.cpp gives no reason; memory may be short"
            raise ModelError(
                f"No context for {self.model.name!r} could be made: {reason}. "
                "A smaller context size or another cache type may help.",
                code="context_failed",
            )
        return int(pointer)

    def _params(self, options: ContextOptions) -> Any:
        if not 1 <= options.n_ctx <= MAX_CELLS:
            raise InvalidRequest(
                f"A context of {options.n_ctx} tokens was asked for; 1 to {MAX_CELLS} can be.",
                param="context_size",
            )
        most = MAX_LANES - options.n_aside
        if not 1 <= options.n_lanes <= most:
            raise InvalidRequest(
                f"{options.n_lanes} sequences at once were asked for; 1 to {most} can be.",
                param="parallel",
            )
        params = C.llama_context_default_params()
        n_lanes = options.n_lanes + options.n_aside
        params.n_ctx = max(options.n_ctx, n_lanes)
        params.n_batch = max(options.n_batch, n_lanes)  # else llama.cpp aborts
        params.n_ubatch = min(options.n_ubatch, params.n_batch)
        if self.n_window:
            # Between the micro-batches of one call llama.cpp loses cells of windows that the first
            # of them needs yet, without a word: so a call is one micro-batch.
            params.n_batch = params.n_ubatch = max(params.n_ubatch, n_lanes)
        params.n_seq_max = n_lanes
        params.n_outputs_max = min(max(options.n_outputs, n_lanes), params.n_batch)
        params.n_threads = options.n_threads or default_threads()
        params.n_threads_batch = options.n_threads_batch or params.n_threads
        params.flash_attn_type = _number(_FLASH_ATTENTION, options.flash_attn, "flash_attn")
        params.type_k = _number(CACHE_TYPES, options.type_k, "cache_type_k")
        params.type_v = _number(CACHE_TYPES, options.type_v, "cache_type_v")
        params.embeddings = options.embeddings
        params.offload_kqv = options.kv_offload
        params.op_offload = options.op_offload
        if options.pooling is not None:
            params.pooling_type = _number(POOLING, options.pooling, "pooling")
        params.kv_unified = True  # lanes share cells: a prefix is copied by reference
        params.swa_full = False  # one that keeps all positions does not keep what it promises
        # llama.cpp asks between two operations whether to stop. It asks strlen(flag), which needs
        # neither Python nor the GIL: 0 goes on, 1 stops.
        params.abort_callback = ctypes.cast(_STRLEN, C.ggml_abort_callback)
        params.abort_callback_data = ctypes.cast(self._abort_flag, ctypes.c_void_p)
        return params

    def close(self) -> None:
        """Free it, after the call that is running. Closing again does nothing."""
        self.handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def has_memory(self) -> bool:
        """Whether it remembers sequences; encoders do not."""
        return self._memory is not None

    def abort(self) -> None:
        """End the running computation, or else the next one, as ABORTED. From any thread."""
        self._abort_flag[0] = b"\1"

    def decode(self, batch: Batch) -> Status:
        """Compute the batch. Its rows fit in `n_batch`; tokens and lanes are in range."""
        with self.handle as pointer:
            code: int = C.llama_decode(pointer, batch.struct)
        if code == 0:
            return Status.DONE
        if code == Status.ABORTED:
            self._abort_flag[0] = b"\0"
        return Status(max(code, Status.FATAL))

    def logits(self, n_rows: int) -> NDArray[np.float32]:
        """The last batch's `n_rows` wanted rows, in order: (n_rows, n_vocab), without a copy.

        They may be written to, and are good until the next `decode`.
        """
        with self.handle as pointer:
            address = _get_logits(pointer)
        if address != self._logits_at or n_rows > len(self._logits):
            floats = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
            self._logits = np.ctypeslib.as_array(floats, shape=(n_rows, self._n_vocab))
            self._logits_at = address
        return self._logits

    def pooled(self, lane: int, n_embd: int) -> NDArray[np.float32]:
        """The vector that llama.cpp pooled from a lane's rows, until the next `decode`."""
        with self.handle as pointer:
            floats = C.llama_get_embeddings_seq(pointer, lane)
        if not floats:
            raise InternalError(f"Lane {lane} has no pooled embedding.")
        return np.ctypeslib.as_array(floats, shape=(n_embd,))

    def embeddings(self, n_rows: int, n_embd: int) -> NDArray[np.float32]:
        """The last batch's `n_rows` rows, not pooled, until the next `decode`."""
        with self.handle as pointer:
            floats = C.llama_get_embeddings(pointer)
        return np.ctypeslib.as_array(floats, shape=(n_rows, n_embd))

    def set_embeddings(self, wanted: bool) -> None:
        """Whether the next batches make embeddings; those that do make them for every row."""
        with self.handle as pointer:
            C.llama_set_embeddings(pointer, wanted)

    def copy(self, src: int, dst: int, start: int, end: int) -> None:
        """Share the cells of `src` at positions [start, end) with `dst`."""
        with self.handle:
            C.llama_memory_seq_cp(self._memory, src, dst, start, end)

    def remove(self, lane: int, start: int, end: int) -> None:
        """Take `lane` off its cells at positions [start, end); end -1 means all that follow."""
        with self.handle:
            if not C.llama_memory_seq_rm(self._memory, lane, start, end):
                raise InternalError(f"Positions {start} to {end} of lane {lane} can't be removed.")

    def state_size(self, lane: int, *, partial: bool) -> int:
        """Bytes that `get_state` would give."""
        with self.handle as pointer:
            return int(C.llama_state_seq_get_size_ext(pointer, lane, _PARTIAL if partial else 0))

    def get_state(self, lane: int, *, partial: bool) -> memoryview:
        """All that `lane` remembers, or with `partial` only what is not cells: a recurrent state,
        the cells of a sliding window."""
        flags = _PARTIAL if partial else 0
        with self.handle as pointer:
            size = C.llama_state_seq_get_size_ext(pointer, lane, flags)
            data = np.empty(size, np.uint8)
            place = ctypes.cast(data.ctypes.data, ctypes.POINTER(ctypes.c_uint8))
            size = C.llama_state_seq_get_data_ext(pointer, place, size, lane, flags)
        return data.data[:size]

    def set_state(self, lane: int, data: memoryview, *, partial: bool) -> bool:
        """Replace what `lane` remembers with what `get_state` gave. False: there was no room, or
        the bytes are not of this model; the lane is empty then."""
        flags = _PARTIAL if partial else 0
        with self.handle as pointer:
            array = np.frombuffer(data, np.uint8)
            place = ctypes.cast(array.ctypes.data, ctypes.POINTER(ctypes.c_uint8))
            n_read = C.llama_state_seq_set_data_ext(pointer, place, len(array), lane, flags)
        return bool(n_read and n_read == len(array))

    def length(self, lane: int) -> int:
        """Positions that `lane` holds: its last one plus 1."""
        with self.handle:
            return int(C.llama_memory_seq_pos_max(self._memory, lane)) + 1

    def clear(self) -> None:
        """Forget all sequences."""
        if self._memory is not None:
            with self.handle:
                C.llama_memory_clear(self._memory, False)


_PARTIAL = C.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY
_STRLEN = ctypes.CDLL(None).strlen
# Answers an address, where the bindings make an object of each.
_get_logits = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(
    ctypes.cast(C.llama_get_logits, ctypes.c_void_p).value or 0
)


def memory_kind(model: LlamaModel) -> MemoryKind:
    """What a context on `model` remembers."""
    with model.handle as pointer:
        if C.llama_model_is_recurrent(pointer) or C.llama_model_is_hybrid(pointer):
            return MemoryKind.RECURRENT
        return MemoryKind.WINDOW if C.llama_model_n_swa(pointer) > 0 else MemoryKind.ATTENTION


def _number(numbers: Mapping[str, int], word: str, param: str) -> int:
    try:
        return numbers[word]
    except KeyError:
        raise InvalidRequest(
            f"{param} is {word!r}; it must be one of {', '.join(numbers)}.", param=param
        ) from None
