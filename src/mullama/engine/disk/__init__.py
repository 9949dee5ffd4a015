"""The disk tier: what a restart must not lose.

fingerprint   what makes the states of two engines exchangeable
format        what a segment of a state is, and its bytes
files         the folder: names, reading, writing, what goes first, other processes
index         which stored segments continue a prefix
shelf         what is stored, as the threads share it
reader        the reader thread's work
writer        the writer thread's work
health        the pause after a failure, speeds, counters
worker        a thread and its jobs
store         all of it together: the one thing to use
"""

from mullama.engine.disk.files import write_parts
from mullama.engine.disk.fingerprint import Fingerprint
from mullama.engine.disk.format import Miss, Segment, root_key, segment_key
from mullama.engine.disk.health import DiskStats, Drop
from mullama.engine.disk.index import Part
from mullama.engine.disk.store import DiskStore

__all__ = [
    "DiskStats",
    "DiskStore",
    "Drop",
    "Fingerprint",
    "Miss",
    "Part",
    "Segment",
    "root_key",
    "segment_key",
    "write_parts",
]
