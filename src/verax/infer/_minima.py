"""Local minima of −log L, from many starts (multistart: Rinnooy Kan and Timmer, Math. Program. 39 (1987) 27).

A fit keeps the lowest one; a referee asks which others there are.
"""

from dataclasses import dataclass

import numpy as np

from verax.arrays import Float, Int
from verax.errors import InputError, check_count
from verax.model import AbstractLikelihood, Data
from verax.parameters import Gaussian, Poisson, check_values
from verax.results import good

from ._evaluate import Limits, Values, bounds
from ._fit import RESTART_FRACTIONS, as_batch, best_fit, known_minima
from ._newton import minimise
from ._results import Fit
from ._valleys import other_valleys

LARGE = 200_000
"""Work of one evaluation from which on fewer starts are made: other sides that may be lower, and a quarter of the draws."""

APART = 0.1
"""Minima are two where a parameter differs by more, in units of its σ."""


@dataclass(frozen=True)
class LocalMinima:
    """Local minima of −log L of one data set, the lowest first.

    Parameters
    ----------
    names : the parameters, in order
    value : where they are
    nll : −log L there
    status : a :class:`verax.results.Status` each
    starts, failed : fits that looked for them, and those that failed
    """

    names: tuple[str, ...]
    value: Float[np.ndarray, "minimum parameter"]
    nll: Float[np.ndarray, " minimum"]
    status: Int[np.ndarray, " minimum"]
    starts: int
    failed: int


def local_minima(
    model: AbstractLikelihood,
    data: Data,
    *,
    fixed: Values = None,
    best: Fit | None = None,
    draws: int = 16,
    seed: int = 0,
) -> LocalMinima:
    """Look for local minima of −log L: from other sides of systematics, towards bounds, and from draws of the priors.

    Sides are those of parameters that move observations the same way on both, where the even part outweighs the
    constraint (of large models, where a lower minimum may be). Each fit stays in the valley that it starts in. What no
    start leads to is not found.

    Parameters
    ----------
    model : the likelihood
    data : one data set
    fixed : parameters held at these values
    best : what ``fit`` returned for the same data and ``fixed``, which is then not done again
    draws : starts at random: constrained parameters from their priors, others from the whole of their bounds
    seed : of these draws

    Raises
    ------
    InputError : an unknown parameter (nearest name given), a batch of data sets, or data that do not fit the model

    >>> from verax.model import example_model
    >>> found = local_minima(*example_model())
    >>> found.value.round(2).tolist(), found.failed  # one minimum, that of the fit
    ([[0.89, 0.22, -0.05]], 0)
    """
    check_values(model.parameters, {} if fixed is None else fixed, "local_minima")
    check_count(draws, 0, "local_minima, draws")
    if data.is_batch:
        raise InputError("local_minima", "a batch of data sets", "one data set", "choose one of them")
    batch, limits = as_batch(model, data), bounds(model, fixed)
    minimum = (
        best_fit(model, batch, limits) if best is None else known_minima(best, model, batch, limits, "local_minima")
    )
    moves = limits[0] < limits[1]
    at = minimise(model, batch, minimum.theta, moves[None], limits=limits, valleys=False)
    large = model.work(batch.batch) > LARGE
    draws = -(-draws // 4) if large else draws
    starts = [minimum.theta, _at_random(model, model.start(batch.gather())[0], limits, draws, seed)]
    if (parts := model.even_parts()) is not None and good(at.status).all():
        starts.append(other_valleys(parts, at.theta, at.even_slope, moves[None], by_profile=large).theta)
    for i in np.flatnonzero(moves & [p.constraint is None for p in model.parameters]):
        aside = np.repeat(minimum.theta, 2 * len(RESTART_FRACTIONS), axis=0)
        edges = np.repeat([limits[0][i], limits[1][i]], len(RESTART_FRACTIONS))
        aside[:, i] += np.tile(RESTART_FRACTIONS, 2) * (edges - aside[:, i])
        starts.append(aside[np.isfinite(edges)])
    where = np.concatenate(starts)
    found = minimise(
        model,
        batch[np.zeros(len(where), int)],
        where,
        np.tile(moves, (len(where), 1)),
        limits=limits,
        batched=False,
        valleys=False,
    )
    sound = np.flatnonzero(good(found.status))
    order = sound[np.argsort(found.nll[sound], kind="stable")]
    unit = np.sqrt(np.nan_to_num(np.diagonal(minimum.covariance[0])))
    unit = np.where(unit > 0, unit, np.where(np.isfinite(limits[1] - limits[0]), 0.01 * (limits[1] - limits[0]), 1.0))
    kept: list[int] = []
    for i in order:
        if all((abs(found.theta[i] - found.theta[j])[moves] > APART * unit[moves]).any() for j in kept):
            kept.append(int(i))
    lost = int((~good(found.status)).sum())
    return LocalMinima(model.names, found.theta[kept], found.nll[kept], found.status[kept], len(where) - 1, lost)


def _at_random(
    model: AbstractLikelihood, auxiliary: np.ndarray, limits: Limits, draws: int, seed: int
) -> Float[np.ndarray, "draw parameter"]:
    """Points from the priors around the global observables; of a free parameter from all between its bounds."""
    rng = np.random.default_rng(seed)
    points = np.tile(auxiliary, (draws, 1))
    for i, p in enumerate(model.parameters):
        low, high = limits[0][i], limits[1][i]
        if isinstance(p.constraint, Gaussian):
            points[:, i] = rng.normal(auxiliary[i], p.constraint.width, draws)
        elif isinstance(p.constraint, Poisson):
            points[:, i] = rng.normal(auxiliary[i], auxiliary[i] ** 0.5 * p.constraint.tau**-0.5, draws)
        elif np.isfinite(high - low):
            points[:, i] = rng.uniform(low, high, draws)
        points[:, i] = np.clip(points[:, i], low, high)
    return points
