"""The folder of the disk tier: names, listing, reading, writing, and what goes first.

    <path>/v1-<hash of the fingerprint>/<key>-<parent's key>.kv     a segment
                                        <key>.kv                    the first one of a chain
    <path>/writing/<pid>-<process>-<number>.tmp                     one being written

Names hold all that cleaning up needs, whatever format version or model a file is of. Nothing else
in the folder is counted or touched.

Several processes may share the folder, without locks:

- A file never changes. It is written under a temporary name and renamed, so it is there whole or
  not at all. There is no fsync: it would cost four times the writing, and what a power cut spoils
  fails its checksum, which is a miss like any other.
- A temporary file has its full size from the start: it is a claim. Whoever writes claims first,
  then looks at the folder, makes room, and only then writes. Of several at once, the last to claim
  has seen the claims of all others; so the bytes written never exceed the budget. (Claims are
  listed before segments, so that one that gets its name meanwhile is counted twice, not never.)
- The temporary file of a dead process is removed by whoever sees it. One that belongs to a live
  process in another container looks dead from here: that process loses a write, no more.

Last use is the file's time of change. Raises OSError, and BadSegment for what is not a segment.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mullama.engine.disk.format import (
    N_HEADER,
    N_KEY,
    VERSION,
    BadSegment,
    Bytes,
    Entry,
    Miss,
    Segment,
    decode,
    decode_entry,
    encode,
    file_size,
    head_size,
)

_KEY = rf"[0-9a-f]{{{2 * N_KEY}}}"
_FOLDER_NAME = re.compile(rf"v\d+-{_KEY}")
_SEGMENT_NAME = re.compile(rf"({_KEY})(?:-({_KEY}))?\.kv")
_WRITING = "writing"
_TEMPORARY_NAME = re.compile(r"(\d{1,7})-([0-9a-f]{8})-\d+\.tmp")
_PROCESS = secrets.token_hex(4)  # tells us from an earlier process of the same pid
_NUMBERS = itertools.count()
# Writing a segment takes seconds; after this its process has the same pid as one that is alive.
TEMPORARY_SECONDS = 3600.0
# Most heads fit, so that one read takes them whole.
HEAD_BYTES = 8192

Write = Callable[[BinaryIO, Sequence[Bytes]], None]
Place = tuple[str, bytes]  # a segment's subfolder and key


def write_parts(file: BinaryIO, parts: Sequence[Bytes]) -> None:
    """Write `parts` one after another. What a DiskStore writes with, unless it is given another."""
    for part in parts:
        file.write(part)


class File(NamedTuple):
    """A segment's file, as its name and the file system have it."""

    folder: str
    name: str
    n_bytes: int
    used: float  # seconds since the epoch

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.name[: 2 * N_KEY])

    @property
    def parent(self) -> bytes:
        """The parent's key; empty for the first segment of a chain."""
        return bytes.fromhex(self.name[2 * N_KEY + 1 : -3])


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything in the folder that is ours, in all models' subfolders."""

    files: list[File]
    n_bytes_claimed: int  # by all processes

    @property
    def n_bytes(self) -> int:
        return self.n_bytes_claimed + sum(file.n_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Claim:
    """A temporary file; `commit` gives it its name, or it is removed when the claim ends."""

    file: BinaryIO
    path: Path

    def commit(self, path: Path, now: float) -> None:
        self.file.flush()
        os.utime(self.file.fileno(), (now, now))
        os.replace(self.path, path)


class Files:
    """The folder at `path`, as the process of a model with this fingerprint uses it."""

    def __init__(self, path: Path, fingerprint: str, write: Write = write_parts) -> None:
        self.path = path
        self.folder = f"v{VERSION}-{blake2b(fingerprint.encode(), digest_size=N_KEY).hexdigest()}"
        self._fingerprint = fingerprint
        self._write = write

    def file_name(self, entry: Entry) -> str:
        key = entry.key.hex()
        return f"{key}.kv" if entry.is_first else f"{key}-{entry.parent.hex()}.kv"

    def create_root(self) -> None:
        """Make the folder, which is going to hold somebody's conversations: nobody else reads."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self) -> None:
        """Make the folders that a write needs; somebody may have removed them since."""
        self.create_root()
        for name in (_WRITING, self.folder):
            (self.path / name).mkdir(mode=0o700, exist_ok=True)

    # -- reading ------------------------------------------------------------------------------

    def look(self, now: float) -> Listing:
        """What is there now; temporary files of dead processes are removed."""
        n_claimed = _clean(self.path / _WRITING, now)
        files = [
            file
            for folder in _scan(self.path)
            if _FOLDER_NAME.fullmatch(folder.name) and folder.is_dir(follow_symlinks=False)
            for file in _segments(folder)
        ]
        return Listing(files, n_claimed)

    def read(self, entry: Entry) -> Segment:
        """The whole segment, checked."""
        with open(self._path(entry), "rb", buffering=0) as file:
            n_file = os.fstat(file.fileno()).st_size
            if n_file != file_size(entry, self._fingerprint):
                self._read_entry(file.fileno())  # knows better what is wrong with it
                raise BadSegment(Miss.TRUNCATED)
            content = bytearray(n_file)
            _fill(file.fileno(), content)
        return decode(content, entry, self._fingerprint)

    def read_entry(self, file: File) -> Entry:
        """What a file of our own subfolder holds, its data unchecked."""
        path = os.path.join(self.path, file.folder, file.name)
        with open(path, "rb", buffering=0) as opened:
            entry = self._read_entry(opened.fileno())
        if self.file_name(entry) != file.name:
            raise BadSegment(Miss.CORRUPT)
        return entry

    def _read_entry(self, fd: int) -> Entry:
        n_file = os.fstat(fd).st_size
        head = os.pread(fd, HEAD_BYTES, 0)
        n_head = head_size(head[:N_HEADER], n_file)
        if len(head) < n_head:
            head += os.pread(fd, n_head - len(head), len(head))
        if len(head) < n_head:
            raise BadSegment(Miss.TRUNCATED)
        return decode_entry(head, n_file, self._fingerprint)

    # -- changing -----------------------------------------------------------------------------

    @contextmanager
    def claim(self, entry: Entry) -> Iterator[Claim]:
        """A temporary file of the segment's size."""
        path = self.path / _WRITING / f"{os.getpid()}-{_PROCESS}-{next(_NUMBERS)}.tmp"
        try:
            with open(path, "xb", opener=_private) as file:
                file.truncate(file_size(entry, self._fingerprint))
                yield Claim(file, path)
        finally:
            path.unlink(missing_ok=True)

    def write(self, claim: Claim, segment: Segment, now: float) -> int:
        """Write the claimed file and give it its name; returns its bytes."""
        parts = encode(segment, self._fingerprint)
        self._write(claim.file, parts)
        claim.commit(self._path(segment.entry()), now)
        return sum(map(len, parts))

    def remove(self, file: File) -> None:
        (self.path / file.folder / file.name).unlink(missing_ok=True)

    def discard(self, name: str) -> None:
        """Remove a bad file of our own subfolder; where that can't be, it is found bad again."""
        with suppress(OSError):
            (self.path / self.folder / name).unlink()

    def touch(self, entry: Entry, now: float) -> None:
        """Note a use. On a disk that can't be written it is not noted, and nothing is lost."""
        with suppress(OSError):
            os.utime(self._path(entry), (now, now))

    def _path(self, entry: Entry) -> Path:
        return self.path / self.folder / self.file_name(entry)


def eviction_order(files: Iterable[File], growing: Place | None = None) -> Iterator[File]:
    """The files in the order in which they should go: first those whose chain has a gap, which are
    of no use; then the least recently used, but each before its parent.

    `growing` is a segment that is about to get a child: it stays, and all that it stands on.
    """
    by_place = {(file.folder, file.key): file for file in files}
    whole = _whole(by_place)
    orphans = [file for at, file in by_place.items() if at not in whole]
    yield from sorted(orphans, key=lambda file: file.used)
    n_children = Counter((at[0], by_place[at].parent) for at in whole)
    if growing:
        n_children[growing] += 1
    leaves = [(by_place[at].used, at) for at in whole if not n_children[at]]
    heapify(leaves)
    while leaves:
        _, at = heappop(leaves)
        yield by_place[at]
        above = (at[0], by_place[at].parent)
        n_children[above] -= 1
        if above in whole and not n_children[above]:
            heappush(leaves, (by_place[above].used, above))


def _whole(by_place: Mapping[Place, File]) -> set[Place]:
    """The segments whose chain goes up to a first one without a gap."""
    below: dict[Place, list[Place]] = {}
    for at, file in by_place.items():
        below.setdefault((file.folder, file.parent), []).append(at)
    todo = [at for at, file in by_place.items() if not file.parent]
    found = set(todo)
    while todo:
        children = below.get(todo.pop(), [])
        found.update(children)
        todo += children
    return found


def _scan(path: Path | str) -> Iterator[os.DirEntry[str]]:
    """The folder's items; none if it has vanished."""
    with suppress(FileNotFoundError), os.scandir(path) as items:
        yield from items


def _segments(folder: os.DirEntry[str]) -> Iterator[File]:
    for item in _scan(folder.path):
        if _SEGMENT_NAME.fullmatch(item.name):
            with suppress(FileNotFoundError):  # another process was faster
                stat = item.stat(follow_symlinks=False)
                yield File(folder.name, item.name, stat.st_size, stat.st_mtime)


def _clean(folder: Path, now: float) -> int:
    """Remove what dead processes were writing; returns the bytes that live ones claim."""
    n_claimed = 0
    for item in _scan(folder):
        name = _TEMPORARY_NAME.fullmatch(item.name)
        if name is None:
            continue
        with suppress(FileNotFoundError):
            stat = item.stat(follow_symlinks=False)
            if _is_dead(name, now - stat.st_mtime):
                os.unlink(item.path)
                continue
            n_claimed += stat.st_size
    return n_claimed


def _is_dead(name: re.Match[str], age: float) -> bool:
    """Whether the process that wrote a temporary file of this name and age (seconds) is gone."""
    pid, process = int(name[1]), name[2]
    if process == _PROCESS:
        return False
    if pid == os.getpid() or age > TEMPORARY_SECONDS:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's, but alive
        pass
    return False


def _fill(fd: int, content: bytearray) -> None:
    view, n = memoryview(content), 0
    while n < len(content):
        n_read = os.readv(fd, [view[n:]])
        if not n_read:
            raise BadSegment(Miss.TRUNCATED)
        n += n_read


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
