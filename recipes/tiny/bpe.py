"""A byte-level BPE: split, train, encode.

The split is the one that llama.cpp calls `smollm`: first every digit stands alone, then GPT-2's
pattern. Classes of characters come from Python's Unicode tables, since `re` has none. A test holds
the tokens equal to llama.cpp's for ten thousand strings of all scripts.
"""

from __future__ import annotations

import heapq
import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>", "</tools>")  # fmt: skip
SPECIAL = (*CONTROL, *MARKS)
END_OF_TEXT, IM_START, IM_END = 0, 1, 2

Pair = tuple[str, str]
_SPACES = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def byte_letters() -> list[str]:
    """The visible letter that stands for each byte, as GPT-2 has them."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    letters, more = [], 256
    for byte in range(256):
        letters.append(chr(byte if byte in shown else more))
        more += byte not in shown
    return letters


_LETTERS = byte_letters()
_BYTES = {letter: byte for byte, letter in enumerate(_LETTERS)}


def _class(kind: str) -> str:
    """The ranges of all characters of a category, for use within brackets."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code))[0] == kind:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(re.escape(chr(low)) + "-" + re.escape(chr(high)) for low, high in ranges)


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    letter, number = _class("L"), _class("N")
    digits = re.compile(f"[{number}]|[^{number}]+")
    words = re.compile(
        f"'s|'t|'re|'ve|'m|'ll|'d| ?[{letter}]+| ?[{number}]+| ?[^{_SPACES}{letter}{number}]+"
        f"|[{_SPACES}]+(?![^{_SPACES}])|[{_SPACES}]+"
    )
    return digits, words


def split(text: str) -> list[str]:
    """The pieces within which tokens are found."""
    digits, words = _patterns()
    return [piece for part in digits.findall(text) for piece in words.findall(part)]


def train(texts: Iterable[str], n_vocab: int) -> list[Pair]:
    """The merges, most frequent first; equal ones in the order of their letters."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(split(text))
    words = [([_LETTERS[b] for b in word.encode()], n) for word, n in sorted(counts.items())]
    pairs: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)
    for i, (symbols, n) in enumerate(words):
        for pair in pairwise(symbols):
            pairs[pair] += n
            where[pair].add(i)
    heap = [(-n, pair) for pair, n in pairs.items()]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < n_vocab - 256 - len(SPECIAL):
        negative, best = heapq.heappop(heap)
        if pairs[best] != -negative:  # it has changed since
            if pairs[best] > 0:
                heapq.heappush(heap, (-pairs[best], best))
            continue
        merges.append(best)
        changed: set[Pair] = set()
        for i in sorted(where.pop(best)):
            symbols, n = words[i]
            for pair in pairwise(symbols):
                pairs[pair] -= n
            symbols[:] = _merged(symbols, best)
            for pair in pairwise(symbols):
                pairs[pair] += n
                where[pair].add(i)
                changed.add(pair)
        pairs[best] = 0
        for pair in changed:
            heapq.heappush(heap, (-pairs[pair], pair))
    return merges


def _merged(symbols: list[str], pair: Pair) -> list[str]:
    made, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            made.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            made.append(symbols[i])
            i += 1
    return made


class Tokenizer:
    """Text to tokens and back. Names of special tokens in a text are these tokens."""

    def __init__(self, merges: list[Pair]) -> None:
        self.merges = merges
        self.tokens = [*SPECIAL, *_LETTERS, *(a + b for a, b in merges)]
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        self._ranks = {pair: i for i, pair in enumerate(merges)}
        self._special = re.compile("(" + "|".join(re.escape(name) for name in SPECIAL) + ")")
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in self._special.split(text):
            if part in SPECIAL:
                ids.append(self._ids[part])
            elif part:
                for piece in split(part):
                    ids += self._known.get(piece) or self._piece(piece)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        data = b""
        for i in ids:
            token = self.tokens[i]
            data += token.encode() if i < len(SPECIAL) else bytes(_BYTES[c] for c in token)
        return data.decode("utf-8", "replace")

    def _piece(self, piece: str) -> list[int]:
        symbols = [_LETTERS[b] for b in piece.encode()]
        while len(symbols) > 1:
            best = min(pairwise(symbols), key=lambda pair: self._ranks.get(pair, 1 << 30))
            if best not in self._ranks:
                break
            symbols = _merged(symbols, best)
        ids = [self._ids[symbol] for symbol in symbols]
        if len(self._known) < 500_000:
            self._known[piece] = ids
        return ids

    def save(self, path: Path) -> None:
        lines = [f"{a} {b}" for a, b in self.merges]
        path.write_text(json.dumps({"merges": lines}, ensure_ascii=False, indent=0) + "\n")

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        merges = json.loads(path.read_text())["merges"]
        return cls([(a, b) for a, b in (line.split(" ") for line in merges)])
