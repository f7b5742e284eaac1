"""``/v1/jobs``: how far long work is, its result, and its end."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from moodwalk.server.forms import describe_problems
from moodwalk.server.routes.walks import answer
from moodwalk.server.schemas import Job
from moodwalk.server.services import get_services

__all__ = ["router"]

router = APIRouter(tags=["jobs"])

_JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{24}$", examples=["Zk3vN0bq2yq8y5o0m1tJcXwL"])]


@router.get(
    "/v1/jobs/{job}",
    summary="How far a job is, and its result",
    response_model=Job,
    responses=describe_problems(404, 422, 503, 507),
)
async def show(request: Request, job: _JobId) -> Response:
    """Return where a job stands. An ended one is kept for some minutes."""
    return answer((await get_services(request).board.find(job)).dump())


@router.delete(
    "/v1/jobs/{job}",
    summary="Cancel a job, or forget one that has ended",
    status_code=204,
    responses=describe_problems(404, 422, 503, 507),
)
async def cancel(request: Request, job: _JobId) -> Response:
    """End a job at once; of one that has ended, forget the result."""
    await get_services(request).board.cancel(job)
    return Response(status_code=204)
