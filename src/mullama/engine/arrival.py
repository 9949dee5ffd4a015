"""What is looked at when a request arrives, and what it is told where it can't be served. Pure."""

from __future__ import annotations

from mullama.errors import ContextLengthExceeded, InvalidRequest, MullamaError, Overloaded
from mullama.types import GenerateRequest, Matcher


def check_fits(request: GenerateRequest, n_ctx: int) -> None:
    """Raises ContextLengthExceeded for a prompt that can never fit."""
    n_prompt = len(request.prompt)
    room = 0 if request.options.max_tokens == 0 else 1
    if n_prompt + room > n_ctx:
        raise ContextLengthExceeded(
            f"The prompt has {n_prompt} tokens, and the context {n_ctx}, which must hold the "
            "answer too. Send a shorter prompt, or serve the model with a larger "
            "--context-size.",
            param="messages",
        )


def check_answers(request: GenerateRequest, queue_size: int) -> None:
    """Raises InvalidRequest for more answers than the queue ever takes: waiting is of no use."""
    n = request.options.n
    if n > queue_size:
        raise InvalidRequest(
            f"n is {n}, and no more than {queue_size} answers can wait here. Ask for fewer, or "
            "serve the model with a larger --queue-size.",
            param="n",
        )


def start_of(request: GenerateRequest) -> tuple[Matcher | None, bytes | None]:
    """A matcher for one answer, and what may come first."""
    if request.constraint is None:
        return None, None
    matcher = request.constraint()
    return matcher, matcher.mask()


def waited(seconds: float) -> MullamaError:
    return Overloaded(
        f"The request waited {seconds:g} s for its turn, as long as it may; try again later.",
        code="max_wait",
        retry_after=seconds,
    )
