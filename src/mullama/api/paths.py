"""Paths as wrong base URLs make them lead where they were meant to.

A client puts its endpoint behind a base_url that somebody typed: without /v1, with it twice (a
proxy adds its own), with a slash at the end. What no route knows is looked up without these; so a
path that a route does know never changes its meaning, and costs nothing.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from mullama.api.openapi import App


def forgive_paths(app: App) -> None:
    """Has requests that no route of the application takes go to the one that was meant."""
    app.router.default = _Forgiving(app.router.routes, app.router, app.router.default)


class _Forgiving:
    """What a router does with paths that it does not know."""

    def __init__(self, routes: list[BaseRoute], router: ASGIApp, otherwise: ASGIApp) -> None:
        self._routes = routes
        self._router = router
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for path in _meant(scope["path"]):
                changed = {**scope, "path": path, "raw_path": path.encode()}
                if any(route.matches(changed)[0] is not Match.NONE for route in self._routes):
                    await self._router(changed, receive, send)
                    return
        await self._otherwise(scope, receive, send)


def _meant(path: str) -> list[str]:
    """Where a path may have been meant to lead, if it is another one."""
    steps = [step for step in path.split("/") if step]
    while steps[:1] == ["v1"]:
        del steps[0]
    rest = "/" + "/".join(steps)
    return [one for one in ("/v1" + rest, rest) if steps and one != path]
