"""Expected Fisher information of counts, and the uncertainty that it promises.

For independent Poisson counts ν_k(θ), I_ij = Σ_k ∂_i ν_k ∂_j ν_k / ν_k; the unbinned likelihood is the limit of small
bins, for which the points of a quadrature stand. A Gaussian constraint adds 1/width² on the diagonal. The inverse of I
is the covariance of the Asimov fit (Cowan et al., arXiv:1007.1727, eq. 27–28; Cramér–Rao bound).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from verax.errors import InputError
from verax.parameters import Gaussian, Parameter, Poisson, by_name
from verax.results import FloatArray

Matrix = Float[np.ndarray, "parameter parameter"]


def information(
    expected: Float[np.ndarray, " bin"], slope: Float[np.ndarray, "parameter bin"], parameters: Sequence[Parameter]
) -> Matrix:
    """Find the expected information of Poisson counts on ``parameters``, their constraints included.

    Parameters
    ----------
    expected : events in each bin (or intensity times volume at each point of a quadrature); empty bins say nothing
    slope : their derivatives in the parameters
    parameters : in the order of the rows of ``slope``

    Raises
    ------
    InputError : where a bin expects a negative number of events

    >>> information(np.array([100.0]), np.array([[50.0]]), [Parameter("mu")])
    array([[25.]])
    """
    if (expected < 0).any():
        raise InputError("information", f"{expected.min():g} expected events in a bin", "no negative number")
    filled = expected > 0
    rows = slope[:, filled] / np.sqrt(expected[filled])
    return np.asarray(rows @ rows.T + np.diag([_prior(p) for p in parameters]), np.float64)


def summary_information(
    which: Int[np.ndarray, " point"],
    bins: int,
    expected: Float[np.ndarray, " point"],
    slope: Float[np.ndarray, "parameter point"],
    parameters: Sequence[Parameter],
) -> Matrix:
    """Find the expected information of the counts in the bins of a fixed summary.

    Parameters
    ----------
    which : bin of each point of a quadrature; points outside 0 … ``bins`` − 1 are not selected
    bins : number of bins
    expected : intensity times volume at each point
    slope : their derivatives in the parameters
    parameters : in the order of the rows of ``slope``

    Raises
    ------
    InputError : where a bin expects a negative number of events

    >>> one = np.zeros(2, int), 1, np.array([40.0, 60.0]), np.array([[20.0, 30.0]])
    >>> summary_information(*one, [Parameter("mu")])
    array([[25.]])
    """
    inside = (which >= 0) & (which < bins)

    def fill(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(which[inside], values[inside], bins), np.float64)

    return information(fill(expected), np.stack([fill(row) for row in slope]), parameters)


def uncertainty(matrix: Matrix, parameters: Sequence[Parameter], name: str = "mu") -> float:
    """Find the expected standard deviation of one parameter, all others profiled: √ of the diagonal of the inverse.

    Infinite where the information determines nothing (a direction without information that involves the parameter).

    Parameters
    ----------
    matrix : information on ``parameters``
    parameters : in the order of its rows
    name : of the parameter

    Raises
    ------
    InputError : for an unknown parameter, with the nearest name

    >>> uncertainty(np.array([[25.0]]), [Parameter("mu")])
    0.2
    """
    by_name(parameters, [name], "uncertainty")
    index = [p.name for p in parameters].index(name)
    others = np.delete(np.arange(len(parameters)), index)
    coupling = matrix[index, others]
    rest = matrix[index, index] - coupling @ np.linalg.pinv(matrix[np.ix_(others, others)]) @ coupling
    return float(1 / np.sqrt(rest)) if rest > 1e-12 * matrix[index, index] else float("inf")


def _prior(parameter: Parameter) -> float:
    constraint = parameter.constraint
    if isinstance(constraint, Gaussian):
        return 1 / constraint.width**2
    return constraint.tau / parameter.init if isinstance(constraint, Poisson) else 0.0
