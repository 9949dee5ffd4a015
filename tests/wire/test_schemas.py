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
MAX_TOKENS = 100
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


def cases() -> list[Case]:
    """Real tools' schemas streamed and whole, the others in turns."""
    real = [Case(schema, stream, 1) for schema in REAL_TOOLS for stream in (False, True)]
    others = enumerate(generated(N_GENERATED))
    return real + [Case(schema, bool(seed % 2), seed) for seed, schema in others]


def test_answers_satisfy_their_schemas_or_are_refused_with_the_path(
    live_server: LiveServer,
) -> None:
    asked = cases()
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
    assert counts["stop"] > 0.6 * len(asked)
    assert counts["refused"] < 0.15 * len(asked)


async def _ask_all(server: LiveServer, asked: list[Case]) -> list[Outcome]:
    turns = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:

        async def ask(case: Case) -> Outcome:
            async with turns:
                return await _ask(client, case, server.chat)

        return await asyncio.gather(*map(ask, asked))


async def _ask(client: httpx.AsyncClient, case: Case, model: str) -> Outcome:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Give me an example as JSON."}],
        "temperature": 0.8 * (case.seed % 3),
        "seed": case.seed,
        "max_tokens": MAX_TOKENS,
        "stream": case.stream,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "given", "schema": case.schema, "strict": True},
        },
    }
    answer = await client.post("/v1/chat/completions", json=body)
    if answer.status_code != 200:
        error = answer.json()["error"]
        return Outcome(answer.status_code, error["message"], param=error["param"])
    if not case.stream:
        choice = answer.json()["choices"][0]
        return Outcome(200, choice["message"]["content"], choice["finish_reason"])
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    choices = [json.loads(line)["choices"][0] for line in lines]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return Outcome(200, text, choices[-1]["finish_reason"])
