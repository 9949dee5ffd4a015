"""Cold start: from a server's process to the first token that a client has.

The client asks as soon as the server listens, and again while it says that it is loading. The
model's file is as the system has it, most likely in memory: what is cold is the server.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks import memory
from benchmarks.answers import Answer, read_answer
from benchmarks.client import Client, run_async
from benchmarks.figures import Outcome
from benchmarks.servers import Command, Server, ServerFailed, running
from benchmarks.traffic import Load

NAME = "coldstart"
_ASK_AGAIN = 0.005  # seconds
_LATER = (0, 503)  # not listening, or loading


def measure(command: Command, model: Path, n_ctx: int, load: Load, patience: float) -> Outcome:
    """Start a server for one token, and stop it. Raises ServerFailed."""
    prompt = load.prompts(NAME)(16)
    with running(command, model, n_ctx) as server:
        answer = run_async(_first_answer(server, prompt, patience))
        seconds = answer.times[0] - server.spawned
        return Outcome({"first_token_s": seconds, **memory.figures(server.pid)})


async def _first_answer(server: Server, prompt: list[int], patience: float) -> Answer:
    client = Client(server.address, timeout=patience)
    deadline = time.monotonic() + patience
    while True:
        answer = read_answer(await client.complete(prompt, 1))
        if answer.error is None:
            return answer
        server.check_alive()
        if answer.status not in _LATER or time.monotonic() > deadline:
            raise ServerFailed(f"{server.name} gives no first token: {answer.error}")
        await asyncio.sleep(_ASK_AGAIN)
