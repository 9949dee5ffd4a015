"""A conversation -> the same conversation as a template with certain traits takes it.

What a template can't take is said in a form that it can: a system message becomes the beginning of
the user's, a call becomes text, two messages of one role become one. Each step is for one trait and
does nothing for a template that has it, so that a conversation which a template takes is left as it
is. Messages come from `messages.normalized`, and are changed.

    tools     described, or given where the template looks for them
    calls     calls and results, in the order and the form that it prints
    speakers  roles, and who speaks when
    finish    each message by itself, at last
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from mullama.text import ids
from mullama.text.adapt.calls import (
    answer_after_result,
    calls_as_messages,
    calls_as_text,
    content_apart,
    one_call_each,
    orphans_as_user,
    results_as_user,
)
from mullama.text.adapt.finish import finish
from mullama.text.adapt.speakers import (
    as_one,
    developer_as_system,
    merged,
    one_system,
    system_as_user,
    system_to_last_user,
    user_first,
    with_user,
)
from mullama.text.adapt.tools import described, filled, with_functions, with_tools
from mullama.text.messages import Message
from mullama.text.toolcalls import hermes
from mullama.text.traits import METADATA, Traits

__all__ = ["adapted", "filled"]

_CALL = ("function_name", {"argument_name": "value"})


def adapted(
    messages: list[Message], traits: Traits, tools: Sequence[dict[str, Any]] = ()
) -> list[Message]:
    """The messages as such a template takes them. Changes its argument.

    Tools that the template would leave out are a field of the first system message, where it
    looks for them there, and else described in it.
    Raises InvalidRequest for content that can't be said in text.
    """
    syntax = traits.told or hermes.CALLS
    if tools and not traits.tools:
        if traits.tool_field:
            messages = with_tools(messages, tools, *traits.tool_field)
        else:
            messages = described(messages, tools, traits.example or syntax.write([_CALL]))
    in_words = partial(calls_as_text, syntax=syntax)
    has_tools = bool(tools) and bool(traits.tools or traits.tool_field or traits.functions)
    for has_trait, step in (
        (traits.developer, developer_as_system),
        (traits.arguments and (has_tools or traits.calls_alone), in_words),
        (traits.several_calls, one_call_each),
        (traits.calls_beside, content_apart),
        (traits.results, results_as_user),
        (traits.orphans, orphans_as_user),
        (traits.user_after_result, answer_after_result),
        (traits.systems, one_system),
        (traits.system, system_as_user),
        (traits.userless, with_user),
        (traits.repeats, merged),
        (traits.assistant_first, user_first),
        (traits.system_ahead, system_to_last_user),
        (traits.turns, partial(as_one, syntax=syntax)),
        (traits.arguments != METADATA, calls_as_messages),
        (not traits.named_ids, ids.named),
    ):
        if not has_trait:
            messages = step(messages)
    for message in messages:
        finish(message, traits)
    return with_functions(messages, tools) if traits.functions else messages
