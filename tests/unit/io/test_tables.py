import csv
import io
import os

import numpy as np
import pytest

from moodwalk.errors import DataFormatError, LabelError
from moodwalk.gait import MAX_FRAMES, Gait
from moodwalk.io import open_writer, read, read_table
from moodwalk.io.tables import COLUMNS, COORDINATES

pa = pytest.importorskip("pyarrow", reason="pyarrow is part of the extra 'data'")
pq = pytest.importorskip("pyarrow.parquet")

OPTIONAL = ("subject", "label", "acted", "synthetic")


def make_rows(names=("a", "b"), n_frames=5, **facts):
    """One dict a frame, as a CSV file has it."""
    given = {"fps": "30.0", "subject": "Ada", "label": "happy", "acted": "", "synthetic": "false"}
    return [
        {"gait": name, "frame": str(frame)}
        | given
        | facts
        | {column: f"{frame}.{i:02d}" for i, column in enumerate(COORDINATES)}
        for name in names
        for frame in range(n_frames)
    ]


def write_csv(path, rows, columns=COLUMNS, **options):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", **options)
    writer.writerow(columns)
    writer.writerows([row[column] for column in columns] for row in rows)
    path.write_text(text.getvalue(), newline="")
    return path


def make_columns(n_frames=5, names=("a", "b")):
    """Arrays as a Parquet file has them."""
    n = n_frames * len(names)
    columns = {
        "gait": pa.array([name for name in names for _ in range(n_frames)]),
        "frame": pa.array(list(range(n_frames)) * len(names), pa.int32()),
        "fps": pa.array([30.0] * n),
        "subject": pa.array(["Ada"] * n),
        "label": pa.array(["happy"] * n),
        "acted": pa.array([None] * n, pa.string()),
        "synthetic": pa.array([False] * n),
    }
    rng = np.random.default_rng(0)
    return columns | {name: pa.array(rng.normal(size=n), pa.float32()) for name in COORDINATES}


def write_parquet(path, columns, **options):
    pq.write_table(pa.table(columns), path, **options)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "walks.csv"


def check_refused(path, *sayings, kind=DataFormatError):
    with pytest.raises(kind) as caught:
        read_table(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    for saying in sayings:
        assert saying in message
    return message


# what is read


def test_columns_are_called_after_the_joints():
    assert len(COORDINATES) == 48
    assert COORDINATES[:4] == ("root_x", "root_y", "root_z", "spine_x")
    assert COORDINATES[34] == "right_knee_y"
    assert COORDINATES[-1] == "left_foot_z"


def test_a_csv_file_is_read(path):
    write_csv(path, make_rows())
    a, b = read_table(path)
    assert (a.name, a.fps, a.subject, a.label, a.acted) == ("a", 30.0, "Ada", "happy", None)
    assert (a.synthetic, a.source, len(a), a.positions.dtype) == (False, "walks.csv", 5, np.float32)
    expected = np.arange(5)[:, None] + np.arange(48) / 100
    np.testing.assert_array_equal(b.positions.reshape(5, 48), expected.astype(np.float32))
    assert read_table(path).problems == ()
    assert len(read(path)) == 2


def test_a_parquet_file_is_read(path):
    columns = make_columns()
    write_parquet(path, columns)
    a, b = read_table(path)
    assert (a.name, a.fps, a.subject, a.label, a.acted) == ("a", 30.0, "Ada", "happy", None)
    assert (b.synthetic, b.source, len(b), b.positions.dtype) == (False, "walks.csv", 5, np.float32)
    np.testing.assert_array_equal(b.positions[:, 11, 1], columns["right_knee_y"].to_numpy()[5:])
    assert len(read(path)) == 2


def test_columns_may_come_in_any_order_and_some_be_missing(path):
    columns = [c for c in reversed(COLUMNS) if c not in OPTIONAL]
    write_csv(path, make_rows(), columns)
    write_parquet(path.with_suffix(".parquet"), {c: make_columns()[c] for c in columns})
    for gaits in (read(path), read(path.with_suffix(".parquet"))):
        assert {(g.name, g.subject, g.label, g.acted, g.synthetic) for g in gaits} == {
            ("a", None, None, None, False),
            ("b", None, None, None, False),
        }
    assert read(path)[0].positions[2, 0, 1] == np.float32(2.01)


def test_columns_of_other_names_are_reported(path):
    rows = [row | {"age": "30", "lable": "sad"} for row in make_rows()]
    write_csv(path, rows, (*COLUMNS, "age", "lable"))
    assert read_table(path).problems == ("walks.csv: columns that are not read: 'age', 'lable'.",)
    write_parquet(path, make_columns() | {"age": pa.array([30] * 10)})
    assert read_table(path).problems == ("walks.csv: columns that are not read: 'age'.",)


@pytest.mark.parametrize("blank", ["", "nan", "NaN"])
def test_missing_joints_are_nan(path, blank):
    rows = make_rows()
    rows[7] |= dict.fromkeys(["neck_x", "neck_y", "neck_z"], blank)
    a, b = read_table(write_csv(path, rows))
    assert (a.n_missing, b.n_missing) == (0, 1)
    assert np.isnan(b.positions[2, 2]).all()


@pytest.mark.parametrize("value", [None, np.nan])
def test_missing_joints_of_parquet_are_null_or_nan(path, value):
    columns = make_columns()
    for name in ("neck_x", "neck_y", "neck_z"):
        values = columns[name].to_pylist()
        values[7] = value
        columns[name] = pa.array(values, pa.float32())
    a, b = read_table(write_parquet(path, columns))
    assert (a.n_missing, b.n_missing) == (0, 1)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("True", True), ("1", True), ("FALSE", False), ("", False)]
)
def test_ways_to_write_synthetic(path, text, value):
    write_csv(path, make_rows(synthetic=text))
    assert {gait.synthetic for gait in read_table(path)} == {value}


@pytest.mark.parametrize("change", ["bom", "crlf", "blank lines", "quotes"])
def test_csv_files_of_other_programs(path, change):
    write_csv(path, make_rows(), quoting=csv.QUOTE_ALL if change == "quotes" else csv.QUOTE_MINIMAL)
    text = path.read_text()
    text = {
        "bom": "\ufeff" + text,
        "crlf": text.replace("\n", "\r\n"),
        "blank lines": text.replace("\n", "\n\n") + "\n",
        "quotes": text,
    }[change]
    path.write_text(text, newline="")
    assert [len(gait) for gait in read(path)] == [5, 5]


@pytest.mark.parametrize("kind", ["large", "dictionary", "null", "float64", "ints"])
def test_parquet_files_of_other_programs(path, kind):
    columns = make_columns()
    for name in ("gait", "subject", "label"):
        if kind == "large":
            columns[name] = columns[name].cast(pa.large_string())
        elif kind == "dictionary":
            columns[name] = columns[name].dictionary_encode()
    if kind == "null":
        columns |= dict.fromkeys(OPTIONAL, pa.nulls(10))
    elif kind == "float64":
        columns["root_x"] = columns["root_x"].cast(pa.float64())
    elif kind == "ints":
        columns |= {"root_x": pa.array(range(10)), "fps": pa.array([30] * 10)}
        columns["frame"] = columns["frame"].cast(pa.uint64())
    gaits = read_table(write_parquet(path, columns))
    assert [gait.name for gait in gaits] == ["a", "b"]
    assert {gait.label for gait in gaits} == {None if kind == "null" else "happy"}
    assert gaits[0].positions.dtype == (np.float64 if kind in ("float64", "ints") else np.float32)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_gaits_longer_than_a_block(tmp_path, suffix):
    rng = np.random.default_rng(0)
    gaits = [
        Gait(rng.normal(size=(n, 16, 3)).astype(np.float32), 30, name=str(n))
        for n in (4095, 4097, 4, 9000)
    ]
    with open_writer(tmp_path / f"walks{suffix}") as writer:
        writer.write(gaits)
    for new, old in zip(read(tmp_path / f"walks{suffix}"), gaits, strict=True):
        np.testing.assert_array_equal(new.positions, old.positions, strict=True)
        assert new.name == old.name


def test_parquet_has_one_row_group_a_piece(tmp_path):
    path = tmp_path / "walks.parquet"
    with open_writer(path) as writer:
        for i in range(3):
            writer.write([Gait(np.full((4 + i, 16, 3), i), 30, name=f"{i}{j}") for j in "ab"])
    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(i).num_rows for i in range(3)] == [8, 10, 12]
    assert metadata.num_row_groups == 3


# what is refused: columns


def without(*names):
    return [column for column in COLUMNS if column not in names]


@pytest.mark.parametrize("name", ["gait", "frame", "fps", "root_x", "right_knee_y"])
def test_a_column_that_is_missing(path, name):
    saying = f"has no column '{name}' (1 missing)"
    check_refused(write_csv(path, make_rows(), without(name)), saying, "expected gait, frame, fps")
    columns = make_columns()
    del columns[name]
    check_refused(write_parquet(path, columns), saying)


def test_a_column_that_is_there_twice(path):
    check_refused(write_csv(path, make_rows(), (*COLUMNS, "fps")), "has column 'fps' twice")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_columns_that_other_marks_separate(path, mark):
    write_csv(path, make_rows(), delimiter=mark)
    check_refused(path, "has no column 'gait'", "Separate the columns with commas")
    with pytest.raises(DataFormatError, match="with commas"):
        read(path)


def test_a_file_of_something_else(path):
    path.write_text("frame,x,y,z\n0,1,2,3\n")
    check_refused(path, "has no column 'gait'", "found 'frame', 'x', 'y', 'z'")
    with pytest.raises(
        DataFormatError, match=r"of no format that moodwalk reads.*names its columns"
    ):
        read(path)
    path.write_bytes(bytes(range(256)))
    check_refused(path, "is not text in UTF-8")
    path.write_text(f"a{',' * 200_000}\n")
    check_refused(path, "more than 65,536 characters")


@pytest.mark.parametrize(
    ("name", "values", "saying"),
    [
        ("gait", pa.array(range(10)), "column gait holds int64; expected text"),
        ("frame", pa.array([0.0] * 10), "column frame holds double; expected whole numbers"),
        ("fps", pa.array(["30"] * 10), "column fps holds string; expected numbers"),
        ("label", pa.array([b"happy"] * 10), "column label holds binary; expected text"),
        ("synthetic", pa.array([0] * 10), "column synthetic holds int64; expected true or false"),
        ("neck_y", pa.array(["1.5"] * 10), "column neck_y holds string; expected numbers"),
        ("neck_y", pa.array([[1.5]] * 10), "column neck_y holds list"),
        ("neck_y", pa.array([True] * 10), "column neck_y holds bool; expected numbers"),
        ("gait", pa.nulls(10, pa.string()), "row 1, column gait is empty"),
        ("gait", pa.nulls(10), "row 1, column gait is empty"),
        ("fps", pa.array([30.0] * 4 + [None] * 6), "row 5, column fps is None"),
        ("frame", pa.array([0, 1, None, *range(3, 10)]), "row 3, column frame"),
    ],
)
def test_columns_of_other_types(path, name, values, saying):
    check_refused(write_parquet(path, make_columns() | {name: values}), saying)


# what is refused: cells


@pytest.mark.parametrize(
    ("column", "cell", "saying"),
    [
        ("right_knee_y", "tall", "column right_knee_y is 'tall'; expected a number"),
        ("right_knee_y", "1_0", "column right_knee_y is '1_0'; expected a number"),
        ("right_knee_y", "1,5", "column right_knee_y is '1,5'; expected a number"),
        ("right_knee_y", "x" * 90, "'xxxxxxx"),
        ("right_knee_y", "inf", "column right_knee_y is infinite"),
        ("right_knee_y", "1e39", "column right_knee_y is infinite or beyond float32"),
        ("right_knee_y", "", "column right_knee_y is empty, others of this joint are not"),
        ("frame", "two", "column frame is 'two'; expected a whole number"),
        ("frame", "2.0", "column frame is '2.0'"),
        ("frame", "-2", "column frame is '-2'"),
        ("frame", "", "column frame is ''"),
        ("frame", "1", "column frame: gait 'b' has frame 1; expected 2"),
        ("frame", "3", "column frame: gait 'b' has frame 3; expected 2"),
        ("fps", "fast", "column fps is 'fast'; expected a positive number"),
        ("fps", "", "column fps is ''"),
        ("fps", "0", "column fps is 0.0"),
        ("fps", "nan", "column fps is nan"),
        ("fps", "inf", "column fps is inf"),
        ("fps", "60", "column fps: gait 'b' has '60.0' here and '30.0' before"),
        ("gait", "", "column gait is empty"),
        ("gait", "a", "gait 'a' goes on after another; expected the rows of a gait together"),
        ("subject", "Bob", "column subject: gait 'b' has 'Bob' here and 'Ada' before"),
        ("label", "sad", "column label: gait 'b' has 'sad' here and 'happy' before"),
        ("synthetic", "maybe", "column synthetic is 'maybe'; expected true or false"),
        ("synthetic", "true", "column synthetic: gait 'b'"),
    ],
)
def test_cells_that_make_no_sense(path, column, cell, saying):
    rows = make_rows()
    rows[7][column] = cell
    check_refused(write_csv(path, rows), "walks.csv: row 9", saying)  # the header is row 1


@pytest.mark.parametrize("column", ["label", "acted"])
def test_words_that_are_no_emotion(path, column):
    write_csv(path, make_rows(**{column: "joy"}))
    check_refused(path, f"row 2, column {column}: 'joy' is no emotion", kind=LabelError)


@pytest.mark.parametrize(
    ("name", "value", "saying"),
    [
        ("neck_y", np.inf, "column neck_y is infinite"),
        ("neck_y", None, "column neck_y is empty"),
        ("fps", -1.0, "column fps is -1.0"),
        ("frame", 0, "column frame: gait 'b' has frame 0; expected 2"),
        ("gait", "a", "gait 'a' goes on after another"),
        ("acted", "sad", "column acted: gait 'b' has 'sad' here and 'None' before"),
    ],
)
def test_values_of_parquet_that_make_no_sense(path, name, value, saying):
    columns = make_columns()
    values = columns[name].to_pylist()
    values[7] = value
    columns[name] = pa.array(values, columns[name].type)
    check_refused(write_parquet(path, columns), "walks.csv: row 8", saying)


def test_too_few_frames(path):
    write_csv(path, make_rows(("a",), 5) + make_rows(("b",), 3))
    check_refused(path, "row 7: gait 'b': 3 frames; expected at least 4")


def test_too_many_frames(path):
    n = MAX_FRAMES + 1
    columns = {name: pa.array(np.resize(a.to_numpy(zero_copy_only=False), n)) for name, a in
               make_columns().items() if name not in ("gait", "frame", *OPTIONAL)}  # fmt: skip
    columns["gait"] = pa.array(["a"] * n).dictionary_encode()
    columns["frame"] = pa.array(np.arange(n))
    columns |= {name: pa.array(np.random.default_rng(0).normal(size=n)) for name in COORDINATES[:4]}
    check_refused(write_parquet(path, columns), "more than 200,000 frames")


# what is refused: files


def test_an_empty_table(path):
    check_refused(write_csv(path, []), "holds no gaits")
    columns = {name: array[:0] for name, array in make_columns().items()}
    check_refused(write_parquet(path, columns), "holds no gaits")


def test_rows_of_other_lengths(path):
    write_csv(path, make_rows())
    text = path.read_text().splitlines()
    path.write_text("\n".join([*text[:4], text[4] + ",1", *text[5:]]) + "\n")
    check_refused(path, "row 5 has 56 cells; expected 55")
    path.write_text("\n".join([*text[:4], text[4].rpartition(",")[0], *text[5:]]) + "\n")
    check_refused(path, "row 5 has 54 cells; expected 55")


def test_every_truncation_of_csv_inside_a_row_is_noticed(path):
    write_csv(path, make_rows(("a",), 8))
    whole = path.read_bytes()
    for cut in range(len(whole) - 200, len(whole)):
        path.write_bytes(whole[:cut])
        check_refused(path, "Is the file truncated?")


def test_quotes_that_do_not_close(path):
    write_csv(path, make_rows(("a", '"b')))
    path.write_text(path.read_text().replace('"""b"', '"""b'))
    check_refused(path, "line ", "Is the file damaged or truncated?")


def test_every_truncation_of_parquet_is_noticed(path):
    whole = write_parquet(path, make_columns()).read_bytes()
    for cut in np.linspace(4, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:cut])
        check_refused(path, "damaged or truncated")


def test_a_parquet_file_that_claims_more_than_it_can_hold(path):
    n = 2_000_000
    zeros = pa.array(np.zeros(n, np.float32))
    columns = dict.fromkeys(COORDINATES, zeros)
    columns |= {
        "gait": pa.array(["a"] * n).dictionary_encode(),
        "frame": pa.array(np.zeros(n, np.int32)),
        "fps": pa.array(np.full(n, 30.0)),
    }
    write_parquet(path, columns, compression="zstd")
    assert path.stat().st_size < 1_000_000
    check_refused(path, "366 MiB of numbers")


def test_a_long_text_that_all_rows_share_is_read_once(path):
    n, text = 4000, "x" * 2_000_000  # 8 GB, if every row had its own
    columns = make_columns(n, ("a",))
    columns["subject"] = pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), pa.array([text]))
    (gait,) = read_table(write_parquet(path, columns))
    assert len(gait.subject) == len(text)


def test_places_where_there_is_no_file(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    check_refused(tmp_path / "nowhere", "does not exist; expected a CSV or Parquet file")
    check_refused(tmp_path / "folder", "is a folder")
    check_refused(tmp_path / "empty", "is empty")
    check_refused(tmp_path / "pipe", "no ordinary file")
    check_refused(tmp_path / ("x" * 300), "cannot be read")
    for name in ("nowhere", "empty", "pipe"):
        with pytest.raises(DataFormatError):
            read(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("content", [b"PAR1", b"gait,frame\n"])
def test_no_permission(path, content):
    path.write_bytes(content)
    path.chmod(0)
    check_refused(path, "no permission")
    with pytest.raises(DataFormatError, match="no permission"):
        read(path)
