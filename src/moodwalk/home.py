"""Where moodwalk keeps what outlives a command: the music library, and what was downloaded."""

import os
from pathlib import Path

__all__ = ["find_home"]


def find_home() -> Path:
    """Return the folder of moodwalk's state; it need not exist yet.

    Returns
    -------
    Path
        ``MOODWALK_HOME`` where that is set, else the platform's folder for user data.
    """
    given = os.environ.get("MOODWALK_HOME")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("moodwalk", appauthor=False)
