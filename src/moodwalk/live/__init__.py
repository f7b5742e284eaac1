"""Walks read while they happen: answers from a sliding window, for anything that sends bodies.

`LiveReader` takes bodies and gives answers; it knows nothing of cameras, screens or sockets. Pictures come
from `moodwalk.live.sources`, music from `moodwalk.live.music`, the screen from `moodwalk.live.display`.
"""

from moodwalk.live.answer import STATES, LiveAnswer, LiveState
from moodwalk.live.joints import JointSource
from moodwalk.live.options import LiveOptions
from moodwalk.live.reader import LiveReader

__all__ = ["STATES", "JointSource", "LiveAnswer", "LiveOptions", "LiveReader", "LiveState"]
