"""A confidence level is a number between 0 and 1, ends excluded, in every question that takes one."""

import jax
import numpy as np
import pytest

from verax.errors import InputError
from verax.infer import Estimate, Scan2D, interval, limit, neyman
from verax.model import example_model

VALUES = np.array([0.0, 1.0, 2.0])
NOTHING = (np.zeros(1), np.zeros(1), np.zeros((1, 1)), np.zeros((1, 1), int), np.zeros(2))
QUESTIONS = {
    "interval": lambda level: interval(*example_model(), "mu", level=level),
    "limit": lambda level: limit(*example_model(), "mu", level=level),
    "neyman": lambda level: neyman(jax.random.key(1), *example_model(), "mu", VALUES, level=level, n_toys=15),
    "toys": lambda level: Estimate("mu", level),
    "scan2d": lambda level: Scan2D(("a", "b"), *NOTHING).threshold(level),
}


@pytest.mark.parametrize("level", [0.0, 1.0, float("nan"), -0.1, 95.0])
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_no_level_is_refused(question, level):
    with pytest.raises(InputError, match=rf"^{question}, level: got {level:g}; expected a number between"):
        QUESTIONS[question](level)
