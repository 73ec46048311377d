"""Small linear algebra for each fit of a batch, by NumPy and LAPACK.

(jaxlib's batched LAPACK calls, as of 0.10, can wait for each other forever when the thread pool is small.)
"""

import functools
import sys
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

FEW, SMALL = 64, 400
"""Matrices, and parameters of each, up to which NumPy decomposes them: it is slower, but SciPy has to be imported."""


@functools.cache
def _blas(with_scipy: bool) -> ThreadpoolController:
    return ThreadpoolController()


def blas_threads(limit: int) -> Any:
    """A context in which BLAS uses ``limit`` threads: in small matrices its threads wait for each other on busy cores.

    SciPy has a BLAS of its own, which is limited where it is imported already.
    """
    return _blas("scipy.linalg" in sys.modules).limit(limits=limit, user_api="blas")


def solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Solutions of matrix · x = vector in every fit; where a matrix is singular to rounding, of its rectified one."""
    try:
        return np.asarray(np.linalg.solve(matrix, vector[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:
        size = np.maximum(abs(matrix).max((1, 2)), 1e-300)[:, None, None]
        return np.asarray(np.linalg.solve(rectified(matrix / size, 1e-12), (vector[:, :, None] / size))[:, :, 0])


def solve_definite(matrix: np.ndarray, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solutions of matrix · x = vector in every fit, and which matrices are positive definite; only theirs are right."""
    solution, found = np.zeros_like(vector), np.zeros(len(vector), bool)
    if _by_numpy(matrix):
        found = definite(matrix)
        solution[found] = solve(matrix[found], vector[found])
        return solution, found
    from scipy.linalg.lapack import dposv

    with blas_threads(1):
        for i, (a, b) in enumerate(zip(matrix, vector, strict=True)):
            _, solution[i], info = dposv(a.T, b)  # the transpose of a symmetric matrix: no copy to LAPACK's order
            found[i] = info == 0
    return solution, found


def definite(matrix: np.ndarray) -> np.ndarray:
    """Which of the symmetric matrices [fit, p, p] are positive definite: Cholesky's pivots are all above zero."""
    if not _by_numpy(matrix):
        from scipy.linalg.lapack import dpotrf

        with blas_threads(1):
            return np.array([dpotrf(a.T)[1] == 0 for a in matrix], bool)
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return np.array([len(matrix) > 1 and definite(a[None])[0] for a in matrix], bool)
    return np.ones(len(matrix), bool)


def _by_numpy(matrix: np.ndarray) -> bool:
    return len(matrix) <= FEW and matrix.shape[-1] <= SMALL


def rectified(matrix: np.ndarray, least: float = 0.05) -> np.ndarray:
    """V max(|Λ|, least) Vᵀ of symmetric matrices V Λ Vᵀ: positive definite (saddle-free Newton, arXiv:1406.2572)."""
    value, vector = np.linalg.eigh(matrix)
    return (vector * np.maximum(abs(value), least)[:, None, :]) @ vector.swapaxes(1, 2)
