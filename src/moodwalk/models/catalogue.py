"""Every model by name: networks of the STEP family, and classic learners on affective features.

To add a model, see CONTRIBUTING.md.
"""

from moodwalk.errors import ConfigError
from moodwalk.models.classic import CLASSIC
from moodwalk.models.stgcn import STGCN_MODELS

__all__ = ["MODELS", "check_model"]

MODELS: tuple[str, ...] = (*STGCN_MODELS, *CLASSIC)


def check_model(name: str) -> str:
    """Return the name if there is such a model.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in MODELS:
        raise ConfigError(f"'{name}' is no model; expected one of {', '.join(MODELS)}.")
    return name
