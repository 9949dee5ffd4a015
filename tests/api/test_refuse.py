"""What would change an answer and can't be done is refused by name; hints and nothings pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mullama.api.errors import UNSUPPORTED
from mullama.api.openai.refuse import refuse_unsupported
from mullama.api.openai.schema import ChatBody
from mullama.errors import InvalidRequest


def body(**fields: Any) -> ChatBody:
    return ChatBody.model_validate_json(json.dumps({"messages": [], **fields}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "x"}),
        ("moderation", {"model": "x"}),
        ("web_search_options", {}),
        ("lora", [{"id": 0, "scale": 1}]),
        ("samplers", ["top_k"]),
        ("n_probs", 5),
        ("bad_words", ["x"]),
        ("chat_template", "{{ messages }}"),
        ("use_beam_search", True),
        ("max_output_tokens", 20),
        ("max_new_tokens", 20),
        ("echo", True),
        ("best_of", 3),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        refuse_unsupported(body(**{name: value}))
    assert caught.value.param == name
    assert caught.value.code == UNSUPPORTED
    assert name in caught.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "text"}},
        {"modalities": ["text"]},
        {"lora": []},
        {"use_beam_search": False},
        {"echo": False, "best_of": 1},
        {"guided_json": None},
    ],
)
def test_what_asks_for_nothing_is_accepted(fields: dict[str, Any]) -> None:
    refuse_unsupported(body(**fields))


def test_hints_are_accepted() -> None:
    hints = {
        "user": "me",
        "metadata": {"a": "b"},
        "store": True,
        "service_tier": "auto",
        "safety_identifier": "x",
        "prediction": {"type": "content", "content": "x"},
        "prompt_cache_key": "x",
        "prompt_cache_options": {"mode": "implicit"},
        "prompt_cache_retention": "24h",
        "parallel_tool_calls": True,
        "keep_alive": "5m",
        "ttl": 60,
        "priority": 1,
        "return_progress": True,
        "timings_per_token": True,
        "stream_options": {"include_obfuscation": False},
    }
    hinted = body(**hints)
    refuse_unsupported(hinted)
    assert not hinted.model_extra
