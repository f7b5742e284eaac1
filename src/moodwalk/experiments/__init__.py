"""The laboratory: experiments from files, sweeps that survive anything, and reports."""

from moodwalk.experiments.config import Experiment, read_experiment
from moodwalk.experiments.habits import HABITS
from moodwalk.experiments.sweep import SweepState, run_experiment

__all__ = ["HABITS", "Experiment", "SweepState", "read_experiment", "run_experiment"]
