"""``moodwalk import-checkpoint``: published weights into this package's format."""

from pathlib import Path
from typing import Annotated

import typer

from moodwalk.cli.output import print_line

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("import-checkpoint")(import_checkpoint)


def import_checkpoint(
    source: Annotated[
        Path,
        typer.Argument(readable=False, metavar="FILE.pth.tar", help="A file of STEP's authors."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", readable=False, metavar="FILE.safetensors", help="Where to write it."
        ),
    ],
) -> None:
    """Turn a published classifier or generator into weights that `predict` or `generate` takes.

    The file is read as plain tensors; no code in it is run.
    """
    from moodwalk.models.published import (
        import_published_classifier,
        is_published_generator,
        read_published_checkpoint,
    )

    if is_published_generator(read_published_checkpoint(source)):
        from moodwalk.generation.generator import import_published_generator

        generator = import_published_generator(source, output)
        print_line(f"{output}: {generator.model}, classes {', '.join(generator.classes)}.")
        return
    checkpoint = import_published_classifier(source, output)
    print_line(
        f"{output}: {checkpoint.model}, {sum(p.numel() for p in checkpoint.network.parameters()):,} "
        f"parameters, classes {', '.join(checkpoint.classes)}."
    )
