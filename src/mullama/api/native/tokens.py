"""Tokens on the wire: llama-server's and vLLM's names for one thing, answers with both's fields.

The two differ in what they do by default, so the name of the text decides: `content` is tokenized
as it stands, `prompt` and `text` as a prompt would be. Pure functions.
"""

from __future__ import annotations

from mullama.api.native.schema import Text, TokenizeBody, TokenPiece, Tokens
from mullama.errors import InvalidRequest
from mullama.types import ChatRequest, TokenizeRequest, TokenizeResult


def text_request(body: TokenizeBody) -> TokenizeRequest:
    """A text's tokens are asked for. Raises InvalidRequest."""
    given = [
        (name, text)
        for name in ("content", "prompt", "text")
        if (text := getattr(body, name)) is not None
    ]
    if not given:
        raise InvalidRequest("content is missing: send a text, or messages.", param="content")
    if len(given) > 1:
        raise InvalidRequest(
            f"{given[0][0]} and {given[1][0]} are two names of one thing; send one.",
            param=given[1][0],
        )
    name, text = given[0]
    add_special = _add_special(body)
    return TokenizeRequest(
        text,
        add_special=name != "content" if add_special is None else add_special,
        parse_special=body.parse_special is not False,
        with_pieces=_wants_pieces(body),
    )


def chat_tokens_request(body: TokenizeBody, chat: ChatRequest) -> TokenizeRequest:
    """A conversation's tokens are asked for. Raises InvalidRequest."""
    for name in ("content", "prompt", "text"):
        if getattr(body, name) is not None:
            raise InvalidRequest(f"{name} and messages can't both be sent.", param=name)
    if _add_special(body) or body.parse_special is False:
        raise InvalidRequest(
            "The model's template decides on the special tokens of messages: leave add_special and "
            "parse_special out.",
            param="add_special" if _add_special(body) else "parse_special",
        )
    return TokenizeRequest(chat, with_pieces=_wants_pieces(body))


def tokens_answer(body: TokenizeBody, n_ctx: int, result: TokenizeResult) -> Tokens:
    """The tokens, in the form that was asked for."""
    answer: Tokens = {
        "tokens": list(result.tokens),
        "count": len(result.tokens),
        "max_model_len": n_ctx,
    }
    if body.with_pieces:
        pairs = zip(result.tokens, result.pieces, strict=True)
        answer["tokens"] = [_token_piece(token, piece) for token, piece in pairs]
    if body.return_token_strs:
        answer["token_strs"] = [piece.decode(errors="replace") for piece in result.pieces]
    return answer


def text_answer(text: str) -> Text:
    """A text that tokens stand for."""
    return {"content": text, "prompt": text}


def _add_special(body: TokenizeBody) -> bool | None:
    short, long = body.add_special, body.add_special_tokens
    if short is not None and long is not None and short != long:
        raise InvalidRequest(
            "add_special and add_special_tokens are two names of one thing, and differ; send one.",
            param="add_special_tokens",
        )
    return long if short is None else short


def _wants_pieces(body: TokenizeBody) -> bool:
    return bool(body.with_pieces or body.return_token_strs)


def _token_piece(token: int, piece: bytes) -> TokenPiece:
    try:
        return {"id": token, "piece": piece.decode()}
    except UnicodeDecodeError:  # a character may be spread over several tokens
        return {"id": token, "piece": list(piece)}
