"""Events become exactly these chunks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from mullama.api.openai.chunks import ChatChunks, Chunks, TextChunks, stream_end
from mullama.api.openai.shape import FINGERPRINT, Head, Shape
from mullama.errors import MullamaError, Overloaded
from mullama.types import (
    Delta,
    Event,
    Failed,
    Finished,
    FinishReason,
    Progress,
    PromptScored,
    Started,
    Timings,
)
from tests.api.clients import chunks_of
from tests.api.fakes import scored

HEAD = Head("id-1", 1_700_000_000, "chat")
QUIET = Shape(timings=False)


def ended(index: int = 0, reason: FinishReason = FinishReason.STOP, n_cached: int = 0) -> Finished:
    return Finished(1, index, reason, None, 7, n_cached, 0, 0, 2, Timings(0.0, 0.5, 0.25))


def head(kind: str) -> dict[str, Any]:
    return {
        "id": "id-1",
        "object": kind,
        "created": 1_700_000_000,
        "model": "chat",
        "system_fingerprint": FINGERPRINT,
    }


def fed(chunks: Chunks, *events: Event) -> list[Any]:
    return chunks_of(b"".join(chunks.feed(event) for event in events).decode())


def choices(chunks: Sequence[Any]) -> list[Any]:
    """The only choice of each chunk."""
    assert all(len(chunk["choices"]) == 1 for chunk in chunks)
    return [chunk["choices"][0] for chunk in chunks]


# ------------------------------------------------------------------------------ chat


@pytest.mark.parametrize("kind", [ChatChunks, TextChunks])
def test_progress_is_a_chunk_without_text(kind: type[Chunks]) -> None:
    chunks = kind(HEAD, QUIET) if kind is ChatChunks else TextChunks(HEAD, QUIET, 0, "")
    (chunk,) = fed(chunks, Progress(1, 1000, 300, 500, 0.25))
    assert chunk["prompt_progress"] == {
        "total": 1000,
        "cache": 300,
        "processed": 500,
        "time_ms": 250.0,
    }
    assert not chunk["choices"][0].get("text")
    assert not chunk["choices"][0].get("delta")


def test_a_chat_is_a_role_then_contents_then_a_reason() -> None:
    chunks = fed(
        ChatChunks(HEAD, QUIET), Started(1, 7), Delta(1, 0, "Hi", 1), Delta(1, 0, "!", 1), ended()
    )
    nothing = {"logprobs": None, "finish_reason": None}
    assert [chunk | {"choices": []} for chunk in chunks] == [
        head("chat.completion.chunk") | {"choices": []}
    ] * 4
    assert choices(chunks) == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, **nothing},
        {"index": 0, "delta": {"content": "Hi"}, **nothing},
        {"index": 0, "delta": {"content": "!"}, **nothing},
        {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"},
    ]


def test_every_frame_is_one_line_whatever_the_text() -> None:
    text = 'a\n\nb\r"\\\u2028\x00\U0001f600'
    frames = ChatChunks(HEAD, QUIET).feed(Delta(1, 0, text, 1))
    assert frames.startswith(b"data: {")
    assert frames.endswith(b"}\n\n")
    assert b"\n" not in frames[:-2]
    assert b"\r" not in frames
    assert json.loads(frames[6:])["choices"][0]["delta"]["content"] == text


def test_a_name_with_quotes_stays_json() -> None:
    strange = Head('"', 1, 'a"b\\c/ö')
    chunks = fed(ChatChunks(strange, QUIET), Started(1, 7))
    assert chunks[0]["model"] == 'a"b\\c/ö'


def test_text_that_is_held_back_makes_no_chunk() -> None:
    assert ChatChunks(HEAD, QUIET).feed(Delta(1, 0, "", 1)) == b""


def test_several_answers_each_have_a_role_and_a_reason() -> None:
    chunks = fed(
        ChatChunks(HEAD, Shape(n=2, timings=False)),
        Started(1, 7),
        Delta(1, 1, "b", 1),
        Delta(1, 0, "a", 1),
        ended(1, FinishReason.LENGTH),
        ended(0),
    )
    assert [(one["index"], one["delta"]) for one in choices(chunks)] == [
        (0, {"role": "assistant", "content": ""}),
        (1, {"role": "assistant", "content": ""}),
        (1, {"content": "b"}),
        (0, {"content": "a"}),
        (1, {}),
        (0, {}),
    ]
    assert [one["finish_reason"] for one in choices(chunks)][-2:] == ["length", "stop"]


def test_usage_is_null_until_the_last_chunk_when_it_is_wanted() -> None:
    shape = Shape(timings=False, include_usage=True)
    chunks = ChatChunks(HEAD, shape)
    body = fed(chunks, Started(1, 7), Delta(1, 0, "Hi", 1), ended(n_cached=3))
    assert [chunk["usage"] for chunk in body] == [None, None, None]
    last, done = chunks_of(stream_end(HEAD, shape, [chunks]).decode())
    assert done == "[DONE]"
    assert last == head("chat.completion.chunk") | {
        "choices": [],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 2,
            "total_tokens": 9,
            "prompt_tokens_details": {
                "cached_tokens": 3,
                "restored_tokens": 0,
                "disk_tokens": 0,
            },
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


def test_no_usage_is_mentioned_when_it_is_not_wanted() -> None:
    chunks = ChatChunks(HEAD, QUIET)
    body = fed(chunks, Started(1, 7), Delta(1, 0, "Hi", 1), ended())
    assert not [chunk for chunk in body if "usage" in chunk]
    assert stream_end(HEAD, QUIET, [chunks]) == b"data: [DONE]\n\n"


def test_usage_counts_a_prompt_once_and_every_answer() -> None:
    shape = Shape(n=2, include_usage=True)
    one, other = ChatChunks(HEAD, shape), ChatChunks(HEAD, shape)
    fed(one, ended(0, n_cached=3), ended(1, n_cached=7))
    fed(other, ended(0), ended(1))
    last = chunks_of(stream_end(HEAD, shape, [one, other]).decode())[0]
    assert last["usage"]["prompt_tokens"] == 14
    assert last["usage"]["completion_tokens"] == 8
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 3


def test_timings_come_with_the_reason() -> None:
    chunks = fed(ChatChunks(HEAD, Shape()), Started(1, 7), ended(n_cached=3))
    assert "timings" not in chunks[0]
    assert chunks[1]["timings"] == {
        "cache_n": 3,
        "prompt_n": 4,
        "prompt_ms": 500.0,
        "prompt_per_second": 8.0,
        "predicted_n": 2,
        "predicted_ms": 250.0,
        "predicted_per_second": 8.0,
        "queued_ms": 0.0,
    }


def test_logprobs_of_a_chat_come_with_their_text() -> None:
    chunks = ChatChunks(HEAD, Shape(logprobs=True))
    score = scored("Hi", -0.5, ("Hi", -0.5), ("Ho", float("-inf")))
    (choice,) = choices(fed(chunks, Delta(1, 0, "Hi", 1, (), (score,))))
    assert choice["logprobs"] == {
        "content": [
            {
                "token": "Hi",
                "bytes": [72, 105],
                "logprob": -0.5,
                "top_logprobs": [
                    {"token": "Hi", "bytes": [72, 105], "logprob": -0.5},
                    {"token": "Ho", "bytes": [72, 111], "logprob": -9999.0},
                ],
            }
        ],
        "refusal": None,
    }


def test_scores_are_sent_even_while_their_text_is_held_back() -> None:
    chunks = ChatChunks(HEAD, Shape(logprobs=True))
    (choice,) = choices(fed(chunks, Delta(1, 0, "", 1, (), (scored("Hi", -0.5),))))
    assert choice["delta"] == {"content": ""}
    assert choice["logprobs"]["content"][0]["token"] == "Hi"


def test_token_ids_are_in_the_choice_and_the_prompts_in_the_first_chunk() -> None:
    chunks = fed(
        ChatChunks(HEAD, Shape(token_ids=True)), Started(1, 2, (5, 6)), Delta(1, 0, "Hi", 1, (9,))
    )
    assert chunks[0]["prompt_token_ids"] == [5, 6]
    assert "prompt_token_ids" not in chunks[1]
    assert choices(chunks)[1]["token_ids"] == [9]
    assert choices(chunks)[1]["logprobs"] is None


@pytest.mark.parametrize("kind", [ChatChunks, TextChunks])
def test_a_cancelled_answer_is_no_complete_one(kind: Any) -> None:
    chunks = kind(HEAD, QUIET) if kind is ChatChunks else kind(HEAD, QUIET, 0, "x")
    with pytest.raises(Overloaded, match="cancelled"):
        chunks.feed(ended(reason=FinishReason.CANCELLED))


def test_a_failure_is_raised_by_backends_and_never_fed() -> None:
    with pytest.raises(TypeError):
        ChatChunks(HEAD, QUIET).feed(Failed(1, MullamaError("no").info()))


# ------------------------------------------------------------------------------ completions


def test_a_completion_is_texts_and_a_reason() -> None:
    chunks = fed(
        TextChunks(HEAD, QUIET, 0, "Once"),
        Started(1, 7),
        Delta(1, 0, " upon", 1),
        ended(reason=FinishReason.LENGTH),
    )
    assert chunks[0] == head("text_completion") | {
        "choices": [{"index": 0, "text": " upon", "logprobs": None, "finish_reason": None}]
    }
    assert chunks[1] == head("text_completion") | {
        "choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": "length"}]
    }


def test_choices_of_later_prompts_are_numbered_on() -> None:
    chunks = TextChunks(HEAD, Shape(n=2), 4, "x")
    body = fed(chunks, Delta(1, 0, "a", 1), Delta(1, 1, "b", 1), ended(1))
    assert [one["index"] for one in choices(body)] == [4, 5, 5]


def test_an_echo_comes_first_in_every_answer() -> None:
    chunks = TextChunks(HEAD, Shape(n=2, echo=True), 0, "Once")
    body = fed(chunks, Started(1, 7), Delta(1, 0, " upon", 1))
    assert [(one["index"], one["text"]) for one in choices(body)] == [
        (0, "Once"),
        (1, "Once"),
        (0, " upon"),
    ]


def test_a_prompt_in_tokens_is_echoed_as_the_backend_spells_it() -> None:
    chunks = TextChunks(HEAD, Shape(echo=True), 0, None)
    assert choices(fed(chunks, Started(1, 2, (), "spelled")))[0]["text"] == "spelled"


def test_an_echo_with_logprobs_waits_for_the_prompts_scores() -> None:
    chunks = TextChunks(HEAD, Shape(echo=True, logprobs=True), 0, "Once upon")
    assert chunks.feed(Started(1, 3)) == b""
    scores = (None, scored(" upon", -1.5, ("!", -0.5)))
    first, second = choices(
        fed(
            chunks,
            PromptScored(1, scores),
            Delta(1, 0, " a", 1, (), (scored(" a", -0.25, (" a", -0.25)),)),
        )
    )
    assert first["text"] == "Once upon"
    assert first["logprobs"] == {
        "tokens": ["Once", " upon"],
        "token_logprobs": [None, -1.5],
        "top_logprobs": [None, {"!": -0.5, " upon": -1.5}],
        "text_offset": [0, 4],
    }
    assert second["text"] == " a"
    assert second["logprobs"]["text_offset"] == [9]
    assert second["logprobs"]["token_logprobs"] == [-0.25]


def test_token_ids_of_a_completion_are_in_its_choices() -> None:
    chunks = TextChunks(HEAD, Shape(token_ids=True), 0, "x")
    first, second = choices(fed(chunks, Started(1, 2, (5, 6)), Delta(1, 0, "a", 1, (9,))))
    assert first["prompt_token_ids"] == [5, 6]
    assert first["text"] == ""
    assert second["token_ids"] == [9]
