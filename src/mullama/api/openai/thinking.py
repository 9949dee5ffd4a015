"""Whether to think, and how much: the many ways of clients to say it, brought together.

Whether: `enable_thinking`, `thinking`, `think`, `reasoning.enabled`; an effort of "none" and a
budget of 0 are a no. How hard: an effort. How much: a budget in tokens, which is a limit and no
wish. Who says one thing twice must say the same, and a yes beside a no is refused. The template's
own variables are their owner's business: they win over an effort.

An effort is handed to the template. Where that knows none (the worker finds out), it is a share of
the room for the answer, as its name promises. Pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mullama.api.openai.refuse import unsupported
from mullama.api.openai.sampling import agreed
from mullama.api.openai.schema import ChatBody, JsonObject
from mullama.errors import InvalidRequest
from mullama.types import EFFORTS, THINKING_SHARES

BUDGETS = (
    "thinking_budget_tokens",
    "thinking_budget",
    "thinking_token_budget",
    "reasoning_budget_tokens",
    "reasoning_budget",
)
_SWITCHES = {"enabled": True, "disabled": False, "adaptive": None, "auto": None}
_Said = tuple[str, Any]  # a field's path, and what it says


@dataclass(frozen=True, slots=True)
class Thinking:
    """What a chat asks for. `variables` are the template's; `budget` is in tokens, 0 for no
    thought; `share` is what takes its place, see ChatRequest; `shown` is whether the client wants
    to see thoughts."""

    variables: JsonObject
    budget: int | None
    share: float | None
    last_words: str
    shown: bool


def thinking(body: ChatBody) -> Thinking:
    """What the body says of thoughts. Raises InvalidRequest where it says two things."""
    own = body.chat_template_kwargs or {}
    _check_objects(body)
    budget = _budget(body)
    effort = _one(_efforts(body))
    enabled = _one(_switches(body, budget), _yes_or_no)
    given = own.get("enable_thinking")
    if enabled is not None and given is not None and enabled[1] != given:
        raise _differ(enabled[0], "enable_thinking in chat_template_kwargs", enabled[0])
    level = None if effort is None else effort[1]
    if level == "none" and enabled is not None and enabled[1]:
        raise _differ("reasoning_effort" if effort is None else effort[0], enabled[0], enabled[0])
    thinks = enabled[1] if enabled else given
    if thinks is None and level is not None:
        thinks = level != "none"
    off = thinks is False and (level == "none" or _is_certain(enabled))
    limit = 0 if off else None if budget is None else budget[1]
    asks_share = limit is None and thinks is not False and level is not None
    return Thinking(
        variables=_variables(body, thinks, level),
        budget=limit,
        share=THINKING_SHARES.get(level or "") if asks_share else None,
        last_words=body.reasoning_budget_message or "",
        shown=_shown(body),
    )


def _is_certain(switch: _Said | None) -> bool:
    """Whether a no means none at all. `enable_thinking` is a variable of the template's: a model
    whose template does not know it does as it was trained."""
    return switch is not None and switch[0] != "enable_thinking"


def _variables(body: ChatBody, thinks: bool | None, effort: str | None) -> JsonObject:
    given = dict(body.chat_template_kwargs or {})
    if thinks is not None:
        given.setdefault("enable_thinking", thinks)
    if effort not in (None, "none") and thinks is not False:
        given.setdefault("reasoning_effort", effort)
    if isinstance(body.thinking, dict) and body.thinking.get("clear_thinking") is not None:
        given.setdefault("clear_thinking", body.thinking["clear_thinking"])
    if body.verbosity is not None:
        given.setdefault("verbosity", body.verbosity)
    return given


def _budget(body: ChatBody) -> _Said | None:
    """The limit in tokens; none where it is -1."""
    agreed(body, *BUDGETS)
    said = [(name, value) for name in BUDGETS if (value := getattr(body, name)) is not None]
    for name, key in (("reasoning", "max_tokens"), ("thinking", "budget_tokens")):
        value = _of(getattr(body, name), key)
        if value is not None:
            path = f"{name}.{key}"
            if type(value) is not int or value < -1:
                raise _wrong(path, f"{path} is {value!r}; it must be a number of tokens")
            said.append((path, value))
    found = _one(said)
    return None if found is None or found[1] == -1 else found


def _efforts(body: ChatBody) -> Iterator[_Said]:
    if body.reasoning_effort is not None:
        yield "reasoning_effort", body.reasoning_effort
    for path, value in (
        ("reasoning.effort", _of(body.reasoning, "effort")),
        ("think", body.think if isinstance(body.think, str) else None),
    ):
        if value is None:
            continue
        if value not in EFFORTS:
            raise _wrong(path, f"{path} is {value!r}; it must be one of {', '.join(EFFORTS)}")
        yield path, value


def _switches(body: ChatBody, budget: _Said | None) -> Iterator[_Said]:
    """Who says whether to think: strong words first."""
    if budget is not None and budget[1] == 0:
        yield budget[0], False
    enabled = _of(body.reasoning, "enabled")
    if enabled is not None:
        if not isinstance(enabled, bool):
            raise _wrong("reasoning.enabled", "reasoning.enabled must be true or false")
        yield "reasoning.enabled", enabled
    if isinstance(body.thinking, bool):
        yield "thinking", body.thinking
    elif body.thinking is not None:
        kind = body.thinking.get("type")
        if kind not in _SWITCHES:
            words = f"thinking.type is {kind!r}; it must be enabled, disabled or adaptive"
            raise _wrong("thinking.type", words)
        if (value := _SWITCHES[kind]) is not None:
            yield "thinking.type", value
    if isinstance(body.think, bool):
        yield "think", body.think
    if body.enable_thinking is not None:
        yield "enable_thinking", body.enable_thinking


def _shown(body: ChatBody) -> bool:
    """Whether thoughts are to be sent."""
    said: list[_Said] = []
    if (exclude := _of(body.reasoning, "exclude")) is not None:
        if not isinstance(exclude, bool):
            raise _wrong("reasoning.exclude", "reasoning.exclude must be true or false")
        said.append(("reasoning.exclude", not exclude))
    if body.include_reasoning is not None:
        said.append(("include_reasoning", body.include_reasoning))
    display = _of(body.thinking, "display")
    if display not in (None, "summarized", "omitted"):
        raise _wrong("thinking.display", f"thinking.display is {display!r}; it must be omitted")
    if display == "omitted":
        said.append(("thinking.display", False))
    found = _one(said, _yes_or_no)
    shown = found is None or found[1]
    if found is not None and not shown and body.reasoning_format == "none":
        inside = "reasoning_format none, which puts thoughts into the content"
        raise _differ(found[0], inside, found[0])
    return shown


# ------------------------------------------------------------------------------ the objects

_KNOWN: Mapping[str, frozenset[str]] = {
    # A summary can't be had: who asks for one gets the whole thought.
    "reasoning": frozenset(
        {"effort", "max_tokens", "enabled", "exclude", "summary", "generate_summary"}
    ),
    "thinking": frozenset({"type", "budget_tokens", "display", "clear_thinking"}),
}


def _check_objects(body: ChatBody) -> None:
    """Refuse what an object says that nobody here reads."""
    for name, known in _KNOWN.items():
        value = getattr(body, name)
        if value is None or (name == "thinking" and isinstance(value, bool)):
            continue
        if not isinstance(value, dict):
            raise _wrong(name, f"{name} must be an object")
        for key, item in value.items():
            if key not in known and item is not None:
                raise unsupported(f"{name}.{key}", f"{name}.{key}", "Leave it out.")
    if body.think is not None and not isinstance(body.think, bool | str):
        raise _wrong("think", "think must be true, false or an effort")


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _one(said: Iterable[_Said], shown: Callable[[Any], str] = repr) -> _Said | None:
    """What all of them say. Raises InvalidRequest, naming two that differ."""
    first: _Said | None = None
    for path, value in said:
        if first is None:
            first = path, value
        elif value != first[1]:
            raise _wrong(
                path,
                f"{first[0]} says {shown(first[1])}, and {path} says {shown(value)}; send one of "
                "them",
            )
    return first


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _differ(first: str, second: str, param: str) -> InvalidRequest:
    return _wrong(param, f"{first} differs from {second}; send one of them")


def _wrong(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{message}.", param=param)
