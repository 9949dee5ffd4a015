"""Soak: many short requests, in tenths, and after each tenth a look at what the server holds.

Nothing runs while it is looked at, so memory that only grows, a lane or a cell that nobody owns
any more, shows. What a server makes once, when it is first used, falls into a tenth of the
requests sent before the first look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import msgspec

from benchmarks import memory
from benchmarks.answers import read_answer, read_reply
from benchmarks.client import Client, Recording, run_async
from benchmarks.figures import failures
from benchmarks.memory import Memory
from benchmarks.report import Document, align
from benchmarks.rounds import Tell, Unusable
from benchmarks.traffic import Load, at_most

N_LOOKS = 10
N_PROMPT = 16
N_OUT = 4
SETTLE = 0.5  # seconds of rest before a look
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Look:
    """What the server holds after so many requests, sent in so many seconds.

    `counters` are the engine's, if it tells them.
    """

    n_requests: int
    n_failed: int
    seconds: float
    memory: Memory
    counters: dict[str, float]


class _Model(msgspec.Struct):
    is_default: bool = True
    stats: dict[str, float] = {}


class _Status(msgspec.Struct):
    models: list[_Model] = []


def look_on(
    client: Client, pid: int, load: Load, n_requests: int, n_clients: int, limit: float, tell: Tell
) -> Iterator[Look]:
    """A look before and after each tenth of the requests.

    Ends early after `limit` seconds of sending, without the tenth that was not complete. Raises
    Unusable when every request of a tenth failed.
    """
    draw = load.prompts("soak")
    n_each = -(-n_requests // N_LOOKS)
    seconds, n_failed = 0.0, 0
    for tenth in range(N_LOOKS + 1):  # number 0 is before the first look
        requests = [partial(client.complete, draw(N_PROMPT), N_OUT) for _ in range(n_each)]
        begin = time.perf_counter()
        recordings = _within(limit - seconds, at_most(n_clients, requests))
        if recordings is None:
            tell(f"{limit:g} s are over")
            return
        seconds += time.perf_counter() - begin
        n_failed += _n_failed(recordings, tell)
        tell(f"{(tenth + 1) * n_each} requests, {seconds:.0f} s")
        time.sleep(SETTLE)
        yield Look(tenth * n_each, n_failed, seconds, memory.of_tree(pid), counters(client))


def _within(seconds: float, work: Coroutine[Any, Any, list[Recording]]) -> list[Recording] | None:
    """What `work` returns; None if it takes longer."""
    try:
        return run_async(asyncio.wait_for(work, seconds))
    except TimeoutError:
        return None


def _n_failed(recordings: list[Recording], tell: Tell) -> int:
    """How many failed. Raises Unusable when all did."""
    errors = [error for one in recordings if (error := read_answer(one).error) is not None]
    if errors:
        tell(failures(errors, len(recordings)))
    if len(errors) == len(recordings):
        raise Unusable(failures(errors, len(recordings)))
    return len(errors)


def counters(client: Client) -> dict[str, float]:
    """The counters of the default model's engine at /status; empty where there are none."""
    reply = read_reply(run_async(client.get("/status")))
    if reply.error is not None:
        return {}
    try:
        models = msgspec.json.decode(reply.body, type=_Status).models
    except msgspec.MsgspecError:  # somebody else's /status
        return {}
    return next((model.stats for model in models if model.is_default), {})


# --------------------------------------------------------------------------------- the report

_HELD = ("n_waiting", "n_running", "n_lanes_free", "n_cells_free", "n_cells_cached")


def document(looks: list[Look], facts: Document) -> Document:
    first, last = looks[0], looks[-1]
    return {
        **facts,
        "n_requests": last.n_requests,
        "n_failed": last.n_failed,
        "growth_mb": _growth(first, last),
        "counters": {"before": first.counters, "after": last.counters},
        "looks": [_flat(look) for look in looks],
    }


def _growth(first: Look, last: Look) -> dict[str, float]:
    before, after = asdict(first.memory), asdict(last.memory)
    return {name: (after[name] - before[name]) / _MB for name in before}


def _flat(look: Look) -> dict[str, Any]:
    return {
        "n_requests": look.n_requests,
        "n_failed": look.n_failed,
        "seconds": look.seconds,
        **asdict(look.memory),
        "counters": look.counters,
    }


def card(looks: list[Look]) -> str:
    """What was there at each look, and how much it grew."""
    first, last = looks[0], looks[-1]
    held = [name for name in _HELD if name in first.counters]
    rows = [["requests", "failed", "RSS, MB", "PSS, MB", "not of files, MB", *held]]
    rows += [_cells(look, held) for look in looks]
    growth = ", ".join(f"{name} {mb:+.1f} MB" for name, mb in _growth(first, last).items())
    per_second = last.n_requests / max(1e-9, last.seconds - first.seconds)
    lines = [*align(rows), "", f"Growth: {growth}. {per_second:.0f} requests/s."]
    if not first.counters:
        lines.append("! The server tells no counters at /status.")
    return "\n".join([*lines, *_counter_lines(first.counters, last.counters)])


def _cells(look: Look, held: list[str]) -> list[str]:
    sizes = (look.memory.rss, look.memory.pss, look.memory.anonymous)
    return [
        f"{look.n_requests}",
        f"{look.n_failed}",
        *(f"{size / _MB:.1f}" for size in sizes),
        *(f"{look.counters[name]:g}" if name in look.counters else "–" for name in held),
    ]


def _counter_lines(before: dict[str, float], after: dict[str, float]) -> list[str]:
    """The counters that changed, from and to."""
    return [
        f"  {name}: {before.get(name, 0):,.10g} → {value:,.10g}"
        for name, value in after.items()
        if value != before.get(name, 0)
    ]
