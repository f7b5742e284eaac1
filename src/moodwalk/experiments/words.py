"""What an experiment shows, in plain words that are computed from its statistics."""

import math

from moodwalk.evaluation.protocols import PROTOCOLS
from moodwalk.experiments.analysis import Analysis, Comparison, LineResult

__all__ = [
    "NO_BREAK",
    "count_different",
    "describe_comparison",
    "describe_habit",
    "describe_power",
    "describe_protocol",
    "describe_so_far",
    "draw_conclusion",
    "write_p",
    "write_points",
    "write_range",
    "write_share",
]

NO_BREAK = "\N{NO-BREAK SPACE}"
"""Keeps an interval on one line of a table."""


def write_share(value: float | None, digits: int = 1) -> str:
    """Write a share as a percentage; an en dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def write_points(value: float) -> str:
    """Write a difference in percentage points, with its sign."""
    return "–" if math.isnan(value) else f"{value:+.1f}".replace("-", "−")


def write_p(value: float) -> str:
    """Write a p value."""
    if math.isnan(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def write_range(interval: tuple[float, float]) -> str:
    """Write an interval in percentage points."""
    low, high = interval
    return f"{write_points(low)}{NO_BREAK}to{NO_BREAK}{write_points(high)}"


def describe_comparison(comparison: Comparison) -> str:
    """Say in one sentence what a comparison shows."""
    figures = (
        f"{write_points(comparison.points)} points, 95 % interval "
        f"{write_range(comparison.interval_points)}, corrected p {write_p(comparison.p_holm)}"
    )
    if not comparison.differs:
        return f"No evidence that {comparison.name} differs from {comparison.reference}: {figures}."
    better = "better" if comparison.points > 0 else "worse"
    return f"{comparison.name} is {better} than {comparison.reference}: {figures}."


def describe_so_far(comparison: Comparison) -> str:
    """Say in one sentence where a comparison stands that is not finished."""
    return (
        f"So far {comparison.name} against {comparison.reference}: "
        f"{write_points(comparison.points)} points on {comparison.mcnemar.n_gaits} gaits, 95 % interval "
        f"{write_range(comparison.interval_points)}."
    )


def describe_power(comparison: Comparison) -> str:
    """Say how many gaits it would take to see what was observed."""
    n_gaits = comparison.mcnemar.n_gaits
    if math.isinf(comparison.gaits_needed):
        return f"{comparison.name} is right as often as the baseline on these {n_gaits} gaits."
    return (
        f"To see a difference as large as that of {comparison.name} in four studies of five takes "
        f"about {comparison.gaits_needed:,.0f} test gaits; here are {n_gaits}."
    )


def draw_conclusion(analysis: Analysis) -> list[str]:
    """Return the sentences that answer the experiment's question."""
    sentences: list[str] = []
    plain = analysis.comparisons
    if not analysis.finished:
        so_far = [describe_so_far(c) for c in (*plain, *analysis.habits)]
        return [
            f"Unfinished: {analysis.n_done} of {analysis.n_cells} cells are done, so every figure "
            f"here is provisional, and nothing is concluded.",
            *so_far,
        ]
    different = [c for c in plain if c.differs]
    if plain and not different:
        names = "It does not differ" if len(plain) == 1 else f"None of the {len(plain)} differs"
        sentences.append(
            f"{names} from {analysis.baseline} by more than chance would explain (5 % over the "
            f"whole family, Holm's correction)."
        )
    elif different:
        names = ", ".join(c.name for c in different)
        sentences.append(
            f"{count_different(analysis)} from {analysis.baseline} at 5 % over the whole family: "
            f"{names}."
        )
    sentences += [describe_comparison(c) for c in plain]
    small = [c for c in plain if not c.differs and not math.isinf(c.gaits_needed)]
    if small:
        least = min(small, key=lambda c: c.gaits_needed)
        sentences.append(describe_power(least))
    sentences += [
        describe_habit(c, analysis.find(c.name), analysis.find(c.reference))
        for c in analysis.habits
    ]
    return sentences


def count_different(analysis: Analysis) -> str:
    """Say how many models differ from the baseline."""
    n_different = sum(c.differs for c in analysis.comparisons)
    return f"{n_different} of {len(analysis.comparisons)} {'differs' if n_different == 1 else 'differ'}"


def describe_habit(comparison: Comparison, line: LineResult, honest: LineResult) -> str:
    """Say in one sentence what a published habit adds."""
    low, high = comparison.over_subjects.interval_points
    clear = "adds" if low > 0 else "takes away" if high < 0 else "changes nothing that can be seen:"
    return (
        f"{line.name} {clear} {write_points(comparison.over_subjects.points)} points "
        f"(95 % interval over subjects {write_range((low, high))}): {write_share(honest.accuracy)} "
        f"become {write_share(line.accuracy)}."
    )


def describe_protocol(analysis: Analysis) -> list[str]:
    """Say in words how gaits were split, trained on and scored."""
    experiment, gaits = analysis.experiment, analysis.gaits
    protocol = experiment.protocol
    labels = ", ".join(f"{n} {name}" for name, n in gaits["labels"].items())
    sentences = [
        f"{gaits['n_gaits']} gaits of {gaits['n_subjects']} subjects ({labels}); the labels are "
        f"what observers perceived.",
    ]
    repeats = "once" if protocol.repeats == 1 else f"{protocol.repeats} times, with other splits"
    if protocol.name == "legacy":
        sentences.append(PROTOCOLS["legacy"].note + ".")
    else:
        sentences.append(
            f"Protocol `{protocol.name}`: {PROTOCOLS[protocol.name].title}; {protocol.folds} folds, "
            f"{repeats}, seed {protocol.seed}. Every model sees the same splits."
        )
    if note := PROTOCOLS[protocol.name].note:
        sentences += [note[0].upper() + note[1:] + "."] if protocol.name != "legacy" else []
    sentences.append(_describe_training(analysis))
    return [sentence for sentence in sentences if sentence]


def _describe_training(analysis: Analysis) -> str:
    networks = {
        model.name: model.training
        for model in analysis.experiment.models
        if any(line.name == model.name and line.curves for line in analysis.lines)
    }
    if not networks:
        return "No model here has epochs; nothing was chosen on test gaits."
    options = next(iter(networks.values()))
    chosen = {
        "loss": "the epoch of the lowest validation loss is kept",
        "accuracy": "the epoch of the highest validation accuracy is kept",
        "last": "the last epoch is kept",
    }[options.select]
    words = f"Networks train for at most {options.epochs} epochs in batches of {options.batch_size}"
    if options.patience is not None:
        words += f", stop after {options.patience} epochs without a lower validation loss"
    words += f"; {chosen}"
    if options.select != "last" or options.patience is not None:
        words += (
            f". Validation gaits are those of {100 * options.validation_share:.0f} % of the training "
            f"subjects, set aside inside every training fold"
        )
    return words + ". Test gaits are answered after every epoch only to be looked at."
