"""JSON from given values, and fields taken out of a sentence into a given schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recipes.tiny.chats import Exchange, compact
from recipes.tiny.facts.countries import CAPITALS, CITIES
from recipes.tiny.source import Source
from recipes.tiny.words import NOUNS

_JOBS = ("teacher doctor baker farmer pilot singer nurse chef painter driver judge writer").split()
_OBJECT = (
    "(make|write|create|give me|build|output|return) (a |some |)JSON( object|)( with| from| for| of|:| containing) {x}",
    "JSON( please| object|)(: | with | of ){x}", "(convert|turn|put|write) (this |)(to|into|as|in) JSON(: |:\n| ){x}",
    "as JSON(: |, please: ){x}", "{x} as JSON", "I need (a |)JSON( object|) with {x}", "give me this as JSON: {x}",
    "(a |)JSON object (where|with) {x}", "put {x} into JSON", "format as JSON: {x}", "answer in JSON: {x}",
)  # fmt: skip
_ARRAY = (
    "(make|write|create|give me) a JSON (array|list)(: | with | of | from ){x}", "JSON (array|list)(: | of | with ){x}",
    "(convert|turn|put) (this |these |)(to|into) a JSON (array|list)(: | ){x}", "{x} as a JSON (array|list)", "as a JSON list: {x}",
)  # fmt: skip
_EXTRACT = (
    "(extract|get|find|take|pull out|pick out) {f} (as JSON|in JSON|as a JSON object)( from this| from|)(: |:\n){s}",
    "{s}(\n| )(extract|get|give me|find|return) {f} as JSON", "(give me|return|write) JSON with {f}(: | from: | for: |\n){s}",
    "from this (text|sentence), (extract|get|take) {f} as JSON(: |:\n){s}", "fill in {f} as JSON(: |:\n){s}",
    "what (is|are) {f}? Answer in JSON(: |. |:\n){s}", "JSON with (the fields |){f}(: |:\n){s}",
    "read this and answer with JSON that has {f}(: |:\n){s}",
    "(use|fill) this schema: {j}\n{s}", "{s}\n(fill in|fill|complete|use)(:|) {j}", "(answer|reply) in the form {j}(: |:\n){s}",
    "(text|sentence|input): {s}\n(schema|format|fields|output): {j}", "(extract|parse) (this|the text) into {j}(: |:\n){s}",
)  # fmt: skip

Value = Callable[[Source], Any]
_FIELDS: dict[str, Value] = {
    "name": lambda s: s.name(),
    "city": lambda s: s.pick(CITIES) if s.chance(0.5) else s.word().capitalize(),
    "age": lambda s: s.number(3, 99),
    "job": lambda s: s.pick(_JOBS),
    "price": lambda s: s.number(1, 999),
    "count": lambda s: s.number(1, 99),
    "id": lambda s: s.number(1, 99999),
    "year": lambda s: s.number(1900, 2099),
    "active": lambda s: s.chance(0.5),
    "color": lambda s: s.pick("red blue green yellow black white orange pink".split()),
    "country": lambda s: s.pick(tuple(CAPITALS)).removeprefix("the "),
    "title": lambda s: s.words(1, 3),
    "email": lambda s: f"{s.word()}@{s.word()}.{s.pick(('com', 'org', 'net'))}",
    "day": lambda s: s.pick("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    "code": lambda s: s.code(),
    "item": lambda s: s.pick(NOUNS),
}
_NAMES = tuple(_FIELDS)


def fields(source: Source, n: int) -> dict[str, Any]:
    """Field names, some of them made up, with values."""
    made: dict[str, Any] = {}
    for name in source.sample(_NAMES, n):
        key, value = name, _FIELDS[name](source)
        if source.chance(0.25):
            key = source.word()
        made[key] = value
    return made


def shown(value: Any) -> str:
    return (
        {True: "true", False: "false"}.get(value, str(value))
        if isinstance(value, bool)
        else str(value)
    )


def listed(source: Source, parts: list[str]) -> str:
    """ "a, b and c", or with commas only, or in lines."""
    style = source.random.random()
    if style < 0.2:
        return "\n".join(parts)
    return ", ".join(parts) if style < 0.45 else together(parts)


def together(parts: list[str]) -> str:
    """ "a, b and c"."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def json_object(source: Source) -> Exchange:
    if source.chance(0.2):
        number = source.chance(0.3)
        items: list[Any] = [
            source.number(0, 999) if number else source.any_word()
            for _ in range(source.number(2, 6))
        ]
        grammar = source.wording(_ARRAY)
        ask = source.say(grammar, x=listed(source, [str(item) for item in items]))
        answer = compact(items)
    else:
        made = fields(source, source.number(1, 4))
        join = source.pick((" is ", " is ", ": ", ": ", " ", " = ", "="))
        grammar = source.wording(_OBJECT)
        ask = source.say(
            grammar,
            x=listed(source, [f"{key}{join}{shown(value)}" for key, value in made.items()]),
        )
        answer = compact(made)
    if not grammar.startswith("{"):  # a value keeps its first letter as it is
        ask = source.around(ask, fragile=True)
    return Exchange(ask, answer, (answer,), "The answer is JSON with the given values.")


_SENTENCES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("(My friend |My neighbour |Our colleague |)({name} is {age} years old|{name} is {age})( and lives in {city}|, lives in {city})", ("name", "age", "city")),
    ("{name}, {age}, (from|lives in) {city}", ("name", "age", "city")),
    ("{name} (is from|lives in|comes from) {city} and works as a {job}", ("name", "city", "job")),
    ("{name} works as a {job} in {city}", ("name", "job", "city")),
    ("(The|A) {item} (costs|is sold for) {price} (dollars|euros|coins)", ("item", "price")),
    ("{name} (bought|ordered|wants|sold) {count} {item}s for {price} (dollars|euros)", ("name", "count", "item", "price")),
    ("(The|A) {color} {item} (belongs to|is owned by) {name}", ("color", "item", "name")),
    ("{name} was born in {year} in {city}", ("name", "year", "city")),
    ("(Write to|You can reach|Contact) {name} at {email}", ("name", "email")),
    ("(Order|Ticket|Number) {id} (is for|belongs to) {name} (on|for) {day}", ("id", "name", "day")),
    ("On {day}, {name} (will be|is) in {city}", ("day", "name", "city")),
    ("{name} from {country} is a {age}-year-old {job}", ("name", "country", "age", "job")),
    ("(Meet|This is|Here is) {name}, a {job} from {city}", ("name", "job", "city")),
    ("(The code for|The code of) {name} is {code}", ("name", "code")),
)  # fmt: skip


def extract(source: Source) -> Exchange:
    """The schema names what is wanted, in its own order; the sentence has more than that."""
    grammar, names = source.pick(_SENTENCES)
    values = {name: _FIELDS[name](source) for name in names}
    said = source.say(grammar, **values) + source.pick((".", ".", ""))
    wanted = (
        source.sample(names, source.number(1, len(names))) if source.chance(0.5) else list(names)
    )
    answer = compact({name: values[name] for name in wanted})
    the = "the " if source.chance(0.5) else ""
    types = {int: source.pick(("number", "integer")), str: "string"}
    schema = {name: types[type(values[name])] for name in wanted}
    form = compact(schema)
    if source.chance(0.25):
        form = compact(
            {
                "type": "object",
                "properties": {name: {"type": kind} for name, kind in schema.items()},
            }
        )
    asking = source.wording(_EXTRACT)
    ask = source.say(asking, f=the + together(wanted), s=said, j=form)
    if not asking.startswith("{s}"):
        ask = source.around(ask, fragile=True)
    return Exchange(ask, answer, (answer,), "I take the fields from the sentence.")
