"""Several generators as one, and all of them closed whatever happens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing


async def merged(
    sources: Sequence[AsyncGenerator[bytes, None]], n_at_once: int
) -> AsyncGenerator[bytes, None]:
    """The items of all sources as they come; at most `n_at_once` sources are at work at a time.

    The sources that begin together have their first items out before any is passed on, so that
    what goes wrong at the start is raised before the first item. An error ends all sources.
    """
    if len(sources) == 1:
        async with aclosing(sources[0]) as only:
            async for item in only:
                yield item
        return
    waiting = deque(sources)
    pulling: dict[asyncio.Task[bytes | None], AsyncGenerator[bytes, None]] = {}
    until = asyncio.FIRST_EXCEPTION  # or all are done
    try:
        while waiting or pulling:
            while waiting and len(pulling) < n_at_once:
                _pull(waiting.popleft(), pulling)
            done, _ = await asyncio.wait(pulling, return_when=until)
            until = asyncio.FIRST_COMPLETED
            ready = [task for task in pulling if task in done]  # in the order they began
            for source, pulled in [(pulling.pop(task), task.result()) for task in ready]:
                if pulled is not None:
                    _pull(source, pulling)
                    yield pulled
    finally:
        await _end(pulling)
        for source in sources:
            await source.aclose()


def _pull(
    source: AsyncGenerator[bytes, None],
    pulling: dict[asyncio.Task[bytes | None], AsyncGenerator[bytes, None]],
) -> None:
    async def next_item() -> bytes | None:
        return await anext(source, None)

    pulling[asyncio.create_task(next_item())] = source


async def _end(pulling: dict[asyncio.Task[bytes | None], AsyncGenerator[bytes, None]]) -> None:
    for task in pulling:
        task.cancel()
    await asyncio.gather(*pulling, return_exceptions=True)
