"""Questions about a parameter that is fixed have no answer: one line, from every verb."""

import jax
import numpy as np
import pytest

from likelihoods import counting, realistic
from verax import infer
from verax.errors import InputError
from verax.model import hold

VALUES = np.array([0.5, 1.0, 1.5])
KEY = jax.random.key(1)
QUESTIONS = {
    "interval": lambda m, d: infer.interval(m, d, "mu"),
    "significance": lambda m, d: infer.significance(m, d, "mu"),
    "limit": lambda m, d: infer.limit(m, d, "mu"),
    "limit by toys": lambda m, d: infer.limit(m, d, "mu", method="toys", key=KEY),
    "cls": lambda m, d: infer.cls(m, d, "mu", VALUES),
    "profile": lambda m, d: infer.profile(m, d, "mu", VALUES),
    "scan2d": lambda m, d: infer.scan2d(m, d, ("norm", "mu"), (VALUES, VALUES)),
    "neyman": lambda m, d: infer.neyman(KEY, m, d, "mu", VALUES),
    "breakdown": lambda m, d: infer.breakdown(m, d, "mu"),
    "ranking": lambda m, d: infer.ranking(m, d, "mu"),
    "campaign": lambda m, d: infer.campaign(KEY, m, {}, 10, infer.Estimate("mu")),
    "expected error": lambda m, d: infer.expected_error(m, "mu"),
}


@pytest.fixture(scope="module")
def held():
    model = hold(realistic(systematics=1), {"mu": 1.0})
    return model, model.asimov({})


@pytest.mark.thorough
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_fixed_parameter_is_refused(question, held):
    with pytest.raises(InputError, match="'mu', which is fixed at 1; expected a parameter that can move"):
        QUESTIONS[question](*held)


@pytest.mark.thorough
def test_a_fixed_parameter_is_known_to_the_expected_error():
    """Of counting events: √n / s where the background is known, and more where it floats."""
    model = realistic(systematics=1)
    known = infer.expected_error(model, "mu", fixed={"norm": 1.0})
    assert infer.expected_error(hold(model, {"norm": 1.0}), "mu") == pytest.approx(float(known), rel=1e-12)
    assert infer.expected_error(model, "mu") > 1.005 * known
    assert infer.expected_error(counting(20.0, 100.0), "mu") == pytest.approx(np.sqrt(120) / 20)
