"""A model file -> a running model: the only place where llama.cpp meets the engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mullama.config import ModelOptions, devices, n_bytes, overrides, shares
from mullama.engine.disk import DiskStore, Fingerprint
from mullama.engine.options import EngineOptions
from mullama.engine.tiers import TierOptions
from mullama.host import sizing
from mullama.host.running import OwnedEmbedder, OwnedRunner, Parts, RunningModel
from mullama.llama import system
from mullama.llama.context import ContextOptions, memory_kind
from mullama.llama.embedder import LlamaEmbedder
from mullama.llama.model import LlamaModel
from mullama.llama.placement import Placement
from mullama.llama.runner import LlamaRunner
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from mullama.models.identity import identity
from mullama.models.templates import with_template
from mullama.types import Event, ModelKind

if TYPE_CHECKING:
    from mullama.text.template import ChatTemplate

__all__ = ["RunningModel", "chat_template", "load", "placement", "run"]

Emit = Callable[[list[Event]], None]
DISK_PATIENCE = 1.0  # seconds that a start waits for the look through the disk cache
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
        with_template(read_info(path), options.chat_template),
        use_mmap=options.mmap,
        use_mlock=options.mlock,
        placement=placement(options),
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
    vocab, template = reading(model)
    parts = Parts(
        vocab,
        template,
        open_runner(model, options),
        lambda: open_embedder(model, options),
        close,
        open_disk(model, options),
    )
    return RunningModel(parts, engine_options(options), emit=emit, crashed=crashed)


def placement(options: ModelOptions) -> Placement:
    """What of the options says where the model's weights lie."""
    return Placement(
        n_gpu_layers=options.gpu_layers,
        main_gpu=options.main_gpu,
        split_mode=options.split_mode,
        tensor_split=shares(options.tensor_split),
        devices=devices(options.device),
        overrides=overrides(options.override_tensor),
        cpu_moe=options.cpu_moe,
        n_cpu_moe=options.n_cpu_moe,
    )


def engine_options(options: ModelOptions) -> EngineOptions:
    """What of the options is the engine's."""
    return EngineOptions(
        n_parallel=options.parallel,
        queue_size=options.queue_size,
        max_wait=options.max_wait or None,
        target_gap=options.target_gap_ms / 1000,
        tiers=TierOptions(
            ram=sizing.cache_bytes(options, sizing.physical_memory()),
            min_tokens=options.cache_min_tokens,
        ),
        draft_tokens=0 if options.draft_model == "none" else options.draft_model_num_pred_tokens,
        draft_ngram=options.draft_model_max_ngram_size,
    )


def open_disk(model: LlamaModel, options: ModelOptions) -> DiskStore | None:
    """The store of prefixes that survive a restart; None without a folder for it."""
    if not options.cache_disk_path or model.info.kind is not ModelKind.GENERATE:
        return None
    info = model.info
    fingerprint = Fingerprint(
        model=identity(info.path),
        llama_cpp=system.build(),
        n_embd=info.n_embd,
        n_layer=info.n_layer,
        type_k=options.cache_type_k,
        type_v=options.cache_type_v,
        flash_attn=options.flash_attn != "off",
    )
    path = Path(options.cache_disk_path).expanduser()
    store = DiskStore(path, n_bytes(options.cache_disk, "cache_disk"), str(fingerprint))
    store.flush(DISK_PATIENCE)  # what is there is known before the first request asks for it
    return store


def reading(model: LlamaModel) -> tuple[LlamaVocab, ChatTemplate | None]:
    """The model's tokens and its template. The tokens that end a text are made those that end an
    answer."""
    vocab = LlamaVocab(model)
    template = chat_template(model, vocab)
    if template is not None and model.info.kind is ModelKind.GENERATE:
        from mullama.text.ends import answer_ends

        vocab.eog = answer_ends(vocab, template)
    return vocab, template


def chat_template(model: LlamaModel, vocab: LlamaVocab) -> ChatTemplate | None:
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
    return ChatTemplate(source, bos=bos, eos=eos, tool_use=model.info.tool_template)


def open_runner(model: LlamaModel, options: ModelOptions) -> OwnedRunner | None:
    """The context that generates; None for a model that does not."""
    if model.info.kind is not ModelKind.GENERATE:
        return None
    memory = sizing.physical_memory()
    return LlamaRunner(
        model,
        ContextOptions(
            n_ctx=sizing.context_size(model.info, options, memory),
            n_batch=options.batch_size,
            n_ubatch=options.ubatch_size,
            n_lanes=sizing.n_lanes(options, memory_kind(model)),
            n_threads=options.threads,
            n_threads_batch=options.threads_batch,
            flash_attn=options.flash_attn,
            type_k=options.cache_type_k,
            type_v=options.cache_type_v,
            kv_offload=options.kv_offload,
            op_offload=options.op_offload,
        ),
    )


def open_embedder(model: LlamaModel, options: ModelOptions) -> OwnedEmbedder:
    """The context that embeds. Raises ModelError for a model that can't."""
    return LlamaEmbedder(
        model,
        n_ctx=sizing.embedding_size(model.info, options),
        n_threads=options.threads_batch or options.threads,
        flash_attn=options.flash_attn,
        kv_offload=options.kv_offload,
        op_offload=options.op_offload,
    )
