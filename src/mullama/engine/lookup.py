"""Drafts without a second model: what followed the last time the text read like this.

Summaries, edits and answers about a document copy long runs from what the sequence already holds.
`Lookup` keeps a sequence's tokens and finds the longest suffix of them that occurred earlier; the
tokens that followed there are the draft. Among equally long matches the most recent wins.

The index is a chain of occurrences, as in LZ77 compressors. For each position, `previous` has the
end of the occurrence before of the `min_ngram` tokens that end there:

    tokens     ... a b c d e ... a b c x y ... a b c
                        ^             ^            |
                        |             |____________| previous
                        |_____________| previous

A match is followed, not looked up again: as long as each new token is the one that `source` points
at, `source` moves on by one. A long copy is not ended by one token that was replaced: where nothing
better is found, the tokens after it are tried. A match may run into the end of the tokens; then it
repeats itself, as text with a period does.

`append` says whether the token had been foreseen. That costs nothing to compute, drafted or not,
so what a draft would be worth is known before one is paid for.

Only accepted tokens are appended, and none is ever taken back. Measured on 8192 tokens, one core
of a small server: half a microsecond for each token of a prompt, one for each appended, half a one
for a draft; 50 to 110 bytes a token, a hundredth of a small model's KV cell.

It does not know what a draft costs, nor how long one should be.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from mullama.types import Token

# A single token says little about the next; what a pair says, its acceptance tells soon.
MIN_NGRAM = 2
# A longer match is no better than this.
MAX_NGRAM = 16
# Earlier occurrences that are compared; the most recent are the likeliest.
N_CANDIDATES = 16
# So many tokens foreseen in a row are a copy, which goes on after a token that was replaced.
LONG_COPY = 8

TOKEN_BITS = 32
NOWHERE = -1


class Lookup:
    """The tokens of one sequence, and where their present end occurred before.

    A match is at least `min_ngram` tokens long (`max_ngram`, if that is less); those of `max_ngram`
    and more count as equal.
    """

    def __init__(self, max_ngram: int = MAX_NGRAM, min_ngram: int = MIN_NGRAM) -> None:
        assert min(min_ngram, max_ngram) >= 1, (min_ngram, max_ngram)
        self._max, self._min = max_ngram, min(min_ngram, max_ngram)
        self._tokens = array("i")
        self._previous = array("i")  # ends of occurrences; 0 for none
        self._latest: dict[int, int] = {}  # an n-gram's last end
        # The last tokens, as many as a match needs, in one number; at first no token's bits.
        self._mask = self._ngram = (1 << TOKEN_BITS * self._min) - 1
        self._source = NOWHERE  # index of the token that is foreseen
        self._n_foreseen = 0  # in a row

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def foresees(self) -> bool:
        """Whether there is a match, and so something to propose."""
        return self._source != NOWHERE

    def extend(self, tokens: Iterable[Token]) -> None:
        """Tokens that were not predicted, such as a prompt: only indexed."""
        for token in tokens:
            self._index(token)
        self._source = self._find()

    def append(self, token: Token) -> bool | None:
        """A token that was generated. Was it the one foreseen? None if none was."""
        source = self._source
        foreseen = None if source == NOWHERE else self._tokens[source] == token
        self._index(token)
        if foreseen:
            self._n_foreseen += 1
            self._source = source + 1
            return True
        self._source = self._find()
        if self._source == NOWHERE and self._n_foreseen >= LONG_COPY:
            self._source = source + 1
        self._n_foreseen = 0
        return foreseen

    def propose(self, n: int) -> array[int]:
        """The next `n` tokens as foreseen; empty without a match."""
        if not self.foresees:
            return array("i")
        period = len(self._tokens) - self._source
        draft = self._tokens[self._source : self._source + n]
        return (draft * -(-n // period))[:n]

    def _index(self, token: Token) -> None:
        self._tokens.append(token)
        self._ngram = (self._ngram << TOKEN_BITS | token) & self._mask
        self._previous.append(self._latest.get(self._ngram, 0))
        self._latest[self._ngram] = len(self._tokens)

    def _find(self) -> int:
        """Where the longest match ends, which is the index of the token after it."""
        best, best_length = NOWHERE, 0
        end = self._previous[-1] if self._previous else 0
        for _ in range(N_CANDIDATES):
            if not end or best_length == self._max:
                break
            length = self._match(end)
            if length > best_length:
                best, best_length = end, length
            end = self._previous[end - 1]
        return best

    def _match(self, end: int) -> int:
        """How many tokens before `end` are the last ones, known to be `min_ngram` at least."""
        tokens, last = self._tokens, len(self._tokens)
        n, most = self._min, min(self._max, end)
        while n < most and tokens[end - 1 - n] == tokens[last - 1 - n]:
            n += 1
        return n
