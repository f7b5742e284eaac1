"""``moodwalk music``: a library, and what of it fits a walk."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json
from moodwalk.cli.output import open_progress, print_json, print_line, print_note, print_table
from moodwalk.cli.reading import Fps, JointMap, Person, PoseModel, read_walks
from moodwalk.errors import ConfigError, LibraryError

if TYPE_CHECKING:
    from moodwalk.music.choose import Choice
    from moodwalk.music.target import Mood
    from moodwalk.music.track import Track

__all__ = ["register"]

N_FAILURES_SHOWN = 20

LibraryUrl = Annotated[
    str | None,
    typer.Option(
        "--library",
        metavar="URL",
        help="A file or an SQLAlchemy URL; by default $MOODWALK_MUSIC_URL, or a file under MOODWALK_HOME.",
    ),
]


class Mode(StrEnum):
    """What the music does with the mood."""

    MATCH = "match"
    LIFT = "lift"
    CALM = "calm"
    ENERGISE = "energise"


class PlayerName(StrEnum):
    """What plays."""

    NONE = "none"
    MPD = "mpd"


class Verdict(StrEnum):
    """What a listener did with a track."""

    LIKE = "like"
    DISLIKE = "dislike"
    PLAY = "play"
    SKIP = "skip"


_group = typer.Typer(help="Music that fits the walk.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Hang the commands on the app."""
    app.add_typer(_group, name="music")


@_group.command()
def scan(
    folders: Annotated[
        list[Path],
        typer.Argument(readable=False, metavar="DIR...", help="Folders of music."),
    ],
    library: LibraryUrl = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; by default one a core.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read the music in folders: tags, tempo, energy, and where it lies between calm and lively, sad and happy.

    MP3, FLAC, OGG, Opus, M4A and WAV. Files that have not changed are not read again. Ctrl-C at any time: the
    next scan goes on from there. A file that cannot be read is named, and stops nothing.
    """
    from moodwalk.music.library import Library
    from moodwalk.music.library.scan import scan as scan_folders

    with Library.open(library) as opened, open_progress() as progress:
        bar = progress.add_task("files", total=None)

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        report = scan_folders(folders, opened, jobs=jobs, progress=show)
        n_tracks = opened.count()
    if as_json:
        print_json({**report.to_dict(), "n_tracks": n_tracks})
        return
    for path, reason in report.failures[:N_FAILURES_SHOWN]:
        print_note(f"note: {reason}" if str(path) in reason else f"note: {path}: {reason}")
    if (more := len(report.failures) - N_FAILURES_SHOWN) > 0:
        print_note(f"note: {more} more files with a problem; --json lists them all")
    if not report.n_found:
        print_note(
            "note: no audio was found; expected files that end in .mp3, .flac, .ogg, .opus, .m4a or .wav. "
            "Is it the right folder?"
        )
    print_line(
        f"{report.n_found} files: {report.n_new} new, {report.n_changed} changed, "
        f"{report.n_unchanged} as before, {report.n_gone} gone, {len(report.failures)} with a problem. "
        f"The library has {n_tracks} tracks."
    )


@_group.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(readable=False, metavar="FILE.csv", help="A catalogue of audio features."),
    ],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=THEIRS",
            help="What a column is called in the file, e.g. track_name=title; may be given again.",
        ),
    ] = None,
    library: LibraryUrl = None,
    as_json: Json = False,
) -> None:
    """Read a catalogue with audio features, such as Spotify's; docs/music-library.md names its columns."""
    from moodwalk.music.library import Library
    from moodwalk.music.library.catalogue import import_catalogue

    named = dict(_split_pair(pair) for pair in columns or ())
    with Library.open(library) as opened, open_progress() as progress:
        bar = progress.add_task("rows", total=None)

        def show(done: int, total: int | None) -> None:
            progress.update(bar, completed=done, total=total)

        report = import_catalogue(file, opened, named or None, progress=show)
        n_tracks = opened.count()
    if as_json:
        print_json({**report.to_dict(), "n_tracks": n_tracks})
        return
    for problem in report.problems[:N_FAILURES_SHOWN]:
        print_note(problem)
    print_line(f"{report.describe()} The library has {n_tracks} tracks.")


@_group.command("list")
def list_(
    search: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="In title, artist or album.")
    ] = "",
    n: Annotated[int, typer.Option("-n", min=1, help="Tracks at most.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Tracks to pass over.")] = 0,
    library: LibraryUrl = None,
    as_json: Json = False,
) -> None:
    """List the library's tracks."""
    from moodwalk.music.library import Library

    with Library.open(library, read_only=True) as opened:
        tracks = opened.list(limit=n, offset=offset, search=search or None)
        n_tracks = opened.count()
    if as_json:
        print_json({"n_tracks": n_tracks, "tracks": [_describe(track) for track in tracks]})
        return
    print_table(
        "Tracks",
        ("title", "artist", "BPM", "valence", "arousal", "energy", "from"),
        (
            (
                track.title,
                track.artist,
                track.tempo_bpm,
                track.valence,
                track.arousal,
                track.energy,
                track.source,
            )
            for track in tracks
        ),
        caption=f"{len(tracks)} of {n_tracks} tracks.",
    )


@_group.command()
def recommend(
    emotion: Annotated[
        str | None, typer.Option(metavar="NAME", help="happy, angry, sad or neutral.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", readable=False, metavar="PATH", help="A walk, a video, or a folder of them."
        ),
    ] = None,
    cadence: Annotated[
        float | None,
        typer.Option(metavar="SPM", help="Steps per minute; by default as the walk has them."),
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="Music where you are, or on the way to brighter, calmer or livelier music."
        ),
    ] = Mode.MATCH,
    n: Annotated[int, typer.Option("-n", min=1, max=1000, help="Tracks.")] = 10,
    playlist: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE", help="Write .m3u8, .xspf or .jspf."),
    ] = None,
    player: Annotated[PlayerName, typer.Option(help="Play it now.")] = PlayerName.NONE,
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
    learn: Annotated[
        bool, typer.Option("--learn/--no-learn", help="Use likes and skips given so far.")
    ] = True,
    weights: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE", help="By default those that moodwalk ships."),
    ] = None,
    fps: Fps = None,
    joint_map: JointMap = None,
    person: Person = None,
    pose_model: PoseModel = None,
    force: Annotated[
        bool, typer.Option("--force", help="Use also what does not look like a walk.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Makes everything random repeat.")] = 0,
    library: LibraryUrl = None,
    as_json: Json = False,
) -> None:
    """Choose music for an emotion, or for a walk: mood and steps.

    Where a walk's emotion is withheld, music is chosen by its steps alone.
    """
    from moodwalk.music.choose import choose
    from moodwalk.music.library import Library

    mood = _find_mood(emotion, source, cadence, weights, fps, joint_map, person, pose_model, force)
    with Library.open(library, read_only=True) as opened:
        choice = choose(opened, mood, mode=str(mode), n=n, seed=seed, learn=learn)
    if playlist is not None:
        from moodwalk.music.playlists import write_playlist

        entries = list(zip(choice.tracks, choice.reasons, strict=True))
        nowhere = write_playlist(playlist, entries, f"moodwalk: {mode}")
        if nowhere:
            print_note(
                f"note: {len(nowhere)} of {len(entries)} tracks are in no file; {nowhere[0].title} first."
            )
    if player is PlayerName.MPD:
        from moodwalk.music.player import MpdPlayer

        with MpdPlayer(player_address, player_password, music_root=music_root) as mpd:
            for one in mpd.queue(choice.tracks):
                print_note(
                    f"note: not queued: {one.track.title or one.track.location}: {one.reason}"
                )
            mpd.play()
    if as_json:
        written = None if playlist is None else str(playlist)
        print_json({**choice.to_dict(), "playlist": written})
        return
    for note in choice.notes:
        print_note(note)
    _show(choice)
    if playlist is not None:
        print_line(f"Written to {playlist}.")


@_group.command()
def feedback(
    verdict: Annotated[Verdict, typer.Argument(help="What you did with it.")],
    location: Annotated[
        str, typer.Argument(metavar="LOCATION", help="A track's location, as `list --json` says.")
    ],
    emotion: Annotated[
        str | None, typer.Option(metavar="NAME", help="The emotion it was chosen for.")
    ] = None,
    mode: Annotated[Mode | None, typer.Option(help="The mode it was chosen in.")] = None,
    position_s: Annotated[
        float | None, typer.Option("--position", min=0, metavar="S", help="Seconds into the track.")
    ] = None,
    library: LibraryUrl = None,
) -> None:
    """Tell what you thought of a track; later playlists learn from it, inside the mood asked for."""
    from datetime import UTC, datetime

    from moodwalk.emotion import parse_emotion
    from moodwalk.music.library import Feedback, Library

    with Library.open(library) as opened:
        track = opened.find(location)
        if track is None or track.id is None:
            raise LibraryError(
                f"{location} is not in the library; expected a location as `moodwalk music list --json` "
                f"says it."
            )
        felt = None if emotion is None else parse_emotion(emotion)
        told = None if mode is None else str(mode)
        opened.record(
            Feedback(
                track_id=track.id,
                kind=verdict.value,
                at=datetime.now(UTC),
                emotion=felt,
                mode=told,
                position_s=position_s,
            )
        )
    print_line(f"{verdict}: {track.title or location}.")


@_group.command()
def evaluate(
    n_walks: Annotated[int, typer.Option("--walks", min=2, help="Simulated walks.")] = 200,
    n_audio: Annotated[
        int,
        typer.Option(
            "--audio",
            min=0,
            help="Scanned files, drawn at random, whose halves are compared; 0: none.",
        ),
    ] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Makes everything random repeat.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes for audio; by default one a core.")
    ] = None,
    library: LibraryUrl = None,
    as_json: Json = False,
) -> None:
    """How near the music comes to what is asked for, beside chance and popularity.

    Where the library has scanned files, also how steady their estimates are: the first half of a piece against
    its second. Where it has a catalogue too, how the estimates agree with that for the same titles.
    """
    from moodwalk.music.evaluation import evaluate_library
    from moodwalk.music.library import Library

    with Library.open(library, read_only=True) as opened, open_progress() as progress:
        bar = progress.add_task("walks", total=None)

        def show(what: str, done: int, total: int) -> None:
            progress.update(bar, description=what, completed=done, total=total)

        report = evaluate_library(
            opened, n_walks=n_walks, n_audio=n_audio, seed=seed, jobs=jobs, progress=show
        )
    if as_json:
        print_json(report.to_dict())
        return
    for table in report.to_tables():
        print_table(table.title, table.columns, table.rows, table.caption)
    for note in report.notes:
        print_note(note)


def _find_mood(
    emotion: str | None,
    source: Path | None,
    cadence: float | None,
    weights: Path | None,
    fps: float | None,
    joint_map: Path | None,
    person: int | None,
    pose_model: Path | None,
    force: bool,
) -> "Mood":
    """Take the mood that was named, or read it from walks; a cadence that is given goes before theirs."""
    from dataclasses import replace

    from moodwalk.emotion import parse_emotion
    from moodwalk.music.target import Mood

    if cadence is not None and not 20 <= cadence <= 300:
        raise ConfigError(f"--cadence is {cadence:g}; expected 20 to 300 steps per minute.")
    if emotion is not None and source is not None:
        raise ConfigError("both --emotion and --from are given; expected one of them.")
    if source is not None:
        from moodwalk.listening import find_mood
        from moodwalk.predict import Predictor

        walks = read_walks(source, None, fps, joint_map, person, pose_model)
        mood = find_mood(Predictor.load(weights).predict_many(walks, force=force))
    elif emotion is not None:
        mood = Mood.from_emotion(parse_emotion(emotion))
    elif cadence is not None:
        mood = Mood(None, cadence, "no emotion was given")
    else:
        raise ConfigError("nothing to choose music by; expected --emotion, --from or --cadence.")
    return mood if cadence is None else replace(mood, cadence_spm=cadence)


def _show(choice: "Choice") -> None:
    mood = choice.mood
    felt = (
        "no mood"
        if mood.valence is None
        else f"valence {mood.valence:+.2f}, arousal {mood.arousal:+.2f}"
    )
    steps = "" if mood.cadence_spm is None else f", {mood.cadence_spm:.0f} steps/min"
    print_line(f"For {felt}{steps}:\n")
    for number, (track, why) in enumerate(zip(choice.tracks, choice.reasons, strict=True), 1):
        by = f" - {track.artist}" if track.artist else ""
        tempo = "" if track.tempo_bpm is None else f" ({track.tempo_bpm:.0f} BPM)"
        print_line(f"{number:3}. {track.title or track.location}{by}{tempo}")
        print_line(f"     {why}")


def _describe(track: "Track") -> dict[str, object]:
    from dataclasses import asdict

    return asdict(track)


def _split_pair(pair: str) -> tuple[str, str]:
    ours, sign, theirs = pair.partition("=")
    if not (ours and sign and theirs):
        raise ConfigError(f"--columns is '{pair}'; expected OURS=THEIRS, such as track_name=title.")
    return ours, theirs
