"""A model's format is found once, by the template that its conversations use."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mullama.api.formats import Formats, Known
from mullama.text import formats
from mullama.text.syntax import Format
from tests.api.fakes import INFO

PLAIN = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
THINKING = PLAIN + "{% if add_generation_prompt %}[assistant]<reflect>{% endif %}"


def find(
    finder: Formats, *, tools: bool = False, template: str | None, own: str | None = None
) -> Known | None:
    info = replace(INFO, chat_template=template, tool_template=own)
    return asyncio.run(finder.find(info, tools=tools))


def test_a_model_without_template_has_none() -> None:
    assert find(Formats(), template=None) is None


def test_the_template_for_tools_is_used_where_there_are_some() -> None:
    without = find(Formats(), template=PLAIN, own=THINKING)
    used = find(Formats(), template=PLAIN, own=THINKING, tools=True)
    assert without is not None
    assert used is not None
    assert "<reflect>" in used.marks
    assert "<reflect>" not in without.marks


def test_the_marks_of_calls_are_only_read_where_calls_are() -> None:
    finder = Formats()
    without, used = (find(finder, template=PLAIN, tools=tools) for tools in (False, True))
    assert without is not None
    assert used is not None
    assert without.format.calls is None
    assert used.format.calls is not None
    assert set(without.marks) < set(used.marks)


def test_a_response_schema_is_a_part_of_the_format() -> None:
    schema = '{"type": "object", "properties": {"content": {"x-regex": "^(.*?)<stop>"}}}'
    info = replace(INFO, chat_template=PLAIN, response_schema=schema)
    finder = Formats()
    stated = asyncio.run(finder.find(info, tools=True))
    plain = find(finder, template=PLAIN, tools=True)
    assert stated is not None
    assert plain is not None
    assert stated.format.response is not None
    assert "<stop>" in stated.marks
    assert plain.format.response is None


def test_it_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    real = formats.find_format

    def counting(template: formats.Template) -> Format:
        found.append(template.source)
        return real(template)

    monkeypatch.setattr(formats, "find_format", counting)

    async def at_once() -> None:
        finder = Formats()
        info = replace(INFO, chat_template=PLAIN)
        first = await asyncio.gather(*(finder.find(info, tools=i % 2 == 0) for i in range(6)))
        assert await finder.find(info, tools=True) is first[0]

    asyncio.run(at_once())
    assert found == [PLAIN]


def test_a_template_that_is_broken_harms_nobody_here() -> None:
    assert find(Formats(), template="{% if %}") is not None
