"""A model's chat template: messages -> the prompt that the model was trained on.

The template is the model's own Jinja, run in `text.sandbox`. It gets the variables that the
ecosystem's templates expect (`messages`, `tools`, `add_generation_prompt`, `bos_token`,
`eos_token`, `strftime_now`, …), and messages that were brought into one form (`text.messages`) and
then into the one that it takes (`text.adapt`), which is found out once by rendering a few known
conversations and looking at what came out (`text.probe`). No model is known by name.

Errors are the template's own words, as InvalidRequest: most of them say what is wrong with the
conversation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text import sandbox
from mullama.text.adapt import adapted, filled
from mullama.text.effort import Known, known_in, spoken
from mullama.text.messages import Message, flattened, normalized, plain, tool_list
from mullama.text.probe import THINKING, USER, probe
from mullama.text.traits import Traits

# Variables that a template is given by `render` itself.
_RESERVED = frozenset(
    {"self", "messages", "tools", "add_generation_prompt", "continue_final_message"}
    | {"bos_token", "eos_token"}
)

# Where a final message ends that is to be continued; the prompt is cut there.
_OPEN_END = "\N{BLACK RIGHT-POINTING POINTER}open end\N{BLACK LEFT-POINTING POINTER}"
_THOUGHT = ("<think>", "</think>")  # where a template shows no spelling of its own
# What some templates read instead of `tools`.
_OTHER_NAMES: dict[str, Callable[[list[Any]], Any]] = {
    "functions": lambda tools: json.dumps(tools, ensure_ascii=False, indent=4) if tools else "",
    "xml_tools": lambda tools: tools,
}
_PROBING_UNITS = 250_000  # for all questions; known templates spend 3,000 to 30,000
_LONGEST_WORDS = 2000  # characters of a template's own message
_LONGEST_DATE = 200  # characters; strftime takes room for many times as many


class ChatTemplate:
    """`render(messages)` gives the prompt, `traits` what the template takes. Thread-safe."""

    def __init__(
        self,
        source: str | Sequence[str],
        *,
        bos: str,
        eos: str,
        tool_use: str | None = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """`source` may be cut into several strings. `tool_use` is the template to use instead
        where tools are given, for models that have two. `bos` and `eos` are those tokens' text, ""
        where the model has none.

        A broken template does no harm until it is rendered: the model's completions need none.
        """
        self.source = source if isinstance(source, str) else "".join(source)
        self._tool_use = ChatTemplate(tool_use, bos=bos, eos=eos, now=now) if tool_use else None
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._now = now
        self._broken = ""
        try:
            self._template = sandbox.compile_template(self.source)
        except Exception as error:
            self._broken = _words(error)

    def source_for(self, *, tools: bool) -> str:
        """The source that writes conversations with tools, or without."""
        return self._tool_use.source if tools and self._tool_use is not None else self.source

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = (),
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        **kwargs: Any,
    ) -> str:
        """The prompt for the model's next answer; `kwargs` are variables of the template's own.

        `messages` and `tools` have OpenAI's form. With `continue_final_message` the prompt ends
        inside the last message, which must be the assistant's, and no new one is begun, whatever
        `add_generation_prompt` says: inside its content, or inside its `reasoning_content` where
        it has no content.

        Raises InvalidRequest for messages that the template refuses, for values that are not
        JSON, and for a template that is broken or does endless work.
        """
        if tools and self._tool_use is not None:
            return self._tool_use.render(
                messages,
                tools=tools,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=continue_final_message,
                **kwargs,
            )
        self._check(kwargs)
        try:
            given = plain(kwargs, "chat_template_kwargs")
            given["add_generation_prompt"] = add_generation_prompt
            write = self._continued if continue_final_message else self._print
            return self._spoken(write, messages, tool_list(tools or ()), given)
        except InvalidRequest:
            raise
        except Exception as error:
            raise InvalidRequest(
                f"The model's chat template refuses this conversation: {_words(error)}",
                param="messages",
            ) from error

    def _check(self, variables: Mapping[str, Any]) -> None:
        if self._broken:
            raise InvalidRequest(
                f"The model's chat template is broken: {self._broken}. Completions of a ready-made "
                "prompt work without it.",
                param="messages",
            )
        check_variables(variables)

    def _spoken(
        self,
        write: Callable[..., str],
        messages: Sequence[Mapping[str, Any]],
        tools: list[dict[str, Any]],
        given: dict[str, Any],
    ) -> str:
        """The prompt with a switch or an effort that the template takes."""
        refusal: Exception | None = None
        for variables in spoken(given, self._known, lambda: self._silent):
            try:
                return self._written(write, messages, tools, variables)
            except (InvalidRequest, sandbox.TemplateLimit):
                raise
            except Exception as error:
                refusal = refusal or error
        assert refusal  # as an effort is given or not
        raise refusal

    def _written(
        self,
        write: Callable[..., str],
        messages: Sequence[Mapping[str, Any]],
        tools: list[dict[str, Any]],
        given: dict[str, Any],
    ) -> str:
        try:
            return write(normalized(messages), self.traits, tools, given)
        except (InvalidRequest, sandbox.TemplateLimit):
            raise
        except Exception:
            if not (tools and self.traits.tools):
                raise
            # Their schemas may be beyond the template: then they are described without it.
            return write(normalized(messages), replace(self.traits, tools=False), tools, given)

    @cached_property
    def traits(self) -> Traits:
        """What the template takes. Raises TemplateLimit for one that never ends."""
        budget = sandbox.Meter(_PROBING_UNITS)
        try:
            return probe(partial(self._print, budget=budget), self.source)
        except sandbox.TemplateLimit as limit:
            self._broken = _words(limit)
            raise

    @property
    def takes_tools(self) -> bool:
        """Whether it knows tools, or the calls of them."""
        try:
            traits = self.traits
        except sandbox.TemplateLimit:
            return False
        return bool(traits.tools or traits.functions or traits.tool_field or traits.arguments)

    @cached_property
    def _known(self) -> Known:
        """What it knows of whether and how much to think."""
        return known_in(self.source, partial(self._print, [{**USER}], self.traits, ()))

    @cached_property
    def _silent(self) -> bool:
        """Whether it asks for no thought where nothing is said."""
        none = dict.fromkeys(self._known.names, self._known.none)
        try:
            plain, silent = (self._print([{**USER}], self.traits, (), said) for said in ({}, none))
        except Exception:
            return False
        return plain == silent

    @cached_property
    def _other_names(self) -> frozenset[str]:
        """Those of _OTHER_NAMES that the template reads."""
        named = frozenset(name for name in _OTHER_NAMES if name in self.source)
        return named & sandbox.variables_of(self.source) if named else named

    def _continued(
        self,
        messages: list[Message],
        traits: Traits,
        tools: Sequence[dict[str, Any]],
        given: dict[str, Any],
    ) -> str:
        """The prompt that ends where the last message does."""
        last = messages[-1]
        _check_open(last)
        thought, content = last.get("reasoning_content", ""), flattened(last["content"])
        field = "content" if content or not thought else "reasoning_content"
        marked = last | {"content": content, field: (content or thought) + _OPEN_END}
        closed = given | {"add_generation_prompt": False}
        traits = replace(traits, turns=True)  # it must be the answer that is continued
        try:
            text = self._print([*deepcopy(messages[:-1]), marked], traits, tools, closed)
        except sandbox.TemplateLimit:
            raise
        except Exception:
            if content:
                raise
            text = ""  # a template that wants words beside a thought
        head, found, _ = text.rpartition(_OPEN_END)
        if found and (not thought or thought.strip() in text):
            return head
        if found and content and traits.thought is None:
            return head  # a template without thoughts
        if not thought:
            raise InvalidRequest(
                "This model's chat template leaves out the last message's text, so it can't be "
                "continued.",
                param="continue_final_message",
            )
        opened = THINKING | given | {"add_generation_prompt": True}
        prompt = self._print(messages[:-1], traits, tools, opened)
        return _thinking(prompt, traits.thought or _THOUGHT, thought, content)

    def _print(
        self,
        messages: list[Message],
        traits: Traits,
        tools: Sequence[dict[str, Any]],
        given: dict[str, Any],
        *,
        budget: sandbox.Meter | None = None,
    ) -> str:
        """The prompt of a template with these traits. Changes `messages`."""
        variables = {"add_generation_prompt": True, **given}
        if tools and traits.tools:
            # Copies, as a template may write into them.
            variables["tools"] = [{**tool} if traits.bare_tools else filled(tool) for tool in tools]
        elif traits.no_tools:
            variables["tools"] = None
        variables["messages"] = adapted(messages, traits, tools)
        return self._run(variables, budget)

    def _run(self, given: dict[str, Any], budget: sandbox.Meter | None) -> str:
        """The template's output for `given`, beside what every template may expect."""
        now = self._now()
        variables: dict[str, Any] = {
            "date_string": now.strftime("%d %b %Y"),
            "datetime": now.strftime("%b %d %Y"),
            **given,
            **self._tokens,
            "strftime_now": partial(_strftime, now),
        }
        for name in self._other_names:
            variables[name] = _OTHER_NAMES[name](given.get("tools") or [])
        return sandbox.render(self._template, variables, budget=budget)


def check_variables(variables: Iterable[str]) -> None:
    """Raise InvalidRequest for variables of a template's own that are not."""
    taken = sorted(_RESERVED & {*variables})
    if taken:
        raise InvalidRequest(
            f"chat_template_kwargs can't set {taken[0]!r}: every template is given that, by the "
            "request's own fields and the model's.",
            param="chat_template_kwargs",
        )


def _check_open(message: Message) -> None:
    if message["role"] != "assistant":
        raise InvalidRequest(
            "continue_final_message needs the last message to be the assistant's.",
            param="continue_final_message",
        )
    if "tool_calls" in message:
        raise InvalidRequest(
            "continue_final_message can't continue a message with tool calls: they end it.",
            param="continue_final_message",
        )


def _thinking(prompt: str, around: tuple[str, str], thought: str, content: str) -> str:
    """An answer that has begun, as the model itself would have written it."""
    before, after = around
    if not prompt.rstrip().endswith(before.strip()):
        prompt += before
    return prompt + thought + (after + content if content else "")


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
