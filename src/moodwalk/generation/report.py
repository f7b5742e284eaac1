"""What the judge says, to read and to look at: HTML, Markdown with a picture, JSON."""

import json
from collections.abc import Mapping
from pathlib import Path

from moodwalk.emotion import EMOTIONS
from moodwalk.generation.judge import Figure, Judgement
from moodwalk.generation.maps import compute_map
from moodwalk.io.atomic import check_writable, write_whole_text
from moodwalk.markdown import make_markdown_table
from moodwalk.page import Section, Table, write_page
from moodwalk.provenance import describe_versions, find_commit
from moodwalk.viz.maps import GaitMap, make_map_figure, write_map_png
from moodwalk.viz.wall import Wall, WallRow, make_wall

__all__ = ["describe_judgement", "list_rows", "write_judge_report"]

TITLE = "Generated gaits before the judge"
BEST = "✓"
_WALKERS_AN_EMOTION = 2
_AIMS = {"real": "like real", "low": "low", "high": "high"}


def list_rows(judgement: Judgement) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows of the judge's table; the best generator of a line is marked."""
    names = judgement.names
    rows: list[list[str]] = []
    for line in judgement.lines:
        gaps = {name: line.compute_gap(name) for name in names}
        best = [name for name in names if gaps[name] == min(gaps.values())]
        cells = [_show(line.found[name], name in best and len(names) > 1) for name in names]
        rows.append([line.name, _AIMS[line.aim], _show(line.real), *cells])
    return ["figure", "best is", "real", *names], rows


def describe_judgement(judgement: Judgement) -> list[str]:
    """Say in plain words, computed from the figures, which generator comes nearer to real gaits."""
    n = len(judgement.lines)
    names = judgement.names
    said = [
        f"{judgement.n_generated} gaits of every generator, against {judgement.n_held_out} real gaits "
        f"of {judgement.n_subjects} subjects that were held out of training."
    ]
    for other in names[1:]:
        better = judgement.count_better(names[0], other)
        apart = sum(
            line.found[names[0]].low > line.found[other].high
            or line.found[other].low > line.found[names[0]].high
            for line in judgement.lines
        )
        said.append(
            f"{names[0]} comes nearer to the aim than {other} in {better} of {n} figures; the intervals "
            f"of the two lie apart in {apart}."
        )
    for name in names:
        parts = [
            f"{line.name} {line.found[name].value / line.real.value:.2f} times"
            for line in judgement.lines
            if line.name in ("bone variation", "skate") and line.real.value > 0
        ]
        said.append(f"{name}: {' and '.join(parts)} that of real gaits.")
    return said


def write_judge_report(
    folder: str | Path, judgement: Judgement, descriptions: Mapping[str, str]
) -> dict[str, Path]:
    """Write ``report.html``, ``report.md`` with ``map.png``, and ``judge.json``.

    Parameters
    ----------
    folder
        Where to.
    judgement
        What the judge says.
    descriptions
        What every generator is, in a sentence.

    Returns
    -------
    dict
        Paths by kind.

    Raises
    ------
    DataFormatError
        If the folder cannot be written.
    ConfigError
        If the extra ``lab`` is not installed.
    """
    folder = Path(folder)
    paths = {
        "html": folder / "report.html",
        "markdown": folder / "report.md",
        "map": folder / "map.png",
        "json": folder / "judge.json",
    }
    for path in paths.values():
        check_writable(path)
    maps = _make_maps(judgement)
    caption = (
        f"t-SNE of the affective features; grey: all real gaits of the picture. Distances between far "
        f"groups mean nothing. {judgement.n_held_out} held-out gaits, and as many of every generator."
    )
    title = "Where generated gaits lie among real ones"
    write_map_png(paths["map"], maps, title=title, caption=caption)
    said = describe_judgement(judgement)
    columns, rows = list_rows(judgement)
    table = Table(columns, rows, _caption(judgement))
    how = [
        "Real is what real gaits have: the held-out ones; where two sets are compared, training gaits "
        "against held-out ones, as if they had been generated. A tick marks the best of its line. "
        "For figures that every gait has, that is the one whose distribution is nearest to that of the "
        "held-out gaits (Wasserstein's distance): one and the same average walk may well have their "
        "median.",
        f"Every generator makes as many gaits as there are training gaits ({judgement.n_generated}), of "
        f"the same emotions. The embedding is that of {judgement.classifier}. Intervals are 95 %, from "
        f"resampling; the real ones resample subjects.",
    ]
    who = [f"{name}: {text}" for name, text in descriptions.items()]
    meanings = Table(
        ("figure", "unit", "what it says"),
        [(line.name, line.unit, line.meaning) for line in judgement.lines],
    )
    write_page(
        paths["html"],
        TITLE,
        [
            Section("The answer", said),
            Section("Who is compared", who),
            Section(
                "Walks", ["Two of each emotion, in the same order."], figure=_make_wall(judgement)
            ),
            Section("The figures", how, table=table),
            Section("A map", figure=make_map_figure(maps, title=title, caption=caption)),
            Section("What the figures mean", table=meanings),
        ],
        lead="How near do they come to walks that no generator has seen?",
        footer="Emotion here is what observers perceived. No diagnosis, and not fit for judging people.",
    )
    text = [f"# {TITLE}", "", "## The answer", ""]
    text += [f"{sentence}\n" for sentence in said]
    text += ["## Who is compared", "", *(f"- {entry}" for entry in who), ""]
    text += ["## The figures", "", *(f"{sentence}\n" for sentence in how)]
    text += [
        *make_markdown_table(table),
        "",
        "## A map",
        "",
        f"![{title}](map.png)",
        "",
        caption,
        "",
    ]
    text += ["## What the figures mean", "", *make_markdown_table(meanings)]
    write_whole_text(paths["markdown"], "\n".join(text) + "\n")
    document = {
        **judgement.to_dict(),
        "generators": dict(descriptions),
        "versions": describe_versions(),
        "commit": find_commit(),
    }
    write_whole_text(paths["json"], json.dumps(document, indent=2) + "\n")
    return paths


def _caption(judgement: Judgement) -> str:
    return (
        f"{judgement.n_held_out} held-out gaits of {judgement.n_subjects} subjects, "
        f"{judgement.n_generated} of every generator, seed {judgement.seed}; medians of figures that "
        f"every gait has."
    )


def _show(figure: Figure, best: bool = False) -> str:
    value, low, high = (_round(v) for v in (figure.value, figure.low, figure.high))
    text = value if low == high else f"{value} ({low} to {high})"
    return f"{text} {BEST}" if best else text


def _round(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _make_maps(judgement: Judgement) -> list[GaitMap]:
    """Return a map of every set; all share the axes and the real gaits behind them."""
    placed, chosen = compute_map(judgement.points, seed=judgement.seed)
    return [
        GaitMap(
            "real, held out" if name == "real" else name,
            points,
            judgement.gaits[name].labels[chosen[name]].tolist(),
            placed["real"],
        )
        for name, points in placed.items()
    ]


def _make_wall(judgement: Judgement) -> Wall:
    rows = [
        WallRow(
            "real, held out" if name == "real" else name,
            [
                gait
                for emotion in EMOTIONS
                for gait in [g for g in gaits if g.label == emotion][:_WALKERS_AN_EMOTION]
            ],
        )
        for name, gaits in judgement.gaits.items()
    ]
    return make_wall(
        rows,
        title="Walks",
        caption="Two happy, two angry, two sad, two neutral walks of every set.",
    )
