"""Interpolation of templates between θ = −1, 0 and +1 (HistFactory, CERN-OPEN-2012-016; codes numbered as in pyhf).

Additive codes share one form: the change of a bin is ``α S + g(α) A``, with S = (up − down)/2 and
A = (up + down)/2 − nominal, so that the sum over systematics is two matrix products; a code is its ``g``.
Each function returns value, first and second derivative in α.
"""

import numpy as np

from verax.arrays import Array, Float, namespace

Alpha = Float[Array, "*a"]
Factors = Float[Array, "systematic process channel"]
Coefficients = Float[Array, "6 systematic process channel"]


def code4p(alpha: Alpha) -> tuple[Alpha, Alpha, Alpha]:
    """Evaluate g(α) of code 4p: |α| outside [−1, 1], (3α⁶ − 10α⁴ + 15α²)/8 inside; second derivative continuous.

    Parameters
    ----------
    alpha : nuisance parameter, in units of its prior width

    Returns
    -------
    g, g′ and g″ in α, of the shape of ``alpha``

    >>> [float(v) for v in code4p(np.asarray(-2.0))]
    [2.0, -1.0, 0.0]
    """
    xp = namespace(alpha)
    size = xp.abs(alpha)
    square, inside = alpha**2, size <= 1
    value = xp.where(inside, square * (square * (3 * square - 10) + 15) / 8, size)
    slope = xp.where(inside, alpha * (square * (18 * square - 40) + 30) / 8, xp.sign(alpha))
    curvature = xp.where(inside, (square * (90 * square - 120) + 30) / 8, 0.0)
    return value, slope, curvature


def code4_coefficients(log_up: Float[Array, "*f"], log_down: Float[Array, "*f"]) -> Float[Array, "6 *f"]:
    """Find the coefficients of α … α⁶ of code 4's polynomial.

    P(α) = 1 + Σ c_n αⁿ matches the exponentials at α = ±1 (HistFactory, CERN-OPEN-2012-016, section 4): the six equations
    P = up, down;  P′ = up log up, −down log down;  P″ = up log² up, down log² down  are a constant 6 × 6 system.

    Parameters
    ----------
    log_up : logarithms of the factors at θ = +1
    log_down : the same at θ = −1

    Returns
    -------
    Coefficients with a leading axis of six

    >>> found = code4_coefficients(np.log(np.array([1.2])), np.log(np.array([0.9])))
    >>> round(1 + found.sum().item(), 6)  # P(1)
    1.2
    """
    powers = np.arange(1, 7)
    matrix = np.array([
        np.ones(6), (-1.0) ** powers,  # P at +1 and −1
        powers, powers * (-1.0) ** (powers - 1),  # P′
        powers * (powers - 1), powers * (powers - 1) * (-1.0) ** powers,  # P″
    ])  # fmt: skip
    xp = namespace(log_up, log_down)
    up, down = xp.exp(log_up), xp.exp(log_down)
    target = xp.stack([up - 1, down - 1, log_up * up, -log_down * down, log_up**2 * up, log_down**2 * down])
    return xp.tensordot(np.linalg.inv(matrix), target, 1)


def code4(
    alpha: Float[Array, " systematic"], log_up: Factors, log_down: Factors, coefficients: Coefficients
) -> tuple[Factors, Factors, Factors]:
    """Evaluate code 4, a factor: polynomial inside [−1, 1], exponential up^α or down^−α outside.

    Parameters
    ----------
    alpha : nuisance parameters, in units of their prior widths
    log_up : logarithms of the factors at θ = +1
    log_down : the same at θ = −1
    coefficients : of the polynomial, see :func:`code4_coefficients`

    Returns
    -------
    The factor, its first and second derivative in α

    >>> up, down = np.log(1.2).reshape(1, 1, 1), np.log(0.9).reshape(1, 1, 1)
    >>> factor, _, _ = code4(np.ones(1), up, down, code4_coefficients(up, down))
    >>> round(factor.item(), 6)
    1.2
    """
    xp = namespace(alpha, log_up, log_down)
    a = alpha[:, None, None]
    value: Array = xp.zeros(())
    slope = curvature = value
    for c in coefficients[::-1]:  # Horner's rule for the polynomial and both derivatives
        curvature = curvature * a + 2 * slope
        slope = slope * a + value
        value = value * a + c
    value, slope, curvature = 1 + a * value, value + a * slope, 2 * slope + a * curvature
    inside, (beyond, beyond1, beyond2) = xp.abs(a) <= 1, code1(alpha, log_up, log_down, coefficients)
    return xp.where(inside, value, beyond), xp.where(inside, slope, beyond1), xp.where(inside, curvature, beyond2)


def code0(alpha: Alpha) -> tuple[Alpha, Alpha, Alpha]:
    """Evaluate g(α) of code 0, piecewise linear: |α|; its slope jumps at 0.

    Parameters
    ----------
    alpha : nuisance parameter, in units of its prior width

    Returns
    -------
    g, g′ and g″ in α, of the shape of ``alpha``

    >>> [v.item() for v in code0(np.array([-2.0]))]
    [2.0, -1.0, 0.0]
    """
    xp = namespace(alpha)
    return xp.abs(alpha), xp.sign(alpha), xp.zeros_like(alpha)


def code2(alpha: Alpha) -> tuple[Alpha, Alpha, Alpha]:
    """Evaluate g(α) of code 2: α² inside [−1, 1], 2|α| − 1 outside, as in ROOT.

    (pyhf 0.7 leaves out the value at ±1 outside [−1, 1], which makes the template jump.)

    Parameters
    ----------
    alpha : nuisance parameter, in units of its prior width

    Returns
    -------
    g, g′ and g″ in α, of the shape of ``alpha``

    >>> [float(v) for v in code2(np.asarray(-2.0))]
    [3.0, -2.0, 0.0]
    """
    xp = namespace(alpha)
    size = xp.abs(alpha)
    inside = size <= 1
    return (
        xp.where(inside, alpha**2, 2 * size - 1),
        xp.where(inside, 2 * alpha, 2 * xp.sign(alpha)),
        xp.where(inside, xp.full_like(alpha, 2.0), 0.0),
    )


def code1(
    alpha: Float[Array, " systematic"], log_up: Factors, log_down: Factors, coefficients: Coefficients
) -> tuple[Factors, Factors, Factors]:
    """Evaluate code 1, a factor: up^α for α > 0, down^−α otherwise; its slope jumps at 0.

    Parameters
    ----------
    alpha : nuisance parameters, in units of their prior widths
    log_up : logarithms of the factors at θ = +1
    log_down : the same at θ = −1
    coefficients : not used; those of code 4 keep the call the same

    Returns
    -------
    The factor, its first and second derivative in α

    >>> up, down = np.log(1.2).reshape(1, 1, 1), np.log(0.9).reshape(1, 1, 1)
    >>> factor, _, _ = code1(np.full(1, 2.0), up, down, np.zeros((6, 1, 1, 1)))
    >>> round(factor.item(), 6)  # 1.2²
    1.44
    """
    xp = namespace(alpha, log_up, log_down)
    a = alpha[:, None, None]
    rate = xp.where(a > 0, log_up, -log_down)
    value = xp.exp(a * rate)
    return value, rate * value, rate**2 * value


def linear(
    alpha: Float[Array, " systematic"], log_up: Factors, log_down: Factors, coefficients: Coefficients
) -> tuple[Factors, Factors, Factors]:
    """Evaluate a factor that is piecewise linear: 1 + α (up − 1) for α > 0, 1 + α (1 − down) otherwise.

    ROOT's code 0 of ``normsys``. Derivatives are divided by the factor, so that it comes no closer to 0 than 1e-6.

    Parameters
    ----------
    alpha : nuisance parameters, in units of their prior widths
    log_up : logarithms of the factors at θ = +1
    log_down : the same at θ = −1
    coefficients : not used; those of code 4 keep the call the same

    Returns
    -------
    The factor, its first and second derivative in α

    >>> up, down = np.log(1.2).reshape(1, 1, 1), np.log(0.9).reshape(1, 1, 1)
    >>> factor, _, _ = linear(np.full(1, -2.0), up, down, np.zeros((6, 1, 1, 1)))
    >>> round(factor.item(), 6)
    0.8
    """
    xp = namespace(alpha, log_up, log_down)
    a = alpha[:, None, None]
    slope = xp.where(a > 0, xp.expm1(log_up), -xp.expm1(log_down))
    value = 1 + a * slope
    return xp.where(value < 0, -1.0, 1.0) * xp.maximum(xp.abs(value), 1e-6), slope, xp.zeros_like(value)
