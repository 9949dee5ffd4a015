"""Random answers that a guide allows, over a vocabulary in which a format's marks are tokens."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from mullama.text.channels import Parser
from mullama.text.constraint import Template
from mullama.text.spans import Answer, fold
from mullama.text.syntax import Format
from mullama.text.syntax import marks as pieces
from mullama.types import Matcher, Token
from tests.text.constraint.vocabulary import END, WORDS, SmallVocab, allowed

_HASTE = 30  # tokens after which a walk makes for the end


class MarkedVocab(SmallVocab):
    """Bytes, words, and a format's marks: control tokens if `special`, else only their bytes."""

    def __init__(self, format: Format, *, special: bool) -> None:
        super().__init__(WORDS[1:])
        marks = [mark for mark in sorted(format.marks) if len(mark) > 3 and pieces(mark) == [mark]]
        marks = [
            mark
            for mark in marks
            if mark[0] in "<[]" and mark.encode() not in self._special.values()
        ]
        for mark in marks if special else ():
            self._special[len(self._pieces)] = mark.encode()
            self._pieces.append(b"")


class Stuck(AssertionError):
    """Nothing may follow."""


def walk(
    template: Template,
    vocab: SmallVocab,
    rng: random.Random,
    *,
    closing: Sequence[str] = (),
    most: int = 4000,
) -> list[Token]:
    """The tokens of one answer, without the one that ends it.

    It wanders for a while, then makes for the end, by one of the texts in `closing` where one fits.
    """
    return wander(template.matcher(), vocab, rng, closing=closing, most=most)


def wander(
    matcher: Matcher,
    vocab: SmallVocab,
    rng: random.Random,
    *,
    closing: Sequence[str] = (),
    most: int = 4000,
) -> list[Token]:
    """The same, from where the matcher stands."""
    tokens: list[Token] = []
    while not matcher.done and len(tokens) < most:
        chosen = matcher.forced()
        if not chosen:
            choice = allowed(matcher, vocab.n_tokens)
            ends = [token for token in choice if token in vocab.eog]
            assert not ends or matcher.can_end
            hurry = len(tokens) > _HASTE
            if ends and (hurry or len(choice) == len(ends) or rng.random() < 0.1):
                break
            choice = [token for token in choice if token not in vocab.eog]
            if not choice:
                raise Stuck(text_of(vocab, tokens))
            chosen = [_step(choice, vocab, rng, hurry=hurry)]
            if hurry and rng.random() < 0.5:
                texts = (written(vocab, text) for text in closing)
                fits = [text for text in texts if matcher.count_allowed(text) == len(text)]
                chosen = rng.choice(fits) if fits else chosen
        for token in chosen:
            matcher.accept(token)
            tokens.append(token)
    assert matcher.done or matcher.can_end, text_of(vocab, tokens)
    return tokens


def _step(choice: list[Token], vocab: SmallVocab, rng: random.Random, *, hurry: bool) -> Token:
    if hurry or rng.random() < 0.3:
        closers = [
            token
            for token in choice
            if vocab.piece(token, special=True)[:1] in (b'"', b"}", b"]", b"<", b")", b"[")
            or (not vocab.piece(token))
        ]
        if closers:
            return rng.choice(closers)
    common = [token for token in choice if token < 128 or rng.random() < 0.1]
    return rng.choice(common or choice)


def text_of(vocab: SmallVocab, tokens: Sequence[Token]) -> str:
    """The text with the marks in it."""
    pieces = (vocab.piece(token, special=True) for token in tokens)
    return b"".join(pieces).decode(errors="replace")


def read(
    format: Format, text: str, tools: Sequence[dict[str, object]], opened: str, *, split: bool
) -> Answer:
    """What a reader makes of an answer's text."""
    parser = Parser(format, opened=opened, tools=tools)
    pieces: Iterable[str] = text if split else [text]
    spans = list(parser.prefilled)
    for piece in pieces:
        spans += parser.feed(piece)
    return fold([*spans, *parser.finish()])


def follows(matcher: Matcher, vocab: SmallVocab, text: str) -> bool:
    """Whether this text may be written, token by token as the vocabulary cuts it."""
    for token in written(vocab, text):
        if token not in allowed(matcher, vocab.n_tokens):
            return False
        matcher.accept(token)
    return True


def written(vocab: SmallVocab, text: str) -> list[Token]:
    """The tokens of a text, marks as their tokens."""
    names = {name.decode(): token for token, name in vocab._special.items()}
    found: list[Token] = []
    while text:
        places = [(text.find(name), -len(name), name) for name in names if name in text]
        if not places:
            return found + vocab.tokenize(text)
        at, _, name = min(places)
        found += [*vocab.tokenize(text[:at]), names[name]]
        text = text[at + len(name) :]
    return found


__all__ = ["END", "MarkedVocab", "Stuck", "follows", "read", "text_of", "walk", "wander", "written"]
