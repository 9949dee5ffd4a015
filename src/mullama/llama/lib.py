"""The one door to llama.cpp: every other module of this folder takes `C` from here.

`C` is llama-cpp-python's module of ctypes bindings, `llama_cpp.llama_cpp`. Its package is not
imported: that runs a high-level API that nobody here uses (190 ms and 17 MB, against 40 ms and
8 MB for the bindings alone).

The bindings repeat llama.cpp's structs field by field, and a library that was built from another
commit differs from them without a word: fields would be read from the wrong place, and calls that
return a struct would write past its end. So importing this module calls both functions that
return the default parameters, with a canary behind the struct, and refuses with a ModelError when
a value that must be there is not, or when the canary is dead.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from mullama.errors import ModelError

Fill = Callable[[ctypes.Structure], object]  # writes a struct to the start of the one given

_CANARY = 0xA5
_CANARY_BYTES = 64

# What llama.cpp's defaults are, at places spread over the structs: a field that was added or taken
# away before one of them moves it.
CONTEXT_DEFAULTS: Mapping[str, object] = {
    "n_ctx": 512,
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_seq_max": 1,
    "flash_attn_type": -1,
    "yarn_ext_factor": -1.0,
    "type_k": 1,
    "type_v": 1,
    "embeddings": False,
    "offload_kqv": True,
    "op_offload": True,
    "swa_full": True,
    "kv_unified": False,
    "n_samplers": 0,
}
MODEL_DEFAULTS: Mapping[str, object] = {
    "n_gpu_layers": -1,
    "split_mode": 1,
    "main_gpu": 0,
    "vocab_only": False,
    "check_tensors": False,
    "use_extra_bufts": True,
    "no_alloc": False,
}


# How long OpenMP's threads spin before they sleep. It bridges the gaps within a step; spinning on
# (GNU's own default is 300,000 turns or more) takes the core from the threads that serve clients.
# Without ACTIVE they hardly spin at all as soon as two threads of the program have computed, since
# those that sleep are counted, too: each step then takes twice as long with a small model.
WAIT_POLICY = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "10000"}


@contextmanager
def wait_policy(environ: MutableMapping[str, str] = os.environ) -> Iterator[None]:
    """The environment with a wait policy, where the user has none. GNU's library reads it once,
    when it is loaded; others of the program's, which take ACTIVE to mean for ever, never see it."""
    if WAIT_POLICY.keys() & environ.keys():
        yield
        return
    environ.update(WAIT_POLICY)
    try:
        yield
    finally:
        for name in WAIT_POLICY:
            environ.pop(name, None)


def load_bindings() -> Any:
    """The module `llama_cpp.llama_cpp`, without running its package. Raises ModelError."""
    try:
        if "llama_cpp" in sys.modules:
            return importlib.import_module("llama_cpp.llama_cpp")
        return _import_without_package("llama_cpp", "llama_cpp.llama_cpp")
    except ImportError as error:
        raise ModelError(
            f"llama-cpp-python can't be imported ({error}). "
            "Install it with: pip install llama-cpp-python==0.3.36"
        ) from error
    except (OSError, RuntimeError, AttributeError) as error:
        raise ModelError(
            f"llama.cpp's library can't be loaded: {error}. Install llama-cpp-python 0.3.36 again; "
            "LLAMA_CPP_LIB_PATH, if it is set, must name a library from the same commit."
        ) from error


def _import_without_package(package: str, module: str) -> ModuleType:
    """Import `package.module` with an empty stand-in for `package`, which then goes away.

    A later `import package` runs as ever and finds the module imported already.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"No module named {package!r}")
    stand_in = ModuleType(package)
    stand_in.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = stand_in
    try:
        return importlib.import_module(module)
    finally:
        del sys.modules[package]


def check_struct(
    struct: type[ctypes.Structure],
    fill: Fill,
    expected: Mapping[str, object],
) -> None:
    """Call `fill` on a struct with a canary behind it, and look at both.

    Raises ModelError, naming the struct, where a field is not as `expected` or the canary died.
    """

    class Guarded(ctypes.Structure):
        _fields_ = [("value", struct), ("canary", ctypes.c_uint8 * _CANARY_BYTES)]

    guarded = Guarded()
    ctypes.memset(ctypes.byref(guarded.canary), _CANARY, _CANARY_BYTES)
    fill(guarded)
    if bytes(guarded.canary) != bytes([_CANARY]) * _CANARY_BYTES:
        _refuse(struct, "it is longer in the library")
    for name, value in expected.items():
        found = getattr(guarded.value, name)
        if found != value:
            _refuse(struct, f"{name} is {found!r} where llama.cpp's default is {value!r}")


def _refuse(struct: type[ctypes.Structure], reason: str) -> None:
    raise ModelError(
        f"The loaded llama.cpp does not match llama-cpp-python's definitions: {struct.__name__} "
        f"differs ({reason}). Using it would crash. Install the library that was built with "
        "llama-cpp-python 0.3.36, and unset LLAMA_CPP_LIB_PATH if it is set."
    )


def returned_into(function: Any) -> Fill:
    """`function`, which returns a struct by value, as one that writes it to a place of ours.

    The caller of such a function passes the place. On x86-64 that is an ordinary hidden first
    argument, so it can have a canary behind it. Elsewhere it has a register of its own: there the
    longer struct is returned as a whole, which is as safe, and only its values are looked at.
    """
    address = ctypes.cast(function, ctypes.c_void_p).value or 0

    def write(place: ctypes.Structure) -> None:
        ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(address)(ctypes.addressof(place))

    def copy(place: ctypes.Structure) -> None:
        value = ctypes.CFUNCTYPE(type(place))(address)().value
        ctypes.memmove(ctypes.addressof(place), ctypes.addressof(value), ctypes.sizeof(value))

    return write if platform.machine().lower() in ("x86_64", "amd64") else copy


def _load() -> Any:
    with wait_policy():
        bindings = load_bindings()
    for struct, function, expected in (
        (bindings.llama_context_params, "llama_context_default_params", CONTEXT_DEFAULTS),
        (bindings.llama_model_params, "llama_model_default_params", MODEL_DEFAULTS),
    ):
        check_struct(struct, returned_into(getattr(bindings, function)), expected)
    bindings.llama_backend_init()
    return bindings


C: Any = _load()
