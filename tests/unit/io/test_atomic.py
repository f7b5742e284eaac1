import os
import stat

import pytest

from moodwalk.errors import DataFormatError
from moodwalk.io.atomic import check_writable, write_whole, write_whole_text


class PowerCutError(Exception):
    pass


def list_names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_the_folders_it_needs(tmp_path):
    path = tmp_path / "a" / "b" / "out.csv"
    write_whole_text(path, "häppy\r\n")
    assert path.read_bytes() == "häppy\r\n".encode()
    assert list_names(path.parent) == ["out.csv"]


@pytest.mark.parametrize("error", [PowerCutError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail():
        with write_whole(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list_names(tmp_path) == ["out.txt"]


def test_failure_leaves_no_folder_behind(tmp_path):
    def fail():
        with write_whole(tmp_path / "a" / "b" / "out.txt") as temporary:
            temporary.write_text("half")
            raise PowerCutError

    with pytest.raises(PowerCutError):
        fail()
    assert list_names(tmp_path) == []


def test_failure_leaves_folders_that_were_there(tmp_path):
    (tmp_path / "a").mkdir()

    def fail():
        with write_whole(tmp_path / "a" / "out.txt"):
            raise PowerCutError

    with pytest.raises(PowerCutError):
        fail()
    assert list_names(tmp_path) == ["a"]


def test_the_old_file_stands_until_the_block_ends(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with write_whole(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert temporary.suffix == path.suffix
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_errors_of_the_system_become_one_line(tmp_path):
    def fail():
        with write_whole(tmp_path / "out.txt"):
            raise OSError(28, "No space left on device")

    with pytest.raises(DataFormatError, match=r"out\.txt cannot be written: No space left"):
        fail()
    assert list_names(tmp_path) == []


def test_new_files_follow_the_umask_and_old_ones_keep_their_mode(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole_text(tmp_path / "new.txt", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == 0o640
    (tmp_path / "new.txt").chmod(0o600)
    write_whole_text(tmp_path / "new.txt", "again")
    assert stat.S_IMODE((tmp_path / "new.txt").stat().st_mode) == 0o600


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_whole_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_long_names_are_possible(tmp_path):
    name = "x" * 250 + ".csv"
    write_whole_text(tmp_path / name, "a")
    assert list_names(tmp_path) == [name]


def test_checking_makes_nothing(tmp_path):
    assert check_writable(tmp_path / "a" / "b.txt") == tmp_path / "a" / "b.txt"
    assert list_names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "saying"),
    [
        ("folder", "is a folder"),
        ("pipe", "device or pipe"),
        ("file/out.txt", "is not a folder"),
        ("x" * 300, "cannot be written"),
        ("a\0b", "cannot be written"),
    ],
)
def test_places_where_nothing_can_be_written(tmp_path, name, saying):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    before = list_names(tmp_path)
    with pytest.raises(DataFormatError, match=saying) as caught:
        write_whole_text(tmp_path / name, "text")
    assert "\n" not in str(caught.value)
    assert list_names(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataFormatError, match="no permission"):
            check_writable(tmp_path / "a" / "out.txt")
    finally:
        tmp_path.chmod(0o700)
