"""What matchers made of others have in common, and the two that are made of nothing.

    Free()    anything, without end
    End()     nothing more

A follower goes back by beginning anew: nobody goes back far, and so each need only know how to go
forward. `combine` has those that are made of others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from mullama.errors import InvalidRequest
from mullama.text.constraint.masks import count_allowed, count_free, ends
from mullama.text.constraint.tokens import Tokens
from mullama.types import Token


class Combined(ABC):
    """A template of others."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    @abstractmethod
    def matcher(self) -> CombinedFollower: ...

    def begins(self, data: bytes) -> bool:
        """Whether a matcher could begin with `data`, the rest of a token."""
        return self.matcher().begin(data)


class CombinedFollower(ABC):
    """What followers of templates have in common: going back."""

    def __init__(self) -> None:
        self._taken: list[Token] = []
        self._begun = b""

    @property
    @abstractmethod
    def done(self) -> bool: ...

    @property
    @abstractmethod
    def can_end(self) -> bool: ...

    @abstractmethod
    def mask(self) -> bytes | None: ...

    @abstractmethod
    def _reset(self) -> None:
        """Stand at the beginning again."""

    @abstractmethod
    def _take(self, token: Token) -> None: ...

    @abstractmethod
    def _begin(self, data: bytes) -> bool: ...

    @abstractmethod
    def clone(self) -> CombinedFollower: ...

    def forced(self) -> list[Token]:
        return []

    def begin(self, data: bytes) -> bool:
        """Take `data`, the rest of a token that began before this text."""
        self._begun = data
        return self._begin(data)

    def accept(self, token: Token) -> None:
        self._take(token)
        self._taken.append(token)

    def count_allowed(self, tokens: Sequence[Token]) -> int:
        return count_allowed(self.clone(), tokens)

    def count_free(self, tokens: Sequence[Token]) -> int:
        return count_free(self.clone(), tokens)

    def rollback(self, n: int) -> None:
        if not n:
            return
        taken = self._taken[: len(self._taken) - n]
        self._reset()
        if self._begun:
            self._begin(self._begun)
        for token in taken:
            self._take(token)
        self._taken = taken

    def _copy_to(self, copy: CombinedFollower) -> None:
        copy._taken, copy._begun = list(self._taken), self._begun


class Free(Combined):
    """Anything, which may end everywhere."""

    def matcher(self) -> FreeFollower:
        return FreeFollower(self)


class FreeFollower(CombinedFollower):
    done = False
    can_end = True

    def __init__(self, template: Free) -> None:
        super().__init__()
        self._template = template

    def mask(self) -> bytes | None:
        return None

    def _reset(self) -> None: ...

    def _take(self, token: Token) -> None: ...

    def _begin(self, data: bytes) -> bool:
        return True

    def clone(self) -> FreeFollower:
        return FreeFollower(self._template)


class End(Combined):
    """Nothing more. What a token had beyond the end before it does no harm."""

    def matcher(self) -> EndFollower:
        return EndFollower(self)


class EndFollower(CombinedFollower):
    done = True
    can_end = True

    def __init__(self, template: End) -> None:
        super().__init__()
        self._template = template

    def mask(self) -> bytes | None:
        return ends(self._template.tokens)

    def _reset(self) -> None: ...

    def _take(self, token: Token) -> None:
        raise InvalidRequest("Nothing more may follow.")

    def _begin(self, data: bytes) -> bool:
        return True

    def clone(self) -> EndFollower:
        return EndFollower(self._template)
