"""The devices of this machine, whatever they are: there is always a CPU."""

from __future__ import annotations

import ctypes

import pytest

from mullama.errors import ModelError
from mullama.llama import devices
from mullama.llama.system import supports_gpu_offload


def test_the_cpu_is_a_device_with_memory() -> None:
    (cpu,) = (one for one in devices.devices() if one.kind == "cpu")
    assert (cpu.name, cpu.buffer_type) == ("CPU", "CPU")
    assert cpu.description
    assert 0 < cpu.memory_free <= cpu.memory_total


def test_there_is_a_gpu_where_llama_cpp_says_so() -> None:
    assert any("gpu" in one.kind for one in devices.devices()) == supports_gpu_offload()


def test_handles_are_the_same_devices() -> None:
    handles = devices.handles()
    facts = [(one.name, one.kind, one.buffer_type) for one in devices.devices()]
    assert [(one.name, one.kind, one.buffer_type) for one in handles] == facts
    assert all(one.address for one in handles)
    assert len({one.address for one in handles}) == len(handles)


def test_a_library_that_lacks_a_function_is_refused() -> None:
    with pytest.raises(ModelError, match="lacks ggml_no_such_function"):
        devices._declared("ggml_no_such_function", ctypes.c_int)
