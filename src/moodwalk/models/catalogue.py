"""Every model by name: networks of the STEP family, and classic learners on affective features.

To add a model, see CONTRIBUTING.md.
"""

from difflib import get_close_matches

from moodwalk.errors import ConfigError
from moodwalk.models.classic import CLASSIC
from moodwalk.models.custom import is_custom
from moodwalk.models.stgcn import STGCN_MODELS

__all__ = ["MODELS", "check_model"]

MODELS: tuple[str, ...] = (*STGCN_MODELS, *CLASSIC)


def check_model(name: str) -> str:
    """Return the name if there is such a model, or it means a class in a user's file.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in MODELS and not is_custom(name):
        close = get_close_matches(name, MODELS, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise ConfigError(
            f"'{name}' is no model; {hint}expected one of {', '.join(MODELS)}, or a class in a "
            f"file, such as my_models.py:MyNet."
        )
    return name
