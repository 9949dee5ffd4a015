"""A model's weights, loaded by llama.cpp, and what llama.cpp says about them.

`load` takes the ModelInfo that the header reader returned, not a path: llama.cpp ends the process
on some broken files, so it never sees one whose header was not read and found sound first.

Contexts belong to a model and are closed with it. It knows nothing of sequences or sampling.
"""

from __future__ import annotations

import ctypes
import logging
import os
import weakref
from collections.abc import Callable
from typing import Any, Protocol, Self

from mullama.errors import ModelError
from mullama.llama import log
from mullama.llama.handle import Handle
from mullama.llama.lib import C
from mullama.llama.placement import DEFAULT_PLACEMENT, Placement, fill, remarks
from mullama.llama.system import amx_is_miscompiled, supports_gpu_offload
from mullama.types import ModelInfo

logger = logging.getLogger(__name__)

_LOAD_MODES = {  # (use_mmap, use_mlock): llama_load_mode
    (False, False): 0,
    (True, False): 1,
    (False, True): 2,
    (True, True): 3,
}

Progress = Callable[[float], object]


class _Closable(Protocol):
    def close(self) -> None: ...


class LlamaModel:
    """The loaded weights. Thread-safe; using it after `close` raises InvalidRequest."""

    def __init__(
        self, handle: Handle, info: ModelInfo, *, vocab_only: bool, kept: object = None
    ) -> None:
        """`kept`: what llama.cpp may have pointers into for as long as the model is there."""
        self.handle = handle
        self.info = info
        self.vocab_only = vocab_only
        self._kept = kept
        self._contexts: weakref.WeakSet[_Closable] = weakref.WeakSet()

    @classmethod
    def load(
        cls,
        info: ModelInfo,
        *,
        use_mmap: bool = True,
        use_mlock: bool = False,
        vocab_only: bool = False,
        placement: Placement = DEFAULT_PLACEMENT,
        progress: Progress | None = None,
    ) -> Self:
        """Load `info.path`, its parts where `placement` says.

        `progress` is called with 0.0 to 1.0 in this thread; an exception that it raises ends the
        loading and is raised here. Raises ModelError with llama.cpp's reason, InvalidRequest for a
        placement that can't be.
        """
        if not (info.n_params or vocab_only):  # llama.cpp would name the first tensor it misses
            raise _cannot_load(info.path, "it has a vocabulary, but no weights")
        params = C.llama_model_default_params()
        kept = fill(params, placement)
        params.load_mode = _LOAD_MODES[bool(use_mmap), bool(use_mlock)]
        params.vocab_only = vocab_only
        params.use_extra_bufts = not amx_is_miscompiled()
        reporter = _Reporter(progress)
        params.progress_callback = reporter.callback
        with log.capture() as lines:
            pointer = C.llama_model_load_from_file(os.fsencode(info.path), params)
        if reporter.error is not None:
            if pointer:
                C.llama_model_free(pointer)
            raise reporter.error
        if not pointer:
            reason = log.reason(lines) or "llama.cpp gives no reason; its log may have one"
            raise _cannot_load(info.path, reason)
        handle = Handle(pointer, C.llama_model_free, "model")
        model = cls(handle, info, vocab_only=vocab_only, kept=kept)
        for remark in remarks(
            placement, has_gpu=supports_gpu_offload(), mmap=use_mmap, has_experts=model.has_experts
        ):
            logger.warning(remark)
        return model

    def close(self) -> None:
        """Close the contexts, then free the weights. Closing again does nothing."""
        for context in list(self._contexts):
            context.close()
        self.handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def adopt(self, context: _Closable) -> None:
        """`context` uses these weights: close it before them."""
        self._contexts.add(context)

    @property
    def closed(self) -> bool:
        return self.handle.closed

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def architecture(self) -> str:
        return self.info.architecture

    @property
    def description(self) -> str:
        """Such as "qwen2 494M Q4_K_M"."""
        return self.info.description

    @property
    def n_params(self) -> int:
        return self.info.n_params

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return self.info.size

    @property
    def n_ctx_train(self) -> int:
        return self.info.n_ctx_train

    @property
    def n_embd(self) -> int:
        return self.info.n_embd

    @property
    def n_layer(self) -> int:
        return self.info.n_layer

    @property
    def n_head(self) -> int:
        return self.info.n_head

    @property
    def n_vocab(self) -> int:
        with self.handle as pointer:
            return int(C.llama_vocab_n_tokens(C.llama_model_get_vocab(pointer)))

    @property
    def has_experts(self) -> bool:
        """Whether its layers choose among experts: a mixture, MoE."""
        key = f"{self.architecture}.expert_count".encode()
        return self._text(C.llama_model_meta_val_str, key) not in ("", "0")

    @property
    def token_bos(self) -> int | None:
        return self._token(C.llama_vocab_bos)

    @property
    def token_eos(self) -> int | None:
        return self._token(C.llama_vocab_eos)

    def metadata(self) -> dict[str, str]:
        """The header's scalar values as text, without the arrays."""
        with self.handle as pointer:
            count = C.llama_model_meta_count(pointer)
        return {
            self._text(C.llama_model_meta_key_by_index, i): self._text(
                C.llama_model_meta_val_str_by_index, i
            )
            for i in range(count)
        }

    def _token(self, function: Any) -> int | None:
        with self.handle as pointer:
            token = int(function(C.llama_model_get_vocab(pointer)))
        return token if token >= 0 else None

    def _text(self, function: Any, *arguments: int | bytes) -> str:
        """What a function writes into a buffer, whose length it answers."""
        with self.handle as pointer:
            size = function(pointer, *arguments, None, 0)
            buffer = ctypes.create_string_buffer(max(size, 0) + 1)
            function(pointer, *arguments, buffer, len(buffer))
        return buffer.value.decode("utf-8", errors="replace")


class _Reporter:
    """llama.cpp's progress callback: hands the number on, and keeps an exception for later."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.error: BaseException | None = None
        self.callback = C.llama_progress_callback(self._report)

    def _report(self, done: float, _: object) -> bool:
        if self._progress is None:
            return True
        try:
            self._progress(done)
        except BaseException as error:  # KeyboardInterrupt too: it must not vanish in C
            self.error = error
        return self.error is None


def _cannot_load(path: str, reason: str) -> ModelError:
    return ModelError(f"Can't load {path!r}: {reason}.", code="model_invalid")
