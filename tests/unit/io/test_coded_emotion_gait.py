import h5py
import numpy as np
import pytest

from moodwalk.emotion import EMOTIONS, LABEL_ORDERS, Emotion
from moodwalk.errors import DataFormatError, LabelError
from moodwalk.gait import Gait
from moodwalk.io import load_emotion_gait
from moodwalk.io.emotion_gait import read_emotion_gait_parts, write_coded_emotion_gait


def make_gait(name, label, seed=0, **options):
    positions = np.random.default_rng(seed).normal(size=(12, 16, 3))
    return Gait(positions, options.pop("fps", 30.0), name=name, label=label, **options)


@pytest.fixture
def gaits():
    return [
        make_gait(f"00{i}_walk", emotion, i, subject=f"s{i // 2}", acted=EMOTIONS[i - 1])
        for i, emotion in enumerate(EMOTIONS)
    ]


@pytest.mark.parametrize("order", LABEL_ORDERS)
@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_coded_walks_read_back_equal(tmp_path, gaits, order, fps):
    gaits = [gait.with_positions(gait.positions, fps) for gait in gaits]
    features, codes = write_coded_emotion_gait(tmp_path / "new", gaits, order)
    (part,) = read_emotion_gait_parts(tmp_path / "new", order)
    assert (part.features, part.labels) == (features, codes)
    assert part.coded
    assert part.order == LABEL_ORDERS[order]
    for read, gait in zip(part.gaits, gaits, strict=True):
        assert np.array_equal(read.positions, gait.positions)
        assert (read.fps, read.name, read.label) == (gait.fps, gait.name, gait.label)
        assert (read.subject, read.acted, read.synthetic) == (gait.subject, gait.acted, False)


def test_the_file_holds_the_codes_of_the_order(tmp_path, gaits):
    _, codes = write_coded_emotion_gait(tmp_path, gaits, "angry,neutral,happy,sad")
    with h5py.File(codes) as file:
        assert {key: file[key][()] for key in file} == dict(
            zip([gait.name for gait in gaits], [2, 0, 3, 1], strict=True)
        )


def test_another_order_gives_other_labels(tmp_path, gaits):
    write_coded_emotion_gait(tmp_path, gaits)
    assert load_emotion_gait(tmp_path).labels.tolist() == list(EMOTIONS)
    wrong = load_emotion_gait(tmp_path, "published").labels.tolist()
    assert wrong == [Emotion.ANGRY, Emotion.NEUTRAL, Emotion.HAPPY, Emotion.SAD]


@pytest.mark.parametrize(
    ("change", "error", "saying"),
    [
        ({"name": ""}, DataFormatError, "cannot be a key"),
        ({"name": ".."}, DataFormatError, "cannot be a key"),
        ({"name": "a/b"}, DataFormatError, "cannot be a key"),
        ({"name": "000_walk"}, DataFormatError, "4 different names"),
        ({"fps": 25.0}, DataFormatError, "25, 30 fps"),
        ({"label": None}, LabelError, "label"),
    ],
)
def test_walks_that_the_format_cannot_hold_are_refused(tmp_path, gaits, change, error, saying):
    other = make_gait(**{"name": "x", "label": Emotion.SAD, **change})
    with pytest.raises(error, match=saying):
        write_coded_emotion_gait(tmp_path / "new", [*gaits, other])
    assert not (tmp_path / "new").exists()


def test_no_walks_and_no_order_are_refused(tmp_path, gaits):
    with pytest.raises(DataFormatError, match="no gaits"):
        write_coded_emotion_gait(tmp_path, [])
    with pytest.raises(LabelError, match="order"):
        write_coded_emotion_gait(tmp_path, gaits, "happy,sad")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_files_that_were_there(tmp_path, gaits, monkeypatch):
    files = write_coded_emotion_gait(tmp_path, gaits)
    before = [file.read_bytes() for file in files]

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("moodwalk.io.emotion_gait._write_features", fail)
    with pytest.raises(DataFormatError, match="disk full"):
        write_coded_emotion_gait(tmp_path, gaits[:2])
    assert [file.read_bytes() for file in files] == before
    assert set(tmp_path.iterdir()) == set(files)
