"""What comes back from a tool, and what is then done: an answer, a corrected call, a second call."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from recipes.tiny.chats import Call, Chat, Message, compact
from recipes.tiny.facts.countries import CITIES
from recipes.tiny.held_out import is_for_training
from recipes.tiny.skills.tools.calling import calls, opening, tools_of, wishes
from recipes.tiny.skills.tools.catalogue import Parameter, Wish, tool
from recipes.tiny.source import Source

_SKIES = "sunny cloudy rainy windy snowy foggy stormy clear".split()
_FAILURES = (
    "not found", "permission denied", "invalid argument", "service unavailable", "connection refused", "no results", "access denied", "out of stock",
    "quota exceeded", "internal error", "file is locked", "unknown user",
)  # fmt: skip
_KEYS = (
    "email price status id name result total address phone title score count date owner "
    "balance level"
).split()


def _done(source: Source) -> str:
    return source.pick(
        (
            "ok",
            "done",
            "OK",
            "success",
            '{"status": "ok"}',
            '{"success": true}',
            '{"ok": true}',
            '{"result": "ok"}',
            "true",
        )
    )


def _failed(source: Source, reason: str) -> str:
    return source.pick(
        (
            f"Error: {reason}",
            f'{{"error": "{reason}"}}',
            f"error: {reason}",
            f'{{"status": "error", "message": "{reason}"}}',
        )
    )


def _value(source: Source) -> Any:
    return source.pick(
        (
            source.number(0, 9999),
            source.any_word(),
            source.words(2, 3),
            source.code(),
            f"{source.word()}@{source.word()}.com",
        )
    )


def _outcome(source: Source, it: Wish) -> tuple[str, str]:
    """A result, and the answer that it makes."""
    arguments = it.call.arguments
    city = next(
        (v for v in arguments.values() if isinstance(v, str) and v.istitle() and v.isalpha()), ""
    )
    about = it.tool.description.lower()
    style = source.random.random()
    if style < 0.14:
        reason = source.pick(_FAILURES) if source.chance(0.7) else source.words(2, 3)
        return _failed(source, reason), f"The tool failed: {reason}."
    if "weather" in about and city:
        sky, degrees = source.pick(_SKIES), source.number(-20, 40)
        result = source.pick(
            (
                f"{sky}, {degrees}",
                f"{degrees} degrees, {sky}",
                compact({"temperature": degrees, "condition": sky}),
                compact({"condition": sky, "temperature": degrees}),
                compact({"temp": degrees, "sky": sky}),
            )
        )
        return result, f"It is {sky} and {degrees} degrees in {city}."
    if "time" in about and city:
        time = f"{source.number(0, 23):02}:{source.number(0, 59):02}"
        return source.pick(
            (time, compact({"time": time}), f"It is {time}")
        ), f"It is {time} in {city}."
    if style < 0.4:
        return _done(source), "Done."
    if style < 0.7:
        key = source.pick(_KEYS) if source.chance(0.7) else source.word()
        given = _value(source)
        return compact({key: given}), f"The {key} is {given}."
    given = _value(source)
    return source.pick((str(given), compact({"result": given}))), f"The result is {given}."


def result(source: Source, think: bool = False) -> Chat:
    """A tool has answered; its result becomes a sentence."""
    made = wishes(source, source.pick((1, 1, 2, 3)))
    wanted = made[0]
    said, answer = _outcome(source, wanted)
    messages = [
        *opening(source, wanted.ask),
        calls(wanted.call),
        Message("tool", said),
        Message("assistant", answer, "The tool has answered." if think else ""),
    ]
    return Chat(tuple(messages), (f"{said} {wanted.key}",), tools_of(source, made), think)


def retry(source: Source, think: bool = False) -> Chat:
    """The first call was wrong, the error says how: call again, corrected. Then the answer.

    The wrong call is not trained on.
    """
    made = wishes(source, source.pick((1, 1, 2)))
    while not made[0].call.arguments:
        made = wishes(source, source.pick((1, 1, 2)))
    wanted = made[0]
    wrong, error = _mistake(source, wanted)
    head = [*opening(source, wanted.ask), calls(wrong), Message("tool", error)]
    again = calls(wanted.call, think=think)
    if source.chance(0.5):
        return Chat(
            (*head, again),
            (f"{error} {wanted.key}",),
            tools_of(source, made),
            think,
            frozenset({len(head) - 2}),
        )
    said, answer = _outcome(source, wanted)
    last = Message("assistant", answer, "The tool has answered." if think else "")
    return Chat(
        (*head, again, Message("tool", said), last),
        (f"{said} {wanted.key}",),
        tools_of(source, made),
        think,
        frozenset({len(head) - 2}),
    )


def _mistake(source: Source, it: Wish) -> tuple[Call, str]:
    arguments = dict(it.call.arguments)
    name = source.pick(tuple(arguments))
    given = arguments[name]
    style = source.random.random()
    if style < 0.25:
        return it.call, source.pick(
            (
                "Error: timeout, please try again",
                '{"error": "busy, try again"}',
                "Error: temporary failure, try again",
                '{"error": "timeout", "retry": true}',
            )
        )
    if style < 0.55 and len(arguments) > 0:
        del arguments[name]
        said = source.pick(
            (
                f"missing parameter {name}",
                f"parameter {name} is required",
                f"missing required argument: {name}",
                f"{name} is missing",
            )
        )
    elif style < 0.8:
        other = source.word()
        arguments = {other if key == name else key: value for key, value in arguments.items()}
        said = source.pick(
            (
                f"unknown parameter {other}, use {name}",
                f"unexpected argument {other}, did you mean {name}?",
                f"no parameter {other}; expected {name}",
            )
        )
    else:
        wrong: Any = str(given) if not isinstance(given, str) else source.word()
        arguments[name] = wrong
        said = source.pick(
            (
                f"wrong value for {name}, expected {compact(given)}",
                f"{name} must be {compact(given)}",
                f"invalid {name}: use {compact(given)}",
            )
        )
        return Call(it.call.name, arguments), f"Error: {said}"
    return Call(it.call.name, arguments), _failed(source, said)


def session(source: Source, think: bool = False) -> Chat:
    """Several requests in turn for the tools of one list, each answered by its own: what costs most
    in a conversation, the list, serves three calls."""
    while True:
        made = wishes(source, source.pick((2, 3, 3)), everyday_share=0.7)
        if is_for_training(it.key for it in made[:-1]):
            break
    said = opening(source, made[0].ask)
    for earlier, it in pairwise(made):
        outcome, answer = _outcome(source, earlier)
        said += [
            calls(earlier.call),
            Message("tool", outcome),
            Message("assistant", answer),
            Message("user", it.ask),
        ]
    last = made[-1]
    said.append(calls(last.call, think=think))
    return Chat(tuple(said), (last.key,), tools_of(source, made), think)


# -- several steps --------------------------------------------------------------------------------

_LOOKUPS: tuple[tuple[str, str, str, str], ...] = (
    # what is looked up, the tool's words, kind of key, request for it
    ("email", "get_email find_email email_of lookup_email", "name", "email"),
    ("phone", "get_phone find_phone phone_number lookup_phone", "name", "phone number"),
    ("address", "get_address find_address address_of", "name", "address"),
    ("id", "get_id find_id user_id lookup_id", "name", "id"),
    ("city", "get_city find_city city_of where_lives", "name", "city"),
    ("price", "get_price find_price price_of", "item", "price"),
)
_USES: tuple[tuple[str, str, str, str], ...] = (
    ("send", "send_message send_email send write_to", "to", "send a message to the {k} of {x}"),
    ("save", "save_note save store write_note", "text", "save the {k} of {x}"),
    ("print", "print_label print print_text", "text", "print the {k} of {x}"),
    ("check", "check_value check verify validate", "value", "check the {k} of {x}"),
    ("show", "show_on_map show display show_screen", "what", "show the {k} of {x}"),
)
_STEPS = (
    "(find|get|look up) the {k} of {x} and then {u}", "{u}", "(first |)(look up|find|get) the {k} of {x}. Then {u}", "(please|can you) {u}", "I need you to {u}",
    "(get|find) {x}'s {k}, then {u}",
)  # fmt: skip


_SUMS = (
    "add {a} and {b}(,| and) then multiply (the result|it|that) by {c}", "(what is|calculate|compute) the sum of {a} and {b}, times {c}",
    "multiply the sum of {a} and {b} by {c}", "take {a} plus {b}, then times {c}", "{a} plus {b}, and the result times {c}",
)  # fmt: skip


def steps(source: Source, think: bool = False) -> Chat:
    """The second call needs the first one's result; after it comes the answer."""
    return _arithmetic(source, think) if source.chance(0.2) else _lookup(source, think)


def _lookup(source: Source, think: bool) -> Chat:
    key, names, kind, words = source.pick(_LOOKUPS)
    _, uses, parameter, request = source.pick(_USES)
    asked = source.name() if kind == "name" else source.any_word()
    by = source.pick((kind, kind, "query", source.word()))
    found: Any = {
        "email": f"{source.word()}@{source.word()}.com", "phone": str(source.number(10000, 9999999)), "address": f"{source.word()} {source.number(1, 99)}",
        "id": source.code(), "city": source.pick(CITIES), "price": str(source.number(1, 999)),
    }[key]  # fmt: skip
    target = source.pick((parameter, parameter, source.word()))
    one = tool(
        source.pick(names.split()),
        f"Get the {words} of a{'n' if kind == 'item' else ''} {'person' if kind == 'name' else kind}",
        [Parameter(by, "word")],
        source,
    )
    use = request.split()[0]
    two = tool(
        source.pick(uses.split()),
        f"{use.capitalize()} {source.pick(('something', 'a value', 'a text'))}",
        [Parameter(target, "word")],
        source,
    )
    u = request.replace("{k}", words).replace("{x}", asked)
    ask = source.say(source.wording(_STEPS), k=words, x=asked, u=u)
    if ask != u and " then " in ask.lower() and source.chance(0.5):
        ask = (
            ask.replace(f"the {words} of {asked}", "it")
            if ask.count(asked) > 1 and ask.startswith(("get " + asked, "find " + asked))
            else ask
        )
    ask = ask[0].upper() + ask[1:] + source.pick((".", "", "!"))
    said = source.pick((str(found), compact({key: found}), compact({"result": found})))
    first, second = Call(one.name, {by: asked}), Call(two.name, {target: found})
    extra = (
        [it for it in wishes(source, 1) if it.tool.name not in (one.name, two.name)]
        if source.chance(0.3)
        else []
    )
    tools = source.sample([one, two, *(it.tool for it in extra)], 2 + len(extra))
    messages = [
        *opening(source, ask),
        calls(first, think=think),
        Message("tool", said),
        calls(second, think=think),
    ]
    if source.chance(0.5):
        done = Message("assistant", "Done.", "The tool has answered." if think else "")
        messages += [Message("tool", _done(source)), done]
    return Chat(tuple(messages), (f"{two.name} {found}",), tuple(tools), think)


def _arithmetic(source: Source, think: bool) -> Chat:
    a, b, c = source.number(1, 99), source.number(1, 99), source.number(2, 9)
    plus = tool(
        source.pick(("add", "sum", "plus", "add_numbers")),
        "Add two numbers",
        [Parameter("a", "integer"), Parameter("b", "integer")],
        source,
    )
    times = tool(
        source.pick(("multiply", "times", "product")),
        "Multiply two numbers",
        [Parameter("a", "integer"), Parameter("b", "integer")],
        source,
    )
    ask = source.say(source.wording(_SUMS), a=a, b=b, c=c)
    ask = ask[0].upper() + ask[1:] + source.pick((".", "", "?"))
    said, total = str(a + b), str((a + b) * c)
    if source.chance(0.3):
        said, total = compact({"result": a + b}), compact({"result": (a + b) * c})
    first, second = Call(plus.name, {"a": a, "b": b}), Call(times.name, {"a": a + b, "b": c})
    messages = [
        *opening(source, ask),
        calls(first, think=think),
        Message("tool", said),
        calls(second, think=think),
    ]
    if source.chance(0.5):
        answer = f"The result is {(a + b) * c}."
        messages += [
            Message("tool", total),
            Message("assistant", answer, "The tool has answered." if think else ""),
        ]
    return Chat(
        tuple(messages), (f"{a} {b} {c} steps",), tuple(source.sample([plus, times], 2)), think
    )
