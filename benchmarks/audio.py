"""Show how far estimates from audio can be trusted, and what they cost.

    python benchmarks/audio.py FOLDER [--lively WORD,...] [--calm WORD,...] [--librosa]

FOLDER holds music; figures of docs/music-audio.md come from the 41 pieces of Debian's wesnoth-1.16-music
(/usr/share/games/wesnoth/1.16/data/core/music). Prints the tempo of click tracks of known tempo; every piece
with its measures and estimates; whether the first half of each piece agrees with its second half; where pieces
lie whose file names hold words for lively and for calm music; and processor time for a minute of audio, start-up
apart. With --librosa, which must be installed, its beat tracker goes through the same click tracks and halves.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from moodwalk.errors import MediaError
from moodwalk.music.audio.analysis import measure_audio, to_track
from moodwalk.music.audio.mode import compute_pitch_classes
from moodwalk.music.audio.reading import RATE_HZ, Sound, read_sound
from moodwalk.music.audio.spectrum import FRAME_S, compute_spectrum
from moodwalk.music.audio.tempo import find_tempo
from moodwalk.music.evaluation.stability import SAME_TEMPO, SHORTEST_S, measure_stability
from moodwalk.music.library.scan import list_audio

TEMPOS_BPM = (60.0, 72.0, 84.0, 96.0, 108.0, 120.0, 133.3, 144.0, 160.0, 180.0, 200.0)
LIVELY = "battle,frantic,vengeful,siege"
CALM = "sad,love,elf-land,transience,nunc_dimittis,sanctuary"


def main() -> None:
    parser = argparse.ArgumentParser(description="Stability and cost of estimates from audio.")
    parser.add_argument("folder", type=Path, help="folder of music")
    parser.add_argument("--lively", default=LIVELY, help="words in names of lively pieces")
    parser.add_argument("--calm", default=CALM, help="words in names of calm pieces")
    parser.add_argument("--librosa", action="store_true", help="compare librosa's beat tracker")
    options = parser.parse_args()
    show_clicks(options.librosa)
    tracks = show_pieces(options.folder)
    show_groups(tracks, options.lively.split(","), options.calm.split(","))
    show_halves([path for path, _ in tracks], options.librosa)
    show_cost([path for path, _ in tracks])


def show_clicks(with_librosa: bool) -> None:
    print("Click tracks of 30 s, BPM\n  clicks   found  error  alternatives", end="")
    print("   librosa" if with_librosa else "")
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clicks.wav"
        for tempo in TEMPOS_BPM:
            samples = make_clicks(tempo)
            soundfile.write(path, samples, RATE_HZ)
            found = measure_audio(path)
            assert found.tempo_bpm is not None
            errors.append(found.tempo_bpm - tempo)
            others = " ".join(f"{other:.1f}" for other in found.tempo_alternatives_bpm)
            theirs = f"{find_with_librosa(samples):9.2f}" if with_librosa else ""
            print(f"{tempo:8.1f} {found.tempo_bpm:7.2f} {errors[-1]:+6.2f}  {others:12} {theirs}")
    print(f"largest error {max(map(abs, errors)):.3f} BPM\n")


def make_clicks(tempo_bpm: float, duration_s: float = 30.0) -> np.ndarray:
    t = np.arange(round(0.05 * RATE_HZ)) / RATE_HZ
    click = 0.5 * np.sin(2 * np.pi * 1000 * t) * np.exp(-60 * t)
    samples = 0.001 * np.random.default_rng(0).standard_normal(round(duration_s * RATE_HZ))
    for at in np.arange(0.3, duration_s - 0.1, 60 / tempo_bpm):
        first = round(at * RATE_HZ)
        samples[first : first + len(click)] += click
    return samples


def show_pieces(folder: Path) -> list[tuple[Path, Any]]:
    print(
        "piece                      arousal valence energy    BPM  sure  LUFS onsets/s    Hz mode"
    )
    tracks: list[tuple[Path, Any]] = []
    for path in list_audio(folder):
        try:
            found = measure_audio(path)
        except MediaError as error:
            print(error)
            continue
        track = to_track(path, found)
        tracks.append((path, track))
        print(
            f"{path.stem[:26]:26} {say(track.arousal, '+.2f'):>7} {say(track.valence, '+.2f'):>7} "
            f"{say(track.energy, '.2f'):>6} {say(found.tempo_bpm, '.1f'):>6} "
            f"{found.tempo_confidence:5.2f} {say(found.loudness_db, '.1f'):>5} "
            f"{say(found.onset_rate_hz, '.2f'):>8} {say(found.brightness_hz, '.0f'):>5} "
            f"{found.mode or '-'} {say(found.mode_strength, '.2f')}"
        )
    known = sum(track.tempo_bpm is not None for _, track in tracks)
    print(f"{len(tracks)} pieces, {known} with a tempo that is sure enough to be kept\n")
    return tracks


def say(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def show_groups(tracks: list[tuple[Path, Any]], lively: list[str], calm: list[str]) -> None:
    groups = [
        [
            track.arousal
            for path, track in tracks
            if track.arousal is not None and any(word and word in path.stem for word in words)
        ]
        for words in (lively, calm)
    ]
    if not all(groups):
        return
    first, second = map(np.array, groups)
    share = float(np.mean(first[:, None] > second))
    print(
        f"arousal of {len(first)} lively pieces: mean {first.mean():+.2f}, of {len(second)} calm ones: "
        f"{second.mean():+.2f}; the lively one is higher in {100 * share:.0f} % of pairs\n"
    )


def show_halves(paths: list[Path], with_librosa: bool) -> None:
    table = measure_stability(paths).to_table()
    for row in (table.columns, *table.rows):
        print("  ".join(f"{cell:24}" for cell in row))
    print(table.caption)
    if with_librosa:
        theirs: list[tuple[float, float]] = []
        for path in paths:
            if (read_sound(path).duration_s or 0) >= SHORTEST_S:
                theirs.append(
                    (follow(read_sound(path, end=0.5)), follow(read_sound(path, start=0.5)))
                )
        print(f"librosa's tempo: {tell(theirs)}")
    print()


def tell(pairs: list[tuple[float, float]]) -> str:
    ratios = np.array([a / b for a, b in pairs])
    same = np.abs(ratios - 1) < SAME_TEMPO
    octave = np.min([np.abs(ratios / ratio - 1) for ratio in (0.5, 1, 2)], axis=0) < SAME_TEMPO
    return f"{same.sum()} of {len(pairs)}, {octave.sum()} with half and double"


def follow(sound: Sound) -> float:
    return find_with_librosa(np.concatenate([window.samples for window in sound.windows]))


def find_with_librosa(samples: np.ndarray) -> float:
    import librosa

    tempo, _ = librosa.beat.beat_track(y=samples, sr=RATE_HZ)
    return float(np.ravel(tempo)[0])


def show_cost(paths: list[Path]) -> None:
    seconds = dict.fromkeys(("read and resample", "spectrum", "tempo", "mode"), 0.0)
    heard_s = file_s = 0.0
    for path in paths:
        start = time.process_time()
        sound = read_sound(path)
        marks = [time.process_time()]
        spectra = [compute_spectrum(window.samples) for window in sound.windows]
        marks.append(time.process_time())
        find_tempo([spectrum.onset for spectrum in spectra], FRAME_S)
        marks.append(time.process_time())
        for window in sound.windows:
            compute_pitch_classes(window.samples)
        marks.append(time.process_time())
        for name, taken in zip(seconds, np.diff([start, *marks]), strict=True):
            seconds[name] += taken
        heard_s += sum(len(window.samples) for window in sound.windows) / RATE_HZ
        file_s += sound.duration_s or 0
    total = sum(seconds.values())
    print(
        f"Processor time: {total / len(paths):.2f} s a file, {60 * total / heard_s:.2f} s a minute heard,"
    )
    print(
        f"{60 * total / file_s:.2f} s a minute of file; of it "
        + ", ".join(f"{name} {100 * taken / total:.0f} %" for name, taken in seconds.items())
    )


if __name__ == "__main__":
    main()
