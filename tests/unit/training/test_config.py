import json
from dataclasses import replace

import pytest

from moodwalk.augment import Augmentation
from moodwalk.errors import ConfigError
from moodwalk.training import TrainingConfig


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("epochs", 0, "epochs is 0; expected at least 1"),
        ("batch_size", 1, "normalisation needs at least 2"),
        ("learning_rate", 0.0, "expected a positive number"),
        ("learning_rate", float("nan"), "expected a positive number"),
        ("weight_decay", -1e-4, "weight_decay is -0.0001; expected 0 or more"),
        ("label_smoothing", 1.0, "expected a share from 0 up to 1"),
        ("label_smoothing", -0.1, "expected a share from 0 up to 1"),
        ("optimizer", "lion", "'lion'; expected adam or sgd"),
        ("select", "best", "'best'; expected one of last, loss, accuracy"),
        ("class_weight", "even", "'even'; expected balanced or none"),
        ("precision", "float64", "'float64'; expected float32, bfloat16 or float16"),
        ("decay_at", (0.5, 5.0), "expected shares of the epochs"),
        ("learning_rate", float("inf"), "expected a positive number"),
        ("patience", 0, "patience is 0; expected at least 1, or none"),
        ("seed", -1, "seed is -1; expected 0 to 4294967295"),
    ],
)
def test_values_that_make_no_training_are_refused(option, value, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**{option: value})


def test_options_are_what_json_gives_back():
    config = TrainingConfig(augmentation=Augmentation(mirror=0.5, noise_m=0.01), decay_at=(0.5,))
    assert json.loads(json.dumps(config.to_dict())) == config.to_dict()
    assert config.to_dict()["augmentation"]["mirror"] == 0.5
    assert config.to_dict() != replace(config, seed=1).to_dict()


def test_the_defaults_are_those_published():
    config = TrainingConfig()
    assert (config.batch_size, config.optimizer) == (8, "adam")
    assert (config.learning_rate, config.weight_decay) == (1e-3, 1e-4)
    assert config.decay_at == (0.5, 0.75, 0.875)
