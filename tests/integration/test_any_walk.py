"""Recordings of any kind: from a file to an answer, or to one line that says why there is none."""

import json
from itertools import pairwise

import numpy as np
import pytest

from moodwalk.cli import main
from moodwalk.io import list_walks, read, read_gait
from moodwalk.io.bvh_writing import write_bvh
from moodwalk.skeleton import MIRROR, Joint
from moodwalk.walker import WalkerParameters, simulate_gait

COCO = {
    "left_shoulder": Joint.LEFT_SHOULDER, "right_shoulder": Joint.RIGHT_SHOULDER,
    "left_elbow": Joint.LEFT_ELBOW, "right_elbow": Joint.RIGHT_ELBOW,
    "left_wrist": Joint.LEFT_HAND, "right_wrist": Joint.RIGHT_HAND,
    "left_hip": Joint.LEFT_HIP, "right_hip": Joint.RIGHT_HIP,
    "left_knee": Joint.LEFT_KNEE, "right_knee": Joint.RIGHT_KNEE,
    "left_ankle": Joint.LEFT_FOOT, "right_ankle": Joint.RIGHT_FOOT,
    "nose": Joint.HEAD, "left_eye": Joint.HEAD, "right_eye": Joint.HEAD,
    "left_ear": Joint.HEAD, "right_ear": Joint.HEAD,
}  # fmt: skip
Z_UP = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def walk():
    return simulate_gait(WalkerParameters(cadence_spm=104), n_frames=150, travel=True, name="ada")


def write_table(path, positions, joints, fps=30):
    """A CSV table as a stranger would write it: time and a column a coordinate."""
    columns = ",".join(f"{joint}_{axis}" for joint in joints for axis in "xyz")
    rows = [
        f"{frame / fps:.6f}," + ",".join(f"{value:.4f}" for value in row.ravel())
        for frame, row in enumerate(positions)
    ]
    path.write_text(f"time,{columns}\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def coco(walk, tmp_path):
    points = walk.positions[:, list(COCO.values())] @ Z_UP.T * 1000
    return write_table(tmp_path / "ada.csv", points, list(COCO))


def assert_one_line(answer):
    status, out, err = answer
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")


def test_the_four_acted_walks(call, mocap_folder):
    status, out, err = call("predict", mocap_folder, "--json")
    assert status == 0, err
    results = json.loads(out)["results"]
    assert [result["name"].split("_")[2] for result in results] == [
        "angry",
        "happy",
        "normal",
        "sad",
    ]
    # steps counted in the heights of the feet; each lasts 4 to 12 s
    for result, cadence in zip(results, (153, 118, 111, 73), strict=True):
        assert result["cadence_spm"] == pytest.approx(cadence, rel=0.03)
        assert result["reading"]["skeleton"] == "Bandai-Namco"
        assert result["quality"]["kind"] == "walk"
        found = {f["what"]: f["value"] for f in result["reading"]["findings"]}
        assert (found["up axis"], found["unit"], found["course"]) == ("+y", "cm", "forward")
        for window, following in pairwise(result["windows"]):
            assert window["end_s"] <= following["start_s"] + 1e-9
        assert sum(result["probabilities"].values()) == pytest.approx(1)


def test_a_strangers_table_is_read_like_the_walk_that_it_is(call, walk, coco):
    (gait,) = read(coco)
    assert gait.fps == 30
    assert gait.reading.skeleton == "COCO-17"
    assert gait.reading.derived == ("root", "spine", "neck", "head")
    found = {finding.what: finding.value for finding in gait.reading.findings}
    assert (found["up axis"], found["unit"], found["sides"]) == ("+z", "mm", "as named")
    own = [Joint.LEFT_KNEE, Joint.RIGHT_FOOT, Joint.LEFT_HAND]
    apart = np.diff(gait.positions[:, own], axis=1)
    np.testing.assert_allclose(apart, np.diff(walk.positions[:, own], axis=1), atol=0.02)
    status, out, _ = call("predict", coco, "--json")
    assert status == 0
    (result,) = json.loads(out)["results"]
    assert result["cadence_spm"] == pytest.approx(104, rel=0.02)
    assert result["quality"]["parameters"]["stride_length_m"] == pytest.approx(1.04, rel=0.05)


def test_info_shows_how_a_recording_is_read(call, coco):
    status, out, _ = call("data", "info", coco)
    assert status == 0
    assert "COCO-17" in out
    assert "middle of left_hip and right_hip" in out
    assert "up axis: +z" in out
    document = json.loads(call("data", "info", coco, "--json")[1])
    assert document["readings"][0]["joints"]["left_foot"] == "left_ankle"


@pytest.mark.parametrize("name", ["walk.bvh", "walk.csv", "walk.npz", "walk.parquet"])
def test_converted_walks_are_the_same_walks(call, coco, tmp_path, name):
    target = tmp_path / "out" / name
    status, out, err = call("data", "convert", coco, target)
    assert status == 0, err
    assert out.startswith("1 gaits")
    original, again = read_gait(coco), read_gait(target)
    np.testing.assert_allclose(
        again.positions - again.positions[:, :1],
        original.positions - original.positions[:, :1],
        atol=2e-3,
    )


def test_a_corpus_comes_back(call, coco, tmp_path):
    pytest.importorskip("pyarrow")
    status, _, err = call("data", "convert", coco, tmp_path / "corpus")
    assert status == 0, err
    status, out, err = call("predict", tmp_path / "corpus", "--json")
    assert status == 0, err
    assert len(json.loads(out)["results"]) == 1


def test_a_map_of_ones_own_places_joints(call, walk, tmp_path):
    joints = [f"m{i}" for i in range(16)]
    path = write_table(tmp_path / "m.csv", walk.positions, joints)
    assert_one_line(call("predict", path))
    given = tmp_path / "map.toml"
    lines = [f'{joint.name.lower()} = "m{int(joint)}"' for joint in Joint]
    given.write_text("[joints]\n" + "\n".join(lines))
    status, out, err = call("predict", path, "--joint-map", given, "--json")
    assert status == 0, err
    assert json.loads(out)["results"][0]["reading"]["skeleton"] == "map.toml"


def test_what_is_no_walk_is_named_and_refused(call, walk, tmp_path):
    standing = walk.with_positions(np.repeat(walk.positions[:1], 90, axis=0))
    write_bvh(tmp_path / "still.bvh", standing)
    answer = call("predict", tmp_path / "still.bvh")
    assert_one_line(answer)
    assert "standing" in answer[2]
    assert "--force" in answer[2]
    status, out, _ = call("predict", tmp_path / "still.bvh", "--force", "--json")
    assert status == 0
    assert json.loads(out)["results"][0]["quality"]["kind"] == "standing"


def test_mirrored_sides_are_named_and_refused(call, walk, tmp_path):
    write_bvh(tmp_path / "mirrored.bvh", walk.with_positions(walk.positions[:, list(MIRROR)]))
    answer = call("predict", tmp_path / "mirrored.bvh")
    assert_one_line(answer)
    assert "mirrored" in answer[2]


def test_one_bad_file_of_a_folder_stops_nothing(call, walk, tmp_path):
    for name in ("a", "b"):
        write_bvh(tmp_path / f"{name}.bvh", walk)
    (tmp_path / "c.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    (tmp_path / "notes.txt").write_text("nothing to read here")
    assert [path.name for path in list_walks(tmp_path)] == ["a.bvh", "b.bvh", "c.bvh"]
    status, out, err = call("predict", tmp_path, "--json")
    assert status == 0
    document = json.loads(out)
    assert len(document["results"]) == 2
    assert len(document["refused"]) == 1
    assert "c.bvh" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 2000,
        b"HIERARCHY",
        b"time,a_x,a_y,a_z\n0,1,2,3\n",
        b"RIFF\x00\x00\x00\x00AVI ",
    ],
    ids=["empty", "zeros", "truncated", "one joint", "no video"],
)
def test_damage_is_one_line(call, tmp_path, content):
    path = tmp_path / "walk.bvh"
    path.write_bytes(content)
    assert_one_line(call("predict", path))
    assert_one_line(call("data", "info", path))
    assert_one_line(call("data", "convert", path, tmp_path / "out.npz"))
    assert not (tmp_path / "out.npz").exists()


def test_an_empty_folder_and_options_that_do_not_fit(call, coco, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_one_line(call("predict", tmp_path / "empty"))
    assert_one_line(call("predict", coco, "--fps", "0"))
    assert_one_line(call("predict", coco, "--person", "2"))
    assert_one_line(call("predict", coco, "--joint-map", tmp_path / "none.toml"))
    assert_one_line(call("data", "convert", coco, tmp_path / "x.npz", "--partition-by", "label"))
