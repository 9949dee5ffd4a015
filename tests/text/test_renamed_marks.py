"""Formats are found by what a template writes, not by its words: all marks have new names here."""

from __future__ import annotations

from functools import cache

import pytest

from mullama.text.formats import find_format
from mullama.text.syntax import Format
from mullama.text.template import ChatTemplate
from tests.text.chat_cases import CASES, Case, expected, read, source

NEW_NAMES = {
    "<tool_call>": "<|my_call|>",
    "</tool_call>": "<|my_call_over|>",
    "<think>": "<ponder>",
    "</think>": "</ponder>",
    "<seed:think>": "<seed:ponder>",
    "</seed:think>": "</seed:ponder>",
    "[THINK]": "[PONDER]",
    "[/THINK]": "[/PONDER]",
    "[TOOL_CALLS]": "[USE]",
    "[ARGS]": "[WITH]",
    "[CALL_ID]": "[NUMBER]",
    "tool▁call": "werk▁ruf",
    "<function=": "<call:",
    "</function>": "</call>",
    "<parameter=": "<param:",
    "</parameter>": "</param>",
    "arg_key": "k",
    "arg_value": "v",
    "｜DSML｜": "｜XYZ｜",
    "<|tools_prefix|>": "<|tp|>",
    "<|tools_suffix|>": "<|ts|>",
    "<seed:tool_call>": "<sd>",
    "</seed:tool_call>": "</sd>",
    "_THINKING|>": "_MUSING|>",
    "_ACTION|>": "_DEED|>",
    "_RESPONSE|>": "_REPLY|>",
    "<|tool_call>call:": "<|deed>do ",
    "<tool_call|>": "<deed|>",
    '<|"|>': "<|Q|>",
    "<|channel>thought": "<|musing>m",
    "<channel|>": "<musing|>",
    "[BEGIN FINAL RESPONSE]": "[NOW THE ANSWER]",
    "<tool_calls>": "<deeds>",
    "</tool_calls>": "</deeds>",
    "tool_call_start": "tcs",
    "tool_call_end": "tce",
}
# Templates that do not write calls as their model does, or whose format has its own parser.
NOT_BY_PROBING = (
    "LFM2-8B", "gpt-oss", "Kimi", "functionary-medium-v3.2", "granite-3.3", "command-r-plus",
    "MiniMax-M3",
)  # fmt: skip

FOUND_BY_PROBING = [
    case for case in CASES if not any(name in case["template"] for name in NOT_BY_PROBING)
]


def renamed(text: str) -> str:
    for old, new in NEW_NAMES.items():
        text = text.replace(old, new)
    return text


@cache
def format_of(template: str) -> Format:
    return find_format(ChatTemplate(renamed(source(template)), bos="", eos=""))


@pytest.mark.parametrize("case", FOUND_BY_PROBING, ids=[case["id"] for case in FOUND_BY_PROBING])
def test_marks_of_any_spelling_are_found(case: Case) -> None:
    said = case["expected"]
    wanted = case | {
        "expected": said | {key: renamed(said[key]) for key in ("content", "reasoning_content")}
    }
    opened = renamed(case["engine"]["generation_prompt"])
    result = read(case, format_of(case["template"]), list(renamed(case["raw"])), opened)
    assert result == expected(wanted)


@pytest.mark.skipif(not CASES, reason="shared test data 'chat_cases.json' is missing")
def test_most_cases_have_marks_to_rename() -> None:
    assert sum(renamed(case["raw"]) != case["raw"] for case in FOUND_BY_PROBING) > 50
