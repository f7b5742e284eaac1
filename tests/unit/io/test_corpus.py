import os
import shutil
import subprocess
import sys
import textwrap
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from moodwalk.errors import ConfigError, DataFormatError, LabelError
from moodwalk.gait import Gait
from moodwalk.io import corpus, open_writer
from moodwalk.io.corpus import (
    CorpusWriter,
    is_corpus,
    iterate_corpus,
    list_corpus_parts,
    write_corpus,
)
from moodwalk.io.tables import COLUMNS

pa = pytest.importorskip("pyarrow", reason="pyarrow is part of the extra 'data'")
pq = pytest.importorskip("pyarrow.parquet")

FACTS = ("fps", "name", "subject", "label", "acted", "synthetic")


def make_gaits(n, n_frames=10, subjects=("ada", "ben")):
    rng = np.random.default_rng(0)
    return [
        Gait(
            rng.normal(size=(n_frames + i % 3, 16, 3)).astype(np.float32),
            30.0,
            name=f"walk {i}",
            subject=subjects[i % len(subjects)],
            label=("happy", None, "sad")[i % 3],
        )
        for i in range(n)
    ]


def read_all(path, **options):
    return [gait for batch in iterate_corpus(path, **options) for gait in batch]


def check_equal(found, expected):
    by_name = {gait.name: gait for gait in found}
    assert len(by_name) == len(found) == len(expected)
    for gait in expected:
        again = by_name[gait.name]
        np.testing.assert_array_equal(again.positions, gait.positions, strict=True)
        assert {f: getattr(again, f) for f in FACTS} == {f: getattr(gait, f) for f in FACTS}


def check_refused(saying, function, *arguments, kind=DataFormatError, **options):
    with pytest.raises(kind) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert saying in str(caught.value)


def names_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "corpus"


# what is written reads back


def test_real_gaits_come_back(path, real_gaits):
    gaits = real_gaits[::20]
    assert write_corpus(path, gaits) == len(gaits)
    assert len(list_corpus_parts(path)) == gaits.n_subjects
    check_equal(
        read_all(path),
        [gait.with_positions(gait.positions.astype(np.float32)) for gait in gaits],
    )


@pytest.mark.parametrize("partition_by", ["subject", "label", "acted", None])
def test_folders(path, partition_by):
    gaits = [replace(gait, acted=gait.label) for gait in make_gaits(12)]
    write_corpus(path, gaits, partition_by=partition_by)
    folders = {
        "subject": ["subject=ada", "subject=ben"],
        "label": ["label=__HIVE_DEFAULT_PARTITION__", "label=happy", "label=sad"],
        "acted": ["acted=__HIVE_DEFAULT_PARTITION__", "acted=happy", "acted=sad"],
        None: [""],
    }[partition_by]
    expected = [f"{folder}/part-00000.parquet".lstrip("/") for folder in folders]
    assert names_in(path) == expected
    check_equal(read_all(path), gaits)
    assert sorted({gait.source for gait in read_all(path)}) == expected


@pytest.mark.parametrize("subject", ["a/b", "..", "a=b", "é", "50%", "a b", "a:b\\c*?", None, "."])
def test_subjects_that_are_no_folder_names(path, subject):
    gaits = [replace(gait, subject=subject) for gait in make_gaits(2)]
    write_corpus(path, gaits)
    check_equal(read_all(path), gaits)
    (part,) = list_corpus_parts(path)
    assert part.parent.parent == path


def test_other_engines_read_it(path):
    gaits = make_gaits(12)
    write_corpus(path, gaits)
    table = pq.read_table(path)
    assert set(table.column_names) == set(COLUMNS)
    assert sorted(set(table["subject"].to_pylist())) == ["ada", "ben"]
    assert table.num_rows == sum(map(len, gaits))


def test_gaits_without_names_are_numbered(path):
    gaits = [replace(gait, name="") for gait in make_gaits(4)]
    write_corpus(path, gaits)
    assert sorted(gait.name for gait in read_all(path)) == [f"{i:08d}" for i in (1, 2, 3, 4)]


def test_new_files_begin_when_one_is_full(path):
    gaits = make_gaits(20, subjects=("ada",))
    write_corpus(path, gaits, rows_per_file=50)
    parts = list_corpus_parts(path)
    assert [part.name for part in parts] == [f"part-{i:05d}.parquet" for i in range(len(parts))]
    rows = [pq.ParquetFile(part).metadata.num_rows for part in parts]
    assert sum(rows) == sum(map(len, gaits))
    assert all(50 <= n < 62 for n in rows[:-1])
    assert [gait.name for gait in read_all(path)] == [gait.name for gait in gaits]
    assert not any(gait.positions.dtype != np.float32 for gait in read_all(path))


def test_more_folders_than_files_may_be_open(path, monkeypatch):
    monkeypatch.setattr(corpus, "_MAX_OPEN", 2)
    monkeypatch.setattr(corpus, "_GROUP_ROWS", 30)
    monkeypatch.setattr(corpus, "_WAITING_ROWS", 60)
    gaits = make_gaits(40, subjects=tuple("abcdefg"))
    write_corpus(path, gaits)
    check_equal(read_all(path), gaits)


# reading


def test_batches(path):
    gaits = make_gaits(50)
    write_corpus(path, gaits, rows_per_file=70)
    assert [len(batch) for batch in iterate_corpus(path, 8)] == [8] * 6 + [2]
    assert [len(batch) for batch in iterate_corpus(path)] == [50]
    check_refused("batch_gaits is 0", iterate_corpus, path, 0, kind=ConfigError)


def test_long_gaits_make_small_batches(path, monkeypatch):
    write_corpus(path, make_gaits(6, 100, ("a",)))
    monkeypatch.setattr(corpus, "_BATCH_FRAMES", 205)
    assert [len(batch) for batch in iterate_corpus(path)] == [2, 2, 2]
    monkeypatch.setattr(corpus, "_BATCH_FRAMES", 5)
    assert [len(batch) for batch in iterate_corpus(path)] == [1] * 6


def test_part_by_part_is_the_whole(path):
    write_corpus(path, make_gaits(40), rows_per_file=60)
    parts = list_corpus_parts(path)
    assert len(parts) > 4
    whole = read_all(path)
    pieces = [gait for part in parts for gait in read_all(part)]
    assert [gait.name for gait in pieces] == [gait.name for gait in whole]
    assert [gait.subject for gait in pieces] == [gait.subject for gait in whole]
    assert {gait.source for gait in pieces} == {part.name for part in parts}


def test_a_gait_may_span_row_groups(path):
    gaits = make_gaits(6, 40, ("ada",))
    write_corpus(path, gaits, partition_by=None)
    (part,) = list_corpus_parts(path)
    pq.write_table(pq.read_table(part), part, row_group_size=7)
    assert pq.ParquetFile(part).metadata.num_row_groups > 30
    check_equal(read_all(path), gaits)


def test_any_nesting_and_names(path):
    gaits = make_gaits(6)
    for i, place in enumerate(["2024/may/x.parquet", "y.PQ", "label=sad/subject=eve/a/z.parquet"]):
        target = path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_writer(path / "own.parquet") as writer:
            some = gaits[2 * i : 2 * i + 2]
            given = {"label": None, "subject": None} if i == 2 else {}
            writer.write(replace(gait, **given) for gait in some)
        (path / "own.parquet").rename(target)
    for hidden in (
        "_metadata.parquet",
        ".part.parquet",
        "_temporary/a.parquet",
        ".git/a.parquet",
        "a.txt",
    ):
        (path / hidden).parent.mkdir(exist_ok=True)
        (path / hidden).write_bytes(b"nothing")
    assert [part.name for part in list_corpus_parts(path)] == ["x.parquet", "z.parquet", "y.PQ"]
    expected = [*gaits[:4], *(replace(gait, label="sad", subject="eve") for gait in gaits[4:])]
    check_equal(read_all(path), expected)


def test_columns_that_nobody_reads_are_named_with_their_part(path):
    write_corpus(path, make_gaits(4), partition_by=None)
    (part,) = list_corpus_parts(path)
    table = pq.read_table(part)
    pq.write_table(table.append_column("age", pa.array([30] * len(table))), part)
    (batch,) = iterate_corpus(path)
    assert batch.problems == ("part-00000.parquet: columns that are not read: 'age'.",)


def test_what_is_a_corpus(path, tmp_path):
    assert not is_corpus(path)
    path.mkdir()
    assert not is_corpus(path)
    (path / "_a.parquet").touch()
    (path / "a.txt").touch()
    assert not is_corpus(path)
    (path / "x" / "y").mkdir(parents=True)
    (path / "x" / "y" / "a.parquet").touch()
    assert is_corpus(path)
    assert not is_corpus(path / "a.txt")
    assert not is_corpus("null\0byte")


# what is refused


def test_a_damaged_part_is_named(path):
    gaits = make_gaits(40)
    write_corpus(path, gaits, rows_per_file=60)
    part = list_corpus_parts(path)[3]
    whole = part.read_bytes()
    for broken in (
        whole[:-20],
        whole[: len(whole) // 2],
        b"",
        b"hello",
        whole[:100] + bytes(400) + whole[500:],
    ):
        part.write_bytes(broken)
        check_refused(str(part), read_all, path)
    batches = iterate_corpus(path, 4)
    assert len(next(batches)) == 4  # what comes before it is read


def test_a_part_of_something_else_is_named(path):
    write_corpus(path, make_gaits(4))
    other = path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    check_refused(f"{other} has no column 'gait'", read_all, path)


def test_folder_and_column_that_contradict(path):
    write_corpus(path, make_gaits(4), partition_by=None)
    (part,) = list_corpus_parts(path)
    for name in ("subject=eve", "label=neutral"):
        inside = path / name / "a.parquet"
        inside.parent.mkdir()
        part.rename(inside)
        check_refused("in the name of its folder; expected the same", read_all, path)
        inside.rename(part)
    inside = path / "label=joy" / "a.parquet"
    inside.parent.mkdir()
    part.rename(inside)
    check_refused(f"{inside}: folder: 'joy' is no emotion", read_all, path, kind=LabelError)


def test_no_corpus(path, tmp_path):
    for function in (list_corpus_parts, iterate_corpus):
        check_refused(f"{path} does not exist", function, path)
    path.mkdir()
    check_refused(f"{path} holds no Parquet files", iterate_corpus, path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        check_refused("is no folder", iterate_corpus, tmp_path / "pipe")


def test_options_that_make_no_sense(path):
    check_refused("rows_per_file is 0", write_corpus, path, [], rows_per_file=0, kind=ConfigError)
    check_refused("'name' divides", write_corpus, path, [], partition_by="name", kind=ConfigError)


# whole or not at all


@pytest.mark.parametrize("where", ["corpus", "new/deep/corpus"])
def test_an_error_leaves_nothing(tmp_path, where):
    def fail():
        yield from make_gaits(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corpus(tmp_path / where, fail(), rows_per_file=1)
    assert list(tmp_path.iterdir()) == []

    def write_and_fail():
        with CorpusWriter(tmp_path / where) as writer:
            writer.write(make_gaits(3))
            raise OSError("mine")

    with pytest.raises(OSError, match="mine"):
        write_and_fail()
    assert list(tmp_path.iterdir()) == []
    check_refused("no gaits to write", write_corpus, tmp_path / where, [])
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_there_before_the_end(path, tmp_path):
    with CorpusWriter(path, rows_per_file=1) as writer:
        writer.write(make_gaits(5))
        assert not path.exists()
        assert not is_corpus(tmp_path)  # what is being written is hidden
        assert writer.n_gaits == 5
    assert len(list_corpus_parts(path)) == 5
    check_refused("closed", writer.write, make_gaits(1))


@pytest.mark.parametrize(
    ("change", "saying"),
    [
        ({"name": "walk 0"}, "two gaits are called 'walk 0'"),
        ({"name": "a\nb"}, "control character"),
        ({"positions": np.full((5, 16, 3), 1e300)}, "beyond float32"),
    ],
)
def test_a_gait_that_cannot_be_written(path, tmp_path, change, saying):
    gaits = make_gaits(3, subjects=("ada",))
    check_refused(saying, write_corpus, path, [*gaits, replace(gaits[0], **change)])
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(path):
    path.mkdir()
    write_corpus(path, make_gaits(2))  # an empty folder is none
    before = names_in(path)
    check_refused("is a folder with something in it", write_corpus, path, make_gaits(2))
    assert names_in(path) == before
    part = list_corpus_parts(path)[0]
    check_refused("is not a folder", write_corpus, part, make_gaits(2))
    assert names_in(path) == before


def test_a_place_that_is_taken_meanwhile(path):
    def write_where_another_does():
        with CorpusWriter(path) as writer:
            writer.write(make_gaits(2))
            path.mkdir()
            (path / "mine.txt").write_text("mine")

    check_refused("something in it", write_where_another_does)
    assert names_in(path.parent) == ["corpus/mine.txt"]


def test_a_full_disk(path, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus.ParquetSink, "write", fail)
    check_refused("No space left on device", write_corpus, path, make_gaits(2))
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow(path, monkeypatch):
    path.mkdir()
    (path / "a.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    check_refused("moodwalk[data]", iterate_corpus, path, kind=ConfigError)
    check_refused("moodwalk[data]", write_corpus, path / "b", [], kind=ConfigError)


# memory


def test_gaits_are_written_and_read_a_few_at_a_time(path, monkeypatch):
    monkeypatch.setattr(corpus, "_GROUP_ROWS", 1000)
    monkeypatch.setattr(corpus, "_WAITING_ROWS", 4000)
    pool = make_gaits(4, 100)
    many = (replace(pool[i % 4], name=f"{i}") for i in range(300))
    n_bytes = 300 * 100 * 16 * 3 * 4
    tracemalloc.start()
    try:
        write_corpus(path, many)
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert sum(map(len, iterate_corpus(path, 16))) == 300
        read = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n_bytes > 5e6
    assert written < n_bytes / 2
    assert read < n_bytes / 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts memory in another way")
def test_memory_does_not_grow_with_the_corpus(tmp_path):
    """Of the whole process, pyarrow's own included, where a part is one huge row group."""
    pool = make_gaits(2, 100)
    part = tmp_path / "small" / "part-0.parquet"
    with open_writer(part) as writer:
        writer.write([replace(pool[i % 2], name=f"{i}") for i in range(500)])
    (tmp_path / "large").mkdir()
    for i in range(5):
        shutil.copy(part, tmp_path / "large" / f"part-{i}.parquet")
    program = """
        import resource, sys
        from moodwalk.io.corpus import iterate_corpus
        peaks = []
        for path in sys.argv[1:]:
            print(sum(len(batch) for batch in iterate_corpus(path, 64)))
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        print((peaks[1] - peaks[0]) * (1 if sys.platform == "darwin" else 1024))
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), tmp_path / "small", tmp_path / "large"],
        capture_output=True,
        text=True,
        check=True,
    )
    n_small, n_large, growth = map(int, done.stdout.split())
    assert (n_small, n_large) == (500, 2500)
    n_bytes = 2500 * sum(map(len, pool)) // 2 * 16 * 3 * 4
    assert growth < n_bytes / 3
