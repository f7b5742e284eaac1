"""Playlists, read back by readers that know nothing of how they were written."""

import json
import math
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.music.playlists import (
    FORMATS,
    find_path,
    format_jspf,
    format_m3u8,
    format_xspf,
    is_uri,
    to_uri,
    write_playlist,
)
from moodwalk.music.track import Track

XSPF = "{http://xspf.org/ns/0/}"

SONG = Track(
    location="/music/Björk/#1 100% & <more>.ogg",
    title="A title",
    artist="Someone",
    album="An album",
    duration_s=123.456,
)
SIMULATED = Track(location="simulated:3", title="Third", artist="Nobody", duration_s=60.0)
STREAM = Track(location="http://radio.example/live stream?q=ä#now", title="Radio")
NASTY = "a\0b\x1b[31m\r\nc\t\u2028d\x85e\ud800f\uffffg <&> ]]> \u202e"

# file names: anything but a slash and a null byte; also bytes that are not UTF-8
names = st.one_of(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1),
    st.binary(min_size=1).filter(lambda name: not set(name) & set(b"/\0")).map(os.fsdecode),
).filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) < 250)
texts = st.text(max_size=60)
durations = st.one_of(st.none(), st.floats())
tracks = st.lists(
    st.tuples(
        st.builds(
            Track,
            location=st.one_of(
                names.map(lambda name: f"/music/{name}"),
                st.just("simulated:1"),
                st.just(STREAM.location),
            ),
            title=texts,
            artist=texts,
            album=texts,
            duration_s=durations,
        ),
        texts,
    ),
    max_size=5,
)


# RFC 3986, appendix A
URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:"
    r"(//([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|\[[0-9A-Fa-f:.]+\])*(?=[/?#]|$))?"
    r"([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*"
    r"(\?([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
    r"(#([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
)

# Of the specification of XSPF version 1, sections 4.1.1 and 4.1.2, in their order: what an element may hold,
# and whether it may stand there more than once.
PLAYLIST = (
    ("title", "text", False),
    ("creator", "text", False),
    ("annotation", "text", False),
    ("info", "uri", False),
    ("location", "uri", False),
    ("identifier", "uri", False),
    ("image", "uri", False),
    ("date", "date", False),
    ("license", "uri", False),
    ("attribution", "any", False),
    ("link", "any", True),
    ("meta", "any", True),
    ("extension", "any", True),
    ("trackList", "tracks", False),
)
TRACK = (
    ("location", "uri", True),
    ("identifier", "uri", True),
    ("title", "text", False),
    ("creator", "text", False),
    ("annotation", "text", False),
    ("info", "uri", False),
    ("image", "uri", False),
    ("album", "text", False),
    ("trackNum", "number", False),
    ("duration", "number", False),
    ("link", "any", True),
    ("meta", "any", True),
    ("extension", "any", True),
)


def check_children(element, rules):
    """Check an element's children against the specification."""
    order = [XSPF + name for name, _, _ in rules]
    found = [child.tag for child in element]
    assert set(found) <= set(order)
    assert found == sorted(found, key=order.index)
    assert not (element.text or "").strip()
    for name, kind, many in rules:
        children = element.findall(XSPF + name)
        assert many or len(children) <= 1
        for child in children:
            assert not (child.tail or "").strip()
            if kind == "tracks":
                assert not child.attrib
                assert {track.tag for track in child} <= {XSPF + "track"}
                for track in child:
                    check_children(track, TRACK)
                continue
            assert len(child) == 0
            assert not child.attrib
            if kind == "uri":
                assert URI.fullmatch(child.text)
            if kind == "number":
                assert re.fullmatch(r"[0-9]+", child.text)


def read_xspf(text):
    """Check a playlist against the specification, and return its root."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag == XSPF + "playlist"
    assert root.attrib == {"version": "1"}
    assert root.find(XSPF + "trackList") is not None
    check_children(root, PLAYLIST)
    return root


def read_m3u8(text):
    """Read an extended M3U: its title, and for every entry the seconds, name and place."""
    assert text.endswith("\n")
    title, info, found = None, None, []
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U"
    for line in lines[1:]:
        if line.startswith("#PLAYLIST:"):
            assert title is None
            title = line.removeprefix("#PLAYLIST:")
        elif line.startswith("#EXTINF:"):
            assert info is None
            seconds, name = line.removeprefix("#EXTINF:").split(",", 1)
            info = int(seconds), name
        elif line.startswith("#"):
            assert line.startswith("# ")
        else:
            assert line.strip() == line
            assert line
            found.append((*info, line))
            info = None
    assert info is None
    return title, found


def find_bytes(place, folder="/"):
    """Return the file's name that a line of a playlist or a URI means."""
    if place.startswith("file://"):
        return unquote_to_bytes(urlsplit(place).path)
    return os.path.normpath(os.path.join(os.fsencode(folder), os.fsencode(place)))  # noqa: PTH118


def test_xspf_holds_what_is_known():
    root = read_xspf(format_xspf([(SONG, "fits the mood"), (STREAM, "")], "A list"))
    assert root.findtext(XSPF + "title") == "A list"
    song, stream = root.iter(XSPF + "track")
    assert {child.tag.removeprefix(XSPF): child.text for child in song} == {
        "location": "file:///music/Bj%C3%B6rk/%231%20100%25%20%26%20%3Cmore%3E.ogg",
        "title": "A title",
        "creator": "Someone",
        "annotation": "fits the mood",
        "album": "An album",
        "duration": "123456",
    }
    assert {child.tag.removeprefix(XSPF): child.text for child in stream} == {
        "location": "http://radio.example/live%20stream?q=%C3%A4#now",
        "title": "Radio",
    }


def test_jspf_holds_the_same():
    found = json.loads(format_jspf([(SONG, "fits the mood"), (SIMULATED, "")], "A list"))
    assert found == {
        "playlist": {
            "title": "A list",
            "creator": "moodwalk",
            "track": [
                {
                    "location": ["file:///music/Bj%C3%B6rk/%231%20100%25%20%26%20%3Cmore%3E.ogg"],
                    "title": "A title",
                    "creator": "Someone",
                    "annotation": "fits the mood",
                    "album": "An album",
                    "duration": 123456,
                },
                {
                    "identifier": ["simulated:3"],
                    "title": "Third",
                    "creator": "Nobody",
                    "duration": 60000,
                },
            ],
        }
    }


def test_m3u8_holds_the_same():
    text = format_m3u8([(SONG, "fits the mood"), (STREAM, ""), (SIMULATED, "why")], "A list")
    assert text == (
        "#EXTM3U\n"
        "#PLAYLIST:A list\n"
        "# fits the mood\n"
        "#EXTINF:123,Someone - A title\n"
        "/music/Björk/#1 100% & <more>.ogg\n"
        "#EXTINF:-1,Radio\n"
        "http://radio.example/live%20stream?q=%C3%A4#now\n"
        "# in no file: Nobody - Third (simulated:3)\n"
    )


def test_what_is_in_no_file_has_no_location(tmp_path):
    tracks = [(SONG, ""), (SIMULATED, "why")]
    for suffix in FORMATS:
        assert write_playlist(tmp_path / f"list{suffix}", tracks, "A list") == (SIMULATED,)
    _, track = read_xspf((tmp_path / "list.xspf").read_text()).iter(XSPF + "track")
    assert track.find(XSPF + "location") is None
    assert track.findtext(XSPF + "identifier") == "simulated:3"
    _, found = read_m3u8((tmp_path / "list.m3u8").read_text())
    assert len(found) == 1


@pytest.mark.parametrize("tracks", [[], [(SIMULATED, "")]])
def test_empty_lists_are_whole(tracks):
    assert read_m3u8(format_m3u8(tracks, ""))[1] == []
    assert read_xspf(format_xspf(tracks, "")).find(XSPF + "title") is None
    assert "title" not in json.loads(format_jspf(tracks, ""))["playlist"]


@given(tracks, texts)
def test_xspf_keeps_to_its_specification_whatever_the_tags_say(tracks, title):
    root = read_xspf(format_xspf(tracks, title))
    found = list(root.iter(XSPF + "track"))
    assert len(found) == len(tracks)
    for element, (track, _) in zip(found, tracks, strict=True):
        location = element.findtext(XSPF + "location")
        if track.location.startswith("/"):
            assert find_bytes(location) == os.fsencode(track.location)


@given(tracks, texts)
def test_jspf_says_the_same_as_xspf(tracks, title):
    root = ElementTree.fromstring(format_xspf(tracks, title).encode())
    text = format_jspf(tracks, title)
    assert not re.search(r"[\ud800-\udfff]", text)
    found = json.loads(text)["playlist"]
    assert set(found) <= {"title", "creator", "track"}
    for element, facts in zip(root.iter(XSPF + "track"), found["track"], strict=True):
        same = {child.tag.removeprefix(XSPF): child.text for child in element}
        for name in ("location", "identifier"):
            if name in same:
                same[name] = [same[name]]
        if "duration" in same:
            same["duration"] = int(same["duration"])
        assert facts == same


@given(tracks, texts)
def test_m3u8_has_a_line_for_every_file_whatever_the_tags_say(tracks, title):
    text = format_m3u8(tracks, title)
    text.encode()
    _, found = read_m3u8(text)
    played = [track for track, _ in tracks if not track.location.startswith("simulated:")]
    assert len(found) == len(played)
    for (seconds, _, place), track in zip(found, played, strict=True):
        is_known = track.duration_s is not None and 0 < track.duration_s < math.inf
        assert seconds == (max(1, round(track.duration_s)) if is_known else -1) or (
            is_known and abs(seconds - track.duration_s) <= 0.501
        )
        if track.location.startswith("/"):
            assert find_bytes(place) == os.fsencode(track.location)


@given(st.lists(names, min_size=1, max_size=4), st.lists(names, min_size=1, max_size=3))
def test_relative_paths_lead_back_to_the_file(parts, folders):
    location = "/music/" + "/".join(parts)
    folder = Path("/music", *folders)
    _, ((_, _, place),) = read_m3u8(format_m3u8([(Track(location=location), "")], "", folder))
    assert place.startswith("file://") or not place.startswith("/")
    assert not is_uri(place) or place.startswith("file://")
    assert find_bytes(place, folder) == os.fsencode(location)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("song.ogg", "song.ogg"),
        ("#1.ogg", "./#1.ogg"),
        ("http://x", "./http:/x"),
        ("c:song.ogg", "./c:song.ogg"),
        (" song.ogg", "./ song.ogg"),
        ("song.ogg ", "file:///music/song.ogg%20"),
        ("100%25.ogg", "100%25.ogg"),
    ],
)
def test_relative_names_are_not_taken_for_something_else(name, line):
    text = format_m3u8([(Track(location=f"/music/{name}"), "")], "", Path("/music"))
    assert text.splitlines()[-1] == line


def test_relative_paths_lead_to_files_through_symbolic_links(tmp_path):
    real = tmp_path / "disk" / "deep" / "lists"
    real.mkdir(parents=True)
    song = tmp_path / "disk" / "song.ogg"
    song.write_bytes(b"x")
    (tmp_path / "lists").symlink_to(real)
    path = tmp_path / "lists" / "a.m3u8"
    write_playlist(path, [(Track(location=str(song)), "")], "", relative=True)
    line = path.read_text().splitlines()[-1]
    assert line == "../../song.ogg"
    assert (path.parent / line).read_bytes() == b"x"
    with pytest.raises(ConfigError, match="relative paths are for"):
        write_playlist(tmp_path / "a.xspf", [], "", relative=True)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_uri_becomes_one_that_the_standard_allows_and_stays_so(text):
    location = f"http://host/{text}"
    uri = to_uri(location)
    assert URI.fullmatch(uri)
    assert to_uri(uri) == uri
    # nothing is lost but what a percent sign in front of two digits means already
    assert unquote_to_bytes(uri) == unquote_to_bytes(
        re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", location)
    )


@pytest.mark.parametrize(
    ("location", "path", "uri"),
    [
        ("/a b/%41.ogg", b"/a b/%41.ogg", "file:///a%20b/%2541.ogg"),
        ("file:///a%20b/%FF%0A.ogg", b"/a b/\xff\n.ogg", "file:///a%20b/%FF%0A.ogg"),
        ("FILE://localhost/a#b", b"/a", "file:///a"),
        ("file:/a?b", b"/a", "file:///a"),
        ("/a:b", b"/a:b", "file:///a%3Ab"),
        ("file://nas/a", None, "file://nas/a"),
        ("spotify:track:1", None, "spotify:track:1"),
        ("http://[::1]:80/[a]", None, "http://[::1]:80/%5Ba%5D"),
        ("http://a/%zz%41", None, "http://a/%25zz%41"),
    ],
)
def test_paths_and_uris(location, path, uri):
    found = find_path(location)
    assert (None if found is None else os.fsencode(found)) == path
    assert to_uri(location) == uri


@pytest.mark.parametrize("location", ["", "a.ogg", "./a", "C:\\a", "file:a", "/a\0b", "/\ud800"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_location_that_is_none_stops_before_anything_is_written(tmp_path, location, suffix):
    path = tmp_path / f"list{suffix}"
    path.write_text("old")
    with pytest.raises(DataFormatError, match="is no place of a track") as caught:
        write_playlist(path, [(SONG, ""), (Track(location=location), "")], "A list")
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208


@pytest.mark.parametrize("suffix", FORMATS)
def test_texts_that_would_break_the_file(tmp_path, suffix):
    track = Track(location=f"/music/{'x' * 3000}.ogg", title=NASTY, artist=NASTY, album=NASTY)
    path = tmp_path / f"list{suffix}"
    write_playlist(path, [(track, NASTY * 1000)], NASTY)
    text = path.read_bytes().decode()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]", text)
    assert "x" * 3000 in text
    clean = "a b [31m c d e\ufffdf\ufffdg <&> ]]> \u202e"
    if suffix == ".m3u8":
        title, ((_, name, _),) = read_m3u8(text)
        assert (title, name) == (clean, f"{clean} - {clean}")
    elif suffix == ".xspf":
        assert read_xspf(text).findtext(XSPF + "title") == clean
    else:
        (found,) = json.loads(text)["playlist"]["track"]
        assert found["title"] == clean
        assert len(found["annotation"]) == 1000


@pytest.mark.parametrize("name", ["list.m3u", "list", "list.pls", ".m3u8"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(DataFormatError, match=r"expected one of .m3u8, .xspf, .jspf"):
        write_playlist(tmp_path / name, [], "A list")
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_may_be_in_capitals_and_the_folder_is_made(tmp_path):
    path = tmp_path / "new" / "LIST.XSPF"
    assert write_playlist(path, [(SONG, "")], "A list") == ()
    read_xspf(path.read_text())
    with pytest.raises(DataFormatError, match="cannot be written"):
        write_playlist(path / "below.xspf", [], "A list")


def test_m3u8_as_another_library_reads_it():
    m3u8 = pytest.importorskip("m3u8", reason="m3u8 is not installed")
    tracks = [(SONG, "why"), (SIMULATED, ""), (Track(location="/a\nb", title=NASTY), NASTY)]
    found = m3u8.loads(format_m3u8(tracks, NASTY))
    assert [(one.uri, one.duration, one.title) for one in found.segments] == [
        (SONG.location, 123, "Someone - A title"),
        ("file:///a%0Ab", -1, "a b [31m c d e\ufffdf\ufffdg <&> ]]> \u202e"),
    ]
