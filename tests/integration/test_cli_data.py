import csv
import json
import os
import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

import moodwalk.cli
from moodwalk import __version__
from moodwalk.cli import COMMANDS, app, main, output
from moodwalk.errors import DataFormatError, MoodwalkWarning
from moodwalk.features import FEATURES, compute_affective_features
from moodwalk.io import load_emotion_gait
from moodwalk.walker import simulate_walks

SHOWN = ("happy", "angry", "sad", "neutral")


def write_h5(path, values):
    with h5py.File(path, "w") as file:
        for key, value in values.items():
            file.create_dataset(key, data=value)
    return path


@pytest.fixture(scope="module")
def walks():
    return simulate_walks(n_subjects=12, gaits_per_subject=4, seed=1)


@pytest.fixture
def folder(tmp_path, walks):
    """48 simulated walks with codes; a third of them name an acted emotion, the coded one."""
    folder = tmp_path / "data"
    folder.mkdir()
    names = [
        f"{i:03d}_{g.label.title()}_positions.csv" if i % 3 == 0 else f"{g.subject}x_{i}"
        for i, g in enumerate(walks)
    ]
    pairs = list(zip(names, walks, strict=True))
    write_h5(folder / "features.h5", {n: g.positions.reshape(-1, 48) for n, g in pairs})
    write_h5(folder / "labels.h5", {n: SHOWN.index(g.label) for n, g in pairs})
    return folder


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def run_process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "moodwalk", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def list_tree(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*")}


def check_refused(result, saying=""):
    status, out, err = result
    assert status == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert saying in err


# the program


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['moodwalk', '--help']\n"
        "from moodwalk.cli import main; status = main()\n"
        "heavy = {'numpy', 'torch', 'h5py', 'scipy', 'sklearn', 'plotly'} & set(sys.modules)\n"
        "print(heavy, file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stderr == "set()\n"
    for name in ("data", "features"):
        assert name in done.stdout


def test_the_program_as_users_start_it(folder):
    done = run_process("data", "info", folder, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["gaits"] == 48
    done = run_process("data", "info", folder / "nowhere")
    check_refused((done.returncode, done.stdout, done.stderr), "does not exist")


def test_the_console_script_is_main(folder):
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="moodwalk")
    assert script.load() is main


def test_version(call):
    assert call("--version") == (0, f"moodwalk {__version__}\n", "")


def test_without_arguments_help_is_shown(call):
    status, out, err = call()
    assert (status, err) == (0, "")
    assert out.startswith("Usage: moodwalk")


def test_every_command_has_help():
    runner = CliRunner()
    for command in (["data", "info"], ["data", "audit"], ["features"]):
        result = runner.invoke(app, [*command, "--help"])
        assert result.exit_code == 0
        assert "--json" in result.output
        assert "--labels" in result.output
    assert len(COMMANDS) == len(set(COMMANDS))


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        (["nonsense"], "Try 'moodwalk --help'"),
        (["data"], "Try 'moodwalk data --help'"),
        (["data", "info"], "PATH"),
        (["data", "info", "x", "--jason"], "--jason"),
        (["data", "audit", "x", "y"], "Try 'moodwalk data audit --help'"),
        (["data", "audit", "x", "--seed", "one"], "--seed"),
        (["data", "audit", "x", "--seed", "-1"], "--seed"),
        (["features", "x", "-o"], "-o"),
    ],
)
def test_usage_errors_are_one_line_with_a_hint(call, arguments, saying):
    result = call(*arguments)
    check_refused(result, saying)
    assert "--help'." in result[2]


def fail_with(monkeypatch, error):
    def fail(_):
        raise error

    monkeypatch.setattr("moodwalk.summary.summarise_gaits", fail)


def test_a_bug_is_not_hidden(folder, monkeypatch):
    for error in (RuntimeError("bug"), EOFError("bug"), OSError("bug")):
        fail_with(monkeypatch, error)
        with pytest.raises(type(error), match="bug"):
            main(["data", "info", str(folder)])


def test_a_bug_shows_a_traceback_and_exits_1(folder):
    code = (
        "import sys, moodwalk.summary\n"
        "moodwalk.summary.summarise_gaits = None\n"
        f"sys.argv = ['moodwalk', 'data', 'info', {str(folder)!r}]\n"
        "from moodwalk.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_interruption_is_one_line(call, folder, monkeypatch):
    fail_with(monkeypatch, KeyboardInterrupt())
    assert call("data", "info", folder) == (130, "", "error: interrupted.\n")


def test_a_signal_interrupts(folder):
    code = (
        "import os, signal, sys, moodwalk.summary\n"
        "moodwalk.summary.summarise_gaits = lambda gaits: os.kill(os.getpid(), signal.SIGINT)\n"
        f"sys.argv = ['moodwalk', 'data', 'info', {str(folder)!r}]\n"
        "from moodwalk.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: interrupted.\n")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_gone_is_no_error(folder, options):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "moodwalk", "data", "audit", folder, *options],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_messages_of_several_lines_become_one(call, folder, monkeypatch):
    fail_with(monkeypatch, DataFormatError("one\n  two\nthree"))
    assert call("data", "info", folder) == (2, "", "error: one two three\n")


def test_warnings_are_lines_on_standard_error_each_once(capsys):
    with output.show_warnings():
        for _ in range(2):
            warnings.warn("mind\nthis", MoodwalkWarning, stacklevel=1)
    assert capsys.readouterr() == ("", "warning: mind this\n")


def test_warnings_of_others_are_left_alone():
    with (
        pytest.warns(DeprecationWarning, match="old"),
        output.show_warnings(),
    ):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_progress_is_silent_without_a_terminal(capsys):
    with output.open_progress() as progress:
        task = progress.add_task("folds", total=2)
        progress.advance(task)
        assert progress.tasks[0].completed == 1
    assert capsys.readouterr() == ("", "")


def test_json_has_no_numbers_that_json_lacks(capsys):
    output.print_json({"a": [np.nan, (1.0, float("inf"))], "b": {"c": None}})
    assert json.loads(capsys.readouterr().out) == {"a": [None, [1.0, None]], "b": {"c": None}}


# data info


def test_info_json(call, folder):
    status, out, err = call("data", "info", folder, "--json")
    lengths = [len(gait) for gait in load_emotion_gait(folder)]
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "gaits": 48,
        "subjects": load_emotion_gait(folder).n_subjects,
        "labels": dict.fromkeys(SHOWN, 12),
        "frames": {"min": min(lengths), "mean": np.mean(lengths), "max": max(lengths)},
        "fps": 30.0,
        "problems": [],
    }


def test_info_of_the_real_gaits(call, emotion_gait_folder):
    _, out, _ = call("data", "info", emotion_gait_folder, "--json")
    document = json.loads(out)
    assert document["gaits"] == 342
    assert document["subjects"] == 134
    assert document["labels"] == {"happy": 112, "angry": 33, "sad": 78, "neutral": 119}
    assert (document["frames"]["min"], document["frames"]["max"]) == (18, 75)
    assert document["fps"] == 30
    (problem,) = document["problems"]
    assert "220 of 342 gaits face away" in problem


def test_info_of_several_paths_and_frame_rates(call, folder):
    walk = load_emotion_gait(folder)[0].positions.reshape(-1, 48)
    other = write_h5(folder.parent / "features_ELMD.h5", {"a": walk})
    status, out, _ = call("data", "info", folder, other, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["gaits"] == 49
    assert document["fps"] == [30.0, 60.0]
    assert any("no labels_ELMD.h5" in problem for problem in document["problems"])
    assert any("same positions" in problem for problem in document["problems"])


def test_info_as_text(call, folder):
    write_h5(folder / "features_ELMD.h5", {"a": np.random.default_rng(0).normal(size=(9, 48))})
    status, out, err = call("data", "info", folder)
    rows = {line.split()[0]: line.split()[-1] for line in out.splitlines() if line.split()}
    assert status == 0
    assert (rows["gaits"], rows["happy"], rows["fps"]) == ("49", "12", "60")
    assert err.startswith("problem: ")


def test_info_obeys_the_order_given(call, folder):
    write_h5(folder / "labels.h5", dict.fromkeys(h5py.File(folder / "features.h5"), 0))
    _, out, _ = call("data", "info", folder, "--labels", "sad,happy,angry,neutral", "--json")
    assert json.loads(out)["labels"] == {"happy": 0, "angry": 0, "sad": 48, "neutral": 0}


def test_file_names_that_no_encoding_knows(call, folder):
    strange = folder.parent / os.fsdecode(b"caf\xe9")
    folder.rename(strange)
    assert call("data", "info", strange)[0] == 0
    check_refused(call("data", "info", strange / "x\ny"))


# data audit


def test_audit_warns_and_succeeds(call, folder):
    status, out, err = call("data", "audit", folder, "--labels", "published")
    assert status == 0
    assert "disagrees" in out
    assert err.startswith("warning: features.h5: the order in use (angry,neutral,happy,sad)")
    assert err.count("\n") == 1


def test_audit_agrees_in_silence(call, folder):
    status, out, err = call("data", "audit", folder)
    assert (status, err) == (0, "")
    assert "Acted emotion (rows) by code" in out
    assert "in use" in out


def test_audit_of_the_real_gaits(call, emotion_gait_folder):
    status, out, err = call("data", "audit", emotion_gait_folder, "--json")
    (part,) = json.loads(out)["parts"]
    assert (status, err) == (0, "")
    assert (part["verdict"], part["margin"]) == ("agrees", 21)
    assert part["best_order"] == list(SHOWN)
    assert part["acted_by_code"] == {
        "happy": [26, 3, 5, 17],
        "angry": [17, 15, 2, 17],
        "sad": [1, 0, 33, 17],
        "neutral": [6, 3, 7, 35],
    }
    status, out, err = call(
        "data", "audit", emotion_gait_folder, "--labels", "angry,neutral,happy,sad", "--json"
    )
    (part,) = json.loads(out)["parts"]
    assert (status, part["verdict"]) == (0, "disagrees")
    assert err == f"warning: {part['warning']}\n"


def test_audit_speaks_of_every_file(call, folder, walks):
    write_h5(folder / "features_ELMD.h5", {"a": np.random.default_rng(0).normal(size=(9, 48))})
    write_h5(folder / "featuresCVAEGCN_1.h5", {"1_Sad": walks[0].positions.reshape(-1, 48)})
    _, out, _ = call("data", "audit", folder, "--json")
    verdicts = {part["source"]: part["verdict"] for part in json.loads(out)["parts"]}
    assert verdicts == {
        "features.h5": "agrees",
        "featuresCVAEGCN_1.h5": "undecided",
        "features_ELMD.h5": "unlabelled",
    }
    assert "there is nothing to audit" in call("data", "audit", folder)[1]


# features


def test_features_as_csv(call, folder, tmp_path):
    path = tmp_path / "new" / "table.csv"
    status, out, err = call("features", folder, "-o", path)
    assert (status, out) == (0, "")
    assert "48 gaits, 29 features" in err
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "subject", "label", *(feature.name for feature in FEATURES)]
    gaits = load_emotion_gait(folder)
    assert [row[0] for row in rows[1:]] == [gait.name for gait in gaits]
    assert [row[2] for row in rows[1:]] == gaits.labels.tolist()
    table = np.array([[float(cell) for cell in row[3:]] for row in rows[1:]])
    np.testing.assert_array_equal(table, compute_affective_features(gaits))


def test_features_as_json(call, folder, tmp_path):
    status, out, err = call("features", folder, "--json")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert (document["n_gaits"], len(document["gaits"]), len(document["units"])) == (48, 48, 29)
    assert list(document["means"]) == ["all", *SHOWN]
    _, out, _ = call("features", folder, "--json", "-o", tmp_path / "a.csv")
    assert json.loads(out) == {
        "n_gaits": 48,
        "units": document["units"],
        "means": document["means"],
        "written": str(tmp_path / "a.csv"),
    }


def test_features_as_text(call, folder):
    status, out, err = call("features", folder)
    assert (status, err) == (0, "")
    assert "happy (12)" in out
    for feature in FEATURES:
        assert feature.name in out


def test_features_of_unlabelled_gaits(call, folder, tmp_path):
    (folder / "labels.h5").unlink()
    call("features", folder, "-o", tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        assert {row["label"] for row in csv.DictReader(file)} == {""}
    assert list(json.loads(call("features", folder, "--json")[1])["means"]) == ["all"]


@pytest.mark.parametrize("place", ["", "data/features.h5/x.csv"])
def test_features_check_the_place_before_the_work(call, folder, monkeypatch, place):
    monkeypatch.setattr("moodwalk.features.compute_affective_features", None)
    before = list_tree(folder.parent)
    check_refused(call("features", folder, "-o", folder.parent / place))
    assert list_tree(folder.parent) == before


def test_features_are_written_whole_or_not_at_all(call, folder, tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    path.write_text("old")
    monkeypatch.setattr(
        "moodwalk.features.compute_affective_features", lambda gaits: np.zeros((1, 29))
    )
    before = list_tree(tmp_path)
    with pytest.raises(ValueError, match="zip"):
        call("features", folder, "-o", path)
    assert path.read_text() == "old"
    assert list_tree(tmp_path) == before


# bad input


def damage_missing(folder):
    (folder / "features.h5").unlink()


def damage_empty(folder):
    (folder / "features.h5").write_bytes(b"")


def damage_text(folder):
    (folder / "features.h5").write_text("no HDF5")


def damage_cut(folder):
    content = (folder / "features.h5").read_bytes()
    (folder / "features.h5").write_bytes(content[: len(content) // 2])


def damage_cut_labels(folder):
    content = (folder / "labels.h5").read_bytes()
    (folder / "labels.h5").write_bytes(content[: len(content) // 2])


def damage_key_without_label(folder):
    with h5py.File(folder / "labels.h5", "a") as file:
        del file[next(iter(file))]


def damage_label_without_gait(folder):
    with h5py.File(folder / "labels.h5", "a") as file:
        file["line\nbreak"] = 0


def damage_code(folder):
    with h5py.File(folder / "labels.h5", "a") as file:
        file[next(iter(file))][()] = 7


def damage_gait(values):
    def damage(folder):
        with h5py.File(folder / "features.h5", "a") as file:
            key = next(iter(file))
            del file[key]
            file[key] = values

    return damage


def damage_claim(folder):
    with h5py.File(folder / "features.h5", "w") as file:
        file.create_dataset("1_2", shape=(2**31 // 384, 48), dtype="f8")


def damage_folder(folder):
    (folder / "features.h5").unlink()
    (folder / "features.h5").mkdir()


BAD_INPUT = {
    "missing": damage_missing,
    "empty": damage_empty,
    "not HDF5": damage_text,
    "truncated": damage_cut,
    "truncated labels": damage_cut_labels,
    "key without label": damage_key_without_label,
    "label without gait": damage_label_without_gait,
    "unknown code": damage_code,
    "wrong width": damage_gait(np.zeros((30, 51))),
    "three frames": damage_gait(np.zeros((3, 48))),
    "NaN": damage_gait(np.full((30, 48), np.nan)),
    "infinity": damage_gait(np.full((30, 48), np.inf)),
    "2 GB claim": damage_claim,
    "folder": damage_folder,
}


@pytest.mark.parametrize("command", ["data info", "data audit", "features"])
@pytest.mark.parametrize("kind", list(BAD_INPUT))
def test_bad_input_is_one_line_and_writes_nothing(call, folder, tmp_path, command, kind):
    BAD_INPUT[kind](folder)
    before = list_tree(tmp_path)
    options = ["-o", tmp_path / "new" / "out.csv"] if command == "features" else ["--json"]
    check_refused(call(*command.split(), folder, *options))
    assert list_tree(tmp_path) == before


@pytest.mark.parametrize("order", ["happy", "happy,sad,sad,angry", "joy,a,b,c", ""])
@pytest.mark.parametrize("command", ["data info", "data audit", "features"])
def test_impossible_label_orders(call, folder, command, order):
    check_refused(call(*command.split(), folder, "--labels", order), "happy")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everywhere")
def test_folders_without_permission(call, folder, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    check_refused(call("features", folder, "-o", tmp_path / "closed" / "a.csv"), "permission")
    folder.chmod(0)
    try:
        check_refused(call("data", "info", folder), "permission")
    finally:
        folder.chmod(0o700)


def test_the_package_shows_its_commands_in_one_place():
    assert moodwalk.cli.__all__ == ["COMMANDS", "app", "main"]
