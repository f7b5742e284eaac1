import io
from contextlib import suppress

import pytest
from rich.console import Console

from moodwalk.emotion import EMOTIONS
from moodwalk.live import STATES, LiveAnswer
from moodwalk.live.display import LiveScreen, describe
from moodwalk.live.music import NowPlaying

SHARES = dict(zip(EMOTIONS, (0.62, 0.2, 0.1, 0.08), strict=True))
WALKING = LiveAnswer(
    12.5,
    "walking",
    emotion=EMOTIONS[0],
    probabilities=SHARES,
    confidence=0.62,
    valence=0.34,
    arousal=0.41,
    cadence_spm=112.4,
    delay_s=3.54,
)


def make_screen(width):
    console = Console(
        file=io.StringIO(), width=width, height=30, force_terminal=True, color_system=None
    )
    return LiveScreen("camera 0", console), console


def draw(screen, console):
    with console.capture() as capture:
        console.print(screen.render())
    return capture.get()


@pytest.mark.parametrize("width", [30, 44, 80, 200])
def test_everything_read_is_on_the_screen(width):
    screen, console = make_screen(width)
    screen.note("camera 0 is back")
    screen.show(WALKING, NowPlaying("play", "Song 7", "Artist 3", "same mood and steps", ""))
    text = draw(screen, console)
    assert max(map(len, text.splitlines())) <= width
    for word in ("happy", "62%", "valence", "+0.34", "112 steps/min", "3.5 s", "Song 7", "is back"):
        assert word in text
    assert "not what anybody feels" in " ".join(text.replace("│", " ").split())


def test_bars_are_as_long_as_the_shares():
    screen, console = make_screen(80)
    screen.show(WALKING, None)
    lines = draw(screen, console).splitlines()
    bars = [
        next(line for line in lines if f"│ {name} " in line and "█" in line) for name in EMOTIONS
    ]
    lengths = [line.count("█") for line in bars]
    width = lengths[0] + bars[0].count("·")
    assert lengths == [round(share * width) for share in SHARES.values()]


@pytest.mark.parametrize("state", [state for state in STATES if state != "walking"])
def test_every_state_has_words_and_its_reason(state):
    screen, console = make_screen(80)
    screen.show(LiveAnswer(1.0, state, "because [it] is so"), None)
    text = draw(screen, console)
    assert "because [it] is so" in text
    assert "%" not in text
    assert describe(LiveAnswer(1.0, state, "because")).endswith(f"{state}: because")


def test_before_the_first_answer_it_says_so():
    assert "Starting" in draw(*make_screen(80))


def test_the_terminal_is_given_back_also_after_an_error():
    screen, console = make_screen(80)
    with suppress(RuntimeError), screen:
        screen.show(WALKING, None)
        screen.draw_in_time(looked=True)
        raise RuntimeError
    sent = console.file.getvalue()
    assert sent.index("\x1b[?1049h") < sent.index("\x1b[?1049l")
    assert sent.rindex("\x1b[?25h") > sent.rindex("\x1b[?25l")


def test_a_line_says_it_all():
    assert describe(WALKING) == "    12.5 s  happy 62%, 112 steps/min"
