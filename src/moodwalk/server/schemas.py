"""What requests and answers look like: checked in the workers, shown in the OpenAPI document."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from moodwalk.gait import MAX_FRAMES, MIN_FRAMES
from moodwalk.skeleton import N_JOINTS

__all__ = [
    "ExplainFields",
    "ExplainRequest",
    "Explanation",
    "GenerateFields",
    "GenerateRequest",
    "Generated",
    "Health",
    "Job",
    "LiveJoints",
    "LiveMessage",
    "LiveMusic",
    "LivePoses",
    "LiveStart",
    "ModelList",
    "MusicFields",
    "MusicRequest",
    "Playlist",
    "PredictAnswer",
    "PredictFields",
    "PredictRequest",
    "Problem",
    "WalkFields",
]

EmotionName = Literal["happy", "angry", "sad", "neutral"]
Share = Annotated[float, Field(ge=0, le=1)]
Fps = Annotated[float, Field(gt=0, le=1000, description="Frames a second.", examples=[30.0])]
Name = Annotated[str, Field(max_length=200)]
Cadence = Annotated[float | None, Field(ge=20, le=300, description="Steps a minute.")]
Force = Annotated[bool, Field(description="Answer also where a recording shows no walk.")]
Seed = Annotated[int, Field(ge=0, lt=2**32, description="Makes everything random repeat.")]
Strength = Annotated[
    float, Field(ge=0, le=3, description="0 keeps the walk's own emotion, 1 is the one asked for.")
]
_Point = Annotated[list[float | None], Field(min_length=3, max_length=3)]
_Frame = Annotated[list[_Point], Field(min_length=N_JOINTS, max_length=N_JOINTS)]

MOST_GENERATED = 64
MOST_GENERATED_FRAMES = 3000
MOST_FRAMES_TOGETHER = 20_000
"""Of all gaits of one answer: some 9 MB of JSON."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore")


class WalkFields(_Asked):
    """One walk as positions of the 16 joints."""

    positions: Annotated[
        list[_Frame],
        Field(
            min_length=MIN_FRAMES,
            max_length=MAX_FRAMES,
            description="Frames, joints, coordinates: +y up, the walker faces +z, right side at -x, metres.",
        ),
    ]
    fps: Fps
    name: Name = ""


class PredictRequest(WalkFields):
    """A walk to read."""

    min_confidence: Annotated[
        Share | None, Field(description="Withhold the answer below this probability.")
    ] = None
    max_novelty: Annotated[
        float | None, Field(ge=0, description="Withhold the answer to walks that lie further out.")
    ] = None
    force: Force = False


class _FileFields(_Asked):
    fps: Annotated[
        float | None,
        Field(gt=0, le=1000, description="Frames a second, where the file is wrong or silent."),
    ] = None
    person: Annotated[
        int | None, Field(ge=1, le=1000, description="Which person of a video of several.")
    ] = None
    force: Force = False


class PredictFields(_FileFields):
    """What goes with a file to read."""

    min_confidence: Share | None = None
    max_novelty: Annotated[float | None, Field(ge=0)] = None


class ExplainRequest(WalkFields):
    """A walk to explain."""

    emotion: Annotated[
        EmotionName | None,
        Field(description="Whose contributions; by default the most probable one's."),
    ] = None
    baseline: Annotated[
        WalkFields | None,
        Field(description="A neutral walk of the same person, to compare with."),
    ] = None
    force: Force = False


class ExplainFields(_FileFields):
    """What goes with a file to explain."""

    name: Annotated[Name | None, Field(description="Which walk, where the file holds several.")] = (
        None
    )
    emotion: EmotionName | None = None


class GenerateRequest(_Asked):
    """New gaits of an emotion; or, with a walk, the same walk in another mood."""

    emotion: Annotated[EmotionName | None, Field(description="By default all in turn.")] = None
    n: Annotated[int, Field(ge=1, le=MOST_GENERATED, description="How many gaits.")] = 1
    seed: Seed = 0
    n_frames: Annotated[int, Field(ge=MIN_FRAMES, le=MOST_GENERATED_FRAMES)] = 75
    fps: Fps = 30.0
    cadence_spm: Cadence = None
    walk: Annotated[WalkFields | None, Field(description="Give this walk the emotion.")] = None
    strength: Strength = 1.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n * self.n_frames > MOST_FRAMES_TOGETHER:
            raise ValueError(f"n times n_frames should be {MOST_FRAMES_TOGETHER:,} or less")
        if self.walk is not None and self.emotion is None:
            raise ValueError("walk needs emotion")
        return self


class GenerateFields(_FileFields):
    """What goes with a file whose walks get another emotion."""

    emotion: EmotionName
    strength: Strength = 1.0


class MusicRequest(_Asked):
    """What to choose music for: an emotion, a cadence, or a walk."""

    emotion: EmotionName | None = None
    cadence_spm: Cadence = None
    walk: WalkFields | None = None
    mode: Literal["match", "lift", "calm", "energise"] = "match"
    n: Annotated[int, Field(ge=1, le=200, description="Tracks.")] = 10
    seed: Seed = 0
    learn: Annotated[bool, Field(description="Use likes and skips given so far.")] = True
    force: Force = False


class MusicFields(_FileFields):
    """What goes with a file to choose music for."""

    cadence_spm: Cadence = None
    mode: Literal["match", "lift", "calm", "energise"] = "match"
    n: Annotated[int, Field(ge=1, le=200)] = 10
    seed: Seed = 0
    learn: bool = True


class _Window(_Told):
    start_s: float
    end_s: float
    probabilities: dict[EmotionName, float]


class _Parameters(_Told):
    cadence_spm: float | None
    step_time_s: float | None
    stride_time_s: float | None
    stride_length_m: float | None
    step_length_m: float | None
    speed_mps: float | None
    step_width_m: float | None
    symmetry: float | None
    double_support: float | None
    n_strides: int


class _Quality(_Told):
    kind: str
    confidence: float
    reasons: list[str]
    direction: str
    parameters: _Parameters


class _Finding(_Told):
    what: str
    value: str
    confidence: float
    evidence: str


class _Reading(_Told):
    format: str
    skeleton: str
    joints: dict[str, str]
    derived: list[str]
    findings: list[_Finding]


class _Prediction(_Told):
    emotion: Annotated[EmotionName, Field(description="The most probable, also where withheld.")]
    probabilities: dict[EmotionName, float]
    abstained: Annotated[bool, Field(description="Whether the answer is withheld.")]
    reason: Annotated[str, Field(description="Why it is withheld.")]
    valence: float
    arousal: float
    cadence_spm: float | None
    n_frames: int
    fps: float
    novelty: float | None
    windows: list[_Window]
    quality: _Quality | None
    reading: _Reading | None


class _Result(_Prediction):
    path: Annotated[str | None, Field(description="What the client called the file.")]
    name: str
    label: EmotionName | None


class _Refused(_Told):
    path: str
    reason: str


class PredictAnswer(_Told):
    """What ``moodwalk predict --json`` prints, and its warnings."""

    results: list[_Result]
    refused: list[_Refused]
    notes: Annotated[list[str], Field(description="What else is to be known of the file.")]


class _Moment(_Told):
    start_s: float
    end_s: float
    contribution: float
    joints: list[str]


class _Word(_Told):
    measure: str
    unit: str
    value: float | None
    reference: float | None
    sd: float | None
    n: int
    effect: float | None
    words: str
    typical_of: list[EmotionName]
    clear: bool | None


class Explanation(_Prediction):
    """What ``moodwalk explain --json`` prints."""

    path: str | None
    name: str
    explained: dict[str, Any]
    joints: dict[str, float]
    moments: list[_Moment]
    sentence: str
    compared_with: str
    threshold: float
    words: list[_Word]
    measures: list[_Word]
    notes: list[str]
    page: None


class _MadeWalk(_Told):
    name: str
    label: EmotionName | None
    fps: float
    positions: list[list[list[float]]]


class Generated(_Told):
    """What ``moodwalk generate --json`` prints, and the gaits themselves."""

    model: str
    gaits: int
    output: None
    preview: None
    walks: list[_MadeWalk]
    left_out: list[str]
    notes: list[str]


class _Target(_Told):
    valence: float | None
    arousal: float | None
    cadence_spm: float | None


class _Track(_Told):
    title: str | None
    artist: str | None
    tempo_bpm: float | None
    valence: float | None
    arousal: float | None
    energy: float | None
    score: float
    why: str
    location: str
    source: str | None


class Playlist(_Told):
    """What ``moodwalk music recommend --json`` prints."""

    target: _Target
    mode: str
    notes: list[str]
    tracks: list[_Track]
    playlist: None


class _Model(_Told):
    kind: Literal["classifier", "generator"]
    model: str
    classes: list[EmotionName]
    skeleton: str
    fps: float | None
    n_frames: int | None
    min_confidence: float | None
    max_novelty: float | None
    description: str
    card: dict[str, Any]


class ModelList(_Told):
    """The weights that this server answers with."""

    version: str
    models: list[_Model]


class Job(_Told):
    """Long work: waiting, running or ended."""

    id: str
    kind: Literal["explain", "generate"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    done: Annotated[int, Field(description="Steps done so far.")]
    total: Annotated[int | None, Field(description="Steps in all, once known.")]
    created_at: str
    expires_at: Annotated[str | None, Field(description="When the server forgets an ended job.")]
    result: Annotated[
        Explanation | Generated | None, Field(description="Where the state is done.")
    ] = None
    problem: Annotated["Problem | None", Field(description="Where the state is failed.")] = None


class Health(_Told):
    """Whether the server works."""

    status: Literal["ok", "starting", "draining"]


class _Invalid(_Told):
    loc: list[str | int]
    msg: str


class Problem(_Told):
    """Problem details, RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:moodwalk:problem:quality",
                    "title": "Walk refused",
                    "status": 422,
                    "detail": "walk.bvh: 0.4 s long; expected a walk of a few steps.",
                    "request_id": "3f9c0b6d1e5a4c7f",
                }
            ]
        }
    )
    type: str
    title: str
    status: int
    detail: Annotated[str, Field(description="One line: what was expected, found, what to do.")]
    request_id: str | None = None
    errors: Annotated[list[_Invalid] | None, Field(description="Where fields are wrong.")] = None


_Pixel = Annotated[list[float], Field(min_length=2, max_length=2)]
_Metre = Annotated[list[float], Field(min_length=3, max_length=3)]
_N_LANDMARKS = 33


class _Pose(_Asked):
    pixels: Annotated[list[_Pixel], Field(min_length=_N_LANDMARKS, max_length=_N_LANDMARKS)]
    metres: Annotated[list[_Metre], Field(min_length=_N_LANDMARKS, max_length=_N_LANDMARKS)]
    visibility: Annotated[list[float], Field(min_length=_N_LANDMARKS, max_length=_N_LANDMARKS)]


class LiveMusic(_Asked):
    """How a live reading chooses tracks."""

    mode: Literal["match", "lift", "calm", "energise"] = "match"
    least_s: Annotated[
        float, Field(ge=5, le=3600, description="Time from one track to the next.")
    ] = 30.0


class LiveStart(_Asked):
    """The first message of a live reading, where the defaults do not fit."""

    type: Literal["start"]
    joints: Annotated[list[Name], Field(min_length=1, max_length=500)] | None = None
    unit_m: Annotated[float, Field(gt=0, le=1000)] | None = None
    up: Literal["+x", "-x", "+y", "-y", "+z", "-z"] | None = None
    options: dict[
        Literal["window_s", "first_s", "step_s", "smoothing_s", "margin", "hold_s", "absence_s"],
        float,
    ] = Field(default_factory=dict)
    min_confidence: Share | None = None
    music: LiveMusic | None = None


class LivePoses(_Asked):
    """Everybody in a picture, as MediaPipe's 33 landmarks."""

    type: Literal["poses"]
    time_s: float
    size: Annotated[
        list[Annotated[int, Field(ge=1, le=100_000)]], Field(min_length=2, max_length=2)
    ]
    poses: Annotated[list[_Pose], Field(max_length=6)]


class LiveJoints(_Asked):
    """One person's joints, in the order that ``start`` named them; null where nobody is."""

    type: Literal["joints"]
    time_s: float
    positions: Annotated[list[_Point], Field(max_length=500)] | None


LiveMessage = Annotated[LiveStart | LivePoses | LiveJoints, Field(discriminator="type")]
"""What a client of ``WS /v1/live`` sends."""

Job.model_rebuild()
