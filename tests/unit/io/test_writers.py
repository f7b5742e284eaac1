import os
import subprocess
import sys
import textwrap
import tracemalloc
from collections import namedtuple
from importlib.util import find_spec

import h5py
import numpy as np
import pytest

from moodwalk.errors import ConfigError, DataFormatError, LabelError, MoodwalkError
from moodwalk.gait import Gait
from moodwalk.io import check_space, estimate_size, load_emotion_gait, open_writer, read
from moodwalk.io.writers import FORMATS

needs_pyarrow = pytest.mark.skipif(
    find_spec("pyarrow") is None, reason="pyarrow is part of the extra 'data'"
)
CASES = [pytest.param(s, marks=needs_pyarrow if s == ".parquet" else ()) for s in FORMATS]
every_format = pytest.mark.parametrize("suffix", CASES)
every_table = pytest.mark.parametrize("suffix", CASES[2:4])


def make_walk(seed=0, n_frames=20, **facts):
    positions = np.random.default_rng(seed).normal(size=(n_frames, 16, 3)).astype(np.float32)
    given = {"positions": positions, "fps": 30.0, "name": f"walk {seed}", "label": "happy"}
    return Gait(**(given | facts))


def write(path, *pieces):
    with open_writer(path) as writer:
        for piece in pieces:
            writer.write(piece)
    return path


def list_names(folder):
    return sorted(path.name for path in folder.iterdir())


def with_positions(change):
    positions = make_walk().positions.astype(np.float64)
    positions[3, 4] = change
    return positions


# picking


@pytest.mark.parametrize("name", ["walks.txt", "walks", "walks.h5.gz", ".npz", "walks."])
def test_another_suffix_is_refused_before_anything_is_made(tmp_path, name):
    with pytest.raises(DataFormatError) as caught:
        open_writer(tmp_path / "new" / name)
    assert "\n" not in str(caught.value)
    for suffix in FORMATS:
        assert suffix in str(caught.value)
    assert list_names(tmp_path) == []
    with pytest.raises(DataFormatError, match="expected one of"):
        estimate_size(tmp_path / name, 1, 1)


def test_a_suffix_may_be_in_capitals(tmp_path):
    assert read(write(tmp_path / "WALKS.CSV", [make_walk()]))[0].name == "walk 0"


@every_format
def test_places_where_nothing_can_be_written_are_refused_at_once(tmp_path, suffix):
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFormatError, match="is a folder"):
        open_writer(tmp_path / f"folder{suffix}")
    with pytest.raises(DataFormatError, match="is not a folder"):
        open_writer(tmp_path / "file" / f"walks{suffix}")


@needs_pyarrow
def test_parquet_without_pyarrow_is_one_line(tmp_path, monkeypatch):
    path = write(tmp_path / "walks.parquet", [make_walk()])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    saying = r"pyarrow is not installed; .* Install 'moodwalk\[data\]'\.$"
    with pytest.raises(ConfigError, match=saying):
        open_writer(tmp_path / "new" / "walks.parquet")
    with pytest.raises(ConfigError, match=saying):
        read(path)
    assert list_names(tmp_path) == ["walks.parquet"]


def test_the_other_formats_do_not_load_pyarrow(tmp_path):
    code = textwrap.dedent("""
        import sys
        import numpy as np
        from moodwalk.gait import Gait
        from moodwalk.io import open_writer, read
        for suffix in (".h5", ".csv", ".npz"):
            with open_writer("walks" + suffix) as writer:
                writer.write([Gait(np.zeros((4, 16, 3)), 30, label="sad")])
            read("walks" + suffix)
        assert "pyarrow" not in sys.modules
    """)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


# whole or not at all


@every_format
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, OSError])
def test_an_exception_in_the_block_leaves_nothing(tmp_path, suffix, error):
    def fail():
        with open_writer(tmp_path / "new" / f"walks{suffix}") as writer:
            writer.write([make_walk()])
            raise error("mine")

    with pytest.raises(error, match=r"^mine$"):  # an OSError too: it is not about this file
        fail()
    assert list_names(tmp_path) == []


@every_format
def test_an_exception_leaves_the_file_that_was_there(tmp_path, suffix):
    path = write(tmp_path / f"walks{suffix}", [make_walk()])
    before = path.read_bytes()

    def fail():
        with open_writer(path) as writer:
            writer.write([make_walk(1)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == before
    assert list_names(tmp_path) == [path.name]


@every_format
def test_an_exception_in_the_gaits_themselves_leaves_nothing(tmp_path, suffix):
    def make():
        yield make_walk()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / f"walks{suffix}", make())
    assert list_names(tmp_path) == []


@every_format
@pytest.mark.parametrize("pieces", [[], [[]]])
def test_no_gaits_make_no_file(tmp_path, suffix, pieces):
    with pytest.raises(DataFormatError, match="no gaits to write"):
        write(tmp_path / f"walks{suffix}", *pieces)
    assert list_names(tmp_path) == []


@every_format
def test_an_empty_piece_is_nothing(tmp_path, suffix):
    path = write(tmp_path / f"walks{suffix}", [], [make_walk()], iter(()))
    assert len(read(path)) == 1


@every_format
def test_writing_after_the_block_is_refused(tmp_path, suffix):
    with open_writer(tmp_path / f"walks{suffix}") as writer:
        writer.write([make_walk()])
    with pytest.raises(DataFormatError, match="is closed"):
        writer.write([make_walk(1)])


@every_format
def test_a_refused_piece_leaves_the_others(tmp_path, suffix):
    infinite = make_walk(2, positions=with_positions(1e39))
    with open_writer(tmp_path / f"walks{suffix}") as writer:
        writer.write([make_walk(0)])
        with pytest.raises(DataFormatError, match="beyond float32"):
            writer.write([make_walk(1), infinite])
        writer.write([make_walk(3)])
    assert [gait.name for gait in read(tmp_path / f"walks{suffix}")] == ["walk 0", "walk 3"]


@every_format
def test_a_piece_that_was_interrupted_spoils_the_file(tmp_path, suffix, monkeypatch):
    def interrupt(self):
        raise KeyboardInterrupt

    def fail():
        with open_writer(tmp_path / f"walks{suffix}") as writer:
            writer.write([make_walk(0)])
            with monkeypatch.context() as patch:
                patch.setattr(Gait, "__len__", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    writer.write([make_walk(1)])
            writer.write([make_walk(2)])

    with pytest.raises(DataFormatError, match="was interrupted"):
        fail()
    assert list_names(tmp_path) == []


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from moodwalk.errors import DataFormatError
from moodwalk.gait import Gait
from moodwalk.io import open_writer

rng = np.random.default_rng(0)
gaits = [
    Gait(rng.normal(size=(40, 16, 3)), 30, name=str(i), label="sad") for i in range(12)
]
path = Path("new") / sys.argv[1]


def write():
    with open_writer(path) as writer:
        for start in range(0, 12, 4):
            writer.write(gaits[start : start + 4])


write()  # loads what the format needs
size = path.stat().st_size
path.unlink()
path.parent.rmdir()
for limit in (10, 500, 9_000, size // 2, size - 3000, size - 100, size - 1):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write()
    except DataFormatError as error:
        print(error)
    else:
        print("written", limit)
    print(*Path().iterdir())
"""


@every_format
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, suffix):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, f"walks{suffix}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = f"new/walks{suffix} cannot be written: File too large. Choose another place."
    assert done.stdout.splitlines() == 7 * [said, ""]


@every_format
def test_a_disk_that_is_full_stays_full(tmp_path, suffix, monkeypatch):
    """A caller that goes on after the error gets no file of the pieces before it."""
    said = r"walks\.\w+ cannot be written: No space left on device\. Choose another place\.$"

    def fail():
        with open_writer(tmp_path / f"walks{suffix}") as writer:
            writer.write([make_walk(0)])
            with monkeypatch.context() as patch:
                patch.setattr(type(writer._sink), "write", raise_full)
                with pytest.raises(DataFormatError, match=said):
                    writer.write([make_walk(1)])
            writer.write([make_walk(2)])

    def raise_full(*_):
        raise OSError(28, os.strerror(28))

    with pytest.raises(DataFormatError, match=said):
        fail()
    assert list_names(tmp_path) == []


# memory


@every_format
def test_memory_does_not_grow_with_the_pieces(tmp_path, suffix):
    n_bytes = 20 * 100 * 192
    sizes = []
    with open_writer(tmp_path / f"walks{suffix}") as writer:
        number = 0
        tracemalloc.start()
        try:
            for _ in range(30):
                writer.write([make_walk(number + i, 100) for i in range(20)])
                number += 20
                sizes.append(tracemalloc.get_traced_memory()[0])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert sizes[-1] - sizes[4] < n_bytes / 2  # 25 pieces
    assert peak < 8 * n_bytes


@pytest.mark.parametrize("suffix", CASES[:4])
def test_every_piece_reaches_the_disk(tmp_path, suffix):
    with open_writer(tmp_path / f"walks{suffix}") as writer:
        for i in range(4):
            writer.write([make_walk(i, 100)])
            (temporary,) = tmp_path.iterdir()
            assert temporary.stat().st_size > (i + 1) * 100 * 48 * 3


def test_the_pieces_of_an_npz_lie_beside_it_without_a_name(tmp_path):
    with open_writer(tmp_path / "walks.npz") as writer:
        for i in range(4):
            writer.write([make_walk(i, 100)])
            assert os.fstat(writer._sink._positions.fileno()).st_size == (i + 1) * 100 * 192
        assert len(list_names(tmp_path)) == 1


# what a format cannot hold


@every_format
@pytest.mark.parametrize(
    ("facts", "saying"),
    [
        ({"name": "a\nb"}, "control character"),
        ({"name": "a\0"}, "control character"),
        ({"subject": "\udc80"}, "control character"),
        ({"positions": with_positions(-1e39)}, "beyond float32"),
        ({"positions": with_positions([np.nan, 0, 0])}, "joint 4 misses some coordinates"),
    ],
)
def test_gaits_that_no_format_can_hold(tmp_path, suffix, facts, saying):
    with pytest.raises(DataFormatError, match=saying) as caught:
        write(tmp_path / f"walks{suffix}", [make_walk(1), make_walk(**facts)])
    assert "\n" not in str(caught.value)
    assert list_names(tmp_path) == []


@every_table
@pytest.mark.parametrize("pieces", [[[0, 1, 0]], [[0], [1, 0]]])
def test_two_gaits_of_a_table_cannot_have_one_name(tmp_path, suffix, pieces):
    with pytest.raises(DataFormatError, match="two gaits are called 'walk 0'"):
        write(tmp_path / f"walks{suffix}", *([make_walk(i) for i in piece] for piece in pieces))
    assert list_names(tmp_path) == []


@every_table
def test_gaits_without_a_name_are_numbered_in_a_table(tmp_path, suffix):
    names = ["", "00001", "", "00004", ""]
    path = write(
        tmp_path / f"walks{suffix}", [make_walk(i, name=name) for i, name in enumerate(names)]
    )
    assert [gait.name for gait in read(path)] == ["00002", "00001", "00003", "00004", "00005"]


# HDF5


@pytest.mark.parametrize(
    ("facts", "error", "saying"),
    [
        ({"label": None}, LabelError, "no label"),
        ({"fps": 60.0}, DataFormatError, "30.* 60 fps"),
        ({"positions": with_positions(np.nan)}, DataFormatError, "misses 1 joint"),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_gaits_that_hdf5_cannot_hold(tmp_path, facts, error, saying, apart):
    good, bad = make_walk(1), make_walk(**facts)
    with pytest.raises(error, match=saying):
        write(tmp_path / "walks.h5", *([[good], [bad]] if apart else [[good, bad]]))
    assert list_names(tmp_path) == []


def test_keys_are_names_where_these_are_keys_of_the_label(tmp_path):
    gaits = [
        make_walk(0, name="00007_Sad", label="sad", synthetic=True, subject="step-gen"),
        make_walk(1, name="00002_Sad", label="happy"),  # another emotion than its name says
        make_walk(2, name="free", label="angry"),
        make_walk(3, name="00002_Happy", label="happy"),  # taken by the number of the second
        make_walk(4, name="", label="neutral"),
        make_walk(5, name="00007_Sad", label="sad"),
    ]
    path = write(tmp_path / "features.h5", gaits[:2], gaits[2:])
    with h5py.File(path) as file:
        assert list(file) == [
            "00007_Sad",
            "00002_Happy",
            "00003_Angry",
            "00004_Happy",
            "00005_Neutral",
            "00006_Sad",
        ]
        assert file["00007_Sad"].dtype == np.float32
    again = load_emotion_gait(path)
    assert again.problems == ()
    assert [gait.label for gait in again] == [gait.label for gait in gaits]
    assert [gait.name for gait in again] == [gait.name or "00005_Neutral" for gait in gaits]
    assert [gait.synthetic for gait in again] == [True] + 5 * [False]
    assert [gait.subject for gait in again] == ["step-gen"] + 5 * [None]


def test_the_frame_rate_is_kept_whatever_the_name_of_the_file(tmp_path):
    path = write(tmp_path / "features_ELMD.h5", [make_walk(fps=25.0)])
    assert {gait.fps for gait in read(path)} == {25.0}


# space


Usage = namedtuple("Usage", "total used free")


def test_space_is_asked_of_the_disk_that_will_hold_the_file(tmp_path, monkeypatch):
    asked = []

    def disk_usage(folder):
        asked.append(folder)
        return Usage(10**9, 0, 5_000_000)

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    check_space(tmp_path / "a" / "b" / "walks.h5", 5_000_000)
    assert asked == [tmp_path]
    with pytest.raises(DataFormatError, match=r"needs 5\.0 MB .* has 5\.0 MB free\. Make room"):
        check_space(tmp_path / "walks.csv", 5_000_001)
    check_space(tmp_path / "walks.npz", 2_500_000)
    with pytest.raises(DataFormatError, match=r"needs 6\.0 MB"):
        check_space(tmp_path / "walks.npz", 3_000_000)
    assert list_names(tmp_path) == []


def test_no_disk_holds_an_exabyte(tmp_path):
    with pytest.raises(DataFormatError, match=r"needs 1,000,000,000\.0 GB") as caught:
        check_space(tmp_path / "walks.h5", 10**18)
    assert "\n" not in str(caught.value)
    with pytest.raises(MoodwalkError, match="is a folder"):
        check_space(tmp_path, 1)


@every_format
def test_estimates_grow_with_gaits_and_frames(tmp_path, suffix):
    path = tmp_path / f"walks{suffix}"
    assert estimate_size(path, 1000, 75) > 1000 * 75 * 48 * 4
    assert estimate_size(path, 1001, 75) > estimate_size(path, 1000, 75)
    assert estimate_size(path, 1000, 76) > estimate_size(path, 1000, 75)
