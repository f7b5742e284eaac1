"""Tables of a page in Markdown."""

from collections.abc import Iterable
from typing import Any

from moodwalk.page import Table

__all__ = ["make_markdown_table"]


def make_markdown_table(table: Table) -> list[str]:
    """Return the lines of a table, its caption below in italics."""

    def row(cells: Iterable[Any]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    rule = "|---" + "|---:" * (len(table.columns) - 1) + "|"
    lines = [row(table.columns), rule, *(row(cells) for cells in table.rows)]
    return [*lines, "", f"*{table.caption}*"] if table.caption else lines
