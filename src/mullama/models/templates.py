"""A chat template that the owner of a model gives, in place of the one in its file."""

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
    text = given if isinstance(given, str) else "".join(given)
    if not text:
        return info
    if text.startswith("@"):
        text = _read(Path(text[1:]).expanduser())
    return replace(info, chat_template=text, tool_template=None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"The chat template {str(path)!r} can't be read: {error}. Give the path of a text "
            "file behind the @, or the template itself without one.",
            param="chat_template",
        ) from error
