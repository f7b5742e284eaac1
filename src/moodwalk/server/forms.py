"""How requests and answers are shown in the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from moodwalk.server import schemas
from moodwalk.server.problems import MEDIA_TYPE

__all__ = [
    "EXAMPLE_WALK",
    "describe_body",
    "describe_problems",
    "fill_examples",
    "list_body_schemas",
]

_REF = "#/components/schemas/{model}"
_BODIES: tuple[type[BaseModel], ...] = (
    schemas.PredictRequest,
    schemas.PredictFields,
    schemas.ExplainRequest,
    schemas.ExplainFields,
    schemas.GenerateRequest,
    schemas.GenerateFields,
    schemas.MusicRequest,
    schemas.MusicFields,
    schemas.Problem,
)
_WHEN: Mapping[int, str] = {
    400: "The request or its form is malformed.",
    401: "No token, or a wrong one.",
    403: "A page of another site asks.",
    404: "There is no such thing, or no more.",
    405: "The route knows other methods.",
    408: "The request came too slowly.",
    413: "The request is too large.",
    415: "Neither JSON nor a form.",
    421: "The server is not called that.",
    422: "The walk, the file or a field cannot be used; `detail` says what to do.",
    429: "Too many requests; `Retry-After` says when to come back.",
    500: "An error in the server.",
    501: "A package that this needs is not installed on the server.",
    503: "Not at this moment: a library that is locked, a worker that ended.",
    504: "It took too long.",
    507: "The server's disk is full.",
}
ALWAYS = (400, 401, 403, 405, 408, 413, 421, 429, 500, 504)


def describe_problems(*more: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route may answer beside its result, for ``responses``."""
    ref = {"$ref": _REF.format(model="Problem")}
    told: dict[int | str, dict[str, Any]] = {}
    for status in sorted({*ALWAYS, *more}):
        told[status] = {"description": _WHEN[status], "content": {MEDIA_TYPE: {"schema": ref}}}
        if status in (429, 503, 507):
            told[status]["headers"] = {
                "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
            }
    return told


def describe_body(
    request: type[BaseModel] | None,
    fields: type[BaseModel] | None,
    examples: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a route takes, for ``openapi_extra``: JSON, a form with a file, or either."""
    content: dict[str, Any] = {}
    if request is not None:
        content["application/json"] = {
            "schema": {"$ref": _REF.format(model=request.__name__)},
            "examples": {name: {"value": value} for name, value in examples.items()},
        }
    if fields is not None:
        inside = fields.model_json_schema(ref_template=_REF)
        file = {"type": "string", "format": "binary"}
        parts: dict[str, Any] = {
            "file": {**file, "description": "BVH, C3D, video, CSV, TSV, Parquet, NPZ, HDF5."}
        }
        if fields is schemas.ExplainFields:
            parts["baseline"] = {**file, "description": "A neutral walk of the same person."}
        parts["joint_map"] = {**file, "description": "Which joint is which, as TOML or JSON."}
        content["multipart/form-data"] = {
            "schema": {
                "type": "object",
                "title": fields.__name__,
                "required": ["file", *inside.get("required", [])],
                "properties": {**parts, **inside["properties"]},
                "additionalProperties": False,
            }
        }
    return {"requestBody": {"required": True, "content": content}}


def list_body_schemas() -> dict[str, Any]:
    """Return the schemas that `describe_body` and `describe_problems` refer to, by name."""
    found: dict[str, Any] = {}
    for model in _BODIES:
        told = model.model_json_schema(ref_template=_REF)
        found.update(told.pop("$defs", {}))
        found[model.__name__] = told
    return found


def fill_examples(document: dict[str, Any]) -> None:
    """Put a real walk where `EXAMPLE_WALK` stands in a document."""
    walk = make_example()
    for methods in document["paths"].values():
        for method in methods.values():
            for content in method.get("requestBody", {}).get("content", {}).values():
                for example in content.get("examples", {}).values():
                    example["value"] = _fill(example["value"], walk)


def _fill(value: Any, walk: Mapping[str, Any]) -> Any:
    if value == EXAMPLE_WALK:
        return walk
    if isinstance(value, dict):
        return {name: _fill(item, walk) for name, item in value.items()}
    return value


def make_example() -> dict[str, Any]:
    """Return a walk of a little more than a cycle."""
    from moodwalk.walker import simulate_gait

    gait = simulate_gait(n_frames=40, fps=30.0, seed=0)
    positions = [
        [[round(float(x), 3) for x in joint] for joint in frame] for frame in gait.positions
    ]
    return {"positions": positions, "fps": gait.fps, "name": "a simulated walk"}


EXAMPLE_WALK: dict[str, Any] = {"name": "stands for a walk until somebody reads the document"}
