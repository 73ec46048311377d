"""Local minima, against positions that are roots of a quadratic equation."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from audited import control, shape, subject, valley
from valley_models import BOUNDS, Referee, random_workspace
from verax.errors import InputError
from verax.infer import local_minima
from verax.workspace import from_pyhf


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


GRID = np.linspace(-4.95, 4.95, 199)
FEW, MANY = range(4), range(4, 30)


@pytest.mark.parametrize("case", [*FEW, *(pytest.param(k, marks=pytest.mark.thorough) for k in MANY)])
def test_all_minima_of_a_random_model_are_found_and_no_others(case):
    """A referee in NumPy profiles μ, in which −log L is convex, along the only systematic; half have several minima."""
    spec = random_workspace(np.random.default_rng([78, case]), 1 + case % 2, 1)
    model, data, _ = from_pyhf(spec)
    found, referee = local_minima(model, data, draws=4), Referee(spec)

    def least(alpha):
        at = lambda mu: min(float(referee.nll(np.array([mu]), np.array([[alpha]]))[0]), 1e6)  # noqa: E731
        return minimize_scalar(at, bounds=BOUNDS, method="bounded", options={"xatol": 1e-7}).fun

    p = np.array([least(alpha) for alpha in GRID])
    there = GRID[1:-1][(p[1:-1] < p[:-2]) & (p[1:-1] <= p[2:])]
    mine = np.sort(found.value[:, found.names.index("a0")])
    assert len(mine) == len(there)
    np.testing.assert_allclose(mine, there, atol=0.06)  # a step of the grid
