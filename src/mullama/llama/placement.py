"""Where a model's weights lie: on which devices, how many layers, and which tensors elsewhere.

llama.cpp settles it in steps, and each option belongs to one:

1. `devices` are those that it may use; None are all, () is the CPU alone.
2. `n_gpu_layers`, counted from the last layer, go to them; `split_mode`, `main_gpu` and
   `tensor_split` say how they share these, in the order of the devices.
3. Of `overrides`, the first whose pattern is found in a tensor's name says where that one is kept,
   whatever the layer's device. The patterns for experts come behind the user's own, which so win.

Names are looked up among the devices that there are; what is not there is refused with a list of
what is. It does not know where the KV cache is, which is a context's business, nor which tensors a
model has: a pattern that none has changes nothing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mullama.errors import InvalidRequest
from mullama.llama.devices import CPU, DeviceHandle, handles
from mullama.llama.lib import C

_SPLIT_MODES = {"none": 0, "layer": 1, "row": 2}
# How llama.cpp names the weights of experts that tokens choose (chexps are those of groups).
_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"


@dataclass(frozen=True, slots=True)
class Placement:
    """What was asked for, in names. `n_gpu_layers` -1 means all of them.

    `overrides` are pairs of a regular expression and a buffer type; `cpu_moe` keeps the weights of
    all layers' experts on the CPU, `n_cpu_moe` those of the first layers.
    """

    n_gpu_layers: int = 0
    main_gpu: int = 0
    split_mode: str = "layer"
    tensor_split: Sequence[float] = ()
    devices: tuple[str, ...] | None = None
    overrides: tuple[tuple[str, str], ...] = ()
    cpu_moe: bool = False
    n_cpu_moe: int = 0


DEFAULT_PLACEMENT = Placement()


class _Override(ctypes.Structure):
    """llama_model_tensor_buft_override, which the bindings leave out."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p))


def fill(
    params: Any, placement: Placement, there: Sequence[DeviceHandle] | None = None
) -> list[object]:
    """Write a placement into a llama_model_params; `there` are the devices, None those of ggml.

    What is returned holds the arrays that `params` points to. Raises InvalidRequest for what can't
    be, naming the option.
    """
    params.n_gpu_layers = placement.n_gpu_layers
    params.main_gpu = placement.main_gpu
    params.split_mode = _split_mode(placement.split_mode)
    kept: list[object] = []
    if placement.tensor_split:
        shares = _shares(placement.tensor_split)
        params.tensor_split = shares
        kept.append(shares)
    there = handles() if there is None else there
    if placement.devices is not None:
        there = _chosen(placement.devices, there)
        gpus = [one.address for one in there if one.kind != CPU]
        devices = (ctypes.c_void_p * (len(gpus) + 1))(*gpus)
        params.devices = ctypes.addressof(devices)
        kept.append(devices)
    if pairs := _overrides(placement, there):
        patterns = [pattern.encode() for pattern, _ in pairs]
        overrides = (_Override * (len(pairs) + 1))()  # the last one stays NULL
        for override, pattern, (_, buffer_type) in zip(overrides, patterns, pairs, strict=False):
            override.pattern, override.buffer_type = pattern, buffer_type
        params.tensor_buft_overrides = ctypes.addressof(overrides)
        kept += [patterns, overrides]
    return kept


def remarks(placement: Placement, *, has_gpu: bool, mmap: bool, has_experts: bool) -> Iterator[str]:
    """What of a placement changes nothing, or would do better otherwise."""
    n_layers = placement.n_gpu_layers
    if n_layers and placement.devices != () and not has_gpu:
        yield (
            f"gpu_layers is {n_layers}, but this llama.cpp was built without GPU support: all "
            "layers are on the CPU."
        )
    if placement.devices and not n_layers:
        yield (
            f"device is {','.join(placement.devices)}, but gpu_layers is 0: no layers are put "
            "there. -1 puts all."
        )
    experts = placement.cpu_moe or placement.n_cpu_moe > 0
    if experts and not has_experts:
        yield "This model has no experts: cpu_moe and n_cpu_moe change nothing."
    if has_gpu and mmap and (experts or any(to == "CPU" for _, to in placement.overrides)):
        yield "Tensors are kept on the CPU by override: with mmap off that may be faster."


def _split_mode(name: str) -> int:
    if name not in _SPLIT_MODES:
        raise InvalidRequest(
            f"split_mode is {name!r}; it must be one of {', '.join(_SPLIT_MODES)}.",
            param="split_mode",
        )
    return _SPLIT_MODES[name]


def _shares(shares: Sequence[float]) -> Any:
    """llama.cpp reads one share for each device that there could be."""
    most = int(C.llama_max_devices())
    if len(shares) > most or any(not share >= 0 for share in shares):
        raise InvalidRequest(
            f"tensor_split has {len(shares)} shares; give at most {most}, none of them negative.",
            param="tensor_split",
        )
    return (ctypes.c_float * most)(*shares)


def _chosen(names: Sequence[str], there: Sequence[DeviceHandle]) -> list[DeviceHandle]:
    """The devices of these names, in their order, and the CPU, which is always used."""
    gpus = {one.name.lower(): one for one in there if one.kind != CPU}
    for name in names:
        if name.lower() not in gpus:
            known = ", ".join(one.name for one in gpus.values())
            raise InvalidRequest(
                f"There is no device {name!r} to put layers on. "
                + (f"There are {known}" if known else "There are none but the CPU")
                + "; none puts them all on the CPU.",
                param="device",
            )
    chosen = [gpus[name.lower()] for name in names]
    return chosen + [one for one in there if one.kind == CPU]


def _overrides(placement: Placement, there: Sequence[DeviceHandle]) -> list[tuple[str, int]]:
    """Patterns, and the addresses of the buffer types that tensors of such names are kept in."""
    types = {one.buffer_type: one.buffer_address for one in there if one.buffer_address}
    pairs = []
    for pattern, name in placement.overrides:
        if name not in types:
            raise InvalidRequest(
                f"There is no buffer type {name!r} for the tensors of {pattern!r}. "
                f"There are {', '.join(types)}.",
                param="override_tensor",
            )
        pairs.append((pattern, types[name]))
    cpu = next((one.buffer_address for one in there if one.kind == CPU), 0)
    return pairs + [(pattern, cpu) for pattern in _experts(placement)]


def _experts(placement: Placement) -> list[str]:
    if placement.cpu_moe:
        return [_EXPERTS]
    most = int(C.llama_max_tensor_buft_overrides())
    if placement.n_cpu_moe > most:
        raise InvalidRequest(
            f"n_cpu_moe is {placement.n_cpu_moe}; the most is {most}. cpu_moe takes all layers.",
            param="n_cpu_moe",
        )
    return [rf"blk\.{layer}{_EXPERTS}" for layer in range(placement.n_cpu_moe)]
