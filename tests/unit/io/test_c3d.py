import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.errors import DataFormatError, MoodwalkError
from moodwalk.gait import MAX_FRAMES
from moodwalk.io.c3d import begins_c3d, read_c3d
from moodwalk.recording import Recording

INTEL, DEC, SGI = 84, 85, 86
LABELS = ("LASI", "RASI", "LKNE", "RKNE")


def make_points(n_frames=12, n_points=4, seed=0):
    points = np.random.default_rng(seed).normal(0.0, 300.0, (n_frames, n_points, 3))
    points[..., 2] = np.linspace(0.0, 1700.0, n_points) + 1.0
    return points.astype(np.float32).astype(np.float64)


class Writer:
    """A C3D file in the numbers of one of three processors, as the format's manual describes it."""

    def __init__(self, processor=INTEL, floats=True, scale=0.1):
        self.processor, self.floats, self.scale = processor, floats, scale
        self.order = ">" if processor == SGI else "<"

    def put_float(self, value):
        if self.processor == DEC:
            low, high = struct.unpack("<2H", struct.pack("<f", 4.0 * value))
            return struct.pack("<2H", high, low)
        return struct.pack(f"{self.order}f", value)

    def put_word(self, value):
        return struct.pack(f"{self.order}H", value % 2**16)

    def put_entry(self, group, name, rest, last=False):
        step = 0 if last else len(rest) + 2
        return bytes([len(name), group % 256]) + name.encode() + self.put_word(step) + rest

    def put_value(self, group, name, value):
        if isinstance(value, list):  # text
            texts = [text.encode() for text in value]
            length = max(map(len, texts), default=0)
            raw = b"".join(text.ljust(length) for text in texts)
            rest = bytes([0xFF, 2, length, len(texts)]) + raw
        elif isinstance(value, tuple):
            rest = bytes([2, 1, len(value)]) + b"".join(map(self.put_word, value))
        elif isinstance(value, float):
            rest = bytes([4, 0]) + self.put_float(value)
        else:
            rest = bytes([2, 0]) + self.put_word(value)
        return self.put_entry(group, name, rest + b"\0")

    def put_points(self, points, residuals, analog):
        put = self.put_float if self.floats else lambda v: self.put_word(round(v))
        size = 1.0 if self.floats else self.scale
        frames = []
        for xyz, residual in zip(points, residuals, strict=True):
            for place, r in zip(xyz, residual, strict=True):
                frames += [put(v / size) for v in place] + [put(r)]
            frames += [put(7.0)] * analog
        return b"".join(frames)

    def write(self, path, points, labels=LABELS, residuals=None, header=None, analog=0, **more):
        """Write points; `header` changes words of it, `more` adds or takes away parameters."""
        n_frames, n_points = points.shape[:2]
        residuals = np.zeros((n_frames, n_points)) if residuals is None else residuals
        scale = -self.scale if self.floats else self.scale
        parameters = {
            "POINT:USED": n_points,
            "POINT:SCALE": scale,
            "POINT:RATE": 100.0,
            "POINT:DATA_START": 0,
            "POINT:FRAMES": n_frames,
            "POINT:LABELS": list(labels),
            "POINT:UNITS": ["mm"],
            "ANALOG:USED": analog,
            "ANALOG:RATE": 100.0,
        } | {name.replace("__", ":"): value for name, value in more.items()}
        groups = {name: i + 1 for i, name in enumerate({n.split(":")[0]: 0 for n in parameters})}
        for _ in range(2):  # the second time with the right block
            section = b"".join(self.put_entry(-i, g, b"\0") for g, i in groups.items())
            for name, value in parameters.items():
                if value is not None:
                    group, _, own = name.partition(":")
                    section += self.put_value(groups[group], own, value)
            n_blocks = -(-(len(section) + 6) // 512)
            if parameters["POINT:DATA_START"] == 0:
                parameters["POINT:DATA_START"] = 2 + n_blocks
        words = [0, n_points, analog, 1, n_frames, 10, 0, 0, 2 + n_blocks, 1 if analog else 0]
        for i, word in (header or {}).items():
            words[i] = word
        start = bytes([2, 0x50]) + b"".join(map(self.put_word, words[1:6])) + self.put_float(scale)
        start += b"".join(map(self.put_word, words[8:10])) + self.put_float(100.0)
        section = bytes([1, 0x50, n_blocks % 256, self.processor]) + section
        data = self.put_points(points, residuals, analog)
        path.write_bytes(start.ljust(512, b"\0") + section.ljust(512 * n_blocks, b"\0") + data)
        return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "walk.c3d"


def tell(recording):
    return {finding.what: finding.value for finding in recording.findings}


def test_points_come_out_as_they_went_in(path):
    points = make_points()
    read = read_c3d(Writer().write(path, points))
    np.testing.assert_array_equal(read.positions, points)
    assert (read.joints, read.fps, read.format) == (LABELS, 100.0, "C3D")
    assert (read.unit_m, read.up, read.subject) == (0.001, None, None)
    assert (read.name, read.source, read.findings) == ("walk", "walk.c3d", ())


@pytest.mark.parametrize("analog", [0, 6])
@pytest.mark.parametrize("floats", [True, False])
@pytest.mark.parametrize("processor", [INTEL, DEC, SGI])
def test_every_processor_and_both_kinds_of_numbers_are_read(path, processor, floats, analog):
    points = make_points()
    read = read_c3d(Writer(processor, floats).write(path, points, analog=analog))
    np.testing.assert_allclose(read.positions, points, atol=1e-9 if floats else 0.0501)


def test_a_negative_residual_and_the_exact_origin_are_missing(path):
    points = make_points()
    residuals = np.zeros(points.shape[:2])
    residuals[3, 1] = -1.0
    points[5, 2] = 0.0
    points[6, 2, :2] = 0.0  # above the origin is a place
    points[7, 3, 1] = np.nan
    read = read_c3d(Writer().write(path, points, residuals=residuals))
    expected = np.zeros((12, 4), dtype=bool)
    expected[3, 1] = expected[5, 2] = expected[7, 3] = True
    missing = np.isnan(read.positions)
    np.testing.assert_array_equal(missing.any(axis=2), expected)
    np.testing.assert_array_equal(missing.all(axis=2), expected)


def test_integers_with_a_camera_mask_are_seen(path):
    residuals = np.full((12, 4), float(0x7F03))
    residuals[2, 2] = -32765.0
    read = read_c3d(Writer(floats=False).write(path, make_points(), residuals=residuals))
    missing = np.isnan(read.positions).any(axis=2)
    assert [tuple(where) for where in np.argwhere(missing)] == [(2, 2)]


@pytest.mark.parametrize(
    ("units", "unit_m"), [("mm", 0.001), ("cm", 0.01), ("M", 1.0), ("in", 0.0254)]
)
def test_the_unit_is_read(path, units, unit_m):
    assert read_c3d(Writer().write(path, make_points(), POINT__UNITS=[units])).unit_m == unit_m


@pytest.mark.parametrize("units", [None, ["furlong"], [""]])
def test_an_unknown_unit_is_none_and_told(path, units):
    read = read_c3d(Writer().write(path, make_points(), POINT__UNITS=units))
    assert read.unit_m is None
    assert tell(read)["unit in the file"] == "unknown"


def test_up_is_the_axis_shown_upright(path):
    screen = {"POINT__X_SCREEN": ["+X"], "POINT__Y_SCREEN": ["+Z"]}
    assert read_c3d(Writer().write(path, make_points(), **screen)).up == "+z"


def test_up_is_not_believed_where_points_lie_flat_along_it(path):
    points = make_points()[..., [2, 0, 1]]
    screen = {"POINT__X_SCREEN": ["+X"], "POINT__Y_SCREEN": ["+Z"]}
    read = read_c3d(Writer().write(path, points, **screen))
    assert read.up is None
    assert tell(read)["up axis in the file"] == "not believed"


@pytest.mark.parametrize(("x", "y"), [("+Z", "+Z"), ("+X", "-Z"), ("", "+Z"), ("+X", "up")])
def test_up_is_none_where_the_screen_makes_no_sense(path, x, y):
    screen = {"POINT__X_SCREEN": [x], "POINT__Y_SCREEN": [y]}
    assert read_c3d(Writer().write(path, make_points(), **screen)).up is None


def test_names_of_one_person_are_taken_off(path):
    labels = [f"Anna:{label}" for label in LABELS]
    read = read_c3d(Writer().write(path, make_points(), labels))
    assert (read.joints, read.subject) == (LABELS, "Anna")


def test_one_name_in_the_group_subjects_is_the_person(path):
    read = read_c3d(Writer().write(path, make_points(), SUBJECTS__NAMES=["Anna"]))
    assert read.subject == "Anna"


def write_two(path, n_second=12):
    labels = [f"Anna:M{i}" for i in range(12)] + [f"Ben:M{i}" for i in range(n_second)] + ["lamp"]
    return Writer().write(path, make_points(n_points=len(labels)), labels)


def test_two_people_are_refused_unless_one_is_named(path):
    write_two(path)
    with pytest.raises(DataFormatError, match=r"2 subjects: 'Anna' \(12 points\), 'Ben' \(12 "):
        read_c3d(path)
    read = read_c3d(path, subject="Ben")
    assert (read.subject, tell(read)["subject"]) == ("Ben", "Ben")
    assert read.joints == (*(f"M{i}" for i in range(12)), "lamp")
    np.testing.assert_array_equal(read.positions, make_points(n_points=25)[:, 12:])
    with pytest.raises(DataFormatError, match="no subject 'Eve'; found 'Anna'"):
        read_c3d(path, subject="Eve")


def test_a_prop_is_no_person(path):
    read = read_c3d(write_two(path, n_second=4))
    assert (read.subject, len(read.joints)) == ("Anna", 13)
    assert tell(read)["subject"] == "Anna"


def test_missing_and_equal_labels_become_names_of_their_own(path):
    labels = ["LASI", "LASI", "LASI (2)", "", "LASI"]
    read = read_c3d(Writer().write(path, make_points(n_points=7), labels))
    assert read.joints == (
        "LASI",
        "LASI (2)",
        "LASI (2) (2)",
        "point 4",
        "LASI (3)",
        "point 6",
        "point 7",
    )
    assert tell(read)["labels given twice"] == "LASI"
    assert tell(read)["points without a label"] == "3 of 7"


def test_a_number_behind_a_label_is_not_given_twice(path):
    read = read_c3d(Writer().write(path, make_points(n_points=3), ["A (2)", "A", "A"]))
    assert read.joints == ("A (2)", "A", "A (3)")


def test_labels_beyond_255_stand_in_a_second_parameter(path):
    labels = [f"M{i}" for i in range(300)]
    more = {"POINT__LABELS2": labels[255:]}
    read = read_c3d(Writer().write(path, make_points(3, 300), labels[:255], **more))
    assert read.joints == tuple(labels)


def test_angles_and_forces_are_no_places(path):
    labels = [*LABELS, "LKneeAngles", "LKneeMoment"]
    more = {"POINT__ANGLES": ["LKneeAngles"], "POINT__MOMENTS": ["LKneeMoment"]}
    read = read_c3d(Writer().write(path, make_points(n_points=6), labels, **more))
    assert read.joints == LABELS
    assert tell(read)["results of a model"] == "2 points left out"


def test_more_frames_than_16_bits_hold_are_read(path):
    n_frames = 70_000
    trial = {
        "TRIAL__ACTUAL_START_FIELD": (1, 0),
        "TRIAL__ACTUAL_END_FIELD": (n_frames - 65_536, 1),
    }
    for longer in ({"POINT__LONG_FRAMES": 70_000.0}, trial, {"POINT__FRAMES": 70_000.0}):
        more = {"POINT__FRAMES": 65_535, "header": {4: 65_535}} | longer
        points = make_points(100, 1)
        raw = Writer(floats=False).write(path, points, ("C7",), **more).read_bytes()
        path.write_bytes(raw + raw[-800:] * 699)  # frames of 8 bytes
        read = read_c3d(path)
        np.testing.assert_allclose(read.positions[-100:], points, atol=0.0501)
        assert len(read) == n_frames
        if "POINT__FRAMES" not in longer:
            assert read.findings == ()


@pytest.mark.parametrize(
    ("change", "n_frames"),
    [
        ({"header": {4: 400}}, 12),  # the raw range, of which 12 frames were kept
        ({"POINT__FRAMES": 6, "header": {3: 101, 4: 112}}, 12),
        ({"POINT__USED": 40}, 12),
        ({"header": {1: 2}}, 12),
        ({"header": {2: 64}}, 12),
        ({"POINT__DATA_START": 9}, 12),
        ({"POINT__SCALE": 0.1}, 12),
    ],
)
def test_the_length_of_the_file_decides_between_header_and_parameters(path, change, n_frames):
    points = make_points(n_points=40)
    labels = [f"M{i}" for i in range(40)]
    read = read_c3d(Writer().write(path, points, labels, **change))
    np.testing.assert_array_equal(read.positions, points[:n_frames])
    agree = change == {"POINT__USED": 40}
    assert any("header and parameters disagree" in f.evidence for f in read.findings) is not agree


def test_a_negative_number_of_channels_is_no_choice(path):
    written = Writer().write(path, make_points(4, 1), ("C7",), analog=1, ANALOG__USED=-4.0)
    np.testing.assert_array_equal(read_c3d(written).positions, make_points(4, 1))


def test_a_file_too_short_to_decide_is_refused(path):
    written = Writer().write(path, make_points(5), POINT__SCALE=0.1)
    with pytest.raises(DataFormatError, match="disagree on the scale, and the length of the file"):
        read_c3d(written)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"POINT__USED": 0, "header": {1: 0}}, "holds no points, nothing"),
        ({"POINT__USED": 0, "header": {1: 0}, "analog": 4}, "no points, only analog channels"),
        ({"POINT__FRAMES": 0, "header": {4: 0}}, "holds no frames"),
        (
            {"POINT__FRAMES": 900, "header": {4: 900}},
            "is truncated: .* expected [0-9,]+ for the frames it claims",
        ),
        ({"POINT__USED": 65_535, "header": {1: 65_535}}, "is truncated"),
        ({"POINT__RATE": None, "header": {}}, None),
        ({"POINT__SCALE": float("nan"), "header": {}}, None),
        ({"POINT__DATA_START": 1, "header": {8: 1}}, "begin before the parameters end"),
        ({"POINT__DATA_START": 60_000, "header": {8: 60_000}}, "is truncated"),
        ({"POINT__FRAMES": 7, "header": {1: 3, 4: 7}}, "disagree on the number of points"),
        ({"POINT__LABELS": ["A"] * 4, "POINT__ANGLES": ["A"]}, "angles and forces only"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(path, change, message):
    written = Writer().write(path, make_points(40), **change)
    if message is None:  # the header says it too
        read = read_c3d(written)
        assert (read.fps, len(read)) == (100.0, 40)
        return
    with pytest.raises(DataFormatError, match=message) as error:
        read_c3d(written)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_frame_rate_of_zero_is_refused(path):
    raw = bytearray(Writer().write(path, make_points(), POINT__RATE=0.0).read_bytes())
    raw[20:24] = struct.pack("<f", 0.0)
    path.write_bytes(raw)
    with pytest.raises(DataFormatError, match=r"frame rate \(POINT:RATE\) is 0.0; expected 1 to"):
        read_c3d(path)


def test_points_that_are_never_seen_are_refused(path):
    with pytest.raises(DataFormatError, match="no point is visible"):
        read_c3d(Writer().write(path, make_points(), residuals=np.full((12, 4), -1.0)))


def test_more_frames_than_a_walk_has_are_refused(path):
    points = make_points(1, 1)
    n = MAX_FRAMES + 1
    Writer(floats=False).write(
        path, points, ("C7",), POINT__LONG_FRAMES=float(n), header={4: 65_535}, POINT__FRAMES=65_535
    )
    with path.open("ab") as file:
        file.write(bytes(8 * n))
    with pytest.raises(DataFormatError, match=f"claims {n:,} frames; expected at most"):
        read_c3d(path)


def test_a_claim_of_two_to_the_32_points_takes_no_memory(path):
    change = {"POINT__USED": 65_535, "POINT__LONG_FRAMES": 190_000.0, "header": {1: 65_535}}
    with pytest.raises(DataFormatError, match="is truncated"):
        read_c3d(Writer().write(path, make_points(), **change))


def test_a_sparse_file_of_many_points_is_refused_before_memory_is_taken(path):
    change = {"POINT__USED": 60_000, "POINT__FRAMES": 10_000, "header": {1: 60_000, 4: 10_000}}
    Writer().write(path, make_points(), **change)
    os.truncate(path, 60_000 * 16 * 10_000 + 512 * 10)
    with pytest.raises(DataFormatError, match="10,000 frames of 60,000 points; expected at most"):
        read_c3d(path)


def test_numbers_from_the_wrong_place_are_refused(path):
    raw = Writer().write(path, make_points(40)).read_bytes()
    path.write_bytes(raw[:1030] + raw[1031:] + b"\0")  # one byte of the data is lost
    with pytest.raises(DataFormatError, match="coordinates beyond 10,000,000 units"):
        read_c3d(path)


def test_every_truncation_is_refused(path):
    raw = Writer().write(path, make_points()).read_bytes()
    for length in (*range(1, 40), *range(500, 1100, 7), *range(1100, len(raw), 31)):
        path.write_bytes(raw[:length])
        with pytest.raises(DataFormatError, match=r"truncated|damaged|not C3D"):
            read_c3d(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected a C3D file"),
        (b"HIERARCHY\n", "is not C3D: it begins with b'HIER'"),
        (b"\x02", "is not C3D"),
        (b"\x02P\x00", "is truncated: 3 bytes; expected a header of 512"),
        (b"\x02P" + bytes(510), "is truncated: 512 bytes; expected parameters from block 2"),
        (b"\x02P" + bytes(600), "name processor 0; expected 84"),
        (b"\x02P" + bytes(513) + b"T" + b"\x05\x01POIN", "parameters are damaged after 0"),
        (b"\x02P" + bytes(513) + b"T" + b"\x01\x01P\x01\x00" * 200, "parameters are damaged"),
        (b"\x02P" + bytes(513) + b"T" + b"\x01\x01P\x20\x00\xff\x09" + b"\xff" * 99, "damaged"),
        (b"\x02P" + bytes(513) + b"T" + bytes(600), "holds no points, nothing"),
    ],
)
def test_files_that_are_no_c3d_are_refused(path, content, message):
    path.write_bytes(content)
    with pytest.raises(DataFormatError, match=message):
        read_c3d(path)


def test_missing_files_and_folders_are_refused(path, tmp_path):
    with pytest.raises(DataFormatError, match="does not exist; expected a C3D file"):
        read_c3d(path)
    with pytest.raises(DataFormatError, match="is a folder"):
        read_c3d(tmp_path)


def test_the_beginning_tells_c3d_from_other_files(path):
    assert begins_c3d(Writer().write(path, make_points()).read_bytes()[:16])
    for other in (
        b"",
        b"P",
        b"PK\x03\x04",
        b"PAR1",
        b"HIERARCHY",
        b"IP,frame\n",
        b"\tP\n",
        b"\x89HDF",
    ):
        assert not begins_c3d(other)


@pytest.mark.parametrize("processor", [INTEL, DEC, SGI])
@pytest.mark.parametrize("name", ["POINT:SCALE", "POINT:RATE"])
def test_a_signalling_number_in_a_parameter_is_no_number(path, processor, name):
    writer = Writer(processor)
    raw = writer.write(path, make_points(), **{name.replace(":", "__"): -123.25}).read_bytes()
    wrong = {INTEL: b"\1\0\xa0\x7f", DEC: b"\xa0\x7f\1\0", SGI: b"\x7f\xa0\0\1"}[processor]
    assert raw.count(writer.put_float(-123.25)) == 1
    path.write_bytes(raw.replace(writer.put_float(-123.25), wrong))
    read = read_c3d(path)  # the header has the right one
    np.testing.assert_array_equal(read.positions, make_points())
    assert read.fps == 100.0


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, 2500),
)
def test_damaged_files_give_points_or_one_line(tmp_path_factory, changes, length):
    folder = tmp_path_factory.getbasetemp()
    whole = folder / "whole.c3d"
    if not whole.exists():
        more = {"TRIAL__ACTUAL_START_FIELD": (1, 0), "TRIAL__ACTUAL_END_FIELD": (12, 0)}
        Writer().write(whole, make_points(), analog=2, **more)
    raw = bytearray(whole.read_bytes())
    for at, value in changes:
        raw[at % len(raw)] = value
    damaged = folder / "damaged.c3d"
    damaged.write_bytes(raw[: length or None])
    try:
        read = read_c3d(damaged)
    except MoodwalkError as error:
        lines = str(error).splitlines()
    else:
        assert isinstance(read, Recording)
        assert read.positions.nbytes < 64 * len(raw)
        lines = [finding.what for finding in read.findings][:1] or [""]
    assert len(lines) == 1


@pytest.fixture
def ezc3d():
    return pytest.importorskip("ezc3d", reason="another implementation to compare with")


def test_files_of_another_writer_are_read(ezc3d, path):
    points = make_points(30, 5)
    file = ezc3d.c3d()
    point, analog = file["parameters"]["POINT"], file["parameters"]["ANALOG"]
    point["RATE"]["value"], point["UNITS"]["value"] = [120.0], ["m"]
    point["LABELS"]["value"] = [f"Anna:M{i}" for i in range(5)]
    data = np.zeros((4, 5, 30))
    data[:3] = points.transpose(2, 1, 0)
    data[:3, 2, 10:15] = np.nan
    file["data"]["points"] = data
    analog["RATE"]["value"], analog["LABELS"]["value"] = [480.0], ["a", "b"]
    file["data"]["analogs"] = np.random.default_rng(0).normal(size=(1, 2, 120))
    file.write(str(path))
    read = read_c3d(path)
    points[10:15, 2] = np.nan
    np.testing.assert_array_equal(read.positions, points)
    assert (read.fps, read.unit_m, read.subject) == (120.0, 1.0, "Anna")


@pytest.mark.parametrize("floats", [True, False])
@pytest.mark.parametrize("processor", [INTEL, DEC])  # the other one does not know SGI
def test_another_reader_reads_the_same_points(ezc3d, path, processor, floats):
    Writer(processor, floats).write(path, make_points())
    other = ezc3d.c3d(str(path))["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(read_c3d(path).positions, other, rtol=1e-6)
