"""Classes in a user's file."""

import pickle
import sys

import pytest

from moodwalk.errors import ConfigError
from moodwalk.models.custom import CustomModel, is_custom

NETWORK = """
from dataclasses import dataclass
from torch import nn
import neighbour_of_custom

@dataclass
class Shape:
    width: int = neighbour_of_custom.WIDTH

class Net(nn.Module):
    def __init__(self, n_classes, width=None):
        super().__init__()
        self.classes = nn.Linear(width or Shape().width, n_classes)

    def forward(self, positions, affective):
        return self.classes(positions.flatten(1)[:, : self.classes.in_features])

number = 3
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "neighbour_of_custom.py").write_text("WIDTH = 6\n")
    path = tmp_path / "my_models.py"
    path.write_text(NETWORK)
    yield path
    for name in [*sys.modules]:
        if name.startswith(("moodwalk_custom_", "neighbour_of_custom")):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "custom"),
    [("my_models.py:Net", True), ("/a/b.py:C", True), ("step", False), ("my_models.py", False)],
)
def test_a_custom_name_holds_a_file_and_a_class(name, custom):
    assert is_custom(name) == custom


def test_a_class_is_loaded_with_its_neighbours(file):
    before = list(sys.path)
    custom = CustomModel.read(f"{file}:Net")
    network = custom.load()(n_classes=4)
    assert network.classes.in_features == 6
    assert custom.load() is type(network)  # the file runs once
    assert sys.path == before


def test_a_relative_file_counts_from_the_folder_given(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    here = CustomModel.read("my_models.py:Net")
    assert here == CustomModel.read("my_models.py:Net", folder=file.parent)
    assert here.path == str(file)


def test_the_text_travels_to_where_the_file_is_not(file):
    custom = CustomModel.read(f"{file}:Net")
    sent = pickle.dumps(custom)
    file.unlink()
    assert pickle.loads(sent).load()(n_classes=4).classes.out_features == 4


def test_another_text_is_another_digest(file):
    first = CustomModel.read(f"{file}:Net")
    file.write_text(NETWORK.replace("WIDTH", "WIDTH + 1"))
    second = CustomModel.read(f"{file}:Net")
    assert first.digest != second.digest
    assert first.load()(n_classes=4).classes.in_features == 6
    assert second.load()(n_classes=4).classes.in_features == 7


@pytest.mark.parametrize("name", ["my_models.py:", "my_models.py:Not a name", "my_models.py:3"])
def test_a_name_without_a_class_is_refused(file, name):
    with pytest.raises(ConfigError, match=r"names no class; expected such as my_models.py:MyNet"):
        CustomModel.read(name, folder=file.parent)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"\xff\xfe", "not UTF-8"),
        ("folder", "Is a directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, content, reason):
    path = tmp_path / "own.py"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"own.py cannot be read: .*{reason}"):
        CustomModel.read(f"{path}:Net")


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(ConfigError, match=r"cannot be read: .*null"):
        CustomModel.read("\0.py:Net")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def broken(:", "does not run: SyntaxError"),
        ("import a_module_that_nobody_has", "does not run: ModuleNotFoundError"),
        ("1 / 0", "does not run: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "does not run: SystemExit: 3"),
        ("Net = 3", "holds no class Net"),
        ("", "holds no class Net"),
        ("def Net(n_classes): pass", "holds no class Net"),
    ],
)
def test_a_file_that_gives_no_class_is_refused(tmp_path, source, said):
    path = tmp_path / "own.py"
    path.write_text(source)
    before = set(sys.modules)
    with pytest.raises(ConfigError) as caught:
        CustomModel.read(f"{path}:Net").load()
    assert str(caught.value).startswith(f"{path} {said}")
    assert "\n" not in str(caught.value)
    if "does not run" in said:
        assert not {name for name in set(sys.modules) - before if "moodwalk_custom" in name}
    assert str(tmp_path) not in sys.path


def test_an_interrupt_is_not_taken_for_a_broken_file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        CustomModel.read(f"{path}:Net").load()
    assert str(tmp_path) not in sys.path
