import math
import os
import struct
import subprocess
import sys
import tracemalloc
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.errors import MediaError
from moodwalk.music.audio.analysis import LEAST_CONFIDENCE, measure_audio, to_track
from moodwalk.music.audio.mode import compute_majorness, compute_pitch_classes
from moodwalk.music.audio.reading import RATE_HZ, read_sound
from moodwalk.music.audio.spectrum import (
    FRAME_S,
    compute_brightness,
    compute_loudness,
    compute_spectrum,
    find_onsets,
)
from moodwalk.music.library.files import to_location, to_path

soundfile = pytest.importorskip("soundfile", reason="needs the extra 'music'")
pytest.importorskip("soxr", reason="needs the extra 'music'")
pytest.importorskip("tinytag", reason="needs the extra 'music'")

WESNOTH = Path("/usr/share/games/wesnoth")


@pytest.fixture(scope="module")
def wesnoth_folder():
    """Folder with 41 pieces of music."""
    found = sorted(WESNOTH.glob("*/data/core/music"))
    if not found:
        pytest.skip("needs the music of Debian's wesnoth-1.16-music, which is not installed")
    return found[0]


def write(path, samples, rate=RATE_HZ, **options):
    """Write a second at a time: libsndfile overflows its stack on a long block of Vorbis."""
    samples = np.asarray(samples)
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(path, "w", rate, n_channels, **options) as file:
        for first in range(0, len(samples), rate):
            file.write(samples[first : first + rate])


def make_clicks(tempo_bpm=100.0, duration_s=12.0, rate=RATE_HZ, tone_hz=1000.0):
    t = np.arange(round(0.05 * rate)) / rate
    click = 0.5 * np.sin(2 * np.pi * tone_hz * t) * np.exp(-60 * t)
    samples = np.zeros(round(duration_s * rate), np.float32)
    for at in np.arange(0.3, duration_s - 0.1, 60 / tempo_bpm):
        first = round(at * rate)
        samples[first : first + len(click)] += click
    return samples


def measure_or_refuse(path):
    """Return None where the file is refused in one line."""
    try:
        return measure_audio(path)
    except MediaError as error:
        if "\n" in str(error):
            raise
        return None


def make_tone(frequency_hz, amplitude=0.5, duration_s=5.0, rate=RATE_HZ):
    return (
        amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate)) / rate)
    ).astype(np.float32)


def make_chords(chords, keynote=0.0, chord_s=1.0):
    """Play chords as (semitones above the keynote, third), tones with eight partials."""
    rng = np.random.default_rng(5)
    t = np.arange(round(chord_s * RATE_HZ)) / RATE_HZ
    parts = []
    for root, third in chords:
        part = np.zeros(len(t))
        for interval in (-12, 0, third, 7, 12):
            frequency = 220 * 2 ** ((keynote + root + interval) / 12)
            for partial in range(1, 9):
                phase = rng.uniform(0, 2 * np.pi)
                part += np.sin(2 * np.pi * frequency * partial * t + phase) / partial**1.3
        parts.append(0.05 * part * np.exp(-t))
    return np.concatenate(parts).astype(np.float32)


IN_MAJOR = [(0, 4), (5, 4), (7, 4), (0, 4), (9, 3), (2, 3), (7, 4), (0, 4)]
IN_MINOR = [(0, 3), (5, 3), (7, 4), (0, 3), (8, 4), (5, 3), (7, 4), (0, 3)]


# --- files as they are


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("wav", {}),
        ("flac", {}),
        ("ogg", {}),
        ("mp3", {}),
        ("opus", {"format": "OGG", "subtype": "OPUS"}),
    ],
)
def test_every_format_gives_the_same_measures(tmp_path, suffix, options):
    path = tmp_path / f"clicks.{suffix}"
    write(path, make_clicks(rate=48000), 48000, **options)
    found = measure_audio(path)
    assert found.tempo_bpm == pytest.approx(100, abs=0.2)
    assert found.duration_s == pytest.approx(12, abs=0.1)
    assert found.onset_rate_hz == pytest.approx(100 / 60, abs=0.15)
    assert found.brightness_hz == pytest.approx(1300, abs=250)
    assert found.problem == ""


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_every_rate_and_number_of_channels(tmp_path, rate, n_channels):
    path = tmp_path / "clicks.wav"
    samples = make_clicks(duration_s=6.0, rate=rate)
    write(path, np.repeat(samples[:, None], n_channels, axis=1), rate)
    found = measure_audio(path)
    assert found.tempo_bpm == pytest.approx(100, abs=0.3)
    assert found.duration_s == pytest.approx(6)


def test_name_says_nothing(tmp_path):
    path = tmp_path / "music.mp3"
    write(path, make_clicks(), RATE_HZ, format="FLAC")
    assert measure_audio(path).tempo_bpm == pytest.approx(100, abs=0.2)


def test_three_hours_are_read_in_windows(tmp_path):
    """A sparse file: 173 MB of which a few windows are read."""
    path, rate, n = tmp_path / "long.wav", 8000, 3 * 3600 * 8000
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + 2 * n, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", 2 * n),
    )
    clicks = (32767 * make_clicks(90.0, 60.0, rate, 700.0)).astype("<i2").tobytes()
    with path.open("wb") as file:
        file.write(header)
        for share in (0.2, 0.5, 0.8):
            file.seek(44 + 2 * round(share * n - 30 * rate))
            file.write(clicks)
        file.truncate(44 + 2 * n)
    tracemalloc.start()
    found = measure_audio(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.duration_s == pytest.approx(3 * 3600)
    assert found.tempo_bpm == pytest.approx(90, abs=0.1)
    assert peak < 60 * 2**20


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.mp3", b"", "is empty"),
        ("text.mp3", b"no music at all\n" * 500, "cannot be decoded"),
        ("noise.ogg", bytes(range(256)) * 40, "cannot be decoded"),
        ("broken.m4a", b"\0\0\0\x20ftypM4A " + bytes(range(200)), "M4A"),
    ],
)
def test_no_audio(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError, match=said) as raised:
        measure_audio(path)
    assert "\n" not in str(raised.value)
    assert str(raised.value).count(name) == 1
    assert "not a regular file" not in str(raised.value)


def test_missing_folder_and_pipe(tmp_path):
    with pytest.raises(MediaError, match="does not exist"):
        measure_audio(tmp_path / "missing.mp3")
    with pytest.raises(MediaError, match="is a folder"):
        measure_audio(tmp_path)
    os.mkfifo(tmp_path / "pipe.mp3")
    with pytest.raises(MediaError, match="or a device"):
        measure_audio(tmp_path / "pipe.mp3")


def test_no_samples(tmp_path):
    path = tmp_path / "none.wav"
    write(path, np.zeros(0))
    with pytest.raises(MediaError, match="no sound that can be decoded"):
        measure_audio(path)


@pytest.mark.parametrize("n", [1, 2, 100, 2 * RATE_HZ])
def test_too_short_to_measure(tmp_path, n):
    path = tmp_path / "short.wav"
    write(path, np.full(n, 0.5), RATE_HZ)
    found = measure_audio(path)
    assert found.duration_s == pytest.approx(n / RATE_HZ)
    assert found.tempo_bpm is None
    assert found.loudness_db is None
    assert to_track(path, found).valence is None


def test_silence(tmp_path):
    path = tmp_path / "silence.flac"
    write(path, np.zeros(20 * RATE_HZ), RATE_HZ)
    found = measure_audio(path)
    track = to_track(path, found)
    assert found.loudness_db is None
    assert found.mode is None
    assert (track.valence, track.arousal, track.energy, track.tempo_bpm) == (None,) * 4
    assert track.duration_s == pytest.approx(20)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_no_numbers(tmp_path, bad):
    path = tmp_path / "bad.wav"
    samples = make_clicks()
    samples[70000] = bad
    write(path, samples, RATE_HZ, subtype="FLOAT")
    with pytest.raises(MediaError, match="no numbers"):
        measure_audio(path)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_truncated_file_is_read_or_refused(tmp_path, capfd, suffix, share):
    path = tmp_path / f"cut.{suffix}"
    rng = np.random.default_rng(0)
    samples = make_clicks(duration_s=20.0) + 0.01 * rng.standard_normal(20 * RATE_HZ)
    write(path, samples)
    whole = path.read_bytes()
    path.write_bytes(whole[: round(share * len(whole))])
    found = measure_or_refuse(path)
    if found is None:
        assert share < 0.1
    else:
        assert found.tempo_bpm is None or found.tempo_bpm == pytest.approx(100, abs=0.3)
    assert capfd.readouterr().err == ""


def test_flac_cut_short_says_so(tmp_path):
    path = tmp_path / "cut.flac"
    write(path, make_clicks(duration_s=100.0), RATE_HZ)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    found = measure_audio(path)
    assert "cut short" in found.problem
    assert found.tempo_bpm == pytest.approx(100, abs=0.2)


@given(st.data())
def test_any_bytes_are_read_or_refused(data):
    """Damage anywhere in a file ends in measures or in one line."""
    import tempfile

    suffix = data.draw(st.sampled_from(sorted(SMALL)))
    content = bytearray(SMALL[suffix])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        content[place] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(1, len(content))) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file.{suffix}"
        path.write_bytes(content)
        found = measure_or_refuse(path)
        values = [] if found is None else asdict(found).values()
        assert all(math.isfinite(value) for value in values if isinstance(value, float))


def _make_small():
    import io

    found = {}
    for suffix, options in {
        "wav": {"format": "WAV"},
        "flac": {"format": "FLAC"},
        "ogg": {"format": "OGG"},
        "mp3": {"format": "MP3"},
    }.items():
        file = io.BytesIO()
        write(file, make_clicks(duration_s=3.5, rate=8000), 8000, **options)
        found[suffix] = file.getvalue()
    found["m4a"] = make_m4a()
    return found


def make_m4a(title="A title", duration_s=12):
    """A file with the boxes that tell title and length, and no sound."""

    def box(name, *content):
        body = b"".join(content)
        return struct.pack(">I4s", 8 + len(body), name) + body

    head = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, duration_s * 1000), bytes(80))
    data = box(b"data", struct.pack(">II", 1, 0), title.encode())
    tags = box(b"udta", box(b"meta", bytes(4), box(b"ilst", box(b"\xa9nam", data))))
    return box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", head, tags) + box(b"mdat", bytes(50))


SMALL = _make_small()


def test_m4a_has_its_tags_and_says_why_no_more(tmp_path):
    path = tmp_path / "song.m4a"
    path.write_bytes(make_m4a())
    found = measure_audio(path)
    assert found.title == "A title"
    assert found.duration_s == pytest.approx(12)
    assert found.tempo_bpm is None
    assert "cannot be decoded" in found.problem
    assert "\n" not in found.problem
    assert to_track(path, found).valence is None


def test_header_that_claims_too_much(tmp_path):
    path = tmp_path / "many.wav"
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(
            b"RIFF",
            36 + 8000,
            b"WAVE",
            b"fmt ",
            16,
            1,
            500,
            8000,
            8_000_000,
            1000,
            16,
            b"data",
            8000,
        ),
    )
    path.write_bytes(header + bytes(8000))
    with pytest.raises(MediaError, match="claims 500 channels"):
        measure_audio(path)


def test_tags(tmp_path):
    path = tmp_path / "tagged.ogg"
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, format="OGG") as file:
        file.title = "Two\nlines and a \x07 bell"
        file.artist = "Ärtist"
        file.album = "x" * 2000
        file.genre = "Folk"
        file.write(make_clicks(duration_s=4.0))
    found = measure_audio(path)
    assert found.title == "Two lines and a bell"
    assert found.artist == "Ärtist"
    assert len(found.album) == 500
    assert found.genre == "Folk"


# --- where files are


def test_location_is_the_path_where_that_is_text(tmp_path):
    path = tmp_path / "Ünïcode %41 #1.ogg"
    assert to_location(path) == str(path)
    assert to_path(to_location(path)) == path


@given(
    st.binary(min_size=1, max_size=60).filter(lambda name: b"\0" not in name and b"/" not in name)
)
def test_locations_come_back(name):
    path = Path(os.fsdecode(b"/music/" + name))
    location = to_location(path)
    location.encode("utf-8")  # a database can hold it
    assert len(location.splitlines()) == 1
    assert to_path(location) == Path(os.path.abspath(path))  # noqa: PTH100


def test_name_that_is_not_utf8_is_read(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.ogg"))
    try:
        write(os.fsencode(path), make_clicks(duration_s=8.0), RATE_HZ, format="OGG")
    except soundfile.LibsndfileError:
        pytest.skip("this file system holds no such names")
    track = to_track(path, measure_audio(path))
    assert track.location.startswith("file:///")
    assert track.location.endswith("caf%E9.ogg")
    assert to_path(track.location) == path
    assert track.tempo_bpm == pytest.approx(100, abs=0.5)


# --- measures


def test_loudness_of_the_standard_tone(tmp_path):
    """BS.1770: a full-scale sine of 997 Hz in one of two channels is at -3.01 LUFS."""
    path = tmp_path / "tone.wav"
    tone = make_tone(997, 1.0, rate=48000)
    write(path, np.stack([tone, 0 * tone], axis=1), 48000, subtype="FLOAT")
    assert measure_audio(path).loudness_db == pytest.approx(-3.01, abs=0.1)


def test_one_channel_is_as_loud_as_two_alike(tmp_path):
    samples = make_chords(IN_MAJOR)
    found = []
    for n_channels in (1, 2):
        path = tmp_path / f"{n_channels}.wav"
        write(path, np.repeat(samples[:, None], n_channels, axis=1), RATE_HZ)
        found.append(measure_audio(path).loudness_db)
    assert found[0] == pytest.approx(found[1], abs=0.01)


def test_loudness_gate_leaves_silence_out():
    tone = make_tone(1000, 0.1)
    spectrum = compute_spectrum(np.concatenate([tone, np.zeros(20 * RATE_HZ, np.float32)]))
    with_silence, heard = compute_loudness(spectrum.loudness)
    alone, _ = compute_loudness(compute_spectrum(tone).loudness)
    assert with_silence == pytest.approx(alone, abs=0.3)
    assert heard.sum() * FRAME_S == pytest.approx(5, abs=0.6)


@pytest.mark.parametrize("frequency_hz", [300, 1000, 4000])
def test_brightness_of_a_tone_is_its_frequency(frequency_hz):
    spectrum = compute_spectrum(make_tone(frequency_hz))
    _, heard = compute_loudness(spectrum.loudness)
    middle = np.zeros(len(heard), bool)
    middle[20:-20] = heard[20:-20]
    assert compute_brightness(spectrum.centroid_hz, spectrum.loudness, middle) == pytest.approx(
        frequency_hz, rel=0.05
    )


def test_onsets_are_where_clicks_are():
    onsets = find_onsets(compute_spectrum(make_clicks(120.0)).onset) * FRAME_S
    assert len(onsets) == 24
    assert onsets == pytest.approx(0.3 + 0.5 * np.arange(24), abs=0.05)


def test_onsets_do_not_depend_on_level():
    quiet = find_onsets(compute_spectrum(0.01 * make_clicks(120.0)).onset)
    assert quiet == pytest.approx(find_onsets(compute_spectrum(make_clicks(120.0)).onset))


@pytest.mark.parametrize("keynote", [0.0, 1.0, 3.0, 6.0, 8.0, 11.0, 2.4])
def test_major_and_minor_in_any_key_and_tuning(keynote):
    major = compute_majorness([compute_pitch_classes(make_chords(IN_MAJOR, keynote))])
    minor = compute_majorness([compute_pitch_classes(make_chords(IN_MINOR, keynote))])
    assert major is not None
    assert minor is not None
    assert major > 0.1
    assert minor < -0.1


def test_pitch_class_of_a_tone():
    shares = compute_pitch_classes(make_tone(440.0))
    assert shares.argmax() == 9  # A
    assert shares.sum() == pytest.approx(1)


def test_silence_has_no_mode():
    assert compute_majorness([compute_pitch_classes(np.zeros(50000, np.float32))]) is None


def test_unsure_tempo_is_left_out_of_the_track(tmp_path):
    path = tmp_path / "noise.wav"
    rng = np.random.default_rng(3)
    write(path, 0.1 * rng.standard_normal(60 * RATE_HZ), RATE_HZ)
    found = measure_audio(path)
    assert found.tempo_confidence < LEAST_CONFIDENCE
    assert to_track(path, found).tempo_bpm is None


def test_louder_faster_brighter_is_more_aroused(tmp_path):
    calm, lively = tmp_path / "calm.wav", tmp_path / "lively.wav"
    write(calm, 0.05 * make_clicks(60.0, tone_hz=300.0), RATE_HZ)
    write(lively, make_clicks(170.0, tone_hz=3000.0), RATE_HZ)
    tracks = [to_track(path, measure_audio(path)) for path in (calm, lively)]
    assert tracks[0].arousal < 0 < tracks[1].arousal + 0.3
    assert tracks[1].arousal > tracks[0].arousal + 0.3
    assert tracks[1].energy > tracks[0].energy


# --- real music


def test_real_battle_is_livelier_than_real_sadness(wesnoth_folder):
    battle, sad = (
        to_track(path, measure_audio(path))
        for path in (wesnoth_folder / "battle.ogg", wesnoth_folder / "sad.ogg")
    )
    assert battle.title == "Battle Music"
    assert battle.arousal > sad.arousal + 0.3
    assert battle.energy > sad.energy + 0.2
    assert battle.tempo_bpm == pytest.approx(135, abs=0.2)


def test_real_silence(wesnoth_folder):
    found = measure_audio(wesnoth_folder / "silence.ogg")
    assert found.loudness_db is None
    assert found.tempo_bpm is None


def test_parts_of_a_piece_agree_on_its_tempo(wesnoth_folder):
    from moodwalk.music.audio.analysis import compute_measures

    path = wesnoth_folder / "loyalists.ogg"
    halves = [
        compute_measures(read_sound(path, start=start, end=start + 0.5).windows)
        for start in (0, 0.5)
    ]
    assert halves[0].tempo_bpm == pytest.approx(halves[1].tempo_bpm, abs=0.2)


def test_importing_loads_no_heavy_library():
    code = (
        "import sys, moodwalk.music.audio.analysis, moodwalk.music.library.scan;"
        "print([m for m in ('soundfile', 'soxr', 'tinytag', 'librosa', 'scipy', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
