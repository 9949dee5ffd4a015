"""What the owner of a model states about its chat format, in place of what its file says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from mullama.errors import InvalidRequest
from mullama.types import ModelInfo


def with_template(info: ModelInfo, given: str | tuple[str, ...]) -> ModelInfo:
    """The facts of a model, with this template in place of all that its file has.

    `given` is Jinja text, in one string or cut into several, or `@` and the path of a file with
    it; "" leaves the model's own. It may also be what Hugging Face's tokenizers keep: a JSON list
    of templates with names, or an object with such a list or a text as its `chat_template`.

    Raises InvalidRequest for a file that can't be read.
    """
    text = stated_text(given, "chat template", "chat_template")
    if not text:
        return info
    by_name = _named(text)
    tools = by_name.get("tool_use")
    first = by_name.get("default") or tools or next(iter(by_name.values()))
    return replace(info, chat_template=first, tool_template=None if tools is first else tools)


def _named(text: str) -> dict[str, str]:
    """The templates in a text by their names, which is most often one without."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {"default": text}
    if isinstance(found, dict):
        found = found.get("chat_template")
        if isinstance(found, str):
            return {"default": found}
    items = found if isinstance(found, list) else []
    named = {
        str(item.get("name")): item["template"]
        for item in items
        if isinstance(item, dict) and isinstance(item.get("template"), str)
    }
    return named or {"default": text}


def with_response_schema(info: ModelInfo, given: str | tuple[str, ...]) -> ModelInfo:
    """The facts of a model, with this response schema: JSON text, or `@` and a file's path.

    Whether it is a schema is not looked at. Raises InvalidRequest for a file that can't be read.
    """
    text = stated_text(given, "response schema", "response_schema")
    return replace(info, response_schema=text) if text else info


def stated_file(given: str | tuple[str, ...]) -> Path | None:
    """The file that is named instead of the text itself, if one is."""
    text = given if isinstance(given, str) else "".join(given)
    return Path(text[1:]).expanduser() if text.startswith("@") else None


def stated_text(given: str | tuple[str, ...], what: str, param: str) -> str:
    """A text that is given as such, or as `@` and the path of a file with it. `what` it is stands
    in the InvalidRequest for a file that can't be read."""
    path = stated_file(given)
    if path is None:
        return given if isinstance(given, str) else "".join(given)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"The {what} {str(path)!r} can't be read: {error}. Give the path of a text "
            f"file behind the @, or the {what} itself without one.",
            param=param,
        ) from error
