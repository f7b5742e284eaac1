"""Records of cells, made by hand, for tests of what is read from them."""

import numpy as np

from moodwalk.experiments.config import parse_experiment

CLASSES = ["happy", "angry", "sad", "neutral"]
N_GAITS = 40


def make_experiment(names=("base", "other"), **changes):
    models = [{"name": name, "model": "extra-trees"} for name in names]
    return parse_experiment({"title": "A test", "question": "Which?", "models": models, **changes})


def make_gaits(n=N_GAITS, n_subjects=10):
    return {
        "n_gaits": n,
        "n_subjects": n_subjects,
        "n_synthetic": 0,
        "labels": dict.fromkeys(CLASSES, n // 4),
        "digest": "0" * 32,
        "subjects": [i % n_subjects for i in range(n)],
    }


def make_records(name, skill, *, folds=4, repeats=1, split="subject", seed=0, epochs=None):
    """Return records by key of a model that is right with probability `skill`.

    epochs: skills after every epoch; the last one is kept.
    """
    rng = np.random.default_rng(seed)
    truth = np.arange(N_GAITS) % 4
    records = {}
    for repeat in range(repeats):
        order = np.random.default_rng(repeat).permutation(N_GAITS)
        for fold, test in enumerate(np.array_split(order, folds)):
            test = np.sort(test)
            answers = [answer(rng, truth[test], s) for s in (epochs or [skill])]
            predicted = answers[-1]
            table = np.full((len(test), 4), 0.1)
            table[np.arange(len(test)), predicted] = 0.7
            history = None
            if epochs:
                losses = np.linspace(1, 0.5, len(epochs)).tolist()
                history = {
                    "epoch": list(range(1, len(epochs) + 1)),
                    "train_loss": losses,
                    "validation_loss": losses,
                    "train_accuracy": losses,
                    "validation_accuracy": [None] * len(epochs),
                }
            key = f"{name}-{repeat}-{fold}"
            records[key] = {
                "key": key,
                "training": {"split": split},
                "repeat": repeat,
                "fold": fold,
                "seed": fold,
                "n_train": N_GAITS - len(test) or 9 * N_GAITS,
                "classes": CLASSES,
                "test": test.tolist(),
                "labels": "".join(map(str, truth[test])),
                "predicted": "".join(map(str, predicted)),
                "probabilities": table.tolist(),
                "history": history,
                "chosen_epoch": len(epochs) if epochs else None,
                "epochs": ["".join(map(str, a)) for a in answers] if epochs else None,
                "n_parameters": 7 if epochs else None,
                "flops": 11 if epochs else None,
                "seconds": 2.0,
                "cpu_seconds": 1.0,
                "warnings": [],
                "versions": {"python": "3"},
                "commit": "abc",
            }
    return records


def answer(rng, truth, skill):
    wrong = (truth + rng.integers(1, 4, len(truth))) % 4
    return np.where(rng.random(len(truth)) < skill, truth, wrong)


def make_line(name, records, habits=(), *, published=False):
    return (name, tuple(habits), published, list(records))
