"""``POST /v1/predict``."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from moodwalk.server.forms import EXAMPLE_WALK, describe_body, describe_problems
from moodwalk.server.routes.walks import alone, answer, is_form, receive_form
from moodwalk.server.schemas import PredictAnswer, PredictFields, PredictRequest
from moodwalk.server.services import get_services

__all__ = ["router"]

router = APIRouter(tags=["walks"])


@router.post(
    "/v1/predict",
    summary="Read the perceived emotion of walks",
    response_model=PredictAnswer,
    responses=describe_problems(415, 422, 501, 503, 507),
    openapi_extra=describe_body(PredictRequest, PredictFields, {"walk": EXAMPLE_WALK}),
)
async def predict(request: Request) -> Response:
    """Say what observers would call a walk, not what anybody feels.

    Takes the positions of the 16 joints as JSON, or a file of any format that moodwalk reads as a form. Walks
    of a file that cannot be read are listed as refused; where none can, the answer is a problem.
    """
    services = get_services(request)
    limits = services.limits
    if not is_form(request):
        body = await request.body()
        frame = await services.ask(
            services.predictions, {"kind": "predict"}, body, limit_s=limits.predict_s
        )
        return answer(frame.body)
    async with receive_form(request, services, PredictFields) as upload:
        head = alone("predict-file", limits.upload_memory_bytes, upload)
        frame = await services.ask(services.uploads, head, limit_s=limits.upload_s)
        return answer(frame.body)
