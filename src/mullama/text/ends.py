"""Which tokens end an answer, where its format has a say in that.

A model file says which tokens end a text, and llama.cpp adds those whose names it knows, such as
`<|im_end|>`. In most models that ends an answer. Where each part of one is a message of its own
(HyperCLOVA X: thought, words, calls), it ends a thought, and another token the answer:

    …thinking<|im_end|>
    <|im_start|>assistant
    It is noon.<|im_end|><|endofturn|>
"""

from __future__ import annotations

import re

from mullama.text.formats import Template, find_format
from mullama.text.syntax import Format
from mullama.types import Token, Vocab

_END = re.compile(r"<[^<>\s]*(?:end|stop|eo[mst])[^<>\s]*>", re.IGNORECASE)


def answer_ends(vocab: Vocab, template: Template) -> frozenset[Token]:
    """The tokens that end an answer of the model with this template."""
    # One end is the answer's: this saves most models the finding of their format at loading.
    texts = {vocab.piece(token, special=True).decode(errors="replace") for token in vocab.eog}
    named = {text for text in texts if text and text in template.source}
    if not named or len(named | {*_END.findall(template.source)}) < 2:
        return vocab.eog
    return ends_in(find_format(template), vocab)


def ends_in(format: Format, vocab: Vocab) -> frozenset[Token]:
    """The tokens that end an answer in this format."""
    over = {token for mark in format.ends for token in _alone(vocab, mark)}
    if not over or not format.reasoning:
        return vocab.eog
    return frozenset((vocab.eog - {*_alone(vocab, format.reasoning.close.strip())}) | over)


def _alone(vocab: Vocab, mark: str) -> list[Token]:
    """The token that is this mark; none if it takes several."""
    tokens = vocab.tokenize(mark, add_special=False, parse_special=True)
    return tokens if len(tokens) == 1 else []
