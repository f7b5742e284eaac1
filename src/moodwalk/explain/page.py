"""The page of an explanation: the walk, coloured by what counts, and what is unusual about it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from moodwalk import __version__
from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.explain.explanation import Explanation
from moodwalk.explain.measures import MEASURES
from moodwalk.explain.words import GaitWord
from moodwalk.gait import Gait
from moodwalk.page import Section, Table, write_page
from moodwalk.skeleton import Joint
from moodwalk.viz.attribution import (
    JointMap,
    WordBar,
    compute_tones,
    make_moment_figure,
    make_timeline_figure,
    make_word_figure,
    name_joint,
)
from moodwalk.viz.probabilities import make_probability_figure
from moodwalk.viz.wall import make_wall

__all__ = ["write_explanation_page"]

_SHOWN_S = 6.0
_WALKER_PX = 330.0
_MOST_NAMED = 3
_LEAST_TONE = 0.5  # log-odds a second
_LEAST_TOTAL = 0.05  # log-odds of all joints that speak for the emotion; less is nothing
_SIZES = ((0.2, "hardly any"), (0.5, "small"), (0.8, "medium"), (np.inf, "large"))


def write_explanation_page(path: str | Path, explanation: Explanation) -> None:
    """Write one self-contained HTML page of an explanation.

    Parameters
    ----------
    path
        The ``.html`` file, written whole or not at all.
    explanation
        Of `moodwalk.explain.explain`. Every sentence about the walk is made from it.

    Raises
    ------
    DataFormatError
        If the file cannot be written there.
    """
    write_page(
        path,
        _say_title(explanation),
        [
            _show_walk(explanation),
            _show_joints(explanation),
            _show_moments(explanation),
            _show_words(explanation),
            _show_answer(explanation),
            _show_limits(explanation),
        ],
        lead=_say_lead(explanation),
        footer=(
            f"Made by moodwalk {__version__}. This page needs no network and sends nothing anywhere. "
            f"Perceived emotion is what observers would call a walk; it says nothing certain about the "
            f"walker and is no diagnosis."
        ),
    )


def _say_title(explanation: Explanation) -> str:
    prediction = explanation.prediction
    name = f" of {explanation.gait.name}" if explanation.gait.name else ""
    if prediction.abstained:
        return f"Why moodwalk gives no answer to the walk{name}"
    share = prediction.probabilities[prediction.emotion]
    return f"Why the walk{name} is read as {prediction.emotion} ({100 * share:.0f} %)"


def _say_lead(explanation: Explanation) -> str:
    prediction = explanation.prediction
    withheld = f"The answer is withheld: {prediction.reason}. " if prediction.abstained else ""
    leading = _find_leading(explanation)
    weighed = (
        f"What speaks most for {explanation.attribution.emotion} to the network: "
        f"{_say_leading(explanation)}."
        if leading
        else f"To the network, no joint speaks for {explanation.attribution.emotion}, compared with "
        f"{explanation.attribution.reference}."
    )
    return f"{withheld}{explanation.sentence} {weighed}"


def _find_leading(explanation: Explanation) -> list[Joint]:
    joints = explanation.attribution.joints
    if np.maximum(joints, 0).sum() < _LEAST_TOTAL:
        return []
    ranked = explanation.attribution.rank_joints()
    return [joint for joint in ranked[:_MOST_NAMED] if joints[joint] > 0]


def _say_leading(explanation: Explanation) -> str:
    return _join([name_joint(joint) for joint in _find_leading(explanation)]) or "no joint"


def _join(names: list[str]) -> str:
    return (
        names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
    )


def _show_walk(explanation: Explanation) -> Section:
    known, gait = explanation.attribution, explanation.gait
    seconds = max(_SHOWN_S, known.windows[0].end_s)
    reference = _bring_beside(known.shown[1], gait)
    wall = make_wall(
        [
            (
                "left: this walk, right: what it is compared with",
                [replace(gait, label=None), reference],
            )
        ],
        seconds=seconds,
        title=f"What speaks for {known.emotion}, and what against it",
        caption=(
            f"Colour and size of each joint: its contribution at that moment, averaged over a tenth of a "
            f"second; strength grows with the root of it. On the right, in grey: {known.reference}, with "
            f"this walker's proportions and step rate where a gait cycle was found."
        ),
    )
    coloured = replace(
        wall,
        tones=(compute_tones(known.contributions, gait.fps, _LEAST_TONE), None),
        tone_names=(f"against {known.emotion}", f"for {known.emotion}"),
        walker_px=_WALKER_PX,
    )
    ranked = known.rank_joints()
    alt = (
        f"Two moving walkers. Left: this walk, its joints coloured by contribution; "
        f"{_say_leading(explanation)} speak most for {known.emotion}, {name_joint(ranked[-1])} least. "
        f"Right: {known.reference}. The left and right arrow keys turn them."
    )
    return Section(
        "What the network looked at",
        [
            f"The network compares this walk with {known.reference} and adds up what each joint "
            f"changes at each moment, from one to the other (integrated gradients). What stands out in "
            f"purple moves the answer towards {known.emotion}, what stands out in green moves it away."
        ],
        coloured,
        alt=alt,
    )


def _bring_beside(reference: Gait, gait: Gait) -> Gait:
    """Give the reference the size of the walk, so that both stand on one wall at one scale."""
    sizes = [float(np.nanmax(np.ptp(g.positions[..., 1], axis=1))) for g in (gait, reference)]
    scale = sizes[0] / sizes[1] if sizes[1] > 0 else 1.0
    return replace(reference, positions=reference.positions * scale, label=None)


def _show_joints(explanation: Explanation) -> Section:
    known = explanation.attribution
    most = _find_leading(explanation)
    share = float(sum(known.joints[joint] for joint in most))
    gained = float(np.maximum(known.joints, 0).sum()) or 1.0
    shares = (
        f"{_say_leading(explanation).capitalize()} together make {100 * share / gained:.0f} % of all "
        f"that speaks for {known.emotion}."
        if most
        else f"No joint speaks for {known.emotion} to speak of."
    )
    figure = JointMap(
        known.shown[0],
        known.joints,
        title=f"For {known.emotion}: {_say_leading(explanation)}",
        caption=(
            "Area of each disc: size of the contribution over the whole walk, in log-odds. The pose is the "
            "mean pose as the network sees it."
        ),
        names=(f"against {known.emotion}", f"for {known.emotion}"),
    )
    odds, of_reference = (
        float(np.mean([getattr(w, name) for w in known.windows]))
        for name in ("odds", "reference_odds")
    )
    rows = [[name_joint(joint), f"{known.joints[joint]:+.2f}"] for joint in known.rank_joints()]
    if known.rhythm:
        rows.append(["rhythm of the steps", f"{known.rhythm:+.2f}"])
    return Section(
        "Which joints",
        [
            f"The log-odds of {known.emotion} against all other emotions are {odds:+.2f} for this walk and "
            f"{of_reference:+.2f} for the one it is compared with. The contributions of the joints add up "
            f"to that difference, {known.total:+.2f}, within {known.error:.3f}. {shares}"
        ],
        figure,
        Table(
            ["joint", "contribution"],
            rows,
            f"Log-odds of {known.emotion}, before calibration; mean over {len(known.windows)} "
            f"window{'s' if len(known.windows) > 1 else ''}. Sides are as the source names them.",
        ),
    )


def _show_moments(explanation: Explanation) -> Section:
    known = explanation.attribution
    moments = known.find_moments()
    told = [
        f"{m.start_s:.2f} to {m.end_s:.2f} s ({_join([name_joint(joint) for joint in m.joints])})"
        for m in moments
    ]
    said = (
        f"Most is added at {_join(told)}."
        if told
        else f"No moment of this walk speaks for {known.emotion} on the whole."
    )
    figure = make_moment_figure(
        known.contributions,
        known.fps,
        moments=[(m.start_s, m.end_s) for m in moments],
        title=f"When the walk speaks for {known.emotion}",
        caption=(
            "All joints together, averaged over a tenth of a second; purple: for, green: against. Grey "
            "bands: the stretches of 0.4 s named above."
        ),
    )
    weak = (
        "Moments are told less surely than joints: smoothing away the moments named changes the answer a "
        "little more than smoothing away others (`docs/explain.md`)."
    )
    return Section("Which moments", [said, weak], figure)


def _show_words(explanation: Explanation) -> Section:
    own = explanation.baseline is not None
    others = "the walker's own reference walk" if own else "neutral walks of other people"
    intro = (
        f"These measures describe the walk beside {others}, whatever the network made of it. Dots show "
        f"where walks perceived as each emotion lie on average."
    )
    if not explanation.measures:
        return Section("What is unusual about this walk", [explanation.sentence])
    bars = [_make_bar(explanation, word) for word in explanation.measures]
    least = (
        f"{explanation.threshold:g} standard deviation{'' if explanation.threshold == 1 else 's'}"
    )
    units = {measure.name: measure.unit for measure in MEASURES}
    figure = make_word_figure(
        bars,
        title=f"This walk beside {explanation.reference}",
        caption=(
            f"Bold: differences of at least {least} of neutral walks, which are said above. Reference: "
            f"{explanation.reference}; yardstick and emotions: "
            f"{sum(explanation.population.n_walks.values())} walks."
        ),
    )
    table = Table(
        [
            "measure",
            "this walk",
            "reference",
            "difference in SD",
            "size",
            "as in walks perceived as",
        ],
        [
            [
                word.measure.replace("_", " "),
                f"{word.value:.3g} {units[word.measure]}",
                f"{word.reference:.3g}",
                f"{word.effect:+.2f}",
                _say_size(word.effect),
                _join([str(emotion) for emotion in word.typical_of]) or "none",
            ]
            for word in explanation.measures
        ],
        "Difference: from the reference, in standard deviations (SD) of neutral walks; size by Cohen's "
        "names. Last column: emotions whose mean differs from neutral in the same direction by half a "
        "standard deviation or more.",
    )
    return Section("What is unusual about this walk", [explanation.sentence, intro], figure, table)


def _make_bar(explanation: Explanation, word: GaitWord) -> WordBar:
    by_emotion = explanation.population.summaries[word.measure]
    neutral = by_emotion[Emotion.NEUTRAL]
    shifts = {e: (by_emotion[e].mean - neutral.mean) / neutral.sd for e in EMOTIONS}
    said = word in explanation.words
    return WordBar(word.measure, word.effect, word.words, shifts, said)


def _say_size(effect: float) -> str:
    return next(name for most, name in _SIZES if abs(effect) < most)


def _show_answer(explanation: Explanation) -> Section:
    prediction = explanation.prediction
    windows = prediction.windows
    if len(windows) < 2:
        seconds = windows[0].end_s - windows[0].start_s if windows else explanation.gait.duration_s
        figure = make_probability_figure(
            prediction.probabilities, caption="Calibrated where the weights were."
        )
        said = (
            f"This walk fits into one window ({seconds:.1f} s), so there is one answer and no course over "
            f"time. A longer recording would show whether it is steady."
        )
        return Section("The answer", [said, _say_affect(explanation)], figure)
    likeliest = [max(w.probabilities, key=lambda e: w.probabilities[e]) for w in windows]
    n_same = sum(emotion == prediction.emotion for emotion in likeliest)
    figure = make_timeline_figure(
        [(w.start_s, w.end_s) for w in windows],
        [w.probabilities for w in windows],
        title=f"{prediction.emotion.capitalize()} leads in {n_same} of {len(windows)} windows",
        caption="Each point is one window, a part of the walk that fits into the network; the answer is their mean.",
    )
    shares = ", ".join(f"{e} {100 * p:.0f} %" for e, p in prediction.probabilities.items())
    return Section(
        "The answer over time", [f"On the whole: {shares}.", _say_affect(explanation)], figure
    )


def _say_affect(explanation: Explanation) -> str:
    prediction = explanation.prediction
    return (
        f"Valence (unpleasant to pleasant) {prediction.valence:+.2f}, arousal (calm to excited) "
        f"{prediction.arousal:+.2f}, both from -1 to 1."
    )


def _show_limits(explanation: Explanation) -> Section:
    unbound = [m.name.replace("_", " ") for m in MEASURES if not m.bound]
    limits = [
        "An explanation of the network is not an explanation of the walker. Contributions say what this "
        "network used, compared with one reference; another reference gives other contributions. They "
        "are tested by deletion: replacing the joints named changes the answer far more than replacing "
        "others (the figures are in `docs/explain.md`). Joints of one limb move together, so weight on a "
        "hand may be meant for the arm.",
        "Gait words and contributions are found apart from each other and need not agree: what is "
        "unusual to the eye may not be what the network used.",
    ]
    if explanation.baseline is None:
        limits.append(
            f"Only {_join(unbound)} are compared with other people. Posture, such as a bowed head, is "
            f"not: where a source puts neck and head differs more than people do. Compare with a walk of "
            f"the same person and source (`--baseline`) to see it."
        )
    if explanation.gait.duration_s < 2.5:
        limits.append(
            "The walk is short, about one or two gait cycles, so every figure here rests on little."
        )
    return Section("How far to trust this", limits)
