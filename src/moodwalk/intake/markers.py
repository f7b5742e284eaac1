"""From markers on the skin to joint centres: Plug-in Gait, CGM2, and files that carry the centres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import DataFormatError
from moodwalk.recording import Finding, Recording

__all__ = ["MARKER_SETS", "MarkerSet", "find_joint_centres"]

FloatArray = NDArray[np.float64]


class MarkerSet(NamedTuple):
    """A set of points that a body can be made from.

    Parameters
    ----------
    name
        For instance ``Plug-in Gait``.
    needed
        Groups of names; of each group one must be there. A star stands for L and for R.
    """

    name: str
    needed: tuple[tuple[str, ...], ...]

    def list_missing(self, names: Mapping[str, object]) -> list[str]:
        """Return the first name of every group that is not there."""
        return [
            group[0].replace("*", side)
            for group in self.needed
            for side in ("LR" if "*" in group[0] else " ")
            if not any(name.replace("*", side) in names for name in group)
        ]


_LEGS = (("*ASI",), ("*PSI", "SACR"), ("*KNE",), ("*ANK",))
_UPPER_BODY = (("*SHO",), ("*ELB",), ("*WRA", "*WRB"), ("CLAV",), ("C7",))
_HEAD = ("LFHD", "RFHD", "LBHD", "RBHD", "HEDO")
_ONLY_CGM2 = tuple(f"{s}{name}" for s in "LR" for name in ("THAP", "THAD", "TIAP", "TIAD", "SMH"))

MARKER_SETS: tuple[MarkerSet, ...] = (
    MarkerSet(
        "joint centres",
        (("*HJC",), ("*KJC",), ("*AJC",), ("*SJC",), ("*EJC",), ("*WJC",), _HEAD),
    ),
    MarkerSet(
        "Plug-in Gait bones",
        (("*FEP",), ("*FEO",), ("*TIO",), ("*CLO", "*HUP"), ("*HUO",), ("*RAO",), _HEAD),
    ),
    MarkerSet("CGM2", (*_LEGS, *_UPPER_BODY, _HEAD, (*_ONLY_CGM2, "LKNM", "RKNM"))),
    MarkerSet("Plug-in Gait", (*_LEGS, *_UPPER_BODY, _HEAD)),
)
"""The sets that are recognised, the best known centres first."""

_GIVEN = {
    "hip": ("HJC", "FEP"),
    "knee": ("KJC", "FEO"),
    "foot": ("AJC", "TIO"),
    "shoulder": ("SJC", "CLO", "HUP"),
    "elbow": ("EJC", "HUO"),
    "hand": ("WJC", "RAO"),
}
"""Joint centres that a model has put into the file: Vicon's names, then origins of its bones."""

_MEDIAL = {"KNE": ("KNM", "MKNE", "KNEM"), "ANK": ("MED", "ANKM", "MANK"), "ELB": ("ELBM", "MELB")}
"""Markers on the inner side of a joint, for the outer one."""

_HALF_WIDTH = {"KNE": 0.128, "ANK": 0.098, "ELB": 0.124}
"""From the outer marker to the centre, as a share of thigh, shank or upper arm: 5.5, 4.2 and 4.0 cm in an
adult of 1.75 m (joints 9.6, 7.0 and 6.7 cm wide, markers of 1.4 cm). Chosen here; no regression."""

_CLUSTERS = (
    ("LASI", "RASI", "LPSI", "RPSI", "SACR"),
    ("C7", "T10", "CLAV", "STRN", "RBAK"),
    ("LFHD", "RFHD", "LBHD", "RBHD"),
)
"""Markers of one rigid segment: three that are seen tell where a hidden one is."""

_SHOULDER_DROP = 0.17
_NECK_SHARE, _NECK_ANGLE_DEG = 0.54, 11.0
_NECK_RAISE = 0.106  # of the distance between the shoulders, 12 degrees, as in Emotion-Gait
_SPINE_SHARE = 0.46  # of the way from root to neck, as in Emotion-Gait
_ENOUGH = 0.9


@dataclass(slots=True)
class _Body:
    """Points by name, the joints made of them so far, and what was found out."""

    points: dict[str, FloatArray]
    n_frames: int
    joints: dict[str, FloatArray] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def get(self, name: str) -> FloatArray:
        """Return a point, NaN where there is none of that name."""
        points = self.points.get(name)
        return np.full((self.n_frames, 3), np.nan) if points is None else points

    def has(self, *names: str) -> bool:
        """Return whether all these points are seen at some time."""
        return all(name in self.points for name in names)

    def add(self, joint: str, left: FloatArray, right: FloatArray) -> None:
        """Add a joint of both sides."""
        self.joints[f"left_{joint}"] = left
        self.joints[f"right_{joint}"] = right

    def tell(self, what: str, value: str, confidence: float, evidence: str = "") -> None:
        """Add a finding."""
        self.findings.append(Finding(what, value, confidence, evidence))


def find_joint_centres(recording: Recording) -> Recording | None:
    """Find the centres of the joints of a body that wears a known marker set.

    Parameters
    ----------
    recording
        Points in any unit and on any axes; names in capitals or not, with or without the name of a
        person before a colon.

    Returns
    -------
    Recording or None
        The 16 joints under the names of `moodwalk.skeleton.Joint` in small letters, and
        ``left_toe``, ``right_toe``, ``left_heel``, ``right_heel`` where there are such markers; in
        the unit and on the axes of the source. None where the names are of no set in `MARKER_SETS`.
        Findings name the set and how every centre was made.

    Raises
    ------
    DataFormatError
        If the markers are of a known set but of the legs alone.

    Notes
    -----
    Centres that a model has put into the file are taken as they are. Else hips follow from the
    spines of the pelvis [1]_ (without a unit of length, from their distance alone [2]_); knees, ankles and
    elbows lie halfway to the marker on the inner side or, without one, half a typical width from
    the outer one, so that the segment above meets the joint's axis at a right angle [3]_;
    shoulders lie 17 % of their distance below the markers [4]_; the neck is the joint of C7 and T1, 54 % of the way
    from C7 to the breastbone and 11 degrees above that line, the mean of both sexes [5]_; wrists and
    head are the means of their markers; the root is the middle of the hips; the spine joint lies
    46 % of the way from root past T10 and STRN to neck. A hidden marker of pelvis, trunk or head is placed by the
    other three of its segment where these are seen; else NaN goes into all that depends on it.

    References
    ----------
    .. [1] Harrington et al. (2007), Prediction of the hip joint centre in adults, children, and
       patients with cerebral palsy based on magnetic resonance imaging, J Biomech 40:595-602,
       doi:10.1016/j.jbiomech.2006.02.003.
    .. [2] Bell, Pedersen and Brand (1990), A comparison of the accuracy of several hip center
       location prediction methods, J Biomech 23:617-621, doi:10.1016/0021-9290(90)90054-7.
    .. [3] Davis et al. (1991), A gait analysis data collection and reduction technique, Human
       Movement Science 10:575-587, doi:10.1016/0167-9457(91)90046-Z.
    .. [4] Rab, Petuskey and Bagley (2002), A method for determination of upper extremity
       kinematics, Gait & Posture 15:113-119, doi:10.1016/S0966-6362(01)00155-2.
    .. [5] Dumas, Cheze and Verriest (2007), Adjustments to McConville et al. and Young et al. body
       segment inertial parameters, J Biomech 40:543-553, doi:10.1016/j.jbiomech.2006.02.013.
    """
    points = _collect(recording)
    known = next((each for each in MARKER_SETS if not each.list_missing(points)), None)
    if known is None:
        _refuse_legs(recording, points)
        return None
    body = _Body(points, len(recording))
    body.tell("marker set", known.name, 1.0, "by the names of the points")
    with np.errstate(all="ignore"):
        for names in _CLUSTERS:
            _fill_cluster(body, names)
        _find_hips(body, recording.unit_m)
        across = body.joints["right_hip"] - body.joints["left_hip"]
        _find_hinges(body, "knee", "KNE", "hip", across)
        _find_hinges(body, "foot", "ANK", "knee", across)
        up = _find_trunk(body)
        _find_shoulders(body, up)
        _find_neck(body, up)
        across = body.joints["right_shoulder"] - body.joints["left_shoulder"]
        _find_hinges(body, "elbow", "ELB", "shoulder", across)
        _find_hands(body)
        _find_head(body)
        _find_spine(body)
    for joint, marker in (("toe", "TOE"), ("heel", "HEE")):
        if body.has(f"L{marker}", f"R{marker}"):
            body.add(joint, body.get(f"L{marker}"), body.get(f"R{marker}"))
    return replace(
        recording,
        positions=np.stack(list(body.joints.values()), axis=1),
        joints=tuple(body.joints),
        parents=(),
        confidence=None,
        findings=(*recording.findings, *body.findings),
    )


def _collect(recording: Recording) -> dict[str, FloatArray]:
    """Return the points that are seen at some time, by name."""
    points: dict[str, FloatArray] = {}
    for i, label in enumerate(recording.joints):
        name = label.rpartition(":")[2].strip().upper()
        track = recording.positions[:, i]
        partly = np.asarray(np.isnan(track).any(axis=1))
        if name not in points and not partly.all():
            points[name] = np.where(partly[:, None], np.nan, track)
    return points


def _refuse_legs(recording: Recording, points: Mapping[str, FloatArray]) -> None:
    if MarkerSet("", _LEGS).list_missing(points):
        return
    missing = MARKER_SETS[-1].list_missing(points)
    raise DataFormatError(
        f"{recording.source or recording.format}: Plug-in Gait markers without "
        f"{', '.join(missing[:6])}{', ...' if len(missing) > 6 else ''}; expected the whole body: "
        f"head, trunk, arms and legs."
    )


def _fill_cluster(body: _Body, names: Sequence[str]) -> None:
    """Place hidden markers of a rigid segment by the seen ones, as in the nearest complete frame."""
    names = [name for name in names if body.has(name)]
    if len(names) < 4:
        return
    tracks = np.stack([body.points[name] for name in names], axis=1)
    seen = ~np.isnan(tracks[..., 0])
    complete = np.flatnonzero(seen.all(axis=1))
    if not len(complete) or len(complete) == len(seen):
        return
    filled = tracks.copy()
    patterns: NDArray[np.bool_] = np.unique(seen, axis=0)
    for pattern in patterns:
        frames = np.flatnonzero((seen == pattern).all(axis=1))
        if pattern.all() or pattern.sum() < 3:
            continue
        later = np.searchsorted(complete, frames)
        before = complete[np.maximum(later - 1, 0)]
        after = complete[np.minimum(later, len(complete) - 1)]
        model = tracks[np.where(abs(frames - before) <= abs(after - frames), before, after)]
        now = tracks[frames][:, pattern]
        centre, centre_now = (p.mean(axis=1, keepdims=True) for p in (model[:, pattern], now))
        product = np.swapaxes(model[:, pattern] - centre, 1, 2) @ (now - centre_now)
        product[~np.isfinite(product).all(axis=(1, 2))] = 0.0
        u, spread, vt = np.linalg.svd(product)  # Kabsch: the rotation nearest in squares
        u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
        placed = (model[:, ~pattern] - centre) @ (u @ vt) + centre_now
        placed[spread[:, 1] <= 1e-4 * spread[:, 0]] = np.nan  # on a line: free to turn about it
        filled[np.ix_(frames, ~pattern)] = placed
    counts = (np.isnan(tracks) & ~np.isnan(filled))[..., 0].sum(axis=0).tolist()
    body.points |= {name: filled[:, i] for i, name in enumerate(names)}
    for name, n in zip(names, counts, strict=True):
        if n:
            value = f"placed in {n} frames"
            body.tell(f"hidden marker {name}", value, 0.8, "by the others of its segment")


def _take_given(body: _Body, joint: str, markers: Sequence[str]) -> bool:
    """Take the centres of both sides from the file, unless markers are seen for much longer."""
    n_markers = min((_count(body.get(s + m)) for s in "LR" for m in markers), default=0)
    for name in _GIVEN[joint]:
        left, right = body.get(f"L{name}"), body.get(f"R{name}")
        n_given = min(_count(left), _count(right))
        if n_given and n_given >= _ENOUGH * n_markers:
            body.add(joint, left, right)
            body.tell(f"{joint} centres", f"L{name} and R{name}", 1.0, "of a model, in the file")
            return True
    return False


def _find_hips(body: _Body, unit_m: float | None) -> None:
    if not _take_given(body, "hip", ["ASI"]):
        left, right = body.get("LASI"), body.get("RASI")
        has_both = body.has("LPSI", "RPSI")
        back = (body.get("LPSI") + body.get("RPSI")) / 2 if has_both else body.get("SACR")
        front = (left + right) / 2
        side = _unit(left - right)
        ahead = _unit(_across(front - back, side))
        up = np.cross(ahead, side)
        knees = (body.get("LKNE") + body.get("RKNE")) / 2
        if _mean(((front - knees) * up).sum(axis=1)) < 0:  # left-handed axes
            up = -up
        width, depth = _median_length(left - right), _median_length(front - back)
        if unit_m is None:
            x, y, z = -0.19 * width, 0.36 * width, -0.30 * width
            value, confidence = "regression of Bell et al. (1990)", 0.8
        else:
            x = -0.24 * depth - 0.0099 / unit_m
            y = 0.33 * width + 0.0073 / unit_m
            z = -0.30 * width - 0.0109 / unit_m
            value, confidence = "regression of Harrington et al. (2007)", 0.9
        middle = front + x * ahead + z * up
        body.add("hip", middle + y * side, middle - y * side)
        body.tell("hip centres", value, confidence, "from the spines of the pelvis")
    body.joints["root"] = (body.joints["left_hip"] + body.joints["right_hip"]) / 2


def _find_hinges(body: _Body, joint: str, marker: str, above: str, across: FloatArray) -> None:
    """Find knees, ankles or elbows; `across` is the way from the left side to the right one."""
    if _take_given(body, joint, [marker]):
        return
    outer = [body.get(f"L{marker}"), body.get(f"R{marker}")]
    for name in _MEDIAL[marker]:
        inner = [body.get(f"L{name}"), body.get(f"R{name}")]
        pairs = [(a + b) / 2 for a, b in zip(outer, inner, strict=True)]
        if min(map(_count, pairs)) >= _ENOUGH * max(1, *map(_count, outer)):
            body.add(joint, *pairs)
            value = f"halfway from *{marker} to *{name}"
            body.tell(f"{joint} centres", value, 1.0, "markers on both sides of the joint")
            return
    share = _HALF_WIDTH[marker]
    centres: list[FloatArray] = []
    for side, inwards, point in zip(("left", "right"), (across, -across), outer, strict=True):
        if joint == "foot" and _count(
            body.get(f"{side[0].upper()}KNE")
        ):  # along the axis of the knee
            inwards = body.joints[f"{side}_knee"] - body.get(f"{side[0].upper()}KNE")
        centres.append(_step_inwards(point, body.joints[f"{side}_{above}"], inwards, share))
    body.add(joint, *centres)
    value = f"half a typical width, {share:g} of the segment above, inside *{marker}"
    body.tell(f"{joint} centres", value, 0.6, "no marker on the inner side")


def _step_inwards(
    marker: FloatArray, above: FloatArray, inwards: FloatArray, share: float
) -> FloatArray:
    """Go from a marker inwards to where the line to the joint above is met at a right angle."""
    line = marker - above
    half = share * _median_length(line)
    length = np.linalg.norm(line, axis=1, keepdims=True)
    cosine = half / length  # above 1, and so NaN, where the marker is misplaced
    aside = _unit(_across(inwards, _unit(line)))
    return marker + half * (np.sqrt(1 - cosine**2) * aside - cosine * line / length)


def _find_trunk(body: _Body) -> FloatArray:
    """Return the way up along the trunk, a unit vector in every frame."""
    if body.has("C7", "CLAV", "T10", "STRN"):
        top = body.get("C7") + body.get("CLAV")
        return _unit(top - body.get("T10") - body.get("STRN"))
    for left, right in (("LSHO", "RSHO"), ("LSJC", "RSJC"), ("LCLO", "RCLO"), ("LHUP", "RHUP")):
        if body.has(left, right):
            return _unit((body.get(left) + body.get(right)) / 2 - body.joints["root"])
    return _unit(body.get("C7") - body.joints["root"])


def _find_shoulders(body: _Body, up: FloatArray) -> None:
    if _take_given(body, "shoulder", ["SHO"]):
        return
    left, right = body.get("LSHO"), body.get("RSHO")
    drop = _SHOULDER_DROP * _median_length(left - right) * up
    body.add("shoulder", left - drop, right - drop)
    value = "17 % of their distance below *SHO, after Rab et al. (2002)"
    body.tell("shoulder centres", value, 0.8, "along the trunk")


def _find_neck(body: _Body, up: FloatArray) -> None:
    if body.has("C7", "CLAV"):
        back = body.get("C7")
        line = body.get("CLAV") - back
        ahead, angle = _unit(line), np.radians(_NECK_ANGLE_DEG)
        way = np.cos(angle) * ahead + np.sin(angle) * _unit(_across(up, ahead))
        body.joints["neck"] = back + _NECK_SHARE * _median_length(line) * way
        body.tell("neck", "joint of C7 and T1, after Dumas et al. (2007)", 0.9, "from C7 and CLAV")
        return
    left, right = body.joints["left_shoulder"], body.joints["right_shoulder"]
    body.joints["neck"] = (left + right) / 2 + _NECK_RAISE * _median_length(left - right) * up
    body.tell("neck", "a little above the middle of the shoulders", 0.5, "no C7 and CLAV")


def _find_hands(body: _Body) -> None:
    if _take_given(body, "hand", ["WRA"] if body.has("LWRA", "RWRA") else ["WRB"]):
        return
    pairs = [(body.get(f"{s}WRA"), body.get(f"{s}WRB")) for s in "LR"]
    body.add("hand", *(_find_middle(a, b) for a, b in pairs))
    body.tell("hand centres", "middle of *WRA and *WRB, the wrist", 1.0)


def _find_middle(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the middle of two points; while one is hidden, the other and the last known half way."""
    half = (b - a) / 2
    known = np.flatnonzero(~np.isnan(half[:, 0]))
    if not len(known):
        return np.where(np.isnan(a), b, a)
    held = np.stack([np.interp(np.arange(len(a)), known, half[known, i]) for i in range(3)], axis=1)
    return np.where(np.isnan(a), b - held, a + held)


def _find_head(body: _Body) -> None:
    counts = {name: _count(body.get(name)) for name in _HEAD[:4]}
    names = [name for name, n in counts.items() if n and n >= max(counts.values()) / 2]
    evidence = ", ".join(names)
    if names and _count(sum(map(body.get, names), np.zeros(3))):
        body.joints["head"] = np.mean([body.get(name) for name in names], axis=0)
        body.tell("head", "mean of its markers", 1.0 if len(names) == 4 else 0.6, evidence)
    elif names:
        body.joints["head"] = body.get(names[0])
        body.tell("head", names[0], 0.3, "its markers are never seen together")
    else:
        body.joints["head"] = body.get("HEDO")
        body.tell("head", "HEDO, the middle of the forehead", 0.6, "of a model, in the file")


def _find_spine(body: _Body) -> None:
    """Put the spine joint on the way from root past the lower chest to neck."""
    root, neck = body.joints["root"], body.joints["neck"]
    value = f"{_SPINE_SHARE:.0%} of the way from root to neck"
    if body.has("T10", "STRN"):
        chest = (body.get("T10") + body.get("STRN")) / 2
        first, second = _median_length(chest - root), _median_length(neck - chest)
        way = _SPINE_SHARE * (first + second)
        share, start, end = way / first, root, chest
        if way > first:
            share, start, end = (way - first) / second, chest, neck
        value += " past T10 and STRN"
    else:
        share, start, end = _SPINE_SHARE, root, neck
    body.joints["spine"] = start + share * (end - start)
    body.tell("spine", value, 0.7, "by proportion")


def _count(points: FloatArray) -> int:
    return int((~np.isnan(points[..., 0])).sum())


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, np.nan)


def _across(vectors: FloatArray, axis: FloatArray) -> FloatArray:
    """Return the part of vectors that is across unit vectors."""
    return vectors - (vectors * axis).sum(axis=-1, keepdims=True) * axis


def _mean(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _median_length(vectors: FloatArray) -> float:
    """Return the median over frames; the body keeps its size, and noise cancels out."""
    lengths = np.linalg.norm(vectors, axis=-1)
    known = lengths[~np.isnan(lengths)]
    return float(np.median(known)) if len(known) else np.nan
