"""What the engine counts. Plain numbers; knows no output format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from mullama.engine.disk import DiskStats
from mullama.engine.misses import Reason


@dataclass(slots=True)
class Stats:
    """Counters since the start (`n_…_total`), and what is there now."""

    n_requests_total: int = 0
    n_finished_total: int = 0
    n_cancelled_total: int = 0
    n_failed_total: int = 0
    n_steps_total: int = 0
    n_rows_total: int = 0
    n_prompt_tokens_total: int = 0
    n_cached_tokens_total: int = 0
    n_restored_tokens_total: int = 0  # of the cached ones, from the host tier
    n_disk_tokens_total: int = 0  # of the restored ones, read from disk
    n_generated_tokens_total: int = 0
    n_drafted_tokens_total: int = 0  # computed ahead
    n_accepted_tokens_total: int = 0  # of these, the ones that were right
    n_forced_tokens_total: int = 0  # of them, those that a constraint left no choice about
    n_preempted_total: int = 0
    n_evicted_cells_total: int = 0
    n_no_slot_total: int = 0
    n_lost_total: int = 0
    n_audits_total: int = 0  # of the books, when idle
    n_audits_failed_total: int = 0
    n_waiting: int = 0
    n_running: int = 0
    n_cells: int = 0
    n_cells_free: int = 0
    n_cells_cached: int = 0
    n_lanes_free: int = 0
    n_host_bytes: int = 0
    seconds_computing_total: float = 0.0
    # Requests that started, by why no more of their prompt was cached. All reasons are there.
    n_prefixes_total: Counter[Reason] = field(
        default_factory=lambda: Counter(dict.fromkeys(Reason, 0))
    )
    disk: DiskStats | None = None  # without a disk tier


def flat(stats: Stats) -> dict[str, float]:
    """The counters by name; what is counted by reason, or of the disk, has a dot in its name:
    `n_prefixes_total.differs`, `disk.n_hits_total`."""
    return dict(_named(stats, ""))


def _named(value: Any, name: str) -> Iterator[tuple[str, float]]:
    if is_dataclass(value):
        inner = [(item.name, getattr(value, item.name)) for item in fields(value)]
    elif isinstance(value, Counter):
        inner = [(str(key), count) for key, count in value.items()]
    else:
        if value is not None:
            yield name, value if isinstance(value, float) else int(value)
        return
    for key, one in inner:
        yield from _named(one, f"{name}.{key}" if name else key)
