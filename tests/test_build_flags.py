"""The switches that `tools/build_flags.sh` finds for llama.cpp, with compilers that are scripts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "build_flags.sh"
SOUND = "-fno-tree-dse -fno-dse -frecord-gcc-switches"
NO_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
NO_FP16 = "-mno-avx512fp16"
# What it makes crashes unless one of its arguments is the first word; it knows not the second.
COMPILER = """#!/bin/sh
made='kill -ILL $$'
for given; do
    case $given in
        {sound}) made=true ;;
        {unknown}) exit 1 ;;
    esac
    [ "$last" = -o ] && out=$given
    last=$given
done
printf '#!/bin/sh\\n%s\\n' "$made" > "$out"
chmod +x "$out"
"""


def switches(folder: Path, cpu: str, *, sound: str, unknown: str = "none", form: str = "") -> str:
    (folder / "cpuinfo").write_text(f"flags : fpu sse2 {cpu}\n")
    (folder / "c++").write_text(COMPILER.format(sound=sound, unknown=unknown))
    (folder / "c++").chmod(0o755)
    environment = {
        **os.environ,
        "CPUINFO": str(folder / "cpuinfo"),
        "CXX": str(folder / "c++"),
    }
    done = subprocess.run(
        ["sh", str(SCRIPT), form], env=environment, capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("cpu", "sound", "expected"),
    [
        ("avx2", "-O3", ""),
        ("amx_tile", "-O3", ""),
        ("amx_tile", "-fno-tree-dse", SOUND),
        ("amx_tile", "nothing", NO_AMX),
        ("avx512_fp16", "-O3", NO_FP16),
        ("avx512_fp16 amx_tile", "-fno-tree-dse", f"{SOUND} {NO_FP16}"),
    ],
)
def test_the_switches_follow_from_processor_and_compiler(
    tmp_path: Path, cpu: str, sound: str, expected: str
) -> None:
    assert switches(tmp_path, cpu, sound=sound) == expected


def test_a_compiler_is_not_given_a_switch_that_it_does_not_know(tmp_path: Path) -> None:
    assert switches(tmp_path, "avx512_fp16", sound="-O3", unknown=NO_FP16) == ""


def test_uv_is_told_by_settings_of_the_build(tmp_path: Path) -> None:
    told = switches(tmp_path, "avx512_fp16", sound="-O3", form="uv")
    assert told.count("--config-settings-package") == 2
    assert f'"llama-cpp-python:cmake.define.CMAKE_CXX_FLAGS={NO_FP16}"' in told
    assert switches(tmp_path, "avx2", sound="-O3", form="uv") == ""
