"""Processes as Linux tells of them: a tree's members, their memory, who listens on a port.

RSS counts a page once for each process that has it, PSS shares it out among them, and PSS that is
not of files leaves out the mapped model. Elsewhere than on Linux nothing is known: `tree` is empty.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LISTENS = "0A"
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one process or several."""

    rss: int = 0
    pss: int = 0
    anonymous: int = 0  # of the PSS, what is not of files

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.rss + other.rss, self.pss + other.pss, self.anonymous + other.anonymous)


def tree(pid: int) -> list[int]:
    """`pid` and its descendants, parents first; empty where it does not run."""
    found = [pid] if (_PROC / str(pid)).exists() else []
    for parent in found:  # grows meanwhile
        found += _children(parent)
    return found


def _children(pid: int) -> Iterator[int]:
    for path in _PROC.glob(f"{pid}/task/*/children"):
        with suppress(OSError):  # the thread has ended
            yield from map(int, path.read_text().split())


def of_process(pid: int) -> Memory:
    """The memory of one process; none where it has ended."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return Memory()
    fields = (line.split() for line in lines)
    sizes = {name: 1024 * int(kib) for name, kib, *_ in fields}
    return Memory(*(sizes.get(name, 0) for name in ("Rss:", "Pss:", "Pss_Anon:")))


def of_tree(pid: int) -> Memory:
    """The memory of `pid` and its descendants together."""
    return sum(map(of_process, tree(pid)), Memory())


def figures(pid: int) -> dict[str, float]:
    """A tree's memory, and the PSS of its root alone, in MB. Empty where it can't be known."""
    if not tree(pid):
        return {}
    whole = of_tree(pid)
    return {
        "rss_mb": whole.rss / _MB,
        "pss_mb": whole.pss / _MB,
        "anonymous_mb": whole.anonymous / _MB,
        "first_pss_mb": of_process(pid).pss / _MB,
    }


def listener(port: int) -> int | None:
    """The process that listens on a TCP port; its oldest ancestor among those that hold it."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    holders = [int(path.name) for path in _PROC.glob("[0-9]*") if sockets & set(_open_files(path))]
    return min(holders, default=None)


def _listening(port: int) -> Iterator[str]:
    """Inodes of the sockets that listen on `port`."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTENS and int(words[1].rpartition(":")[2], 16) == port:
                    yield words[9]


def _open_files(process: Path) -> Iterator[str]:
    with suppress(OSError):  # not ours, or ended
        for path in (process / "fd").iterdir():
            with suppress(OSError):
                yield os.readlink(path)
