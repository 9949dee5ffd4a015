"""What a chat template takes, as data: `probe` finds it out, `adapt` acts on it."""

from __future__ import annotations

from dataclasses import dataclass

from mullama.text.syntax import CallSyntax

ROLES = frozenset({"system", "user", "assistant", "tool"})
METADATA = "metadata"  # calls as messages: this field is the name, the content the arguments
REASONING_PART = "part"  # of the content: {"type": "thinking", "thinking": …}


@dataclass(frozen=True, slots=True)
class Traits:
    """What a template does with a conversation. The defaults are a template that takes everything.

    `no_tools`: it runs with `tools` set to None; others must find it undefined.
    `text`, `parts`: the roles whose content it prints when given as a string, as a list of parts.
    `system`: it prints a system message at the beginning; `systems`: several, anywhere;
    `system_ahead`: also where it was not the user who spoke last.
    `developer`: it knows that role. `repeats`: a role may speak twice in a row.
    `assistant_first`: the assistant may begin. `userless`: no user need speak at all.
    `silence`: a message may be empty. `turns`: it prints every message, not just one.
    `tools`: it prints tools; `bare_tools`: also those without description and parameters;
    `functions`: they are a message of that role, without which it takes nothing.
    `tool_field`: the field of the system message in which it takes them instead, and whether as a
    "list" or as "text".
    `arguments`: a call's arguments are printed right when given as an "object", or as "text", or
    calls as METADATA; "" if calls are not printed at all: then they are said in words, in the form
    that the template tells of (`told`), if any. `no_content`: what content must be where there is
    none, for the call to be printed: "", null or white space. `calls_beside`: a call is printed
    beside content too. `several_calls`: one message may have them. `any_id`: a call's id may have
    any length; `named_ids`: it must have the name, as that is printed nowhere else.
    `calls_alone`: calls are printed also where no tools are. `example`: how it writes one.
    `results`: it prints what tools answered, said by the `result_role`; `orphans`: also where the
    call is missing;
    `user_after_result`: the user may speak next.
    `reasoning`: the field in which it takes earlier thoughts, or REASONING_PART; "" if it never
    prints them. `mixed`: a message may have thoughts, content and calls at once.
    `thought`: what stands before and after a thought, where that can be seen.
    """

    no_tools: bool = True
    text: frozenset[str] = ROLES
    parts: frozenset[str] = ROLES
    system: bool = True
    systems: bool = True
    system_ahead: bool = True
    developer: bool = True
    repeats: bool = True
    assistant_first: bool = True
    userless: bool = True
    silence: bool = True
    turns: bool = True
    tools: bool = True
    bare_tools: bool = True
    functions: bool = False
    tool_field: tuple[str, str] | None = None
    arguments: str = "object"
    no_content: str | None = ""
    calls_beside: bool = True
    calls_alone: bool = True
    several_calls: bool = True
    any_id: bool = True
    named_ids: bool = False
    example: str = ""
    told: CallSyntax | None = None
    results: bool = True
    result_role: str = "tool"
    orphans: bool = True
    user_after_result: bool = True
    reasoning: str = "reasoning_content"
    mixed: bool = True
    thought: tuple[str, str] | None = None
