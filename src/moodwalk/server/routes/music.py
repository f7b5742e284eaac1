"""``POST /v1/music/recommend``."""

import json

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from moodwalk.server.forms import EXAMPLE_WALK, describe_body, describe_problems
from moodwalk.server.routes.walks import alone, answer, is_form, receive_form
from moodwalk.server.schemas import MusicFields, MusicRequest, Playlist
from moodwalk.server.services import get_services

__all__ = ["router"]

router = APIRouter(tags=["music"])


@router.post(
    "/v1/music/recommend",
    summary="Choose music for a mood or a walk",
    response_model=Playlist,
    responses=describe_problems(415, 422, 501, 503, 507),
    openapi_extra=describe_body(
        MusicRequest,
        MusicFields,
        {
            "emotion": {"emotion": "happy", "cadence_spm": 110, "n": 5},
            "walk": {"walk": EXAMPLE_WALK, "mode": "lift"},
        },
    ),
)
async def recommend(request: Request) -> Response:
    """Choose tracks of the server's music library, each with the reason.

    A cadence that is given goes before that of the walk. Where the walk's emotion is withheld, music is
    chosen by its steps alone, and a note says so.
    """
    services = get_services(request)
    limits = services.limits
    head: dict[str, object] = {"kind": "recommend"}
    body = b""
    if is_form(request):
        # the file is read where the library cannot be reached
        async with receive_form(request, services, MusicFields) as upload:
            task = alone("mood", limits.upload_memory_bytes, upload)
            mood = await services.ask(services.uploads, task, limit_s=limits.upload_s)
        head["mood"] = json.loads(mood.body)
    else:
        body = await request.body()
    frame = await services.ask(services.predictions, head, body, limit_s=limits.predict_s)
    return answer(frame.body)
