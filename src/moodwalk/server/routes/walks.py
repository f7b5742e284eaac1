"""What the routes that take a walk have in common: JSON or a form, answered by a worker."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from moodwalk.server.crew import TaskError
from moodwalk.server.faults import describe_error
from moodwalk.server.problems import ProblemError, describe_fault
from moodwalk.server.services import Services
from moodwalk.server.uploads import Upload, receive_upload

__all__ = ["JSON", "alone", "answer", "is_form", "receive_form"]

JSON = "application/json"


def is_form(request: Request) -> bool:
    """Return whether the body is a form with files.

    Raises
    ------
    ProblemError
        If it is neither that nor JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return True
    if kind == JSON:
        return False
    raise ProblemError(415, f"expected {JSON}, or multipart/form-data with a part 'file'.")


@asynccontextmanager
async def receive_form(
    request: Request, services: Services, fields: type[BaseModel]
) -> AsyncGenerator[Upload]:
    """Receive a form; see `moodwalk.server.uploads.receive_upload`.

    Raises
    ------
    ProblemError
        If its fields are not those.
    """
    async with receive_upload(request, services.folder) as upload:
        try:
            fields.model_validate(upload.fields)
        except ValidationError as error:
            raise describe_fault(TaskError(**describe_error(error))) from None
        yield upload


def alone(kind: str, memory: int, upload: Upload | None = None) -> dict[str, Any]:
    """Return the head of a task that gets a process of its own, with so much memory."""
    head: dict[str, Any] = {"kind": kind, "alone": True, "memory": memory}
    return head if upload is None else {**head, **upload.to_head()}


def answer(body: bytes) -> Response:
    """Return JSON that a worker has written."""
    return Response(body, media_type=JSON)
