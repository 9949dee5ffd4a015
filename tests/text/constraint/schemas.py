"""Schemas for the tests: some modelled on the tools of real agents, and nasty ones, generated."""

from __future__ import annotations

import random
from typing import Any

Schema = dict[str, Any]


def obj(properties: Schema, required: list[str] | None = None, **more: Any) -> Schema:
    """An object with these properties, all required unless said otherwise, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
        **more,
    }


TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}

TOOLS: dict[str, Schema] = {
    "read a file": obj(
        {"path": TEXT, "offset": {"type": "integer", "minimum": 0}, "limit": {"type": "integer"}},
        ["path"],
    ),
    "edit a file": obj(
        {
            "file_path": {"type": "string", "minLength": 1, "pattern": "^/"},
            "edits": {
                "type": "array",
                "minItems": 1,
                "maxItems": 4,
                "items": obj(
                    {"old": TEXT, "new": TEXT, "all": {"type": "boolean"}}, ["old", "new"]
                ),
            },
        }
    ),
    "search": obj(
        {
            "pattern": TEXT,
            "glob": {"type": ["string", "null"]},
            "output_mode": {"enum": ["content", "files_with_matches", "count"]},
            "-A": {"type": "number"},
            "-i": {"type": "boolean", "default": False},
        },
        ["pattern"],
    ),
    "sql": obj(
        {
            "select": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "anyOf": [
                        {"type": "string", "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$"},
                        obj({"fn": {"enum": ["sum", "avg", "count"]}, "of": TEXT}),
                    ]
                },
            },
            "where": {"$ref": "#/$defs/condition"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
        },
        ["select"],
        **{
            "$defs": {
                "condition": {
                    "oneOf": [
                        obj(
                            {
                                "op": {"enum": ["=", "<", ">"]},
                                "left": TEXT,
                                "right": {"type": ["string", "number", "null"]},
                            }
                        ),
                        obj(
                            {
                                "op": {"enum": ["and", "or"]},
                                "parts": {
                                    "type": "array",
                                    "items": {"$ref": "#/$defs/condition"},
                                    "minItems": 1,
                                    "maxItems": 3,
                                },
                            }
                        ),
                        obj({"op": {"const": "not"}, "part": {"$ref": "#/$defs/condition"}}),
                    ]
                }
            }
        },
    ),
    "calendar": obj(
        {
            "title": {"type": "string", "minLength": 1, "maxLength": 20},
            "start": {"type": "string", "format": "date-time"},
            "day": {"type": "string", "format": "date"},
            "length": {"type": "string", "format": "duration"},
            "guests": {"type": "array", "items": {"type": "string", "format": "email"}},
            "repeat": {
                "oneOf": [
                    {"type": "null"},
                    obj(
                        {
                            "every": {"enum": ["day", "week"]},
                            "times": {"type": "integer", "exclusiveMinimum": 0, "maximum": 52},
                        }
                    ),
                ]
            },
        },
        ["title", "start"],
    ),
    "http request": obj(
        {
            "method": {"enum": ["GET", "POST"]},
            "url": {"type": "string", "format": "uri"},
            "headers": {"type": "object", "additionalProperties": TEXT},
            "body": {},
            "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 60.5},
        },
        ["method", "url"],
        allOf=[
            {
                "if": {"properties": {"method": {"const": "POST"}}},
                "then": {"required": ["body"]},
                "else": {"properties": {"body": False}},
            }
        ],
    ),
    "shapes": {
        "$defs": {
            "point": {
                "type": "array",
                "prefixItems": [{"type": "number"}, {"type": "number"}],
                "items": False,
                "minItems": 2,
            }
        },
        "type": "array",
        "maxItems": 3,
        "items": {
            "oneOf": [
                obj({"kind": {"const": "circle"}, "at": {"$ref": "#/$defs/point"}, "r": INTEGER}),
                obj({"kind": {"const": "line"}, "from": {"$ref": "#/$defs/point"}}),
                obj({"kind": {"const": "path"}, "points": {"items": {"$ref": "#/$defs/point"}}}),
            ],
            "discriminator": {"propertyName": "kind"},
        },
    },
    "a tree": {
        "$ref": "#/definitions/node",
        "definitions": {
            "node": obj(
                {
                    "value": {"type": ["integer", "string"]},
                    "children": {
                        "type": "array",
                        "items": {"$ref": "#/definitions/node"},
                        "maxItems": 2,
                    },
                },
                ["value"],
            )
        },
    },
    "inheritance": {
        "$defs": {
            "base": {
                "type": "object",
                "properties": {"id": {"type": "string", "format": "uuid"}},
                "required": ["id"],
            }
        },
        "allOf": [{"$ref": "#/$defs/base"}],
        "properties": {"name": TEXT},
        "required": ["name"],
        "unevaluatedProperties": False,
    },
    "patch": {
        "type": "array",
        "items": {
            "oneOf": [
                obj(
                    {
                        "op": {"enum": ["add", "replace"]},
                        "path": {"format": "json-pointer"},
                        "value": {},
                    }
                ),
                obj(
                    {
                        "op": {"const": "remove"},
                        "path": {"type": "string", "format": "json-pointer"},
                    }
                ),
            ]
        },
    },
    "payment": obj(
        {
            "amount": {"type": "number", "multipleOf": 0.01, "minimum": 0.01, "maximum": 999.99},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "card": {"type": "string", "pattern": r"\d{4}$", "maxLength": 19},
            "iban": {"type": "string", "minLength": 5},
        },
        ["amount", "currency"],
        dependentRequired={"iban": ["card"]},
    ),
    "sixty properties": obj(
        {
            f"{kind}_{i}": schema
            for i in range(15)
            for kind, schema in {
                "name": {"type": "string", "maxLength": 4},
                "count": {"type": "integer", "minimum": -5, "maximum": 5},
                "flag": {"type": "boolean"},
                "when": {"type": "string", "format": "date"},
            }.items()
        },
        ["name_0", "count_3", "flag_14"],
    ),
    "five thousand values": obj({"city": {"enum": [f"city {i} of {i % 7}" for i in range(5000)]}}),
    "settings": {
        "type": "object",
        "patternProperties": {"^[a-z]+_id$": INTEGER, "^is-": {"type": "boolean"}},
        "additionalProperties": {"type": "string", "maxLength": 3},
        "propertyNames": {"type": "string"},
    },
    "labels": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z][a-z0-9-]{0,8}$"},
        "additionalProperties": {"type": ["string", "number"]},
        "maxProperties": 4,
    },
    "exactly one of": {
        "type": "object",
        "properties": {"url": TEXT, "path": TEXT, "data": TEXT},
        "additionalProperties": False,
        "oneOf": [{"required": ["url"]}, {"required": ["path"]}, {"required": ["data"]}],
    },
    "some of": {
        "type": "object",
        "properties": {"a": INTEGER, "b": INTEGER, "c": INTEGER, "d": INTEGER},
        "additionalProperties": False,
        "minProperties": 2,
        "maxProperties": 3,
    },
    "draft-04": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "http://example.org/root.json",
        "type": "object",
        "properties": {
            "n": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 9},
            "pair": {"type": "array", "items": [INTEGER, TEXT], "additionalItems": False},
            "other": {"$ref": "root.json#/definitions/other"},
        },
        "required": ["n", "pair", "other"],
        "definitions": {"other": {"enum": ["x", 1]}},
    },
    "anchors": {
        "$id": "https://example.org/a",
        "$defs": {
            "x": {"$anchor": "here", "type": "integer", "maximum": 3},
            "y/z~": {"type": "boolean"},
            "inner": {"$id": "b", "type": "object", "properties": {"v": {"$ref": "a#here"}}},
        },
        "type": "array",
        "prefixItems": [{"$ref": "#here"}, {"$ref": "#/$defs/y~1z~0"}, {"$ref": "b"}],
        "minItems": 3,
        "maxItems": 3,
    },
    "password": {"type": "string", "pattern": r"^(?=.*[a-z])(?=.*\d)[a-z\d]{4,8}$"},
    "not these": {"type": "string", "maxLength": 5, "not": {"enum": ["", "ab", "abc", "null"]}},
    "a set": {"type": "array", "items": {"enum": ["r", "w", "x"]}, "uniqueItems": True},
    "names with quotes": obj({'a"b': INTEGER, "c\\d": TEXT, "é\n": {"type": "null"}, "": INTEGER}),
}


class Generator:
    """Random schemas, nastier with `depth`: the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def schema(self, depth: int) -> Any:
        kinds = [self._scalar, self._scalar, self._enum]
        if depth > 0:
            kinds += [self._object, self._object, self._array, self._tuple]
            kinds += [self._combined, self._map, self._conditional]
        schema = self._rng.choice(kinds)(depth)
        if self._rng.random() < 0.1:
            schema = {**schema, "description": "said in words"}
        return schema

    def document(self, depth: int) -> Any:
        """A schema with definitions that it, and they, may refer to."""
        root = self._object(depth)
        names = ["one", "two"]
        root["$defs"] = {name: self._object(depth - 1) for name in names}
        for name in names:
            places = [root, *root["$defs"].values()]
            place = self._rng.choice(places)
            ref = {"$ref": f"#/$defs/{name}"}
            place["properties"][f"to_{name}"] = self._rng.choice(
                [ref, {"anyOf": [ref, {"type": "null"}]}, {"type": "array", "items": ref}]
            )
        return root

    def _scalar(self, depth: int) -> Schema:
        rng = self._rng
        low = rng.randint(-20, 20)
        return rng.choice(
            [
                {"type": "integer", "minimum": low, "maximum": low + rng.randint(0, 50)},
                {"type": "integer", "multipleOf": rng.randint(1, 12)},
                {"type": "number", "exclusiveMinimum": low / 8, "maximum": low / 8 + 2.5},
                {"type": "number", "maximum": low},
                {"type": "boolean"},
                {"type": ["string", "null"], "maxLength": rng.randint(0, 6)},
                {"type": "string", "minLength": 2, "maxLength": 2 + rng.randint(0, 6)},
                {"type": "string", "pattern": rng.choice(PATTERNS)},
                {"type": "string", "format": rng.choice(["date", "time", "ipv4", "uuid", "email"])},
                {},
            ]
        )

    def _enum(self, depth: int) -> Schema:
        rng = self._rng
        pool = ["a", "ab", "b\n", "", 0, 1, -1.5, True, None, [1, "x"], {"k": []}, "日本"]
        values = rng.sample(pool, rng.randint(1, 5))
        return {"const": values[0]} if len(values) == 1 else {"enum": values}

    def _object(self, depth: int) -> Schema:
        rng = self._rng
        names = rng.sample(
            ["id", "name", "value", "kind", "x", "y", "note", "tags"], rng.randint(1, 5)
        )
        schema = obj(
            {name: self.schema(depth - 1) for name in names},
            [name for name in names if rng.random() < 0.6],
        )
        if rng.random() < 0.3:
            schema["additionalProperties"] = rng.choice([True, INTEGER])
        if rng.random() < 0.2:
            schema["dependentRequired"] = {names[0]: [names[-1]]}
        if rng.random() < 0.2:
            schema["minProperties"] = rng.randint(0, len(names))
        return schema

    def _map(self, depth: int) -> Schema:
        rng = self._rng
        schema: Schema = {"type": "object", "additionalProperties": self.schema(depth - 1)}
        schema |= rng.choice(
            [
                {"minProperties": 1},
                {"maxProperties": 3},
                {"propertyNames": {"enum": ["p", "q"]}},
                {"propertyNames": {"pattern": "^[a-c]+$"}},
                {"patternProperties": {"^x": self.schema(0)}},
            ]
        )
        return schema

    def _array(self, depth: int) -> Schema:
        rng = self._rng
        schema: Schema = {"type": "array", "items": self.schema(depth - 1)}
        if rng.random() < 0.7:
            schema |= {"minItems": rng.randint(0, 2), "maxItems": rng.randint(2, 4)}
        if rng.random() < 0.2:
            schema["uniqueItems"] = True
        return schema

    def _tuple(self, depth: int) -> Schema:
        items = [self.schema(depth - 1) for _ in range(self._rng.randint(1, 3))]
        rest = self._rng.choice([False, self.schema(0)])
        return {"type": "array", "prefixItems": items, "items": rest, "minItems": len(items)}

    def _combined(self, depth: int) -> Schema:
        rng = self._rng
        options = [self.schema(depth - 1) for _ in range(rng.randint(2, 3))]
        keyword = rng.choice(["anyOf", "anyOf", "oneOf"])
        if rng.random() < 0.3:
            first = self._object(depth)
            return {**first, "allOf": [{"minProperties": 1}, {"properties": {"extra": True}}]}
        return {keyword: options}

    def _conditional(self, depth: int) -> Schema:
        rng = self._rng
        schema = obj({"mode": {"enum": ["a", "b", "c"]}, "v": self.schema(depth - 1)}, ["mode"])
        test = {"properties": {"mode": rng.choice([{"const": "a"}, {"enum": ["a", "b"]}])}}
        then: Schema = {"required": ["v"]}
        schema |= rng.choice(
            [{"if": test, "then": then}, {"if": test, "else": then}, {"not": {**test, **then}}]
        )
        return schema


PATTERNS = [
    "^[a-z]{2,5}$",
    r"\d+",
    r"^\w+@\w+\.com$",
    "^(foo|ba[rz])+$",
    "a.",
    r"^[^\s\"]*$",
    "^$|^x",
    r"^(?=.*\d)[a-z\d]{3,6}$",
    "^[a-f0-9-]{6}$",
    "(?i)^yes|^no$",
]


def generated(n: int) -> list[Any]:
    """`n` schemas, each a little nastier than the one before."""
    made = []
    for i in range(n):
        maker = Generator(i)
        depth = 1 + i * 4 // n
        made.append(maker.document(depth) if i % 3 == 2 else maker.schema(depth))
    return made
