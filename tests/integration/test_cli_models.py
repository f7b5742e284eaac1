"""From files to figures with the model commands, on simulated walks and on the real gaits."""

import json

import pytest

from moodwalk.cli import main
from moodwalk.io.emotion_gait import write_coded_emotion_gait
from moodwalk.models.checkpoint import read_checkpoint
from moodwalk.walker import simulate_walks


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walks")
    write_coded_emotion_gait(folder, simulate_walks(n_subjects=12, gaits_per_subject=4, seed=2))
    return folder


@pytest.fixture(scope="module")
def official(tmp_path_factory, official_folder):
    weights = tmp_path_factory.mktemp("official") / "real-only.safetensors"
    source = official_folder / "classifier_real_only.pth.tar"
    assert main(["import-checkpoint", str(source), "-o", str(weights)]) == 0
    return weights


def assert_one_line_and_nothing_else(status, out, err):
    assert status == 2
    assert out == ""
    errors = [line for line in err.splitlines() if not line.startswith(("warning:", "note:"))]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")


def test_evaluate_prints_the_promised_json(call, folder):
    status, out, _ = call(
        "evaluate", "--data", folder, "--model", "extra-trees", "--folds", 3, "--seed", 1, "--json"
    )
    assert status == 0
    document = json.loads(out)
    promised = (
        "protocol", "model", "n_gaits", "n_subjects", "accuracy", "accuracy_ci95",
        "balanced_accuracy", "macro_f1", "per_class", "confusion", "folds", "seconds",
    )  # fmt: skip
    assert list(document)[: len(promised)] == list(promised)
    assert (document["protocol"], document["model"]) == ("subject", "extra-trees")
    assert (document["n_gaits"], document["n_subjects"], len(document["folds"])) == (48, 12, 3)
    assert sum(map(sum, document["confusion"])) == 48
    low, high = document["accuracy_ci95"]
    assert low < document["accuracy"] < high


def test_evaluate_says_that_legacy_flatters(call, folder):
    status, out, _ = call(
        "evaluate", "--data", folder, "--model", "extra-trees", "--protocol", "legacy"
    )
    assert status == 0
    assert "OPTIMISTIC" in out


def test_evaluate_shows_a_network(call, folder):
    status, out, _ = call(
        "evaluate", "--data", folder, "--model", "step", "--epochs", 1, "--folds", 2, "--augment"
    )
    assert status == 0
    assert "48 gaits of 12 subjects, 2 fits" in out
    assert "perceived \\ predicted" in out


def test_extra_trees_on_the_real_gaits(call, emotion_gait_folder):
    status, out, _ = call(
        "evaluate", "--data", emotion_gait_folder, "--model", "extra-trees", "--json"
    )
    assert status == 0
    document = json.loads(out)
    assert (document["n_gaits"], document["n_subjects"]) == (342, 134)
    assert 0.56 < document["accuracy"] < 0.66


def test_train_writes_a_run_that_predicts(call, folder, tmp_path):
    run = tmp_path / "run"
    status, out, _ = call(
        "train", "--data", folder, "--model", "step", "--epochs", 1, "--seed", 3, "-o", run
    )
    assert status == 0
    assert "test: accuracy" in out
    assert {"weights.safetensors", "run.json", "metrics.csv"} <= {p.name for p in run.iterdir()}
    status, out, _ = call("predict", folder, "--weights", run / "weights.safetensors", "--json")
    assert status == 0
    results = json.loads(out)["results"]
    assert len(results) == 48
    assert {
        "path", "emotion", "probabilities", "abstained", "reason", "cadence_spm", "n_frames", "fps",
        "windows",
    } <= set(results[0])  # fmt: skip
    assert sum(results[0]["probabilities"].values()) == pytest.approx(1)


def test_train_takes_a_split_by_subject_from_a_file(call, folder, tmp_path):
    people = sorted(set(simulate_walks(n_subjects=12, gaits_per_subject=4, seed=2).subjects))
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"train": people[:9], "test": people[9:]}))
    run = tmp_path / "run"
    status, out, err = call(
        "train",
        "--data",
        folder,
        "--epochs",
        1,
        "--split",
        split,
        "--select",
        "loss",
        "-o",
        run,
        "--json",
    )
    assert status == 0
    assert "last epoch is kept" in err
    story = json.loads(out)
    assert story["split"]["test"] == people[9:]
    assert story["data"]["n_validation"] == 0


def test_official_weights_agree_with_304_of_342(call, official, emotion_gait_folder):
    status, out, _ = call("predict", emotion_gait_folder, "--weights", official, "--json")
    assert status == 0
    results = json.loads(out)["results"]
    assert sum(result["emotion"] == result["label"] for result in results) == 304
    status, out, _ = call("predict", emotion_gait_folder, "--weights", official)
    assert "304 of 342 agree" in out


def test_predict_withholds_what_is_not_sure_enough(call, official, folder):
    status, out, _ = call("predict", folder, "--weights", official, "--min-confidence", 1)
    assert status == 0
    assert "withheld" in out


def test_another_frame_rate_on_request(call, official, folder):
    _, out, _ = call("predict", folder, "--weights", official, "--fps", 60, "--json")
    assert {result["fps"] for result in json.loads(out)["results"]} == {60}


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--data", "{folder}", "--model", "stepp"),
        ("evaluate", "--data", "{folder}", "--model", "svm", "--folds", "1"),
        ("evaluate", "--data", "{folder}", "--model", "svm", "--folds", "13"),
        ("evaluate", "--data", "{folder}", "--model", "svm", "--jobs", "0"),
        ("evaluate", "--data", "{folder}", "--model", "svm", "--protocol", "nonsense"),
        ("evaluate", "--data", "{folder}", "--model", "svm", "--engine", "dask"),
        ("evaluate", "--data", "{folder}/none", "--model", "svm"),
        ("evaluate", "--data", "{folder}", "--epochs", "0", "--folds", "2"),
        ("train", "--data", "{folder}", "--model", "svm", "-o", "{out}"),
        ("train", "--data", "{folder}", "--split", "7:2", "-o", "{out}"),
        ("train", "--data", "{folder}", "--split", "a:b:c", "-o", "{out}"),
        ("train", "--data", "{folder}", "--split", "none.json", "-o", "{out}"),
        ("train", "--data", "{folder}", "--device", "abacus", "-o", "{out}"),
        ("train", "--data", "{folder}", "--learning-rate", "-1", "-o", "{out}"),
        ("train", "--data", "{folder}/none", "-o", "{out}"),
        ("predict", "{folder}/none"),
        ("predict", "{folder}", "--weights", "{folder}/none.safetensors"),
        ("predict", "{folder}", "--weights", "{folder}/features.h5"),
        ("predict", "{folder}", "--weights", "{folder}"),
        ("predict", "{folder}", "--fps", "0"),
        ("predict", "{folder}", "--fps", "nan"),
        ("predict", "{folder}", "--min-confidence", "2"),
        ("import-checkpoint", "{folder}/none.pth.tar", "-o", "{out}"),
        ("import-checkpoint", "{folder}/features.h5", "-o", "{out}"),
        ("import-checkpoint", "{folder}/features.h5", "-o", "{folder}"),
    ],
    ids=lambda a: " ".join(a).replace("{folder}", "DATA").replace("{out}", "OUT"),
)
def test_bad_input_ends_in_one_line(call, folder, tmp_path, arguments):
    out = tmp_path / "out"
    filled = [argument.format(folder=folder, out=out) for argument in arguments]
    assert_one_line_and_nothing_else(*call(*filled))
    assert not out.exists()


def test_a_published_generator_is_imported_as_one(call, official_folder, folder, tmp_path):
    source = official_folder / "generator_cvae.pth.tar"
    out = tmp_path / "out.safetensors"
    status, said, _ = call("import-checkpoint", source, "-o", out)
    assert (status, "step-gen-published" in said) == (0, True)
    status, _, err = call("predict", folder, "--weights", out)
    assert status == 2
    assert "generator" in err


def test_imported_weights_say_what_they_are(official):
    checkpoint = read_checkpoint(official)
    assert checkpoint.model == "step-real-only"
    assert checkpoint.temperature == 1
    assert "no accuracy" in checkpoint.card["limits"]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((), None),
        (
            ("--noise", 0.02),
            {"noise_m": 0.02, "noise_spread": 1.0, "mirror": 0.0, "proportions": 0.0},
        ),
        (
            ("--augment", "--proportions", 0.1),
            {"noise_m": 0.005, "noise_spread": 0.0, "mirror": 0.5, "proportions": 0.1},
        ),
        (("--augment", "--noise", 0), {"noise_m": 0.0, "mirror": 0.5}),
    ],
)
def test_train_varies_gaits_as_the_options_say(call, folder, tmp_path, options, wanted):
    run = tmp_path / "run"
    status, _, _ = call("train", "--data", folder, "--epochs", 1, *options, "-o", run)
    assert status == 0
    found = json.loads((run / "run.json").read_text())["options"]["augmentation"]
    if wanted is None:
        assert found is None
    else:
        assert {name: found[name] for name in wanted} == wanted
