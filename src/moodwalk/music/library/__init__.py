"""The tracks that music is chosen from, and what listeners said of them: a database."""

from moodwalk.music.library.feedback import Feedback
from moodwalk.music.library.store import Counts, Library

__all__ = ["Counts", "Feedback", "Library"]
