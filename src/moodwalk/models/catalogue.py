"""Every model by name: networks of the STEP family, and classic learners on affective features.

To add a model, see CONTRIBUTING.md.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from moodwalk.errors import ConfigError
from moodwalk.models.classic import CLASSIC
from moodwalk.models.config import STGCN_MODELS
from moodwalk.models.custom import is_custom

__all__ = ["MODELS", "check_model"]

MODELS: tuple[str, ...] = (*STGCN_MODELS, *CLASSIC)


def check_model(name: str, also: Iterable[str] = ()) -> str:
    """Return the name if there is such a model, or it means a class in a user's file.

    Parameters
    ----------
    name
        What somebody calls it.
    also
        Names that mean something where the name comes from, for the error to tell.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in MODELS and not is_custom(name):
        known = (*MODELS, *also)
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise ConfigError(
            f"'{name}' is no model; {hint}expected one of {', '.join(known)}, or a class in a "
            f"file, such as my_models.py:MyNet."
        )
    return name
