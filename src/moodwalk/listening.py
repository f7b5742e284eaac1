"""From what was read in walks to the mood that music is chosen for."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from moodwalk.errors import QualityError
from moodwalk.music.target import Mood
from moodwalk.predict import Prediction

__all__ = ["find_mood"]


def find_mood(predictions: Sequence[Prediction]) -> Mood:
    """Pool the answers to one person's walks.

    Parameters
    ----------
    predictions
        One or more.

    Returns
    -------
    Mood
        The mean of the probabilities of those walks that were answered, and the median of all cadences.
        Where every answer was withheld the mood has a cadence only, and its reason says so.

    Raises
    ------
    QualityError
        If there is nothing to choose music by: no answer and no cadence.
    """
    answered = [one for one in predictions if not one.abstained]
    cadences = [one.cadence_spm for one in predictions if one.cadence_spm is not None]
    cadence = float(np.median(cadences)) if cadences else None
    n_withheld = len(predictions) - len(answered)
    if not answered:
        reasons = Counter(one.reason for one in predictions)
        why = reasons.most_common(1)[0][0] if reasons else "there is no walk"
        if cadence is None:
            raise QualityError(
                f"no emotion was read ({why}) and no cadence found; expected a walk of a few steps. "
                f"Name the emotion with --emotion, or the cadence with --cadence."
            )
        return Mood(None, cadence, f"the emotion is withheld: {why}")
    emotions = list(answered[0].probabilities)
    mean = {
        emotion: float(np.mean([one.probabilities[emotion] for one in answered]))
        for emotion in emotions
    }
    reason = f"{n_withheld} of {len(predictions)} walks gave no answer" if n_withheld else ""
    return Mood(mean, cadence, reason)
