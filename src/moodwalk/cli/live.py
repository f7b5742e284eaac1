"""``moodwalk live``: a walk read while it happens."""

import signal
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json
from moodwalk.cli.music import LibraryUrl, Mode, PlayerName
from moodwalk.cli.output import print_json_line, print_line, print_note
from moodwalk.cli.reading import PoseModel
from moodwalk.errors import ConfigError

if TYPE_CHECKING:
    from moodwalk.live import LiveReader
    from moodwalk.live.display import LiveScreen
    from moodwalk.live.music import LiveMusic
    from moodwalk.live.sources import PictureSource
    from moodwalk.pose.finder import PoseFinder

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("live")(live)


def live(
    camera: Annotated[
        int | None, typer.Option(min=0, max=99, metavar="N", help="By default 0, the first one.")
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE", help="A video instead of a camera."),
    ] = None,
    player: Annotated[PlayerName, typer.Option(help="What plays the music.")] = PlayerName.NONE,
    music: Annotated[
        bool | None,
        typer.Option(
            "--music/--no-music",
            help="Choose music from the library; by default where there is a player.",
        ),
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="Music where you are, or on the way to brighter, calmer or livelier music."
        ),
    ] = Mode.MATCH,
    player_address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Of the player, or its socket.")
    ] = "localhost:6600",
    player_password: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="MOODWALK_PLAYER_PASSWORD",
            help="Of the player; others see it on a command line, so rather set the variable.",
        ),
    ] = None,
    music_root: Annotated[
        Path | None,
        typer.Option(
            readable=False, metavar="DIR", help="The player's music folder, as seen here."
        ),
    ] = None,
    library: LibraryUrl = None,
    window: Annotated[
        float, typer.Option(metavar="S", help="Seconds of the walk that an answer is read from.")
    ] = 4.0,
    step: Annotated[float, typer.Option(metavar="S", help="Seconds between answers.")] = 1.0,
    smoothing: Annotated[
        float, typer.Option(metavar="S", help="Time constant of the probabilities; 0: none.")
    ] = 2.0,
    weights: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE", help="By default those that moodwalk ships."),
    ] = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            help="Withhold the answer below this probability; by default as the weights say."
        ),
    ] = None,
    max_novelty: Annotated[
        float | None,
        typer.Option(
            help="Withhold the answer to walks that lie further outside the training walks' range; by "
            "default as the weights say."
        ),
    ] = None,
    people: Annotated[
        int,
        typer.Option(min=1, max=4, metavar="N", help="Follow so many at most; fewer is faster."),
    ] = 4,
    pose_model: PoseModel = None,
    as_json: Json = False,
) -> None:
    """Read a walk in front of a camera while it happens: how it looks to others, not what anybody feels.

    Pictures stay in memory, are let go at once, and are never stored. With --json, one line an answer on
    standard output; a video is then read as fast as it goes. Ctrl-C ends.
    """
    from moodwalk.live import LiveOptions, LiveReader
    from moodwalk.live.sources import CameraSource, VideoSource
    from moodwalk.pose.finder import PoseFinder
    from moodwalk.predict import Predictor

    if camera is not None and video is not None:
        raise ConfigError("both --camera and --video are given; expected one of them.")
    if music is False and player is not PlayerName.NONE:
        raise ConfigError("--no-music and --player are given; expected one of them.")
    options = LiveOptions(
        window_s=window, first_s=min(2.0, window), step_s=step, smoothing_s=smoothing
    )
    predictor = Predictor.load(weights, min_confidence=min_confidence, max_novelty=max_novelty)
    reader = LiveReader(predictor, options)
    is_screen = sys.stdout.isatty() and not as_json
    with _ends_calmly(), ExitStack() as stack:
        notes = _Notes()
        source: PictureSource = stack.enter_context(
            CameraSource(camera or 0, notes.take)
            if video is None
            else VideoSource(video, paced=not as_json)
        )
        finder = stack.enter_context(PoseFinder(pose_model, max_people=people))
        reader.warm_up()
        band = None
        if music or player is not PlayerName.NONE:
            band = _open_music(library, player, player_address, player_password, music_root, mode)
            stack.callback(band.close)
        if is_screen:
            from moodwalk.live.display import LiveScreen

            notes.screen = stack.enter_context(LiveScreen(source.name))
        _watch(source, finder, reader, band, notes, as_json)
    if is_screen and notes.last:
        print_line(notes.last)


class _Notes:
    """Where lines about the source go: on the screen where there is one."""

    def __init__(self) -> None:
        self.screen: LiveScreen | None = None
        self.last = ""

    def take(self, line: str) -> None:
        if self.screen is None:
            print_note(f"note: {line}")
        else:
            self.screen.note(line)


@contextmanager
def _ends_calmly() -> Generator[None]:
    """End without a word at Ctrl-C, and likewise when asked to by the system or a closed terminal."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    kept = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):  # the latter is none of Windows'
            if (which := getattr(signal, name, None)) is not None:
                kept[which] = signal.signal(which, stop)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for which, handler in kept.items():
            signal.signal(which, handler)


def _open_music(
    library: str | None,
    player: PlayerName,
    address: str,
    password: str | None,
    music_root: Path | None,
    mode: Mode,
) -> "LiveMusic":
    from moodwalk.live.music import LiveMusic
    from moodwalk.music.player import MpdPlayer

    plays = None
    if player is PlayerName.MPD:
        plays = MpdPlayer(address, password, music_root=music_root)
    return LiveMusic(library, plays, mode=str(mode))


def _watch(
    source: "PictureSource",
    finder: "PoseFinder",
    reader: "LiveReader",
    band: "LiveMusic | None",
    notes: _Notes,
    as_json: bool,
) -> None:
    from moodwalk.live.display import describe

    for shot in source:
        if shot.picture is None:
            answer = reader.push(shot.time_s, None, source.size)
        else:
            height, width = shot.picture.shape[:2]
            answer = reader.push(shot.time_s, finder.find(shot.picture), (width, height))
        if answer is not None:
            if band is not None:
                band.update(answer)
            now = None if band is None else band.now
            notes.last = describe(answer)
            if as_json:
                print_json_line(
                    {**answer.to_dict(), "music": None if now is None else now.to_dict()}
                )
            elif notes.screen is None:
                song = "" if now is None or not now.title else f"  [{now.title}]"
                print_line(f"{notes.last}{song}")
                sys.stdout.flush()
            else:
                notes.screen.show(answer, now)
        if notes.screen is not None:
            notes.screen.draw_in_time(looked=shot.picture is not None)
