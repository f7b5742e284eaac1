"""Weights and an emotion to gaits; a gait to the same gait in another mood."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS, Emotion, parse_emotion
from moodwalk.errors import CheckpointError, ConfigError, MoodwalkError, QualityError
from moodwalk.gait import MAX_FRAMES, MIN_FRAMES, Gait, GaitSet
from moodwalk.generation.cycles import CycleGenerator
from moodwalk.generation.fitting import GeneratorEpoch, GeneratorTraining
from moodwalk.generation.stepgen import StepGenerator
from moodwalk.models.arrays import GENERATOR_FORMAT, check_format
from moodwalk.models.cvae import CvaeConfig
from moodwalk.models.cycle_mixture import CycleMixtureConfig
from moodwalk.models.published import convert_published_generator, read_published_checkpoint
from moodwalk.models.tensors import read_tensors, write_tensors
from moodwalk.preprocess import FPS

__all__ = [
    "GENERATORS",
    "SHIPPED_GENERATOR",
    "GaitGenerator",
    "GeneratorSpec",
    "import_published_generator",
]

SHIPPED_GENERATOR = "cycle-gen-emotion-gait.safetensors"

N_FRAMES = 75
"""What STEP's networks read: 2.5 s at 30 fps."""

_CHUNK = 128
"""Gaits drawn at a time; part of what a seed means, and a bound on memory."""


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """A generator by name.

    Parameters
    ----------
    title
        A few words.
    config
        The network.
    training
        How a network is trained; None where nothing is learned step by step.
    """

    title: str
    config: CvaeConfig | CycleMixtureConfig
    training: GeneratorTraining | None = None


GENERATORS: MappingProxyType[str, GeneratorSpec] = MappingProxyType(
    {
        "step-gen": GeneratorSpec(
            "STEP-Gen, trained as published",
            CvaeConfig(),
            GeneratorTraining(epochs=150, optimizer="adam", learning_rate=0.1, weight_decay=5e-4),
        ),
        "step-gen-tuned": GeneratorSpec(
            "STEP-Gen with a small learning rate, a warm-up of the prior and early stopping",
            CvaeConfig(),
            GeneratorTraining(
                epochs=60, learning_rate=1e-3, divergence_weight=0.1, warm_up=15, patience=20
            ),
        ),
        "cycle-gen": GeneratorSpec("gait cycles of fixed bones", CycleMixtureConfig()),
    }
)
"""Every generator by name."""

Network = CycleGenerator | StepGenerator
_KINDS: Mapping[str, type[CycleGenerator] | type[StepGenerator]] = {
    "cycles": CycleGenerator,
    "cvae": StepGenerator,
}


@dataclass(frozen=True, eq=False, slots=True)
class GaitGenerator:
    """Generate gaits of an emotion, or give a gait another one.

    Parameters
    ----------
    network
        What draws.
    classes
        The emotion of every share that the network is told.
    model
        Its name, see `GENERATORS`.
    card
        What else the weights say: training data, split, figures, limits.
    """

    network: Network
    classes: tuple[Emotion, ...]
    model: str
    card: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def fit(
        cls,
        model: str,
        gaits: GaitSet,
        *,
        seed: int = 0,
        validation: GaitSet | None = None,
        config: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        on_epoch: Callable[[GeneratorEpoch], None] | None = None,
    ) -> Self:
        """Train a generator.

        Parameters
        ----------
        model
            A name of `GENERATORS`.
        gaits
            Labelled training gaits.
        seed
            Initial weights, order and latent draws.
        validation
            Labelled gaits of other subjects, on which a network's epoch is chosen; without them the
            last epoch is kept.
        config, training
            Changes to the network and to `GeneratorTraining`.
        on_epoch
            Called after every epoch.

        Raises
        ------
        ConfigError
            If there is no such generator, or nothing to train on.
        LabelError
            If a gait has no label.
        """
        if model not in GENERATORS:
            raise ConfigError(
                f"'{model}' is no generator; expected one of {', '.join(GENERATORS)}."
            )
        spec = GENERATORS[model]
        _check_seed(seed)
        if training and spec.training is None:
            raise ConfigError(
                f"{model} learns nothing step by step; expected no {next(iter(training))}."
            )
        if not len(gaits):
            raise ConfigError("there are no gaits to train a generator on.")
        labels = set(gaits.labels.tolist())
        classes = tuple(emotion for emotion in EMOTIONS if emotion in labels)
        try:
            changed = replace(spec.config, **dict(config or {}))
            how = None if spec.training is None else replace(spec.training, **dict(training or {}))
        except TypeError as error:
            raise ConfigError(f"{model}: {error}.") from None
        shares = _make_shares(gaits, classes)
        if isinstance(changed, CycleMixtureConfig):
            return cls(CycleGenerator.fit(gaits, shares, changed, seed=seed), classes, model)
        held = None
        if validation is not None and len(validation):
            held = validation, _make_shares(validation, classes)
        assert how is not None  # as GENERATORS has it
        network = StepGenerator.fit(
            gaits, shares, changed, how, seed=seed, validation=held, on_epoch=on_epoch
        )
        return cls(network, classes, model)

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """Load weights.

        Parameters
        ----------
        path
            A file that `save` or ``moodwalk import-checkpoint`` wrote; None for the weights that
            moodwalk ships.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged or no generator.
        """
        if path is None:
            path = Path(str(files("moodwalk") / "weights" / SHIPPED_GENERATOR))
        tensors, header = read_tensors(path)
        check_format(path, header, GENERATOR_FORMAT)
        try:
            classes = tuple(Emotion(name) for name in header["classes"])
            if len(set(classes)) != len(classes) or not classes:
                raise CheckpointError(f"classes are {', '.join(classes)}; expected each once.")
            kind = _KINDS[header["kind"]]
            network = kind.from_tensors(dict(header["generator"]), tensors, len(classes))
            model, card = str(header["model"]), dict(header["card"])
        except (KeyError, TypeError, ValueError, RuntimeError, MoodwalkError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{path}: its header and weights do not fit ({reason})."
            ) from None
        return cls(network, classes, model, card)

    def describe(self) -> str:
        """Say in a sentence what the weights are and what they were trained on."""
        what = GENERATORS[self.model].title if self.model in GENERATORS else "STEP-Gen"
        data = self.card.get("data")
        if isinstance(data, dict) and {"n_train", "n_test"} <= set(data):
            return f"{what}; trained on {data['n_train']} gaits, {data['n_test']} held out."
        return f"{what}; {self.card.get('source', 'trained on unknown gaits')}."

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """Write weights and header, whole or not at all.

        Parameters
        ----------
        path
            A ``.safetensors`` file.
        card
            What else they should say; by default the card as it is.

        Raises
        ------
        DataFormatError
            If the file cannot be written there.
        """
        kind = next(name for name, kind in _KINDS.items() if isinstance(self.network, kind))
        options, tensors = self.network.to_tensors()
        header = {
            "format": GENERATOR_FORMAT,
            "model": self.model,
            "kind": kind,
            "classes": list(self.classes),
            "skeleton": "emotion-gait-16",
            "generator": options,
            "card": dict(self.card if card is None else card),
        }
        write_tensors(path, tensors, header)

    def generate(
        self,
        n: int,
        emotion: str | Sequence[str] | None = None,
        *,
        seed: int = 0,
        n_frames: int = N_FRAMES,
        fps: float = FPS,
        cadence_spm: float | None = None,
        like_data: bool = False,
        published_latent: bool = False,
    ) -> GaitSet:
        """Generate gaits; see `generate_pieces`, whose options these are."""
        pieces = self.generate_pieces(
            n,
            emotion,
            seed=seed,
            n_frames=n_frames,
            fps=fps,
            cadence_spm=cadence_spm,
            like_data=like_data,
            published_latent=published_latent,
        )
        return GaitSet(gait for piece in pieces for gait in piece)

    def generate_pieces(
        self,
        n: int,
        emotion: str | Sequence[str] | None = None,
        *,
        seed: int = 0,
        n_frames: int = N_FRAMES,
        fps: float = FPS,
        cadence_spm: float | None = None,
        like_data: bool = False,
        published_latent: bool = False,
    ) -> Generator[GaitSet]:
        """Generate gaits, a hundred or so at a time.

        Parameters
        ----------
        n
            How many.
        emotion
            One of the four, or several that take turns; all that the network knows by default.
        seed
            Makes them repeat. The first gaits are the same however many follow.
        n_frames, fps
            Length and frame rate.
        cadence_spm
            Steps a minute; None draws each gait's own.
        like_data
            Whether as many gaits face -z as in the training data, otherwise none does, and whether
            each is one gait cycle long, whatever `n_frames`. Gaits to train on beside real ones.
        published_latent
            Whether latent points are drawn as the authors of STEP-Gen did, rather than from the
            prior.

        Yields
        ------
        GaitSet
            Synthetic gaits, root at the origin, named ``00001_Happy`` and so on.

        Raises
        ------
        ConfigError
            If a number makes no sense, or the network cannot do it.
        LabelError
            If an emotion is unknown.
        """
        wanted = self._find_emotions(emotion)
        _check_seed(seed)
        if n < 1:
            raise ConfigError(f"{n} gaits asked for; expected at least 1.")
        if not MIN_FRAMES <= n_frames <= MAX_FRAMES:
            raise ConfigError(
                f"{n_frames} frames asked for; expected {MIN_FRAMES} to {MAX_FRAMES:,}."
            )
        if not (np.isfinite(fps) and 0 < fps <= 1000):
            raise ConfigError(f"fps is {fps}; expected a positive number up to 1000.")
        if cadence_spm is not None and not 20 <= cadence_spm <= 300:
            raise ConfigError(f"cadence is {cadence_spm} steps a minute; expected 20 to 300.")
        rows = np.eye(len(self.classes))[[self.classes.index(e) for e in wanted]]
        piece: list[Gait] = []
        for first in range(0, n, _CHUNK):
            # each chunk has random numbers of its own, and draws all of them whatever is used
            turns = (first + np.arange(_CHUNK)) % len(wanted)
            drawn = self.network.draw(
                rows[turns],
                np.random.default_rng([seed, first]),
                n_frames=n_frames,
                fps=fps,
                cadence_spm=cadence_spm,
                like_data=like_data,
                published_latent=published_latent,
            )
            for i, (positions, turn) in enumerate(zip(drawn, turns[: n - first], strict=False)):
                piece.append(
                    Gait(
                        positions.astype(np.float32),
                        fps,
                        name=f"{first + i + 1:05d}_{wanted[turn].title()}",
                        label=wanted[turn],
                        source=self.model,
                        synthetic=True,
                    )
                )
                if sum(map(len, piece)) >= _CHUNK * N_FRAMES:
                    yield GaitSet(piece)
                    piece = []
        if piece:
            yield GaitSet(piece)

    def generate_like(self, gaits: GaitSet, n: int | None = None, *, seed: int = 0) -> GaitSet:
        """Generate gaits to stand beside real ones: their emotions, lengths, facing and frame rate.

        Parameters
        ----------
        gaits
            Labelled real gaits of one frame rate.
        n
            How many; by default as many as there are. Gait i takes after gait i of these, and after
            the last one comes the first again.
        seed
            Makes them repeat.

        Returns
        -------
        GaitSet
            Synthetic gaits. Those of gait cycles are one cycle long, as Emotion-Gait's are; others
            are cut to the length of the gait that they take after.

        Raises
        ------
        ConfigError
            If a number makes no sense, or the network cannot do it.
        LabelError
            If a gait has no label.
        """
        if not len(gaits):
            raise ConfigError("there are no gaits to take after; expected at least one.")
        if len({gait.fps for gait in gaits}) != 1:
            raise ConfigError(
                f"{len(gaits)} gaits of {len({gait.fps for gait in gaits})} frame rates to take after; "
                f"expected one."
            )
        made = self.generate(
            len(gaits) if n is None else n,
            gaits.labels.tolist(),
            seed=seed,
            fps=gaits[0].fps,
            like_data=True,
        )
        if isinstance(self.network, CycleGenerator):
            return made
        return GaitSet(
            gait.with_positions(gait.positions[: len(gaits[i % len(gaits)])])
            for i, gait in enumerate(made)
        )

    def restyle(
        self,
        gait: Gait,
        emotion: str,
        *,
        strength: float = 1.0,
        before: Mapping[Emotion, float] | None = None,
    ) -> Gait:
        """Give a walk another emotion.

        Parameters
        ----------
        gait
            The walk.
        emotion
            One of the four.
        strength
            From 0, the walk's own emotion, to 1, the one wanted; beyond 1 exaggerates.
        before
            The walk's own emotion as shares; by default its label.

        Returns
        -------
        Gait
            Synthetic, with the emotion as its label.

        Raises
        ------
        ConfigError
            If strength is no number from 0 to 3, or nothing tells the walk's own emotion.
        QualityError
            If the walk cannot be encoded: joints are missing, or no gait cycle is found.
        LabelError
            If the emotion is unknown.
        """
        (wanted,) = self._find_emotions(emotion)
        if not 0 <= strength <= 3:
            raise ConfigError(f"strength is {strength}; expected 0 to 3, 1 for the emotion itself.")
        if before is None:
            if gait.label is None:
                raise ConfigError(
                    f"gait {gait.name!r} has no label; expected one, or its emotion as shares."
                )
            before = {gait.label: 1.0}
        own = np.array([before.get(name, 0.0) for name in self.classes])
        if not (own.min() >= 0 and 0 < own.sum() < np.inf):
            raise ConfigError(
                f"the walk's own emotion is {dict(before)}; expected shares of "
                f"{', '.join(self.classes)}."
            )
        after = np.array([float(name == wanted) for name in self.classes])
        restyled = self.network.restyle(gait, own / own.sum(), after, strength)
        if not np.isfinite(restyled.positions).all():
            raise QualityError(f"gait {gait.name!r} cannot be encoded: expected finite positions.")
        return replace(
            restyled,
            name=f"{gait.name}_{wanted.title()}" if gait.name else wanted.title(),
            label=wanted,
            acted=None,
            synthetic=True,
            published_features=None,
        )

    def _find_emotions(self, emotion: str | Sequence[str] | None) -> list[Emotion]:
        if emotion is None:
            return list(self.classes)
        names = [emotion] if isinstance(emotion, str) else list(emotion)
        wanted = [parse_emotion(name) for name in names]
        if unknown := [name for name in wanted if name not in self.classes]:
            raise ConfigError(
                f"these weights know no {unknown[0]}; expected one of {', '.join(self.classes)}."
            )
        if not wanted:
            raise ConfigError(f"no emotion asked for; expected one of {', '.join(self.classes)}.")
        return wanted


def import_published_generator(source: str | Path, output: str | Path) -> GaitGenerator:
    """Turn the published STEP-Gen into this package's weights, whole or not at all.

    Parameters
    ----------
    source
        The authors' ``.pth.tar`` file.
    output
        The ``.safetensors`` file to write.

    Raises
    ------
    CheckpointError
        If the source cannot be read or is no published generator.
    DataFormatError
        If the output cannot be written.
    """
    try:
        network, classes = convert_published_generator(read_published_checkpoint(source))
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None
    card = {
        "source": f"published weights of STEP-Gen, imported from {Path(source).name}",
        "limits": "Which gaits it was trained on is not known.",
    }
    generator = GaitGenerator(StepGenerator(network), classes, "step-gen-published", card)
    generator.save(output)
    return generator


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed is {seed}; expected 0 to {2**32 - 1}.")


def _make_shares(gaits: GaitSet, classes: Sequence[Emotion]) -> NDArray[np.float64]:
    labels = gaits.labels.tolist()
    if unknown := sorted(set(labels) - set(classes)):
        raise ConfigError(f"validation has {unknown[0]} gaits, training none; expected some.")
    return np.eye(len(classes))[[classes.index(Emotion(name)) for name in labels]]
