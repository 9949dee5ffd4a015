"""A segment of a sequence's state, and the file that holds it.

A segment is the state of a run of tokens at positions [start, end): `data`, the KV cells of exactly
that run, and `state`, what the sequence remembers beside its cells at exactly `end` (a recurrent
state, a sliding window; empty where there is none). Both are opaque here. A state alone is a
segment without tokens.

Segments form chains. A key is a hash of all that came before:

    root key     H(fingerprint, namespace)
    segment key  H(parent's key, start, tokens)         start 0: the parent is a root

A child begins inside its parent or at its end (parent.start < start <= parent.end), so what parts
from a stored run in its middle is stored from there on, and nothing is stored twice. A key names
one content: whoever writes a file of that name, in whatever process, writes the same.

    offset  size
         0     8  magic
         8     4  format version
        12     4  CRC-32 of all that follows
        16    16  key
        32    16  parent's key
        48     8  start
        56     8  n_tokens
        64     8  n_fingerprint   bytes
        72     8  n_data          bytes
        80     8  n_state         bytes
        88        fingerprint (UTF-8), tokens (int32), data, state

Numbers are little-endian. CRC-32 is the fastest check in the standard library, five times BLAKE2's
speed; a checksum guards against accidents here, and the keys need no secret either. What does not
add up raises BadSegment; this module opens no file.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

MAGIC = b"mullamaK"
VERSION = 1
N_KEY = 16  # bytes
_PREFIX = Struct("<8sII")
_FIELDS = Struct(f"<{N_KEY}s{N_KEY}sQQQQQ")
N_HEADER = _PREFIX.size + _FIELDS.size
_N_TOKEN = 4  # bytes

Bytes = bytes | bytearray | memoryview  # a memoryview of single bytes


class Miss(StrEnum):
    """Why a segment could not be had."""

    UNKNOWN = "unknown"  # no such segment is stored
    VANISHED = "vanished"  # another process, or a person, has deleted the file
    UNREADABLE = "unreadable"  # the system can't read it
    TRUNCATED = "truncated"  # the file's length is not what its header says
    CORRUPT = "corrupt"  # a checksum, the magic number or the key is wrong
    FOREIGN = "foreign"  # another model's, or another configuration's
    VERSION = "version"  # another format


class BadSegment(Exception):
    """A file is not the segment that its name promises."""

    def __init__(self, reason: Miss) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment without its bytes: what is kept in memory of it. `tokens` must not change."""

    key: bytes
    parent: bytes
    start: int
    tokens: array[int]
    n_data: int
    n_state: int

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)

    @property
    def n_bytes(self) -> int:
        return self.n_data + self.n_state

    @property
    def is_first(self) -> bool:
        """Whether its parent is a root, which is no segment."""
        return self.start == 0


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The state of `tokens` at positions [start, start + len(tokens)), as the module's text says.

    The tokens are copied, since the engine's arrays grow; the bytes are not, and must not change.
    """

    parent: bytes
    start: int
    tokens: array[int]
    data: Bytes
    state: Bytes = b""
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        assert self.tokens or (self.state and self.start), "a segment of nothing"
        object.__setattr__(self, "tokens", self.tokens[:])
        object.__setattr__(self, "key", segment_key(self.parent, self.start, self.tokens))

    def entry(self) -> Entry:
        return Entry(
            self.key, self.parent, self.start, self.tokens, len(self.data), len(self.state)
        )


def root_key(fingerprint: str, namespace: str = "") -> bytes:
    """Where the chains of a namespace begin."""
    facts, salt = fingerprint.encode(), namespace.encode()
    length = len(facts).to_bytes(8, "little")
    return _hash(b"mullama root", length, facts, salt)


def segment_key(parent: bytes, start: int, tokens: array[int]) -> bytes:
    """The key of the segment of `tokens` at `start` below `parent`."""
    return _hash(b"mullama segment", parent, start.to_bytes(8, "little"), _to_bytes(tokens))


def encode(segment: Segment, fingerprint: str) -> list[Bytes]:
    """The file's parts, to be written one after another."""
    text, tokens = fingerprint.encode(), _to_bytes(segment.tokens)
    fields = _FIELDS.pack(
        segment.key,
        segment.parent,
        segment.start,
        len(segment.tokens),
        len(text),
        len(segment.data),
        len(segment.state),
    )
    parts: list[Bytes] = [fields, text, tokens, segment.data, segment.state]
    return [_PREFIX.pack(MAGIC, VERSION, _checksum(parts)), *parts]


def file_size(entry: Entry, fingerprint: str) -> int:
    """Bytes of the entry's file."""
    text = len(fingerprint.encode())
    return N_HEADER + text + _N_TOKEN * len(entry.tokens) + entry.n_bytes


def head_size(begin: Bytes, n_file: int) -> int:
    """How many bytes of a file of `n_file` bytes, which begins so, come before its data.

    Raises BadSegment.
    """
    return _header(begin, n_file).n_head


def decode_entry(head: Bytes, n_file: int, fingerprint: str) -> Entry:
    """What the first `head_size` bytes of a file of `n_file` bytes say of it, data unchecked.

    Raises BadSegment.
    """
    header = _header(head, n_file)
    view = memoryview(head)
    at_tokens = N_HEADER + header.n_fingerprint
    if view[N_HEADER:at_tokens] != fingerprint.encode():
        raise BadSegment(Miss.FOREIGN)
    tokens = _from_bytes(view[at_tokens : header.n_head])
    if segment_key(header.parent, header.start, tokens) != header.key:
        raise BadSegment(Miss.CORRUPT)
    return Entry(header.key, header.parent, header.start, tokens, header.n_data, header.n_state)


def decode(content: Bytes, expected: Entry, fingerprint: str) -> Segment:
    """The segment in a whole file, if it is the expected one, token by token.

    Its `data` and `state` are views of `content`. Raises BadSegment.
    """
    header = _header(content, len(content))
    view = memoryview(content)
    if zlib.crc32(view[_PREFIX.size :]) != header.checksum:
        raise BadSegment(Miss.CORRUPT)
    if decode_entry(content, len(content), fingerprint) != expected:
        raise BadSegment(Miss.CORRUPT)
    data, state = view[header.n_head :][: header.n_data], view[header.n_head + header.n_data :]
    return Segment(expected.parent, expected.start, expected.tokens, data, state)


class _Header(NamedTuple):
    magic: bytes
    version: int
    checksum: int
    key: bytes
    parent: bytes
    start: int
    n_tokens: int
    n_fingerprint: int
    n_data: int
    n_state: int

    @property
    def n_head(self) -> int:
        return N_HEADER + self.n_fingerprint + _N_TOKEN * self.n_tokens


def _header(begin: Bytes, n_file: int) -> _Header:
    if len(begin) < N_HEADER:
        raise BadSegment(Miss.TRUNCATED)
    header = _Header(*_PREFIX.unpack_from(begin), *_FIELDS.unpack_from(begin, _PREFIX.size))
    if header.magic != MAGIC:
        raise BadSegment(Miss.CORRUPT)
    if header.version != VERSION:
        raise BadSegment(Miss.VERSION)
    if header.n_head + header.n_data + header.n_state != n_file:
        raise BadSegment(Miss.TRUNCATED)
    return header


def _hash(purpose: bytes, *parts: bytes) -> bytes:
    digest = blake2b(digest_size=N_KEY, person=purpose)
    for part in parts:
        digest.update(part)
    return digest.digest()


def _checksum(parts: Iterable[Bytes]) -> int:
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value


def _to_bytes(tokens: array[int]) -> bytes:
    if sys.byteorder == "big":
        tokens = tokens[:]
        tokens.byteswap()
    return tokens.tobytes()


def _from_bytes(data: Bytes) -> array[int]:
    tokens = array("i", bytes(data))
    if sys.byteorder == "big":
        tokens.byteswap()
    return tokens
