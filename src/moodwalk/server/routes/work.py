"""``POST /v1/explain`` and ``POST /v1/generate``: long work, done as jobs."""

import json
import re
from importlib.util import find_spec

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from moodwalk.server.forms import EXAMPLE_WALK, describe_body, describe_problems
from moodwalk.server.problems import MEDIA_TYPE, ProblemError
from moodwalk.server.routes.walks import JSON, alone, is_form, receive_form
from moodwalk.server.schemas import (
    ExplainFields,
    ExplainRequest,
    Explanation,
    Generated,
    GenerateFields,
    GenerateRequest,
    Job,
)
from moodwalk.server.services import get_services

__all__ = ["router"]

router = APIRouter(tags=["walks"])

_LONGEST_WAIT_S = 30
_ACCEPTED = {
    "model": Job,
    "description": "Taken in; ask the address in `Location` how far it is.",
    "headers": {"Location": {"description": "Of the job.", "schema": {"type": "string"}}},
}
_WAIT = (
    "\n\nAnswers 202 with a job at once. With the header `Prefer: wait=10` it waits up to so many seconds (30 "
    "at most) for the result and, where that is there in time, answers 200 with it."
)


@router.post(
    "/v1/explain",
    summary="Say why a walk is read as it is",
    description="Which joints and moments count, and what is unusual about the walk, in words."
    + _WAIT,
    response_model=Explanation,
    responses={202: _ACCEPTED, **describe_problems(415, 422, 501, 503, 507)},
    openapi_extra=describe_body(ExplainRequest, ExplainFields, {"walk": EXAMPLE_WALK}),
)
async def explain(request: Request) -> Response:
    """Take in a walk to explain."""
    if find_spec("captum") is None:
        raise ProblemError(
            501, "the server has no captum; expected it. Install 'moodwalk[explain]'."
        )
    return await _take_in(request, "explain", ExplainFields)


@router.post(
    "/v1/generate",
    summary="Make gaits of an emotion, or give a walk another one",
    description="New gaits as positions; or, with a walk or a file, the same walk in another mood."
    + _WAIT,
    response_model=Generated,
    responses={202: _ACCEPTED, **describe_problems(415, 422, 501, 503, 507)},
    openapi_extra=describe_body(
        GenerateRequest,
        GenerateFields,
        {
            "new": {"emotion": "happy", "n": 2, "seed": 1},
            "restyled": {"emotion": "sad", "walk": EXAMPLE_WALK, "strength": 1.0},
        },
    ),
)
async def generate(request: Request) -> Response:
    """Take in what to generate."""
    return await _take_in(request, "generate", GenerateFields)


async def _take_in(request: Request, kind: str, fields: type[BaseModel]) -> Response:
    services = get_services(request)
    wait_s = _read_wait(request)
    memory = services.limits.job_memory_bytes
    if is_form(request):
        async with receive_form(request, services, fields) as upload:
            head = alone(kind, memory, upload)
            job = await services.board.submit(kind, head, b"", upload.keep())
    else:
        body = await request.body()
        check = {"kind": "check", "as": kind}
        limit_s = services.limits.predict_s
        await services.ask(services.predictions, check, body, limit_s=limit_s)
        job = await services.board.submit(kind, alone(kind, memory), body, _nothing)
    if not wait_s:
        found = await services.board.find(job)
    else:
        found = await services.board.wait(job, wait_s)
        if found.answer is not None:
            await services.board.cancel(job)  # it is fetched, so it need not be kept
            headers = {"Preference-Applied": f"wait={wait_s}"}
            if found.state == "done":
                return Response(found.answer, 200, headers, JSON)
            status = int(json.loads(found.answer)["status"])
            return Response(found.answer, status, headers, MEDIA_TYPE)
    headers = {"Location": f"/v1/jobs/{job}", "Retry-After": "1"}
    return Response(found.dump(), 202, headers, JSON)


def _nothing() -> None:
    pass


def _read_wait(request: Request) -> int:
    """Return the seconds of the header ``Prefer: wait=N`` (RFC 7240), 0 without it."""
    found = re.search(
        r"(?:^|[,;\s])wait\s*=\s*(\d{1,4})(?:$|[,;\s])", request.headers.get("prefer", "")
    )
    return min(int(found[1]), _LONGEST_WAIT_S) if found else 0
