"""A query and a document as one input for a reranking model, as the model was trained to see them.

A model's file may have a template for it, text with the places `{query}` and `{document}`
(`tokenizer.chat_template.rerank`). Where it has none, the vocabulary says which of BOS, EOS and SEP
stand around texts. llama.cpp's server does the same, so scores agree.

Nothing is cut here; the pair says where the document lies in it, so that a caller can.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mullama.types import Pair, Token

_QUERY, _DOCUMENT = "{query}", "{document}"
_PLACES = re.compile(f"({_QUERY}|{_DOCUMENT})")

Tokenize = Callable[[str], list[Token]]


def by_tokens(
    query: list[Token],
    document: list[Token],
    *,
    bos: Token | None,
    eos: Token | None,
    sep: Token | None,
) -> Pair | None:
    """BOS, the query, EOS, SEP, the document, EOS: those that the model wants, the others None.

    None where nothing would part the two texts.
    """
    before, between, after = (
        [token for token in tokens if token is not None] for tokens in ([bos], [eos, sep], [eos])
    )
    if not between:
        return None
    start = [*before, *query, *between]
    return Pair([*start, *document, *after], len(start), len(start) + len(document))


def is_template(text: str) -> bool:
    """Whether it has a place for each of the two texts."""
    return _QUERY in text and _DOCUMENT in text


def by_template(template: str, query: str, document: str, tokenize: Tokenize) -> Pair:
    """The pair as the template writes it. `tokenize` parses control tokens, and adds none."""
    values = {_QUERY: query, _DOCUMENT: document}

    def fill(text: str) -> str:
        # In one go: what a text contains is no place for the other one.
        return "".join(values.get(part, part) for part in _PLACES.split(text))

    before, _, after = template.rpartition(_DOCUMENT)
    before, after = fill(before), fill(after)
    tokens = tokenize(before + document + after)
    # Where a token reaches over an edge, the document is taken for that much longer or shorter.
    end = max(0, len(tokens) - len(tokenize(after)))
    return Pair(tokens, min(end, len(tokenize(before))), end)
