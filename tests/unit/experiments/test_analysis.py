import math

import numpy as np
import pytest
from result_samples import N_GAITS, make_experiment, make_gaits, make_line, make_records
from scipy.stats import ttest_rel

from moodwalk.errors import ConfigError
from moodwalk.evaluation import compute_holm, compute_proportion_interval
from moodwalk.experiments.analysis import analyse


def analyse_models(skills, names=None, **how):
    names = names or tuple(skills)
    records, lines = {}, []
    for i, (name, skill) in enumerate(skills.items()):
        own = make_records(name, skill, seed=i, **how)
        records |= own
        lines.append(make_line(name, own))
    return analyse(make_experiment(names), make_gaits(), lines, records)


def test_figures_of_a_line_are_those_of_its_answers():
    analysis = analyse_models({"base": 0.6, "other": 0.9}, repeats=3)
    line = analysis.find("base")
    right = line.reading.correct
    assert len(right) == 3 * N_GAITS
    assert line.n_gaits == N_GAITS
    assert line.accuracy == right.mean() == pytest.approx(np.mean(line.by_repeat))
    assert line.exact == compute_proportion_interval(round(right.mean() * N_GAITS), N_GAITS)
    assert line.confusion.sum() == 3 * N_GAITS
    assert np.trace(line.confusion) == right.sum()
    assert line.corrected.dof == 11
    assert line.corrected.interval[0] < line.accuracy < line.corrected.interval[1]


def test_a_large_difference_is_seen_and_none_is_not():
    analysis = analyse_models({"base": 0.2, "other": 1.0, "same": 0.2}, repeats=2)
    other, same = analysis.comparisons
    assert other.differs
    assert other.points > 40
    assert other.mcnemar.n_only_b > other.mcnemar.n_only_a == 0
    assert other.gaits_needed < 40
    assert not same.differs


def test_comparison_is_paired_by_fold_and_wider_than_the_naive_one():
    analysis = analyse_models({"base": 0.5, "other": 0.7}, folds=5, repeats=2)
    (comparison,) = analysis.comparisons
    folds = [analysis.find(name).reading.score_folds() for name in ("base", "other")]
    differences = [folds[1][key] - folds[0][key] for key in folds[0]]
    assert comparison.points == pytest.approx(100 * np.mean(differences))
    naive = ttest_rel(list(folds[1].values()), list(folds[0].values()))
    assert comparison.t_test.p_value > naive.pvalue
    k, share = len(differences), (N_GAITS / 5) / (N_GAITS - N_GAITS / 5)
    expected = naive.statistic * math.sqrt((1 / k) / (1 / k + share))
    assert comparison.t_test.t == pytest.approx(expected)


def test_p_values_are_corrected_over_the_family():
    analysis = analyse_models({"base": 0.5, "a": 0.6, "b": 0.7, "c": 0.9}, repeats=2)
    raw = [c.t_test.p_value for c in analysis.comparisons]
    assert [c.t_p_holm for c in analysis.comparisons] == pytest.approx(compute_holm(raw))
    raw = [c.mcnemar.p_value for c in analysis.comparisons]
    assert [c.mcnemar_p_holm for c in analysis.comparisons] == pytest.approx(compute_holm(raw))


def test_other_splits_are_compared_gait_by_gait_only():
    base, other = make_records("base", 0.5), make_records("other", 0.9, seed=1, split="random")
    lines = [make_line("base", base), make_line("other", other, ["random-split"])]
    analysis = analyse(make_experiment(), make_gaits(), lines, base | other)
    assert not analysis.comparisons
    (comparison,) = analysis.habits
    assert comparison.reference == "base"
    assert comparison.t_test is None
    assert math.isnan(comparison.t_p_holm)
    assert comparison.p_holm == comparison.mcnemar.p_value
    assert comparison.interval_points == comparison.over_subjects.interval_points


def test_habits_are_read_from_the_same_cells():
    records = make_records("base", 0.5, epochs=[0.3, 0.9, 0.5], repeats=2)
    lines = [make_line("base", records), make_line("other", records, ["best-test-epoch"])]
    analysis = analyse(make_experiment(), make_gaits(), lines, records)
    base, best = analysis.lines
    assert best.accuracy == base.best_epoch_accuracy > base.accuracy == base.last_epoch_accuracy
    assert set(best.reading.epochs) == {2}
    assert math.isnan(best.calibration_error)
    assert analysis.n_cells == len(records)  # counted once, though two lines read them
    assert base.curves["test_accuracy"].shape == (8, 3)
    assert np.isnan(base.curves["validation_accuracy"]).all()


def test_what_a_habit_leaves_out_belongs_to_the_habit():
    records = make_records("base", 0.5, folds=4, repeats=2)
    lines = [make_line("base", records), make_line("other", records, ["dropped-batch"])]
    analysis = analyse(make_experiment(), make_gaits(), lines, records)
    base, dropped = analysis.lines
    (habit,) = analysis.habits
    assert len(dropped.reading.gait) == 2 * 4 * 8 < len(base.reading.gait)
    # the very same answers where both gave one, so that only what was left out makes a difference
    assert habit.mcnemar.n_only_a == habit.mcnemar.n_only_b == 0
    assert habit.points == pytest.approx(100 * (dropped.accuracy - base.accuracy)) != 0
    low, high = habit.interval_points
    assert low < habit.points < high


def test_ranks_are_of_the_first_repeat_and_of_three_or_more():
    assert analyse_models({"base": 0.5, "other": 0.6}).friedman is None
    analysis = analyse_models({"base": 0.2, "a": 0.6, "b": 1.0}, folds=4, repeats=3)
    assert analysis.friedman.n_blocks == 4
    assert analysis.friedman_names == ("base", "a", "b")
    assert analysis.friedman.mean_ranks[2] == min(analysis.friedman.mean_ranks)


def test_an_unfinished_experiment_is_analysed_as_far_as_it_is():
    base, other = make_records("base", 0.5), make_records("other", 0.9, seed=1)
    lines = [make_line("base", base), make_line("other", other)]
    kept = {key: r for key, r in (base | other).items() if key != "other-0-3"}
    failed = [{"key": "other-0-3", "name": "other-01-04", "error": "E", "message": "m"}]
    analysis = analyse(make_experiment(), make_gaits(), lines, kept, failed)
    assert (analysis.n_done, analysis.n_cells) == (7, 8)
    assert analysis.failures == tuple(failed)
    (comparison,) = analysis.comparisons
    assert comparison.t_test.dof == 2
    assert comparison.mcnemar.n_gaits == 30
    assert analysis.find("other").n_cells == 3
    # a failure of an earlier run that has since gone well is no failure
    assert not analyse(make_experiment(), make_gaits(), lines, base | other, failed).failures


def test_without_the_baseline_there_is_nothing_to_say():
    other = make_records("other", 0.9)
    lines = [make_line("base", ["base-0-0"]), make_line("other", other)]
    with pytest.raises(ConfigError, match="baseline 'base' has no cell yet"):
        analyse(make_experiment(), make_gaits(), lines, other)


def test_what_was_made_the_published_way_is_no_line():
    base = make_records("base", 0.5)
    legacy = make_records("legacy", 0.9, folds=1, split="legacy", epochs=[0.5, 0.9])
    lines = [
        make_line("base", base),
        make_line("base", legacy, ["best-test-epoch", "dropped-batch"], published=True),
    ]
    analysis = analyse(make_experiment(("base",)), make_gaits(), lines, base | legacy)
    assert [line.name for line in analysis.lines] == ["base"]
    (published,) = analysis.published
    assert len(published.reading.correct) == N_GAITS  # 40 is a whole number of batches
    assert not analysis.comparisons


def test_an_interval_from_two_folds_stays_possible():
    analysis = analyse_models({"base": 0.4, "other": 0.6}, folds=2)
    (comparison,) = analysis.comparisons
    assert comparison.t_test.interval[0] < -1  # one degree of freedom
    assert comparison.interval_points == (-100, 100)
