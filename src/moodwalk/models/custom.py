"""A user's own models: a class in a Python file, named ``my_models.py:MyNet``."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from moodwalk.errors import ConfigError

__all__ = ["CustomModel", "is_custom"]

_FORM = "my_models.py:MyNet"


def is_custom(name: str) -> bool:
    """Say whether a model's name means a class in a file."""
    return ".py:" in name


@dataclass(frozen=True, slots=True)
class CustomModel:
    """A class in a file, with the file's text, so that it also loads where the file is not.

    Parameters
    ----------
    path
        The file.
    class_name
        A `torch.nn.Module` (see Notes), or a scikit-learn classifier over sequences of
        `moodwalk.Gait` with ``fit``, ``predict_proba`` and ``classes_``.
    source
        What the file holds.

    Notes
    -----
    A network is made as ``MyNet(n_classes=4, **params)``. It takes ``positions``, (N, T, 16, 3)
    float32, root at the origin, and ``affective``, (N, F) normalised features or None, and returns
    logits, (N, n_classes). Class attributes say what it wants: ``n_affective`` (0 unless set; 27
    for the published features), ``root_relative`` (True unless set) and ``body_form`` (False unless
    set; then gaits are turned and scaled by their own bodies).
    """

    path: str
    class_name: str
    source: str

    @classmethod
    def read(cls, name: str, folder: Path | None = None) -> Self:
        """Read the file that a name such as ``my_models.py:MyNet`` means.

        Parameters
        ----------
        name
            File and class.
        folder
            What a relative path starts from; by default the current folder.

        Raises
        ------
        ConfigError
            If the file cannot be read.
        """
        file, _, class_name = name.rpartition(":")
        path = Path(file).expanduser()
        path = (folder or Path()) / path  # an absolute path stays as it is
        if not class_name.isidentifier():
            raise ConfigError(f"'{name}' names no class; expected such as {_FORM}.")
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            if isinstance(error, UnicodeDecodeError):
                reason = "it is not UTF-8 text"
            raise ConfigError(
                f"{path} cannot be read: {reason}. Expected such as {_FORM}."
            ) from None
        return cls(str(path.resolve()), class_name, source)

    @property
    def digest(self) -> str:
        """Short digest of the file's text."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]

    def load(self) -> type[Any]:
        """Run the file and return the class.

        Raises
        ------
        ConfigError
            If the file does not run, or holds no such class.
        """
        module = self._run()
        found = getattr(module, self.class_name, None)
        if not isinstance(found, type):
            raise ConfigError(
                f"{self.path} holds no class {self.class_name}; expected a torch.nn.Module or a "
                f"scikit-learn classifier over gaits."
            )
        return found

    def _run(self) -> ModuleType:
        name = f"moodwalk_custom_{self.digest}"
        if name in sys.modules:
            return sys.modules[name]
        module = ModuleType(name)
        module.__file__ = self.path
        sys.modules[name] = module  # dataclasses and pickle look their module up
        folder = str(Path(self.path).parent)
        sys.path.insert(0, folder)  # the file may import its neighbours
        try:
            exec(compile(self.source, self.path, "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise ConfigError(
                f"{self.path} does not run: {type(error).__name__}: {' '.join(str(error).split())}."
            ) from error
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            if folder in sys.path:
                sys.path.remove(folder)
        return module
