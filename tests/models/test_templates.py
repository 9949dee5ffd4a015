"""A template of the owner's takes the place of the file's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mullama.errors import InvalidRequest
from mullama.models.gguf import read_info
from mullama.models.templates import with_response_schema, with_template
from mullama.types import ModelInfo
from tests.gguf_models import write_model


@pytest.fixture
def info(tmp_path: Path) -> ModelInfo:
    templates = {"tokenizer.chat_template": "own", "tokenizer.chat_template.tool_use": "tools"}
    return read_info(write_model(tmp_path / "m.gguf", metadata=templates))


def test_a_file_may_have_a_template_for_tools(info: ModelInfo) -> None:
    assert (info.chat_template, info.tool_template) == ("own", "tools")


def test_a_template_for_tools_alone_is_the_template(tmp_path: Path) -> None:
    metadata = {"tokenizer.chat_template.tool_use": "tools"}
    info = read_info(write_model(tmp_path / "m.gguf", metadata=metadata))
    assert info.chat_template == "tools"


def test_without_another_template_nothing_changes(info: ModelInfo) -> None:
    assert with_template(info, "") is info
    assert with_template(info, ()) is info


def test_a_given_template_replaces_both(info: ModelInfo) -> None:
    expected = replace(info, chat_template="{{ given }}", tool_template=None)
    assert with_template(info, "{{ given }}") == expected
    assert with_template(info, ("{{ gi", "ven }}")) == expected


def test_templates_with_names_are_taken_as_tokenizers_keep_them(info: ModelInfo) -> None:
    named = [{"name": "default", "template": "A"}, {"name": "tool_use", "template": "B"}]
    both = replace(info, chat_template="A", tool_template="B")
    only = replace(info, chat_template="B", tool_template=None)
    assert with_template(info, json.dumps(named)) == both
    assert with_template(info, json.dumps({"chat_template": named, "bos_token": "<s>"})) == both
    assert with_template(info, json.dumps(named[1:])) == only
    assert with_template(info, json.dumps({"chat_template": "B"})) == only
    other = with_template(info, '[{"name": "rag", "template": "C"}]')
    assert (other.chat_template, other.tool_template) == ("C", None)
    for text in ("[1]", "{}", '{"a": 1}', '"x"', "7"):  # which Jinja prints as they are
        assert with_template(info, text).chat_template == text


def test_a_template_may_be_in_a_file(info: ModelInfo, tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{{ ä }}", encoding="utf-8")
    assert with_template(info, f"@{tmp_path}/t.jinja").chat_template == "{{ ä }}"


def test_a_file_that_can_t_be_read_is_named(info: ModelInfo, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    for name in ("missing", "binary"):
        with pytest.raises(InvalidRequest, match=name) as caught:
            with_template(info, f"@{tmp_path}/{name}")
        assert caught.value.param == "chat_template"


def test_a_response_schema_is_given_in_the_same_ways(info: ModelInfo, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"a": 1}')
    assert with_response_schema(info, "") is info
    assert with_response_schema(info, "{}").response_schema == "{}"
    assert with_response_schema(info, f"@{tmp_path}/s.json").response_schema == '{"a": 1}'
    with pytest.raises(InvalidRequest, match="missing") as caught:
        with_response_schema(info, f"@{tmp_path}/missing")
    assert caught.value.param == "response_schema"
