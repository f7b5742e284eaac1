"""People in pictures: frames of a video, landmarks of bodies, tracks, smoothing, travel."""

from moodwalk.pose.finder import PoseFinder
from moodwalk.pose.landmarks import LANDMARKS, Landmark, Pose
from moodwalk.pose.people import Person, choose_walker, measure_person
from moodwalk.pose.sides import find_swapped_legs, swap_legs
from moodwalk.pose.smoothing import fill_gaps, measure_jitter, resample, smooth
from moodwalk.pose.tracking import PersonTracker, Track, track_people
from moodwalk.pose.travel import compute_travel

__all__ = [
    "LANDMARKS",
    "Landmark",
    "Person",
    "PersonTracker",
    "Pose",
    "PoseFinder",
    "Track",
    "choose_walker",
    "compute_travel",
    "fill_gaps",
    "find_swapped_legs",
    "measure_jitter",
    "measure_person",
    "resample",
    "smooth",
    "swap_legs",
    "track_people",
]
