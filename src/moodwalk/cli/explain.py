"""``moodwalk explain``: why a walk is read as it is."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json
from moodwalk.cli.output import open_progress, print_json, print_line, print_note, print_table
from moodwalk.cli.reading import Fps, JointMap, Person, PoseModel, read_walks
from moodwalk.errors import ConfigError

if TYPE_CHECKING:
    from moodwalk.explain import Explanation
    from moodwalk.gait import Gait, GaitSet

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("explain")(explain)


def explain(
    path: Annotated[
        Path,
        typer.Argument(readable=False, metavar="PATH", help="A walk; see --name for one of many."),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE", help="By default those that moodwalk ships."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            readable=False,
            metavar="PATH",
            help="A neutral walk of the same person to compare with.",
        ),
    ] = None,
    emotion: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="happy, angry, sad or neutral; by default the most probable one."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="GAIT", help="Which walk, where PATH holds several.")
    ] = None,
    baseline_name: Annotated[
        str | None,
        typer.Option(metavar="GAIT", help="Which walk, where --baseline holds several."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", readable=False, metavar="FILE.html", help="The page to write."
        ),
    ] = None,
    fps: Fps = None,
    joint_map: JointMap = None,
    person: Person = None,
    pose_model: PoseModel = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Explain also where a recording shows no walk."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say which joints and moments count, and what is unusual about a walk, in words.

    The page shows the moving skeleton coloured by contribution. It speaks of perceived emotion: what
    observers would call such a walk, not what anybody feels.
    """
    from moodwalk.emotion import parse_emotion
    from moodwalk.explain import explain as explain_walk
    from moodwalk.explain import write_explanation_page
    from moodwalk.io.atomic import check_writable
    from moodwalk.predict import Predictor

    if output is None and not as_json:
        raise ConfigError("nothing to do: expected -o FILE.html or --json.")
    if baseline_name is not None and baseline is None:
        raise ConfigError("--baseline-name names a walk of --baseline PATH; expected that too.")
    if output is not None:
        check_writable(output)
        sources = [p.resolve() for p in (path, baseline, weights) if p is not None]
        if output.resolve() in sources:
            raise ConfigError(f"{output} is to be read and written; expected another file for -o.")
    wanted = None if emotion is None else parse_emotion(emotion)
    predictor = Predictor.load(weights)
    gaits = read_walks(path, None, fps, joint_map, person, pose_model)
    gait = _take(path, gaits, name, "--name")
    own = None
    if baseline is not None:
        gaits = read_walks(baseline, None, fps, joint_map, None, pose_model)
        own = _take(baseline, gaits, baseline_name, "--baseline-name")
    with open_progress() as progress:
        bar = progress.add_task("windows", total=None)

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        explanation = explain_walk(
            predictor, gait, emotion=wanted, baseline=own, force=force, progress=show
        )
    if output is not None:
        write_explanation_page(output, explanation)
    if as_json:
        page = None if output is None else str(output)
        print_json({"path": str(path), **explanation.to_dict(), "page": page})
        return
    _show(explanation)
    print_line(f"{output}: to look at.")


def _take(path: Path, gaits: "GaitSet", name: str | None, option: str) -> "Gait":
    """Return one walk of a source; of a long one, its middle."""
    from moodwalk.explain.attribution import LONGEST_S

    for problem in gaits.problems:
        if any(gait.reading is not None for gait in gaits):
            print_note(f"note: {problem}")
    chosen = [gait for gait in gaits if name is None or gait.name == name]
    if not chosen:
        raise ConfigError(
            f"{path} holds no walk called {name!r}; {gaits[0].name!r} is the first of {len(gaits)}."
        )
    if len(chosen) > 1:
        raise ConfigError(
            f"{path} holds {len(chosen)} such walks, {chosen[0].name!r} first; expected one. Say which "
            f"with {option}."
        )
    gait = chosen[0]
    n_most = int(LONGEST_S * gait.fps)
    if len(gait) <= n_most:
        return gait
    first = (len(gait) - n_most) // 2
    print_note(
        f"note: {path} lasts {gait.duration_s:.0f} s; {LONGEST_S:g} s of it, from {first / gait.fps:.0f} s "
        f"on, are used."
    )
    return replace(gait, positions=gait.positions[first : first + n_most])


def _show(explanation: "Explanation") -> None:
    known, prediction = explanation.attribution, explanation.prediction
    shares = ", ".join(f"{e} {100 * p:.0f} %" for e, p in prediction.probabilities.items())
    print_line(f"Perceived emotion: {shares}.")
    print_line(explanation.sentence)
    print_table(
        f"What speaks for {known.emotion}",
        ("joint", "contribution (log-odds)"),
        [
            (joint.name.lower().replace("_", " "), f"{known.joints[joint]:+.2f}")
            for joint in known.rank_joints()[:5]
        ],
        f"Compared with {known.reference}; all joints together {known.total:+.2f}.",
    )
