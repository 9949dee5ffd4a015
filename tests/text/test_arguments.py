"""A call's arguments are one object, however a client or a model wrote them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mullama.text.arguments import as_object, as_text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        (' {"a": 1}\n', {"a": 1}),
        ("", {}),
        ("  ", {}),
        ("{}", {}),
        ('"{\\"a\\": 1}"', {"a": 1}),  # encoded twice
        ('{"a": "one\ntwo"}', {"a": "one\ntwo"}),
        ('{"a": 1}}', {"a": 1}),
        ('{"a": "Par', {"a": "Par"}),
        ('{"a": [1, {"b": 2', {"a": [1, {"b": 2}]}),
        ('{"a": 1, "b', {"a": 1, "b": None}),
        ('{"a": 1, "b"', {"a": 1, "b": None}),
        ('{"a": 1, "b":', {"a": 1, "b": None}),
        ('{"a": 1,', {"a": 1}),
        ('{"a": 1, "b": tr', {"a": 1}),
        ('{"a": [1, 2, tr', {"a": [1, 2]}),
        ('{"a": "say \\"hi', {"a": 'say "hi'}),
        ('{"a": "C:\\\\", "b": "x', {"a": "C:\\", "b": "x"}),
        ("{", {}),
        ('{"a": "\\', {"arguments": '{"a": "\\'}),
        ("Paris", {"arguments": "Paris"}),
        ("{'a': 1}", {"arguments": "{'a': 1}"}),
        ("[1, 2]", {"arguments": "[1, 2]"}),
        ("null", {"arguments": "null"}),
        ('{"a": 1} and more', {"arguments": '{"a": 1} and more'}),
    ],
)
def test_arguments_become_an_object_and_nothing_is_lost(arguments: Any, expected: Any) -> None:
    assert as_object(arguments) == expected
    assert json.loads(as_text(arguments), strict=False) == expected


def test_text_that_is_an_object_stays_as_it_was_written() -> None:
    assert as_text('{"b":1,"a":2}') == '{"b":1,"a":2}'
    assert as_text({"ä": 1}) == '{"ä": 1}'


def test_half_a_surrogate_pair_is_no_text() -> None:
    """A model had written one, and no later request of its conversation could be tokenized."""
    assert as_object('{"\\ud83d": ["\\uDE00!", "\\ud83d\\ude00"]}') == {"�": ["�!", "😀"]}
    assert as_object('{"a": "\\\\ud83d"}') == {"a": "\\ud83d"}


def test_an_object_cut_anywhere_is_an_object() -> None:
    whole = json.dumps({"a": 'x"\\y', "b": [1, {"c": None}], "d": {"e": [True, "f,{"]}})
    for end in range(len(whole) + 1):
        assert isinstance(as_object(whole[:end]), dict)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '"' * 100_001, "{," * 50_000])
def test_hostile_text_is_text(text: str) -> None:
    assert as_object(text) == {"arguments": text}
