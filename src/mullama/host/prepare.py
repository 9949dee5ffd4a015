"""Requests as a client wrote them -> tokens as the engine takes them; raw vectors -> an answer.

Everything that can be wrong with a request for this very model is found here, before any of it
reaches an engine: token ids that the vocabulary lacks, a missing chat template, an empty prompt.
Pure over a vocabulary and a template: it knows no llama.cpp, no thread and no socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mullama.errors import InvalidRequest, ModelError
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    EmbedResult,
    GenerateOptions,
    GenerateRequest,
    Token,
    Vocab,
)

# What the renderer itself passes to a template; a request can't pass it a second time.
_RESERVED = frozenset({"self", "messages", "add_generation_prompt", "continue_final_message"})


class Template(Protocol):
    """A model's chat template."""

    def render(
        self,
        messages: Sequence[dict[str, Any]],
        *,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        **kwargs: Any,
    ) -> str: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request in tokens; with the text of its prompt where that was given in tokens."""

    request: GenerateRequest
    prompt_text: str = ""


class Preparer:
    """Turns requests for one model into tokens. Thread-safe, as the vocabulary is."""

    def __init__(self, vocab: Vocab, template: Template | None) -> None:
        self._vocab = vocab
        self._template = template
        begun = vocab.tokenize("", add_special=True)[:1]
        self._begin = begun if begun == [vocab.bos] else []  # BOS, where the model wants one

    def generate(self, id: int, request: ChatRequest | CompletionRequest) -> Prepared:
        """The request in tokens. Raises InvalidRequest, naming the field."""
        self._check_options(request.options)
        if isinstance(request, ChatRequest):
            prompt: Sequence[Token] = self._text(self.render(request))
        else:
            prompt = self._completion(request)
        prepared = GenerateRequest(id, tuple(prompt), request.options)
        if isinstance(request, ChatRequest) or isinstance(request.prompt, str):
            return Prepared(prepared)
        return Prepared(prepared, self._vocab.detokenize(request.prompt, unparse_special=True))

    def render(self, request: ChatRequest) -> str:
        """The conversation as the model's template writes it."""
        if self._template is None:
            raise InvalidRequest(
                "This model's file has no chat template, so it can't be given messages. Ask for a "
                "completion of a prompt instead (/v1/completions).",
                param="messages",
            )
        taken = sorted(_RESERVED & request.template_kwargs.keys())
        if taken:
            raise InvalidRequest(
                f"chat_template_kwargs can't set {taken[0]!r}; send it as its own field.",
                param="chat_template_kwargs",
            )
        return self._template.render(
            request.messages,
            add_generation_prompt=request.add_generation_prompt,
            continue_final_message=request.continue_final_message,
            **request.template_kwargs,
        )

    def embed(self, request: EmbedRequest, n_embd: int) -> list[Sequence[Token]]:
        """Each input in tokens, for vectors of `n_embd` components. Raises InvalidRequest."""
        if request.dimensions is not None and not 1 <= request.dimensions <= n_embd:
            raise InvalidRequest(
                f"dimensions is {request.dimensions}; this model's vectors have {n_embd} "
                "components, so it must be between 1 and that.",
                param="dimensions",
            )
        return [self._input(i, item) for i, item in enumerate(request.inputs)]

    # ------------------------------------------------------------------------------------------

    def _completion(self, request: CompletionRequest) -> Sequence[Token]:
        if request.suffix is not None:
            return self._infill(request.prompt, request.suffix)
        if isinstance(request.prompt, str):
            prompt: Sequence[Token] = self._text(request.prompt)
        else:
            prompt = request.prompt
            self._check_tokens(prompt, "prompt")
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

    def _input(self, index: int, item: str | tuple[Token, ...]) -> Sequence[Token]:
        if isinstance(item, str):
            tokens: Sequence[Token] = self._vocab.tokenize(item, add_special=True)
        else:
            self._check_tokens(item, "input")
            tokens = item
        if not tokens:
            raise InvalidRequest(f"input[{index}] is empty. Send some text.", param="input")
        return tokens

    def _check_options(self, options: GenerateOptions) -> None:
        self._check_tokens(options.stop_tokens, "stop_token_ids")
        self._check_tokens([token for token, _ in options.sampler.logit_bias], "logit_bias")

    def _check_tokens(self, tokens: Sequence[Token], param: str) -> None:
        n = self._vocab.n_tokens
        if tokens and not (min(tokens) >= 0 and max(tokens) < n):
            bad = next(token for token in tokens if not 0 <= token < n)
            raise InvalidRequest(
                f"{param} holds token {bad}, and this model's tokens go from 0 to {n - 1}.",
                param=param,
            )


def result(
    vectors: Iterable[bytes], *, dimensions: int | None, normalize: bool, n_tokens: int
) -> EmbedResult:
    """The answer to an EmbedRequest, from its inputs' raw vectors (float32).

    A vector of zeros has no direction and stays as it is. Raises ModelError for NaN or infinity.
    """
    matrix = np.stack([np.frombuffer(vector, dtype="<f4") for vector in vectors])[:, :dimensions]
    if not np.isfinite(matrix).all():
        raise ModelError(
            "The model computed NaN or infinity instead of a vector; its file may be damaged."
        )
    if normalize:
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        matrix = matrix / np.where(lengths > 0, lengths, 1)
    rows = tuple(row.tobytes() for row in np.ascontiguousarray(matrix, dtype="<f4"))
    return EmbedResult(rows, matrix.shape[1], n_tokens)
