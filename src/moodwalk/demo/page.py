"""The page of the demonstration: its words, and the figures that they speak of."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moodwalk import __version__
from moodwalk.audit import Audit
from moodwalk.demo.result import DemoModel, DemoResult
from moodwalk.emotion import Emotion, LabelOrder
from moodwalk.evaluation import Evaluation, compute_proportion_interval
from moodwalk.features import FEATURES
from moodwalk.gait import Gait
from moodwalk.page import Section, Table, write_page
from moodwalk.viz import (
    IntervalRow,
    make_confusion_figure,
    make_feature_figure,
    make_interval_figure,
    make_probability_figure,
    make_skeleton_figure,
)
from moodwalk.viz.features import compute_eta_squared

__all__ = ["describe_accuracy", "write_demo_page"]

# one of each kind, so that six panels do not show one thing six times
_FEATURE_KINDS = ("angle", "distance", "area", "volume", "speed", "jerk")

SIGNIFICANT = 0.05


def write_demo_page(path: str | Path, result: DemoResult) -> None:
    """Write one self-contained HTML page of all that the demonstration found.

    Parameters
    ----------
    path
        The file to write, whole or not at all.
    result
        The findings. Every sentence about them is made from them.

    Raises
    ------
    DataFormatError
        If the file cannot be written there.
    """
    n, n_walkers = len(result.gaits), result.gaits.n_subjects
    trees, step = result.models
    write_page(
        path,
        "Emotion in a walk: moodwalk on simulated walks",
        [
            _show_walks(result),
            _show_audit(result),
            _show_features(result),
            _show_accuracy(result),
            _show_confusion(result, trees),
            _show_confusion(result, step),
            _show_prediction(result),
            _show_music(result),
            _show_next_steps(result),
        ],
        lead=(
            f"A demonstration of moodwalk on {n} simulated walks, computed on this machine just now. "
            f"It shows what the program does and how it states how sure it is. Simulated walkers "
            f"are no people: nothing here says how well moodwalk reads you."
        ),
        facts=[
            (str(n), f"simulated walks of {n_walkers} walkers, each in four emotions"),
            *(
                (
                    _percent(model.evaluation.accuracy),
                    f"named right by {model.title}; 95 % interval "
                    f"{_interval(model.evaluation.accuracy_ci95)}; walkers unseen in training",
                )
                for model in result.models
            ),
            (_percent(result.majority), "named right by always giving the same answer"),
        ],
        footer=(
            f"Simulated walks, seed {result.seed}. Emotion means the emotion that observers perceive "
            f"in a walk; it is no statement about what the walker feels, and never a diagnosis. Made by "
            f"moodwalk {__version__} in {result.seconds:.0f} s; `demo.json`, beside this page, holds "
            f"every figure. This page needs no network and sends nothing anywhere."
        ),
    )


def _show_walks(result: DemoResult) -> Section:
    walks = [result.gaits[i] for i in result.shown]
    rates = ", ".join(f"{gait.label} {_cadence(gait):.0f}" for gait in walks)
    figure = make_skeleton_figure(
        walks,
        title="One simulated walker, four emotions",
        caption=(
            f"Simulated walks of walker 1 of {result.gaits.n_subjects}, not picked for looks. Each "
            f"is one gait cycle (two steps), repeated at its own pace and held in place. Steps a "
            f"minute: {rates}. Drag to turn."
        ),
    )
    return Section(
        "Watch them walk",
        [
            "A walk, to moodwalk, is 16 joints that move: nothing of face, clothes or voice. This is "
            "the same simulated body four times. For each emotion, step rate, step length, arm swing "
            "and posture are drawn from what 342 real walks show whose emotion observers had judged.",
            f"Emotions overlap, in these walks as in real ones{_describe_overlap(result)}. So nobody, "
            f"and no program, can name them all.",
        ],
        figure,
    )


def _show_audit(result: DemoResult) -> Section:
    n = len(result.gaits)
    audit, published = result.audit, result.audit_published
    motion = next(
        (
            f"How the walks move is a second witness: those of code {code} have the slowest cycle, "
            f"hands and feet and the lowest head, as sad walks have, and the order in use calls "
            f"them {audit.order[code]}."
            for code in (audit.sad_code,)
            if code is not None and audit.order is not None
        ),
        "How the walks move is a second witness; here it singles out no code as sad.",
    )
    return Section(
        "Are the labels what they claim to be?",
        [
            "A label file holds bare numbers, 0 to 3. What they stand for is not in the file, and the "
            "order that is printed in published code for the real data set is wrong for its "
            "main file. Who trusts it trains a model that calls sad walks happy. So moodwalk "
            "checks before it learns: it compares each label with the emotion that the walker was asked "
            "to act, and with how the walk moves.",
            f"{motion} (In the simulation, acted and labelled emotion are the same by construction; of "
            f"204 real walks whose acted emotion is known, 109 agree.)",
        ],
        table=Table(
            ["codes 0, 1, 2, 3 read as", "acted = labelled", "what the audit says"],
            [
                [_join(one.order), f"{_count_agreement(one)} of {n}", _say_verdict(one)]
                for one in (audit, published)
            ],
            f"The order in use, and what moodwalk says when told the published one. {n} simulated "
            f"walks, codes read from `labels.h5`.",
        ),
    )


def _show_features(result: DemoResult) -> Section:
    labels = result.gaits.labels
    separation = [compute_eta_squared(column, labels) for column in result.features.T]
    chosen: list[int] = []
    for kind in _FEATURE_KINDS:
        of_kind = [i for i, f in enumerate(FEATURES) if f.name.endswith(f"_{kind}")]
        chosen.append(max(of_kind, key=lambda i: separation[i]))
    chosen.sort(key=lambda i: -separation[i])
    # published files hold metres / 10 and the like; readers get metres
    units = [FEATURES[i].unit.partition(" / ") for i in chosen]
    factors = np.array([float(divisor or 1) for _, _, divisor in units])
    names = [FEATURES[i].name.replace("_", " ") for i in chosen]
    best = names[0]
    return Section(
        "What can be measured in a walk",
        [
            f"Each walk is summed up in {len(FEATURES)} numbers: angles of the posture, reach, and how fast "
            f"and how abruptly hands, head and feet move (jerk is abruptness). Here are six, the most "
            f"telling of each kind. `moodwalk features {result.out}` prints all.",
            "Each dot is one walk, each box the middle half of an emotion's. The boxes sit at different "
            "heights but overlap, so that one number alone names few walks.",
        ],
        make_feature_figure(
            result.features[:, chosen] * factors,
            labels,
            names,
            show=names,
            units=[unit.replace("deg", "degrees") for unit, _, _ in units],
            title=f"Of these six, {best} tells emotions apart best",
            caption=(
                f"{len(labels)} simulated walks of {result.gaits.n_subjects} walkers. η² is the share "
                f"of a number's variance that lies between the emotions: 0 tells nothing, 1 everything."
            ),
        ),
    )


def _show_accuracy(result: DemoResult) -> Section:
    one, other = result.models
    evaluation = one.evaluation
    n, n_folds = evaluation.n_gaits, len(evaluation.folds)
    by_walker = " and ".join(
        f"{_interval(model.evaluation.accuracy_ci95_subjects)} % for {model.title}"
        for model in result.models
    )
    return Section(
        "How often is it right?",
        [
            f"Two models learn to name the emotion: {one.title}, {one.description}; and {other.title}, "
            f"{other.description}.",
            f"The walkers are dealt into {n_folds} groups, and each group is tested by models that were "
            f"trained on the others: as in use, no model is asked about a walker whom it has seen. "
            f"Both models get the same groups. The network counts as it stands after its last round of "
            f"training; picking its best moment by the test would flatter it.",
            f"{_describe_difference(result)} Dots show what was counted, bars how far off the true "
            f"figure may be if every walk were another person's. Walks of one walker are alike; "
            f"redrawing whole walkers instead gives {by_walker}.",
        ],
        make_interval_figure(
            [
                IntervalRow(model.title, model.evaluation.accuracy, *model.evaluation.accuracy_ci95)
                for model in result.models
            ],
            describe_accuracy(result),
            f"Simulated walks, n = {n} of {evaluation.n_subjects} walkers; {n_folds} folds that keep "
            f"walkers apart; exact (Clopper-Pearson) 95 % intervals.",
            majority=result.majority,
        ),
    )


def _show_confusion(result: DemoResult, model: DemoModel) -> Section:
    evaluation = model.evaluation
    counts = evaluation.confusion
    names, totals = evaluation.classes, counts.sum(axis=1)
    recall = np.diag(counts) / np.maximum(totals, 1)
    best, worst = (np.flatnonzero(recall == end) for end in (recall.max(), recall.min()))
    wrong = counts - np.diag(np.diag(counts))
    pairs = np.argwhere((wrong == wrong.max()) & (wrong > 0))
    mistakes = [f"{names[i]} taken for {names[j]}" for i, j in pairs] or ["none"]
    return Section(
        f"What {model.title} mistakes for what",
        [
            f"Named right most often: {_join_and([names[i] for i in best])} "
            f"({counts[best[0], best[0]]} of {totals[best[0]]}). Least often: "
            f"{_join_and([names[i] for i in worst])} ({counts[worst[0], worst[0]]} of "
            f"{totals[worst[0]]}). Commonest mistake: {_join_and(mistakes)} ({wrong.max()} times)."
        ],
        make_confusion_figure(
            counts,
            names,
            f"{model.title}: {model.n_right} of {evaluation.n_gaits} right "
            f"({_percent(evaluation.accuracy)}, 95 % interval {_interval(evaluation.accuracy_ci95)})",
            f"Rows: the emotion that was simulated; columns: the answer. Simulated walks, n = "
            f"{evaluation.n_gaits} of {evaluation.n_subjects} walkers, {len(evaluation.folds)} folds that "
            f"keep walkers apart.",
        ),
    )


def _show_prediction(result: DemoResult) -> Section:
    n = len(result.gaits)
    shown = [(result.gaits[i], result.predictions[i]) for i in result.shown]
    n_agree = sum(gait.label == prediction.emotion for gait, prediction in shown)
    interval = compute_proportion_interval(result.n_named, n)
    n_withheld = sum(prediction.abstained for prediction in result.predictions)
    return Section(
        "Ask trained weights about a walk",
        [
            "moodwalk ships weights that are ready to use, trained on 342 real walks. Asked about a "
            "walk they give a probability for every emotion rather than a bare answer. Below are their "
            "answers about the four walks above.",
            f"Where no emotion is probable enough, or a walk is unlike those that the weights learned from, "
            f"the answer is withheld: so for {n_withheld} of the {n} walks of this page.",
            f"This is an illustration, no test: simulated bodies differ from the real ones that the "
            f"weights know. The most probable emotion is the simulated one in {result.n_named} of the {n} walks "
            f"({_percent(result.n_named / n)}; 95 % interval {_interval(interval)}), and always giving the "
            f"same answer would name {_percent(result.majority)}. How they do on real walkers whom they "
            f"have not seen stands in their model card.",
        ],
        make_probability_figure(
            [prediction.probabilities for _, prediction in shown],
            [
                f"simulated {gait.label}, named {prediction.emotion}"
                f"{', withheld' if prediction.abstained else ''}"
                for gait, prediction in shown
            ],
            f"{n_agree} of these 4 walks {'is' if n_agree == 1 else 'are'} named as simulated",
            f"Probabilities for the four simulated walks at the top of this page; weights: "
            f"{result.weights}.",
        ),
    )


def _show_music(result: DemoResult) -> Section:
    music = result.music
    mood = music.mood
    gait, prediction = result.gaits[result.listener], result.predictions[result.listener]
    read = (
        "and its emotion was withheld, so that only its steps choose the music"
        if mood.valence is None
        else f"which the weights find {prediction.emotion}: valence {mood.valence:+.2f}, arousal {mood.arousal:+.2f}"
    )
    steps = "" if mood.cadence_spm is None else f" It takes {mood.cadence_spm:.0f} steps a minute."
    return Section(
        "Music that fits the walk",
        [
            f"The point of it all. This playlist is for the simulated {gait.label} walk above, {read}.{steps} It "
            f"begins where the walk is and moves, track by track, to brighter music (`--mode lift`), in a tempo "
            f"that keeps the step.",
            "The tracks are made up and have no sound. `moodwalk music scan DIR` reads your own, and `moodwalk "
            "music recommend --from PATH` chooses from them for a walk of yours.",
        ],
        table=Table(
            ["track", "why it is there"],
            [
                [f"{number}. {track.title}", why]
                for number, (track, why) in enumerate(
                    zip(music.tracks, music.reasons, strict=True), 1
                )
            ],
            "Valence is how pleasant, arousal how lively music or mood is, both -1 to 1.",
        ),
    )


def _show_next_steps(result: DemoResult) -> Section:
    out = result.out
    return Section(
        "Try next",
        [
            "The walks of this page lie beside it as `features.h5` and `labels.h5`, so that every "
            "command works on them. PATH is the folder that holds those two files of Emotion-Gait, "
            "the real data.",
        ],
        table=Table(
            ["command", "what it tells"],
            [
                [f"`moodwalk data audit {out} --labels published`", "the warning above"],
                [
                    f"`moodwalk evaluate --data {out} {result.models[0].options}`",
                    f"the accuracy of {result.models[0].title} above, to the last digit",
                ],
                [f"`moodwalk predict {out}`", "the emotion of every simulated walk"],
                ["`moodwalk data audit PATH`", "whether real labels are what they claim to be"],
                ["`moodwalk features PATH -o features.csv`", "29 numbers for every real walk"],
                [
                    "`moodwalk evaluate --data PATH --model extra-trees --protocol subject`",
                    "an honest accuracy on real walkers unseen in training",
                ],
                [
                    "`moodwalk evaluate --data PATH --model step --protocol subject --jobs 2`",
                    "the same of STEP; it takes a while",
                ],
                ["`moodwalk train --data PATH --model step -o RUN`", "weights of your own"],
            ],
            "Every command explains itself with --help.",
        ),
    )


def describe_accuracy(result: DemoResult) -> str:
    """Say of both accuracies what their intervals allow to be said, and no more."""
    above = [
        model.title for model in result.models if _lower_end(model.evaluation) > result.majority
    ]
    difference = result.compare()
    one, other = (model.title for model in result.models)
    if not above:
        return "On so few walks, neither does clearly better than always giving the same answer"
    if len(above) == 1:
        return f"{above[0]} does clearly better than always giving the same answer"
    if difference.p_value >= SIGNIFICANT:
        return "Both do better than guessing; which of them is better, these walks cannot say"
    ahead = difference.only_first > difference.only_second
    better, worse = (one, other) if ahead else (other, one)
    return f"Both do better than guessing, and {better} better than {worse}"


def _lower_end(evaluation: Evaluation) -> float:
    return min(evaluation.accuracy_ci95[0], evaluation.accuracy_ci95_subjects[0])


def _describe_difference(result: DemoResult) -> str:
    one, other = (model.title for model in result.models)
    first, second, p_value = result.compare()
    return (
        f"{first} walks were named right by {one} only, {second} by {other} only; chance alone makes a "
        f"difference at least as large {100 * p_value:.2g} % of the time (exact McNemar test)."
    )


def _say_verdict(audit: Audit) -> str:
    return {
        "agrees": "agrees: this order fits the walks best",
        "disagrees": f"warns: use {_join(audit.best)}",
    }.get(audit.verdict, "undecided: too little evidence")


def _count_agreement(audit: Audit) -> int:
    return next((score.agreement or 0 for score in audit.scores if score.order == audit.order), 0)


def _join(order: LabelOrder | None) -> str:
    return ", ".join(order or ())


def _describe_overlap(result: DemoResult) -> str:
    sad, happy = (
        [_cadence(gait) for gait in result.gaits if gait.label == emotion]
        for emotion in (Emotion.SAD, Emotion.HAPPY)
    )
    if max(sad) <= min(happy):
        return ""
    return (
        f": the briskest sad walk here has {max(sad):.0f} steps a minute, the slowest happy one "
        f"{min(happy):.0f}"
    )


def _join_and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _cadence(gait: Gait) -> float:
    """Return the steps a minute of a simulated walk, which is one cycle of two steps."""
    return 120 / gait.duration_s


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _interval(ends: Sequence[float]) -> str:
    return f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"
