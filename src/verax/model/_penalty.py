"""Gaussian terms of functions of parameters: regularisation of unfolded spectra, and measurements of what is computed.

−log = ½ rᵀ C⁻¹ r + ½ log det 2πC with r = f(θ) − m (Cowan, Statistical Data Analysis (1998), sections 11.4 and 11.5).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verax.arrays import Array, Float, add_at, namespace
from verax.errors import InputError

from ._formula import Formula


@dataclass(frozen=True)
class Penalty:
    """A multivariate normal density of functions of parameters, around a fixed point: toys do not move it.

    Parameters
    ----------
    formulas : f, the functions
    mean : m, where they are expected
    covariance : C, [function, function]

    Raises
    ------
    InputError : for sizes that differ, or a covariance that is not symmetric and positive definite

    >>> from verax.model import formula
    >>> smooth = Penalty((formula("kink", "a - 2 * b + c"),), (0.0,), ((0.25,),))
    >>> value, slope, _ = smooth.terms(np.array([1.0, 0.5, 1.0]), ("a", "b", "c"))
    >>> round(float(value - smooth.least), 6), slope.tolist()
    (2.0, [4.0, -8.0, 4.0])
    """

    formulas: tuple[Formula, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        n, matrix = len(self.formulas), np.array(self.covariance, np.float64)
        if matrix.shape != (n, n) or len(self.mean) != n or not n:
            raise InputError("penalty", f"a covariance of shape {matrix.shape}, {len(self.mean)} means", f"{n} of each")
        if not np.allclose(matrix, matrix.T, rtol=1e-9) or np.linalg.eigvalsh(matrix)[0] <= 0:
            raise InputError("penalty", f"covariance {matrix.tolist()}"[:120], "a symmetric, positive definite matrix")

    @functools.cached_property
    def _precision(self) -> np.ndarray:
        return np.linalg.inv(np.array(self.covariance))

    @functools.cached_property
    def least(self) -> float:
        """Its −log where each function is at its mean."""
        return 0.5 * float(np.linalg.slogdet(2 * np.pi * np.array(self.covariance))[1])

    def terms(
        self, theta: Float[Array, " parameter"], names: Sequence[str]
    ) -> tuple[Float[Array, ""], Float[Array, " parameter"], Float[Array, "parameter parameter"]]:
        """Compute −log with its gradient and second derivatives in all parameters.

        Parameters
        ----------
        theta : their values
        names : of the parameters, in order
        """
        residual, slopes, curvatures = derivatives(self.formulas, theta, names)
        xp = namespace(theta)
        residual = residual - np.array(self.mean)
        pull = self._precision @ residual
        return (
            xp.asarray(0.5 * residual @ pull + self.least),
            pull @ slopes,
            slopes.T @ self._precision @ slopes + xp.tensordot(pull, curvatures, 1),
        )


def derivatives(
    formulas: Sequence[Formula], theta: Float[Array, " parameter"], names: Sequence[str]
) -> tuple[Float[Array, " f"], Float[Array, "f parameter"], Float[Array, "f parameter parameter"]]:
    """Values of functions, with first and second derivatives in all parameters."""
    xp, n = namespace(theta), len(formulas)
    values, slopes = [], xp.zeros((n, len(names)))
    curvatures = xp.zeros((n, len(names), len(names)))
    for i, f in enumerate(formulas):
        where = np.array([names.index(p) for p in f.parameters], int)
        value, slope, curvature = f.jet(dict(zip(f.parameters, theta[where], strict=True)))
        values.append(value)
        slopes = add_at(slopes, (i, where), slope)
        curvatures = add_at(curvatures, (i, where[:, None], where), curvature)
    return xp.stack(values), slopes, curvatures
