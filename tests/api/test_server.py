"""The order in which a server starts."""

from __future__ import annotations

import asyncio
import sys
from threading import Event
from types import ModuleType

import pytest

from mullama.api import server
from mullama.config import ServerOptions
from mullama.types import Backend

PATIENCE = 10.0


class Imported(Exception):
    """Ends the start."""


def test_workers_are_told_what_to_load_while_the_api_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Event()

    class Host:
        def __init__(self, *_: object) -> None:
            pass

        async def start(self) -> None:
            self._worker = asyncio.create_task(self._tell())

        async def _tell(self) -> None:
            await asyncio.sleep(0)  # as it takes to connect
            told.set()

        async def stop(self, timeout: float) -> None:
            await self._worker

    class Slow(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise Imported(told.wait(PATIENCE))

    async def watch(backend: Backend) -> None:
        """Nothing to be seen."""

    monkeypatch.setattr(server, "Host", Host)
    monkeypatch.setitem(sys.modules, "mullama.api.app", Slow("mullama.api.app"))
    with pytest.raises(Imported) as imported:
        server.run({}, ServerOptions(), [], watch)
    assert imported.value.args == (True,)
