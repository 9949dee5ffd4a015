"""The header of a GGUF file, read and checked in milliseconds, without loading anything.

    magic, version, n_tensors, n_metadata | key type value ... | name shape type offset ... | data

Scalars become Python values; arrays are skipped and remembered by their place, but for short ones
of numbers. The file is not trusted: every count and length is held against the file's size and
against a limit, so that a broken or hostile header costs little time and memory, and ends in a
ModelError that says what is wrong. A file that passes has all the bytes that its tensors need.

It knows what the format says, and nothing of what the keys mean.
"""

from __future__ import annotations

import math
import mmap
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mullama.errors import ModelError, NotFound

MAX_METADATA = 1 << 16
MAX_TENSORS = 1 << 16
MAX_DIMS = 4
MAX_KEY = (1 << 16) - 1  # the format's own limit
MAX_TEXT = 1 << 26  # one string value; the longest chat templates have 100 KB
MAX_STRINGS = 1 << 22  # in all arrays of a file; the largest vocabularies have 0.8 M with merges
MAX_LIST = 1 << 12  # numbers of an array that is read, such as heads per layer

# name, elements of a block, bytes of a block; the numbers are ggml's
GGML_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
    42: ("Q2_0", 64, 18),
}

_U32 = struct.Struct("<I").unpack_from
_U64 = struct.Struct("<Q").unpack_from
_STRING, _ARRAY = 8, 9
_SCALARS = {
    number: struct.Struct("<" + code)
    for number, code in {
        0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"
    }.items()
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArrayRef:
    """An array's place in the file; `type` is the format's number of its elements' type."""

    type: int
    count: int
    offset: int


Value = int | float | bool | str | ArrayRef


@dataclass(frozen=True, slots=True)
class Tensor:
    """A row of the tensor table. `offset` counts from the start of the data."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int

    @property
    def n_elements(self) -> int:
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        _, per_block, block_size = GGML_TYPES[self.type]
        return self.n_elements // per_block * block_size


@dataclass(frozen=True, slots=True)
class Header:
    """A file's header, checked. `lists` has the short numeric arrays."""

    path: Path
    metadata: dict[str, Value]
    lists: dict[str, tuple[float, ...]]
    tensors: tuple[Tensor, ...]

    def text(self, key: str) -> str | None:
        """A text value; None where it is missing or something else."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def number(self, key: str) -> int | None:
        """A whole number; None where it is missing or something else."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) else None

    def numbers(self, key: str) -> tuple[int, ...]:
        """A whole number, or an array of them, as a tuple; empty where it is neither."""
        value = self.number(key)
        if value is not None:
            return (value,)
        return tuple(int(item) for item in self.lists.get(key, ()) if math.isfinite(item))

    def count(self, key: str) -> int:
        """The length of an array; 0 where there is none."""
        value = self.metadata.get(key)
        return value.count if isinstance(value, ArrayRef) else 0


def read_header(path: str | os.PathLike[str]) -> Header:
    """The header of one GGUF file, checked against the file's size.

    Raises NotFound where there is no such file, ModelError where it is not a sound GGUF file.
    """
    path = Path(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for its writer
            refuse(path, f"it is {_kind(found.st_mode)}. Give the path of a .gguf file")
        if found.st_size == 0:
            refuse(path, "it is empty. Download it again")
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return _Parser(path, data).header()
    except FileNotFoundError:
        raise NotFound(f"There is no file {str(path)!r}.", code="model_not_found") from None
    except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelError(f"Can't read {str(path)!r}: {reason}.", code="model_unreadable") from None


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "not a file"


def refuse(path: Path, reason: str) -> NoReturn:
    raise ModelError(f"Can't load {str(path)!r}: {reason}.", code="model_invalid")


class _Parser:
    """One pass over a header: every read is checked against the end of the file."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._size = len(data)
        self._pos = 0
        self._n_strings = 0

    def header(self) -> Header:
        self._read_magic()
        n_tensors, n_metadata = self._u64(), self._u64()
        self._limit(n_tensors, MAX_TENSORS, "tensors")
        self._limit(n_metadata, MAX_METADATA, "metadata entries")
        metadata = self._read_metadata(n_metadata)
        lists = {
            key: self._numbers(value)
            for key, value in metadata.items()
            if isinstance(value, ArrayRef) and value.type != _STRING and value.count <= MAX_LIST
        }
        tensors = tuple(self._read_tensor() for _ in range(n_tensors))
        self._check_tensors(tensors, metadata.get("general.alignment", 32))
        return Header(self._path, metadata, lists, tensors)

    def _read_magic(self) -> None:
        magic = self._data[:4]
        if magic != b"GGUF":
            refuse(self._path, f"it is not a GGUF file (it begins with {magic!r})")
        self._pos = 4
        version = self._u32()
        if version & 0xFFFF == 0 and version != 0:
            refuse(self._path, "it is a big-endian GGUF file; convert it with gguf-convert-endian")
        if version not in (2, 3):
            refuse(self._path, f"it has GGUF version {version}; versions 2 and 3 can be read")

    def _read_metadata(self, count: int) -> dict[str, Value]:
        metadata: dict[str, Value] = {}
        for _ in range(count):
            key = self._string(MAX_KEY)
            if not key or key in metadata:
                self._corrupt(f"metadata key {key!r} is {'repeated' if key else 'empty'}")
            metadata[key] = self._value(key)
        return metadata

    def _value(self, key: str) -> Value:
        kind = self._u32()
        if kind == _STRING:
            return self._string(MAX_TEXT)
        if kind == _ARRAY:
            return self._array(key)
        if kind not in _SCALARS:
            self._corrupt(f"{key!r} has the unknown type {kind}")
        scalar = _SCALARS[kind]
        start = self._take(scalar.size)
        value: int | float | bool = scalar.unpack_from(self._data, start)[0]
        return value

    def _array(self, key: str) -> ArrayRef:
        kind, count, start = self._u32(), self._u64(), self._pos
        if kind == _STRING:
            self._skip_strings(count)
        elif kind in _SCALARS:
            self._take(count * _SCALARS[kind].size)
        else:
            self._corrupt(f"{key!r} is an array of the unknown type {kind}")
        return ArrayRef(kind, count, start)

    def _skip_strings(self, count: int) -> None:
        self._n_strings += count
        self._limit(self._n_strings, MAX_STRINGS, "strings")
        data, pos, unpack = self._data, self._pos, _U64
        try:
            for _ in range(count):  # the one hot loop: 300,000 turns for a large vocabulary
                pos += 8 + unpack(data, pos)[0]
        except (struct.error, OverflowError):
            self._truncated()
        if pos > self._size:
            self._truncated()
        self._pos = pos

    def _numbers(self, ref: ArrayRef) -> tuple[float, ...]:
        code = _SCALARS[ref.type].format[1:]
        return struct.unpack_from(f"<{ref.count}{code}", self._data, ref.offset)

    def _read_tensor(self) -> Tensor:
        name = self._string(MAX_KEY)
        n_dims = self._u32()
        if n_dims > MAX_DIMS:
            self._corrupt(f"tensor {name!r} has {n_dims} dimensions")
        shape = tuple(self._u64() for _ in range(n_dims))
        kind, offset = self._u32(), self._u64()
        if kind not in GGML_TYPES:
            refuse(self._path, f"tensor {name!r} has the unknown type {kind}; it may be too new")
        if shape and shape[0] % GGML_TYPES[kind][1]:
            self._corrupt(
                f"tensor {name!r} has rows of {shape[0]}, which {GGML_TYPES[kind][0]} can't have"
            )
        return Tensor(name, shape, kind, offset)

    def _check_tensors(self, tensors: tuple[Tensor, ...], alignment: Value) -> None:
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            self._corrupt(f"its alignment is {alignment!r}, which is not a power of two")
        if len({tensor.name for tensor in tensors}) < len(tensors):
            self._corrupt("two of its tensors have one name")
        start = _padded(self._pos, alignment)
        end = start
        for tensor in tensors:  # llama.cpp wants them one after another, without gaps
            if tensor.offset != _padded(end - start, alignment):
                self._corrupt(f"tensor {tensor.name!r} does not follow the one before it")
            end = start + tensor.offset + tensor.n_bytes
        if tensors and end > self._size:
            missing = _in_units(end - self._size)
            refuse(
                self._path,
                f"the file is {missing} shorter than its tensors need. Download it again",
            )

    def _string(self, longest: int) -> str:
        length = self._u64()
        if length > longest:
            self._corrupt(f"it has a text of {length} bytes where at most {longest} can be")
        start = self._take(length)
        return self._data[start : self._pos].decode("utf-8", errors="replace")

    def _u32(self) -> int:
        value: int = _U32(self._data, self._take(4))[0]
        return value

    def _u64(self) -> int:
        value: int = _U64(self._data, self._take(8))[0]
        return value

    def _take(self, n_bytes: int) -> int:
        """The place of the next `n_bytes`, which are there."""
        start = self._pos
        if n_bytes > self._size - start:
            self._truncated()
        self._pos = start + n_bytes
        return start

    def _limit(self, count: int, most: int, what: str) -> None:
        if count > most:
            self._corrupt(f"it claims {count} {what}; the most that is read is {most}")

    def _truncated(self) -> NoReturn:
        refuse(
            self._path,
            "the file ends within its header. It is truncated or corrupted; get it again",
        )

    def _corrupt(self, reason: str) -> NoReturn:
        refuse(self._path, f"its header is corrupted: {reason}. Download it again")


def _padded(n: int, alignment: int) -> int:
    return (n + alignment - 1) // alignment * alignment


def _in_units(n_bytes: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if n_bytes >= size / 10:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"
