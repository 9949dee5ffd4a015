"""What is said about the machine and the library."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mullama.llama import system


def test_the_facts_have_their_types() -> None:
    assert isinstance(system.supports_gpu_offload(), bool)
    assert system.max_devices() >= 1
    assert "CPU" in system.system_info()


def siblings(folder: Path, groups: list[str]) -> None:
    for cpu, group in enumerate(groups):
        topology = folder / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(group + "\n")


@pytest.mark.parametrize(
    ("allowed", "quota", "expected"),
    [
        ({0, 1, 2, 3}, "max 100000", 2),
        ({0, 2}, "max 100000", 1),
        ({0, 1}, "max 100000", 2),
        ({0, 1, 2, 3}, "150000 100000", 2),
        ({0, 1, 2, 3}, "50000 100000", 1),
    ],
)
def test_threads_are_physical_cores_within_what_is_allowed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    allowed: set[int],
    quota: str,
    expected: int,
) -> None:
    siblings(tmp_path, ["0,2", "1,3", "0,2", "1,3"])
    (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(system, "_CPUS", tmp_path)
    monkeypatch.setattr(system, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: allowed, raising=False)
    assert system.default_threads() == expected


def test_a_machine_that_says_nothing_gives_a_thread_for_each_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "_CPUS", tmp_path)
    monkeypatch.setattr(system, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 9}, raising=False)
    assert system.default_threads() == 3


@pytest.mark.parametrize(
    ("info", "comment", "expected"),
    [
        ("AMX_INT8 = 1", b"GCC: (Debian 12.2.0-14) 12.2.0", True),
        ("AMX_INT8 = 1", b"GCC: (GNU) 13.2.0", True),
        ("AMX_INT8 = 1", b"GCC: (Debian 14.2.0-19) 14.2.0", False),
        ("AMX_INT8 = 1", b"clang version 16.0.6\0GCC: (Debian 12.2.0-14) 12.2.0", False),
        ("AMX_INT8 = 1", b"-O3 -fno-tree-dse -fno-dse\0GCC: (Debian 12.2.0-14) 12.2.0", False),
        ("AVX2 = 1", b"GCC: (Debian 12.2.0-14) 12.2.0", False),
    ],
)
def test_a_compiler_whose_amx_code_crashes_is_known(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    info: str,
    comment: bytes,
    expected: bool,
) -> None:
    (tmp_path / "libggml-cpu.so").write_bytes(b"\x7fELF" + comment + b"\0rest")
    monkeypatch.setattr(system, "system_info", lambda: info)
    monkeypatch.setattr(system.C, "_base_path", tmp_path)
    system.amx_is_miscompiled.cache_clear()
    try:
        assert system.amx_is_miscompiled() is expected
    finally:
        system.amx_is_miscompiled.cache_clear()
