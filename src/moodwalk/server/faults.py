"""What a worker says of an error."""

import json
import sys
import traceback
from typing import Any

from pydantic import ValidationError

from moodwalk.errors import MoodwalkError

__all__ = ["describe_error"]


def describe_error(error: BaseException) -> dict[str, Any]:
    """Say what went wrong, for the server; of a bug only that it was one."""
    if isinstance(error, MoodwalkError):
        return {"error": type(error).__name__, "detail": " ".join(str(error).split())}
    if isinstance(error, MemoryError):
        return {"error": "memory", "detail": ""}
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_input=False, include_context=False)
        known = [{"loc": list(one["loc"]), "msg": one["msg"]} for one in found[:20]]
        return {"error": "validation", "detail": json.dumps(known)}
    # where it arose, without the message, which may quote what a client sent
    where = "".join(traceback.format_tb(error.__traceback__))
    print(f"{type(error).__name__} in a worker:\n{where}", file=sys.stderr, flush=True)
    return {"error": "bug", "detail": ""}
