"""What the owner of a model states about its chat format, in place of what its file says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mullama.errors import InvalidRequest
from mullama.types import ModelInfo


def with_template(info: ModelInfo, given: str | tuple[str, ...]) -> ModelInfo:
    """The facts of a model, with this template in place of all that its file has.

    `given` is Jinja text, in one string or cut into several, or `@` and the path of a file with
    it; "" leaves the model's own. Raises InvalidRequest for a file that can't be read.
    """
    text = _text(given, "chat template", "chat_template")
    return replace(info, chat_template=text, tool_template=None) if text else info


def with_response_schema(info: ModelInfo, given: str | tuple[str, ...]) -> ModelInfo:
    """The facts of a model, with this response schema: JSON text, or `@` and a file's path.

    Whether it is a schema is not looked at. Raises InvalidRequest for a file that can't be read.
    """
    text = _text(given, "response schema", "response_schema")
    return replace(info, response_schema=text) if text else info


def _text(given: str | tuple[str, ...], what: str, param: str) -> str:
    text = given if isinstance(given, str) else "".join(given)
    if not text.startswith("@"):
        return text
    path = Path(text[1:]).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"The {what} {str(path)!r} can't be read: {error}. Give the path of a text "
            f"file behind the @, or the {what} itself without one.",
            param=param,
        ) from error
