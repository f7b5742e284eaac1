"""What the documents show exists and runs."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

import moodwalk
from moodwalk.cli import app, main
from moodwalk.experiments import Experiment, read_experiment
from moodwalk.experiments.config import TrainingOptions
from moodwalk.walker import simulate_walks

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def find_code(text):
    """Yield indented and fenced code, and code between backticks; continued lines are one."""
    text = re.sub(r"\\\n +", "", text)
    yield from re.findall(r"^    (.+)$", text, re.MULTILINE)
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", text)


def find_commands(text):
    for code in find_code(text):
        line = code.removeprefix("$ ").split("  #")[0].strip()
        if line.startswith("moodwalk "):
            yield line


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_paths_that_documents_name_exist(path):
    text = path.read_text()
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    links = [link for link in links if link and "://" not in link]
    missing = [link for link in links if not (path.parent / link).exists()]
    rooted = [
        code
        for code in find_code(text)
        if re.fullmatch(
            r"(src|tests|docs|benchmarks|experiments|examples)/[\w./-]*\w\.?\w*/?", code
        )
    ]
    missing += [name for name in rooted if not (ROOT / name).exists()]
    assert not missing
    assert links or rooted or path.parent.name == "docs"  # README and CONTRIBUTING name many


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_commands_and_options_that_documents_name_exist(path):
    group = get_command(app)
    for line in find_commands(path.read_text()):
        words = shlex.split(line)[1:]
        command = group
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert command is not group or words[:1] in (["--version"], ["--help"]), line
        known = {name for option in command.params for name in option.opts}
        for word in words:
            if word.startswith("-") and not re.match(r"-\d", word):
                assert word in known | {"--help", "--version"}, f"{line}: {word}"


def test_make_targets_that_documents_name_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for path in DOCUMENTS
        for target in re.findall(r"\bmake ([a-z]+)\b", "\n".join(find_code(path.read_text())))
    }
    assert {"demo", "test", "check"} <= named
    assert named <= targets


def test_the_readmes_library_example_runs():
    text = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert 'load_emotion_gait("emotion-gait/")' in example
    code = example.replace(
        'load_emotion_gait("emotion-gait/")',
        "simulate_walks(n_subjects=30, gaits_per_subject=4, seed=0)",
    ).replace('GaitEmotionClassifier("step")', 'GaitEmotionClassifier("logistic-regression")')
    names: dict[str, object] = {"simulate_walks": simulate_walks}
    exec(compile(code, "README.md", "exec"), names)
    assert len(names["scores"]) == 10


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == moodwalk.__version__
    assert f"## {moodwalk.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert "Scientific changes" in (ROOT / "CHANGELOG.md").read_text()


def test_contributing_is_short_and_has_its_recipes():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert text.count("\n") < 200
    assert re.findall(r"## Recipe: add a (\w+)", text) == [
        "model", "habit", "generator", "feature", "skeleton", "format", "playlist",
    ]  # fmt: skip


def test_the_experiment_file_of_the_documentation_is_one(tmp_path):
    text = (ROOT / "docs" / "laboratory.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "example.toml").write_text(example)
    experiment = read_experiment(tmp_path / "example.toml")
    assert [model.name for model in experiment.models] == ["STEP", "short kernel", "mine"]
    # what it leaves out it names in a comment
    named = set(re.findall(r"\w+", example))
    assert set(TrainingOptions.model_fields) <= named
    assert set(Experiment.model_fields) <= named


def test_every_experiment_that_is_shipped_is_documented():
    text = (ROOT / "docs" / "laboratory.md").read_text()
    files = sorted((ROOT / "experiments").glob("*.toml"))
    assert len(files) == 7
    for path in files:
        read_experiment(path)
        assert f"experiments/{path.name}" in text


def test_every_command_has_help(capsys):
    for words in (
        [], ["data"], ["data", "info"], ["data", "audit"], ["features"], ["train"], ["evaluate"],
        ["predict"], ["import-checkpoint"], ["demo"], ["experiment"], ["experiment", "run"],
        ["experiment", "report"],
    ):  # fmt: skip
        assert main([*words, "--help"]) == 0
        assert "Usage: moodwalk" in capsys.readouterr().out
