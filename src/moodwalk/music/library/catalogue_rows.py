"""The rows of a catalogue in CSV, whatever program wrote it."""

import csv
import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.io.opening import open_checked

__all__ = ["COLUMNS", "NEEDED", "OPTIONAL", "CatalogueFile", "Row"]

NEEDED = ("track_id", "track_name", "track_artist", "valence", "energy", "tempo")
OPTIONAL = ("track_album_name", "playlist_genre", "mode", "duration_ms", "track_popularity")
COLUMNS = (*NEEDED, *OPTIONAL)

_EXPECTED = "a catalogue of tracks in CSV"
_SEPARATORS = ",;\t|"
_MAX_LINE = 2**20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Row(NamedTuple):
    """A row.

    Parameters
    ----------
    line
        Of the file, where the row begins; the header is line 1.
    cells
        By our names of the columns, without blanks around them.
    problem
        Why the row cannot be read; empty where it can. There are no cells then.
    """

    line: int
    cells: dict[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """A catalogue that was looked into.

    Parameters
    ----------
    path
        The file.
    encoding, separator
        How it is written.
    places
        By our names of columns: where they stand in a row.
    n_columns
        Of the file.
    """

    path: Path
    encoding: str
    separator: str
    places: Mapping[str, int]
    n_columns: int

    @property
    def missing(self) -> tuple[str, ...]:
        """Columns that the file does not have, of those that it need not have."""
        return tuple(name for name in OPTIONAL if name not in self.places)

    @property
    def has_decimal_commas(self) -> bool:
        """Whether a comma in a number can stand for a point."""
        return self.separator != ","

    @classmethod
    def open(cls, path: Path, columns: Mapping[str, str] | None = None) -> "CatalogueFile":
        """Read the first line of a catalogue.

        Parameters
        ----------
        path
            The file: CSV in UTF-8, or in UTF-16 with a byte order mark, with commas, semicolons, tabs or
            bars.
        columns
            What columns are called in the file, by our names; others are called as we call them.

        Raises
        ------
        DataFormatError
            If the file is missing, empty or no CSV, or columns are missing.
        ConfigError
            If there are no such columns of ours.
        """
        names = _name_columns(columns or {})
        with open_checked(path, _EXPECTED) as file:
            start = file.peek(2)[:2]
        encoding = "utf-16" if start in _UTF16 else "utf-8-sig"
        with _open_text(path, encoding) as text:
            line = text.readline(_MAX_LINE)
        theirs = [names[ours] for ours in names]
        separator = max(_SEPARATORS, key=lambda mark: _count_known(line, mark, theirs))
        with _open_text(path, encoding) as text:
            header = next(_read_csv(path, text, separator), None)
        found = [name.strip() for name in header[-1]] if header else []
        _check_header(path, found, names, separator)
        places = {ours: found.index(name) for ours, name in names.items() if name in found}
        return cls(path, encoding, separator, places, len(found))

    def read_rows(self) -> Generator[Row]:
        """Yield the rows; blank lines are none.

        Raises
        ------
        DataFormatError
            If the file is not text in its encoding, or has a line or a cell of absurd length, or a quotation
            mark that is not closed.
        """
        with _open_text(self.path, self.encoding) as text:
            rows = _read_csv(self.path, text, self.separator)
            next(rows, None)
            for line, last, cells in rows:
                if not cells:
                    continue
                if len(cells) != self.n_columns and last > line:
                    raise DataFormatError(
                        f"{self.path}: lines {line} to {last} are read as one row of {len(cells)} cells; expected "
                        f"{self.n_columns}, as the header has. Is a quotation mark not closed?"
                    )
                if len(cells) != self.n_columns:
                    problem = (
                        f"has {len(cells)} cells; expected {self.n_columns}, as the header has"
                    )
                    yield Row(line, {}, problem)
                elif any("\0" in cell for cell in cells):
                    yield Row(line, {}, "holds null bytes; expected text")
                else:
                    yield Row(line, {name: cells[at].strip() for name, at in self.places.items()})


def _name_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what each column of ours is called in the file."""
    unknown = next((ours for ours in columns if ours not in COLUMNS), None)
    if unknown is not None:
        raise ConfigError(
            f"--columns names '{unknown}', which no catalogue needs; expected one of {', '.join(COLUMNS)} "
            f"before the equals sign."
        )
    return {ours: columns.get(ours, ours).strip() for ours in COLUMNS}


def _check_header(
    path: Path, found: Sequence[str], names: Mapping[str, str], separator: str
) -> None:
    missing = [ours for ours in NEEDED if names[ours] not in found]
    # a name that the user gave has to be there, also where the column need not
    missing += [ours for ours in OPTIONAL if names[ours] != ours and names[ours] not in found]
    if missing:
        shown = ", ".join(repr(name[:40]) for name in found[:12])
        more = f" and {len(found) - 12} more" if len(found) > 12 else ""
        absent = ", ".join(
            f"'{ours}'" if names[ours] == ours else f"'{names[ours]}' for {ours}"
            for ours in missing
        )
        raise DataFormatError(
            f"{path} lacks the columns {absent}; found {shown}{more}. Say what they are called there: "
            f"--columns {missing[0]}=THEIRS, once for each."
        )
    for name in names.values():
        if found.count(name) > 1:
            raise DataFormatError(f"{path} has the column '{name}' twice; expected it once.")


def _count_known(line: str, separator: str, names: Sequence[str]) -> tuple[int, int]:
    cells = {cell.strip().strip('"').strip() for cell in line.split(separator)}
    return len(cells & set(names)), len(cells)


@contextmanager
def _open_text(path: Path, encoding: str) -> Generator[io.TextIOWrapper]:
    with open_checked(path, _EXPECTED) as file:
        text = io.TextIOWrapper(file, encoding=encoding, newline="")
        try:
            yield text
        except UnicodeError as error:
            raise DataFormatError(
                f"{path} is not text in {'UTF-16' if encoding == 'utf-16' else 'UTF-8'} "
                f"({_describe(error)}); expected {_EXPECTED}. Save it as UTF-8, or convert it: "
                f"iconv -f WINDOWS-1252 -t UTF-8."
            ) from error
        finally:
            text.detach()  # who opened the file closes it


def _describe(error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError) and len(error.object) > error.start:
        return f"byte 0x{error.object[error.start]:02x}, {error.reason}"
    return str(error)


def _read_csv(
    path: Path, text: io.TextIOWrapper, separator: str
) -> Generator[tuple[int, int, list[str]]]:
    """Yield the first and the last line of every row, and its cells."""
    rows = csv.reader(_read_lines(path, text), delimiter=separator)
    while True:
        line = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise DataFormatError(
                f"{path}: line {line}: {error}; expected {_EXPECTED}. Is a quotation mark not closed, or the file "
                f"damaged?"
            ) from error
        if cells is None:
            return
        yield line, rows.line_num, cells


def _read_lines(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise DataFormatError(
                f"{path} has a line of more than {_MAX_LINE:,} characters; expected {_EXPECTED}. Is it "
                f"another format?"
            )
        yield line
