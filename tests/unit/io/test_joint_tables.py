import csv
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.errors import ConfigError, DataFormatError, LabelError, MoodwalkError
from moodwalk.gait import MAX_FRAMES
from moodwalk.io import joint_columns, joint_groups, joint_rows, joint_times, open_writer
from moodwalk.io.joint_tables import begins_joint_table, is_joint_table, read_joint_table
from moodwalk.io.tables import begins_table
from moodwalk.skeleton import Joint

JOINTS = ("Hips", "LeftUpLeg", "RightUpLeg", "Head", "LeftFoot")
RNG_SEED = 0


def make_positions(n_frames=12, n_joints=5):
    """Multiples of 1/1024 of a metre: text of ten digits holds them exactly."""
    rng = np.random.default_rng(RNG_SEED)
    return rng.integers(-2048, 2048, (n_frames, n_joints, 3)) / 1024


def make_wide(positions=None, joints=JOINTS, form="{}_{}", extra=lambda i: {}, fps="30"):
    """One dict a frame."""
    positions = make_positions() if positions is None else positions
    return [
        {"frame": str(i)}
        | ({"fps": fps} if fps else {})
        | extra(i)
        | {
            form.format(joint, axis): repr(float(positions[i, j, k]))
            for j, joint in enumerate(joints)
            for k, axis in enumerate("xyz")
        }
        for i in range(len(positions))
    ]


def make_long(positions=None, joints=JOINTS, extra=lambda i: {}):
    """One dict a joint and frame."""
    positions = make_positions() if positions is None else positions
    return [
        {"frame": str(i), "joint": joint, "fps": "30"}
        | extra(i)
        | {axis: repr(float(positions[i, j, k])) for k, axis in enumerate("xyz")}
        for i in range(len(positions))
        for j, joint in enumerate(joints)
    ]


def write(path, rows, mark=",", above=""):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=mark, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(above + text.getvalue(), encoding="utf-8", newline="")
    return path


def write_cells(path, *rows):
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


def find(recording, what):
    return [finding.value for finding in recording.findings if finding.what == what]


def check_refused(path, *sayings, kind=DataFormatError, **options):
    with pytest.raises(kind) as caught:
        read_joint_table(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    for saying in (str(path), *sayings):
        assert saying in message


@pytest.fixture
def path(tmp_path):
    return tmp_path / "walk.csv"


# layouts


@pytest.mark.parametrize(
    "form",
    ["{}_{}", "{}.{}", "{} {}", "{}:{}", "{}_pos_{}", "{}_{}_mm", "{}.{} (mm)", "('{}', '{}')",
     "('scorer', '{}', '{}')"],
)  # fmt: skip
def test_names_of_wide_columns(path, form):
    (walk,) = read_joint_table(write(path, make_wide(form=form)))
    assert walk.joints == JOINTS
    assert (walk.fps, walk.format, walk.source, walk.name) == (30.0, "CSV", "walk.csv", "walk")
    assert walk.unit_m == (0.001 if "mm" in form else None)
    np.testing.assert_array_equal(walk.positions, make_positions())
    assert find(walk, "layout") == ["wide"]


@pytest.mark.parametrize("form", ["{}_{}", "{}{}", "{}.{}"])
def test_axes_in_capitals_and_before_the_joint(path, form):
    rows = make_wide(form="{}_{}")
    for before in (False, True):
        renamed = [
            {
                (k[-1] + "_" + k[:-2] if before else form.format(k[:-2], k[-1].upper()))
                if k[-2:] in ("_x", "_y", "_z")
                else k: v
                for k, v in row.items()
            }
            for row in rows
        ]
        (walk,) = read_joint_table(write(path, renamed))
        assert walk.joints == JOINTS
        np.testing.assert_array_equal(walk.positions, make_positions())


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_marks_between_columns(path, mark):
    (walk,) = read_joint_table(write(path, make_wide(), mark))
    np.testing.assert_array_equal(walk.positions, make_positions())
    assert walk.format == ("TSV" if mark == "\t" else "CSV")


def test_long_tables(path):
    rows = make_long()
    (walk,) = read_joint_table(write(path, rows))
    assert walk.joints == JOINTS
    np.testing.assert_array_equal(walk.positions, make_positions())
    assert find(walk, "layout") == ["long"]
    np.random.default_rng(1).shuffle(rows)
    (shuffled,) = read_joint_table(write(path, rows))
    order = [shuffled.joints.index(joint) for joint in JOINTS]
    np.testing.assert_array_equal(shuffled.positions[:, order], make_positions())


def test_a_joint_that_a_long_table_leaves_out_is_missing_there(path):
    rows = make_long()
    del rows[7]  # frame 1, RightUpLeg
    (walk,) = read_joint_table(write(path, rows))
    expected = make_positions()
    expected[1, 2] = np.nan
    np.testing.assert_array_equal(walk.positions, expected)


def test_columns_and_rows_may_be_shuffled(path):
    rows = make_wide()
    rows = [dict(reversed(row.items())) for row in rows]
    (walk,) = read_joint_table(write(path, rows))
    assert not find(walk, "order of rows")
    np.random.default_rng(1).shuffle(rows)
    (walk,) = read_joint_table(write(path, rows))
    order = [walk.joints.index(joint) for joint in JOINTS]
    np.testing.assert_array_equal(walk.positions[:, order], make_positions())
    assert find(walk, "order of rows") == ["sorted by frame"]


def test_names_above_the_axes(path):
    """As DeepLabCut writes it, in three dimensions."""
    positions = make_positions(6, 3)
    write_cells(
        path,
        ["scorer"] + ["net"] * 12,
        ["bodyparts", *[joint for joint in JOINTS[:3] for _ in range(4)]],
        ["coords"] + ["x", "y", "z", "likelihood"] * 3,
        *[[i, *[v for j in range(3) for v in (*positions[i, j], 0.25)]] for i in range(6)],
    )
    (walk,) = read_joint_table(path, fps=50)
    assert walk.joints == JOINTS[:3]
    assert walk.fps == 50
    np.testing.assert_array_equal(walk.positions, positions)
    np.testing.assert_array_equal(walk.confidence, np.full((6, 3), 0.25))


def test_names_and_units_around_the_axes(path):
    """As Vicon writes it: the rate below a word, names over the first of three, units below."""
    positions = make_positions(6, 2)
    write_cells(
        path,
        ["Trajectories"],
        [120],
        ["", "", "A:LASI", "", "", "A:RASI", "", ""],
        ["Frame", "Sub Frame", *"XYZXYZ"],
        ["", "", *["mm"] * 6],
        *[[i + 17, 0, *positions[i].ravel()] for i in range(6)],
    )
    (walk,) = read_joint_table(path)
    assert walk.joints == ("A:LASI", "A:RASI")
    assert (walk.fps, walk.unit_m) == (120.0, 0.001)
    np.testing.assert_array_equal(walk.positions, positions)
    assert find(walk, "columns that are not read") == ["Sub Frame"]


def test_rotations_beside_positions_are_left_alone(path):
    """As Motive writes it: bones with rotations and positions, names among other rows."""
    positions = make_positions(6, 2)
    write_cells(
        path,
        ["Format Version", 1.23, "Capture Frame Rate", 240.0, "Export Frame Rate", 120.0,
         "Rotation Type", "Quaternion", "Length Units", "Meters"],
        [],
        ["", "Type", *["Bone"] * 14],
        ["", "Name", *["S:Hip"] * 7, *["S:Ab"] * 7],
        ["", "ID", *["0A"] * 7, *["0B"] * 7],
        ["", "", *[*["Rotation"] * 4, *["Position"] * 3] * 2],
        ["Frame", "Time (Seconds)", *["X", "Y", "Z", "W", "X", "Y", "Z"] * 2],
        *[[i, i / 120, *[v for j in range(2) for v in (0, 0, 0, 1, *positions[i, j])]]
          for i in range(6)],
    )  # fmt: skip
    (walk,) = read_joint_table(path)
    assert walk.joints == ("S:Hip", "S:Ab")
    assert (walk.fps, walk.unit_m) == (120.0, 1.0)
    np.testing.assert_array_equal(walk.positions, positions)


def test_numbered_axes(path):
    """As OpenSim's TRC has them, tabs at the ends of rows."""
    positions = make_positions(6, 2)
    rows = [
        ["PathFileType", 4, "(X/Y/Z)", "walk.trc"],
        ["DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"],
        [60, 60, 6, 2, "mm"],
        ["Frame#", "Time", "Hip", "", "", "Knee", "", ""],
        ["", "", "X1", "Y1", "Z1", "X2", "Y2", "Z2"],
        [""],
        *[[i + 1, f"{i / 60:.3f}", *positions[i].ravel(), ""] for i in range(6)],
    ]
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    (walk,) = read_joint_table(path)
    assert walk.joints == ("Hip", "Knee")
    assert (walk.fps, walk.unit_m, walk.format) == (60.0, 0.001, "TSV")
    np.testing.assert_array_equal(walk.positions, positions)


def test_other_columns_are_named(path):
    rows = make_wide(extra=lambda i: {"weather": "fair", "Hips_rot_x": "1", "Hips_velocity_y": "2"})
    (walk,) = read_joint_table(write(path, rows))
    assert walk.joints == JOINTS
    assert find(walk, "columns that are not read") == ["weather, Hips_rot_x, Hips_velocity_y"]


@pytest.mark.parametrize(
    "name", ["Hips_confidence", "Hips_c", "Hips_visibility", "Hips likelihood"]
)
def test_confidence_of_a_joint(path, name):
    (walk,) = read_joint_table(write(path, make_wide(extra=lambda i: {name: "0.5"})))
    np.testing.assert_array_equal(walk.confidence[:, 0], 0.5)
    np.testing.assert_array_equal(walk.confidence[:, 1:], 1.0)


def test_confidence_of_a_frame_and_of_a_row(path):
    (walk,) = read_joint_table(write(path, make_wide(extra=lambda i: {"confidence": str(i / 16)})))
    np.testing.assert_array_equal(walk.confidence, np.arange(12)[:, None] / 16 + np.zeros(5))
    (walk,) = read_joint_table(write(path, make_long(extra=lambda i: {"confidence": "50"})))
    np.testing.assert_array_equal(walk.confidence, np.full((12, 5), 0.5))
    assert find(walk, "confidence") == ["percent"]
    (walk,) = read_joint_table(write(path, make_long(extra=lambda i: {"score": "-3"})))
    assert walk.confidence is None
    assert find(walk, "confidence") == ["not read"]


def test_a_point_at_zero_without_confidence_is_missing(path):
    rows = make_long(extra=lambda i: {"confidence": "0" if i == 3 else "1"})
    for row in rows[15:20]:
        row |= dict.fromkeys("xyz", "0")
    (walk,) = read_joint_table(write(path, rows))
    assert np.isnan(walk.positions[3]).all()
    assert np.isfinite(np.delete(walk.positions, 3, 0)).all()
    assert (walk.confidence[3] == 0).all()


# several recordings


@pytest.mark.parametrize("make", [make_wide, make_long])
@pytest.mark.parametrize("column", ["gait", "recording", "name", "trial"])
def test_a_name_makes_a_recording(path, make, column):
    def facts(name, who):
        return lambda i: {column: name, "subject": who, "label": "sad", "acted": ""}

    rows = make(extra=facts("one", "Ada")) + make(make_positions(20), extra=facts("two", "Bo"))
    one, two = read_joint_table(write(path, rows))
    assert (one.name, one.subject, one.label, one.acted, len(one)) == (
        "one",
        "Ada",
        "sad",
        None,
        12,
    )
    assert (two.name, two.subject, len(two)) == ("two", "Bo", 20)
    np.testing.assert_array_equal(two.positions, make_positions(20))
    mixed = [
        row
        for pair in zip(rows[: len(rows) // 3], rows[-(len(rows) // 3) :], strict=True)
        for row in pair
    ]
    assert [walk.name for walk in read_joint_table(write(path, mixed))] == ["one", "two"]


def test_without_names_subjects_are_recordings(path):
    rows = make_wide(extra=lambda i: {"subject": "1"}) + make_wide(extra=lambda i: {"subject": "2"})
    assert [(w.name, w.subject) for w in read_joint_table(write(path, rows))] == [
        ("1", "1"),
        ("2", "2"),
    ]


def test_facts_that_change_within_a_recording(path):
    rows = make_wide(extra=lambda i: {"gait": "a", "subject": "Ada" if i < 7 else "Bo"})
    check_refused(write(path, rows), "line 9: subject is 'Bo' here and 'Ada' before")
    rows = make_wide(extra=lambda i: {"label": "sad" if i < 7 else "happy"})
    check_refused(write(path, rows), "line 9: label is 'happy' here")
    rows = make_wide(extra=lambda i: {"gait": "a" if i < 7 else ""})
    check_refused(write(path, rows), "line 9: expected the name of the gait")


def test_a_label_that_is_no_emotion(path):
    rows = make_wide(extra=lambda i: {"label": "joy"})
    check_refused(write(path, rows), "'joy' is no emotion", kind=LabelError)


# frames and time


def test_the_rate_must_be_known(path):
    write(path, make_wide(fps=""))
    check_refused(path, "Give --fps", kind=ConfigError)
    (walk,) = read_joint_table(path, fps=25)
    assert walk.fps == 25
    for fps in (0, -1, np.nan, np.inf):
        with pytest.raises(ConfigError, match="positive"):
            read_joint_table(path, fps=fps)


def test_the_rate_of_the_file_wins_and_that_is_said(path):
    (walk,) = read_joint_table(write(path, make_wide(fps="120")), fps=30)
    assert walk.fps == 120
    assert find(walk, "frame rate that was given") == ["30 frames/s, not used"]
    rows = make_wide(extra=lambda i: {"time": str(i / 60)}, fps="120")
    (walk,) = read_joint_table(write(path, rows))
    assert walk.fps == 120
    assert find(walk, "rate of the times") == ["60 frames/s, not used"]


def test_a_column_fps_may_be_filled_once(path):
    rows = make_wide()
    for row in rows[1:]:
        row["fps"] = ""
    assert read_joint_table(write(path, rows))[0].fps == 30
    rows[5]["fps"] = "25"
    check_refused(write(path, rows), "column fps has 25, 30")
    check_refused(write(path, make_wide(fps="0")), "column fps has 0")


@pytest.mark.parametrize(
    ("name", "scale", "unit"),
    [
        ("time", 1, None),
        ("time_s", 1, None),
        ("Time (Seconds)", 1, None),
        ("t", 1, None),
        ("timestamp", 1000, "milliseconds"),
        ("time_ms", 1000, "milliseconds"),
        ("Timestamp [ms]", 1000, "milliseconds"),
        ("timestamp", 1e6, "microseconds"),
        ("time_us", 1e6, "microseconds"),
        ("timestamp", 1e9, "nanoseconds"),
    ],
)
@pytest.mark.parametrize("start", [0, 1_700_000_000])
def test_units_of_time(path, name, scale, unit, start):
    rows = make_wide(extra=lambda i: {name: repr((start + i / 25) * scale)}, fps="")
    for row in rows:
        del row["frame"]
    (walk,) = read_joint_table(write(path, rows))
    assert walk.fps == pytest.approx(25, rel=1e-5)
    assert find(walk, "unit of time") == ([unit] if unit else [])
    np.testing.assert_array_equal(walk.positions, make_positions())


@pytest.mark.parametrize("digits", [2, 3])
def test_times_that_are_rounded_are_regular(path, digits):
    positions = make_positions(300)
    rows = make_wide(positions, extra=lambda i: {"time": f"{i / 30:.{digits}f}"}, fps="")
    (walk,) = read_joint_table(write(path, rows))
    assert walk.fps == 30
    np.testing.assert_array_equal(walk.positions, positions)


def test_times_that_are_no_times(path):
    rows = make_wide(extra=lambda i: {"time": str(i * 0.5)}, fps="")
    check_refused(write(path, rows), "Give --fps", kind=ConfigError)
    (walk,) = read_joint_table(path, fps=30)
    assert find(walk, "times") == ["not used"]
    rows = make_wide(extra=lambda i: {"time": str(abs(i - 4) / 30)}, fps="")
    check_refused(write(path, rows), "expected it to grow")
    rows = make_wide(extra=lambda i: {"time": "noon"}, fps="")
    check_refused(write(path, rows), "line 2, column 'time' is 'noon'")
    rows = make_wide(extra=lambda i: {"time": "" if i == 4 else str(i / 30)}, fps="")
    check_refused(write(path, rows), "line 6, column 'time'", "expected a number")


@pytest.mark.parametrize("make", [make_wide, make_long])
@pytest.mark.parametrize("frames", [True, False])
def test_frames_that_are_left_out_are_missing(path, make, frames):
    rows = make(extra=lambda i: {"time": f"{i / 30:.4f}"})
    rows = [row for row in rows if row["frame"] not in ("4", "5", "9")]
    if not frames:
        for row in rows:
            del row["frame"], row["fps"]
    (walk,) = read_joint_table(write(path, rows))
    expected = make_positions()
    expected[[4, 5, 9]] = np.nan
    np.testing.assert_array_equal(walk.positions, expected)
    assert find(walk, "frames left out") == ["3 of 12"]
    assert walk.fps == 30


def test_times_at_a_variable_rate_are_resampled(path):
    """A point that moves evenly: whatever the times, it is where the time says."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.02, 0.05, 200))
    times[120:] += 1.0  # a gap
    positions = np.repeat(times[:, None, None] * [1.0, -2.0, 0.5], len(JOINTS), axis=1)
    rows = make_wide(positions, extra=lambda i: {"time": repr(float(times[i]))}, fps="")
    (walk,) = read_joint_table(write(path, rows))
    assert walk.fps == pytest.approx(1 / np.median(np.diff(times)))
    (value,) = (value for value in find(walk, "frame rate") if "variable" in value)
    assert value.startswith("variable; resampled to")
    expected = times[0] + np.arange(len(walk)) / walk.fps
    missing = np.isnan(walk.positions[:, 0, 0])
    gap = (expected > times[119]) & (expected < times[120])
    np.testing.assert_array_equal(missing, gap)
    assert 25 < missing.sum() < 33
    np.testing.assert_allclose(walk.positions[~missing, 2, 1], -2 * expected[~missing])


def test_frames_in_steps(path):
    rows = make_wide(fps="120")
    for i, row in enumerate(rows):
        row["frame"] = str(100 + 4 * i)
    (walk,) = read_joint_table(write(path, rows))
    assert walk.fps == 30
    assert find(walk, "frame numbers") == ["in steps of 4"]
    np.testing.assert_array_equal(walk.positions, make_positions())


@pytest.mark.parametrize("make", [make_wide, make_long])
def test_a_frame_that_is_there_twice(path, make):
    rows = make()
    rows[-1]["frame"] = "10"
    check_refused(write(path, rows), "frame 10", "twice", "in a column gait")


@pytest.mark.parametrize("cell", ["1.5", "", "1e300", "ten"])
def test_frames_are_whole_numbers(path, cell):
    rows = make_wide()
    rows[3]["frame"] = cell
    check_refused(write(path, rows), "line 5, column 'frame'")


def test_frames_as_numbers_with_a_point(path):
    rows = make_wide()
    for row in rows:
        row["frame"] += ".0"
    assert len(read_joint_table(write(path, rows))[0]) == 12


@pytest.mark.parametrize("make", [make_wide, make_long])
def test_frame_numbers_that_claim_too_much(path, make):
    rows = make()
    rows[-1]["frame"] = "999999999999"
    check_refused(write(path, rows), "1,000,000,000,000 frames; expected at most 200,000")


# cells


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "NA", "n/a", "null", "None", "-", " "])
def test_ways_to_write_nothing(path, cell):
    rows = make_wide()
    rows[4] |= dict.fromkeys(["Head_x", "Head_y", "Head_z"], cell)
    rows[7]["Hips_y"] = cell
    (walk,) = read_joint_table(write(path, rows))
    expected = make_positions()
    expected[4, 3] = expected[7, 0] = np.nan
    np.testing.assert_array_equal(walk.positions, expected)
    assert find(walk, "points without all three coordinates") == ["1 left out"]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_decimal_commas(path, mark):
    rows = [{k: v.replace(".", ",") for k, v in row.items()} for row in make_wide()]
    (walk,) = read_joint_table(write(path, rows, mark))
    np.testing.assert_array_equal(walk.positions, make_positions())
    assert find(walk, "decimal mark") == ["comma"]
    rows[7]["Hips_x"] = "0.5"
    check_refused(write(path, rows, mark), "decimal commas and some points")
    rows[7]["Hips_x"] = "1.234,5"
    check_refused(write(path, rows, mark), "column 'Hips_x' is '1.234.5'"[:20])


def test_decimal_commas_between_commas(path):
    rows = [{k: v.replace(".", ",") for k, v in row.items()} for row in make_wide()]
    check_refused(write(path, rows), "line 2, column 'Hips_x'", "separate columns with semicolons")
    text = path.read_text().replace('"', "")
    path.write_text(text)
    check_refused(path, "line 2 has 32 cells; expected 17", "decimal commas")


@pytest.mark.parametrize(
    ("cell", "saying"),
    [("tall", "'tall'; expected a number"), ("1_0", "'1_0'"), ("0x1", "'0x1'"), ("x" * 99, "xxx'"),
     ("inf", "is infinite"), ("-Infinity", "is infinite"), ("1e999", "is infinite")],
)  # fmt: skip
def test_cells_that_are_no_numbers(path, cell, saying):
    rows = make_wide()
    rows[3]["Head_z"] = cell
    check_refused(write(path, rows), "line 5, column 'Head_z'", saying)
    rows = make_long()
    rows[3]["z"] = cell
    check_refused(write(path, rows), "line 5, column 'z'", saying)


@pytest.mark.parametrize("change", ["bom", "crlf", "cr", "blank", "utf-16", "quotes", "trailing"])
def test_text_of_other_programs(path, change):
    text = write(path, make_wide()).read_text()
    text = {
        "crlf": text.replace("\n", "\r\n"),
        "cr": text.replace("\n", "\r"),
        "blank": text.replace("\n", "\n\n"),
        "quotes": "\n".join('"' + line.replace(",", '", "') + '"' for line in text.split()) + "\n",
        "trailing": text.replace("\n", ",,\n"),
    }.get(change, text)
    encoding = {"bom": "utf-8-sig", "utf-16": "utf-16"}.get(change, "utf-8")
    path.write_text(text, encoding=encoding, newline="")
    (walk,) = read_joint_table(path)
    np.testing.assert_array_equal(walk.positions, make_positions())
    assert is_joint_table(path)


def test_a_file_that_may_be_cut_off(path):
    text = write(path, make_wide()).read_text()
    path.write_text(text[:-1])
    (walk,) = read_joint_table(path)
    assert find(walk, "end of file") == ["no line break"]
    path.write_text(text[: text.rindex(",")])
    check_refused(path, "line 13 has 16 cells; expected 17", "truncated")


# what is refused


def test_tables_without_depth(path):
    flat = [{k: v for k, v in row.items() if k[-2:] != "_z"} for row in make_wide()]
    check_refused(write(path, flat), "depth is missing")
    assert is_joint_table(path)
    check_refused(
        write(path, [{k: v for k, v in r.items() if k != "z"} for r in make_long()]), "depth"
    )
    cells = [["coords"] + ["x", "y", "likelihood"] * 2, *[[i, 1, 2, 1, 3, 4, 1] for i in range(5)]]
    write_cells(path, ["bodyparts", *["a"] * 3, *["b"] * 3], *cells)
    check_refused(path, "depth is missing")


def test_joints_without_an_axis_or_with_one_twice(path):
    rows = [{k: v for k, v in row.items() if k != "Head_y"} for row in make_wide()]
    check_refused(write(path, rows), "has no y of joint 'Head'")
    rows = make_wide(extra=lambda i: {"Head.y": "1"})
    check_refused(write(path, rows), "has y of joint 'Head' twice")


@pytest.mark.parametrize(
    "text",
    ["frame,x,y,z\n0,1,2,3\n", "a,b,c\n1,2,3\n", "hello\n", "\n\n\n", "HIERARCHY\nROOT Hips\n{\n",
     "frame,joint,x,y\n,,,", "joint,x,y,z\na,1,2,3\n", "x" * 300_000, '"', "x,y,z\n1,2,3\n", ",,,\n,,,\n"],
)  # fmt: skip
def test_other_text(path, text):
    path.write_text(text)
    assert not is_joint_table(path) or "joint,x,y" in text
    check_refused(path)


def test_other_bytes(path, tmp_path):
    path.write_bytes(bytes(range(256)) * 100)
    check_refused(path)
    assert not is_joint_table(path)
    path.write_bytes(b"")
    check_refused(path, "is empty")
    check_refused(tmp_path, "is a folder")
    check_refused(tmp_path / "none.csv", "does not exist")
    assert not is_joint_table(tmp_path)
    assert not is_joint_table(tmp_path / "none.csv")
    path.write_bytes(write(path, make_wide()).read_bytes() + b"\xff\xfe\xfa")
    check_refused(path, "is not text in UTF-8")


def test_a_file_far_too_large_is_refused_by_its_first_rows(path, monkeypatch):
    write(path, make_wide(make_positions(2000)))
    monkeypatch.setattr(joint_rows, "_BLOCK_ROWS", 4)
    monkeypatch.setattr(joint_times, "MAX_NUMBERS", 1000)
    taken = []
    monkeypatch.setattr(joint_groups.Table, "add", lambda _, block: taken.append(block))
    check_refused(path, "holds more than 1,000 numbers")
    assert not taken


def test_a_header_and_nothing_else(path):
    text = write(path, make_wide()).read_text().split("\n")[0]
    path.write_text(text + "\n")
    check_refused(path, "a header and no rows")


def test_a_walk_without_any_point(path):
    nothing = np.full((6, len(JOINTS), 3), np.nan)
    check_refused(write(path, make_wide(nothing)), "has no point in any frame")


@pytest.mark.parametrize(
    ("name", "value", "saying"),
    [
        ("MAX_NUMBERS", 100, "holds more than 100 numbers"),
        ("MAX_JOINTS", 4, "expected at most 4"),
        ("MAX_FRAMES", 11, "12 frames; expected at most 11"),
        ("MAX_RECORDINGS", 1, "more than 1 recordings"),
        ("_MAX_LINES", 11, "more than 11 lines"),
    ],
)
@pytest.mark.parametrize("make", [make_wide, make_long])
def test_limits(path, make, name, value, saying, monkeypatch):
    rows = make(extra=lambda i: {"gait": "a"}) + make(extra=lambda i: {"gait": "b"})
    write(path, rows)
    assert len(read_joint_table(path)) == 2
    for module in (joint_columns, joint_groups, joint_rows, joint_times):
        monkeypatch.setattr(module, name, value, raising=False)
    check_refused(path, saying)


def test_few_points_of_many_names_take_no_memory(path):
    """Every row another joint in another frame: a dense array of them would not fit."""
    rows = [
        {"frame": str(i), "joint": f"j{i % 999}", "x": "1", "y": "2", "z": "3"}
        for i in range(20_000)
    ]
    check_refused(write(path, rows), "holds more than", fps=30)


# names


def test_numbers_become_names(path):
    numbers = [str(i) for i in range(len(JOINTS))]
    for make in (make_wide, make_long):
        write(path, make(joints=numbers))
        assert read_joint_table(path)[0].joints == tuple(numbers)
        (walk,) = read_joint_table(path, joint_names=JOINTS)
        assert walk.joints == JOINTS
        check_refused(path, "expected joints 0 to 2", kind=ConfigError, joint_names="abc")
    write(path, make_wide())
    assert read_joint_table(path, joint_names="abcde")[0].joints == JOINTS


# arrays


def make_arrays(**others):
    return {"positions": make_positions(), "joints": np.array(JOINTS), "fps": 30.0} | others


def save(path, **arrays):
    with path.open("wb") as file:
        np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "f2"])
def test_an_npz_file(path, dtype):
    positions = make_positions().astype(dtype)
    save(path, **make_arrays(positions=positions, subject="Ada", label="sad", unit="m", name="w"))
    (walk,) = read_joint_table(path)
    assert (walk.joints, walk.fps, walk.format, walk.unit_m) == (JOINTS, 30.0, "NPZ", 1.0)
    assert (walk.name, walk.subject, walk.label, walk.source) == ("w", "Ada", "sad", "walk.csv")
    np.testing.assert_array_equal(walk.positions, positions.astype(float))
    assert is_joint_table(path)


def test_times_and_confidence_of_an_npz_file(path):
    times = np.arange(12) * 40.0
    save(path, **make_arrays(fps=None, time=times, confidence=np.full((12, 5), 0.5)))
    (walk,) = read_joint_table(path)
    assert walk.fps == 25
    np.testing.assert_array_equal(walk.confidence, np.full((12, 5), 0.5))


def test_arrays_without_names(path):
    for positions in (make_positions(), make_positions().reshape(12, -1)):
        with path.open("wb") as file:
            np.save(file, positions)
        assert begins_joint_table(path.read_bytes()[:100])
        check_refused(path, "no names of joints", kind=ConfigError)
        (walk,) = read_joint_table(path, 30, joint_names=JOINTS)
        assert (walk.joints, walk.format) == (JOINTS, "NPY")
        np.testing.assert_array_equal(walk.positions, make_positions())
        check_refused(path, "Give --fps", kind=ConfigError, joint_names=JOINTS)
        check_refused(path, "3 names; expected (T, 3, 3)", joint_names=JOINTS[:3])
    with path.open("wb") as file:
        np.savez(file, make_positions())
    assert read_joint_table(path, 30, joint_names=JOINTS)[0].joints == JOINTS


@pytest.mark.parametrize(
    ("arrays", "saying"),
    [
        ({"positions": np.zeros((4, 5, 2))}, "depth is missing"),
        ({"positions": np.zeros((4, 6, 3))}, "shape (4, 6, 3) and there are 5 names"),
        ({"positions": np.zeros((0, 5, 3))}, "expected (T, 5, 3)"),
        ({"positions": np.zeros(())}, "expected (T, 5, 3)"),
        ({"positions": np.array([["a"]])}, "holds <U1; expected numbers"),
        ({"positions": np.array([{}], object)}, "pickle"),
        ({"joints": np.array([*JOINTS[:4], None], object)}, "pickle"),
        ({"joints": np.array([*JOINTS[:4], "Hips"])}, "two joints are called 'Hips'"),
        ({"joints": np.arange(5)}, "expected text"),
        ({"fps": 0.0}, "expected one positive number"),
        ({"fps": np.array([30.0, 60.0])}, "expected one positive number"),
        ({"time": np.arange(3.0)}, "expected numbers of shape (12,)"),
        ({"time": np.full(12, np.nan)}, "infinite"),
        ({"confidence": np.ones((12, 4))}, "expected numbers of shape (12, 5)"),
        ({"positions": np.full((4, 5, 3), np.inf)}, "infinite"),
        ({"positions": np.full((4, 5, 3), np.nan)}, "no point in any frame"),
        ({"positions": None, "poses": np.zeros((4, 5, 3))}, "no array 'positions'"),
        ({"unit": "ells"}, "unit is 'ells'"),
        ({"name": np.array(["a", "b"])}, "expected one text"),
        ({"positions": np.zeros((MAX_FRAMES + 1, 5, 3), "u1")}, "expected at most 200,000"),
    ],
)
def test_arrays_that_make_no_sense(path, arrays, saying):
    check_refused(save(path, **make_arrays(**arrays)), saying)


def test_moodwalks_own_archive_is_left_to_its_reader(path, real_gaits):
    own = path.with_suffix(".npz")
    with open_writer(own) as writer:
        writer.write(real_gaits[:2])
    assert not is_joint_table(own)
    check_refused(own, "gaits of moodwalk itself")


def test_an_array_that_claims_more_than_there_is(path):
    with path.open("wb") as file:
        np.save(file, np.zeros((4, 5, 3)))
    start = path.read_bytes()
    path.write_bytes(start.replace(b"(4, 5, 3)", b"(4, 50000000, 3)")[: len(start)])
    check_refused(path, joint_names=JOINTS)
    path.write_bytes(start[:-5])
    check_refused(path, "Is the file damaged?", joint_names=JOINTS)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("positions.npy", bytes(80 * 2**20))
    check_refused(path, "claims")


# what looks like a table of joints


def test_own_tables_are_not_claimed(tmp_path, real_gaits):
    for suffix in (".csv", ".npz"):
        path = tmp_path / f"own{suffix}"
        with open_writer(path) as writer:
            writer.write(real_gaits[:2])
        assert not is_joint_table(path)
        assert not begins_joint_table(path.read_bytes()[: 2**16])


@pytest.mark.parametrize("make", [make_wide, make_long])
def test_what_begins_a_table_of_joints(path, make):
    write(path, make(extra=lambda i: {"gait": "a"}))
    assert is_joint_table(path)
    start = path.read_bytes()
    assert begins_table(start)  # for gait, frame and fps, and so:
    assert not begins_joint_table(start)
    rows = [{k: v for k, v in row.items() if k != "fps"} for row in make()]
    assert begins_joint_table(write(path, rows).read_bytes())


def test_own_joints_without_own_columns_are_a_table_of_joints(path, real_gaits):
    gait = real_gaits[0]
    joints = [joint.name.lower() for joint in Joint]
    write(path, make_wide(gait.positions, joints))
    assert is_joint_table(path)
    (walk,) = read_joint_table(path)
    assert walk.joints == tuple(joints)
    np.testing.assert_array_equal(walk.positions, gait.positions)


# Parquet


@pytest.fixture
def arrow():
    return pytest.importorskip("pyarrow", reason="pyarrow is part of the extra 'data'")


def write_parquet(arrow, path, rows, **columns):
    import pyarrow.parquet as pq

    def parse(name):
        cells = [row[name] for row in rows]
        try:
            numbers = [float(cell) for cell in cells]
        except ValueError:
            return arrow.array(cells)
        whole = name == "frame"
        return arrow.array(numbers).cast(arrow.int32() if whole else arrow.float64())

    pq.write_table(arrow.table({name: parse(name) for name in rows[0]} | columns), path)
    return path


@pytest.mark.parametrize("make", [make_wide, make_long])
def test_parquet_tables(arrow, path, make):
    rows = make(extra=lambda i: {"gait": "a", "subject": "Ada"})
    rows += make(make_positions(5000), extra=lambda i: {"gait": "b", "subject": "Bo"})
    a, b = read_joint_table(write_parquet(arrow, path, rows))
    assert (a.name, a.subject, a.fps, a.format, a.joints) == ("a", "Ada", 30.0, "Parquet", JOINTS)
    np.testing.assert_array_equal(a.positions, make_positions())
    np.testing.assert_array_equal(b.positions, make_positions(5000))
    assert is_joint_table(path)


def test_parquet_columns_of_other_types(arrow, path):
    rows = make_long()
    words = arrow.array([row["joint"] for row in rows])
    write_parquet(arrow, path, rows, joint=words.dictionary_encode())
    assert read_joint_table(path)[0].joints == JOINTS
    numbers = arrow.array([JOINTS.index(row["joint"]) for row in rows])
    write_parquet(arrow, path, rows, joint=numbers)
    assert read_joint_table(path, joint_names=JOINTS)[0].joints == JOINTS
    write_parquet(arrow, path, rows, x=words)
    check_refused(path, "column 'x' holds string; expected numbers")
    write_parquet(arrow, path, rows, joint=arrow.array([[1]] * len(rows)))
    check_refused(path, "column 'joint' holds list")
    missing = [None if i == 3 else 1.0 for i in range(len(rows))]
    write_parquet(arrow, path, rows, y=arrow.array(missing))
    (walk,) = read_joint_table(path)
    assert np.isnan(walk.positions[0, 3]).all()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("moment", [True, False])
def test_parquet_moments(arrow, path, unit, moment):
    rows = make_wide(fps="")
    ticks = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}[unit]
    kind = arrow.timestamp(unit, tz="UTC") if moment else arrow.duration(unit)
    step = ticks // 25 if unit != "s" else 1
    times = arrow.array([10**9 * ticks * moment + i * step for i in range(12)]).cast(kind)
    (walk,) = read_joint_table(write_parquet(arrow, path, rows, time=times))
    assert walk.fps == pytest.approx(1 if unit == "s" else 25)


def test_parquet_that_is_something_else(arrow, path):
    write_parquet(arrow, path, [{"a": "1", "b": "2"}])
    check_refused(path, "has no columns of joints")
    assert not is_joint_table(path)
    whole = write_parquet(arrow, path, make_wide()).read_bytes()
    for cut in np.linspace(4, len(whole) - 1, 20).astype(int):
        path.write_bytes(whole[:cut])
        check_refused(path, "damaged or truncated")
        assert not is_joint_table(path)


def test_own_parquet_is_not_claimed(arrow, tmp_path, real_gaits):
    path = tmp_path / "own.parquet"
    with open_writer(path) as writer:
        writer.write(real_gaits[:2])
    assert not is_joint_table(path)


# damage


@settings(max_examples=60)
@given(
    data=st.data(),
    kind=st.sampled_from(["wide", "long", "npz"]),
    damage=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), min_size=1
    ),
)
def test_damage_gives_recordings_or_one_line(tmp_path_factory, data, kind, damage):
    path = tmp_path_factory.mktemp("damage") / "walk"
    if kind == "npz":
        save(path, **make_arrays())
    else:
        write(path, (make_wide if kind == "wide" else make_long)())
    broken = bytearray(path.read_bytes())
    for place, content in damage:
        start = int(place * len(broken))
        broken[start : start + len(content)] = content
    path.write_bytes(broken)
    found, message = [], ""
    try:
        found = read_joint_table(path, 30)
    except MoodwalkError as error:
        message = str(error)
    assert bool(found) != bool(message)
    assert "\n" not in message
