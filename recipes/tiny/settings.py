"""What a run is: the model's shape, the data's amounts, the schedule. One place, no flags.

The amounts are fixed in steps, not in minutes, so that every machine trains the same model.
"""

from __future__ import annotations

from dataclasses import dataclass

SEED = "mullama-tiny-1"
VERSION = "1.2"


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama of 5.5 million parameters: 6 MB in Q8_0.

    Heads of 64 because every fast path of llama.cpp takes them. There is room for eight layers in
    8 MB, but not in the time: within 90 minutes of two cores, six layers see a third more text, and
    text is what such a model lacks (six tokens a parameter, where twenty would be best).
    """

    n_vocab: int = 4096
    n_embd: int = 256
    n_layer: int = 6
    n_head: int = 4
    n_head_kv: int = 2
    n_ff: int = 704
    head: int = 64
    n_ctx: int = 2048
    rope_base: float = 100_000.0
    embedding_scale: float = 10.0
    norm_eps: float = 1e-5


@dataclass(frozen=True, slots=True)
class Bucket:
    """Rows of one length. `rows` go through the model at once: 4096 tokens."""

    name: str
    length: int
    rows: int


BUCKETS = (Bucket("short", 256, 16), Bucket("middle", 512, 8), Bucket("long", 2048, 2))
ROWS_PER_SHARD = {"short": 4096, "middle": 2048, "long": 256}
COPYING_SHARDS = 2  # of short rows: the first, which are mostly copying


@dataclass(frozen=True, slots=True)
class Schedule:
    """Warm-up, a constant rate, then a linear decay to nothing.

    A step is two micro-batches: one of short rows, and one of the bucket whose turn it is. Batches
    are small and noisy, so most of the run is decay, and AdamW looks back over a hundred steps.
    """

    steps: int = 9000
    warmup: int = 40
    decay: float = 0.8
    muon_rate: float = 0.02
    adam_rate: float = 0.004
    adam_memory: float = 0.99
    weight_decay: float = 0.02
    middle_from: int = 180
    long_from: int = 1080
    save_every: int = 100

    def rate(self, step: int) -> float:
        """The factor on the learning rates at a step."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        left = (self.steps - step) / (self.steps * self.decay)
        return min(1.0, left)

    def second(self, step: int) -> Bucket:
        """The bucket of a step's second micro-batch: middle, then a long one every fifth time."""
        short, middle, long = BUCKETS
        if step < self.middle_from:
            return short
        if step >= self.long_from and step % 5 == 0:
            return long
        return middle

    def takes(self, step: int) -> tuple[tuple[Bucket, int], ...]:
        """Each micro-batch of a step: its bucket, and which batch of that bucket it is."""
        counts = {bucket.name: 0 for bucket in BUCKETS}
        for earlier in range(step):
            counts["short"] += 1
            counts[self.second(earlier).name] += 1
        first, second = BUCKETS[0], self.second(step)
        return (first, counts["short"]), (second, counts[second.name] + (second is first))

    def batches(self) -> dict[str, int]:
        """How many batches of each bucket a whole run takes."""
        counts = {bucket.name: 0 for bucket in BUCKETS}
        for step in range(self.steps):
            counts["short"] += 1
            counts[self.second(step).name] += 1
        return counts


SHAPE = Shape()
SCHEDULE = Schedule()
