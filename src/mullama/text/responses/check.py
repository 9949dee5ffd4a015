"""What a response schema must be. Everything wrong is refused with its path, before it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jmespath
import regex

from mullama.errors import InvalidRequest
from mullama.text.responses import MEMBERS, PARAM

_DEEPEST = 64
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null", "any")
_PATTERNS = ("x-regex", "x-regex-iterator", "x-regex-key-value")
_WORDS = frozenset(
    {*_PATTERNS, "x-regex-substitutions", "x-parser", "x-parser-args", "x-mapping",
     "x-mapping-regex"}
)  # fmt: skip
_PARSER_ARGS = ("allow_non_json", "transform")

Compile = Callable[[str], Any]


def refuse(path: str, words: str) -> NoReturn:
    raise InvalidRequest(f"The response schema is wrong: {path} {words}.", param=PARAM)


def check(schema: Any, compile: Compile, compile_transform: Compile) -> None:
    """Go through a whole schema. Raises InvalidRequest with the path of the first wrong thing."""
    _Checker(compile, compile_transform).node(schema, "$", 0)
    if schema.get("type") != "object":
        refuse("$.type", "must be object, as an answer is one")
    if not any(key in schema.get("properties", {}) for key in MEMBERS):
        refuse("$.properties", f"must have one of {', '.join(MEMBERS)}")


class _Checker:
    """`compile` and `compile_transform` raise for what is no expression."""

    def __init__(self, compile: Compile, compile_transform: Compile) -> None:
        self._compile = compile
        self._compile_transform = compile_transform

    def node(self, schema: Any, path: str, depth: int) -> None:
        if not isinstance(schema, Mapping):
            refuse(path, "must be an object")
        if depth > _DEEPEST:
            refuse(path, f"is nested more than {_DEEPEST} deep")
        unknown = [key for key in schema if key.startswith("x-") and key not in _WORDS]
        if unknown:
            refuse(f"{path}.{unknown[0]}", f"is not known; there are {', '.join(sorted(_WORDS))}")
        if "type" in schema and schema["type"] not in _TYPES:
            refuse(f"{path}.type", f"must be one of {', '.join(_TYPES)}")
        self._patterns(schema, path)
        self._pairs(schema, path)
        self._parser(schema, path)
        self._children(schema, path, depth)

    def _children(self, schema: Mapping[str, Any], path: str, depth: int) -> None:
        properties = schema.get("properties", {})
        if not isinstance(properties, Mapping):
            refuse(f"{path}.properties", "must be an object")
        for key, child in properties.items():
            self.node(child, f"{path}.properties.{key}", depth + 1)
        if "items" in schema:
            self.node(schema["items"], f"{path}.items", depth + 1)
        other = schema.get("additionalProperties", True)
        if not isinstance(other, bool):
            self.node(other, f"{path}.additionalProperties", depth + 1)

    def _patterns(self, schema: Mapping[str, Any], path: str) -> None:
        for word in _PATTERNS:
            if word not in schema:
                continue
            place = f"{path}.{word}"
            pattern = self._pattern(schema[word], place)
            if word == "x-regex-key-value":
                if set(pattern.groupindex) != {"key", "value"}:
                    refuse(place, "must have the named groups key and value, and no other")
            elif pattern.groups > 1 and pattern.groups > len(pattern.groupindex):
                refuse(place, "must have named groups, or one group, or none")
        for word, kind in (("x-regex-iterator", "array"), ("x-regex-key-value", "object")):
            if word in schema and schema.get("type") != kind:
                refuse(f"{path}.{word}", f"makes an {kind}; the type must say so")

    def _pattern(self, text: Any, place: str) -> Any:
        if not isinstance(text, str):
            refuse(place, "must be a text")
        try:
            return self._compile(text)
        except (regex.error, RecursionError, OverflowError, ValueError) as error:
            refuse(place, f"is no regular expression: {error}")

    def _pairs(self, schema: Mapping[str, Any], path: str) -> None:
        word = "x-regex-substitutions"
        pairs = schema.get(word, [])
        if not isinstance(pairs, list):
            refuse(f"{path}.{word}", "must be a list of pairs: [pattern, replacement]")
        for place, pair in enumerate(pairs):
            if not isinstance(pair, list) or len(pair) != 2:
                refuse(f"{path}.{word}[{place}]", "must be a pair: [pattern, replacement]")
            self._replacement(pair[0], pair[1], f"{path}.{word}[{place}]")
        for word in ("x-mapping", "x-mapping-regex"):
            mapping = schema.get(word, {})
            if not isinstance(mapping, Mapping):
                refuse(f"{path}.{word}", "must be an object")
            if word == "x-mapping-regex":
                for pattern, replacement in mapping.items():
                    self._replacement(pattern, replacement, f"{path}.{word}")

    def _replacement(self, pattern: Any, replacement: Any, place: str) -> None:
        self._pattern(pattern, place)
        if not isinstance(replacement, str):
            refuse(place, "must have a text as replacement")
        try:
            regex.sub(f"(?:{pattern})|", replacement, "")  # looked at only where something matches
        except (regex.error, IndexError) as error:
            refuse(place, f"has a replacement that is none: {error}")

    def _parser(self, schema: Mapping[str, Any], path: str) -> None:
        place = f"{path}.x-parser-args"
        if schema.get("x-parser", "json") != "json":
            refuse(f"{path}.x-parser", "must be json")
        arguments = schema.get("x-parser-args", {})
        if not isinstance(arguments, Mapping):
            refuse(place, "must be an object")
        if arguments and "x-parser" not in schema:
            refuse(place, "needs x-parser")
        for key in arguments:
            if key not in _PARSER_ARGS:
                refuse(f"{place}.{key}", f"is not known; there are {', '.join(_PARSER_ARGS)}")
        if arguments.get("transform") is not None:
            try:
                self._compile_transform(arguments["transform"])
            except (jmespath.exceptions.JMESPathError, TypeError, ValueError) as error:
                refuse(f"{place}.transform", f"is no JMESPath expression: {error}")
