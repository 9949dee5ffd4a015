"""How many prompt rows fit into a step while somebody streams.

A stream's gap is one step's time. A step takes about

    seconds = overhead + per_row * rows

(reading the weights once, then arithmetic for each row), and both numbers are measured: a line
through the latest steps, each counting a little less than the one after it, so that it follows the
model, the machine, its load and the depth of the context. From it follow the time of a step that
only streams, and the rows that keep a step within the target: `target_gap`, or where streaming
alone is slow, `SLOWDOWN` times what it takes. So a prompt slows streams by a bounded factor, and
streams leave a prompt a bounded share of the time, whatever the machine's speed.

Nothing here reads a clock.
"""

from __future__ import annotations

# Fewer prompt rows than this cost nearly as much time and bring the prompt nowhere.
MIN_CHUNK = 16
# A prompt makes a stream's gaps longer by this factor at most, where the target gap allows less.
SLOWDOWN = 5.0
# What a step still counts after the next one.
MEMORY = 0.95
# A line through points that lie close together has any slope; overhead is at most this share.
MOST_OVERHEAD = 0.7


class Pace:
    """Measured cost of steps. Times in seconds."""

    def __init__(self, target_gap: float) -> None:
        self._target_gap = target_gap
        # Weighted sums over the steps: 1, rows, seconds, rows², rows * seconds.
        self._n = self._r = self._t = self._rr = self._rt = 0.0

    def record(self, n_rows: int, seconds: float) -> None:
        """A step computed `n_rows` rows in so many seconds."""
        if seconds <= 0 or n_rows <= 0:
            return
        self._n = MEMORY * self._n + 1
        self._r = MEMORY * self._r + n_rows
        self._t = MEMORY * self._t + seconds
        self._rr = MEMORY * self._rr + n_rows * n_rows
        self._rt = MEMORY * self._rt + n_rows * seconds

    def chunk(self, n_streaming: int) -> int:
        """Prompt rows for a step that also carries `n_streaming` streams' rows."""
        if not self._n:
            return MIN_CHUNK
        overhead, per_row = self._line()
        streaming = overhead + per_row * n_streaming
        target = max(self._target_gap, SLOWDOWN * streaming)
        return max(MIN_CHUNK, round((target - streaming) / per_row))

    def _line(self) -> tuple[float, float]:
        """Overhead and seconds per row, by least squares."""
        rows, seconds = self._r / self._n, self._t / self._n
        spread = self._rr / self._n - rows * rows
        together = self._rt / self._n - rows * seconds
        average = seconds / rows
        slope = together / spread if spread > 1e-9 * rows * rows else average
        per_row = min(max(slope, (1 - MOST_OVERHEAD) * average), average)
        return seconds - per_row * rows, per_row
