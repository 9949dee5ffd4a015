"""A response schema: checked when it is given, and applied to the text of an answer.

Text flows from the top of the schema down. A node makes of what it gets, in this order:

    const                    the value; nothing else counts
    x-regex-substitutions    [[pattern, replacement], …]: the text with these replaced
    x-regex                  what the first match has: its named groups as an object, else its one
                             group, else all of it; no match is no value
    x-regex-iterator         the same of every match, as a list (type array)
    x-regex-key-value        an object (type object) of every match's groups `key` and `value`
    x-parser                 json: the value that the text is. x-parser-args: allow_non_json leaves
                             text that is none as it is; transform is a JMESPath expression
    x-mapping                {text: other}: another text for this very one
    x-mapping-regex          {pattern: replacement}, replaced one after another
    type                     an object hands its members to `properties` and
                             `additionalProperties`, a text that it still is to each property; an
                             array its elements to `items`; other types are made of text
    default                  where there is no value

Expressions are Python's, and `.` matches line ends. They run with a limit: Python's `re` can't be
stopped, and an engine of linear time knows no lookahead, which such schemas use; the `regex`
package reads the same language and stops when told to. What it counts is the process's own time,
so that a busy machine makes no difference.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import jmespath
import regex

from mullama.text.responses.check import check, refuse

SECONDS = 0.25  # of computing, for all expressions of one answer
MOST_CHARACTERS = 1_000_000  # that a substitution puts in

_log = logging.getLogger(__name__)

Pattern = Any  # regex.Pattern, which has no types


class _NoValue(Exception):
    """The text is not what the schema says."""


class ResponseSchema:
    """`read(text)` gives the object that the schema makes of an answer.

    `names(mark)` is whether an expression has this text. Thread-safe.
    """

    def __init__(self, source: str) -> None:
        """`source` is the schema as JSON. Raises InvalidRequest with the path of what is wrong."""
        try:
            self._schema: Any = json.loads(source)
        except (ValueError, RecursionError) as error:
            refuse("$", f"is no JSON: {error}")
        self._patterns: dict[str, Pattern] = {}
        self._transforms: dict[str, Any] = {}
        check(self._schema, self._compile, self._compile_transform)
        self._literals = [regex.sub(r"\\([^\w\s])", r"\1", text) for text in self._patterns]

    def read(self, text: str, seconds: float = SECONDS) -> dict[str, Any] | None:
        """What the schema makes of a text, None where that is nothing; the log says why.

        `seconds` of computing are what all expressions together may take. Never raises.
        """
        try:
            value = _Run(self._patterns, self._transforms, seconds).value(text, self._schema)
        except Exception as error:  # of the expressions, of JSON, of JMESPath
            _log.warning("The response schema can't read an answer: %s", error)
            return None
        return value if isinstance(value, dict) else None

    def names(self, mark: str) -> bool:
        """Whether an expression has this text in it."""
        return any(mark in literal for literal in self._literals)

    @property
    def marks(self) -> frozenset[str]:
        """Pieces of markup in the expressions, which may be single tokens."""
        found = (regex.findall(r"<[^<>()\s]+>|\[/?[A-Z_]{2,}\]", text) for text in self._literals)
        return frozenset(mark for marks in found for mark in marks)

    def _compile(self, pattern: str) -> Pattern:
        compiled = regex.compile(pattern, regex.DOTALL)
        self._patterns[pattern] = compiled
        return compiled

    def _compile_transform(self, expression: str) -> None:
        self._transforms[expression] = jmespath.compile(expression)


class _Run:
    """One application, and the time that is left for it."""

    def __init__(
        self, patterns: Mapping[str, Pattern], transforms: Mapping[str, Any], seconds: float
    ) -> None:
        self._patterns = patterns
        self._transforms = transforms
        self._until = time.process_time() + seconds

    def value(self, given: Any, schema: Mapping[str, Any]) -> Any:
        """What a node makes of what it gets; None for no value."""
        if "const" in schema:
            return schema["const"]
        for step in (self._extracted, self._parsed, self._mapped, self._typed):
            if given is None:
                break
            given = step(given, schema)
        return schema.get("default") if given is None else given

    # ------------------------------------------------------------------ expressions

    @property
    def _left(self) -> float:
        left = self._until - time.process_time()
        if left <= 0:
            raise TimeoutError("the expressions take too long")
        return left

    def _extracted(self, given: Any, schema: Mapping[str, Any]) -> Any:
        for pattern, replacement in schema.get("x-regex-substitutions", ()):
            given = self._replaced(given, pattern, replacement)
        if "x-regex" in schema:
            found = self._patterns[schema["x-regex"]].search(_text(given), timeout=self._left)
            given = _matched(found) if found else None
        if given is not None and "x-regex-iterator" in schema:
            given = [_matched(found) for found in self._all(schema["x-regex-iterator"], given)]
        if given is not None and "x-regex-key-value" in schema:
            pattern = schema["x-regex-key-value"]
            given = {found["key"]: found["value"] for found in self._all(pattern, given)}
        return None if given in ([], {}) else given

    def _all(self, pattern: str, given: Any) -> Any:
        return self._patterns[pattern].finditer(_text(given), timeout=self._left)

    def _replaced(self, given: Any, pattern: str, replacement: str) -> str:
        pieces, end, length = [], 0, 0
        for found in self._all(pattern, given):
            pieces += [given[end : found.start()], found.expand(replacement)]
            end = found.end()
            length += len(pieces[-1])
            if length > MOST_CHARACTERS:
                raise _NoValue("a substitution makes too long a text")
        return "".join([*pieces, given[end:]])

    def _mapped(self, given: Any, schema: Mapping[str, Any]) -> Any:
        if "x-mapping" in schema:
            given = schema["x-mapping"].get(_text(given), given)
        for pattern, replacement in schema.get("x-mapping-regex", {}).items():
            given = self._replaced(given, pattern, replacement)
        return given

    def _parsed(self, given: Any, schema: Mapping[str, Any]) -> Any:
        if "x-parser" not in schema:
            return given
        arguments = schema.get("x-parser-args", {})
        try:
            value = json.loads(_text(given), strict=False)
        except ValueError:
            if not arguments.get("allow_non_json"):
                raise
            value = given
        if transform := arguments.get("transform"):
            value = self._transforms[transform].search(value)
        return value

    # ------------------------------------------------------------------ types

    def _typed(self, given: Any, schema: Mapping[str, Any]) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(given, schema)
            case "array":
                if not isinstance(given, list):
                    raise _NoValue(f"a list is wanted, not {type(given).__name__}")
                item = schema.get("items")
                return [self.value(one, item) for one in given] if item else given
            case "string":
                return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
            case "integer" | "number" | "boolean" | "null" as kind if isinstance(given, str):
                return _from_text(given, kind)
        return given

    def _object(self, given: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties", {})
        if isinstance(given, str):
            members = {key: self.value(given, node) for key, node in properties.items()}
        elif isinstance(given, dict):
            members = {key: self.value(given.get(key), node) for key, node in properties.items()}
            members |= self._others(given, schema)
        else:
            raise _NoValue(f"an object is wanted, not {type(given).__name__}")
        return {key: value for key, value in members.items() if value is not None}

    def _others(self, given: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
        """Members that `properties` does not name, where the schema has a place for them."""
        other = schema.get("additionalProperties", "properties" not in schema)
        if other is False:
            return {}
        node = other if isinstance(other, dict) else {}
        named = schema.get("properties", {})
        return {key: self.value(value, node) for key, value in given.items() if key not in named}


def _matched(found: Any) -> Any:
    """What a match has: an object of its named groups, or a text."""
    if named := found.groupdict():
        return {key: value for key, value in named.items() if value is not None}
    return found.group(1 if found.re.groups else 0)


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise _NoValue(f"a text is wanted, not {type(given).__name__}")
    return given


def _from_text(text: str, kind: str) -> Any:
    """A number, boolean or null that is written as text."""
    word = text.strip()
    match kind:
        case "integer":
            return int(word)
        case "number":
            return float(word) if any(letter in word for letter in ".eEn") else int(word)
        case "boolean" if word.lower() in ("true", "false", "1", "0"):
            return word.lower() in ("true", "1")
        case "null" if word.lower() in ("null", "none", ""):
            return None
    raise _NoValue(f"{kind} is wanted")
