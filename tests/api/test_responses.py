"""Work that ends with its client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mullama.api.responses import ClientGone, connected
from tests.api.clients import CHAT, EMBED, HI, TEXT, exchange
from tests.api.fakes import FakeBackend

pytestmark = pytest.mark.anyio


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def at_once() -> dict[str, Any]:
    return {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"messages": HI}),
        (TEXT, {"prompt": ["a", "b"], "n": 2}),
        (EMBED, {"input": "a"}),
        ("/v1/rerank", {"model": "rank", "query": "q", "documents": ["a"]}),
        ("/tokenize", {"content": "a"}),
        ("/detokenize", {"tokens": [1]}),
        ("/apply-template", {"messages": HI}),
    ],
)
async def test_a_client_that_leaves_cancels_a_whole_answer(path: str, body: Any) -> None:
    backend = FakeBackend(hold_at=0)
    async with exchange(backend, path, body) as one:
        await backend.held.wait()
        one.leave()
    assert backend.n_open == 0
    assert backend.n_cancelled >= 1
    assert one.sent == []


async def test_work_that_ends_first_is_left_alone() -> None:
    async with connected(never):
        await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_client_that_left_is_not_a_cancelled_task() -> None:
    with pytest.raises(ClientGone):
        async with connected(at_once):
            await asyncio.Event().wait()
    await asyncio.sleep(0)  # would raise if the task were still being cancelled


async def test_a_cancelled_task_is_not_a_client_that_left() -> None:
    async def work() -> None:
        async with connected(never):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with connected(never):
            raise ZeroDivisionError


async def test_other_messages_of_the_server_are_no_disconnect() -> None:
    messages = iter([{"type": "http.request"}, {"type": "http.request"}])

    async def receive() -> dict[str, Any]:
        return next(messages, None) or await never()

    async with connected(receive):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
