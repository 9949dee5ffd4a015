"""How many tokens to draft: as many as their rows are worth, by what is measured.

A draft of k tokens adds k rows to a step, which takes longer by what only measuring tells: on a GPU
a few rows are free, and on a CPU four can take three times as long as one. It brings its sequence
as many tokens more as are accepted. Two things are known of that:

- `StepCosts`: the seconds of a step by its rows. Measured, smoothed, and forgotten when
  they are old, so that neither a slow moment nor a fast one is believed for ever.
- `Acceptance`, of each sequence: how often a token was the one foreseen. Whoever proposes says so
  of each token generated, drafted or not, so that nothing needs to be tried to find out. Text is
  copied in runs: the chance is another one after a token that was foreseen (`going`) than after
  one that was not (`fresh`).

The length is the one that raises the geometric mean of the speeds of all sequences in the step the
most. One sequence gains the factor 1 + accepted, and all lose the factor by which the step is
longer:

    gain(k) = log(1 + accepted(k)) - n_sequences * log(seconds(n_rows + k) / seconds(n_rows))

For one sequence alone that is its tokens a second. In company a draft slows the others, the less so
the more there are, and it never lowers the sum of all speeds.

Whatever the text and the machine do, drafts never cost more than `ALLOWANCE` of the time and one
draft: an account has what they saved (up to `MOST_SAVED` steps) less what they cost, and
`ALLOWANCE` of the time is added to it; while it is overdrawn, nothing is drafted.

Nothing here reads a clock, and nothing knows where drafts come from.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import inf, log

# The share of the time that drafts may lose.
ALLOWANCE = 0.02
# Savings that may be lost again, in steps of one row for each sequence.
MOST_SAVED = 8.0
# A draft must promise this much more speed, and a token of it have this chance; less is within the
# error of measuring.
MARGIN = 0.05
# Steps for each row after which a measured cost is forgotten: large ones are rare, and vary less.
STALE = 128
# The newest step's weight, and how much of the estimate it may be at most.
SMOOTHING = 0.25
MOST_SURPRISE = 2.0
# The newest token's weight.
LEARNING = 1 / 8
# Chances before anything is known: no text is copied until it was seen to be.
FRESH, GOING = 0.0, 0.8
# Steps may be tried up to this many times as large as the largest measured, and beyond that one a
# row is assumed to add this much of the average row's time.
MOST_GROWTH = 2
MARGINAL_ROW = 0.1
# So many sizes of steps are told apart between a number of rows and its double.
N_SIZES = 8


class Acceptance:
    """How likely the next tokens of one sequence are those foreseen."""

    def __init__(self) -> None:
        self.fresh = FRESH
        self.going = GOING
        self._is_going = False

    def record(self, foreseen: bool | None) -> None:
        """A token was generated: was it the one foreseen? None if none was."""
        if foreseen is None:
            self._is_going = False
        elif self._is_going:
            self.going += LEARNING * (foreseen - self.going)
        else:
            self.fresh += LEARNING * (foreseen - self.fresh)
        self._is_going = bool(foreseen)

    @property
    def next(self) -> float:
        """The chance of the next token; each one after it has `going`, if that one is right."""
        return self.going if self._is_going else self.fresh


@dataclass(slots=True)
class _Size:
    """Steps of about the same number of rows: their smoothed means, the last one's tick, and where
    it is among the sizes."""

    n_rows: float
    seconds: float
    tick: int
    place: int = 0


class StepCosts:
    """Seconds of a step by its rows: measured ones, and straight lines between them."""

    def __init__(self, stale: int = STALE) -> None:
        """A measurement is forgotten after `stale` others for each of its rows."""
        self._stale = stale
        self._sizes: dict[int, _Size] = {}
        self._tick = 0
        self._rows: list[float] = []  # of `_sizes`, in order
        self._seconds: list[float] = []
        self._until = inf  # the tick before which none is stale

    def record(self, n_rows: int, seconds: float) -> None:
        """A step of so many rows took so long."""
        self._tick += 1
        key = _size(n_rows)
        size = self._sizes.get(key)
        if size is None:
            self._sizes[key] = _Size(n_rows, seconds, self._tick)
            self._arrange()
            return
        surprise = min(seconds, MOST_SURPRISE * size.seconds) - size.seconds
        size.n_rows += SMOOTHING * (n_rows - size.n_rows)
        size.seconds += SMOOTHING * surprise
        size.tick = self._tick
        self._rows[size.place], self._seconds[size.place] = size.n_rows, size.seconds
        if self._tick >= self._until:
            self._arrange()

    @property
    def is_empty(self) -> bool:
        return not self._rows

    def knows(self, n_rows: int) -> bool:
        """Whether a step of about so many rows was measured lately."""
        return _size(n_rows) in self._sizes

    def seconds(self, n_rows: float) -> float:
        """What a step of so many rows takes; at least one must have been measured."""
        rows, seconds = self._rows, self._seconds
        i = bisect_left(rows, n_rows)
        if i == 0:
            return seconds[0]
        if i == len(rows):
            return seconds[-1] * (1 + MARGINAL_ROW * (n_rows / rows[-1] - 1))
        part = (n_rows - rows[i - 1]) / (rows[i] - rows[i - 1])
        return seconds[i - 1] + part * (seconds[i] - seconds[i - 1])

    @property
    def most_rows(self) -> int:
        """The largest step that may be tried: what nothing is known of is found out by and by."""
        return int(MOST_GROWTH * self._rows[-1])

    def _arrange(self) -> None:
        """Forget what is stale, and put the rest in order."""
        self._sizes = {
            key: size for key, size in sorted(self._sizes.items()) if self._tick < self._end(size)
        }
        sizes = self._sizes.values()
        for place, size in enumerate(sizes):
            size.place = place
        self._rows = [size.n_rows for size in sizes]
        self._seconds = [size.seconds for size in sizes]
        self._until = min(map(self._end, sizes))

    def _end(self, size: _Size) -> float:
        """The tick at which a measurement is stale."""
        return size.tick + self._stale * size.n_rows


class DraftPace:
    """The drafts' lengths, and their account. One of an engine."""

    def __init__(self) -> None:
        self._costs = StepCosts()
        self._saved = 0.0  # seconds

    def may_draft(self, n_rows: int) -> bool:
        """Whether a step that has so many rows without drafts may have some: not while the account
        is overdrawn, and not before such a step was measured."""
        return self._saved >= 0 and self._costs.knows(n_rows)

    def length(self, acceptance: Acceptance, n_rows: int, n_sequences: int, most: int) -> int:
        """The best length of a draft, from 0 to `most`, for one of the step's `n_sequences`.

        `n_rows` are the step's so far, drafts included. Ask only where `may_draft` says yes."""
        best, length = MARGIN, 0
        before = self._costs.seconds(n_rows)
        n_tokens, chance = 1.0, acceptance.next
        for k in range(1, min(most, self._costs.most_rows - n_rows) + 1):
            if chance < MARGIN:
                break
            n_tokens += chance
            chance *= acceptance.going
            slower = self._costs.seconds(n_rows + k) / before
            gain = log(n_tokens) - n_sequences * log(slower)
            if gain > best:
                best, length = gain, k
        return length

    def record(
        self, n_rows: int, n_sequences: int, seconds: float, n_drafted: int = 0, n_accepted: int = 0
    ) -> None:
        """A step of `n_rows` rows and `n_drafted` more took so long, and so many of these were
        accepted."""
        if seconds <= 0 or not n_rows:
            return
        plain = self._costs.seconds(n_rows) if n_drafted else seconds
        gained = plain * n_accepted / n_sequences if n_drafted else 0.0
        saved = self._saved + plain + gained - seconds + ALLOWANCE * seconds
        self._costs.record(n_rows + n_drafted, seconds)
        self._saved = min(saved, MOST_SAVED * self._costs.seconds(n_sequences))


def _size(n_rows: int) -> int:
    """Which size so many rows are: 1 to 15 each its own, then `N_SIZES` up to the double."""
    shift = max(0, n_rows.bit_length() - N_SIZES.bit_length())
    return shift * N_SIZES + (n_rows >> shift)
