"""Facts about this machine and about the llama.cpp that runs on it."""

from __future__ import annotations

import logging
import os
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path

from mullama.llama.lib import C

logger = logging.getLogger(__name__)

_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_GCC = re.compile(rb"GCC: \([^)]*\) (\d+)\.(\d+)\.(\d+)")
_GOOD_GCC = (13, 2, 1)
# An older one's switches that make it sound; the last has them recorded, where they are looked for.
_SOUND = "-fno-tree-dse -fno-dse -frecord-gcc-switches"


def supports_gpu_offload() -> bool:
    """Whether this llama.cpp can put layers on a GPU."""
    return bool(C.llama_supports_gpu_offload())


def max_devices() -> int:
    """The most devices that a model can be split over."""
    return int(C.llama_max_devices())


def system_info() -> str:
    """What llama.cpp was built with and uses of this processor, in its own words."""
    return str(C.llama_print_system_info().decode())


def build() -> str:
    """Which llama.cpp this is: the bindings' version, and the size of the library that they use."""
    library = Path(C._lib._name)
    return f"{version('llama_cpp_python')}-{library.stat().st_size}"


def default_threads() -> int:
    """Physical cores that this process may use: a second thread on a core only costs."""
    n_cores = len({_core(cpu) for cpu in _allowed_cpus()})
    return max(1, min(n_cores, _quota(n_cores)))


def _allowed_cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _core(cpu: int) -> str:
    """A name that all threads of one core share; where the system does not say, their own."""
    try:
        return (_CPUS / f"cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _quota(n_cores: int) -> int:
    """The processor time that a container may use, in cores, rounded up."""
    try:
        time, period = _QUOTA.read_text().split()
        return -(-int(time) // int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return n_cores


@cache
def amx_is_miscompiled() -> bool:
    """Whether this llama.cpp would crash in Intel's matrix unit.

    GCC before 13.2.1 drops the stores to the tile configuration that `ldtilecfg` reads, and the
    first prompt ends in a segmentation fault; not if it was told to drop none, which
    `tools/build_flags.sh` does and has recorded in the library.
    """
    if "AMX_INT8 = 1" not in system_info():
        return False
    broken = any(_drops_stores(path) for path in Path(C._base_path).glob("*ggml-cpu*"))
    if broken:
        logger.warning(
            "llama.cpp was compiled by a GCC older than 13.2.1, whose Intel AMX code crashes: "
            "weights are not repacked, so prompts are slower. Compile it with a newer compiler, or "
            f"with CFLAGS and CXXFLAGS set to '{_SOUND}'."
        )
    return broken


def _drops_stores(library: Path) -> bool:
    code = library.read_bytes()
    if b"clang version" in code or b"-fno-tree-dse" in code:
        return False
    return any(tuple(map(int, found)) < _GOOD_GCC for found in _GCC.findall(code))
