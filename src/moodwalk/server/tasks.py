"""What worker processes do: from a request's bytes to an answer's bytes.

Nothing here knows of HTTP. Everything that a client sent is first looked at here, away from the server.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moodwalk.errors import (
    ConfigError,
    DataFormatError,
    MoodwalkError,
    MoodwalkWarning,
    QualityError,
)
from moodwalk.gait import Gait
from moodwalk.predict import Prediction, Predictor
from moodwalk.server.faults import describe_error
from moodwalk.server.schemas import (
    MOST_FRAMES_TOGETHER,
    ExplainFields,
    ExplainRequest,
    GenerateFields,
    GenerateRequest,
    MusicFields,
    MusicRequest,
    PredictFields,
    PredictRequest,
    WalkFields,
)
from moodwalk.server.wire import Frame, dump_json

if TYPE_CHECKING:
    from moodwalk.generation.generator import GaitGenerator
    from moodwalk.io import ReadOptions
    from moodwalk.music.target import Mood

__all__ = ["Tasks"]

Progress = Callable[[int, int | None], None]
Reply = tuple[dict[str, Any], bytes]

MOST_WALKS = 2000
"""Of one file that is answered; more are for the command line."""

_LOCK_WAIT_S = 2.0


class _Names:
    """The server's names of a request's files, each with what the client called it."""

    def __init__(self, head: Mapping[str, Any]) -> None:
        shown: Mapping[str, str] = head.get("shown", {})
        self._pairs: list[tuple[str, str]] = []
        for part, name in shown.items():
            path = Path(head[part])
            self._pairs += [
                (str(path), name),
                (path.name, name),
                (path.stem, Path(name).stem or name),
            ]

    def tell(self, value: Any) -> Any:
        """Replace the server's names with the client's everywhere in a document."""
        if isinstance(value, str):
            for ours, theirs in self._pairs:
                value = value.replace(ours, theirs)
            return value
        if isinstance(value, dict):
            return {key: self.tell(item) for key, item in value.items()}
        return [self.tell(item) for item in value] if isinstance(value, list) else value


class Tasks:
    """Everything that a worker can do.

    Parameters
    ----------
    setup
        ``weights``: a file, or None; ``library``: a music library, or None for the default one.
    """

    def __init__(self, setup: dict[str, Any]) -> None:
        self._weights = None if setup.get("weights") is None else Path(setup["weights"])
        self._library: str | None = setup.get("library")
        self._predictor = Predictor.load(self._weights)
        self._generator: GaitGenerator | None = None

    def warm_up(self, head: Mapping[str, Any]) -> None:
        """Load what a task needs and takes long to load, before a child is forked for it.

        Raises
        ------
        ConfigError
            If a package for it is not installed.
        """
        if head["kind"] == "explain":
            import captum.attr  # noqa: F401  # pyright: ignore[reportUnusedImport]
            import torch

            import moodwalk.explain  # noqa: F401  # pyright: ignore[reportUnusedImport]

            torch.set_num_threads(1)
            _ = self._predictor.checkpoint.network
        elif head["kind"] == "generate":
            self._load_generator()
        from moodwalk.io.opening import peek
        from moodwalk.io.video import begins_video

        if any(begins_video(peek(Path(head[n]), 2**16)) for n in ("file", "baseline") if n in head):
            from moodwalk.pose.bundle import make_bundle

            make_bundle()  # writes temporary files, which the child may not

    def _list_models(self) -> list[dict[str, Any]]:
        """Describe the weights."""
        from importlib.resources import files

        from moodwalk.generation.generator import SHIPPED_GENERATOR

        checkpoint, predictor = self._predictor.checkpoint, self._predictor
        generator = self._load_generator()
        has_card = self._weights is None
        return [
            {
                "kind": "classifier",
                "model": checkpoint.model,
                "classes": [str(name) for name in checkpoint.classes],
                "skeleton": "emotion-gait-16",
                "fps": checkpoint.encoder.fps,
                "n_frames": checkpoint.encoder.n_frames,
                "min_confidence": predictor.min_confidence,
                "max_novelty": predictor.max_novelty if predictor.max_novelty < np.inf else None,
                "description": "Perceived emotion: what observers would call such a walk.",
                "card": _shorten(checkpoint.card)
                if has_card
                else {**_shorten(checkpoint.card), "file": self._weights and self._weights.name},
            },
            {
                "kind": "generator",
                "model": generator.model,
                "classes": [str(name) for name in generator.classes],
                "skeleton": "emotion-gait-16",
                "fps": None,
                "n_frames": None,
                "min_confidence": None,
                "max_novelty": None,
                "description": generator.describe(),
                "card": {
                    **_shorten(generator.card),
                    "file": Path(str(files("moodwalk") / "weights" / SHIPPED_GENERATOR)).name,
                },
            },
        ]

    def run(self, frame: Frame, progress: Progress | None) -> Reply:
        """Do what a frame asks for.

        Raises
        ------
        MoodwalkError, pydantic.ValidationError
            If what it holds cannot be used.
        """
        head, kind = frame.head, str(frame.head["kind"])
        if kind == "predict":
            return self._predict(head["items"], frame.body)
        if kind == "recommend":
            return {}, self._recommend(head, frame.body)
        if kind == "models":
            return {}, dump_json({"models": self._list_models()})
        if kind == "check":
            _CHECKED[head["as"]].model_validate_json(frame.body, strict=True)
            return {}, b""
        work = {
            "predict-file": self._predict_file,
            "mood": self._read_mood,
            "explain": self._explain,
            "generate": self._generate,
        }[kind]
        names = _Names(head)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", MoodwalkWarning)
                document = work(head, frame.body, progress or _ignore)
        except MoodwalkError as error:
            raise type(error)(names.tell(str(error))) from None
        notes = [str(one.message) for one in caught]  # what the command line shows as warnings
        document["notes"] = [*document.get("notes", ()), *dict.fromkeys(notes)]
        return {}, dump_json(names.tell(document) if head.get("file") else document)

    def _predict(self, items: Sequence[dict[str, Any]], body: bytes) -> Reply:
        """Read several clients' walks together; none influences another's answer, nor its error."""
        told: list[dict[str, Any]] = [{} for _ in items]
        asked: dict[int, PredictRequest] = {}
        gaits: dict[int, Gait] = {}
        start = 0
        for number, item in enumerate(items):
            part = body[start : start + item["length"]]
            start += item["length"]
            try:
                request = PredictRequest.model_validate_json(part, strict=True)
                gaits[number], asked[number] = _make_gait(request), request
            except Exception as error:
                told[number] = describe_error(error)
        groups: dict[tuple[Any, ...], list[int]] = {}
        for number, request in asked.items():
            how = request.min_confidence, request.max_novelty, request.force
            groups.setdefault(how, []).append(number)
        parts = [b""] * len(items)
        for (confidence, novelty, force), numbers in groups.items():
            predictor = self._predictor
            if confidence is not None or novelty is not None:
                predictor = Predictor(
                    predictor.checkpoint, min_confidence=confidence, max_novelty=novelty
                )
            for number, found in _predict_each(predictor, gaits, numbers, force):
                if isinstance(found, Exception):
                    told[number] = describe_error(found)
                else:
                    gait = gaits[number]
                    result = {"path": None, "name": gait.name, "label": None, **found.to_dict()}
                    parts[number] = dump_json({"results": [result], "refused": [], "notes": []})
                    told[number] = {"length": len(parts[number])}
        return {"items": told}, b"".join(parts)

    def _predict_file(
        self, head: dict[str, Any], body: bytes, progress: Progress
    ) -> dict[str, Any]:
        from moodwalk.scoring import Refusal, ScoredWalk, ScoringJob, score

        fields = PredictFields.model_validate(head["fields"])
        job = ScoringJob(
            self._weights,
            fields.min_confidence,
            fields.max_novelty,
            fields.force,
            _make_options(head, fields.fps, fields.person, progress),
        )
        path = Path(head["file"])
        found = [one for part in score([(path,)], job) for one in part]
        answered = [one for one in found if isinstance(one, ScoredWalk)]
        refused = [one for one in found if isinstance(one, Refusal)]
        if not answered:
            raise refused[0].error if refused else DataFormatError(f"{path} holds no walks.")
        if len(answered) > MOST_WALKS:
            raise DataFormatError(
                f"{path} holds {len(answered):,} walks; expected at most {MOST_WALKS:,}. Use "
                f"`moodwalk predict` for more."
            )
        return {
            "results": [
                {
                    "path": str(path),
                    "name": one.name,
                    "label": None if one.label is None else str(one.label),
                    **one.prediction.to_dict(),
                }
                for one in answered
            ],
            "refused": [{"path": str(one.path), "reason": str(one.error)} for one in refused],
        }

    def _explain(self, head: dict[str, Any], body: bytes, progress: Progress) -> dict[str, Any]:
        from moodwalk.explain import explain

        baseline: Gait | None = None
        notes: list[str] = []
        if head.get("file"):
            fields = ExplainFields.model_validate(head["fields"])
            gait = _take(head["file"], head, fields.fps, fields.person, fields.name, notes)
            if head.get("baseline"):
                baseline = _take(head["baseline"], head, fields.fps, None, None, notes)
            emotion, force = fields.emotion, fields.force
        else:
            request = ExplainRequest.model_validate_json(body, strict=True)
            gait = _shorten_walk(_make_gait(request), "the walk", notes)
            if request.baseline is not None:
                baseline = _shorten_walk(_make_gait(request.baseline), "the baseline", notes)
            emotion, force = request.emotion, request.force
        found = explain(
            self._predictor,
            gait,
            emotion=emotion,
            baseline=baseline,
            force=force,
            progress=progress,
        )
        path = head.get("file")
        return {"path": path, **found.to_dict(), "notes": notes, "page": None}

    def _generate(self, head: dict[str, Any], body: bytes, progress: Progress) -> dict[str, Any]:
        from moodwalk.emotion import parse_emotion
        from moodwalk.generation.restyling import restyle_walks

        generator = self._load_generator()
        problems: list[str] = []
        if head.get("file"):
            fields = GenerateFields.model_validate(head["fields"])
            walks = _read(head["file"], head, fields.fps, fields.person)
            emotion, strength = fields.emotion, fields.strength
        else:
            request = GenerateRequest.model_validate_json(body, strict=True)
            if request.walk is None:
                made: list[Gait] = []
                for piece in generator.generate_pieces(
                    request.n,
                    request.emotion,
                    seed=request.seed,
                    n_frames=request.n_frames,
                    fps=request.fps,
                    cadence_spm=request.cadence_spm,
                ):
                    made += piece
                    progress(len(made), request.n)
                return _describe_made(generator, made, problems)
            assert request.emotion is not None  # as the request's class has it
            walks = [_make_gait(request.walk)]
            emotion, strength = request.emotion, request.strength
        if sum(map(len, walks)) > MOST_FRAMES_TOGETHER:
            raise QualityError(
                f"{sum(map(len, walks)):,} frames to restyle; expected at most {MOST_FRAMES_TOGETHER:,}."
            )
        pairs, problems = restyle_walks(generator, walks, parse_emotion(emotion), strength=strength)
        return _describe_made(generator, [after for _, after in pairs], problems)

    def _read_mood(self, head: dict[str, Any], body: bytes, progress: Progress) -> dict[str, Any]:
        """Read of a file what music is chosen for; the library is not touched here."""
        from moodwalk.listening import find_mood

        fields = MusicFields.model_validate(head["fields"])
        options = _make_options(head, fields.fps, fields.person, progress)
        from moodwalk.io import read

        walks = read(head["file"], options=options)
        mood = find_mood(self._predictor.predict_many(list(walks), force=fields.force))
        shares = mood.probabilities
        return {
            "probabilities": None if shares is None else {str(k): v for k, v in shares.items()},
            "cadence_spm": mood.cadence_spm,
            "reason": mood.reason,
            "asked": fields.model_dump(include={"cadence_spm", "mode", "n", "seed", "learn"}),
        }

    def _recommend(self, head: dict[str, Any], body: bytes) -> bytes:
        from moodwalk.music.choose import choose
        from moodwalk.music.library import Library

        if head.get("mood"):
            from moodwalk.emotion import Emotion
            from moodwalk.music.target import Mood

            known = head["mood"]
            shares = known["probabilities"]
            if shares is not None:
                shares = {Emotion(name): share for name, share in shares.items()}
            mood = Mood(shares, known["cadence_spm"], known["reason"])
            request = MusicRequest(**known["asked"])
        else:
            request = MusicRequest.model_validate_json(body, strict=True)
            mood = self._find_mood(request)
        if request.cadence_spm is not None:
            mood = replace(mood, cadence_spm=request.cadence_spm)
        with Library.open(self._library, read_only=True, timeout_s=_LOCK_WAIT_S) as library:
            choice = choose(
                library,
                mood,
                mode=request.mode,
                n=request.n,
                seed=request.seed,
                learn=request.learn,
            )
        return dump_json({**choice.to_dict(), "playlist": None})

    def _find_mood(self, request: MusicRequest) -> "Mood":
        from moodwalk.emotion import parse_emotion
        from moodwalk.listening import find_mood
        from moodwalk.music.target import Mood

        if request.emotion is not None and request.walk is not None:
            raise ConfigError("both emotion and walk are given; expected one of them.")
        if request.walk is not None:
            walk = _make_gait(request.walk)
            return find_mood([self._predictor.predict(walk, force=request.force)])
        if request.emotion is not None:
            return Mood.from_emotion(parse_emotion(request.emotion))
        if request.cadence_spm is None:
            raise ConfigError(
                "nothing to choose music by; expected emotion, walk, a file, or cadence_spm."
            )
        return Mood(None, request.cadence_spm, "no emotion was given")

    def _load_generator(self) -> "GaitGenerator":
        if self._generator is None:
            from moodwalk.generation.generator import GaitGenerator

            self._generator = GaitGenerator.load()
        return self._generator


_CHECKED = {"explain": ExplainRequest, "generate": GenerateRequest}


def _ignore(done: int, total: int | None) -> None:
    pass


def _make_gait(walk: WalkFields) -> Gait:
    positions = np.asarray(walk.positions, dtype=np.float64)  # null becomes NaN
    name = " ".join(walk.name.split())
    if np.abs(positions[np.isfinite(positions)]).max(initial=0) > _LARGEST:
        raise QualityError(f"positions exceed {_LARGEST:g}; expected metres.")
    return Gait(positions.astype(np.float32), walk.fps, name=name, source="request")


_LARGEST = 1e9


def _predict_each(
    predictor: Predictor, gaits: dict[int, Gait], numbers: list[int], force: bool
) -> list[tuple[int, Prediction | Exception]]:
    """Predict together; where one is refused, one by one."""
    try:
        found = predictor.predict_many([gaits[number] for number in numbers], force=force)
        return list(zip(numbers, found, strict=True))
    except Exception as error:
        if len(numbers) == 1:
            return [(numbers[0], error)]
    return [_predict_each(predictor, gaits, [number], force)[0] for number in numbers]


def _make_options(
    head: dict[str, Any], fps: float | None, person: int | None, progress: Progress | None = None
) -> "ReadOptions":
    from moodwalk.io import ReadOptions

    joint_map = Path(head["joint_map"]) if head.get("joint_map") else None
    return ReadOptions(fps, joint_map, person, None, progress)


def _read(path: str, head: dict[str, Any], fps: float | None, person: int | None) -> list[Gait]:
    from moodwalk.io import read

    return list(read(path, options=_make_options(head, fps, person)))


def _take(
    path: str,
    head: dict[str, Any],
    fps: float | None,
    person: int | None,
    name: str | None,
    notes: list[str],
) -> Gait:
    """Return one walk of a file."""
    gaits = _read(path, head, fps, person)
    chosen = [gait for gait in gaits if name is None or gait.name == name]
    if not chosen:
        raise ConfigError(
            f"{path} holds no walk called {name!r}; {gaits[0].name!r} is the first of {len(gaits)}."
        )
    if len(chosen) > 1:
        raise ConfigError(
            f"{path} holds {len(chosen)} such walks, {chosen[0].name!r} first; expected one. Say which "
            f"with name."
        )
    return _shorten_walk(chosen[0], path, notes)


def _shorten_walk(gait: Gait, where: str, notes: list[str]) -> Gait:
    """Take the middle of a walk that is too long to explain."""
    from moodwalk.explain.attribution import LONGEST_S

    n_most = int(LONGEST_S * gait.fps)
    if len(gait) <= n_most:
        return gait
    first = (len(gait) - n_most) // 2
    notes.append(
        f"{where} lasts {gait.duration_s:.0f} s; {LONGEST_S:g} s of it, from {first / gait.fps:.0f} s on, "
        f"are used."
    )
    return replace(gait, positions=gait.positions[first : first + n_most])


def _describe_made(
    generator: "GaitGenerator", gaits: Sequence[Gait], problems: list[str]
) -> dict[str, Any]:
    return {
        "model": generator.model,
        "gaits": len(gaits),
        "output": None,
        "preview": None,
        "walks": [
            {
                "name": gait.name,
                "label": None if gait.label is None else str(gait.label),
                "fps": gait.fps,
                "positions": np.round(gait.positions.astype(np.float64), 5).tolist(),
            }
            for gait in gaits
        ],
        "left_out": problems,
    }


def _shorten(card: Any) -> dict[str, Any]:
    """Take what a card says in few words: who was trained on is a long list."""
    known = ("data", "calibration", "evaluation", "limits", "source", "commit", "versions")
    return {name: card[name] for name in known if name in card}
