import os
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moodwalk.emotion import EMOTIONS, LABEL_ORDERS, Emotion
from moodwalk.errors import DataFormatError, LabelError, MoodwalkError
from moodwalk.gait import Gait, GaitSet
from moodwalk.io import load_emotion_gait, read, read_gait, write_emotion_gait
from moodwalk.io.emotion_gait import parse_subject, read_emotion_gait_parts

KEYS = (
    "001_Angry_positions.csv",
    "002_Happy_positions.csv",
    "ali_walk_sa_1_fin_positions.csv",
    "10_04_positions.csv",
)
CODES = dict(zip(KEYS, range(4), strict=True))


def make_walk(seed, n_frames=30, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(n_frames, 48)).astype(dtype)


def write_file(path, values):
    with h5py.File(path, "w") as file:
        for key, value in values.items():
            file.create_dataset(key, data=value)
    return path


def write_set(folder, suffix="", keys=KEYS, codes=None, n_frames=30):
    folder.mkdir(exist_ok=True)
    walks = {key: make_walk(i, n_frames) for i, key in enumerate(keys)}
    write_file(folder / f"features{suffix}.h5", walks)
    write_file(
        folder / f"labels{suffix}.h5",
        {key: np.int32(code) for key, code in (codes or CODES).items()},
    )
    return walks


@pytest.fixture
def folder(tmp_path):
    write_set(tmp_path / "set")
    return tmp_path / "set"


def check_refused(path, kind=DataFormatError, saying="", **options):
    files = {p: p.stat().st_mtime_ns for p in Path(path).parent.rglob("*")}
    with pytest.raises(kind) as caught:
        load_emotion_gait(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert saying in message
    assert {p: p.stat().st_mtime_ns for p in Path(path).parent.rglob("*")} == files
    return message


# what the published set holds


def test_real_set_has_the_known_counts(real_gaits):
    assert len(real_gaits) == 342
    assert real_gaits.n_subjects == 134
    assert real_gaits.label_counts == {"happy": 112, "angry": 33, "sad": 78, "neutral": 119}
    lengths = [len(gait) for gait in real_gaits]
    assert (min(lengths), max(lengths)) == (18, 75)
    assert {gait.fps for gait in real_gaits} == {30.0}
    assert not any(gait.synthetic for gait in real_gaits)
    assert real_gaits.problems == ()


def test_real_subjects_come_from_every_kind_of_key(real_gaits):
    kinds = Counter(subject.split("-")[0] for subject in set(real_gaits.subjects.tolist()))
    assert kinds["acted"] == 21
    assert kinds["walk"] == 30
    assert kinds["session"] == 7
    assert kinds["group"] == 4
    files = sum(n for kind, n in kinds.items() if kind.startswith("File"))
    assert files == 10
    assert sum(g.subject.startswith("group-") for g in real_gaits) == 41


@pytest.mark.parametrize(
    ("key", "subject"),
    [
        ("001_Angry_positions.csv", "acted-001"),
        ("ali_walk_nu_1_fin_positions.csv", "walk-ali"),
        ("S7_1_positions.csv", "session-S7"),
        ("21_Scene_17_database_normed_positions.csv", "scene-21"),
        ("1_3_11_positions.csv", "group-1"),
        ("10_04_positions.csv", "cmu-10"),
        ("File3_positions.csv", "File3"),
        ("somebody", "somebody"),
    ],
)
def test_subject_of_a_key(key, subject):
    assert parse_subject(key) == subject


def test_gaits_labels_and_acted_emotion(folder):
    gaits = load_emotion_gait(folder)
    by_name = {gait.name: gait for gait in gaits}
    assert {name: str(gait.label) for name, gait in by_name.items()} == dict(
        zip(KEYS, ("happy", "angry", "sad", "neutral"), strict=True)
    )
    assert [by_name[key].acted for key in KEYS] == ["angry", "happy", "sad", None]
    for i, key in enumerate(KEYS):
        np.testing.assert_array_equal(
            by_name[key].positions, make_walk(i).reshape(30, 16, 3), strict=True
        )
    assert {(g.fps, g.source, g.synthetic) for g in gaits} == {(30.0, "features.h5", False)}


def test_elmd_is_60_fps_one_subject_and_has_its_own_order(tmp_path):
    keys = tuple(f"{i}" for i in range(4))
    codes = {key: i for i, key in enumerate(keys)}
    write_set(tmp_path / "set", "_ELMD", keys, codes, n_frames=240)
    gaits = load_emotion_gait(tmp_path / "set")
    assert {(len(g), g.fps, g.subject, g.acted) for g in gaits} == {(240, 60.0, "elmd", None)}
    assert gaits.labels.tolist() == ["happy", "sad", "angry", "neutral"]
    assert "not verified" in gaits.problems[0]


def test_names_of_synthetic_keys_are_read_as_codes(tmp_path):
    keys = ("00001_Angry", "00002_Neutral", "00003_Happy", "00004_Sad")
    path = write_file(
        tmp_path / "featuresCVAEGCN_1_2000.h5", {key: make_walk(0, 75) for key in keys}
    )
    gaits = load_emotion_gait(tmp_path)
    assert gaits.labels.tolist() == ["happy", "angry", "sad", "neutral"]
    assert all(gait.synthetic and gait.subject == "step-gen" for gait in gaits)
    assert "published label order" in gaits.problems[0]
    assert read_emotion_gait_parts(path)[0].codes.tolist() == [0, 1, 2, 3]
    as_named = load_emotion_gait(tmp_path, "published")
    assert as_named.labels.tolist() == ["angry", "neutral", "happy", "sad"]
    assert as_named.problems == ()


def test_synthetic_gaits_stay_synthetic_beside_a_label_file(tmp_path):
    keys = ("00001_Angry", "00002_Neutral", "00003_Happy", "00004_Sad")
    codes = {key: 3 - i for i, key in enumerate(keys)}
    write_set(tmp_path / "set", "CVAEGCN_1_2000", keys, codes)
    gaits = load_emotion_gait(tmp_path / "set")
    assert all(gait.synthetic and gait.subject == "step-gen" for gait in gaits)
    assert gaits.labels.tolist() == ["neutral", "sad", "angry", "happy"]


def test_published_features_are_read_where_they_lie_beside(folder):
    assert all(gait.published_features is None for gait in load_emotion_gait(folder))
    rows = {key: np.linspace(-1, 1, 27) * (i + 1) for i, key in enumerate(KEYS)}
    write_file(folder / "affectiveFeatures.h5", rows)
    for gait in load_emotion_gait(folder):
        np.testing.assert_array_equal(gait.published_features, rows[gait.name])


def test_all_files_of_a_folder_make_one_set(folder):
    keys = ("0", "1", "2", "3")
    write_set(folder, "_ELMD", keys, {key: i for i, key in enumerate(keys)}, n_frames=240)
    write_file(folder / "featuresCVAEGCN_1_2000.h5", {"00003_Happy": make_walk(9, 75)})
    parts = read_emotion_gait_parts(folder)
    assert [part.features.name for part in parts] == [
        "features.h5",
        "featuresCVAEGCN_1_2000.h5",
        "features_ELMD.h5",
    ]
    assert len(load_emotion_gait(folder)) == 9
    assert {gait.fps for gait in read(folder)} == {30.0, 60.0}


@pytest.mark.parametrize("order", ["sad,neutral,angry,happy", ["sad", "neutral", "angry", "happy"]])
def test_label_order_can_be_given(folder, order):
    labels = {g.name: g.label for g in load_emotion_gait(folder, order)}
    assert [labels[key] for key in KEYS] == ["sad", "neutral", "angry", "happy"]


def test_codes_do_not_depend_on_the_order_in_use(folder):
    codes = [
        read_emotion_gait_parts(folder, order)[0].codes.tolist() for order in (None, *LABEL_ORDERS)
    ]
    assert codes.count(codes[0]) == len(codes)


@pytest.mark.parametrize("order", ["happy,angry,sad", "happy,happy,sad,neutral", "joy,a,b,c", ""])
def test_impossible_label_order(folder, order):
    check_refused(folder, LabelError, labels=order)


def test_a_file_without_labels_gives_gaits_without(tmp_path):
    write_file(tmp_path / "features.h5", {"10_04_positions.csv": make_walk(0)})
    gaits = load_emotion_gait(tmp_path)
    assert gaits[0].label is None
    assert "no labels.h5" in gaits.problems[0]


def test_a_file_of_another_name_leaves_its_neighbours_alone(folder):
    write_file(folder / "affectiveFeatures.h5", {key: np.zeros(27) for key in KEYS})
    path = write_file(folder / "mine.h5", {"a": make_walk(0), "b": make_walk(1)})
    assert [gait.label for gait in load_emotion_gait(path)] == [None, None]


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", ">f8", "<f2", "<i4", "u1", "g"])
def test_every_number_type_becomes_a_native_float(tmp_path, dtype):
    values = np.arange(48 * 5).reshape(5, 48).astype(dtype)
    write_file(tmp_path / "features.h5", {"1_2": values})
    positions = load_emotion_gait(tmp_path)[0].positions
    assert positions.dtype == (np.float32 if dtype[1:] == "f4" else np.float64)
    np.testing.assert_array_equal(positions.reshape(5, 48), np.arange(240).reshape(5, 48))


# one walk


def test_read_gait_picks_by_name(folder):
    assert read_gait(folder, name=KEYS[3]).name == KEYS[3]
    with pytest.raises(DataFormatError, match="4 such walks"):
        read_gait(folder)
    with pytest.raises(DataFormatError, match="no walk called 'nobody'"):
        read_gait(folder, name="nobody")


# bad files


def test_missing_path(tmp_path):
    check_refused(tmp_path / "nowhere", saying="does not exist")


def test_a_path_that_the_system_refuses(tmp_path):
    check_refused(tmp_path / ("x" * 5000), saying="cannot be read")


def test_folder_without_files(tmp_path):
    (tmp_path / "set").mkdir()
    check_refused(tmp_path / "set", saying="no features*.h5")


@pytest.mark.parametrize("name", ["features.h5", "labels.h5", "affectiveFeatures.h5"])
@pytest.mark.parametrize(
    ("content", "saying"),
    [
        (b"", "is empty"),
        (b"frame,x,y,z\n0,1,2,3\n", "is not HDF5"),
        (b"\x89HDF\r\n\x1a\n", "damaged or truncated"),
        (b"\x89HDF\r\n\x1a\n" + bytes(4000), "damaged or truncated"),
    ],
    ids=["empty", "csv", "signature only", "zeros"],
)
def test_content_that_is_no_hdf5(folder, name, content, saying):
    (folder / name).write_bytes(content)
    check_refused(folder, saying=saying)


@pytest.mark.parametrize("name", ["features.h5", "labels.h5", "affectiveFeatures.h5"])
def test_a_folder_where_a_file_is_expected(folder, name):
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    check_refused(folder, saying="is a folder")


def test_a_pipe_where_a_file_is_expected_does_not_block(folder):
    (folder / "labels.h5").unlink()
    os.mkfifo(folder / "labels.h5")
    check_refused(folder, saying="no ordinary file")


@pytest.mark.parametrize("name", ["features.h5", "labels.h5"])
def test_every_truncation_is_noticed(folder, name):
    whole = (folder / name).read_bytes()
    cuts = {*np.linspace(1, len(whole) - 1, 60).astype(int).tolist(), 8, 96, 512, len(whole) - 1}
    for cut in cuts:
        (folder / name).write_bytes(whole[:cut])
        with pytest.raises(MoodwalkError) as caught:
            load_emotion_gait(folder)
        assert "\n" not in str(caught.value)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["features.h5", "labels.h5"]),
    damage=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8))
    ),
)
def test_damage_gives_gaits_or_one_line(folder, name, damage):
    whole = (folder / name).read_bytes()
    broken = bytearray(whole)
    for place, content in damage:
        start = int(place * len(broken))
        broken[start : start + len(content)] = content
    (folder / name).write_bytes(broken)
    gaits, message = (), ""
    try:
        gaits = load_emotion_gait(folder)
    except MoodwalkError as error:
        message = str(error)
    finally:
        (folder / name).write_bytes(whole)
    assert len(gaits) or message
    assert "\n" not in message
    assert all(np.isfinite(gait.positions).all() for gait in gaits)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["", "features.h5", "labels.h5"])
def test_no_permission(folder, name):
    path = folder / name
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        with pytest.raises(DataFormatError, match="permission"):
            load_emotion_gait(folder)
    finally:
        path.chmod(mode)


# bad contents


def test_gait_without_label(folder):
    write_file(folder / "labels.h5", {key: CODES[key] for key in KEYS[:-1]})
    check_refused(folder, LabelError, saying=f"no label for gait '{KEYS[-1]}'")


def test_label_without_gait(folder):
    write_file(folder / "labels.h5", CODES | {"stranger": 0})
    check_refused(folder, LabelError, saying="labels 'stranger'")


@pytest.mark.parametrize(
    "code", [7, -1, 1.5, np.nan, np.inf, "happy", b"1", [0, 1], True, 2**40, np.zeros((0,))]
)
def test_unknown_code(folder, code):
    write_file(folder / "labels.h5", CODES | {KEYS[0]: code})
    message = check_refused(folder, LabelError)
    assert KEYS[0] in message


@pytest.mark.parametrize("code", [np.uint8(3), np.float32(3), np.array([3]), np.array([[3]])])
def test_codes_may_come_as_any_number(folder, code):
    write_file(folder / "labels.h5", CODES | {KEYS[0]: code})
    labels = {g.name: g.label for g in load_emotion_gait(folder)}
    assert labels[KEYS[0]] is Emotion.NEUTRAL


@pytest.mark.parametrize("shape", [(30, 51), (30, 47), (30, 16, 3), (48,), (), (30, 0)])
def test_wrong_shape(folder, shape):
    write_file(
        folder / "features.h5", {key: make_walk(0) for key in KEYS[1:]} | {KEYS[0]: np.zeros(shape)}
    )
    check_refused(folder, saying="expected (T, 48)")


@pytest.mark.parametrize("n_frames", [0, 1, 3])
def test_too_few_frames(folder, n_frames):
    write_file(folder / "features.h5", {key: make_walk(0, n_frames) for key in KEYS})
    check_refused(folder, saying="expected at least 4")


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    value=st.sampled_from([np.nan, np.inf, -np.inf]),
    place=st.tuples(st.integers(0, 29), st.integers(0, 47)),
)
def test_values_that_are_not_finite(folder, value, place):
    walk = make_walk(0)
    walk[place] = value
    write_file(folder / "features.h5", dict.fromkeys(KEYS, walk))
    check_refused(folder, saying=f"index {place}")


@pytest.mark.parametrize(
    "value",
    [
        np.full((30, 48), "x", dtype=object),
        np.full((30, 48), b"x"),
        np.zeros((30, 48), dtype=complex),
        np.zeros((30, 48), dtype=bool),
        h5py.Empty("f8"),
    ],
    ids=["text", "bytes", "complex", "bool", "null"],
)
def test_datasets_that_hold_no_numbers(tmp_path, value):
    path = tmp_path / "features.h5"
    with h5py.File(path, "w") as file:
        file["1_2"] = value
    check_refused(tmp_path, saying="expected numbers")


@pytest.mark.parametrize("name", ["features.h5", "labels.h5"])
def test_a_group_where_a_dataset_is_expected(folder, name):
    with h5py.File(folder / name, "a") as file:
        del file[KEYS[0]]
        file.create_group(KEYS[0])
    check_refused(folder, saying="is a group")


def test_a_file_without_gaits(tmp_path):
    write_file(tmp_path / "features.h5", {})
    check_refused(tmp_path, saying="holds no gaits")


def test_a_key_with_a_line_break_stays_on_one_line(tmp_path):
    write_file(tmp_path / "features.h5", {"a\nb": np.zeros((3, 48))})
    check_refused(tmp_path, saying=r"a\nb")


def test_published_features_of_the_wrong_width(folder):
    write_file(folder / "affectiveFeatures.h5", {key: np.zeros(26) for key in KEYS})
    check_refused(folder, saying="expected 27")


def test_published_features_that_are_not_finite(folder):
    write_file(folder / "affectiveFeatures.h5", {key: np.full(27, np.nan) for key in KEYS})
    check_refused(folder, saying="expected finite numbers")


def test_published_features_of_other_gaits(folder):
    write_file(folder / "affectiveFeatures.h5", {"other": np.zeros(27)})
    check_refused(folder, saying="no features of gait")


@pytest.mark.parametrize("fps", [0.0, -30.0, np.nan, np.inf, "thirty", [30.0, 60.0]])
def test_impossible_frame_rate(tmp_path, fps):
    path = write_file(tmp_path / "features.h5", {"1_2": make_walk(0)})
    with h5py.File(path, "a") as file:
        file.attrs["fps"] = fps
    check_refused(tmp_path, saying="fps")


# hostile files


def test_a_2_gb_claim_in_a_small_file(tmp_path):
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file.create_dataset("1_2", shape=(2**31 // 384, 48), dtype="f8")
    assert (tmp_path / "features.h5").stat().st_size < 10_000
    check_refused(tmp_path, saying="claims")


def test_a_claim_that_was_never_written(tmp_path):
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file.create_dataset("1_2", shape=(1000, 48), dtype="f8")
    check_refused(tmp_path, saying="holds no data")


def test_many_small_claims_count_together(tmp_path):
    zeros = np.zeros((20_000, 48))
    with h5py.File(tmp_path / "features.h5", "w") as file:
        first = file.create_dataset("0_0", data=zeros, compression="gzip", compression_opts=9)
        for i in range(1, 300):  # hard links to the one dataset: 2 GB to read, 50 kB of file
            file[f"{i}_0"] = first
    assert (tmp_path / "features.h5").stat().st_size < 300_000
    check_refused(tmp_path, saying="MiB of numbers")


def test_a_chunk_far_larger_than_its_gait(tmp_path):
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file.create_dataset(
            "1_2",
            data=np.zeros((5, 48)),
            maxshape=(None, 48),
            chunks=(400_000, 48),
            compression="gzip",
        )
    check_refused(tmp_path, saying="MiB of numbers")


def test_ordinary_compression_is_read(tmp_path):
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file.create_dataset("1_2", data=make_walk(0, 2000), compression="gzip")
    assert len(load_emotion_gait(tmp_path)[0]) == 2000


@pytest.mark.parametrize(
    "link", [h5py.ExternalLink("other.h5", "/secret"), h5py.SoftLink("/0_1"), h5py.SoftLink("/no")]
)
def test_links_are_not_followed(tmp_path, link):
    write_file(tmp_path / "other.h5", {"secret": make_walk(1)})
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file["0_1"] = make_walk(0)
        file["1_2"] = link
    check_refused(tmp_path, saying="link")


def test_label_links_are_not_followed(folder):
    write_file(folder / "other.h5", {"secret": 1})
    with h5py.File(folder / "labels.h5", "a") as file:
        del file[KEYS[0]]
        file[KEYS[0]] = h5py.ExternalLink("other.h5", "/secret")
    check_refused(folder, saying="link")


def test_virtual_datasets_are_not_followed(tmp_path):
    write_file(tmp_path / "other.h5", {"secret": make_walk(1)})
    layout = h5py.VirtualLayout(shape=(30, 48), dtype="f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", shape=(30, 48))
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file.create_virtual_dataset("1_2", layout)
    check_refused(tmp_path, saying="other files")


def test_external_storage_is_not_followed(tmp_path):
    (tmp_path / "raw").write_bytes(make_walk(1).tobytes())
    with h5py.File(tmp_path / "features.h5", "w") as file:
        file.create_dataset("1_2", (30, 48), "f8", external=[(str(tmp_path / "raw"), 0, 11520)])
    check_refused(tmp_path, saying="other files")


# writing


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_what_is_written_reads_back_equal(tmp_path, data):
    n = data.draw(st.integers(1, 4))
    fps = data.draw(st.floats(1, 240))
    finite = st.floats(-1e6, 1e6, width=32)
    gaits = [
        Gait(
            data.draw(arrays(data.draw(st.sampled_from([np.float32, np.float64])),
                             (data.draw(st.integers(4, 6)), 16, 3), elements=finite)),
            fps,
            name=f"walk {i}",
            subject=data.draw(st.sampled_from([None, "Ada", "李"])),
            label=data.draw(st.sampled_from(EMOTIONS)),
            acted=data.draw(st.sampled_from([None, *EMOTIONS])),
            synthetic=data.draw(st.booleans()),
        )
        for i in range(n)
    ]  # fmt: skip
    path = tmp_path / "features_written.h5"
    write_emotion_gait(path, gaits)
    again = load_emotion_gait(path)
    assert again.problems == ()
    assert len(again) == n
    for old, new in zip(gaits, again, strict=True):
        np.testing.assert_array_equal(new.positions, old.positions, strict=True)
        for field in ("fps", "name", "label", "acted", "synthetic"):
            assert getattr(new, field) == getattr(old, field)
        assert new.subject == old.subject
    assert not read_emotion_gait_parts(path)[0].coded


def test_an_order_given_for_true_names_is_reported(tmp_path):
    gait = Gait(make_walk(0).reshape(-1, 16, 3), 30, label=Emotion.SAD)
    write_emotion_gait(tmp_path / "features.h5", [gait])
    gaits = load_emotion_gait(tmp_path, "published")
    assert gaits.labels.tolist() == ["sad"]
    assert "not used" in gaits.problems[0]


def test_writing_refuses_what_the_format_cannot_hold(tmp_path):
    walk = make_walk(0).reshape(-1, 16, 3)
    gap = walk.copy()
    gap[3, 4] = np.nan
    sad = Emotion.SAD
    path = tmp_path / "new" / "out.h5"
    with pytest.raises(DataFormatError, match="no gaits"):
        write_emotion_gait(path, [])
    with pytest.raises(DataFormatError, match="30, 60 fps"):
        write_emotion_gait(path, [Gait(walk, 30, label=sad), Gait(walk, 60, label=sad)])
    with pytest.raises(DataFormatError, match="misses 1"):
        write_emotion_gait(path, [Gait(gap, 30, label=sad)])
    with pytest.raises(LabelError, match="no label"):
        write_emotion_gait(path, GaitSet([Gait(walk, 30)]))
    assert list(tmp_path.iterdir()) == []
