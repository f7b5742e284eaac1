"""One module a resource; each has an `APIRouter` called ``router``."""
