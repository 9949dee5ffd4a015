"""/docs: the API's description as one page, made here, that needs nothing from the internet.

It shows what /openapi.json says: every endpoint, what it takes and gives, every field with its
type. Plain HTML, rendered once.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.1rem }
code, td:first-child, td:nth-child(2) { font: 13px ui-monospace, monospace }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid #8884; padding: .25rem .5rem .25rem 0; vertical-align: top }
td:first-child { width: 16rem }
"""


def page(described: dict[str, Any]) -> str:
    """The page for an OpenAPI description."""
    title = escape(f"{described['info']['title']} {described['info']['version']}")
    about = escape(described["info"].get("description", ""))
    return (
        f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f'<meta name=viewport content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{about} As data: <a href=openapi.json>openapi.json</a>.</p>"
        + "".join(_operations(described))
        + "".join(_schemas(described))
    )


def _operations(described: dict[str, Any]) -> Iterator[str]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            text = operation.get("description") or operation.get("summary", "")
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(text)}</p>"
            yield _table(_takes(operation) + _gives(operation))


def _takes(operation: dict[str, Any]) -> list[tuple[str, str, str]]:
    content = operation.get("requestBody", {}).get("content", {})
    return [("body", _type(one["schema"]), kind) for kind, one in content.items()]


def _gives(operation: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        rows.append((status, _type(schema), response.get("description", "")))
    return rows


def _schemas(described: dict[str, Any]) -> Iterator[str]:
    for name, schema in sorted(described.get("components", {}).get("schemas", {}).items()):
        required = schema.get("required", ())
        yield f"<h2 id={escape(name)}>{escape(name)}</h2>"
        yield f"<p>{escape(schema.get('description', ''))}</p>"
        yield _table(
            [
                (field + ("" if field in required else "?"), _type(one), one.get("description", ""))
                for field, one in schema.get("properties", {}).items()
            ]
        )


def _table(rows: list[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<tr><td>{escape(name)}<td>{kind}<td>{escape(text)}" for name, kind, text in rows
    )
    return f"<table>{cells}</table>"


def _type(schema: dict[str, Any]) -> str:
    """A schema's type in a few words of HTML. Null is left out: it means "not given"."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for words in ("anyOf", "oneOf"):
        if words in schema:
            return " or ".join(_type(one) for one in schema[words] if one.get("type") != "null")
    if "const" in schema or "enum" in schema:
        return " or ".join(escape(repr(one)) for one in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else escape(kind)
