"""Tools and the requests that want them.

A tool is either *made up* (a verb or no word at all, an object, parameters of any name and type) and
asked for by its words or by its name, or *everyday*: one of some fifty kinds of tool, under one of
several names, with parameters under several names, and asked for as people would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recipes.tiny.chats import Call, Tool
from recipes.tiny.source import Source
from recipes.tiny.words import NOUNS

_VERBS = (
    "get find search create delete update send open close start stop book cancel play list "
    "add remove set check move rename copy download upload convert translate order buy sell "
    "print save load read write schedule share show count sort turn clean lock unlock call "
    "email post fetch archive restore track rate review approve reject assign export import "
    "merge split scan"
).split()  # fmt: skip
_PARAMETERS: dict[str, str] = {
    "name": "word", "title": "words", "text": "words", "message": "words", "query": "words", "label": "word", "subject": "words",
    "city": "name", "location": "name", "from": "name", "to": "name", "user": "name", "recipient": "name", "place": "name",
    "date": "date", "day": "enum:Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday", "time": "time", "email": "email",
    "count": "integer", "amount": "integer", "price": "number", "quantity": "integer", "guests": "integer", "id": "integer",
    "limit": "integer", "level": "integer", "speed": "integer", "minutes": "integer", "seconds": "integer", "page": "integer",
    "urgent": "boolean", "public": "boolean", "enabled": "boolean", "force": "boolean", "recursive": "boolean",
    "size": "enum:small,medium,large", "priority": "enum:low,medium,high", "mode": "enum:fast,slow,auto", "color": "enum:red,green,blue,yellow",
    "status": "enum:open,closed,pending", "format": "enum:pdf,csv,json,txt", "file_name": "file", "path": "file", "tags": "array", "items": "array",
    "code": "code", "unit": "enum:celsius,fahrenheit", "language": "enum:French,German,Spanish,Italian",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: str
    description: str = ""

    def schema(self) -> dict[str, Any]:
        base, _, options = self.kind.partition(":")
        made: dict[str, Any] = {
            "type": base if base in ("integer", "number", "boolean", "array") else "string"
        }
        if base == "enum":
            made["enum"] = options.split(",")
        if base == "array":
            made["items"] = {"type": "string"}
        if self.description:
            made["description"] = self.description
        return made


def value(source: Source, kind: str) -> Any:
    """A value of a kind of parameter."""
    base, _, options = kind.partition(":")
    if base == "enum":
        return source.pick(options.split(","))
    return {
        "integer": lambda: source.number(0, source.pick((9, 99, 999, 9999))),
        "number": lambda: source.pick(
            (source.number(1, 999), source.number(1, 999) + source.number(1, 9) / 10)
        ),
        "boolean": lambda: source.chance(0.5),
        "array": lambda: [source.any_word() for _ in range(source.number(1, 3))],
        "name": lambda: source.name(),
        "words": lambda: source.words(1, 4),
        "word": lambda: source.any_word(),
        "date": lambda: (
            f"20{source.number(10, 39)}-{source.number(1, 12):02}-{source.number(1, 28):02}"
        ),
        "time": lambda: f"{source.number(0, 23):02}:{source.number(0, 59):02}",
        "email": lambda: f"{source.word()}@{source.word()}.{source.pick(('com', 'org', 'net'))}",
        "file": lambda: f"{source.any_word()}.{source.pick('txt pdf csv py md png'.split())}",
        "code": source.code,
    }[base]()


def shown(source: Source, it: Any) -> str:
    """A value as a person writes it."""
    if isinstance(it, bool):
        return source.pick(("true", "yes", "on") if it else ("false", "no", "off"))
    if isinstance(it, list):
        return " and ".join(it) if len(it) < 3 else ", ".join(it[:-1]) + f" and {it[-1]}"
    return str(it)


def tool(name: str, description: str, parameters: list[Parameter], source: Source) -> Tool:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {p.name: p.schema() for p in parameters},
    }
    if parameters or source.chance(0.5):
        schema["required"] = [p.name for p in parameters]
    if source.chance(0.1):
        schema["additionalProperties"] = False
    return Tool(name, description, schema)


def joined(source: Source, words: list[str]) -> str:
    """A function's name: snake_case, camelCase, with a prefix, ..."""
    style = source.random.random()
    if style < 0.65:
        return "_".join(words)
    if style < 0.8:
        return words[0] + "".join(word.capitalize() for word in words[1:])
    if style < 0.88:
        return "-".join(words)
    if style < 0.94:
        return f"{source.pick(('mcp', 'api', 'app', source.word()))}__{'_'.join(words)}"
    return "".join(word.capitalize() for word in words)


@dataclass(frozen=True, slots=True)
class Wish:
    """A tool and a request that wants it, with the call that answers it."""

    tool: Tool
    ask: str
    call: Call

    @property
    def key(self) -> str:
        return f"{self.call.name} {dict(self.call.arguments)}"


_MADE_UP_ASKS = (
    "{do}( with| using|, with|:| where|) {args}", "(use|call|run|invoke|execute) {f}( with| using|:|, with|) {args}", "I (want|need|would like) to {do}( with| using|,) {args}",
    "(can|could) you (please |){do}( with| using|:) {args}", "(please |){do}( with| using|,|:) {args}", "(please |)(call|use) the (function|tool) {f} with {args}",
    "{do}, {args}", "let's {do}( with| using|,) {args}", "{do}. {args}", "{args}: {do}",
)  # fmt: skip
_MADE_UP_BARE = (
    "{do}", "(please |){do}", "(can|could) you (please |){do}", "(use|call|run|invoke) {f}", "I (want|need) to {do}", "(please |)(call|use) the (function|tool) {f}", "let's {do}",
)  # fmt: skip


def made_up(source: Source, many: int = 3) -> Wish:
    """A tool that nobody has seen."""
    verb = source.word() if source.chance(0.3) else source.pick(_VERBS)
    thing = source.word() if source.chance(0.3) else source.pick(NOUNS)
    name = joined(source, [verb, thing] if source.chance(0.85) else [verb, source.word(), thing])
    parameters: list[Parameter] = []
    for known in source.sample(tuple(_PARAMETERS), source.pick((0, 1, 1, 2, 2, many))):
        kind = _PARAMETERS[known]
        if kind.startswith("enum") and source.chance(0.5):
            kind = "enum:" + ",".join(sorted({source.word() for _ in range(source.number(2, 4))}))
        called = source.word() if source.chance(0.3) else known
        about = f"The {called.replace('_', ' ')} of the {thing}" if source.chance(0.35) else ""
        parameters.append(Parameter(called, kind, about))
    article = "an" if thing[0] in "aeiou" else "a"
    description = source.say(
        f"({verb} {article} {thing}|{verb} the {thing}|Tool to {verb} {article} {thing})(|.)"
    )
    description = "" if source.chance(0.1) else description[0].upper() + description[1:]
    arguments = {p.name: value(source, p.kind) for p in parameters}
    do = f"{verb} {source.pick((article, 'the', 'the', 'my', 'this'))} {thing}"
    ask = _asked(source, do, name, arguments)
    return Wish(tool(name, description, parameters, source), ask, Call(name, arguments))


def _asked(source: Source, do: str, name: str, arguments: Mapping[str, Any]) -> str:
    if not arguments:
        ask = source.say(source.wording(_MADE_UP_BARE), do=do, f=name)
    else:
        join = source.pick((" ", " ", " is ", ": ", "=", " = "))
        parts = [
            f"{key.replace('_', ' ') if source.chance(0.5) else key}{join}{shown(source, it)}"
            for key, it in arguments.items()
        ]
        args = (
            ", ".join(parts[:-1]) + source.pick((" and ", ", ", ", and ")) + parts[-1]
            if len(parts) > 1
            else parts[0]
        )
        ask = source.say(source.wording(_MADE_UP_ASKS), do=do, f=name, args=args)
    ask = ask if ask.startswith(name) else ask[0].upper() + ask[1:]
    return ask + source.pick((".", ".", "", "!") if ask[-1] not in ".?" else ("",))
