"""Reranking on the wire: one request, two shapes of answer.

With `documents` it is the shape that Jina, Cohere, vLLM and llama-server share: an object with
`results`. With `texts` it is TEI's: a bare list. Scores are probabilities in both, and log-odds if
`raw_scores` asks for them. Pure functions.
"""

from __future__ import annotations

from mullama.api.native.schema import Ranked, Ranking, RerankBody, ScoredText
from mullama.api.openai.embeddings import truncation
from mullama.api.openai.refuse import refuse_other_inputs
from mullama.errors import InvalidRequest
from mullama.types import RerankRequest, RerankResult


def rerank_request(body: RerankBody) -> RerankRequest:
    """What the model is asked. Raises InvalidRequest."""
    refuse_other_inputs(body)
    if not body.query:
        raise InvalidRequest(
            "query is empty; send what the documents are to answer.", param="query"
        )
    return RerankRequest(
        query=body.query,
        documents=tuple(_documents(body)),
        raw=bool(body.raw_scores),
        truncate=truncation(body.truncate, body.truncate_prompt_tokens),
        max_document=body.max_tokens_per_doc,
    )


def ranking(
    id: str, model: str, body: RerankBody, result: RerankResult
) -> Ranking | list[ScoredText]:
    """The scores, best first, in the shape that the request asks for."""
    best = sorted(range(len(result.scores)), key=lambda i: -result.scores[i])
    best = best[: body.top_n or None]
    if body.texts is not None:
        return [_scored_text(body, i, result) for i in best]
    return {
        "id": id,
        "object": "list",
        "model": model,
        "results": [_ranked(body, i, result) for i in best],
        "usage": {"prompt_tokens": result.n_tokens, "total_tokens": result.n_tokens},
        "meta": {"tokens": {"input_tokens": result.n_tokens}},
    }


def _documents(body: RerankBody) -> list[str]:
    """The documents' texts, by either name. Raises InvalidRequest."""
    if body.documents is not None and body.texts is not None:
        raise InvalidRequest(
            "documents and texts are two names of one thing; send one.", param="texts"
        )
    if body.texts is not None:
        documents = body.texts
    elif body.documents is not None:
        documents = [one if isinstance(one, str) else one["text"] for one in body.documents]
    else:
        raise InvalidRequest("documents is missing.", param="documents")
    if not documents:
        name = "documents" if body.texts is None else "texts"
        raise InvalidRequest(f"{name} is empty; send at least one.", param=name)
    return documents


def _ranked(body: RerankBody, index: int, result: RerankResult) -> Ranked:
    ranked: Ranked = {"index": index, "relevance_score": result.scores[index]}
    if _returns_texts(body):
        assert body.documents is not None
        document = body.documents[index]
        ranked["document"] = {"text": document} if isinstance(document, str) else {**document}
    return ranked


def _scored_text(body: RerankBody, index: int, result: RerankResult) -> ScoredText:
    scored: ScoredText = {"index": index, "score": result.scores[index]}
    if _returns_texts(body):
        assert body.texts is not None
        scored["text"] = body.texts[index]
    return scored


def _returns_texts(body: RerankBody) -> bool:
    """Whether documents come back: by either name, or as the shape's own clients expect."""
    given = body.return_documents if body.return_text is None else body.return_text
    return body.texts is None if given is None else given
