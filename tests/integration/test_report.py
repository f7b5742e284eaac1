import csv
import json
import re

import pytest

from moodwalk.cli import main
from moodwalk.experiments.report import write_report
from moodwalk.io import write_emotion_gait
from moodwalk.walker import simulate_walks

CONFIG = """
title = "Two learners"
question = "Is <b>one</b> better | than the other?"
published = true
[data]
path = "walks"
[protocol]
folds = 3
repeats = 2
[training]
epochs = 2
batch_size = 16
[[models]]
name = "logistic regression"
model = "logistic-regression"
[[models]]
name = "tiny network"
model = "step"
params = {blocks = [[4, 2]], kernel = 9, n_hidden = 4}
[[models]]
name = "best epoch"
model = "step"
params = {blocks = [[4, 2]], kernel = 9, n_hidden = 4}
habits = ["best-test-epoch"]
[[models]]
name = "majority"
model = "majority"
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laboratory")
    write_emotion_gait(folder / "walks", simulate_walks(n_subjects=18, gaits_per_subject=4, seed=3))
    (folder / "two.toml").write_text(CONFIG)
    out = folder / "out"
    assert main(["experiment", "run", str(folder / "two.toml"), "-o", str(out)]) == 0
    assert main(["experiment", "report", str(out)]) == 0
    return out


def read_rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_needs_no_other_file_and_no_network(results):
    text = (results / "report.html").read_text()
    assert "Is &lt;b&gt;one&lt;/b&gt; better" in text
    shown = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)[^"']+""", shown)
    for heading in (
        "The answer",
        "How it was measured",
        "Differences to logistic regression",
        "What each habit is worth",
        "Ranks",
        "The same table, made the published way",
        "Learning curves",
        "What is taken for what",
        "What the models cost",
        "How to repeat it",
    ):
        assert heading in text
    assert "Unfinished" not in text


def test_markdown_shows_every_picture_that_it_names(results):
    text = (results / "report.md").read_text()
    names = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert {"accuracy.png", "differences.png", "habits.png", "ranks.png"} <= set(names)
    for name in names:
        assert (results / name).read_bytes().startswith(b"\x89PNG")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in tables]
    assert min(widths) >= 4


def test_tables_agree_with_the_answers(results):
    answers = read_rows(results / "answers.csv")
    lines = {
        row["model"]: row for row in read_rows(results / "lines.csv") if row["published"] == "False"
    }
    assert set(lines) == {"logistic regression", "tiny network", "best epoch", "majority"}
    for name, row in lines.items():
        own = [a for a in answers if a["model"] == name]
        assert len(own) == 2 * 72
        share = sum(a["label"] == a["predicted"] for a in own) / len(own)
        assert float(row["accuracy"]) == pytest.approx(share, abs=1e-5)
    cells = read_rows(results / "cells.csv")
    tiny = [c for c in cells if c["model"] == "tiny network" and c["published"] == "False"]
    assert [(c["repeat"], c["fold"]) for c in tiny] == [(r, f) for r in "12" for f in "123"]
    comparisons = read_rows(results / "comparisons.csv")
    pairs = [(c["model"], c["reference"]) for c in comparisons]
    learner, network = "logistic regression", "tiny network"
    assert pairs == [(network, learner), ("majority", learner), ("best epoch", network)]


def test_the_published_way_drops_the_last_batch_and_takes_the_best_epoch(results):
    published = [a for a in read_rows(results / "answers.csv") if "published" in a["model"]]
    of_network = [a for a in published if a["model"].startswith("tiny")]
    assert len(of_network) == 8  # a tenth of 72 is 8: one batch
    assert all(a["happy"] == "" for a in of_network)  # another epoch than the one that was kept


def test_two_reports_of_one_result_are_equal(results):
    names = ("report.html", "report.md", "lines.csv", "answers.csv", "accuracy.png", "learning.png")
    before = {name: (results / name).read_bytes() for name in names}
    write_report(results)
    assert {name: (results / name).read_bytes() for name in names} == before


def test_json_holds_the_conclusion(results, capsys):
    assert main(["experiment", "report", str(results), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cells"] == document["done"] == 6 + 6 + 6 + 3
    assert any("majority is worse than logistic regression" in s for s in document["conclusion"])


def test_a_result_repeats_from_its_own_file(results, tmp_path, capsys):
    command = ["experiment", "run", str(results / "experiment.json"), "-o", str(tmp_path / "again")]
    assert main([*command, "--reuse", str(results), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 21


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", '{"format": "moodwalk-experiment-1"}'])
def test_a_folder_of_something_else_gets_one_line(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / "experiment.json").write_text(content)
    assert main(["experiment", "report", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert not (tmp_path / "report.html").exists()
