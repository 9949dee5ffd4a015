"""Tools as coding agents and their libraries declare them: what generators of schemas write.

Zod writes `$schema`, safe-integer bounds and `additionalProperties: false`; pydantic writes
`title`, `default`, `anyOf` with null and `$defs`; servers of tools write whatever they like.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#"}
SAFE = {"type": "integer", "minimum": -(2**53 - 1), "maximum": 2**53 - 1}
TEXT: Schema = {"type": "string"}
LONG = "Use it with care, and read the whole of what it says before you go on. " * 60


def _zod(properties: Schema, required: list[str]) -> Schema:
    return {
        **DRAFT_7,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _optional(schema: Schema, title: str) -> Schema:
    """A field that pydantic made of `x: T | None = None`."""
    return {"anyOf": [schema, {"type": "null"}], "default": None, "title": title}


PARAMETERS: dict[str, Schema] = {
    "bash": _zod(
        {
            "command": {"type": "string", "description": "The command to execute"},
            "timeout": {**SAFE, "exclusiveMinimum": 0, "description": "In milliseconds"},
            "workdir": {"type": "string", "description": LONG},
            "description": TEXT,
        },
        ["command", "description"],
    ),
    "edit": _zod(
        {
            "filePath": {"type": "string", "description": "The absolute path to the file"},
            "oldString": TEXT,
            "newString": TEXT,
            "replaceAll": {"type": "boolean", "default": False},
        },
        ["filePath", "oldString", "newString"],
    ),
    "multiedit": _zod(
        {
            "filePath": TEXT,
            "edits": {
                "type": "array",
                "minItems": 1,
                "maxItems": 3,
                "items": {
                    "type": "object",
                    "properties": {"oldString": TEXT, "newString": TEXT},
                    "required": ["oldString", "newString"],
                    "additionalProperties": False,
                },
            },
        },
        ["filePath", "edits"],
    ),
    "todowrite": _zod(
        {
            "todos": {
                "type": "array",
                "maxItems": 3,
                "items": {
                    "type": "object",
                    "properties": {
                        "content": {"type": "string", "minLength": 1, "maxLength": 30},
                        "status": {"enum": ["pending", "in_progress", "completed", "cancelled"]},
                        "priority": {"type": "string", "enum": ["high", "medium", "low"]},
                        "id": {"type": "string", "pattern": "^[0-9]{1,4}$"},
                    },
                    "required": ["content", "status", "priority", "id"],
                    "additionalProperties": False,
                },
            }
        },
        ["todos"],
    ),
    "webfetch": _zod(
        {
            "url": {"type": "string", "format": "uri", "maxLength": 60},
            "format": {"type": "string", "enum": ["text", "markdown", "html"], "default": "text"},
            "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 120},
        },
        ["url", "format"],
    ),
    "execute_command": {
        "type": "object",
        "properties": {"command": TEXT, "requires_approval": {"type": "boolean"}},
        "required": ["command", "requires_approval"],
    },
    "ask_followup_question": {
        "type": "object",
        "properties": {
            "question": {"type": "string", "maxLength": 40},
            "options": {
                "type": "array",
                "items": {"type": "string", "maxLength": 20},
                "minItems": 2,
                "maxItems": 5,
            },
        },
        "required": ["question"],
        "additionalProperties": False,
    },
    "write_to_file": {
        "title": "WriteArguments",
        "type": "object",
        "properties": {
            "path": {"title": "Path", "type": "string", "format": "path", "maxLength": 30},
            "content": {"title": "Content", "type": "string", "maxLength": 40},
            "mode": _optional({"type": "string", "pattern": "^[0-7]{3}$"}, "Mode"),
            "encoding": {"title": "Encoding", "type": "string", "default": "utf-8"},
        },
        "required": ["path", "content"],
    },
    "search_files": {
        "title": "SearchArguments",
        "$defs": {
            "Range": {
                "title": "Range",
                "type": "object",
                "properties": {
                    "start": {"title": "Start", "type": "integer", "minimum": 1, "maximum": 9999},
                    "end": _optional({"type": "integer", "minimum": 1, "maximum": 9999}, "End"),
                },
                "required": ["start"],
            }
        },
        "type": "object",
        "properties": {
            "regex": {"title": "Regex", "type": "string", "maxLength": 20},
            "ranges": {
                "title": "Ranges",
                "type": "array",
                "items": {"$ref": "#/$defs/Range"},
                "maxItems": 2,
                "default": [],
            },
            "kind": {"const": "regex", "default": "regex", "title": "Kind"},
        },
        "required": ["regex", "kind"],
        "additionalProperties": False,
    },
    "mcp__github__create_pull_request": {
        "type": "object",
        "properties": {
            "owner": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,12}$"},
            "repo": {"type": "string", "pattern": "^[\\w.-]{1,12}$"},
            "title": {"type": "string", "maxLength": 30},
            "draft": {"type": ["boolean", "null"]},
            "labels": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": 2},
            "base": {"oneOf": [{"pattern": "^[a-z]+"}, {"pattern": "^release/"}], "type": "string"},
        },
        "required": ["owner", "repo", "title"],
    },
    "mcp__db__query": {
        "type": "object",
        "properties": {
            "sql": {"type": "string", "minLength": 6, "maxLength": 50},
            "params": {
                "type": "array",
                "maxItems": 2,
                "items": {"type": ["string", "number", "boolean", "null"], "maxLength": 8},
            },
            "settings": {
                "type": "object",
                "patternProperties": {"^[a-z_]{1,8}$": {"type": ["integer", "boolean"]}},
                "additionalProperties": False,
                "maxProperties": 2,
            },
        },
        "required": ["sql"],
    },
    "mcp__calendar__create_event": {
        "type": "object",
        "properties": {
            "summary": {"type": "string", "maxLength": 20},
            "start": {"type": "string", "format": "date-time"},
            "end": {"type": "string", "format": "date-time"},
            "attendee": {"type": "string", "format": "email", "maxLength": 20},
            "recurrence": {
                "anyOf": [
                    {"type": "null"},
                    {
                        "type": "object",
                        "properties": {
                            "freq": {"enum": ["DAILY", "WEEKLY", "MONTHLY"]},
                            "interval": {"type": "integer", "minimum": 1, "maximum": 12},
                        },
                        "required": ["freq"],
                        "additionalProperties": False,
                    },
                ]
            },
        },
        "required": ["summary", "start", "end"],
    },
    "list_files": {"type": "object", "properties": {}},
    "get_diagnostics": {"type": "object", "properties": {}, "additionalProperties": False},
    "think": {"type": "object", "properties": {"thought": {"type": "string", "maxLength": 50}}},
}

DEFINED: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {"name": name, "description": LONG[:300], "parameters": parameters},
    }
    for name, parameters in PARAMETERS.items()
]
