"""A folder of results: one file a cell, whole or not at all; one experiment, one writer."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.experiments.config import Experiment, parse_experiment
from moodwalk.experiments.plan import CELL_FORMAT, Cell, Plan
from moodwalk.io.atomic import check_writable, write_whole_text
from moodwalk.models.custom import is_custom
from moodwalk.provenance import describe_versions, find_commit

__all__ = ["ResultFolder", "read_cells"]

EXPERIMENT = "experiment.json"
_FORMAT = "moodwalk-experiment-1"


_TEXTS: Any = {"title": True, "question": True, "data": {"path"}}


class ResultFolder:
    """Where an experiment's cells lie.

    Parameters
    ----------
    path
        The folder: ``experiment.json`` says what was run on what, ``cells/`` holds a file a cell,
        ``failed/`` what went wrong.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @contextmanager
    def open(self, experiment: Experiment, gaits: Mapping[str, Any], plan: Plan) -> Generator[None]:
        """Claim the folder for an experiment, alone, while the block runs.

        Parameters
        ----------
        experiment
            What is to be run.
        gaits
            What `describe_gaits` says of the walks.
        plan
            The cells, and how they are read.

        Raises
        ------
        ConfigError
            If another run is writing there, or the folder is another experiment's or none's.
        DataFormatError
            If nothing can be written there.
        """
        check_writable(self.path / EXPERIMENT)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock")
            lock.acquire(timeout=0)
        except Timeout:
            raise ConfigError(
                f"{self.path} is in use by another run; wait for it, or choose another folder."
            ) from None
        except (OSError, NotImplementedError) as error:  # the latter where nothing can be locked
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            raise DataFormatError(
                f"{self.path} cannot be written: {reason}. Choose another place."
            ) from None
        try:
            self._clear()
            self._claim(experiment, gaits, plan)
            yield
        finally:
            lock.release()

    def _clear(self) -> None:
        """Remove what a run that was killed in the middle of writing has left."""
        for folder in (self.path, self.path / "cells", self.path / "failed"):
            for path in folder.glob(".*.part.json"):
                with suppress(OSError):
                    path.unlink()

    def _claim(self, experiment: Experiment, gaits: Mapping[str, Any], plan: Plan) -> None:
        path = self.path / EXPERIMENT
        document = {
            "format": _FORMAT,
            "experiment": experiment.model_dump(mode="json"),
            "gaits": dict(gaits),
            "code": _describe_code(plan),
            "lines": _describe_lines(plan),
            "versions": describe_versions(),
            "commit": find_commit(),
        }
        if path.exists():
            found = self.read()
            known = parse_experiment(found["experiment"], where=str(path))
            other = _compare(_without_texts(known, found), _without_texts(experiment, document))
            if other:
                raise ConfigError(
                    f"{self.path} holds the results of another experiment: {other}. Choose another "
                    f"folder; --reuse {self.path} takes over the cells that are the same."
                )
            begun = {key: found[key] for key in ("versions", "commit") if key in found}
            document = {**document, **begun}
            if document == found:
                return
        write_whole_text(path, json.dumps(document, indent=2) + "\n")

    def read(self) -> dict[str, Any]:
        """Return what ``experiment.json`` holds.

        Raises
        ------
        DataFormatError
            If there is none, or it is damaged.
        """
        path = self.path / EXPERIMENT
        document = _read_json(path, _FORMAT)
        for name, kind in (("experiment", dict), ("gaits", dict), ("code", dict), ("lines", list)):
            if not isinstance(document.get(name), kind):
                raise DataFormatError(f"{path} is damaged: expected '{name}' in it.")
        return document

    def write(self, cell: Cell, record: Mapping[str, Any]) -> None:
        """Write a cell's result, whole or not at all, and forget that it ever failed."""
        write_whole_text(self.path / "cells" / f"{cell.name}.json", _dump(record))
        (self.path / "failed" / f"{cell.name}.json").unlink(missing_ok=True)

    def write_failure(self, cell: Cell, failure: Mapping[str, Any]) -> None:
        """Remember that a cell failed, and why. The next run tries it again."""
        text = json.dumps(failure, indent=2) + "\n"
        write_whole_text(self.path / "failed" / f"{cell.name}.json", text)

    def read_done(self) -> dict[str, dict[str, Any]]:
        """Return the records, by key, of the cells that are done."""
        return {record["key"]: record for record in read_cells(self.path / "cells")}

    def read_failures(self) -> list[dict[str, Any]]:
        """Return what is remembered of cells that failed."""
        return list(_read_all(self.path / "failed", None))


def read_cells(folder: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a folder of cells; a damaged file counts as not done."""
    for record in _read_all(Path(folder), CELL_FORMAT):
        if isinstance(record.get("key"), str) and isinstance(record.get("predicted"), str):
            yield record


def _read_all(folder: Path, kind: str | None) -> Iterator[dict[str, Any]]:
    """Yield the documents of a folder, but for damaged ones and those being written."""
    for path in sorted(folder.glob("*.json")):
        if not path.name.startswith("."):
            with suppress(DataFormatError):
                yield _read_json(path, kind)


def _read_json(path: Path, kind: str | None) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataFormatError(
            f"{path} cannot be read: {error.strerror or error}. Expected a folder that "
            f"`moodwalk experiment run` made."
        ) from None
    except ValueError:
        raise DataFormatError(f"{path} is damaged: expected JSON.") from None
    if not isinstance(document, dict) or (kind is not None and document.get("format") != kind):
        raise DataFormatError(f"{path} is no file of this kind; expected format {kind}.")
    return document


def _dump(record: Mapping[str, Any]) -> str:
    """Write a record with one line a key: short, and readable."""
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in record.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _without_texts(experiment: Experiment, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the figures of an experiment: not its words, and not where files lie."""
    decisive = experiment.model_dump(mode="json", exclude=_TEXTS)
    for model in decisive["models"]:
        if is_custom(model["model"]):
            model["model"] = Path(model["model"]).name
    return {"experiment": decisive, "gaits": document["gaits"], "code": document["code"]}


def _describe_code(plan: Plan) -> dict[str, str]:
    """Return digests of the users' own files: where one has changed, it is another experiment."""
    digests: dict[str, set[str]] = {}
    for cell in plan.cells:
        if (own := cell.training.custom) is not None:
            name = f"{Path(own.path).name}:{own.class_name}"
            digests.setdefault(name, set()).add(own.digest)
    return {name: " ".join(sorted(found)) for name, found in digests.items()}


def _describe_lines(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "name": line.name,
            "habits": list(line.habits),
            "published": line.published,
            "cells": [cell.key for cell in plan.cells if cell.training.name == line.training],
        }
        for line in plan.lines
    ]


def _compare(found: Any, wanted: Any, place: str = "") -> str:
    """Return the first difference in words; empty where there is none."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in [*wanted, *(k for k in found if k not in wanted)]:
            inner = f"{place}.{key}" if place else str(key)
            if key not in found or key not in wanted:
                there = "only there" if key in found else "only here"
                return f"{inner.removeprefix('experiment.')} is {there}"
            if said := _compare(found[key], wanted[key], inner):
                return said
        return ""
    if isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            return (
                f"{place.removeprefix('experiment.')} are {len(found)} there and {len(wanted)} here"
            )
        for i, pair in enumerate(zip(found, wanted, strict=True)):
            if said := _compare(*pair, f"{place}.{i + 1}"):
                return said
        return ""
    if found == wanted:
        return ""
    return f"{place.removeprefix('experiment.')} is {found!r} there and {wanted!r} here"
