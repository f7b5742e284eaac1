"""The web app, put beneath the API where it is installed."""

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from moodwalk.server.settings import ServerSettings

__all__ = ["can_mount", "mount_web_app"]

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def can_mount(settings: ServerSettings) -> bool:
    """Return whether the web app is wanted and can run: its sessions live in one process."""
    if not settings.web or settings.workers > 1:
        return False
    return find_spec("gradio") is not None and find_spec("moodwalk.web") is not None


def mount_web_app(app: FastAPI, settings: ServerSettings, routers: Sequence[APIRouter]) -> None:
    """Serve the web app at ``/``, behind the same guards as the API.

    Parameters
    ----------
    app
        Its own routes go before the web app's.
    settings
        How it is run.
    routers
        Of the API, to say which methods its addresses know.
    """
    app.router.routes.append(_make_refusal(routers))
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if settings.run_folder is not None:  # what is uploaded there goes with the server, too
        os.environ["GRADIO_TEMP_DIR"] = str(settings.run_folder / "web")
    gradio: Any = import_module("gradio")
    web: Any = import_module("moodwalk.web")
    gradio.mount_gradio_app(
        app,
        web.make_web_app(),
        path="/",
        show_error=False,
        max_file_size=settings.limits.upload_bytes,
        ssr_mode=False,
        enable_monitoring=False,
    )


def _make_refusal(routers: Sequence[APIRouter]) -> Route:
    """Return what answers for the API where no route of it does; the web app has words of its own."""

    async def refuse(request: Request) -> Response:
        allowed: set[str] = set()
        for router in routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    match, _ = route.matches(request.scope)
                    allowed |= set() if match is Match.NONE else set(route.methods or ())
        if allowed:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
        raise HTTPException(404)

    return Route("/v1/{path:path}", refuse, methods=_METHODS)
