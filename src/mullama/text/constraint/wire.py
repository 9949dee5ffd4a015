"""The fields by which clients ask for constraints -> `Constraint`. All spellings in the wild.

    response_format      OpenAI: text, json_object, json_schema (also with the schema beside the
                         type, as the Responses API has it, and in json_object); types grammar and
                         regex of others
    structured_outputs   vLLM: json, regex, choice, grammar, json_object
    guided_json, guided_regex, guided_choice, guided_grammar   vLLM, before
    grammar, json_schema llama-server: GBNF, JSON Schema
    format               Ollama: "json" or a schema

A grammar is GBNF if it has rules with "::=", else Lark. One request may carry one constraint. A
schema is always strict here: an answer that the client would validate must not be looser.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from mullama.errors import InvalidRequest
from mullama.types import Constraint, ConstraintKind

MAX_CHOICES = 10_000


def from_fields(fields: Mapping[str, Any]) -> Constraint | None:
    """The constraint that a request's `fields` ask for; fields of other names are passed over.

    Raises InvalidRequest, naming the field, for a wrong value and for two constraints at once.
    """
    found: dict[str, Constraint] = {}
    for name, read in _FIELDS.items():
        value = fields.get(name)
        made = read(value, name) if value is not None else None
        if made is not None:
            found[name] = made
    if len(found) > 1:
        first, second = list(found)[:2]
        raise _wrong(second, f"{first} and {second} both constrain the answer; send one of them")
    return next(iter(found.values()), None)


def _response_format(value: Any, param: str) -> Constraint | None:
    fields = _object(value, param)
    match fields.get("type"):
        case "text":
            return None
        case "json_object" if fields.get("schema") is None:
            return Constraint(ConstraintKind.JSON_OBJECT, param=param)
        case "json_object" | "json_schema" | "json":
            return _wrapped_schema(fields, param)
        case "regex":
            return _regex(_first(fields, param, "regex", "pattern", "value"), param)
        case "grammar" | "gbnf" | "lark":
            return _grammar(_first(fields, param, "grammar", "value"), param)
    raise _wrong(
        f"{param}.type",
        f"{param}.type is {fields.get('type')!r}; it must be text, json_object or json_schema",
    )


def _wrapped_schema(fields: Mapping[str, Any], param: str) -> Constraint:
    """The schema in `json_schema.schema`, or beside the type."""
    outer = fields.get("json_schema")
    if outer is None:
        return _schema(_first(fields, param, "schema", "value"), param)
    outer = _object(outer, f"{param}.json_schema")
    return _schema(_first(outer, f"{param}.json_schema", "schema"), param)


def _structured_outputs(value: Any, param: str) -> Constraint | None:
    fields = {name: one for name, one in _object(value, param).items() if one not in (None, False)}
    kinds = [name for name in fields if name in _STRUCTURED]
    unknown = fields.keys() - _STRUCTURED.keys() - _HARMLESS
    if unknown:
        name = f"{param}.{min(unknown)}"
        raise _wrong(name, f"{name} is not supported")
    if len(kinds) > 1:
        raise _wrong(param, f"{param} has {' and '.join(kinds)}; send one of them")
    return _STRUCTURED[kinds[0]](fields[kinds[0]], f"{param}.{kinds[0]}") if kinds else None


def _schema(value: Any, param: str) -> Constraint:
    if isinstance(value, str):  # vLLM and llama-server take JSON text, too
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise _wrong(param, f"{param} is not JSON") from None
    if not isinstance(value, dict | bool):
        raise _wrong(param, f"{param} must have a JSON Schema: an object or a boolean")
    return Constraint.json_schema(value, param=param)


def _json_format(value: Any, param: str) -> Constraint | None:
    if value == "":
        return None
    return _json_object(True, param) if value == "json" else _schema(value, param)


def _json_object(value: Any, param: str) -> Constraint | None:
    if not isinstance(value, bool):
        raise _wrong(param, f"{param} must be true or false")
    return Constraint(ConstraintKind.JSON_OBJECT, param=param) if value else None


def _regex(value: Any, param: str) -> Constraint:
    return Constraint(ConstraintKind.REGEX, _text(value, param), param=param)


def _choice(value: Any, param: str) -> Constraint:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or not value:
        raise _wrong(param, f"{param} must be a list of strings, not empty")
    if len(value) > MAX_CHOICES:
        raise _wrong(param, f"{param} has {len(value)} choices; the most is {MAX_CHOICES}")
    return Constraint.choice(value, param=param)


def _grammar(value: Any, param: str) -> Constraint | None:
    source = _text(value, param)
    if not source.strip():
        return None
    return Constraint.grammar(source, param=param)


def _text(value: Any, param: str) -> str:
    if not isinstance(value, str):
        raise _wrong(param, f"{param} must be a string")
    return value


def _object(value: Any, param: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(param, f"{param} must be an object")
    return value


def _first(fields: Mapping[str, Any], param: str, *names: str) -> Any:
    for name in names:
        if fields.get(name) is not None:
            return fields[name]
    raise _wrong(f"{param}.{names[0]}", f"{param}.{names[0]} is missing")


def _wrong(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{message}.", param=param)


_Reader = Callable[[Any, str], Constraint | None]

_FIELDS: dict[str, _Reader] = {
    "response_format": _response_format,
    "structured_outputs": _structured_outputs,
    "guided_json": _schema,
    "guided_regex": _regex,
    "guided_choice": _choice,
    "guided_grammar": _grammar,
    "grammar": _grammar,
    "json_schema": _schema,
    "format": _json_format,
}
FIELDS = frozenset(_FIELDS)

_STRUCTURED: dict[str, _Reader] = {
    "json": _schema,
    "regex": _regex,
    "choice": _choice,
    "grammar": _grammar,
    "json_object": _json_object,
}
# They choose how vLLM does it, or ask for what is done anyway.
_HARMLESS = frozenset({"disable_any_whitespace", "disable_fallback", "backend"})
