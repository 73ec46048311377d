"""Local minima, against positions that are roots of a quadratic equation."""

import numpy as np
import pytest

from audited import control, shape, subject, valley
from verax.errors import InputError
from verax.infer import local_minima


def two_sided(up, down, observed):
    """A background bin that one systematic raises by ``up`` at θ = +1 and by ``down`` at θ = −1, beside a signal bin."""
    return subject(control(shape("s", [100 + up], [100 + down])), {"SR": [70], "CR": [observed]})


@pytest.fixture(scope="module", autouse=True)
def as_installed(compiled_sooner):
    """Few fits are made by NumPy: here too, as each model is asked little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verax.infer._evaluate.FEW_EVALUATIONS", compiled_sooner)
        yield


@pytest.mark.parametrize(("up", "down"), [(10.0, 10.0), (12.0, 8.0)])
def test_both_valleys_are_found_where_they_are(up, down):
    given = two_sided(up, down, 150)
    found = local_minima(given.model, given.data)
    right, left = valley(up, 150), valley(down, 150)
    assert min(right[0], left[0]) > 1  # where the formula holds
    k = found.names.index("s")
    assert sorted(found.value[:, k]) == pytest.approx([-left[0], right[0]], abs=1e-5)
    assert 2 * (found.nll[-1] - found.nll[0]) == pytest.approx(2 * abs(left[1] - right[1]), abs=1e-6)
    assert found.value[:, found.names.index("mu")] == pytest.approx(1.0, abs=1e-5)
    assert found.failed == 0


def test_one_valley_is_found_once():
    given = two_sided(10.0, -10.0, 150)
    found = local_minima(given.model, given.data)
    assert len(found.nll) == 1
    np.testing.assert_allclose(found.value[0], given.best.value, atol=1e-6)
    assert found.starts > 16


def test_what_is_no_question_is_refused():
    given = two_sided(10.0, -10.0, 150)
    with pytest.raises(InputError, match="'mux'"):
        local_minima(given.model, given.data, fixed={"mux": 1.0})
    with pytest.raises(InputError, match="draws"):
        local_minima(given.model, given.data, draws=-1)
    assert len(local_minima(given.model, given.data, fixed={"s": 0.0}).nll) == 1
