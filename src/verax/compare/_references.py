"""Least squares and a Gaussian process: what networks are measured against."""

import numpy as np
from jaxtyping import PRNGKeyArray
from threadpoolctl import threadpool_limits

from verax.errors import InputError

from ._predictions import Fitted, Gaussian
from ._regression_training import Task


def linear(key: PRNGKeyArray, task: Task) -> Fitted:
    """Least squares; variance of a prediction s² (1 + xᵀ(XᵀX)⁻¹x)."""
    data, means, variances = task.data, [], []
    for rows, x in zip(task.points.train, task.points.x, strict=True):
        centre, scale = data.x[rows].mean(axis=0), data.x[rows].std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        design, shown = (np.column_stack([np.ones(len(a)), (a - centre) / scale]) for a in (data.x[rows], x))
        inverse = np.linalg.pinv(design.T @ design)
        beta = inverse @ design.T @ data.y[rows]
        noise = np.sum((data.y[rows] - design @ beta) ** 2) / (len(rows) - np.linalg.matrix_rank(design))
        means.append(shown @ beta)
        variances.append(noise * (1 + np.einsum("ij,jk,ik->i", shown, inverse, shown)))
    return [Gaussian(np.stack(means), np.stack(variances))], ""


def gaussian_process(key: PRNGKeyArray, task: Task) -> Fitted:
    """Squared-exponential kernel and noise, of the largest evidence on at most 300 rows; conditioned on more."""
    try:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    except ModuleNotFoundError as error:
        expected, action = "scikit-learn installed", "pip install scikit-learn, or choose other methods"
        raise InputError("method 'gaussian process'", "no package 'sklearn'", expected, action) from error
    import warnings

    data, means, variances = task.data, [], []
    (order,) = task.cut(key)
    for rows, x in zip(order[:, : task.effort.largest], task.points.x, strict=True):
        centre, scale = data.x[rows].mean(axis=0), data.x[rows].std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        shown, y, unit = (data.x[rows] - centre) / scale, data.y[rows], data.y[rows].std()
        target = (y - y.mean()) / unit
        start = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(np.sqrt(data.x.shape[1]), (1e-2, 1e3)) + WhiteKernel(
            0.1, (1e-5, 10.0)
        )
        # Threads of the linear algebra wait for each other where cores are shared; small matrices need only one.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # a hyperparameter at the end of its range is a result like any other
            small = GaussianProcessRegressor(start, random_state=0).fit(shown[:300], target[:300])
            whole = GaussianProcessRegressor(small.kernel_, optimizer=None).fit(shown, target)
            mean, sigma = whole.predict((x - centre) / scale, return_std=True)
        means.append(y.mean() + unit * mean)
        variances.append((unit * sigma) ** 2)
    return [Gaussian(np.stack(means), np.stack(variances))], ""
