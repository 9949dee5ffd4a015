"""Where a model's weights lie: what reaches llama.cpp, what is refused, and what llama.cpp does.

Of GPUs, made-up ones are enough to see what is asked of llama.cpp; what it does is seen on the CPU,
in its own log.
"""

from __future__ import annotations

import ctypes
import logging
import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from mullama.errors import InvalidRequest, ModelError
from mullama.llama.devices import DeviceHandle
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.llama.placement import Placement, _Override, fill, remarks
from mullama.models.gguf import read_info
from tests import gguf_models
from tests.memory_models import N_LAYER, write_memory_model

CPU = DeviceHandle("CPU", "cpu", 10, "CPU", 11)
CUDA0 = DeviceHandle("CUDA0", "gpu", 20, "CUDA0", 21)
CUDA1 = DeviceHandle("CUDA1", "gpu", 30, "CUDA1", 31)
REMOTE = DeviceHandle("RPC0", "gpu", 40, "RPC0[box:50052]", 41)
THERE = (CUDA0, CUDA1, REMOTE, CPU)


def filled(placement: Placement, *there: DeviceHandle) -> tuple[Any, list[object]]:
    params = C.llama_model_default_params()
    return params, fill(params, placement, there or THERE)


def devices(placement: Placement) -> list[int]:
    """The addresses that llama.cpp would read: up to the first NULL."""
    params, _kept = filled(placement)
    return list(takewhile(bool, ctypes.cast(params.devices, ctypes.POINTER(ctypes.c_void_p))))


def overrides(placement: Placement) -> list[tuple[str, int]]:
    """The pairs that llama.cpp would read: up to the first NULL."""
    params, _kept = filled(placement)
    entries = ctypes.cast(params.tensor_buft_overrides, ctypes.POINTER(_Override))
    read = takewhile(lambda one: one.pattern is not None, entries)
    return [(one.pattern.decode(), one.buffer_type) for one in read]


# ------------------------------------------------------------------------- what reaches llama.cpp


def test_without_a_word_llama_cpp_uses_what_it_finds() -> None:
    params, kept = filled(Placement())
    assert (params.n_gpu_layers, params.main_gpu, params.split_mode) == (0, 0, 1)
    assert not params.devices
    assert not params.tensor_buft_overrides
    assert not params.tensor_split
    assert kept == []


def test_numbers_and_words_are_passed_on() -> None:
    params, _kept = filled(
        Placement(n_gpu_layers=-1, main_gpu=1, split_mode="row", tensor_split=(3, 1))
    )
    assert (params.n_gpu_layers, params.main_gpu, params.split_mode) == (-1, 1, 2)
    most = C.llama_max_devices()
    assert params.tensor_split[:most] == [3, 1, *[0] * (most - 2)]


def test_devices_are_passed_in_the_order_of_their_names() -> None:
    assert devices(Placement(devices=("CUDA1", "cuda0"))) == [30, 20]
    assert devices(Placement(devices=("RPC0",))) == [40]


def test_no_device_at_all_is_a_list_of_none() -> None:
    """NULL instead of a list would be all of them."""
    params, _kept = filled(Placement(devices=()))
    assert params.devices
    assert devices(Placement(devices=())) == []


def test_overrides_are_passed_in_their_order_with_the_addresses_of_the_types() -> None:
    asked = ((r"blk\.0\.", "CUDA1"), ("exps", "CPU"), ("output", "RPC0[box:50052]"))
    assert overrides(Placement(overrides=asked)) == [
        (r"blk\.0\.", 31),
        ("exps", 11),
        ("output", 41),
    ]


def test_what_the_user_says_of_experts_comes_before_the_rule_for_all() -> None:
    asked = Placement(overrides=((r"blk\.3\..*exps", "CUDA0"),), cpu_moe=True)
    (own, _), (experts, address) = overrides(asked)
    assert own == r"blk\.3\..*exps"
    assert address == CPU.buffer_address
    assert re.search(experts, "blk.3.ffn_gate_up_exps.weight")


EXPERTS = [
    f"blk.{layer}.ffn_{name}.weight"
    for layer in (0, 1, 10)
    for name in ("up_exps", "down_exps", "gate_exps", "gate_up_exps", "up_chexps")
]
OTHERS = ["blk.0.ffn_up.weight", "blk.0.ffn_up_shexp.weight", "blk.0.ffn_gate_inp.weight"]


@pytest.mark.parametrize(
    ("placement", "layers"),
    [
        (Placement(cpu_moe=True), {0, 1, 10}),
        (Placement(cpu_moe=True, n_cpu_moe=1), {0, 1, 10}),
        (Placement(n_cpu_moe=1), {0}),
        (Placement(n_cpu_moe=2), {0, 1}),
        (Placement(n_cpu_moe=11), {0, 1, 10}),
    ],
)
def test_experts_of_all_layers_or_of_the_first(placement: Placement, layers: set[int]) -> None:
    patterns = [pattern for pattern, _ in overrides(placement)]
    found = {name for name in EXPERTS + OTHERS for one in patterns if re.search(one, name)}
    assert found == {name for name in EXPERTS if int(name.split(".")[1]) in layers}


def test_what_the_params_point_to_is_kept_with_the_model(random_file: Path) -> None:
    placement = Placement(devices=(), tensor_split=(1,), overrides=((".*", "CPU"),))
    with LlamaModel.load(read_info(random_file), placement=placement) as model:
        assert isinstance(model._kept, list)
        assert len(model._kept) == 4  # the shares, the devices, the patterns, the overrides


# ---------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("placement", "param", "words"),
    [
        (Placement(split_mode="diagonal"), "split_mode", "none, layer, row"),
        (Placement(tensor_split=[1.0] * 1000), "tensor_split", "1000 shares; give at most"),
        (Placement(tensor_split=[-1.0]), "tensor_split", "none of them negative"),
        (Placement(tensor_split=[float("nan")]), "tensor_split", "none of them negative"),
        (Placement(devices=("CUDA7",)), "device", "'CUDA7'.* There are CUDA0, CUDA1, RPC0;"),
        (Placement(devices=("CUDA0", "CPU")), "device", "'CPU' to put layers on"),
        (
            Placement(overrides=(("exps", "GPU"),)),
            "override_tensor",
            r"'GPU' for the tensors of 'exps'. There are CUDA0, CUDA1, RPC0\[box:50052\], CPU\.",
        ),
        (
            Placement(devices=("CUDA1",), overrides=(("exps", "CUDA0"),)),
            "override_tensor",
            r"There are CUDA1, CPU\.",
        ),
        (Placement(n_cpu_moe=1 << 20), "n_cpu_moe", "the most is"),
    ],
)
def test_what_can_not_be_is_named_with_what_can(
    placement: Placement, param: str, words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        filled(placement)
    assert caught.value.param == param


def test_where_there_is_only_a_cpu_no_device_is_listed() -> None:
    with pytest.raises(InvalidRequest, match="There are none but the CPU; none puts"):
        filled(Placement(devices=("CUDA0",)), CPU)


def test_a_device_that_is_not_there_is_refused_before_anything_is_loaded(random_file: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        LlamaModel.load(read_info(random_file), placement=Placement(devices=("CUDA99",)))
    assert caught.value.param == "device"


def test_a_pattern_that_only_llama_cpp_refuses_is_its_reason(random_file: Path) -> None:
    placement = Placement(overrides=(("(?<=a)b", "CPU"),))
    with pytest.raises(ModelError, match=r"Can't load .*regular expression"):
        LlamaModel.load(read_info(random_file), placement=placement)


# ----------------------------------------------------------------------------- what changes nothing


@pytest.mark.parametrize(
    ("placement", "facts", "words"),
    [
        (Placement(n_gpu_layers=3), {"has_gpu": False}, ["built without GPU support"]),
        (Placement(n_gpu_layers=3, devices=()), {"has_gpu": False}, []),
        (Placement(n_gpu_layers=3), {}, []),
        (Placement(devices=("CUDA0",)), {}, ["device is CUDA0, but gpu_layers is 0"]),
        (Placement(cpu_moe=True), {"has_experts": False}, ["has no experts"]),
        (Placement(n_cpu_moe=2), {"has_experts": False}, ["has no experts"]),
        (Placement(n_cpu_moe=2), {"mmap": True}, ["with mmap off"]),
        (Placement(overrides=(("a", "CPU"),)), {"mmap": True}, ["with mmap off"]),
        (Placement(overrides=(("a", "CPU"),)), {"mmap": True, "has_gpu": False}, []),
        (Placement(overrides=(("a", "CUDA0"),)), {"mmap": True}, []),
        (Placement(), {"mmap": True}, []),
    ],
)
def test_what_is_vain_is_said(
    placement: Placement, facts: dict[str, bool], words: list[str]
) -> None:
    said = list(
        remarks(placement, **({"has_gpu": True, "mmap": False, "has_experts": True} | facts))
    )
    assert len(said) == len(words)
    assert all(word in line for word, line in zip(words, said, strict=True))


def test_a_model_without_experts_says_so_once_it_is_loaded(
    random_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    LlamaModel.load(read_info(random_file), placement=Placement(n_cpu_moe=1)).close()
    assert "This model has no experts" in caplog.text


# ---------------------------------------------------------------------- what llama.cpp does with it


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with experts in each of its layers."""
    return write_memory_model(tmp_path_factory.mktemp("experts") / "moe.gguf", "gpt-oss")


def overridden(path: Path, placement: Placement, caplog: pytest.LogCaptureFixture) -> set[str]:
    """The tensors that an override took, as llama.cpp's log has them."""
    with caplog.at_level(logging.DEBUG, "mullama.llama"):
        LlamaModel.load(read_info(path), placement=placement).close()
    return set(re.findall(r"tensor (\S+) .* buffer type overridden to CPU", caplog.text))


def test_llama_cpp_takes_the_tensors_that_match(
    random_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    placement = Placement(overrides=((r"blk\.1\.attn_(q|k)", "CPU"),))
    taken = overridden(random_file, placement, caplog)
    assert taken == {"blk.1.attn_q.weight", "blk.1.attn_k.weight"}


def test_llama_cpp_takes_all_of_them(random_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    taken = overridden(random_file, Placement(overrides=((".*", "CPU"),)), caplog)
    assert len(taken) == 3 + 9 * gguf_models.N_LAYER


@pytest.mark.parametrize(
    ("placement", "n_layers"),
    [(Placement(cpu_moe=True), N_LAYER), (Placement(n_cpu_moe=2), 2)],
)
def test_llama_cpp_takes_the_experts(
    mixture: Path, placement: Placement, n_layers: int, caplog: pytest.LogCaptureFixture
) -> None:
    taken = overridden(mixture, placement, caplog)
    weights = {name for name in taken if name.endswith(".weight")}
    assert weights == {
        f"blk.{layer}.ffn_{name}_exps.weight"
        for layer in range(n_layers)
        for name in ("gate", "up", "down")
    }
    assert "has no experts" not in caplog.text
