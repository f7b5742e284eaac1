"""Training networks: options, the loop, and what an interrupted run resumes from."""

from moodwalk.training.config import EpochRecord, TrainingConfig
from moodwalk.training.loop import compute_logits, train
from moodwalk.training.team import pick_device

__all__ = ["EpochRecord", "TrainingConfig", "compute_logits", "pick_device", "train"]
