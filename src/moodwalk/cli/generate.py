"""``moodwalk generate``: gaits on demand, a walk in another mood, and the judge."""

from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moodwalk.cli.data import Json, Labels
from moodwalk.cli.given import find_given
from moodwalk.cli.output import open_progress, print_json, print_line, print_note, print_table
from moodwalk.cli.train import Seed
from moodwalk.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moodwalk.gait import Gait, GaitSet
    from moodwalk.generation.generator import GaitGenerator

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("generate")(generate)


def generate(
    context: typer.Context,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            "--weights",
            readable=False,
            metavar="FILE",
            help="Of a generator; by default those that moodwalk ships. The judge takes several.",
        ),
    ] = None,
    emotion: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="happy, angry, sad or neutral; by default all in turn."),
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many gaits.")] = 100,
    seed: Seed = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            readable=False,
            metavar="FILE",
            help="Where to write them: .h5 (Emotion-Gait), .parquet, .csv or .npz.",
        ),
    ] = None,
    frames: Annotated[int, typer.Option(help="Length of every gait.")] = 75,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 30.0,
    cadence: Annotated[
        float | None,
        typer.Option(metavar="SPM", help="Steps a minute; by default each gait's own."),
    ] = None,
    like_data: Annotated[
        bool,
        typer.Option(
            "--like-data",
            help="One gait cycle each, some facing -z: as the training gaits are, to train on.",
        ),
    ] = False,
    published_latent: Annotated[
        bool,
        typer.Option("--published-latent", help="Draw 3 n - 1.5 as STEP-Gen's program, not n."),
    ] = False,
    preview: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE.html", help="A wall of moving skeletons."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            readable=False,
            metavar="PATH",
            help="Give these walks the emotion instead of making new ones.",
        ),
    ] = None,
    strength: Annotated[
        float,
        typer.Option(help="With --from: 0 keeps the walk's own emotion, 1 is the one asked for."),
    ] = 1.0,
    judge: Annotated[
        bool,
        typer.Option(
            "--judge", help="Compare with real gaits that the weights were not trained on."
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", readable=False, metavar="PATH", help="For the judge: real gaits."),
    ] = None,
    classifier: Annotated[
        Path | None,
        typer.Option(
            readable=False,
            metavar="FILE",
            help="For the judge: by default the weights that moodwalk ships.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="DIR", help="For the judge: a report, with pictures."),
    ] = None,
    labels: Labels = None,
    as_json: Json = False,
) -> None:
    """Make gaits of an emotion, or give a walk another one; write, show or judge them.

    Emotions are perceived ones: what observers would call such a walk.
    """  # fmt: skip
    from moodwalk.generation.generator import GaitGenerator
    from moodwalk.io.atomic import check_writable

    kind = "the judge" if judge else "given walks" if source is not None else "new gaits"
    _refuse_others(context, kind)
    if judge:
        _judge(weights or [], data, classifier, report, seed, labels, as_json)
        return
    if output is None and preview is None:
        raise ConfigError("nothing to do: expected -o FILE, --preview FILE.html or --judge.")
    if len(weights or ()) > 1:
        raise ConfigError(f"{len(weights or ())} --weights; expected one, unless with --judge.")
    if preview is not None:
        check_writable(preview)
    files = [path.resolve() for path in (output, preview, source) if path is not None]
    if len(set(files)) < len(files):
        raise ConfigError(
            f"{files[0]} is named twice; expected a file for each of -o, --preview, --from."
        )
    generator = GaitGenerator.load(weights[0] if weights else None)
    if source is not None:
        if emotion is None:
            raise ConfigError("--from needs --emotion: happy, angry, sad or neutral.")
        _restyle(generator, source, labels, emotion, strength, output, preview, as_json)
        return
    options: dict[str, Any] = {
        "seed": seed,
        "n_frames": frames,
        "fps": fps,
        "cadence_spm": cadence,
        "like_data": like_data,
        "published_latent": published_latent,
    }
    pieces = generator.generate_pieces(n, emotion, **options)
    longest = round(fps * 3) if like_data else frames  # a cycle of the slowest walk
    shown = _write(pieces, n, longest, output)
    if preview is not None:
        from moodwalk.generation.preview import write_preview_page

        write_preview_page(preview, shown, source=generator.describe())
    _tell(generator, n if output is not None else len(shown), output, preview, as_json)


_OF: dict[str, tuple[str, ...]] = {
    "new gaits": (
        "emotion", "n", "seed", "output", "frames", "fps", "cadence", "like_data",
        "published_latent", "preview",
    ),
    "given walks": ("source", "emotion", "strength", "labels", "output", "preview"),
    "the judge": ("judge", "data", "classifier", "report", "labels", "seed"),
}  # fmt: skip
"""Which options mean something, beside --weights and --json."""


def _refuse_others(context: typer.Context, kind: str) -> None:
    """Refuse options that mean nothing for what is asked."""
    names = {parameter.name: parameter.opts[-1] for parameter in context.command.params}
    for name in find_given(context):
        if name in (*_OF[kind], "weights", "as_json"):
            continue
        other = next(k for k, known in _OF.items() if name in known)
        raise ConfigError(
            f"{names[name]} is for {other}, not for {kind}; --from gives walks, --judge judges."
        )


def _write(pieces: "Iterator[GaitSet]", n: int, n_frames: int, output: Path | None) -> "list[Gait]":
    """Write the pieces as they come; return the gaits that a preview shows."""
    from moodwalk.generation.preview import MOST_PREVIEWED
    from moodwalk.io.writers import check_space, estimate_size, open_writer

    first = next(pieces)  # what cannot be made is said before anything is written
    shown = list(first)
    if output is None:
        while len(shown) < min(n, MOST_PREVIEWED):
            shown += next(pieces)
        return shown[:MOST_PREVIEWED]
    check_space(output, estimate_size(output, n, n_frames))
    with open_progress() as progress, open_writer(output) as writer:
        bar = progress.add_task("gaits", total=n)
        for piece in chain([first], pieces):
            writer.write(piece)
            progress.advance(bar, len(piece))
            if len(shown) < MOST_PREVIEWED:
                shown += piece
    return shown


def _restyle(
    generator: "GaitGenerator",
    source: Path,
    labels: str | None,
    emotion: str,
    strength: float,
    output: Path | None,
    preview: Path | None,
    as_json: bool,
) -> None:
    from moodwalk.emotion import parse_emotion
    from moodwalk.generation.preview import write_comparison_page
    from moodwalk.generation.restyling import restyle_walks
    from moodwalk.io import read
    from moodwalk.io.writers import open_writer

    wanted = parse_emotion(emotion)
    pairs, problems = restyle_walks(generator, read(source, labels), wanted, strength=strength)
    for problem in problems:
        print_note(f"note: left out: {problem}")
    if output is not None:
        with open_writer(output) as writer:
            writer.write(after for _, after in pairs)
    if preview is not None:
        write_comparison_page(
            preview, pairs, wanted, strength=strength, source=generator.describe()
        )
    _tell(generator, len(pairs), output, preview, as_json)


def _tell(
    generator: "GaitGenerator",
    n: int,
    output: Path | None,
    preview: Path | None,
    as_json: bool,
) -> None:
    if as_json:
        print_json(
            {
                "model": generator.model,
                "gaits": n,
                "output": None if output is None else str(output),
                "preview": None if preview is None else str(preview),
            }
        )
        return
    for path in (output, preview):
        if path is not None:
            print_line(f"{path}: {n} gaits." if path is output else f"{path}: to look at.")


def _judge(
    weights: list[Path],
    data: Path | None,
    classifier: Path | None,
    report: Path | None,
    seed: int,
    labels: str | None,
    as_json: bool,
) -> None:
    if data is None:
        raise ConfigError("--judge needs --data PATH: real gaits to compare with.")

    from moodwalk.generation.generator import GaitGenerator
    from moodwalk.generation.judge import judge, split_by_card
    from moodwalk.generation.report import describe_judgement, list_rows, write_judge_report
    from moodwalk.io import read
    from moodwalk.io.atomic import check_writable
    from moodwalk.predict import Predictor

    if report is not None:
        check_writable(report / "report.html")
    predictor = Predictor.load(classifier)
    generators: dict[str, GaitGenerator] = {}
    for path in weights or [None]:
        generator = GaitGenerator.load(path)
        name = generator.model
        generators[f"{name}: {path}" if name in generators else name] = generator
    training, held_out = split_by_card(read(data, labels).only_labelled(), generators)
    if classifier is None:
        print_note(
            "note: the shipped classifier has seen the held-out gaits; train one on the same --split "
            "and give it with --classifier."
        )
    if report is not None and find_spec("matplotlib") is None:
        raise ConfigError(
            "--report needs matplotlib, which is not installed. Install 'moodwalk[lab]'."
        )
    with open_progress() as progress:
        bar = progress.add_task("judging", total=4)

        def show(what: str) -> None:
            progress.update(bar, description=what, advance=1)

        judgement = judge(
            generators, training, held_out, predictor=predictor, seed=seed, progress=show
        )
    page = None
    if report is not None:
        descriptions = {name: generator.describe() for name, generator in generators.items()}
        page = write_judge_report(report, judgement, descriptions)["html"]
    if as_json:
        print_json(judgement.to_dict())
        return
    columns, rows = list_rows(judgement)
    print_table("Generated gaits beside real ones", columns, rows)
    for sentence in describe_judgement(judgement):
        print_line(sentence)
    if page is not None:
        print_line(f"The whole report: {page}")
