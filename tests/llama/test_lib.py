"""Loading llama.cpp: without its package, never against the wrong structs."""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys

import pytest

from mullama.errors import ModelError
from mullama.llama import lib


class Params(ctypes.Structure):
    _fields_ = (("n_ctx", ctypes.c_uint32), ("n_batch", ctypes.c_uint32), ("on", ctypes.c_bool))


class LongerParams(ctypes.Structure):
    _fields_ = (*Params._fields_, ("added", ctypes.c_uint64))


DEFAULTS = {"n_ctx": 512, "n_batch": 2048, "on": True}


def writing(value: ctypes.Structure) -> lib.Fill:
    return lambda place: ctypes.memmove(
        ctypes.addressof(place), ctypes.addressof(value), ctypes.sizeof(value)
    )


def test_a_struct_that_agrees_is_accepted() -> None:
    lib.check_struct(Params, writing(Params(512, 2048, True)), DEFAULTS)


def test_a_struct_with_other_values_is_refused_by_field() -> None:
    with pytest.raises(ModelError, match=r"Params differs \(n_batch is 512 where .* is 2048\)"):
        lib.check_struct(Params, writing(Params(512, 512, True)), DEFAULTS)


def test_a_struct_that_is_longer_in_the_library_is_refused() -> None:
    with pytest.raises(ModelError, match=r"Params differs \(it is longer in the library\)"):
        lib.check_struct(Params, writing(LongerParams(512, 2048, True, 7)), DEFAULTS)


@pytest.mark.parametrize(
    ("struct", "function", "defaults"),
    [
        ("llama_context_params", "llama_context_default_params", lib.CONTEXT_DEFAULTS),
        ("llama_model_params", "llama_model_default_params", lib.MODEL_DEFAULTS),
    ],
)
def test_the_loaded_library_agrees(struct: str, function: str, defaults: dict[str, object]) -> None:
    fill = lib.returned_into(getattr(lib.C, function))
    lib.check_struct(getattr(lib.C, struct), fill, defaults)


def test_a_shifted_definition_of_the_loaded_library_is_refused() -> None:
    """A field that llama.cpp has and the bindings lack, as after an update of the library alone."""
    fields = [field for field in lib.C.llama_context_params._fields_ if field[0] != "n_ubatch"]
    shifted = type("shifted", (ctypes.Structure,), {"_fields_": fields})
    with pytest.raises(ModelError, match="shifted differs"):
        lib.check_struct(
            shifted,
            lib.returned_into(lib.C.llama_context_default_params),
            {name: value for name, value in lib.CONTEXT_DEFAULTS.items() if name != "n_ubatch"},
        )


def test_the_high_level_package_is_not_imported_and_can_be_later() -> None:
    code = """
import sys
from mullama.llama.lib import C
assert C.__name__ == "llama_cpp.llama_cpp"
assert "llama_cpp" not in sys.modules and "llama_cpp.llama" not in sys.modules
import llama_cpp
assert llama_cpp.llama_cpp is C and llama_cpp.Llama
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_missing_bindings_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install llama-cpp-python"):
        lib.load_bindings()


def test_a_library_that_does_not_load_says_so() -> None:
    code = """
from mullama.errors import ModelError
try:
    import mullama.llama.lib
except ModelError as error:
    assert "library can't be loaded" in error.message, error
else:
    raise SystemExit("loaded")
"""
    environ = {"LLAMA_CPP_LIB_PATH": "/nowhere"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environ)


@pytest.mark.parametrize("said", [{"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "5"}])
def test_the_wait_policy_of_the_user_stays(said: dict[str, str]) -> None:
    environ = dict(said)
    with lib.wait_policy(environ):
        assert environ == said
    assert environ == said


def test_a_wait_policy_holds_while_the_library_is_loaded_where_the_user_has_none() -> None:
    environ = {"PATH": "/bin"}
    with lib.wait_policy(environ):
        assert environ == {"PATH": "/bin", **lib.WAIT_POLICY}
    assert environ == {"PATH": "/bin"}
