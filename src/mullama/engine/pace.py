"""How many prompt rows fit into a step while somebody streams.

A stream's gap is one step's time. Two numbers are measured, both smoothed, so that they follow the
model, the machine, its load and the depth of the context: what a step takes that only streams, and
what each prompt row adds to one. From them follow the rows that keep a step within the target:
`target_gap`, or where streaming alone is slow, `SLOWDOWN` times what it takes; in whole tiles, and
at least one, since fewer rows take as long or longer. So a prompt slows streams by a bounded
factor, and streams leave a prompt a bounded share of the time, whatever the machine's speed.

The two are measured apart, not fitted as one line through all steps: while a long prompt is being
computed all steps are alike, and a line through points that lie together has any slope.

Nothing here reads a clock.
"""

from __future__ import annotations

from mullama.engine.draft_pace import StepCosts

# A prompt makes a stream's gaps longer by this factor at most, where the target gap allows less.
SLOWDOWN = 5.0
# More of them wait for a first token than stream: the factor grows with the ratio, up to this.
MOST_CROWDED = 6.0
# The newest step's weight.
SMOOTHING = 0.25
# Moving prefixes out of the KV cache and back makes a stream's gap longer by this share at most.
MOVING_SHARE = 0.5
# Bytes a second that are put back, and that are copied out, until it was measured. Copying out is
# slower, since memory that was never used before comes page by page.
FIRST_SPEED = 2e9
FIRST_SAVING_SPEED = 5e8
# Of a step without streams: not all at once, since a request may arrive.
UNHURRIED = 256 << 20  # bytes to put back
UNHURRIED_SECONDS = 0.05  # of copying out
# What a step costs before its first row, in rows; until a step that only streams was measured.
ROWS_OF_OVERHEAD = 10
# Steps of streams alone after which what one took is forgotten.
STALE = 4096


class Pace:
    """Measured cost of steps. Times in seconds."""

    def __init__(self, target_gap: float, n_tile: int) -> None:
        self._target_gap = target_gap
        self._n_tile = n_tile
        self._per_row = 0.0  # 0 before the first measurement
        self._alone = StepCosts(STALE)  # of streams and nothing else
        self._bytes_per_second = FIRST_SPEED
        self._saved_per_second = FIRST_SAVING_SPEED

    def record(self, n_streaming: int, n_prompt: int, seconds: float) -> None:
        """A step computed so many rows of streams and of prompts in so many seconds."""
        n_rows = n_streaming + n_prompt
        if seconds <= 0 or not n_rows:
            return
        if n_prompt <= self._n_tile // 2:  # too few to tell what a prompt row adds
            self._alone.record(n_rows, seconds)
            return
        average = seconds / n_rows
        added = (seconds - self._streaming(n_streaming)) / n_prompt if n_streaming else average
        added = min(max(added, average / 4), average)  # one odd step must not upset the rest
        self._per_row += (SMOOTHING if self._per_row else 1.0) * (added - self._per_row)

    def chunk(self, n_streaming: int, n_waiting: int = 0) -> int:
        """Prompt rows for a step that also carries `n_streaming` streams' rows, while `n_waiting`
        sequences wait for their first token."""
        tile = self._n_tile
        if not self._per_row:
            return max(1, tile - n_streaming)
        streaming = self._streaming(n_streaming)
        crowd = min(MOST_CROWDED, 1 + n_waiting / max(1, n_streaming))
        target = max(self._target_gap, SLOWDOWN * crowd * streaming)
        n_rows = n_streaming + round((target - streaming) / self._per_row)
        n_tiles = max(n_rows // tile, n_streaming // tile + 1)
        return n_tiles * tile - n_streaming

    def record_saving(self, n_bytes: int, seconds: float) -> None:
        """So many bytes were copied out of the KV cache."""
        if n_bytes and seconds > 0:
            self._saved_per_second += SMOOTHING * (n_bytes / seconds - self._saved_per_second)

    def record_loading(self, n_bytes: int, seconds: float) -> None:
        """So many bytes were copied into the KV cache."""
        if n_bytes and seconds > 0:
            self._bytes_per_second += SMOOTHING * (n_bytes / seconds - self._bytes_per_second)

    def n_bytes_to_save(self, n_streaming: int, n_loaded: int) -> int:
        """Bytes to copy out in a step that also carries `n_streaming` streams' rows and puts
        `n_loaded` bytes back; at least 1, that is, one small piece, if it puts nothing back."""
        if not n_streaming:
            return max(1, round(UNHURRIED_SECONDS * self._saved_per_second))
        seconds = MOVING_SHARE * self._streaming(n_streaming) - n_loaded / self._bytes_per_second
        return max(0 if n_loaded else 1, round(seconds * self._saved_per_second))

    def n_bytes_to_load(self, n_streaming: int) -> int:
        """Bytes to put back in a step that also carries `n_streaming` streams' rows; at least 1,
        that is, one piece."""
        if not n_streaming:
            return UNHURRIED
        seconds = MOVING_SHARE * self._streaming(n_streaming)
        return max(1, round(seconds * self._bytes_per_second))

    def worth_restoring(self, n_tokens: int, n_bytes: int) -> bool:
        """Whether so many tokens are sooner restored from so many bytes than computed."""
        return self.worth_reading(n_tokens, n_bytes, 0.0)

    def worth_reading(self, n_tokens: int, n_bytes: int, seconds: float) -> bool:
        """The same for bytes that are there after so many seconds."""
        if not self._per_row:
            return True
        return seconds + n_bytes / self._bytes_per_second < n_tokens * self._per_row

    def _streaming(self, n: int) -> float:
        """Seconds of a step of `n` streams and nothing else."""
        if self._alone.is_empty:
            return (ROWS_OF_OVERHEAD + n) * self._per_row
        return self._alone.seconds(n)
