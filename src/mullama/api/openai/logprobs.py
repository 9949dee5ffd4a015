"""Log-probabilities in OpenAI's two shapes: a list of objects for chat, four lists for completions.

A token's text is its own bytes, decoded; bytes that are only a part of a character show as U+FFFD,
and chat's `bytes` has them as they are. JSON has no infinity, so -9999 stands for it, as the API
has it.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence

from mullama.api.openai.answers import ChatLogprob, ChatLogprobs, TextLogprobs
from mullama.text.reading import Scores
from mullama.types import TokenLogprob

LOWEST = -9999.0


def finite(logprob: float) -> float:
    """A log-probability that JSON can hold."""
    return logprob if logprob > LOWEST else LOWEST  # also for NaN


def text_of(piece: bytes) -> str:
    """A token's text, whatever its bytes are."""
    return piece.decode("utf-8", "replace")


def chat_logprobs(scored: Iterable[TokenLogprob]) -> list[ChatLogprob]:
    """Chat's shape: the chosen tokens, each with the likely ones beside it."""
    return [
        {
            "token": text_of(one.piece),
            "bytes": list(one.piece),
            "logprob": finite(one.logprob),
            "top_logprobs": [
                {"token": text_of(piece), "bytes": list(piece), "logprob": finite(logprob)}
                for _, piece, logprob in one.top
            ],
        }
        for one in scored
    ]


def chat_scores(scores: Scores, *, thoughts: bool = True) -> ChatLogprobs:
    """Chat's shape for an answer, or a piece of one, with the tokens of thoughts apart, or left
    out."""
    answer: ChatLogprobs = {"content": chat_logprobs(scores.content), "refusal": None}
    if scores.thoughts and thoughts:
        answer["reasoning_content"] = chat_logprobs(scores.thoughts)
    return answer


class TextScores:
    """Completions' shape, piece by piece: offsets count the characters of the answer's text."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._offset = 0

    def prompt(self, scored: Sequence[TokenLogprob | None], text: str) -> TextLogprobs:
        """Of an echoed prompt. Its first token has no score, and its text is what remains."""
        rest = b"".join(one.piece for one in scored if one is not None)
        whole = text.encode(errors="replace")
        first = whole.removesuffix(rest) if whole.endswith(rest) else b""
        lists = _empty()
        for one in scored:
            if one is None:
                self._add(lists, text_of(first), None, None)
                self._offset += len(self._decoder.decode(first))
            else:
                self._score(lists, one)
        self._offset = len(text)
        return lists

    def answer(self, scored: Iterable[TokenLogprob]) -> TextLogprobs:
        """Of the next tokens of the answer."""
        lists = _empty()
        for one in scored:
            self._score(lists, one)
        return lists

    def _score(self, lists: TextLogprobs, one: TokenLogprob) -> None:
        top: dict[str, float] = {}  # by text; of tokens that look the same, the likeliest
        for _, piece, likely in one.top:
            top.setdefault(text_of(piece), finite(likely))
        text, logprob = text_of(one.piece), finite(one.logprob)
        top.setdefault(text, logprob)
        self._add(lists, text, logprob, top)
        self._offset += len(self._decoder.decode(one.piece))

    def _add(
        self, lists: TextLogprobs, text: str, logprob: float | None, top: dict[str, float] | None
    ) -> None:
        lists["tokens"].append(text)
        lists["token_logprobs"].append(logprob)
        lists["top_logprobs"].append(top)
        lists["text_offset"].append(self._offset)


def _empty() -> TextLogprobs:
    return {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}


def joined(parts: Iterable[TextLogprobs]) -> TextLogprobs:
    """Consecutive pieces as one."""
    whole = _empty()
    for part in parts:
        whole["tokens"] += part["tokens"]
        whole["token_logprobs"] += part["token_logprobs"]
        whole["top_logprobs"] += part["top_logprobs"]
        whole["text_offset"] += part["text_offset"]
    return whole
