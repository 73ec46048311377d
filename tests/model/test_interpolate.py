import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verax.model import code4, code4_coefficients, code4p, linear


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("function", ["code4p", "code4"])
@pytest.mark.parametrize("edge", [-1.0, 1.0])
def test_continuous_up_to_the_second_derivative(function, edge):
    up, down = np.log([[[1.3]]]), np.log([[[0.6]]])
    step = np.array([edge - 1e-9, edge + 1e-9])
    if function == "code4p":
        parts = [np.asarray(v) for v in code4p(step)]
    else:
        parts = [
            np.ravel([code4(np.array([a]), up, down, code4_coefficients(up, down))[i] for a in step]) for i in range(3)
        ]
    for part in parts:
        assert part[0] == pytest.approx(part[1], abs=1e-6)


def test_code4_is_one_at_zero_and_the_given_factors_at_one():
    up, down = np.log([[[1.3]]]), np.log([[[0.6]]])
    coefficients = code4_coefficients(up, down)
    values = [float(code4(np.array([a]), up, down, coefficients)[0][0, 0, 0]) for a in (0.0, 1.0, -1.0, 2.0, -3.0)]
    np.testing.assert_allclose(values, [1.0, 1.3, 0.6, 1.3**2, 0.6**3], rtol=1e-12)


def test_derivatives_are_those_of_the_value():
    up, down = np.log([[[1.3]]]), np.log([[[0.6]]])
    coefficients = code4_coefficients(up, down)
    factor = lambda a: code4(a[None], up, down, coefficients)  # noqa: E731
    value = lambda a: factor(a)[0][0, 0, 0]  # noqa: E731
    even = lambda a: code4p(a)[0]  # noqa: E731
    all_of_them = jax.jit(
        lambda a: (
            factor(a)[1:],
            (jax.grad(value)(a), jax.hessian(value)(a)),
            code4p(a)[1:],
            (jax.grad(even)(a), jax.hessian(even)(a)),
        )
    )
    for alpha in (-1.7, -0.4, 0.0, 0.8, 2.2):
        given, derived, given_even, derived_even = all_of_them(jnp.asarray(alpha))
        np.testing.assert_allclose(np.ravel(given), np.ravel(derived), rtol=1e-9)
        np.testing.assert_allclose(np.ravel(given_even), np.ravel(derived_even), atol=1e-12)


def test_a_linear_factor_and_its_derivatives():
    """1 + α (up − 1) and 1 + α (1 − down); not zero where it would be, since derivatives are divided by it."""
    up, down, none = np.log(np.full((3, 1, 1), 1.3)), np.log(np.full((3, 1, 1), 0.6)), np.zeros((6, 3, 1, 1))
    value, slope, curvature = linear(np.array([-2.0, 0.5, -2.5]), up, down, none)
    np.testing.assert_allclose(np.abs(value[:, 0, 0]), [0.2, 1.15, 1e-6])
    np.testing.assert_allclose(slope[:, 0, 0], [0.4, 0.3, 0.4])
    assert not curvature.any()
