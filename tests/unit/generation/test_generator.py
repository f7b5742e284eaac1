"""What generators make, what they make of a walk, and which files they refuse."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from moodwalk.cycles import compute_cadence
from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import CheckpointError, ConfigError, DataFormatError, LabelError, QualityError
from moodwalk.gait import MAX_FRAMES, Gait, GaitSet
from moodwalk.generation.generator import GaitGenerator
from moodwalk.harmonics import compute_bone_vectors
from moodwalk.models.arrays import GENERATOR_FORMAT
from moodwalk.models.tensors import read_tensors, write_tensors
from moodwalk.predict import Predictor
from moodwalk.splitting import split_by_subject
from moodwalk.summary import has_swapped_sides
from moodwalk.walker import WalkerParameters, simulate_gait, simulate_walks

SMALL = {"encoder": (4,), "decoder": (4,), "n_latent": 3, "kernel": 3}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def walks():
    return simulate_walks(n_subjects=24, gaits_per_subject=4, seed=1)


@pytest.fixture(scope="module")
def generator(walks):
    """cycle-gen, of simulated walks."""
    return GaitGenerator.fit("cycle-gen", walks)


@pytest.fixture(scope="module")
def painter(walks):
    """step-gen, small and hardly trained."""
    return GaitGenerator.fit("step-gen", walks[:16], config=SMALL, training={"epochs": 2})


@pytest.fixture(params=["generator", "painter"])
def either(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def real_parts(real_gaits):
    """cycle-gen of four fifths of the real subjects, and gaits of the others."""
    kept, held, _ = split_by_subject(
        real_gaits.labels, real_gaits.subjects, (0.8, 0.2, 0.0), seed=0
    )
    return GaitGenerator.fit("cycle-gen", real_gaits[kept]), real_gaits[held]


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load()


def assert_same(gaits, others):
    assert len(gaits) == len(others)
    for gait, other in zip(gaits, others, strict=True):
        np.testing.assert_array_equal(gait.positions, other.positions)
        assert (gait.name, gait.label, gait.fps) == (other.name, other.label, other.fps)


def measure_bones(gait):
    """Return (T, 15)."""
    return np.linalg.norm(compute_bone_vectors(gait.positions.astype(np.float64)), axis=2)


class TestGenerating:
    def test_what_a_generated_gait_says_of_itself(self, either):
        gaits = either.generate(5)
        assert either.classes == EMOTIONS
        assert [gait.name for gait in gaits] == [
            "00001_Happy", "00002_Angry", "00003_Sad", "00004_Neutral", "00005_Happy",
        ]  # fmt: skip
        assert [gait.label for gait in gaits] == [*EMOTIONS, Emotion.HAPPY]
        for gait in gaits:
            assert gait.synthetic
            assert gait.source == either.model
            assert (gait.subject, gait.acted, gait.published_features) == (None, None, None)
            assert gait.positions.dtype == np.float32
            assert (len(gait), gait.fps) == (75, 30.0)
            assert np.isfinite(gait.positions).all()

    @pytest.mark.parametrize(
        ("emotion", "expected"),
        [
            ("sad", ["sad"] * 4),
            ("SAD", ["sad"] * 4),
            (["sad", "angry"], ["sad", "angry"] * 2),
            (["happy", "sad", "happy"], ["happy", "sad", "happy", "happy"]),
            (Emotion.NEUTRAL, ["neutral"] * 4),
        ],
    )
    def test_emotions_take_turns(self, either, emotion, expected):
        assert either.generate(4, emotion).labels.tolist() == expected

    def test_the_first_gaits_are_the_same_however_many_follow(self, either):
        many = either.generate(140, seed=3)  # more than are drawn at a time
        for n in (1, 127, 129):
            assert_same(either.generate(n, seed=3), many[:n])

    def test_pieces_are_parts_of_the_whole(self, either):
        pieces = list(either.generate_pieces(300, "sad", seed=1))
        assert [len(piece) for piece in pieces] == [128, 128, 44]
        assert_same(
            [gait for piece in pieces for gait in piece], either.generate(300, "sad", seed=1)
        )

    def test_pieces_are_made_when_they_are_asked_for(self, generator):
        pieces = generator.generate_pieces(10**9, n_frames=300)
        names = [gait.name for piece in islice(pieces, 3) for gait in piece]
        assert names[:2] == ["00001_Happy", "00002_Angry"]
        assert len(set(names)) == len(names) == 3 * 32

    def test_a_seed_repeats_and_another_does_not(self, either):
        one, again, other = (either.generate(3, seed=seed) for seed in (5, 5, 6))
        assert_same(one, again)
        assert not np.allclose(one[0].positions, other[0].positions, atol=1e-4)

    def test_no_gait_is_made_twice(self, generator):
        gaits = generator.generate(200, "sad", seed=2)
        assert len({gait.positions.tobytes() for gait in gaits}) == 200

    @pytest.mark.parametrize(("n_frames", "fps"), [(4, 30.0), (75, 12.5), (301, 100.0)])
    def test_length_and_frame_rate_are_those_asked_for(self, generator, n_frames, fps):
        for gait in generator.generate(3, n_frames=n_frames, fps=fps):
            assert (len(gait), gait.fps) == (n_frames, fps)

    def test_a_frame_rate_changes_nothing_of_the_walk(self, generator):
        slow, fast = (
            generator.generate(4, n_frames=n, fps=fps) for n, fps in ((60, 30.0), (75, 37.5))
        )
        for one, other in zip(slow, fast, strict=True):
            np.testing.assert_allclose(
                one.positions[::4], other.positions[::5], atol=1e-5 * measure_bones(one).max()
            )

    def test_bones_are_fixed_and_the_root_is_at_the_origin(self, generator):
        for gait in generator.generate(4):
            bones = measure_bones(gait)
            np.testing.assert_allclose(bones, np.broadcast_to(bones[0], bones.shape), rtol=1e-4)
            assert not gait.positions[:, 0].any()

    @pytest.mark.parametrize("cadence_spm", [60.0, 104.0, 150.0])
    def test_the_cadence_asked_for_is_found(self, generator, cadence_spm):
        gaits = generator.generate(12, n_frames=150, cadence_spm=cadence_spm)
        found = [compute_cadence(gait) for gait in gaits]
        assert found == pytest.approx([cadence_spm] * 12, rel=0.01)

    def test_without_one_sad_gaits_are_slower_than_angry_ones(self, generator):
        sad, angry = (
            np.median([compute_cadence(g) for g in generator.generate(40, e, n_frames=150)])
            for e in ("sad", "angry")
        )
        assert 70 < sad < angry - 15 < 125

    def test_gaits_like_the_data_face_as_they_do(self, real_parts):
        generator, _ = real_parts
        usual = generator.generate(128)
        alike = generator.generate(128, n_frames=4, like_data=True)
        assert {has_swapped_sides(gait) for gait in usual} == {False}
        assert 0.5 < np.mean([has_swapped_sides(gait) for gait in alike]) < 0.8

    def test_gaits_like_the_data_are_one_cycle_long(self, generator):
        whole = generator.generate(20, fps=15.0)  # several cycles of the same walks
        for gait, longer in zip(
            generator.generate(20, fps=60.0, like_data=True), whole, strict=True
        ):
            assert gait.duration_s == pytest.approx(120 / compute_cadence(longer), rel=0.02)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"n": 0}, "0 gaits asked for; expected at least 1"),
            ({"n": -3}, "-3 gaits asked for"),
            ({"n_frames": 3}, "3 frames asked for; expected 4 to 200,000"),
            ({"n_frames": MAX_FRAMES + 1}, "frames asked for"),
            ({"fps": 0.0}, "fps is 0.0; expected a positive number up to 1000"),
            ({"fps": -30.0}, "fps is -30"),
            ({"fps": float("nan")}, "fps is nan"),
            ({"fps": float("inf")}, "fps is inf"),
            ({"fps": 1001.0}, "fps is 1001"),
            ({"cadence_spm": 19.9}, "cadence is 19.9 steps a minute; expected 20 to 300"),
            ({"cadence_spm": 301.0}, "cadence is 301"),
            ({"cadence_spm": float("nan")}, "cadence is nan"),
            ({"emotion": []}, "no emotion asked for; expected one of happy, angry, sad, neutral"),
            ({"seed": -1}, "seed is -1"),
        ],
        ids=str,
    )
    def test_numbers_that_make_no_sense_are_refused(self, either, options, words):
        with pytest.raises(ConfigError, match=words):
            either.generate(**{"n": 2} | options)

    def test_emotions_that_are_none_are_refused(self, either):
        for emotion in ("bored", ["sad", "bored"]):
            with pytest.raises(LabelError, match="'bored' is no emotion"):
                either.generate(2, emotion)

    def test_emotions_that_the_weights_do_not_know_are_refused(self, walks):
        sad = GaitGenerator.fit("cycle-gen", walks[walks.labels == "sad"])
        assert sad.classes == (Emotion.SAD,)
        assert sad.generate(3).labels.tolist() == ["sad"] * 3
        with pytest.raises(ConfigError, match="these weights know no angry; expected one of sad"):
            sad.generate(2, "angry")

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"n_frames": 76}, "76 frames at 30 fps asked of a network that paints 75 at 30"),
            ({"fps": 60.0}, "75 frames at 60 fps asked of a network that paints 75 at 30"),
            ({"cadence_spm": 100.0}, "gives no choice of cadence; expected none"),
        ],
    )
    def test_what_step_gen_cannot_do_is_refused(self, painter, options, words):
        with pytest.raises(ConfigError, match=words):
            painter.generate(1, **options)

    def test_step_gen_is_cut_to_fewer_frames(self, painter):
        for short, whole in zip(painter.generate(3, n_frames=20), painter.generate(3), strict=True):
            np.testing.assert_array_equal(short.positions, whole.positions[:20])

    def test_the_published_latent_points_are_other_ones(self, painter, generator):
        one, other = (painter.generate(3, published_latent=p) for p in (False, True))
        assert not np.allclose(one[0].positions, other[0].positions)
        with pytest.raises(ConfigError, match="has no latent points; expected STEP-Gen's weights"):
            generator.generate(1, published_latent=True)

    def test_generated_gaits_stand_beside_real_ones(self, either, walks):
        made = either.generate_like(walks[:6], 10, seed=2)
        assert made.labels.tolist() == [*walks.labels[:6], *walks.labels[:4]]
        assert_same(made, either.generate_like(walks[:6], 10, seed=2))
        assert len(either.generate_like(walks[:6])) == 6
        if either.model == "step-gen":
            lengths = [len(gait) for gait in walks[:6]]
            assert [len(gait) for gait in made] == [*lengths, *lengths[:4]]
        with pytest.raises(ConfigError, match="no gaits to take after; expected at least one"):
            either.generate_like(GaitSet([]))
        with pytest.raises(LabelError, match="has no label"):
            either.generate_like(GaitSet([replace(walks[0], label=None)]))


class TestFitting:
    def test_a_name_that_is_none_is_refused(self, walks):
        with pytest.raises(ConfigError, match="'gan' is no generator; expected one of step-gen, "):
            GaitGenerator.fit("gan", walks)

    def test_options_that_mean_nothing_are_refused(self, walks):
        with pytest.raises(ConfigError, match=r"cycle-gen: .*'rank'"):
            GaitGenerator.fit("cycle-gen", walks, config={"rank": 3})
        with pytest.raises(ConfigError, match=r"step-gen: .*'rate'"):
            GaitGenerator.fit("step-gen", walks, training={"rate": 3})

    def test_a_training_of_what_learns_nothing_step_by_step_is_refused(self, walks):
        with pytest.raises(ConfigError, match="cycle-gen"):
            GaitGenerator.fit("cycle-gen", walks, training={"epochs": 3})

    @pytest.mark.parametrize("model", ["cycle-gen", "step-gen"])
    def test_gaits_that_cannot_be_trained_on_are_refused(self, walks, model):
        with pytest.raises(ConfigError, match="there are no gaits to train a generator on"):
            GaitGenerator.fit(model, GaitSet([]))
        with pytest.raises(LabelError, match="has no label"):
            GaitGenerator.fit(model, GaitSet([*walks[:20], replace(walks[0], label=None)]))

    def test_too_few_gaits_with_a_cycle_are_refused(self, walks):
        still = [g.with_positions(np.repeat(g.positions[:1], 40, axis=0)) for g in walks[:30]]
        with pytest.raises(ConfigError, match="11 gait cycles; expected at least 12"):
            GaitGenerator.fit("cycle-gen", GaitSet([*still, *walks[:11]]))

    def test_gaits_without_a_cycle_are_left_out(self, walks, generator):
        still = [g.with_positions(np.repeat(g.positions[:1], 40, axis=0)) for g in walks[:4]]
        mixed = GaitGenerator.fit("cycle-gen", GaitSet([*still, *walks]))
        assert_same(mixed.generate(3), generator.generate(3))

    def test_validation_of_another_emotion_is_refused(self, walks):
        sad = walks[walks.labels == "sad"]
        with pytest.raises(ConfigError, match="validation has angry gaits, training none"):
            GaitGenerator.fit(
                "step-gen", sad, validation=walks, config=SMALL, training={"epochs": 1}
            )

    def test_a_negative_seed_is_refused(self, walks):
        with pytest.raises(ConfigError, match="seed is -1"):
            GaitGenerator.fit("cycle-gen", walks, seed=-1)

    def test_the_seed_of_a_network_decides_its_weights(self, walks):
        one, again, other = (
            GaitGenerator.fit(
                "step-gen", walks[:8], config=SMALL, training={"epochs": 1}, seed=seed
            ).generate(1)
            for seed in (0, 0, 1)
        )
        assert_same(one, again)
        assert not np.allclose(one[0].positions, other[0].positions)


class TestFiles:
    @pytest.fixture
    def path(self, either, tmp_path):
        path = tmp_path / "weights.safetensors"
        either.save(path, {"data": "simulated walks"})
        return path

    def test_what_was_saved_makes_the_same_gaits_bit_for_bit(self, either, path, walks):
        loaded = GaitGenerator.load(path)
        assert (loaded.model, loaded.classes) == (either.model, either.classes)
        assert loaded.card == {"data": "simulated walks"}
        assert_same(loaded.generate(140, seed=9), either.generate(140, seed=9))
        restyled, expected = (g.restyle(walks[3], "sad") for g in (loaded, either))
        assert_same([restyled], [expected])

    def test_the_card_is_kept_where_none_is_given(self, path, tmp_path):
        again = tmp_path / "again.safetensors"
        GaitGenerator.load(path).save(again)
        assert GaitGenerator.load(again).card == {"data": "simulated walks"}
        assert again.read_bytes() == path.read_bytes()

    def test_the_file_says_what_it_is(self, either, path):
        _, header = read_tensors(path)
        assert header["format"] == GENERATOR_FORMAT
        assert header["model"] == either.model
        assert header["classes"] == ["happy", "angry", "sad", "neutral"]
        assert header["skeleton"] == "emotion-gait-16"

    def test_a_place_that_cannot_be_written_is_refused(self, either, tmp_path):
        with pytest.raises(DataFormatError, match="is a folder"):
            either.save(tmp_path)

    def test_weights_of_the_other_kind_are_refused_both_ways(self, path, predictor, tmp_path):
        with pytest.raises(CheckpointError) as caught:
            Predictor.load(path)
        assert f"{path} is a generator; expected a classifier ('moodwalk-classifier-1')" in str(
            caught.value
        )
        assert "\n" not in str(caught.value)
        from moodwalk.models.checkpoint import write_checkpoint

        other = tmp_path / "classifier.safetensors"
        write_checkpoint(other, predictor.checkpoint)
        with pytest.raises(CheckpointError) as caught:
            GaitGenerator.load(other)
        assert f"{other} is a classifier; expected a generator ('moodwalk-generator-1')" in str(
            caught.value
        )
        assert "\n" not in str(caught.value)

    def test_a_file_that_is_not_there_or_cut_is_refused(self, path):
        with pytest.raises(CheckpointError, match="is no file; expected moodwalk weights"):
            GaitGenerator.load(path.parent)
        content = path.read_bytes()
        for length in [*range(0, len(content), len(content) // 13), len(content) - 1]:
            path.write_bytes(content[:length])
            with pytest.raises(CheckpointError, match="cannot be read as moodwalk weights"):
                GaitGenerator.load(path)

    @pytest.mark.parametrize(
        "change",
        [
            {"classes": ["happy", "sad", "angry"]},
            {"classes": ["happy", "happy", "sad", "angry"]},
            {"classes": ["happy", "angry", "sad", "bored"]},
            {"classes": []},
            {"classes": None},
            {"kind": "gan"},
            {"kind": ["cvae"]},
            {"generator": None},
            {"generator": 3},
            {"card": 3},
            {"format": "moodwalk-generator-9"},
            {"format": None},
        ],
        ids=str,
    )
    def test_a_header_that_does_not_fit_is_refused_in_one_line(self, path, change):
        tensors, header = read_tensors(path)
        write_tensors(path, tensors, header | change)
        with pytest.raises(CheckpointError) as caught:
            GaitGenerator.load(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("key", ["classes", "kind", "generator", "model", "card"])
    def test_a_header_that_lacks_something_is_refused(self, path, key):
        tensors, header = read_tensors(path)
        del header[key]
        write_tensors(path, tensors, header)
        with pytest.raises(CheckpointError, match="its header and weights do not fit"):
            GaitGenerator.load(path)

    def test_the_other_kind_of_generator_is_refused(self, path):
        tensors, header = read_tensors(path)
        kind = "cvae" if header["kind"] == "cycles" else "cycles"
        write_tensors(path, tensors, header | {"kind": kind})
        with pytest.raises(CheckpointError, match="its header and weights do not fit"):
            GaitGenerator.load(path)

    def test_weights_that_are_missing_or_of_another_shape_are_refused(self, path):
        tensors, header = read_tensors(path)
        # how many batches a norm has seen decides nothing, and torch takes it as it comes
        for name in [name for name in tensors if not name.endswith("num_batches_tracked")][::4]:
            for change in ({}, {name: torch.zeros(3, 2, 5)}):
                rest = {k: v for k, v in tensors.items() if k != name}
                write_tensors(path, rest | change, header)
                with pytest.raises(CheckpointError, match="its header and weights do not fit"):
                    GaitGenerator.load(path)

    def test_weights_that_are_no_numbers_are_refused(self, generator, tmp_path):
        self.spoil(generator, tmp_path / "weights.safetensors", "means")

    def test_weights_of_a_network_that_are_no_numbers_are_refused(self, painter, tmp_path):
        self.spoil(painter, tmp_path / "weights.safetensors", "start.weight")

    @staticmethod
    def spoil(generator, path, name):
        generator.save(path)
        tensors, header = read_tensors(path)
        tensors[name].view(-1)[0] = float("nan")
        write_tensors(path, tensors, header)
        with pytest.raises((CheckpointError, QualityError)):
            GaitGenerator.load(path).generate(1)

    def test_a_claim_of_absurdly_many_frames_is_refused(self, painter, tmp_path):
        path = tmp_path / "weights.safetensors"
        painter.save(path)
        tensors, header = read_tensors(path)
        header["generator"]["network"]["n_frames"] = 10**9
        write_tensors(path, tensors, header)
        with pytest.raises(CheckpointError, match="do not fit"):
            GaitGenerator.load(path)


class TestRestyling:
    @pytest.mark.parametrize("fps", [30.0, 50.0])
    @pytest.mark.parametrize("turned", [False, True])
    def test_strength_0_is_the_walk_itself(self, generator, fps, turned):
        walk = simulate_gait(n_frames=130, fps=fps, travel=True, phase=0.4, label=Emotion.HAPPY)
        walk = walk.with_positions(walk.positions * [1, 1, -1 if turned else 1])
        restyled = generator.restyle(walk, "sad", strength=0.0)
        np.testing.assert_allclose(restyled.positions, walk.positions, atol=1e-9)
        assert restyled.positions.dtype == walk.positions.dtype
        assert restyled.fps == fps

    def test_strength_0_is_the_real_walk_itself(self, real_parts):
        generator, held = real_parts
        for gait in held[:20]:
            if compute_cadence(gait) is not None:
                restyled = generator.restyle(gait, "angry", strength=0.0)
                np.testing.assert_allclose(restyled.positions, gait.positions, atol=1e-5)

    def test_its_own_emotion_leaves_the_walk_as_it_is(self, generator, walks):
        gait = walks[0]
        restyled = generator.restyle(gait, str(gait.label), strength=2.0)
        np.testing.assert_allclose(restyled.positions, gait.positions, atol=1e-9)

    @pytest.mark.parametrize("emotion", ["sad", "angry"])
    @pytest.mark.parametrize("turned", [False, True])
    def test_bones_and_path_are_kept_and_cadence_is_not(self, generator, emotion, turned):
        walk = simulate_gait(
            WalkerParameters(noise_m=0, sway_m=0), n_frames=160, travel=True, label=Emotion.HAPPY
        )
        walk = walk.with_positions(walk.positions * [1, 1, -1 if turned else 1])
        restyled = generator.restyle(walk, emotion)
        # positions are resampled, which bends a bone by a hundredth
        np.testing.assert_allclose(
            measure_bones(restyled), measure_bones(walk)[:1].repeat(len(restyled), 0), rtol=0.02
        )
        assert has_swapped_sides(restyled) == turned
        slower = len(restyled) / len(walk)
        assert slower > 1.1 if emotion == "sad" else slower < 0.97
        assert compute_cadence(restyled) == pytest.approx(compute_cadence(walk) / slower, rel=0.02)
        at = np.arange(len(restyled)) * (len(walk) - 1) / (len(restyled) - 1)
        for axis in range(3):
            path = np.interp(at, np.arange(len(walk)), walk.positions[:, 0, axis])
            np.testing.assert_allclose(restyled.positions[:, 0, axis], path, atol=0.02)

    def test_what_a_restyled_walk_says_of_itself(self, either, walks):
        gait = replace(walks[0], acted=Emotion.HAPPY, published_features=np.zeros(27))
        restyled = either.restyle(gait, "Sad")
        assert restyled.name == f"{gait.name}_Sad"
        assert restyled.label == Emotion.SAD
        assert restyled.synthetic
        assert (restyled.acted, restyled.published_features) == (None, None)
        assert restyled.subject == gait.subject
        assert either.restyle(replace(gait, name=""), "sad").name == "Sad"
        assert_same([either.restyle(gait, "sad")], [restyled])

    def test_more_strength_is_more_of_a_change(self, either, walks):
        gait = walks[1]
        plain = either.restyle(gait, "sad", strength=0.0).positions
        sizes = []
        for strength in (0.5, 1.0, 2.0):
            changed = either.restyle(gait, "sad", strength=strength).positions
            n = min(len(plain), len(changed), 12)
            sizes.append(np.abs(changed[:n] - plain[:n]).mean())
        assert 0 < sizes[0] < sizes[1] < sizes[2]

    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_a_simulated_walk_looks_more_like_the_emotion(self, generator, predictor, emotion):
        own = simulate_walks(n_subjects=8, gaits_per_subject=4, seed=2)
        own = own[own.labels != str(emotion)]
        assert self.find_share(generator, predictor, own, emotion) >= 0.65

    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_a_real_walk_looks_more_like_the_emotion(self, real_parts, predictor, emotion):
        """Of subjects whom the generator has not seen (the classifier has)."""
        generator, held = real_parts
        own = [g for g in held if g.label != emotion and compute_cadence(g) is not None][:40]
        assert len(own) > 30
        assert self.find_share(generator, predictor, own, emotion) >= 0.85

    @staticmethod
    def find_share(generator, predictor, gaits, emotion):
        before, after = (
            np.array([p.probabilities[emotion] for p in predictor.predict_many(list(walks))])
            for walks in (gaits, [generator.restyle(gait, emotion) for gait in gaits])
        )
        return (after > before).mean()

    def test_a_walk_without_label_needs_its_emotion_as_shares(self, generator, walks):
        unlabelled = replace(walks[0], label=None)
        with pytest.raises(ConfigError, match="has no label; expected one, or its emotion as sha"):
            generator.restyle(unlabelled, "sad")
        own = walks[0].label
        restyled = generator.restyle(unlabelled, "sad", before={own: 2.0})
        np.testing.assert_array_equal(
            restyled.positions, generator.restyle(walks[0], "sad").positions
        )
        half = generator.restyle(unlabelled, "sad", before={own: 0.5, Emotion.SAD: 0.5})
        np.testing.assert_allclose(
            half.positions, generator.restyle(walks[0], "sad", strength=0.5).positions, atol=1e-9
        )

    @pytest.mark.parametrize(
        "before",
        [{}, {"sad": 0.0}, {"sad": -1.0, "happy": 2.0}, {"sad": float("nan")}, {"sad": np.inf}],
        ids=str,
    )
    def test_shares_that_are_none_are_refused(self, either, walks, before):
        with pytest.raises(ConfigError, match=r"the walk's own emotion is .*; expected shares of"):
            either.restyle(walks[0], "sad", before=before)

    @pytest.mark.parametrize("strength", [float("nan"), -0.1, 3.1, float("inf")])
    def test_a_strength_that_is_none_is_refused(self, either, walks, strength):
        with pytest.raises(ConfigError, match=r"strength is .*; expected 0 to 3"):
            either.restyle(walks[0], "sad", strength=strength)

    def test_a_walk_that_cannot_be_read_is_refused(self, either, walks):
        positions = walks[0].positions.copy()
        positions[3, 4] = np.nan
        with pytest.raises(QualityError, match="missing"):
            either.restyle(walks[0].with_positions(positions), "sad")
        with pytest.raises(LabelError, match="'bored' is no emotion"):
            either.restyle(walks[0], "bored")

    def test_somebody_who_stands_has_no_cycle_to_restyle(self, generator):
        still = Gait(np.repeat(simulate_gait().positions[:1], 60, axis=0), 30.0, label="sad")
        with pytest.raises(QualityError, match="no gait cycle found"):
            generator.restyle(still, "happy")

    def test_a_bone_without_length_outside_the_middle_is_refused(self, generator):
        walk = simulate_gait(n_frames=900, label=Emotion.HAPPY)
        positions = walk.positions.copy()
        positions[0, 3] = positions[0, 2]  # the cycle is sought in the middle
        with pytest.raises(QualityError):
            generator.restyle(walk.with_positions(positions), "sad")

    def test_step_gen_gives_back_what_it_encodes(self, painter, walks):
        restyled = painter.restyle(walks[0], "sad")
        assert (len(restyled), restyled.fps) == (75, 30.0)
        assert not np.allclose(
            restyled.positions, painter.restyle(walks[0], "sad", strength=0.0).positions
        )
