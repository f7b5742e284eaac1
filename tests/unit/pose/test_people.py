import numpy as np
import pytest
from filmed_walks import FPS, SIZE, poses_of, walk

from moodwalk.errors import ConfigError, MediaError
from moodwalk.pose import choose_walker, measure_person, track_people
from moodwalk.pose.people import find_whole


def track_of(body, first=0):
    poses = poses_of(body, noise_px=1.0)
    (track,) = track_people(((first + i) / FPS, [pose]) for i, pose in enumerate(poses))
    return track


def stay(body):
    """The same steps on the spot."""
    hips = body[:, [23, 24]].mean(axis=1, keepdims=True)
    return body - (hips - hips[:1]) * (1, 0, 1)


def test_duration_size_and_travel_are_measured():
    body = walk(90, start=(-1.5, 0.0), away=5.0)
    person = measure_person(track_of(body), SIZE)
    hips = body[:, [23, 24]].mean(axis=1)
    assert person.seen_s == pytest.approx(3.0, abs=0.1)
    assert person.travel_m == pytest.approx(np.linalg.norm(hips[-1] - hips[0]), rel=0.1)
    assert 0.3 < person.size < 0.6
    assert f"travels {person.travel_m:.1f} m" in person.describe()


def test_who_travels_walks_though_another_is_larger_and_seen_longer():
    bodies = [stay(walk(120, away=4.0)), walk(90, start=(-1.5, 0.0), away=5.0)]
    people = [measure_person(track_of(body), SIZE, n) for n, body in enumerate(bodies, 1)]
    assert people[0].size > people[1].size
    assert people[0].seen_s > people[1].seen_s
    assert choose_walker(people).number == 2


def test_of_two_walkers_the_larger_and_of_two_on_treadmills_the_longer_seen():
    near, far = walk(90, start=(-1.5, 0), away=4.0), walk(90, start=(-1.5, 0), away=9.0)
    people = [measure_person(track_of(body), SIZE, n) for n, body in enumerate([far, near], 1)]
    assert choose_walker(people).number == 2
    short, long = stay(walk(45)), stay(walk(120))
    people = [measure_person(track_of(body), SIZE, n) for n, body in enumerate([short, long], 1)]
    assert choose_walker(people).number == 2


def test_a_number_chooses():
    people = [measure_person(track_of(walk(60)), SIZE, n) for n in (1, 2)]
    assert choose_walker(people, 1).number == 1
    assert choose_walker(people, 2).number == 2
    with pytest.raises(ConfigError, match="no person 3; found 1, 2"):
        choose_walker(people, 3)


def test_nobody_and_nobody_whole_are_refused():
    with pytest.raises(MediaError, match="no person"):
        choose_walker([])
    half = walk(60, away=5.0) - (0, 1.0, 0)  # legs below the picture
    person = measure_person(track_of(half), SIZE)
    assert person.seen_s == 0
    with pytest.raises(MediaError, match="nobody's whole body"):
        choose_walker([person])
    with pytest.raises(MediaError, match="whole body of person 1"):
        choose_walker([person], 1)


def test_whole_means_in_the_picture_and_visible():
    body = walk(120, start=(1.5, 0.0), away=5.0)  # leaves at the right edge
    track = track_of(body)
    whole = find_whole(track, SIZE)
    assert whole[:20].all()
    assert not whole[-5:].any()
    hidden = [pose._replace(visibility=np.full(33, 0.2)) for pose in poses_of(walk(20))]
    (track,) = track_people((i / FPS, [pose]) for i, pose in enumerate(hidden))
    assert not find_whole(track, SIZE).any()
