import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from verax.model._poisson import bin_terms, positive_rate, profiled_gamma


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def one(x):
    return np.array([float(x)])


@pytest.mark.parametrize("scaled", [0.3, 12.0, 900.0])
@pytest.mark.parametrize("other", [0.0, 5.0])
@pytest.mark.parametrize("count", [0.0, 1.0, 14.0, 1000.0])
@pytest.mark.parametrize("width", [1e-4, 0.1, 0.8])
def test_gamma_is_the_maximum(scaled, other, count, width):
    auxiliary = 1.1
    gamma = profiled_gamma(one(scaled), one(other), one(count), one(auxiliary), one(width)).item()

    def nll(g):
        mean = g * scaled + other
        return mean - (count * np.log(mean) if count else 0.0) + 0.5 * ((g - auxiliary) / width) ** 2

    best = minimize_scalar(nll, bounds=(1e-12, 20.0), method="bounded", options={"xatol": 1e-12})
    assert gamma >= 0
    assert nll(max(gamma, 1e-12)) <= best.fun + 1e-9 * max(1.0, abs(best.fun))


def test_gamma_without_width_is_its_auxiliary_value():
    for auxiliary in (0.4, 1.0, 1.7):
        gamma = profiled_gamma(one(12), one(3), one(20), one(auxiliary), one(0))
        assert gamma.item() == pytest.approx(auxiliary, rel=1e-14)


def test_gamma_keeps_its_digits_where_the_width_is_tiny():
    width, scaled, count = 1e-7, 100.0, 140.0
    first_order = 1 + (count - scaled) * width**2
    assert profiled_gamma(one(scaled), 0.0, one(count), one(1), one(width)).item() == pytest.approx(
        first_order, rel=1e-15
    )


@pytest.mark.thorough
@pytest.mark.parametrize("count", [0.0, 3.0, 80.0])
@pytest.mark.parametrize("width", [0.0, 0.05, 0.6])
@pytest.mark.parametrize("total", [-2.0, 1e-7, 0.5, 70.0])
def test_derivatives_are_those_of_the_value(count, width, total):
    floor = one(1e-3)

    def value(rate):
        return bin_terms(rate, one(count), one(1.05), one(width), floor)[0].sum()

    _, slope, bend, fisher = bin_terms(one(total), one(count), one(1.05), one(width), floor)
    assert slope.item() == pytest.approx(jax.grad(value)(one(total)).item(), rel=1e-9, abs=1e-12)
    assert bend.item() == pytest.approx(jax.hessian(value)(one(total)).item(), rel=1e-9, abs=1e-12)
    assert fisher.item() > 0


def test_rates_stay_positive_and_continue_smoothly():
    floor = one(1e-3)
    below, above = (positive_rate(one(1e-3 + d), floor) for d in (-1e-12, 1e-12))
    assert below[0].item() == pytest.approx(above[0].item(), rel=1e-8)
    assert below[1].item() == pytest.approx(above[1].item(), rel=1e-8)
    assert positive_rate(one(-1e9), floor)[0].item() > 0
    assert positive_rate(one(5), floor)[0].item() == 5
