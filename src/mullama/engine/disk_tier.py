"""The disk tier: what is copied out of the KV cache is written through, and found by later starts.

The store (`engine.disk`) keeps segments in chains and knows nothing of the tree; here the two meet.
A node's key is that of the segment that has its end, so a child's segment knows its parent's.
Saved copies are handed over after the step that filled them; a request whose prefix the tree does
not have is looked up in memory, and waits while the reader's thread fetches it.

    tree     |0 . . . . . 512|. . . . 900|     a copy is written as one segment, whatever is
    store    |0 . . . . . 512|. . . . . . 1024|         split afterwards
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from mullama.engine.disk import DiskStats, DiskStore, Part, Segment
from mullama.engine.radix import Node
from mullama.types import Blob

# A shorter gain is not worth waiting for a thread.
WORTH_FETCHING = 64


class Fetched(NamedTuple):
    """A part of a prefix as the store had it: its positions, its cells and its state."""

    part: Part
    cells: Blob | None
    state: Blob | None


class DiskTier:
    """One store, as the prefix cache uses it. `fetch` answers from another thread."""

    def __init__(self, store: DiskStore) -> None:
        self._store = store
        self._is_trusted = True

    @property
    def read_bytes_per_second(self) -> float:
        return self._store.read_bytes_per_second

    def distrust(self) -> None:
        """A copy could not be put back: nothing is read any more, since it may come from here."""
        self._is_trusted = False

    def find(
        self, tokens: array[int], limit: int, namespace: Hashable, *, exact: bool
    ) -> tuple[Part, ...]:
        """The stored parts of the longest usable prefix of `tokens[:limit]`."""
        if not self._is_trusted or not isinstance(namespace, str):
            return ()
        return self._store.match(self._store.root(namespace), tokens, limit, with_state=exact)

    def fetch(self, parts: Sequence[Part], done: Callable[[list[Fetched]], None]) -> None:
        """Read parts; `done` gets them up to the first that can't be had."""

        def read(segments: Sequence[Segment]) -> None:
            trusted = segments if self._is_trusted else ()
            done([_fetched(part, segment) for part, segment in zip(parts, trusted, strict=False)])

        self._store.fetch([part.entry.key for part in parts], read)

    def save(self, namespace: Hashable, node: Node, blob: Blob) -> None:
        """Write a copy of the cells at the blob's positions, which end with the node; and before it
        what it stands on, where that was dropped or has gone, and has a copy."""
        if not isinstance(namespace, str):
            return  # nobody else's, and gone with its request
        for above in self._missing(node):
            cells = above.cells
            if cells is None or cells.end != above.end:  # a part of what a node below has
                continue
            if not self._save(namespace, above, cells):
                return
        self._save(namespace, node, blob)

    def _missing(self, node: Node) -> list[Node]:
        """The nodes above one that are not stored, up to the first that is; the topmost first."""
        missing: list[Node] = []
        above = node.parent
        while above is not None and above.parent is not None and not self._is_stored(above):
            missing.append(above)
            above = above.parent
        return missing[::-1]

    def _is_stored(self, node: Node) -> bool:
        return node.key is not None and self._store.has(node.key)

    def _save(self, namespace: str, node: Node, blob: Blob) -> bool:
        """False if it is not stored."""
        covered = [one for one in node.path() if one.start >= blob.start]
        first = covered[-1]
        parent = self._parent_key(namespace, first)
        if parent is None or first.start != blob.start:
            return False
        if not blob.data:  # it could not be copied out
            return False
        tokens = node.prefix()[blob.start : blob.end]
        state = node.state.data if node.state is not None and node.state.data is not None else b""
        segment = Segment(parent, blob.start, tokens, blob.data, state)
        if not self._store.save(segment):
            return False
        for one in covered:  # it may have been split since it was copied
            one.key = segment.key
        if state and not self._store.has_state(segment.key):
            self.save_state(node)  # it was stored before, without one
        return True

    def save_state(self, node: Node) -> None:
        """Write the state at the end of a node whose cells are stored."""
        if node.key is not None and node.state is not None and node.state.data is not None:
            self._store.save(Segment(node.key, node.end, array("i"), b"", node.state.data))

    def _parent_key(self, namespace: str, node: Node) -> bytes | None:
        """The key of the segment before a node's. None if it is not stored."""
        if not node.start:
            return self._store.root(namespace)
        return node.parent.key if node.parent is not None else None

    def stats(self) -> DiskStats:
        return self._store.stats()


def _fetched(part: Part, segment: Segment) -> Fetched:
    entry = part.entry
    cells = _blob(entry.start, entry.end, segment.data) if entry.tokens else None
    state = _blob(entry.end, entry.end, segment.state) if entry.n_state else None
    return Fetched(part, cells, state)


def _blob(start: int, end: int, data: bytes | bytearray | memoryview) -> Blob:
    view = memoryview(data)
    return Blob(start, end, len(view), view)
