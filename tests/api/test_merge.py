"""Several generators as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from mullama.api.merge import merged

pytestmark = pytest.mark.anyio


class Source:
    """A generator of numbered items that says whether it runs."""

    running: int = 0

    def __init__(self, name: str, n: int, fail_at: int | None = None) -> None:
        self.name, self.n, self.fail_at = name, n, fail_at
        self.closed = False

    async def items(self) -> AsyncGenerator[bytes, None]:
        Source.running += 1
        try:
            for i in range(self.n):
                await asyncio.sleep(0)
                if i == self.fail_at:
                    raise ValueError(self.name)
                yield f"{self.name}{i}".encode()
        finally:
            Source.running -= 1
            self.closed = True


@pytest.fixture(autouse=True)
def _nothing_runs_on() -> None:
    Source.running = 0


async def test_all_items_come_each_sources_in_order() -> None:
    sources = [Source(name, 3) for name in "abc"]
    items = [item async for item in merged([one.items() for one in sources], 8)]
    assert sorted(items) == [b"a0", b"a1", b"a2", b"b0", b"b1", b"b2", b"c0", b"c1", b"c2"]
    for name in (b"a", b"b", b"c"):
        own = [item for item in items if item[:1] == name]
        assert own == sorted(own)
    assert Source.running == 0


async def test_one_source_passes_through() -> None:
    assert [item async for item in merged([Source("a", 2).items()], 8)] == [b"a0", b"a1"]


@pytest.mark.parametrize("n_at_once", [1, 2, 3])
async def test_no_more_run_at_once_than_may(n_at_once: int) -> None:
    seen = []
    async for _ in merged([Source(name, 2).items() for name in "abcdef"], n_at_once):
        seen.append(Source.running)
    assert len(seen) == 12
    assert max(seen) == n_at_once


async def test_an_early_error_comes_before_any_item() -> None:
    sources = [Source("a", 3), Source("b", 3, fail_at=0), Source("c", 3)]
    with pytest.raises(ValueError, match="b"):
        await anext(merged([one.items() for one in sources], 8))
    assert Source.running == 0


async def test_a_late_error_ends_all() -> None:
    sources = [Source("a", 100), Source("b", 3, fail_at=2)]
    with pytest.raises(ValueError, match="b"):
        async for _ in merged([one.items() for one in sources], 8):
            pass
    assert Source.running == 0


@pytest.mark.parametrize("names", ["a", "abc"])
async def test_closing_it_closes_all(names: str) -> None:
    sources = [Source(name, 5) for name in names]
    both = merged([one.items() for one in sources], 8)
    await anext(both)
    await both.aclose()
    assert all(one.closed for one in sources)
