"""Three hundred schemas on a live server: an answer satisfies its schema, or the path is refused.

Some are of real tools and some generated, each nastier than the one before. They are asked for side
by side, streamed and whole. The tiny model understands none of them: all that is right in an answer
is the constraint's doing. It may write for ever where a schema lets it; `max_tokens` cuts such an
answer, and most must be complete.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx

from tests.text.constraint.schemas import TOOLS, generated
from tests.text.constraint.test_walks import valid
from tests.wire.agent_tools import PARAMETERS
from tests.wire.conftest import REAL, LiveServer

pytestmark = REAL

REAL_TOOLS = [*TOOLS.values(), *PARAMETERS.values()]
N_GENERATED = 300 - len(REAL_TOOLS)
AT_ONCE = 16
MAX_TOKENS = 64
LONGEST = 6_000  # characters of a schema that fits the prompt
REFUSAL = re.compile(
    r"The schema's '.+' at \$.* can't be enforced|Nothing finite satisfies the schema at \$"
)


@dataclass(frozen=True)
class Case:
    schema: Any
    stream: bool
    seed: int


@dataclass(frozen=True)
class Outcome:
    status: int
    text: str  # of the answer, or of the refusal
    reason: str = ""
    param: str = ""
    loosened: str = ""


def real_tools() -> list[Case]:
    """Each streamed and whole."""
    return [Case(schema, stream, 1) for schema in REAL_TOOLS for stream in (False, True)]


def all_schemas() -> list[Case]:
    """Real tools' schemas, and generated ones, which are streamed or whole in turns."""
    others = enumerate(generated(N_GENERATED))
    return real_tools() + [Case(schema, bool(seed % 2), seed) for seed, schema in others]


def test_answers_satisfy_their_schemas_or_are_refused_with_the_path(
    live_server: LiveServer,
) -> None:
    asked = all_schemas()
    counts: Counter[str] = Counter()
    for case, outcome in zip(asked, asyncio.run(_ask_all(live_server, asked)), strict=True):
        if outcome.status == 400:
            counts["refused"] += 1
            assert REFUSAL.search(outcome.text), outcome.text
            assert outcome.param == "response_format"
            continue
        assert outcome.status == 200, (case, outcome)
        counts[outcome.reason] += 1
        if outcome.reason == "stop":
            assert valid(outcome.text, case.schema), (case, outcome)
    assert counts.keys() == {"refused", "stop", "length"}
    assert counts["stop"] > 0.55 * len(asked)
    assert counts["refused"] < 0.15 * len(asked)


def test_arguments_of_named_calls_satisfy_their_schemas(live_server: LiveServer) -> None:
    """What is not enforced of a schema is listed in a header, since none of them is strict."""
    asked = [
        case
        for case in real_tools()
        if case.schema.get("type") == "object" and len(json.dumps(case.schema)) < LONGEST
    ]
    counts: Counter[str] = Counter()
    outcomes = asyncio.run(_ask_all(live_server, asked, as_arguments=True))
    for case, outcome in zip(asked, outcomes, strict=True):
        assert outcome.status == 200, (case, outcome)
        counts[outcome.reason] += 1
        if outcome.reason == "tool_calls":
            assert json.loads(outcome.text) is not None
            if not outcome.loosened:
                assert valid(outcome.text, case.schema), (case, outcome)
    assert counts.keys() == {"tool_calls", "length"}
    assert counts["tool_calls"] > 0.6 * len(asked)


async def _ask_all(
    server: LiveServer, asked: list[Case], *, as_arguments: bool = False
) -> list[Outcome]:
    turns = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:

        async def ask(case: Case) -> Outcome:
            body = _body(case, server.chat) | (_call if as_arguments else _answer)(case.schema)
            async with turns:
                return _read(await client.post("/v1/chat/completions", json=body), case.stream)

        return await asyncio.gather(*map(ask, asked))


def _body(case: Case, model: str) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": "Give me an example as JSON."}],
        "temperature": 0.8 * (case.seed % 3),
        "seed": case.seed,
        "max_tokens": MAX_TOKENS,
        "stream": case.stream,
    }


def _answer(schema: Any) -> dict[str, Any]:
    named = {"name": "given", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _call(schema: Any) -> dict[str, Any]:
    return {
        "tools": [{"type": "function", "function": {"name": "record", "parameters": schema}}],
        "tool_choice": {"type": "function", "function": {"name": "record"}},
        "parallel_tool_calls": False,
    }


def _read(response: httpx.Response, stream: bool) -> Outcome:
    if response.status_code != 200:
        error = response.json()["error"]
        return Outcome(response.status_code, error["message"], param=error["param"])
    if stream:
        lines = [line[6:] for line in response.text.split("\n\n") if line.startswith("data: ")]
        assert lines.pop() == "[DONE]"
        choices = [json.loads(line)["choices"][0] for line in lines]
        said = [choice["delta"] for choice in choices]
    else:
        choices = response.json()["choices"]
        said = [choices[0]["message"]]
    calls = [call for part in said for call in part.get("tool_calls") or ()]
    return Outcome(
        200,
        "".join(part.get("content") or "" for part in said)
        + "".join(call["function"].get("arguments", "") for call in calls),
        choices[-1]["finish_reason"],
        loosened=response.headers.get("x-mullama-warning", ""),
    )
