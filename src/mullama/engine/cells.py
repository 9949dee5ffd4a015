"""The books of the KV cache: lanes (seq_ids) and cells, who has how many.

A lane is free, running (a sequence owns it) or idle (the prefix cache owns it). A cell is free,
private to one running sequence, or cached (in the prefix cache's tree, shared by every lane whose
sequence begins with that prefix). Nothing here touches llama.cpp: the counts are what its cache
must hold if every plan was executed.

    n_cells = n_free + n_private + n_cached
    n_lanes = free + running + idle
"""

from __future__ import annotations


class Cells:
    """Counts of lanes and cells. Each method moves some from one owner to another."""

    def __init__(self, n_cells: int, n_lanes: int) -> None:
        self.n_cells = n_cells
        self.n_lanes = n_lanes
        self.n_private = 0
        self.n_cached = 0
        self.n_planned = 0  # free ones that the plan being made will use
        self._free_lanes = list(range(n_lanes - 1, -1, -1))

    @property
    def n_free(self) -> int:
        return self.n_cells - self.n_private - self.n_cached

    @property
    def n_free_lanes(self) -> int:
        return len(self._free_lanes)

    def take_lane(self) -> int:
        """A free lane becomes running. IndexError when there is none."""
        return self._free_lanes.pop()

    def give_lane(self, lane: int) -> None:
        """A lane that holds no cells any more is free again."""
        self._free_lanes.append(lane)

    def compute(self, n: int) -> None:
        """Free cells become private: rows were computed."""
        self.n_private += n

    def publish(self, n: int) -> None:
        """Private cells become cached: others may share them."""
        self.n_private -= n
        self.n_cached += n

    def restore(self, n: int) -> None:
        """Free cells become cached: they were copied back."""
        self.n_cached += n

    def drop_private(self, n: int) -> None:
        """Private cells become free."""
        self.n_private -= n

    def drop_cached(self, n: int) -> None:
        """Cached cells become free: evicted."""
        self.n_cached -= n

    def check(self, *, n_private: int, n_cached: int, n_running: int, n_idle: int) -> None:
        """Compare the books with a fresh count. AssertionError prints both sums."""
        counted = (n_private, n_cached, self.n_free_lanes + n_running + n_idle)
        booked = (self.n_private, self.n_cached, self.n_lanes)
        assert counted == booked, f"counted (private, cached, lanes) {counted}, booked {booked}"
        assert self.n_free >= 0, f"{-self.n_free} cells in use beyond all {self.n_cells}"
