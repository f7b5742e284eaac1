import numpy as np
import pytest
from filmed_walks import FPS, poses_of, walk

from moodwalk.pose import PersonTracker, track_people


def cross(noise_px=2.0, seed=0):
    """Two people who walk past each other in the middle of the picture."""
    rightwards = walk(120, heading_deg=90, start=(-1.7, 0.0), seed=seed)
    leftwards = walk(120, heading_deg=-90, start=(1.7, -0.5), cadence_spm=96, seed=seed + 1)
    return poses_of(rightwards, noise_px, seed), poses_of(leftwards, noise_px, seed + 1)


def follow(tracks, people):
    """Return for each person the numbers of the tracks that hold their poses."""
    return [
        {
            track.number
            for track in tracks
            for frame, pixels in zip(track.frames, track.pixels, strict=True)
            if np.allclose(pixels, person[frame].pixels, atol=0.1)
        }
        for person in people
    ]


@pytest.mark.parametrize("seed", range(4))
def test_two_people_who_cross_keep_their_tracks(seed):
    people = cross(seed=seed)
    tracks = track_people((i / FPS, poses) for i, poses in enumerate(zip(*people, strict=True)))
    assert len(tracks) == 2
    assert min(len(track) for track in tracks) >= 117  # where they cover each other they are one
    assert follow(tracks, people) == [{1}, {2}]


@pytest.mark.parametrize("order", [1, -1])
def test_order_of_the_poses_does_not_matter(order):
    people = cross()
    pairs = list(zip(*people, strict=True))
    rng = np.random.default_rng(0)
    shuffled = [pair[:: order if rng.random() < 0.5 else 1] for pair in pairs]
    tracks = track_people((i / FPS, poses) for i, poses in enumerate(shuffled))
    numbers = follow(tracks, people)
    assert all(len(found) == 1 for found in numbers)
    assert numbers[0] != numbers[1]


def test_who_is_hidden_while_the_other_passes_keeps_the_track():
    near, far = cross()
    hidden = range(50, 68)
    frames = [
        (i / FPS, [one] if i in hidden else [one, other])
        for i, (one, other) in enumerate(zip(near, far, strict=True))
    ]
    tracks = track_people(frames)
    assert len(tracks) == 2
    assert follow(tracks, (near, far)) == [{1}, {2}]
    assert not set(tracks[1].frames) & set(hidden)


def test_one_person_found_twice_counts_once():
    near, _ = cross()
    tracker = PersonTracker()
    for i, pose in enumerate(near):
        again = pose._replace(pixels=pose.pixels + 2.0, visibility=pose.visibility * 0.9)
        numbers = tracker.update(i / FPS, [again, pose])
        assert numbers == [0, 1]  # the better seen of the two stays
    assert len(tracker.tracks) == 1


def test_somebody_gone_for_long_or_elsewhere_is_somebody_new():
    person, _ = cross()
    away = [(i / FPS, [person[i]]) for i in range(20)]
    back = [(3 + i / FPS, [person[20 + i]]) for i in range(20)]
    assert len(track_people(away + back)) == 2
    aside = [
        (
            (20 + i) / FPS,
            [person[20 + i]._replace(pixels=person[20 + i].pixels + np.array([500, 0]))],
        )
        for i in range(20)
    ]
    assert len(track_people(away + aside)) == 2


def test_a_child_beside_an_adult_is_another_person():
    person, _ = cross()
    small = [pose._replace(pixels=(pose.pixels - pose.centre) / 2 + pose.centre) for pose in person]
    frames = [(i / FPS, [person[i] if i < 30 else small[i]]) for i in range(60)]
    assert len(track_people(frames)) == 2


def test_nobody_gives_no_tracks():
    assert track_people([(0.0, []), (1.0, [])]) == []


def test_a_tracker_with_a_short_memory_forgets_and_keeps_the_number():
    person, _ = cross()
    tracker = PersonTracker(memory_s=1.0)
    for i, pose in enumerate(person):
        assert tracker.update(i / FPS, [pose]) == [1]
        assert len(tracker.tracks[0]) <= 32
    tracker.update(60.0, [])
    assert tracker.tracks == []


def test_a_track_gives_back_what_it_was_given():
    person, _ = cross()
    (track,) = track_people((i / FPS, [pose]) for i, pose in enumerate(person))
    assert np.allclose(track.pixels, [pose.pixels for pose in person], atol=1e-3)
    assert np.allclose(track.world, [pose.world for pose in person], atol=1e-5)
    assert np.allclose(track.visibility, 1)
    assert track.frames == list(range(120))
