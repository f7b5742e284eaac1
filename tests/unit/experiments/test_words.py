import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_samples import make_experiment, make_gaits, make_line, make_records

from moodwalk.experiments.analysis import analyse
from moodwalk.experiments.words import (
    describe_protocol,
    draw_conclusion,
    write_p,
    write_points,
    write_share,
)


def make_analysis(skills, habits=None, drop=None, **how):
    records, lines = {}, []
    for i, (name, skill) in enumerate(skills.items()):
        own = make_records(name, skill, seed=i, **how)
        records |= own
        lines.append(make_line(name, own, (habits or {}).get(name, ())))
    records = {key: record for key, record in records.items() if key != drop}
    return analyse(make_experiment(tuple(skills)), make_gaits(), lines, records)


def test_no_evidence_is_said_with_figures():
    text = " ".join(draw_conclusion(make_analysis({"base": 0.5, "other": 0.5}, repeats=2)))
    assert "It does not differ from base by more than chance" in text
    pattern = r"No evidence that other differs from base: [+−]\d+\.\d points, 95 % interval "
    assert re.search(pattern + r"[+−]\d+\.\d\sto\s[+−]\d+\.\d, corrected p \d", text)
    assert "Unfinished" not in text


@pytest.mark.parametrize(("skill", "word"), [(1.0, "better"), (0.0, "worse")])
def test_a_difference_is_said_with_its_direction(skill, word):
    text = " ".join(draw_conclusion(make_analysis({"base": 0.5, "other": skill}, repeats=3)))
    assert f"other is {word} than base" in text
    assert "1 of 1 differs from base" in text
    assert "takes about" not in text  # nothing is left to plan for


def test_power_is_said_where_nothing_was_seen():
    text = " ".join(draw_conclusion(make_analysis({"base": 0.5, "other": 0.55})))
    assert re.search(r"difference as large as that of other .* takes about [\d,]+ test gaits", text)


def test_an_unfinished_experiment_says_so_first():
    sentences = draw_conclusion(make_analysis({"base": 0.5, "other": 0.5}, drop="other-0-0"))
    assert sentences[0].startswith("Unfinished: 7 of 8 cells")
    assert sentences[1].startswith("So far other against base: ")
    assert "evidence" not in " ".join(sentences)  # nothing is concluded


def test_habits_are_said_as_points_added():
    analysis = make_analysis({"base": 0.3, "split": 0.9}, habits={"split": ["random-split"]})
    text = " ".join(draw_conclusion(analysis))
    assert re.search(r"split adds \+\d+\.\d points", text)
    assert "differs" not in text  # a habit is no model


def test_the_protocol_is_said_in_words():
    text = " ".join(describe_protocol(make_analysis({"base": 0.5}, epochs=[0.1, 0.5])))
    assert "40 gaits of 10 subjects" in text
    assert "no subject in both training and test" in text
    assert "the epoch of the lowest validation loss is kept" in text
    assert "20 % of the training subjects" in text
    text = " ".join(describe_protocol(make_analysis({"base": 0.5})))
    assert "No model here has epochs" in text


@given(st.floats(-100, 100))
def test_points_carry_their_sign(value):
    text = write_points(value)
    assert text[0] in "+−"
    assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.051)


def test_what_is_missing_is_a_dash():
    assert write_p(math.nan) == write_points(math.nan) == write_share(None) == "–"
    assert write_p(0.0004) == "< 0.001"
    assert write_p(0.0123) == "0.012"
    assert write_p(0.5) == "0.50"
