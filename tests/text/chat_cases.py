"""The recorded outputs of many models' formats, and what a correct parser makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from mullama.text.channels import Parser
from mullama.text.formats import find_format
from mullama.text.spans import Answer, Span, fold
from mullama.text.syntax import Format
from mullama.text.template import ChatTemplate
from tests.conftest import SHARED

Case = dict[str, Any]
_FOLDER = SHARED / "chat_templates"
_FILE = SHARED / "chat_cases.json"

CASES: list[Case] = json.loads(_FILE.read_text()) if _FILE.exists() else []
TEMPLATES = sorted(path.name for path in _FOLDER.glob("*.jinja"))


def source(template: str) -> str:
    return (_FOLDER / template).read_text()


@cache
def chat_template(template: str) -> ChatTemplate:
    return ChatTemplate(source(template), bos="", eos="")


@cache
def format_of(template: str) -> Format:
    return find_format(chat_template(template))


def parser(case: Case, format: Format, opened: str) -> Parser:
    return Parser(
        format,
        opened=opened,
        tools=case["tools"] or (),
        reasoning=case["reasoning_format"] != "none",
        fenced=bool(case["json_schema"]),
    )


def parse(parser: Parser, pieces: Iterable[str]) -> Answer:
    spans: list[Span] = list(parser.prefilled)
    for piece in pieces:
        spans += parser.feed(piece)
    return fold([*spans, *parser.finish()])


def read(case: Case, format: Format, pieces: Sequence[str], opened: str) -> dict[str, Any]:
    return seen(parse(parser(case, format, opened), pieces))


def seen(answer: Answer) -> dict[str, Any]:
    """An answer as cases are compared: without white space at the ends, arguments as values."""
    return {
        "content": answer.content.strip(),
        "reasoning_content": answer.reasoning.strip(),
        "tool_calls": [
            {"name": call.name, "id": call.id, **arguments(call.arguments)} for call in answer.calls
        ],
    }


def expected(case: Case) -> dict[str, Any]:
    wanted = case["expected"]
    return {
        "content": wanted["content"].strip(),
        "reasoning_content": wanted["reasoning_content"].strip(),
        "tool_calls": [
            {
                "name": call["name"],
                "id": call.get("id", ""),
                **arguments(call.get("arguments_text") or json.dumps(call["arguments"])),
            }
            for call in wanted["tool_calls"]
        ],
    }


def arguments(text: str) -> dict[str, Any]:
    """Arguments as a list of members, or as text where they are cut: only a brace is no text."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if value is None:
        return {"text": text.strip().removesuffix("{").removesuffix("null")}
    return {"arguments": list(value.items())}
