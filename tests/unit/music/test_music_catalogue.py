import csv
import io
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.music.library import Library
from moodwalk.music.library.catalogue import MAX_PROBLEMS, import_catalogue
from moodwalk.music.track import Track

pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
pytest.importorskip("alembic", reason="needs the extra 'music'")
pytestmark = pytest.mark.usefixtures("music_home")

ID = "6f807x0ima9a1j3VPbc7VN"
FULL = {
    "track_id": ID,
    "track_name": "A Song",
    "track_artist": "Somebody",
    "track_album_name": "An Album",
    "playlist_genre": "pop",
    "energy": "0.9",
    "valence": "0.25",
    "mode": "1",
    "tempo": "122.036",
    "duration_ms": "194754",
    "track_popularity": "66",
}


def write_csv(path, rows, columns=tuple(FULL), **how):
    """Write rows, each of which says how it differs from FULL."""
    text = io.StringIO()
    writer = csv.writer(text, **how)
    writer.writerow(columns)
    writer.writerows([{**FULL, **row}[name] for name in columns] for row in rows)
    path.write_text(text.getvalue(), "utf-8")
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "songs.csv"


def import_one(file, library, columns=None):
    """Import a catalogue of one track; return the report and the track without its id."""
    report = import_catalogue(file, library, columns)
    (track,) = library.list()
    return report, replace(track, id=None)


EXPECTED = Track(
    location=f"spotify:track:{ID}",
    title="A Song",
    artist="Somebody",
    album="An Album",
    genre="pop",
    duration_s=194.754,
    tempo_bpm=122.036,
    valence=-0.5,
    arousal=0.8,
    energy=0.9,
    mode="major",
    popularity=66.0,
    source="catalogue",
)


# The real catalogue


@pytest.fixture(scope="module")
def spotify_rows(spotify_file):
    """The rows with a title, by track, as the csv module alone reads them."""
    by_track = defaultdict(list)
    with spotify_file.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_track[row["track_id"]].append(row)
    return {
        name: rows for name, rows in by_track.items() if rows[0]["track_name"] not in ("", "NA")
    }


def test_the_real_catalogue(spotify_file, spotify_rows, tmp_path):
    said = []
    with Library.open(tmp_path / "a.db") as library:
        report = import_catalogue(
            spotify_file, library, progress=lambda done, total: said.append((done, total))
        )
        tracks = {track.location: track for track in library.iterate()}
        assert library.count() == len(spotify_rows) == 28_352
    assert report.n_rows == 32_833
    assert report.n_in_catalogue == report.n_added == 28_352
    assert report.n_untitled == 5
    assert report.n_merged == 32_833 - 5 - 28_352
    assert report.n_without_tempo == 1
    assert report.n_unread == report.n_bad_values == report.n_updated == report.n_unchanged == 0
    assert len(report.problems) == 5
    assert all("has no title" in problem for problem in report.problems)
    assert "28352 tracks: 28352 new" in report.describe()
    assert report.describe().endswith("5 rows without a title left out, 1 track of unknown tempo.")
    assert said[-1] == (32_833, 32_833)
    assert [done for done, total in said if total] == [*range(1000, 32_001, 1000), 32_833]

    assert set(tracks) == {f"spotify:track:{name}" for name in spotify_rows}
    for name, rows in spotify_rows.items():
        track, first = tracks[f"spotify:track:{name}"], rows[0]
        assert track.title == " ".join(first["track_name"].split())
        assert track.artist == " ".join(first["track_artist"].split())
        assert track.tempo_bpm == (float(first["tempo"]) or None)
        assert track.valence == 2 * float(first["valence"]) - 1
        assert track.arousal == 2 * float(first["energy"]) - 1
        assert track.energy == float(first["energy"])
        assert track.mode == {"1": "major", "0": "minor"}[first["mode"]]
        assert track.popularity == float(first["track_popularity"])
        assert track.duration_s == int(first["duration_ms"]) / 1000
        assert track.genre.split(", ") == list(dict.fromkeys(row["playlist_genre"] for row in rows))
        assert track.source == "catalogue"


# What a row means


def test_a_row_becomes_a_track(file, memory):
    report, track = import_one(write_csv(file, [{}]), memory)
    assert track == EXPECTED
    assert report.problems == ()
    assert report.describe() == "1 row, 1 track: 1 new, 0 changed, 0 as before."


def test_what_is_imported_again_is_there_once(file, memory):
    rows = [{"track_id": f"t{i}"} for i in range(5)]
    import_catalogue(write_csv(file, rows), memory)
    rows[3]["tempo"] = "77"
    rows.append({"track_id": "new"})
    for expected in ((1, 1, 4), (0, 0, 6)):
        report = import_catalogue(write_csv(file, rows), memory)
        assert (report.n_added, report.n_updated, report.n_unchanged) == expected
    assert memory.find("catalogue:t3").tempo_bpm == 77
    assert memory.count() == 6


def test_rows_of_one_track_are_merged(file, memory):
    rows = [
        {"valence": "NA", "playlist_genre": "rap", "track_popularity": "1"},
        {"track_id": "another", "track_name": "Between"},
        {"valence": "0.75", "playlist_genre": "pop", "tempo": "90", "track_popularity": "2"},
        {"valence": "0.1", "playlist_genre": "rap"},
    ]
    report = import_catalogue(write_csv(file, rows), memory)
    merged = memory.find(f"spotify:track:{ID}")
    # the first that says something decides
    assert (merged.valence, merged.tempo_bpm, merged.popularity) == (0.5, 122.036, 1)
    assert merged.genre == "rap, pop"
    assert memory.find("catalogue:another").title == "Between"
    assert (report.n_rows, report.n_in_catalogue, report.n_merged) == (4, 2, 2)


@pytest.mark.parametrize(
    ("cells", "field", "expected", "n_bad"),
    [
        ({"tempo": "0"}, "tempo_bpm", None, 0),
        ({"tempo": "0.0"}, "tempo_bpm", None, 0),
        ({"tempo": ""}, "tempo_bpm", None, 0),
        ({"tempo": "fast"}, "tempo_bpm", None, 1),
        ({"tempo": "-120"}, "tempo_bpm", None, 1),
        ({"tempo": "1e999"}, "tempo_bpm", None, 1),
        ({"tempo": " 98.5 "}, "tempo_bpm", 98.5, 0),
        ({"valence": "NaN"}, "valence", None, 0),
        ({"valence": "1.5"}, "valence", None, 1),
        ({"valence": "0,5"}, "valence", None, 1),
        ({"energy": "inf"}, "arousal", None, 1),
        ({"energy": "-nan"}, "energy", None, 1),
        ({"mode": "minor"}, "mode", "minor", 0),
        ({"mode": "0.0"}, "mode", "minor", 0),
        ({"mode": "NA"}, "mode", None, 0),
        ({"mode": "2"}, "mode", None, 1),
        ({"duration_ms": "0"}, "duration_s", None, 0),
        ({"duration_ms": "three minutes"}, "duration_s", None, 1),
        ({"track_popularity": "101"}, "popularity", None, 1),
        ({"track_popularity": "0"}, "popularity", 0.0, 0),
        ({"track_name": "  two\n words\t"}, "title", "two words", 0),
        ({"track_name": "NA"}, "title", "NA", 0),
        ({"track_id": "a b%2F/ü?"}, "location", "catalogue:a%20b%252F/%C3%BC%3F", 0),
    ],
)
def test_what_a_cell_means(file, memory, cells, field, expected, n_bad):
    report, track = import_one(write_csv(file, [cells]), memory)
    assert getattr(track, field) == expected
    assert report.n_bad_values == len(report.problems) == n_bad
    assert report.n_without_tempo == (track.tempo_bpm is None)
    if n_bad:
        (value,) = cells.values()
        (problem,) = report.problems
        assert problem.startswith("songs.csv: line 2 has ")
        assert repr(value) in problem
        assert "expected" in problem


def test_rows_that_are_left_out_are_named(file, memory):
    rows = [
        {"track_id": " "},
        {"track_name": "", "track_id": "x" * 1000},
        {"track_name": "NA", "track_artist": "NA"},
        {"track_id": "c", "track_name": "null\0byte"},
        {"track_id": "d"},
    ]
    write_csv(file, rows)
    with file.open("a") as more:
        more.write("too,few\n\n" + "," * 30 + "\n")
    report = import_catalogue(file, memory)
    assert [track.location for track in memory.list()] == ["catalogue:d"]
    assert (report.n_rows, report.n_untitled, report.n_unread) == (7, 2, 4)
    assert report.problems == (
        "songs.csv: line 2 has no track_id; left out.",
        f"songs.csv: line 3 has no title (track_id '{'x' * 40}'); left out.",
        f"songs.csv: line 4 has no title (track_id '{ID}'); left out.",
        "songs.csv: line 5 holds null bytes; expected text; left out.",
        "songs.csv: line 7 has 2 cells; expected 11, as the header has; left out.",
        "songs.csv: line 9 has 31 cells; expected 11, as the header has; left out.",
    )


def test_more_problems_than_anybody_reads(file, memory):
    rows = [{"track_id": f"t{i}", "tempo": "?"} for i in range(MAX_PROBLEMS + 7)]
    report = import_catalogue(write_csv(file, rows), memory)
    assert report.n_bad_values == report.n_without_tempo == MAX_PROBLEMS + 7
    assert len(report.problems) == MAX_PROBLEMS + 1
    assert report.problems[-1] == "songs.csv: 7 more such rows and values."
    assert report.to_dict()["problems"] == list(report.problems)


def test_more_genres_than_a_track_needs(file, memory):
    rows = [{"playlist_genre": f"genre number {i}"} for i in range(100)]
    _, track = import_one(write_csv(file, rows), memory)
    assert track.genre.startswith("genre number 0, genre number 1, ")
    assert len(track.genre) <= 200


# How it is written


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_encodings_and_line_ends(file, memory, separator, encoding):
    names = {"track_name": 'Ein "Stück", 日本; a|b\tc', "track_artist": "Ünlü"}
    expected = replace(EXPECTED, title='Ein "Stück", 日本; a|b c', artist="Ünlü")
    for end in ("\n", "\r\n", "\r"):
        write_csv(file, [names], delimiter=separator, lineterminator=end)
        file.write_bytes(file.read_bytes().decode().encode(encoding))
        report, track = import_one(file, memory)
        assert track == expected
        assert report.problems == ()
        memory.remove([track.location])


def test_decimal_commas_where_cells_are_separated_otherwise(file, memory):
    write_csv(file, [{"valence": "0,25", "tempo": "122,036"}], delimiter=";")
    assert import_one(file, memory)[1] == EXPECTED


def test_last_line_without_an_end(file, memory):
    file.write_text(write_csv(file, [{}]).read_text().rstrip("\r\n"))
    assert import_one(file, memory)[1] == EXPECTED


def test_what_need_not_be_there(file, memory):
    needed = ("track_id", "track_name", "track_artist", "valence", "energy", "tempo")
    report, track = import_one(write_csv(file, [{}], columns=needed), memory)
    assert track == replace(
        EXPECTED, album="", genre="", duration_s=None, mode=None, popularity=None
    )
    assert report.problems == (
        "songs.csv has no column track_album_name, playlist_genre, mode, duration_ms, track_popularity; "
        "these are unknown.",
    )


def test_columns_of_other_names(file, memory):
    write_csv(file, [{}])
    text = file.read_text()
    for ours, theirs in {"track_name": "title", "tempo": "BPM", "mode": "major?"}.items():
        text = text.replace(ours, theirs, 1)
    file.write_text(text)
    with pytest.raises(DataFormatError) as raised:
        import_catalogue(file, memory)
    said = str(raised.value)
    assert "\n" not in said
    assert "lacks the columns 'track_name', 'tempo'; found 'track_id', 'title'," in said
    assert "--columns track_name=THEIRS" in said
    columns = {"track_name": "title", "tempo": "BPM"}
    assert import_one(file, memory, columns)[1] == replace(EXPECTED, mode=None)
    columns["mode"] = "major?"
    assert import_one(file, memory, columns)[1] == EXPECTED


def test_columns_that_are_named_wrongly(file, memory):
    write_csv(file, [{}])
    with pytest.raises(ConfigError, match=r"names 'title', which no catalogue needs; expected one"):
        import_catalogue(file, memory, {"title": "track_name"})
    with pytest.raises(DataFormatError, match="lacks the columns 'loud' for energy"):
        import_catalogue(file, memory, {"energy": "loud"})
    with pytest.raises(DataFormatError, match="lacks the columns 'key' for mode"):
        import_catalogue(file, memory, {"mode": "key"})
    file.write_text(file.read_text().replace("mode", "tempo", 1))
    with pytest.raises(DataFormatError, match="has the column 'tempo' twice"):
        import_catalogue(file, memory)
    assert memory.count() == 0


# Files that are refused, and nothing is written


def spoil(file, text):
    """Put something after 3,000 good rows, which is more than one transaction."""
    rows = [{"track_id": f"t{i}"} for i in range(3000)]
    write_csv(file, rows)
    with file.open("ab") as more:
        more.write(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"caf\xe9,", r"not text in UTF-8 \(byte 0xe9, .*\); .* iconv"),
        (b'x,"never closed' + b"\r\nmore,of,it" * 9, "lines 3002 to 3011 are read as one row of 2"),
        (
            b'x,"never closed' + b"\r\nmore,of,it" * 99_999,
            "line 3002: field larger than field limit",
        ),
        (b"x" * 2**21, "a line of more than 1,048,576 characters"),
        (b"x," * 2**20, "a line of more than 1,048,576 characters"),
    ],
)
def test_a_file_that_goes_wrong_late(file, memory, text, said):
    spoil(file, text)
    memory.put([Track(location="/a")])
    with pytest.raises(DataFormatError, match=said) as raised:
        import_catalogue(file, memory)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400 + len(str(file))
    assert [track.location for track in memory.list()] == ["/a"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "lacks the columns"),
        (b"\n\n\n", "lacks the columns"),
        (b"no table at all", "found 'no table at all'"),
        (b"\0" * 5000, "lacks the columns"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not text in UTF-8"),
        (b"\xff\xfe\x00\xd8\x00", "not text in UTF-16"),
        (b'"' * 4001, "lacks the columns"),
        (b'"' + b"a," * 10**6, "field larger than field limit|more than 1,048,576"),
        (",".join(FULL).encode(), "has a header and no rows"),
        (",".join(FULL).encode() + b"\r\n\r\n", "has a header and no rows"),
        (",".join(f"column {i}" for i in range(500)).encode(), "and 488 more"),
    ],
)
def test_files_that_are_no_catalogue(file, memory, content, said):
    file.write_bytes(content)
    with pytest.raises(DataFormatError, match=said) as raised:
        import_catalogue(file, memory)
    assert "\n" not in str(raised.value)
    assert "expected" in str(raised.value) or "--columns" in str(raised.value)
    assert memory.count() == 0


def test_places_without_a_file(tmp_path, memory):
    with pytest.raises(DataFormatError, match="does not exist; expected a catalogue of tracks"):
        import_catalogue(tmp_path / "missing.csv", memory)
    with pytest.raises(DataFormatError, match="is a folder; expected a catalogue of tracks"):
        import_catalogue(tmp_path, memory)


def test_a_catalogue_that_was_cut(file, memory):
    write_csv(file, [{"track_id": f"t{i}"} for i in range(50)])
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rindex(b"An Album")])
    report = import_catalogue(file, memory)
    assert (report.n_in_catalogue, report.n_unread) == (49, 1)
    assert report.problems == (
        "songs.csv: line 51 has 4 cells; expected 11, as the header has; left out.",
    )


# Whatever it holds

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
rows_of_any_kind = st.lists(
    st.fixed_dictionaries(
        {
            "track_id": st.sampled_from(["a", "b", "c", ID, ""]),
            "track_name": st.sampled_from(["x", "", "NA"]) | text,
            "track_artist": st.sampled_from(["NA", "", "y"]),
            "valence": st.sampled_from(["0.5", "", "nan", "2"]) | text,
            "tempo": st.floats(-1, 600).map(str) | text,
            "playlist_genre": st.sampled_from(["pop", "rap", ""]),
        }
    ),
    min_size=1,
    max_size=12,
)


def empty(library):
    library.remove([track.location for track in library.iterate()])
    return library


def test_every_row_is_accounted_for(tmp_path, memory):
    @settings(max_examples=40)
    @given(rows_of_any_kind)
    def check(rows):
        file = write_csv(tmp_path / "any.csv", rows)
        report = import_catalogue(file, empty(memory))
        tracks = memory.list()
        n_left_out = report.n_untitled + report.n_unread
        assert report.n_rows == len(rows) == len(tracks) + report.n_merged + n_left_out
        assert len(tracks) == report.n_in_catalogue == report.n_added
        assert len(report.problems) == n_left_out + report.n_bad_values
        for track in tracks:
            assert track.title
            assert track.valence is None or -1 <= track.valence <= 1
            assert track.tempo_bpm is None or 0 < track.tempo_bpm <= 500
        assert report.n_without_tempo == sum(track.tempo_bpm is None for track in tracks)
        sensible = {row["track_id"] for row in rows if row["track_name"] == "x"} - {""}
        assert len(tracks) >= len(sensible)

    check()


def test_any_bytes_are_read_or_refused_in_one_line(tmp_path, memory):
    @settings(max_examples=100)
    @given(st.binary(max_size=300) | st.text(',;"\r\n\t|\0aé', max_size=300).map(str.encode))
    def check(content):
        file = tmp_path / "any.csv"
        file.write_bytes(",".join(FULL).encode() + b"\n" + content)
        said = ""
        empty(memory)
        try:
            n_expected = import_catalogue(file, memory).n_in_catalogue
        except DataFormatError as error:
            n_expected, said = 0, str(error)
        assert memory.count() == n_expected
        assert "\n" not in said

    check()
