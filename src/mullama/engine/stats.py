"""What the engine counts. Plain numbers; knows no output format."""

from __future__ import annotations

from dataclasses import dataclass


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
    n_preempted_total: int = 0
    n_evicted_cells_total: int = 0
    n_no_slot_total: int = 0
    n_lost_total: int = 0
    n_waiting: int = 0
    n_running: int = 0
    n_cells: int = 0
    n_cells_free: int = 0
    n_cells_cached: int = 0
    n_lanes_free: int = 0
    n_host_bytes: int = 0
    n_disk_bytes: int = 0
    seconds_computing_total: float = 0.0
