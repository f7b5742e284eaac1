"""``GET /v1/models``."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from moodwalk import __version__
from moodwalk.server.forms import describe_problems
from moodwalk.server.schemas import ModelList
from moodwalk.server.services import get_services

__all__ = ["router"]

router = APIRouter(tags=["server"])


@router.get(
    "/v1/models",
    summary="The weights that this server answers with",
    response_model=ModelList,
    responses=describe_problems(503),
)
async def models(request: Request) -> JSONResponse:
    """Say what was trained on what, how well it does, and where its limits are."""
    return JSONResponse(
        {"version": __version__, "models": await get_services(request).list_models()}
    )
