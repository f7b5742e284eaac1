"""What went wrong, as problem details (RFC 9457) that carry one clear line."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from moodwalk.errors import MoodwalkError
from moodwalk.server.crew import TaskError, make_error

__all__ = ["MEDIA_TYPE", "ProblemError", "describe_fault", "dump_problem", "find_problem"]

MEDIA_TYPE = "application/problem+json"
_LONGEST_DETAIL = 600


class _Kind(NamedTuple):
    status: int
    name: str
    title: str


_BY_ERROR: Mapping[str, _Kind] = {
    "DataFormatError": _Kind(422, "data-format", "File cannot be read"),
    "ShapeError": _Kind(422, "shape", "Positions of another shape"),
    "LabelError": _Kind(422, "label", "Label makes no sense"),
    "ConfigError": _Kind(422, "config", "Options cannot be carried out"),
    "MediaError": _Kind(422, "media", "Video cannot be read"),
    "QualityError": _Kind(422, "quality", "Walk refused"),
    "CheckpointError": _Kind(500, "checkpoint", "Weights cannot be used"),
    "LibraryError": _Kind(503, "library", "Music library cannot be used"),
    "WorkerError": _Kind(503, "worker", "A worker process ended"),
}
"""Every class of `moodwalk.errors`; a test holds this complete."""

_BY_STATUS: Mapping[int, _Kind] = {
    400: _Kind(400, "bad-request", "Request makes no sense"),
    401: _Kind(401, "unauthorised", "Token needed"),
    403: _Kind(403, "forbidden", "Another site's request"),
    404: _Kind(404, "not-found", "Nothing there"),
    405: _Kind(405, "method", "Method not allowed"),
    408: _Kind(408, "slow-request", "Request came too slowly"),
    409: _Kind(409, "conflict", "Too late"),
    411: _Kind(411, "length", "Length needed"),
    413: _Kind(413, "too-large", "Request too large"),
    415: _Kind(415, "media-type", "Content type not understood"),
    421: _Kind(421, "host", "Host not served here"),
    422: _Kind(422, "validation", "Fields are wrong"),
    429: _Kind(429, "too-many", "Too many requests"),
    500: _Kind(500, "bug", "Error in the server"),
    501: _Kind(501, "not-installed", "Not installed"),
    503: _Kind(503, "unavailable", "Not now"),
    504: _Kind(504, "too-slow", "Took too long"),
    507: _Kind(507, "disk-full", "Disk full"),
}


class ProblemError(Exception):
    """Ends a request with problem details.

    Parameters
    ----------
    status
        Of the answer.
    detail
        One line: what was expected, found, and what to do.
    headers
        Of the answer.
    kind
        Last part of the type, where it is not that of the status; and the title.
    errors
        Which fields are wrong.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        kind: tuple[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.kind = kind
        self.errors = errors

    def to_dict(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        known = _BY_STATUS.get(self.status, _BY_STATUS[500])
        name, title = self.kind or (known.name, known.title)
        detail = " ".join(self.detail.split())
        if len(detail) > _LONGEST_DETAIL:
            detail = f"{detail[: _LONGEST_DETAIL - 1]}…"
        told: dict[str, Any] = {
            "type": f"urn:moodwalk:problem:{name}",
            "title": title,
            "status": self.status,
            "detail": detail,
        }
        if request_id is not None:
            told["request_id"] = request_id
        if self.errors is not None:
            told["errors"] = [dict(one) for one in self.errors]
        return told


def dump_problem(error: ProblemError, request_id: str | None = None) -> bytes:
    """Write problem details as JSON."""
    return json.dumps(error.to_dict(request_id)).encode()


def find_problem(error: MoodwalkError) -> ProblemError:
    """Return the problem details of an error of moodwalk's own."""
    name = next((c.__name__ for c in type(error).__mro__ if c.__name__ in _BY_ERROR), None)
    kind = _BY_STATUS[500] if name is None else _BY_ERROR[name]
    text = str(error)
    status = kind.status
    if name == "ConfigError" and "not installed" in text:
        status, kind = 501, _BY_STATUS[501]
    headers = {"Retry-After": "2"} if status == 503 else None
    return ProblemError(status, text, headers=headers, kind=(kind.name, kind.title))


def describe_fault(fault: TaskError) -> ProblemError:
    """Return the problem details of what a worker says."""
    if fault.kind == "validation":
        errors = json.loads(fault.detail)
        first = errors[0] if errors else {"loc": [], "msg": "the request cannot be read"}
        where = ".".join(map(str, first["loc"]))
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        said = f"{where}: {first['msg']}" if where else first["msg"]
        return ProblemError(422, f"{said}{more}.", errors=errors)
    if fault.kind == "memory":
        return ProblemError(
            422,
            "what was sent needs more memory than this server gives a request. Send a shorter walk.",
            kind=("memory", "Needs too much memory"),
        )
    if fault.kind == "slow":
        return ProblemError(504, "reading this took too long. Send a shorter walk.")
    if fault.kind == "lost":
        return ProblemError(
            422,
            "the process that read this ended in the middle: damaged, or more than its memory holds. "
            "Send a shorter or another file.",
            kind=("unreadable", "File cannot be read"),
        )
    if fault.kind in _BY_ERROR:
        return find_problem(make_error(fault.kind, fault.detail))
    return ProblemError(500, "an error in the server; its log says where.")
