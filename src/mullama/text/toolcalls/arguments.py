"""The arguments of one call, in any of the styles -> the text of one JSON object.

Text of which the schema says that it is text is passed on while it arrives; a number or a list is
known when it is complete.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from mullama.text.source import Reader, Source, Triggers
from mullama.text.syntax import TYPE, Arguments, Style, first_mark
from mullama.text.toolcalls import bare, values
from mullama.text.toolcalls.bare import STRING, End, Ends, ends_of
from mullama.text.toolcalls.kinds import ALL, Schema, item_schema, json_of, kinds, property_schema
from mullama.text.toolcalls.values import Emit

_DEEPEST = 64  # elements inside of elements
_CDATA = "<![CDATA["


def begin(source: Source, syntax: Arguments, stop: str) -> Reader[bool]:
    """Whether arguments begin here, or `stop`, where there are none. Takes white space only."""
    yield from source.space()
    match syntax.style:
        case Style.JSON | Style.BRACED:
            start = "{"
        case Style.TAGGED | Style.NESTED:
            start = first_mark(syntax.begin)
        case Style.KEYWORDS:
            first = yield from source.at(0)
            return first.isidentifier() or (bool(first) and stop.startswith(first))
    if (yield from source.stands(start)):
        return True
    return bool(stop.strip()) and (yield from source.stands(first_mark(stop)))


def read(
    source: Source, syntax: Arguments, schema: Schema, emit: Emit, stop: str = ""
) -> Reader[bool]:
    """Read the arguments; False where they break off, with what was read taken and emitted.

    `stop` is what follows them, where that is certain.
    """
    match syntax.style:
        case Style.JSON:
            return (yield from _value(source, values.RELAXED, emit))
        case Style.BRACED:
            return (yield from _value(source, values.braced(syntax.quote), emit))
        case Style.KEYWORDS:
            return (yield from _keywords(source, emit))
        case Style.TAGGED:
            return (yield from _tagged(source, syntax, schema, emit, stop))
        case Style.NESTED:
            return (yield from _members(source, syntax, schema, schema, emit, 0))


def _value(source: Source, dialect: values.Dialect, emit: Emit) -> Reader[bool]:
    if (yield from source.at(0)) == "{":
        return (yield from values.value(source, dialect, emit))
    emit("{}")
    return True


def _keywords(source: Source, emit: Emit) -> Reader[bool]:
    emit("{")
    comma = ""
    while name := (yield from source.word()):
        yield from source.space()
        if not (yield from source.mark("=")):
            emit(_cut_key(comma, name))
            return False
        emit(_key(comma, name))
        if not (yield from values.value(source, values.PYTHON, emit)):
            return False
        yield from source.space()
        if not (yield from source.mark(",")):
            break
        comma = ", "
        yield from source.space()
    emit("}")
    return True


def _key(comma: str, key: str) -> str:
    return f"{comma}{json.dumps(key, ensure_ascii=False)}: "


def _cut_key(comma: str, key: str) -> str:
    """A key behind which the arguments break off."""
    return f'{comma}"{values.escaped(key)}'


def _read_key(source: Source, end: str, comma: str, emit: Emit) -> Reader[str | None]:
    """Read a key up to its end, which is not taken; None if it never comes."""
    pieces: list[str] = []
    found = yield from source.stream(end, "", pieces.append)
    key = "".join(pieces).strip()
    emit(_key(comma, key) if found else _cut_key(comma, key))
    return key if found else None


# ------------------------------------------------------------------------------- tagged values


def _tagged(
    source: Source, syntax: Arguments, schema: Schema, emit: Emit, stop: str
) -> Reader[bool]:
    emit("{")
    comma = ""
    # A value that no mark ends goes up to the next argument, or to what follows them all.
    marks = () if syntax.end.strip() else (first_mark(syntax.begin), first_mark(stop))
    ends, names = ends_of(syntax, syntax.end, stop), _names(schema)
    while (yield from _next(source, syntax)):
        key = yield from _read_key(source, first_mark(syntax.key_end), comma, emit)
        if key is None:
            return False
        comma = ", "
        names.discard(key)
        allowed = kinds(property_schema(schema, key, schema), schema)
        if syntax.key_end_json:
            text = yield from _either(source, syntax.key_end, syntax.key_end_json)
            allowed = STRING if text else allowed - STRING or ALL
        else:
            yield from source.literal(syntax.key_end)
        if marks:
            found = yield from _up_to(source, Triggers(marks), allowed, emit)
        else:
            found = yield from _text(source, syntax, syntax.end, allowed, emit, ends, names)
        if not found:
            return False
    emit("}")
    return True


def _names(schema: Schema) -> set[str]:
    """The arguments that a function is known to have."""
    properties = schema.get("properties")
    return {str(name) for name in properties} if isinstance(properties, Mapping) else set()


def _up_to(source: Source, triggers: Triggers, allowed: frozenset[str], emit: Emit) -> Reader[bool]:
    """A bare value that goes on to a mark, but for white space before that."""
    pieces: list[str] = []
    found = yield from source.up_to(triggers, pieces.append)
    emit(json_of("".join(pieces).strip(), allowed))
    return bool(found)


def _next(source: Source, syntax: Arguments) -> Reader[bool]:
    """Take the beginning of one more argument, if that is what follows."""
    yield from source.space()
    if not (yield from source.stands(first_mark(syntax.begin))):
        return False
    return (yield from source.literal(syntax.begin))


def _either(source: Source, text: str, other: str) -> Reader[bool]:
    """Take the one or the other, which begin alike; whether it was the first."""
    alike = next(index for index in range(len(text)) if text[index] != other[index])
    yield from source.literal(text[:alike])
    if (yield from source.mark(text[alike:].rstrip())):
        return True
    before, typed, after = other[alike:].partition(TYPE)
    yield from source.literal(before)
    if typed:
        yield from source.word()
        yield from source.literal(after)
    return False


def _text(
    source: Source,
    syntax: Arguments,
    end: str,
    allowed: frozenset[str],
    emit: Emit,
    ends: Ends | None = None,
    names: Collection[str] = (),
) -> Reader[bool]:
    """A bare value and its `end`, or what else of `ends` ends it."""
    if syntax.key_end.endswith("\n") and (yield from source.at(0)) == "\n":
        source.take(1)
    ends = ends or ends_of(Arguments(), end, "")
    if syntax.cdata and (yield from source.stands(_CDATA)):
        source.take(len(_CDATA))
        ends, end = Ends("]]>"), "]]>" + end
    found = yield from bare.value(source, ends, names, allowed, emit)
    if found is End.CLOSED:
        return (yield from source.literal(end))
    return found is End.FOLLOWED


# ------------------------------------------------------------------------------- nested values


def _members(
    source: Source, syntax: Arguments, schema: Any, root: Schema, emit: Emit, depth: int
) -> Reader[bool]:
    """The elements of an object, as JSON."""
    emit("{")
    comma = ""
    while (yield from _opens(source, syntax)):
        source.take(len(syntax.begin))
        key = yield from _read_key(source, syntax.key_end, comma, emit)
        if key is None:
            return False
        yield from source.mark(syntax.key_end)
        comma = ", "
        member = property_schema(schema, key, root)
        if not (yield from _element(source, syntax, key, member, root, emit, depth)):
            return False
    emit("}")
    return True


def _items(
    source: Source, syntax: Arguments, schema: Any, root: Schema, emit: Emit, depth: int
) -> Reader[bool]:
    """The elements of a list, as JSON."""
    emit("[")
    comma = ""
    while (yield from _opens(source, syntax)):
        if not (yield from source.mark(_item_tag(syntax))):
            return False
        emit(comma)
        comma = ", "
        item = item_schema(schema, root)
        if not (yield from _element(source, syntax, syntax.item, item, root, emit, depth)):
            return False
    emit("]")
    return True


def _element(
    source: Source, syntax: Arguments, key: str, schema: Any, root: Schema, emit: Emit, depth: int
) -> Reader[bool]:
    """What stands between an element's tags, and the closing one."""
    closing = syntax.end + key + syntax.key_end
    allowed = kinds(schema, root)
    if allowed != ALL and allowed & STRING:  # text, if it may be one, whatever is in it
        return (yield from _text(source, syntax, closing, STRING, emit))
    if depth >= _DEEPEST or not (yield from _opens(source, syntax)):
        return (yield from _text(source, syntax, closing, allowed, emit))
    is_list = "array" in allowed and (
        "object" not in allowed or (yield from source.stands(_item_tag(syntax)))
    )
    inside = _items if is_list else _members
    if not (yield from inside(source, syntax, schema, root, emit, depth + 1)):
        return False
    return (yield from source.literal(closing))


def _opens(source: Source, syntax: Arguments) -> Reader[bool]:
    """Whether one more element begins here; takes white space only."""
    yield from source.space()
    if (yield from source.stands(syntax.end)):
        return False
    return (yield from source.stands(syntax.begin))


def _item_tag(syntax: Arguments) -> str:
    return syntax.begin + syntax.item + syntax.key_end
