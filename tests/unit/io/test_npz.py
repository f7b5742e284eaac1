import io
import os
import warnings
import zipfile

import numpy as np
import pytest

from moodwalk.errors import DataFormatError, LabelError
from moodwalk.io import read, read_npz


def make_arrays(**changes):
    rng = np.random.default_rng(0)
    arrays = {
        "positions": rng.normal(size=(13, 16, 3)).astype(np.float32),
        "n_frames": np.array([4, 9]),
        "fps": np.array([30.0, 60.0]),
        "names": np.array(["a", "b"]),
        "subjects": np.array(["", "Ada"]),
        "labels": np.array(["sad", ""]),
        "acted": np.array(["", "happy"]),
        "synthetic": np.array([False, True]),
    }
    return {name: array for name, array in (arrays | changes).items() if array is not None}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "walks.npz"
    np.savez(path, **make_arrays())
    return path


def check_refused(path, saying, kind=DataFormatError):
    with pytest.raises(kind) as caught:
        read_npz(path)
    message = str(caught.value)
    assert "\n" not in message
    assert saying in message
    assert path.name in message or "x" * 300 in message


def replace_member(path, name, content, compress=zipfile.ZIP_STORED):
    """Write the archive again with other bytes in one member."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", compress) as archive:
        for member, held in (members | {f"{name}.npy": content}).items():
            archive.writestr(member, held)


def make_npy(array, claim=None):
    """Return the bytes of an array, with a header that claims something else if told so."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    content = buffer.getvalue()
    if claim is not None:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, claim)
        content = header.getvalue() + content[128:]
    return content


def test_every_array_is_read(path):
    a, b = read_npz(path)
    arrays = make_arrays()
    np.testing.assert_array_equal(a.positions, arrays["positions"][:4], strict=True)
    np.testing.assert_array_equal(b.positions, arrays["positions"][4:], strict=True)
    assert (a.name, a.fps, a.subject, a.label, a.acted) == ("a", 30.0, None, "sad", None)
    assert (b.name, b.fps, b.subject, b.label, b.acted) == ("b", 60.0, "Ada", None, "happy")
    assert (a.synthetic, b.synthetic, a.source) == (False, True, "walks.npz")
    assert len(read(path)) == 2


def test_only_three_arrays_are_needed(tmp_path):
    path = tmp_path / "walks.npz"
    nothing = dict.fromkeys(["names", "subjects", "labels", "acted", "synthetic"])
    np.savez(path, **make_arrays(**nothing), more=np.zeros(3))
    a, b = read_npz(path)
    assert (a.name, a.subject, a.label, a.acted, a.synthetic) == ("", None, None, None, False)
    assert len(b) == 9


@pytest.mark.parametrize("dtype", ["<f8", ">f8", ">f4", "<f2", "<i4"])
def test_numbers_of_every_type(tmp_path, dtype):
    path = tmp_path / "walks.npz"
    positions = np.arange(13 * 48).reshape(13, 16, 3).astype(dtype)
    np.savez_compressed(path, **make_arrays(positions=np.asfortranarray(positions)))
    a, b = read_npz(path)
    assert a.positions.dtype == (np.float64 if "8" in dtype else np.float32)
    np.testing.assert_array_equal(np.concatenate([a.positions, b.positions]), positions)


def test_missing_joints_are_nan(tmp_path):
    path = tmp_path / "walks.npz"
    positions = make_arrays()["positions"]
    positions[5, 2] = np.nan
    np.savez(path, **make_arrays(positions=positions))
    assert [gait.n_missing for gait in read_npz(path)] == [0, 1]
    positions[5, 2, 0] = 1
    np.savez(path, **make_arrays(positions=positions))
    check_refused(path, "gait 1 ('b'), frame 1: neck misses some coordinates")


def with_value(value):
    positions = make_arrays()["positions"]
    positions[6, 3, 1] = value
    return positions


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({"positions": None}, "has no array 'positions'; found 'n_frames', 'fps'"),
        ({"n_frames": None}, "has no array 'n_frames'"),
        ({"fps": None}, "has no array 'fps'"),
        ({"positions": np.zeros((13, 48))}, "shape (13, 48); expected (frames, 16, 3)"),
        ({"positions": np.zeros((13, 17, 3))}, "shape (13, 17, 3); expected (frames, 16, 3)"),
        ({"positions": np.float32(1)}, "shape (); expected (frames, 16, 3)"),
        ({"positions": np.full((13, 16, 3), "1")}, "holds <U1; expected numbers"),
        ({"positions": np.zeros((13, 16, 3), complex)}, "holds complex128; expected numbers"),
        ({"positions": np.zeros((13, 16, 3), "V4")}, "expected numbers"),
        ({"positions": with_value(np.inf)}, "gait 1 ('b'): gait 'b': infinite position in frame 2"),
        ({"n_frames": np.array([4, 8])}, "add up to 12, 'positions' has 13"),
        ({"n_frames": np.array([3, 10])}, "3 frames; expected at least 4"),
        ({"n_frames": np.array([-4, 17])}, "gait 0 claims -4 frames"),
        ({"n_frames": np.array([4, 2**40])}, "claims 1,099,511,627,776 frames; expected at most"),
        ({"n_frames": np.array([4.0, 9.0])}, "holds float64; expected whole numbers"),
        ({"n_frames": np.array([[4, 9]])}, "shape (1, 2); expected (gaits,)"),
        ({"n_frames": np.zeros(0, int)}, "holds no gaits"),
        ({"fps": np.array([30.0])}, "'fps' has 1 entries; expected 2"),
        ({"fps": np.array(30.0)}, "shape (); expected (gaits,)"),
        ({"fps": np.array([30.0, 0.0])}, "gait 1 ('b'): gait 'b': fps is 0.0"),
        ({"fps": np.array([30.0, np.nan])}, "fps is nan"),
        ({"fps": np.array(["30", "30"])}, "holds <U2; expected numbers"),
        ({"names": np.array(["a"])}, "'names' has 1 entries; expected 2"),
        ({"names": np.array([1, 2])}, "holds int64; expected text"),
        ({"labels": np.array([b"sad", b""])}, "holds |S3; expected text"),
        ({"synthetic": np.array([0, 1])}, "holds int64; expected true or false"),
    ],
)
def test_arrays_that_are_not_what_they_should_be(tmp_path, changes, saying):
    path = tmp_path / "walks.npz"
    np.savez(path, **make_arrays(**changes))
    check_refused(path, saying)


@pytest.mark.parametrize("name", ["labels", "acted"])
def test_words_that_are_no_emotion(tmp_path, name):
    path = tmp_path / "walks.npz"
    np.savez(path, **make_arrays(**{name: np.array(["happy", "joy"])}))
    check_refused(path, "gait 1 ('b'): 'joy' is no emotion", LabelError)


# damage and malice


@pytest.mark.parametrize("name", ["positions", "names", "fps"])
def test_pickled_objects_are_never_read(path, name):
    class Bomb:
        def __reduce__(self):
            return os.abort, ()

    replace_member(path, name, make_npy(np.array([Bomb(), Bomb()], dtype=object)))
    check_refused(path, f"array '{name}' holds Python objects (pickle)")


def test_a_pickle_without_a_header_is_not_read(path):
    replace_member(path, "fps", b"cos\nabort\n(tR.")
    check_refused(path, "damaged or truncated")


@pytest.mark.parametrize(
    "shape", [(2**40, 16, 3), (14, 16, 3), (12, 16, 3), (-13, 16, 3), (0, 16, 3)]
)
def test_a_header_that_claims_another_length(path, shape):
    claim = {"descr": "<f4", "fortran_order": False, "shape": shape}
    replace_member(path, "positions", make_npy(make_arrays()["positions"], claim))
    check_refused(path, "claims shape")


def test_text_of_no_length_and_a_huge_claim(path):
    claim = {"descr": "<U0", "fortran_order": False, "shape": (2**40,)}
    replace_member(path, "names", make_npy(np.zeros(0, "<U1"), claim))
    check_refused(path, "entries; expected 2")


def test_a_zip_bomb(path):
    n_frames = 2**20
    header = io.BytesIO()
    claim = {"descr": "<f4", "fortran_order": False, "shape": (n_frames, 16, 3)}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("positions.npy", "w") as member:
            member.write(header.getvalue())
            for _ in range(n_frames * 192 // 2**20):
                member.write(bytes(2**20))
        archive.writestr("n_frames.npy", make_npy(np.array([n_frames])))
        archive.writestr("fps.npy", make_npy(np.array([30.0])))
    assert path.stat().st_size < 300_000
    check_refused(path, "MiB of numbers")


def test_a_directory_that_understates_what_it_holds(path):
    array = make_npy(make_arrays()["positions"])
    replace_member(path, "positions", array + bytes(2**20), zipfile.ZIP_DEFLATED)
    claimed, true = (n.to_bytes(4, "little") for n in (len(array), len(array) + 2**20))
    content = path.read_bytes()
    path.write_bytes(content.replace(true, claimed))
    check_refused(path, "damaged or truncated")


def test_other_compressions_are_refused(path):
    replace_member(path, "more", b"", zipfile.ZIP_BZIP2)
    check_refused(path, "expected what numpy.savez")


def test_a_damaged_number_is_noticed_by_its_checksum(path):
    whole = bytearray(path.read_bytes())
    at = whole.find(make_arrays()["positions"].tobytes()[:64])
    whole[at + 500] ^= 1
    path.write_bytes(whole)
    check_refused(path, "damaged or truncated: Bad CRC-32")


def test_every_truncation_is_noticed(path):
    whole = path.read_bytes()
    for cut in np.linspace(1, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:cut])
        check_refused(path, "damaged or truncated")


def test_an_archive_of_something_else(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    check_refused(path, "has no array 'positions'; found 'notes.txt'")
    with zipfile.ZipFile(path, "w"):
        pass
    check_refused(path, "found nothing")
    with pytest.raises(DataFormatError, match="found nothing"):
        read(path)


def test_a_member_that_is_there_twice_counts_once(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("fps.npy", make_npy(np.array([25.0, 50.0])))
    assert [gait.fps for gait in read_npz(path)] == [25.0, 50.0]


def test_places_where_there_is_no_file(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "empty.npz").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.npz")
    check_refused(tmp_path / "nowhere.npz", "does not exist")
    check_refused(tmp_path / "folder.npz", "is a folder")
    check_refused(tmp_path / "empty.npz", "is empty")
    check_refused(tmp_path / "pipe.npz", "no ordinary file")
    check_refused(tmp_path / ("x" * 300), "cannot be read")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(path):
    path.chmod(0)
    check_refused(path, "no permission")
    with pytest.raises(DataFormatError, match="no permission"):
        read(path)
