"""Requests as a client wrote them -> tokens as the engine takes them.

Everything that can be wrong with a request for this very model is found here, before any of it
reaches an engine: token ids that the vocabulary lacks, a missing chat template, an empty prompt.
Pure over a vocabulary and a template: it knows no llama.cpp, no thread and no socket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from mullama.errors import InvalidRequest
from mullama.host.inputs import check_tokens
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    GenerateOptions,
    GenerateRequest,
    Matcher,
    Token,
    TokenizeRequest,
    TokenizeResult,
    Vocab,
)

if TYPE_CHECKING:
    from mullama.host.guides import Guides


class Template(Protocol):
    """A model's chat template."""

    def render(
        self,
        messages: Sequence[dict[str, Any]],
        *,
        tools: Sequence[dict[str, Any]] = (),
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        **kwargs: Any,
    ) -> str: ...

    def source_for(self, *, tools: bool) -> str:
        """The source that writes conversations with tools, or without."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request in tokens; with the text of its prompt where that was given in tokens, and what a
    chat's prompt has `opened` of the answer."""

    request: GenerateRequest
    prompt_text: str = ""
    opened: str = ""


class Preparer:
    """Turns requests for one model into tokens. Thread-safe, as the vocabulary is."""

    def __init__(self, vocab: Vocab, template: Template | None, n_ctx: int) -> None:
        """`n_ctx`: positions that one request can have."""
        self._vocab = vocab
        self._template = template
        self._n_ctx = n_ctx
        self._shown: dict[tuple[str, ...], tuple[Token, ...]] = {}  # by marks; a model has few sets
        self._guides: Guides | None = None
        self._lock = Lock()
        begun = vocab.tokenize("", add_special=True)[:1]
        self._begin = begun if begun == [vocab.bos] else []  # BOS, where the model wants one

    def generate(self, id: int, request: ChatRequest | CompletionRequest) -> Prepared:
        """The request in tokens. Raises InvalidRequest, naming the field."""
        self._check_options(request.options)
        if isinstance(request, ChatRequest):
            text = self.render(request)
            tokens = self._text(text)
            opened = self._opened(text, request) if request.marks else ""
            if request.marks:
                constraint = self._guide(request, opened, self._n_ctx - len(tokens))
            else:
                constraint = self._alone(request)
            return Prepared(self._request(id, request, tokens, constraint), opened=opened)
        prepared = self._request(id, request, self._completion(request), self._alone(request))
        if isinstance(request.prompt, str):
            return Prepared(prepared)
        return Prepared(prepared, self._vocab.detokenize(request.prompt, unparse_special=True))

    def _request(
        self,
        id: int,
        request: ChatRequest | CompletionRequest,
        prompt: Sequence[Token],
        constraint: Callable[[], Matcher] | None,
    ) -> GenerateRequest:
        options = request.options
        if request.marks:
            options = replace(options, shown=self._tokens_of(request.marks))
        return GenerateRequest(id, tuple(prompt), options, constraint)

    def _tokens_of(self, marks: tuple[str, ...]) -> tuple[Token, ...]:
        """The control tokens that these texts are made of."""
        if marks not in self._shown:
            piece = self._vocab.piece
            self._shown[marks] = tuple(
                {
                    token: None
                    for mark in marks
                    for token in self._vocab.tokenize(mark, add_special=False, parse_special=True)
                    if piece(token) != piece(token, special=True)
                }
            )
        return self._shown[marks]

    def _opened(self, prompt: str, request: ChatRequest) -> str:
        """What the prompt has of the answer: all that the conversation before it does not have."""
        # Not at the top: a program that only completes needs no channels.
        from mullama.text.channels import begun

        before = request.messages[:-1] if request.continue_final_message else request.messages
        history = replace(
            request, messages=before, add_generation_prompt=False, continue_final_message=False
        )
        try:
            return begun(prompt, self.render(history)) if before else prompt
        except InvalidRequest:  # a template that must have more than that: nothing is known
            return ""

    def _alone(self, request: ChatRequest | CompletionRequest) -> Callable[[], Matcher] | None:
        """What holds an answer of which no channels are read: its constraint, from the start."""
        constraint = request.options.constraint
        return None if constraint is None else self._all_guides.constraint(constraint)

    def _guide(self, request: ChatRequest, opened: str, room: int) -> Callable[[], Matcher] | None:
        """What holds an answer of thoughts, calls and words; None where all of it is free. There is
        `room` for so many tokens."""
        limits = (request.thinking_budget, request.thinking_share, request.options.constraint)
        if self._template is None or not (request.offered or any(x is not None for x in limits)):
            return None
        source = self._template.source_for(tools=bool(request.offered))
        return self._all_guides.answer(request, source, opened, room)

    def prepare_guides(self) -> None:
        """Do now what the first constrained answer would wait for: a second for 152k tokens."""
        with suppress(InvalidRequest):  # a model that can't be constrained says so when it is asked
            self._all_guides.prepare()

    @property
    def _all_guides(self) -> Guides:
        with self._lock:
            if self._guides is None:
                # Not at the top: it takes memory, and time to import.
                from mullama.host.guides import Guides

                self._guides = Guides(self._vocab)
            return self._guides

    def render(self, request: ChatRequest) -> str:
        """The conversation as the model's template writes it."""
        if self._template is None:
            raise InvalidRequest(
                "This model's file has no chat template, so it can't be given messages. Ask for a "
                "completion of a prompt instead (/v1/completions).",
                param="messages",
            )
        # Not at the top: a program that only completes needs no templates.
        from mullama.text.template import check_variables

        check_variables(request.template_kwargs)
        variables = dict(request.template_kwargs)
        if request.thinking_budget is not None:  # some models are told of it
            variables.setdefault("thinking_budget", request.thinking_budget)
        return self._template.render(
            request.messages,
            tools=request.offered,
            add_generation_prompt=request.add_generation_prompt,
            continue_final_message=request.continue_final_message,
            **variables,
        )

    def tokenize(self, request: TokenizeRequest) -> TokenizeResult:
        """A text's tokens, or those that a conversation's answer would begin with."""
        if isinstance(request.source, str):
            prompt = ""
            tokens = self._vocab.tokenize(
                request.source,
                add_special=request.add_special,
                parse_special=request.parse_special,
            )
        else:
            prompt = self.render(request.source)
            tokens = self._text(prompt)
        pieces: tuple[bytes, ...] = ()
        if request.with_pieces:
            pieces = tuple(self._vocab.piece(token, special=True) for token in tokens)
        return TokenizeResult(tuple(tokens), pieces, prompt)

    def detokenize(self, tokens: Sequence[Token]) -> str:
        """The tokens' pieces as text, control tokens as they are written. Raises InvalidRequest."""
        check_tokens(self._vocab, tokens, "tokens")
        # Not by the vocabulary's detokenize, which leaves out spaces where some models want it.
        pieces = (self._vocab.piece(token, special=True) for token in tokens)
        return b"".join(pieces).decode(errors="replace")

    # ------------------------------------------------------------------------------------------

    def _completion(self, request: CompletionRequest) -> Sequence[Token]:
        if request.suffix is not None:
            return self._infill(request.prompt, request.suffix)
        if isinstance(request.prompt, str):
            prompt: Sequence[Token] = self._text(request.prompt)
        else:
            prompt = request.prompt
            check_tokens(self._vocab, prompt, "prompt")
        if prompt:
            return prompt
        if self._vocab.bos is None:
            raise InvalidRequest(
                "The prompt is empty, and this model has no token to begin a text with. Send a "
                "prompt.",
                param="prompt",
            )
        return [self._vocab.bos]

    def _infill(self, prompt: str | tuple[Token, ...], suffix: str) -> list[Token]:
        if not isinstance(prompt, str):
            raise InvalidRequest("suffix needs the prompt as text, not as tokens.", param="prompt")
        tokens = self._vocab.infill(prompt, suffix)
        if tokens is None:
            raise InvalidRequest(
                "This model can't fill in the middle: it has no tokens for it. Leave suffix out.",
                param="suffix",
            )
        return tokens

    def _text(self, text: str) -> list[Token]:
        """Tokens of a text to be continued, with one BOS where the model wants it."""
        # Not with add_special: it would double a template's BOS, and may put EOS behind the text.
        tokens = self._vocab.tokenize(text, add_special=False, parse_special=True)
        return tokens if tokens[:1] == self._begin else self._begin + tokens

    def _check_options(self, options: GenerateOptions) -> None:
        check_tokens(self._vocab, options.stop_tokens, "stop_token_ids")
        check_tokens(self._vocab, [token for token, _ in options.sampler.logit_bias], "logit_bias")
