"""A model file -> a running model: the only place where llama.cpp meets the engines."""

from __future__ import annotations

from collections.abc import Callable

from mullama.config import ModelOptions
from mullama.engine.scheduler import EngineOptions
from mullama.errors import InvalidRequest
from mullama.host import sizing
from mullama.host.prepare import Template
from mullama.host.running import OwnedEmbedder, OwnedRunner, Parts, RunningModel
from mullama.llama.context import ContextOptions
from mullama.llama.embedder import LlamaEmbedder
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from mullama.types import Event, MemoryKind, ModelKind

__all__ = ["RunningModel", "chat_template", "load", "run"]

Emit = Callable[[list[Event]], None]
Crashed = Callable[[BaseException], None]


def load(
    path: str,
    options: ModelOptions,
    *,
    emit: Emit,
    crashed: Crashed,
    progress: Callable[[float], object] | None = None,
) -> RunningModel:
    """Load a model and start its engines; closing it frees the weights.

    Raises NotFound or ModelError with the reason, InvalidRequest for an option out of range.
    """
    model = LlamaModel.load(
        read_info(path),
        n_gpu_layers=options.gpu_layers,
        use_mmap=options.mmap,
        use_mlock=options.mlock,
        main_gpu=options.main_gpu,
        split_mode=options.split_mode,
        tensor_split=tensor_split(options.tensor_split),
        progress=progress,
    )
    try:
        return run(model, options, emit=emit, crashed=crashed, close=model.close)
    except BaseException:
        model.close()
        raise


def run(
    model: LlamaModel,
    options: ModelOptions,
    *,
    emit: Emit,
    crashed: Crashed,
    close: Callable[[], None] = lambda: None,
) -> RunningModel:
    """Start engines on a loaded model, which must be closed after them; `close` is called then."""
    vocab = LlamaVocab(model)
    parts = Parts(
        vocab,
        chat_template(model, vocab),
        open_runner(model, options),
        lambda: open_embedder(model, options),
        close,
    )
    engine_options = EngineOptions(
        n_parallel=options.parallel,
        queue_size=options.queue_size,
        target_gap=options.target_gap_ms / 1000,
    )
    return RunningModel(parts, engine_options, emit=emit, crashed=crashed)


def chat_template(model: LlamaModel, vocab: LlamaVocab) -> Template | None:
    """The model's own template. None where it has none."""
    source = model.info.chat_template
    if not source:
        return None
    # Not for a model without: importing Jinja takes a tenth of a second and 14 MB.
    from mullama.text.template import ChatTemplate

    bos, eos = (
        "" if token is None else vocab.piece(token, special=True).decode(errors="replace")
        for token in (vocab.bos, vocab.eos)
    )
    return ChatTemplate(source, bos=bos, eos=eos)


def open_runner(model: LlamaModel, options: ModelOptions) -> OwnedRunner | None:
    """The context that generates; None for a model that does not."""
    if model.info.kind is not ModelKind.GENERATE:
        return None
    # A recurrent lane has a state of its own, tens of megabytes: no more than can run.
    recurrent = model.memory_kind is MemoryKind.RECURRENT
    return LlamaRunner(
        model,
        ContextOptions(
            n_ctx=sizing.context_size(model.info, options, sizing.physical_memory()),
            n_batch=options.batch_size,
            n_ubatch=options.ubatch_size,
            n_lanes=options.parallel if recurrent else sizing.n_lanes(options),
            n_threads=options.threads,
            n_threads_batch=options.threads_batch,
            flash_attn=options.flash_attn,
            type_k=options.cache_type_k,
            type_v=options.cache_type_v,
        ),
    )


def open_embedder(model: LlamaModel, options: ModelOptions) -> OwnedEmbedder:
    """The context that embeds. Raises ModelError for a model that can't."""
    return LlamaEmbedder(
        model,
        n_ctx=sizing.embedding_size(model.info, options),
        n_threads=options.threads_batch or options.threads,
        flash_attn=options.flash_attn,
    )


def tensor_split(text: str) -> list[float]:
    """`3,1` as numbers. Raises InvalidRequest."""
    try:
        return [float(share) for share in text.split(",")] if text.strip() else []
    except ValueError:
        raise InvalidRequest(
            f"tensor_split is {text!r}; it must be numbers separated by commas, such as 3,1.",
            param="tensor_split",
        ) from None
