import numpy as np
import pytest

from moodwalk.errors import ConfigError
from moodwalk.walker import PARAMETER_LIMITS, Proportions, WalkerParameters


@pytest.mark.parametrize("name", PARAMETER_LIMITS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e6, 1e6, "fast", None])
def test_values_out_of_range_are_refused_by_name(name, bad):
    with pytest.raises(ConfigError, match=name):
        WalkerParameters(**{name: bad})


def test_every_parameter_has_limits_that_hold_its_default():
    assert list(PARAMETER_LIMITS) == list(WalkerParameters.__dataclass_fields__)
    default = WalkerParameters()
    for name, (low, high) in PARAMETER_LIMITS.items():
        assert low <= getattr(default, name) <= high


def test_proportions_must_be_shares():
    with pytest.raises(ConfigError, match="thigh"):
        Proportions(thigh=1.0)
