"""Every option, declared once. CLI flags, environment variables and docs derive from here.

An option is a dataclass field made by `option()`; its metadata has the flag, the help text and the
short flags. The environment variable is `MULLAMA_` plus the field's name in capitals.
Precedence: flag, then environment, then a configuration file (`config.file`), then default.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from mullama.errors import InvalidRequest

# The types that a KV cache can have; the last ones are quantized.
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
_PLAIN_TYPES = CACHE_TYPES[:3]


def option(
    default: Any,
    help: str,
    *,
    flag: str | None = None,
    short: tuple[str, ...] = (),
    repeats: bool = False,
) -> Any:
    """A dataclass field that is also a CLI flag and an environment variable.

    A text that `repeats` may be given several times, which is the same as with commas in between.
    """
    metadata = {"help": help, "flag": flag, "short": short, "repeats": repeats}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is loaded and run."""

    gpu_layers: int = option(0, "Layers to keep on the GPU; -1 for all.", short=("-ngl",))
    context_size: int = option(
        0,
        "KV cells: tokens that all running and cached sequences share; one request can use all of "
        "them. 0 takes the model's own limit, up to 32768 and a quarter of the machine's memory.",
    )
    parallel: int = option(16, "Sequences computed at once; more requests wait in the queue.")
    queue_size: int = option(512, "Answers that may wait; one more is refused with 503.")
    max_wait: float = option(
        0.0, "Seconds that a request may wait for its turn, or 0 for any time; then it gets 503."
    )
    batch_size: int = option(2048, "Most rows of one llama_decode (n_batch).")
    ubatch_size: int = option(
        512, "Rows computed at once (n_ubatch). Embedding models take what their inputs need."
    )
    threads: int = option(0, "Compute threads while generating; 0 for one a core.")
    threads_batch: int = option(0, "Compute threads for prompts; 0 for the same as --threads.")
    target_gap_ms: int = option(
        100, "While anyone streams, prompts are computed in chunks that keep gaps below this."
    )
    flash_attn: str = option("auto", "Flash attention: on, off or auto (on where it can be).")
    cache_type_k: str = option("f16", "KV cache type of keys: f16, f32, bf16, q8_0, q4_0, ...")
    cache_type_v: str = option("f16", "KV cache type of values.")
    cache_ram: str = option(
        "auto",
        "Host memory for cached prefixes that leave the KV cache, such as 2GiB; 0 for none. "
        "auto takes an eighth of the machine's memory, up to 8GiB.",
    )
    cache_disk_path: str = option(
        "",
        "Folder for cached prefixes that survive a restart; several servers may share it. None "
        "are written where it is not given.",
    )
    cache_disk: str = option("10GiB", "The most that the folder of --cache-disk-path may take.")
    cache_min_tokens: int = option(
        32, "Cached prefixes of fewer tokens are not kept outside the KV cache."
    )
    draft_model: str = option(
        "prompt-lookup-decoding",
        "Where drafts come from: prompt-lookup-decoding (from the text itself, as far as they are "
        "worth their cost) or none.",
    )
    draft_model_num_pred_tokens: int = option(10, "Most tokens of a draft.")
    draft_model_max_ngram_size: int = option(
        16, "Tokens from which on two matches of a text with its own past count as equally long."
    )
    mmap: bool = option(True, "Map the model file into memory instead of reading it.")
    mlock: bool = option(False, "Keep the model's pages in memory.")
    device: str = option(
        "",
        "Devices to put layers on, such as CUDA0,CUDA1, or none; else those that llama.cpp finds. "
        "mullama devices lists them.",
        short=("-dev",),
    )
    main_gpu: int = option(0, "The GPU to use when the model is not split.")
    split_mode: str = option("layer", "How to split over several GPUs: none, layer or row.")
    tensor_split: str = option("", "Shares of the model for each GPU, such as 3,1.")
    override_tensor: str = option(
        "",
        "Where tensors are kept whose names match a regular expression, such as ffn_up=CPU or "
        "blk.0=CUDA0,exps=CPU; the first match counts. mullama devices lists the names.",
        short=("-ot",),
        repeats=True,
    )
    cpu_moe: bool = option(False, "Keep the weights of all experts on the CPU.", short=("-cmoe",))
    n_cpu_moe: int = option(
        0, "Keep the weights of the first N layers' experts on the CPU.", short=("-ncmoe",)
    )
    kv_offload: bool = option(
        True, "Keep each layer's KV cache where the layer is.", short=("-kvo/-nkvo",)
    )
    op_offload: bool = option(
        True, "Compute large batches on a GPU also where the weights are on the CPU."
    )
    chat_template: str | tuple[str, ...] = option(
        "", "Chat template instead of the model's own: Jinja text, or @ and a file's path."
    )
    response_schema: str = option(
        "",
        "How answers are read, instead of what the chat template shows: a response schema as JSON "
        "text, or @ and a file's path.",
    )

    def __post_init__(self) -> None:
        _check_types(self)
        _at_least(self, 0, "context_size", "threads", "threads_batch")
        _at_least(self, 1, "parallel", "queue_size", "batch_size", "ubatch_size", "target_gap_ms")
        _at_least(self, -1, "gpu_layers")
        _at_least(self, 0, "max_wait", "n_cpu_moe")
        _at_least(
            self,
            1,
            "cache_min_tokens",
            "draft_model_num_pred_tokens",
            "draft_model_max_ngram_size",
        )
        _one_of(self, "draft_model", "prompt-lookup-decoding", "none")
        n_bytes(self.cache_disk, "cache_disk")
        if self.cache_ram != "auto":
            ram = n_bytes(self.cache_ram, "cache_ram")
            if self.cache_disk_path and not ram:
                raise InvalidRequest(
                    "cache_disk_path needs cache_ram, through which prefixes pass; set it to some "
                    "size, such as 256MiB.",
                    param="cache_ram",
                )
        _one_of(self, "flash_attn", "on", "off", "auto")
        _one_of(self, "split_mode", "none", "layer", "row")
        _one_of(self, "cache_type_k", *CACHE_TYPES)
        _one_of(self, "cache_type_v", *CACHE_TYPES)
        if self.flash_attn == "off" and self.cache_type_v not in _PLAIN_TYPES:
            raise InvalidRequest(
                f"cache_type_v {self.cache_type_v!r} needs flash attention, and flash_attn is off; "
                f"turn it on, or take one of {', '.join(_PLAIN_TYPES)}.",
                param="cache_type_v",
            )
        shares(self.tensor_split)
        devices(self.device)
        overrides(self.override_tensor)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server offers: its file, and how it is loaded and run."""

    path: Path
    options: ModelOptions


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the server listens, and how it treats models that are not there yet."""

    host: str = option("127.0.0.1", "Address to listen on; 0.0.0.0 for every one.", short=("-h",))
    port: int = option(8080, "Port to listen on; 0 picks a free one.", short=("-p",))
    cors_origins: str = option("*", "Origins that browsers may call from, separated by commas.")
    max_body_mb: int = option(64, "Largest request body, in MiB.")
    load_wait: float = option(
        600.0,
        "Seconds that a request waits for its model to load; 0 answers 503 with Retry-After.",
    )
    shutdown_timeout: float = option(
        30.0, "Seconds that running answers get to finish when the server is told to stop."
    )
    ping_interval: float = option(
        5.0,
        "Seconds of silence after which a stream carries a comment to stay open; the first one "
        "sends its status, too.",
    )
    client_timeout: float = option(
        30.0,
        "Seconds that a client may be silent in the middle of sending a request, or take nothing "
        "of its answer.",
    )
    reasoning_field: str = option(
        "reasoning_content",
        "The field of messages that has a model's thoughts: reasoning_content, reasoning or both.",
    )
    log_level: str = option("info", "debug, info, warning or error.")

    def __post_init__(self) -> None:
        _check_types(self)
        _one_of(self, "reasoning_field", "reasoning_content", "reasoning", "both")
        _at_least(self, 0, "load_wait", "shutdown_timeout")
        _at_least(self, 1, "max_body_mb")
        _one_of(self, "log_level", "debug", "info", "warning", "error")
        if not 0 <= self.port <= 65535:
            raise InvalidRequest(f"port is {self.port}; it must be 0 to 65535.", param="port")
        for name in ("ping_interval", "client_timeout"):
            if not getattr(self, name) > 0:
                raise InvalidRequest(f"{name} must be more than 0.", param=name)


def n_bytes(text: str, param: str) -> int:
    """A size such as 2GiB, 500MB or 1048576, in bytes. Raises InvalidRequest, naming `param`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if match is None:
        raise InvalidRequest(f"{param} is {text!r}; it must be a size, such as 2GiB.", param=param)
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** (" kmgt".index(unit or " ")))


def shares(text: str) -> list[float]:
    """tensor_split as numbers: `3,1`. Raises InvalidRequest."""
    try:
        return [float(share) for share in text.split(",")] if text.strip() else []
    except ValueError:
        raise InvalidRequest(
            f"tensor_split is {text!r}; it must be numbers separated by commas, such as 3,1.",
            param="tensor_split",
        ) from None


def devices(text: str) -> tuple[str, ...] | None:
    """device as names: `CUDA0,CUDA1`. () for `none`, None for no text. Raises InvalidRequest."""
    if not text.strip():
        return None
    names = [name.strip() for name in text.split(",")]
    folded = {name.lower() for name in names}  # as ggml compares them
    if folded == {"none"}:
        return ()
    if "" in folded or "none" in folded or len(folded) < len(names):
        raise InvalidRequest(
            f"device is {text!r}; it must be names separated by commas, each once, or none alone.",
            param="device",
        )
    return tuple(names)


def overrides(text: str) -> tuple[tuple[str, str], ...]:
    """override_tensor as patterns and buffer types: `exps=CPU`. Raises InvalidRequest.

    llama.cpp's regular expressions are ECMAScript's. What Python, too, takes for none is refused
    here, as are groups that only Python knows; llama.cpp refuses the rest when it loads.
    """
    pairs = []
    for part in filter(None, map(str.strip, text.split(","))):
        pattern, _, buffer_type = part.rpartition("=")
        if not (pattern and buffer_type):
            raise InvalidRequest(
                f"override_tensor has {part!r}; it must be patterns and buffer types separated by "
                "commas, such as ffn_up=CPU. A pattern can have no comma.",
                param="override_tensor",
            )
        pairs.append((_pattern(pattern), buffer_type))
    return tuple(pairs)


def _pattern(text: str) -> str:
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(text)
        if group := re.search(r"\(\?[^:=!]", text):
            raise re.error(f"ECMAScript's have no {group[0]}")
    except re.error as error:
        raise InvalidRequest(
            f"override_tensor has the pattern {text!r}, which is no regular expression: {error}.",
            param="override_tensor",
        ) from None
    return text


def flag(item: Field[Any]) -> str:
    """The long command-line flag of an option: `gpu_layers` is `--gpu-layers`."""
    return item.metadata["flag"] or "--" + item.name.replace("_", "-")


def variable(item: Field[Any]) -> str:
    """The environment variable of an option: `gpu_layers` is `MULLAMA_GPU_LAYERS`."""
    return "MULLAMA_" + item.name.upper()


_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "bool": (bool, "true or false"),
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "str": (str, "a text"),
}


def _check_types(options: Any) -> None:
    """Raises InvalidRequest for a value of another type than its field's: 1.5 is no int."""
    for item in fields(options):
        kind, words = _KINDS.get(str(item.type), (object, ""))
        value = getattr(options, item.name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise InvalidRequest(f"{item.name} is {value!r}; it must be {words}.", param=item.name)


def _at_least(options: Any, low: int, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if not value >= low:  # also true for NaN
            raise InvalidRequest(f"{name} is {value}; the least is {low}.", param=name)


def _one_of(options: Any, name: str, *words: str) -> None:
    value = getattr(options, name)
    if value not in words:
        raise InvalidRequest(
            f"{name} is {value!r}; it must be one of {', '.join(words)}.", param=name
        )
