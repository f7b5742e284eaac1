"""The application: routes, guards around them, and the web app beneath."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from moodwalk import __version__
from moodwalk.server.forms import fill_examples, list_body_schemas
from moodwalk.server.guards import Guards
from moodwalk.server.metrics import Metrics
from moodwalk.server.pages import can_mount, mount_web_app
from moodwalk.server.problems import MEDIA_TYPE, ProblemError, dump_problem
from moodwalk.server.routes import health, jobs, live, models, music, predict, work
from moodwalk.server.services import Services
from moodwalk.server.settings import ServerSettings

__all__ = ["make_app"]

_log = logging.getLogger("moodwalk.server")

DESCRIPTION = """
Reads the *perceived* emotion in the way a person walks, and chooses music that fits. It says what observers
would call a walk, not what anybody feels, and is not fit for judging people.

Errors are problem details (RFC 9457) with one clear line. `WS /v1/live` is described in docs/server.md.
"""

_ROUTES = (
    predict.router,
    work.router,
    jobs.router,
    music.router,
    models.router,
    health.router,
    live.router,
)


def make_app(settings: ServerSettings | None = None) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings
        How it is run; by default for this machine alone.

    Returns
    -------
    FastAPI
        Its workers start and end with its lifespan.
    """
    settings = settings or ServerSettings()
    metrics = Metrics()
    services = Services(settings, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[Mapping[str, Any]]:
        async with services.run():
            yield {"connections": services.connections}

    app = FastAPI(
        title="moodwalk",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its pages come from another site
        redoc_url=None,
        license_info={"name": "MIT"},
    )
    app.state.services = services
    for router in _ROUTES:
        app.include_router(router)
    app.add_exception_handler(ProblemError, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    _describe(app, settings)
    if can_mount(settings):
        mount_web_app(app, settings, _ROUTES)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Prefer"],
            expose_headers=["Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(Guards, settings=settings, metrics=metrics)
    return app


def _describe(app: FastAPI, settings: ServerSettings) -> None:
    """Complete the OpenAPI document."""
    usual = app.openapi

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = usual()
            parts = document.setdefault("components", {})
            known = parts.setdefault("schemas", {})
            for name, schema in list_body_schemas().items():
                known.setdefault(name, schema)
            fill_examples(document)
            known.pop("HTTPValidationError", None)
            known.pop("ValidationError", None)
            if settings.token is not None:
                parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                for path, methods in document["paths"].items():
                    if path not in ("/healthz", "/readyz"):
                        for method in methods.values():
                            method["security"] = [{"token": []}]
        return app.openapi_schema or {}

    app.openapi = describe


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    body = dump_problem(error, request.scope.get("state", {}).get("request_id"))
    return Response(body, error.status, error.headers, MEDIA_TYPE)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {
        404: "there is nothing at this address; /openapi.json lists what there is.",
        405: "this address knows other methods; the header Allow lists them.",
    }
    detail = details.get(error.status_code) or f"{error.detail}"
    problem = ProblemError(error.status_code, detail, headers=error.headers)
    return await _answer_problem(request, problem)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"loc": list(one["loc"]), "msg": one["msg"]} for one in error.errors()]
    where = ".".join(map(str, errors[0]["loc"]))
    problem = ProblemError(422, f"{where}: {errors[0]['msg']}.", errors=errors)
    return await _answer_problem(request, problem)
