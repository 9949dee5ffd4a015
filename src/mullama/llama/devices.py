"""The devices that llama.cpp could use, and what it calls their memory: through ggml's own API.

The bindings leave that API out, so it is declared here: functions of pointers, numbers and texts,
no structs. They are looked up through libllama, and so are those of the very ggml that it uses.

Devices and buffer types live as long as the process. `devices` asks each for its memory, which may
wake a GPU's driver; `handles` does not.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from mullama.errors import ModelError
from mullama.llama.lib import C

CPU = "cpu"
_KINDS = (CPU, "gpu", "igpu", "accel")  # by ggml's number

_POINTER, _TEXT, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
_SIZE_OUT = ctypes.POINTER(ctypes.c_size_t)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as people see it. `kind` is cpu, gpu, igpu or accel; memory is in bytes.

    `buffer_type` names its memory in overrides. Of the CPU, ggml calls all memory free.
    """

    name: str
    kind: str
    buffer_type: str
    description: str
    memory_free: int
    memory_total: int


@dataclass(frozen=True, slots=True)
class DeviceHandle:
    """A device as llama.cpp takes it: its address, and the address of its buffer type."""

    name: str
    kind: str
    address: int
    buffer_type: str
    buffer_address: int


def devices() -> list[Device]:
    """The devices of this machine that llama.cpp was built for, the CPU among them."""
    return [_described(address) for address in _addresses()]


def handles() -> list[DeviceHandle]:
    """The same devices in the same order, to be given to llama.cpp."""
    return [_handle(address) for address in _addresses()]


def _declared(name: str, result: Any, *arguments: Any) -> Any:
    try:
        return ctypes.CFUNCTYPE(result, *arguments)((name, C._lib))
    except AttributeError as error:
        raise ModelError(
            f"The loaded llama.cpp lacks {name}. Install the library that was built with "
            "llama-cpp-python 0.3.36, and unset LLAMA_CPP_LIB_PATH if it is set."
        ) from error


_count = _declared("ggml_backend_dev_count", _SIZE)
_get = _declared("ggml_backend_dev_get", _POINTER, _SIZE)
_name = _declared("ggml_backend_dev_name", _TEXT, _POINTER)
_description = _declared("ggml_backend_dev_description", _TEXT, _POINTER)
_type = _declared("ggml_backend_dev_type", ctypes.c_int, _POINTER)
_memory = _declared("ggml_backend_dev_memory", None, _POINTER, _SIZE_OUT, _SIZE_OUT)
_buffer_type = _declared("ggml_backend_dev_buffer_type", _POINTER, _POINTER)
_buffer_name = _declared("ggml_backend_buft_name", _TEXT, _POINTER)


def _addresses() -> list[int]:
    return [_get(index) for index in range(_count())]


def _described(address: int) -> Device:
    handle = _handle(address)
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _memory(address, ctypes.byref(free), ctypes.byref(total))
    return Device(
        handle.name,
        handle.kind,
        handle.buffer_type,
        _decoded(_description(address)),
        free.value,
        total.value,
    )


def _handle(address: int) -> DeviceHandle:
    buffer_type = _buffer_type(address)
    return DeviceHandle(
        _decoded(_name(address)),
        _kind(address),
        address,
        _decoded(_buffer_name(buffer_type)) if buffer_type else "",
        buffer_type or 0,
    )


def _kind(address: int) -> str:
    number = _type(address)
    return _KINDS[number] if number < len(_KINDS) else "other"


def _decoded(text: bytes | None) -> str:
    return (text or b"").decode(errors="replace").strip()
