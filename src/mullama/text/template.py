"""A model's chat template: messages -> the prompt that the model was trained on.

The template is the model's own Jinja, run in `text.sandbox`. It gets the variables that the
ecosystem's templates expect (`messages`, `tools`, `add_generation_prompt`, `bos_token`,
`eos_token`, `strftime_now`, …), and messages rewritten for what it takes, which is found out once
by rendering a few known conversations and looking at what came out. No model is known by name.

Errors are the template's own words, as InvalidRequest: most of them say what is wrong with the
conversation ("roles must alternate").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text import sandbox
from mullama.text.messages import adapted, checked, flattened, plain
from mullama.text.probe import Message, Traits, probe

RESERVED = frozenset({"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"})

# Where a final message ends that is to be continued; the prompt is cut there.
_OPEN_END = "\N{BLACK RIGHT-POINTING POINTER}open end\N{BLACK LEFT-POINTING POINTER}"
_LONGEST_WORDS = 2000  # characters of a template's own message
_LONGEST_DATE = 200  # characters; strftime takes room for many times as many


class ChatTemplate:
    """`render(messages)` gives the prompt. Thread-safe."""

    def __init__(
        self, source: str, *, bos: str, eos: str, now: Callable[[], datetime] = datetime.now
    ) -> None:
        """`bos` and `eos` are those tokens' text, "" where the model has none.

        A broken template does no harm until it is rendered: the model's completions need none.
        """
        self.source = source
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._now = now
        self._broken = ""
        try:
            self._template = sandbox.compile_template(source)
        except Exception as error:
            self._broken = _words(error)

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        **kwargs: Any,
    ) -> str:
        """The prompt for the model's next answer; `kwargs` are variables of the template's own.

        With `continue_final_message` the prompt ends inside the last message, which must be the
        assistant's, and no new one is begun, whatever `add_generation_prompt` says.

        Raises InvalidRequest for messages that the template refuses, for values that are not
        JSON, and for a template that is broken or does endless work.
        """
        self._check(kwargs)
        try:
            given = plain(kwargs, "chat_template_kwargs")
            copies = checked(messages)
            if continue_final_message:
                _open(copies[-1])
            if tools:
                given["tools"] = plain(tools, "tools")
            given["messages"] = adapted(copies, self.traits)
            given["add_generation_prompt"] = add_generation_prompt and not continue_final_message
            text = self._run(given, self.traits.no_tools)
        except InvalidRequest:
            raise
        except Exception as error:
            raise InvalidRequest(
                f"The model's chat template refuses this conversation: {_words(error)}",
                param="messages",
            ) from error
        return _cut(text) if continue_final_message else text

    def _check(self, variables: Mapping[str, Any]) -> None:
        if self._broken:
            raise InvalidRequest(
                f"The model's chat template is broken: {self._broken}. Completions of a ready-made "
                "prompt work without it.",
                param="messages",
            )
        taken = sorted(RESERVED & variables.keys())
        if taken:
            raise InvalidRequest(
                f"chat_template_kwargs can't set {taken[0]!r}.", param="chat_template_kwargs"
            )

    @cached_property
    def traits(self) -> Traits:
        """What the template takes. Raises TemplateLimit for one that never ends."""
        return probe(
            lambda messages, no_tools: self._run({"messages": messages}, no_tools), self.source
        )

    def _run(self, given: dict[str, Any], no_tools: bool) -> str:
        """The template's output for `given`, beside what every template may expect."""
        now = self._now()
        tools = given.get("tools")
        variables: dict[str, Any] = {
            "date_string": now.strftime("%d %b %Y"),
            "datetime": now.strftime("%b %d %Y"),
            "functions": json.dumps(tools, ensure_ascii=False, indent=4) if tools else "",
            "add_generation_prompt": True,
            **({"tools": None} if no_tools else {}),
            **given,
            **self._tokens,
            "strftime_now": partial(_strftime, now),
        }
        return sandbox.render(self._template, variables)


def _open(message: Message) -> None:
    """Mark the end of a message that is to be continued: its content's, or its reasoning's."""
    if message["role"] != "assistant":
        raise InvalidRequest(
            "continue_final_message needs the last message to be the assistant's.",
            param="continue_final_message",
        )
    if not message["content"] and isinstance(message.get("reasoning_content"), str):
        message["reasoning_content"] += _OPEN_END
    elif isinstance(message["content"], str):
        message["content"] += _OPEN_END
    else:
        message["content"] = flattened(message["content"]) + _OPEN_END


def _cut(text: str) -> str:
    head, found, _ = text.rpartition(_OPEN_END)
    if not found:
        raise InvalidRequest(
            "This model's chat template leaves out the last message's text, so it can't be "
            "continued.",
            param="continue_final_message",
        )
    return head


def _words(error: Exception) -> str:
    """What a template, or Python on its behalf, has to say."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    words = str(error) or type(error).__name__
    return words if len(words) <= _LONGEST_WORDS else words[:_LONGEST_WORDS] + " …"


def _strftime(now: datetime, form: str) -> str:
    if len(form) > _LONGEST_DATE:
        raise ValueError(f"a date format has at most {_LONGEST_DATE} characters")
    return now.strftime(form)
