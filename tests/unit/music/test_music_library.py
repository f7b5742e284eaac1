from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.library.store import BATCH, Counts
from moodwalk.music.simulated import simulated_catalogue
from moodwalk.music.track import Track

pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
pytest.importorskip("alembic", reason="needs the extra 'music'")
pytestmark = pytest.mark.usefixtures("music_home")


def make_tracks(n, **fields):
    return [
        Track(location=f"/music/{i}.ogg", title=f"Song {i}", artist=f"Artist {i % 7}", **fields)
        for i in range(n)
    ]


def without_ids(tracks):
    return [replace(track, id=None) for track in tracks]


def test_tracks_come_back_as_they_went_in(library):
    tracks = simulated_catalogue(300)
    assert library.put(tracks) == Counts(300, 0, 0)
    found = list(library.iterate())
    assert without_ids(found) == tracks
    assert [track.id for track in found] == sorted(track.id for track in found)
    ids = [found[7].id, found[299].id, found[0].id, found[7].id]
    assert library.get(ids) == [found[7], found[299], found[0], found[7]]
    assert library.find("simulated:8") == found[7]
    assert library.find("simulated:301") is None
    assert library.count() == 300


def test_putting_again_counts_what_changed(library):
    tracks = make_tracks(50, valence=0.1)
    library.put(tracks)
    before = library.list(None)
    tracks[3] = replace(tracks[3], valence=None)
    tracks[4] = replace(tracks[4], title="Another")
    assert library.put([*tracks, Track(location="/music/new.ogg")]) == Counts(1, 2, 48)
    after = library.list(None)
    assert [track.id for track in after[:50]] == [track.id for track in before]
    assert after[3].valence is None
    assert after[4].title == "Another"


def test_more_tracks_than_one_transaction_holds_and_some_twice(memory):
    n = BATCH + 10
    tracks = make_tracks(n)
    counts = memory.put(iter([*tracks, replace(tracks[0], title="Newer"), tracks[1]]))
    assert counts == Counts(n, 1, 1)
    assert memory.count() == n
    assert memory.find("/music/0.ogg").title == "Newer"


def test_what_no_database_holds(library):
    odd = Track(location="/a", title="a\0b\udcff", valence=float("nan"), tempo_bpm=float("inf"))
    library.put([odd, odd])
    (kept,) = library.list()
    assert (kept.title, kept.valence, kept.tempo_bpm) == ("ab?", None, None)
    assert library.put([odd]) == Counts(0, 0, 1)
    for location in ("", "/a\0b", "/a\udcff"):
        with pytest.raises(LibraryError, match="expected text in UTF-8"):
            library.put([Track(location=location)])


def test_locations_longer_than_an_index_holds(library):
    long = ["/" + "x" * 9000 + str(i) for i in range(3)]
    library.put([Track(location=location) for location in long])
    assert [track.location for track in library.list()] == long
    assert library.find(long[1]).id == library.list()[1].id


def test_tracks_that_are_not_there(library):
    library.put(make_tracks(3))
    for number in (17, 0, -1, 2**63, 10**30):
        with pytest.raises(LibraryError, match=f"no track of number {number}"):
            library.get([1, number])
    assert library.get([]) == []


def test_listing_and_searching(library):
    library.put(
        [
            Track(location="/1", title="Café del Mar", artist="Energy 52"),
            Track(location="/2", title="100 % pure", artist="ÉTOILE"),
            Track(location="/3", title="Other", artist="Somebody", album="Under_score"),
        ]
    )

    def search(text, **how):
        return [track.location for track in library.list(search=text, **how)]

    assert search("CAFÉ") == ["/1"]
    assert search("étoile") == ["/2"]
    assert search("mar energy") == ["/1"]
    assert search("mar  other") == []
    assert search("%") == ["/2"]
    assert search("_") == ["/3"]
    assert search("\udcff\0") == []
    assert search("") == search(None) == ["/1", "/2", "/3"]
    assert search("", limit=1, offset=1) == ["/2"]
    assert search("", limit=10**30, offset=10**30) == []
    with pytest.raises(ConfigError, match="0 or more"):
        library.list(-1)


def test_removing(library):
    library.put(make_tracks(1200))
    gone = [f"/music/{i}.ogg" for i in range(1100)]
    assert library.remove([*gone, "/nowhere", gone[0]]) == 1100
    assert library.count() == 100
    assert library.remove(gone) == 0
    library.put(make_tracks(1))
    assert (
        library.find("/music/0.ogg").id > 1200
    )  # a number that had another meaning is not given again


tracks_of_any_kind = st.builds(
    Track,
    location=st.sampled_from([f"/{i}" for i in range(6)]),
    title=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    tempo_bpm=st.none() | st.floats(40, 250),
    valence=st.none() | st.floats(-1, 1),
    mode=st.sampled_from(["major", "minor", None]),
    source=st.sampled_from(["scan", "catalogue"]),
)
steps = st.lists(
    st.tuples(st.just("put"), st.lists(tracks_of_any_kind, max_size=5))
    | st.tuples(st.just("remove"), st.lists(st.sampled_from([f"/{i}" for i in range(6)])))
)


def test_a_library_is_what_was_put_less_what_was_removed(memory):
    @settings(max_examples=40)
    @given(steps)
    def check(steps):
        memory.remove([track.location for track in memory.list(None)])
        expected = {}
        for step, values in steps:
            if step == "put":
                n_new = len({track.location for track in values} - set(expected))
                assert memory.put(values).n_added == n_new
                expected |= {track.location: track for track in values}
            else:
                assert memory.remove(values) == len(set(values) & set(expected))
                expected = {key: track for key, track in expected.items() if key not in values}
            found = memory.list(None)
            assert {track.location: replace(track, id=None) for track in found} == expected
            assert memory.read_columns().id.tolist() == [track.id for track in found]

    check()
