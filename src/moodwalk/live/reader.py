"""From bodies, one picture after another, to what is read in the walk right now."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import QualityError, ShapeError
from moodwalk.gait import MIN_FRAMES, Gait
from moodwalk.intake.quality import assess_walk
from moodwalk.intake.walk import make_gait
from moodwalk.live.answer import LiveAnswer
from moodwalk.live.clock import FrameClock, Tick
from moodwalk.live.joints import JointsInView, JointSource
from moodwalk.live.mood import SmoothedMood
from moodwalk.live.options import LiveOptions
from moodwalk.live.people import PeopleInView
from moodwalk.live.windows import LEAST_FPS, Sight
from moodwalk.pose.landmarks import LANDMARKS, Pose
from moodwalk.predict import Prediction, Predictor

__all__ = ["LiveReader"]

LOOK_S = 0.2
"""Time from one look at who is there to the next."""

_LARGEST = 1e6
_UNCLEAR = ("unclear", "mirrored", "scrambled")
"""Kinds of motion that may be a walk, badly seen."""


class LiveReader:
    """Reads a walk while it happens.

    Every `LiveOptions.step_s` the latest `LiveOptions.window_s` of whoever is read go the way that
    ``moodwalk predict`` sends a file: frame, quality, is it a walk, windows of gait cycles, score, and the same
    reasons to withhold the answer. The probabilities are then smoothed over time.

    Nothing here reads a clock, a camera or a file: the same bodies at the same times give the same answers.
    Memory is bounded: the latest window of four people at 60 pictures a second at most. Not for several threads
    at once.

    Parameters
    ----------
    predictor
        What scores the walks; its thresholds withhold answers here as well.
    options
        How the reading follows the walk.
    """

    def __init__(self, predictor: Predictor, options: LiveOptions | None = None) -> None:
        self.options = options or LiveOptions()
        self._predictor = predictor
        self._mood = SmoothedMood(
            self.options.smoothing_s,
            self.options.margin,
            self.options.hold_s,
            forget_s=self.options.window_s,
        )
        self._clock = FrameClock()
        self._view: PeopleInView | JointsInView | None = None
        self._person: int | None = None
        self._due_s = 0.0
        self._look_s = 0.0
        self._last: str | None = ""
        self._note = ""

    def warm_up(self) -> None:
        """Load what the first answer would load, so that it comes as fast as the others."""
        from moodwalk.walker import simulate_gait

        made = simulate_gait(n_frames=90, fps=30.0, seed=0)
        still = np.zeros((90, 33, 2))
        pose = Pose(still[0], np.zeros((33, 3)), np.ones(33))
        view = PeopleInView(self.options.window_s)
        for frame in range(45):
            view.add(frame / 30, [pose._replace(pixels=still[0] + frame % 2)], (64, 64))
        view.look(1.5)
        view.record(30.0)
        self._predictor.predict(made, force=True)

    def push(
        self, time_s: float, poses: Sequence[Pose] | None, size: tuple[int, int]
    ) -> LiveAnswer | None:
        """Take in the people of the next picture.

        Parameters
        ----------
        time_s
            When it was taken, in seconds on any clock that does not run faster or slower. It may jump:
            ahead is a pause, back by half a second or more begins the window anew. A picture that is older than
            the one before it, or follows sooner than 15 ms, is passed over.
        poses
            Of everybody in it, as `moodwalk.pose.PoseFinder` finds them; empty or None where nobody is. Who is
            who from picture to picture, and who is read, is found here.
        size
            (width, height) of the picture in pixels. Another size begins anew.

        Returns
        -------
        LiveAnswer or None
            None between two answers.

        Raises
        ------
        ShapeError
            If a pose is not 33 landmarks of finite numbers, or the picture has no size.
        ConfigError
            If the time is no number.
        """
        found = [_check_pose(pose) for pose in poses or ()]
        width, height = (int(side) for side in size)
        if min(width, height) < 1:
            raise ShapeError(f"a picture of {width} x {height} pixels; expected 1 x 1 or more.")
        if (tick := self._clock.tick(time_s)) is None:
            return None
        view = self._view
        if not isinstance(view, PeopleInView) or view.size != (width, height) or tick.jumped_s:
            self._begin(tick)
            view = self._view = PeopleInView(self.options.window_s)
        view.add(tick.now_s, found, (width, height))
        return self._answer(tick.now_s, time_s, view)

    def push_joints(
        self, time_s: float, positions: NDArray[np.floating] | None, source: JointSource
    ) -> LiveAnswer | None:
        """Take in the joints of the next frame.

        Parameters
        ----------
        time_s
            As for `push`.
        positions
            (J, 3) of one person, NaN for joints that are not seen; None where nobody is.
        source
            Whose joints they are; another one begins anew.

        Raises
        ------
        ShapeError
            If the positions have another shape, or are infinite.
        ConfigError
            If the time is no number, or the joints' map cannot be used.
        DataFormatError
            If it cannot be told which joint is which; with the first answer.
        """
        if positions is not None:
            positions = np.asarray(positions)
            if positions.shape != (len(source.joints), 3) or positions.dtype.kind not in "fiu":
                raise ShapeError(
                    f"joints of shape {positions.shape}, {positions.dtype}; expected numbers of shape "
                    f"({len(source.joints)}, 3)."
                )
            if np.isinf(positions).any():
                raise ShapeError(
                    "a joint lies at infinity; expected numbers, NaN for one not seen."
                )
        if (tick := self._clock.tick(time_s)) is None:
            return None
        view = self._view
        if not isinstance(view, JointsInView) or view.source != source or tick.jumped_s:
            self._begin(tick)
            view = self._view = JointsInView(self.options.window_s, source)
        view.add(tick.now_s, positions)
        return self._answer(tick.now_s, time_s, view)

    def _begin(self, tick: Tick) -> None:
        self._mood.forget()
        self._person = None
        self._note = ""
        if tick.jumped_s:
            self._note = f"the clock was set back by {tick.jumped_s:.1f} s, so all begins anew"

    def _answer(
        self, now_s: float, time_s: float, view: PeopleInView | JointsInView
    ) -> LiveAnswer | None:
        """Answer where it is time to, or where somebody comes, goes, or has been seen for long enough."""
        if now_s < min(self._look_s, self._due_s):
            return None
        self._look_s = now_s + LOOK_S
        sight = view.look(now_s)
        if sight.person != self._person:
            self._mood.forget()
            self._person = sight.person
        state, reason = self._judge(sight)
        if state == self._last and now_s < self._due_s:
            return None
        self._due_s += self.options.step_s
        if state != self._last or self._due_s <= now_s:
            self._due_s = now_s + self.options.step_s
        self._last = state
        blank = LiveAnswer(time_s, "nobody", person=sight.person, n_people=sight.n_people)
        if state is None:
            return self._read(now_s, blank, view)
        if state == "gathering" and self._note:
            reason = f"{reason} ({self._note})"
        return replace(blank, state=state, reason=reason)

    def _judge(self, sight: Sight) -> tuple[Literal["nobody", "gathering"] | None, str]:
        """Say why nothing can be read yet; None where something can."""
        options = self.options
        if sight.unseen_s > options.absence_s:
            return "nobody", "nobody is in the picture"
        if sight.unwhole_s > options.absence_s:
            return "gathering", "the whole body, head to feet, is not in the picture"
        if sight.span_s < options.first_s - LOOK_S / 2:
            return "gathering", f"{sight.span_s:.1f} of {options.first_s:g} s seen"
        return None, ""

    def _read(
        self, now_s: float, blank: LiveAnswer, view: PeopleInView | JointsInView
    ) -> LiveAnswer:
        """Send the window the way that a file goes."""
        fps = view.measure_rate()
        if fps < LEAST_FPS:
            reason = f"{fps:.1f} pictures a second; expected {LEAST_FPS:g} or more, better 25"
            return replace(blank, state="unclear", reason=reason)
        recording = view.record(fps)
        if recording is None or len(recording) < MIN_FRAMES:
            reason = "the whole body, head to feet, is seen for moments only"
            return replace(blank, state="gathering", reason=reason)
        gait: Gait | None = None
        try:
            gait = make_gait(recording, view.joint_map)
            if gait.duration_s < self.options.first_s - LOOK_S / 2:
                reason = f"{gait.duration_s:.1f} of {self.options.first_s:g} s seen in one piece"
                return replace(blank, state="gathering", reason=reason)
            prediction = self._predictor.predict(gait)
        except QualityError as error:
            return self._refuse(now_s, blank, gait, str(error))
        self._note = ""
        return self._conclude(now_s, blank, gait, prediction)

    def _refuse(
        self, now_s: float, blank: LiveAnswer, gait: Gait | None, message: str
    ) -> LiveAnswer:
        """Say what it is, if no walk."""
        if gait is None:
            reason = message.removeprefix("live: ")
            return replace(blank, state="unclear", reason=reason)
        quality = assess_walk(gait)
        unclear = quality.is_walk or quality.kind in _UNCLEAR
        return replace(
            blank,
            state="unclear" if unclear else "not walking",
            reason=message
            if quality.is_walk
            else f"{quality.kind}: {'; '.join(quality.reasons[:2])}",
            cadence_spm=quality.parameters.cadence_spm if unclear else None,
            quality=quality,
            n_frames=len(gait),
            fps=gait.fps,
        )

    def _conclude(
        self, now_s: float, blank: LiveAnswer, gait: Gait, prediction: Prediction
    ) -> LiveAnswer:
        novelty = prediction.novelty
        # what the weights know nothing of says nothing; doubt does
        if novelty is None or novelty <= self._predictor.max_novelty:
            middle_s = now_s - gait.duration_s / 2
            self._mood.update(now_s, middle_s, prediction.probabilities)
        mood = self._mood
        point = mood.locate()
        confidence = None if mood.named is None else mood.probabilities[mood.named]
        reason = prediction.reason
        least = self._predictor.min_confidence
        if not reason and confidence is not None and confidence < least:
            reason = f"{mood.named} has {confidence:.0%} over the latest seconds, below the {least:.0%} asked for"
        return replace(
            blank,
            state="unclear" if reason else "walking",
            reason=reason,
            emotion=None if reason else mood.named,
            probabilities=dict(mood.probabilities),
            confidence=confidence,
            valence=None if point is None else point[0],
            arousal=None if point is None else point[1],
            cadence_spm=prediction.cadence_spm,
            quality=prediction.quality,
            novelty=novelty,
            n_frames=len(gait),
            fps=gait.fps,
            delay_s=mood.measure_delay(now_s),
        )


def _check_pose(pose: Pose) -> Pose:
    n = len(LANDMARKS)
    parts = [np.asarray(part) for part in pose]
    shapes = [part.shape for part in parts]
    if shapes != [(n, 2), (n, 3), (n,)] or any(part.dtype.kind not in "fiu" for part in parts):
        raise ShapeError(
            f"a pose of shapes {shapes}; expected numbers of shapes ({n}, 2), ({n}, 3) and ({n},): "
            f"pixels, metres, visibility."
        )
    if not all(bool(np.isfinite(part).all()) for part in parts):
        raise ShapeError(
            "a pose holds NaN or infinity; expected numbers. Leave out who is not seen."
        )
    if max(float(np.abs(part).max()) for part in parts) > _LARGEST:
        raise ShapeError(f"a pose holds numbers above {_LARGEST:g}; expected pixels and metres.")
    return Pose(*(part.astype(np.float64) for part in parts))
