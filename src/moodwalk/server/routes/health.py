"""``/healthz``, ``/readyz`` and ``/metrics``."""

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from moodwalk.server.forms import describe_problems
from moodwalk.server.schemas import Health
from moodwalk.server.services import get_services

__all__ = ["router"]

router = APIRouter(tags=["server"])


@router.get(
    "/healthz",
    summary="Whether the process lives",
    response_model=Health,
    responses=describe_problems(),
)
async def healthz() -> JSONResponse:
    """Answer as long as the event loop turns."""
    return JSONResponse({"status": "ok"})


@router.get(
    "/readyz",
    summary="Whether requests are welcome",
    response_model=Health,
    responses={
        **describe_problems(),
        503: {"model": Health, "description": "It starts, or is about to end."},
    },
)
async def readyz(request: Request) -> JSONResponse:
    """Answer 200 where workers wait for walks, 503 while the server starts or drains."""
    services = get_services(request)
    if services.draining.is_set():
        return JSONResponse({"status": "draining"}, 503)
    if not services.predictions.n_alive:
        return JSONResponse({"status": "starting"}, 503)
    return JSONResponse({"status": "ok"})


@router.get(
    "/metrics",
    summary="Counters for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **describe_problems(),
    },
)
async def metrics(request: Request) -> Response:
    """Return counters in Prometheus' text format."""
    text = await asyncio.to_thread(get_services(request).metrics.dump)
    return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})
