"""The server process: binds, starts the workers, listens, and ends in order.

What matters is the order. The socket is bound first, so that a taken port is said before any
work; the workers start second, so that models load while FastAPI is being imported; connections
that come in the meantime wait in the socket's backlog. A first SIGINT or SIGTERM stops accepting,
and running answers finish, up to a limit; a second one ends them at once. Either way the workers
end before this process does.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mullama.config import ServedModel, ServerOptions
from mullama.host.host import Host
from mullama.types import Backend

if TYPE_CHECKING:
    from fastapi import FastAPI

    from mullama.api.connection import Listener

logger = logging.getLogger(__name__)

Watch = Callable[[Backend], Coroutine[Any, Any, None]]

# Seconds that the last bytes of answers get to reach slow readers.
_FLUSH = 2.0
_FLUSH_AT_ONCE = 0.2
_MAX_FILES = 65536


def run(
    models: Mapping[str, ServedModel],
    options: ServerOptions,
    sockets: Sequence[socket.socket],
    watch: Watch,
) -> None:
    """Serves until a signal ends it. `watch` runs beside it; an error that it raises ends it too.

    Raises MullamaError where the models can't be served, or what `watch` raised.
    """
    _allow_many_files()
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(models, options, sockets, watch))


def _new_loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


def _allow_many_files() -> None:
    """Every connection is an open file, and the usual soft limit is 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class Signals:
    """SIGINT and SIGTERM, as two events: the first one, and the next."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._count)

    def _count(self) -> None:
        (self.second if self.first.is_set() else self.first).set()


async def _serve(
    models: Mapping[str, ServedModel],
    options: ServerOptions,
    sockets: Sequence[socket.socket],
    watch: Watch,
) -> None:
    signals = Signals()
    host = Host(models, options)
    try:
        await host.start()
        create_app, listener_of = await asyncio.to_thread(_face)
        app = create_app(host, options)
        gc.freeze()  # what is there now stays; no collection need look at it with every request
        listener = listener_of(app, client_timeout=options.client_timeout)
        await listener.open(sockets)
        try:
            await _race(watch(host), signals.first)
            await signals.first.wait()
        finally:
            app.state.closing = True
            listener.close()
            _say_what_is_left(host, options)
            await _race(host.stop(options.shutdown_timeout), signals.second)
            await host.stop(0)
            await listener.drain(_FLUSH_AT_ONCE if signals.second.is_set() else _FLUSH)
    finally:
        await host.stop(0)


def _face() -> tuple[Callable[..., FastAPI], type[Listener]]:
    """What answers clients. It takes half a second to import: do it in a thread, while the workers
    are told what to load, and load it."""
    from mullama.api.app import create_app
    from mullama.api.connection import Listener

    return create_app, Listener


def _say_what_is_left(host: Host, options: ServerOptions) -> None:
    n_active = sum(model.n_active for model in host.models())
    if n_active:
        logger.info(
            "stopping: %s may finish within %g s; a second signal ends %s",
            "1 request" if n_active == 1 else f"{n_active} requests",
            options.shutdown_timeout,
            "it" if n_active == 1 else "them",
        )


async def _race(work: Coroutine[Any, Any, None], event: asyncio.Event) -> None:
    """Awaits `work`, but no longer than until `event`; raises what `work` raises."""
    working = asyncio.create_task(work)
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if working.done():
        working.result()
    else:
        working.cancel()
