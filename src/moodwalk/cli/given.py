"""Which options somebody has typed."""

from typing import Any

import typer

__all__ = ["find_given"]


def find_given(context: typer.Context) -> dict[str, Any]:
    """Return the parameters that the command line gives, by name, without those left at their default."""
    return {
        name: value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) is not None
        and source.name == "COMMANDLINE"
    }
