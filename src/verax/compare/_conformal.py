"""Conformal intervals around networks: split, normalised, of quantiles, and CV+."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.aleatoric import GaussianNLL, Pinball, gaussian, mean_variance, quantiles
from verax.conformal import absolute, band, conformalize, cqr, cqr_band, jackknife, normalised
from verax.results import FloatArray

from ._dropout import SquaredError, mean_network
from ._predictions import LEVELS, QUANTILES, Bands, Fitted, Quantiles
from ._regression_data import TARGET
from ._regression_training import Task, only_outputs, predicted


def _by_split(interval: Callable[[int, float], Any], value: FloatArray) -> Bands:
    """Intervals of each split and level from ``interval(split, level)``."""
    ends = {}
    for level in LEVELS:
        found = [interval(s, level) for s in range(len(value))]
        ends[level] = (np.stack([i.low for i in found]), np.stack([i.high for i in found]))
    return Bands(value, ends)


def split_conformal(key: PRNGKeyArray, task: Task) -> Fitted:
    """Split conformal intervals around a mean-variance network: of one width, and scaled by its σ(x)."""
    cut, start = jax.random.split(key)
    learn, stop, held = task.cut(cut, 0.6, 0.15)
    networks, problem = task.train(start, task.network(mean_variance), GaussianNLL(TARGET), learn, stop)
    (mean, sigma), (at, width) = (
        (m[:, 0], np.sqrt(v[:, 0]))
        for m, v in (predicted(networks, x, gaussian) for x in (task.data.x[held], task.points.x))
    )
    y = task.data.y[held]

    def plain(s: int, level: float) -> Any:
        return band(at[s], conformalize(absolute(y[s], mean[s]), level=level).value, level=level)

    def scaled(s: int, level: float) -> Any:
        quantile = conformalize(normalised(y[s], mean[s], sigma[s]), level=level).value
        return band(at[s], quantile, level=level, spread=width[s])

    return [_by_split(plain, at), _by_split(scaled, at)], problem


def conformal_quantiles(key: PRNGKeyArray, task: Task) -> Fitted:
    """Conformalised quantile regression."""
    cut, start = jax.random.split(key)
    learn, stop, held = task.cut(cut, 0.6, 0.15)
    make = task.network(quantiles, levels=QUANTILES)
    networks, problem = task.train(start, make, Pinball(TARGET, QUANTILES), learn, stop)
    before, shown = (Quantiles(only_outputs(networks, x)) for x in (task.data.x[held], task.points.x))
    y = task.data.y[held]

    def one(s: int, level: float) -> Any:
        (low, high), (bottom, top) = before.interval(level), shown.interval(level)
        return cqr_band(bottom[s], top[s], conformalize(cqr(y[s], low[s], high[s]), level=level).value, level=level)

    return [_by_split(one, shown.centre)], problem


def cv_plus(key: PRNGKeyArray, task: Task) -> Fitted:
    """CV+ around networks of the mean, each blind to one fold."""
    cut, start = jax.random.split(key)
    data, folds = task.data, task.effort.folds
    (mixed,) = task.cut(cut)
    size = mixed.shape[1] // folds
    mixed = mixed[:, : size * folds]  # equal folds: one shape for all networks
    fold = np.repeat(np.arange(folds), size)
    rows = np.stack([mixed[:, fold != f] for f in range(folds)], axis=1).reshape(-1, size * (folds - 1))
    stop = round(0.2 * rows.shape[1])
    rows = np.stack(
        [r[np.asarray(jax.random.permutation(jax.random.fold_in(cut, i), len(r)))] for i, r in enumerate(rows)]
    )
    make = partial(mean_network, features=data.features, width=task.effort.width, rate=0.0, decay=0.0)
    networks, problem = task.train(start, make, SquaredError(), rows[:, stop:], rows[:, :stop])
    splits = len(mixed)
    members = jax.tree.map(lambda a: a.reshape(splits, folds, *a.shape[2:]) if eqx.is_array(a) else a, networks)
    inside, shown = (predicted(members, x, lambda m: (m, jnp.zeros_like(m)))[0] for x in (data.x[mixed], task.points.x))
    blind = np.take_along_axis(inside, np.broadcast_to(fold, (splits, 1, len(fold))), axis=1)[:, 0]
    residual = np.abs(data.y[mixed] - blind)

    def one(s: int, level: float) -> Any:
        return jackknife(residual[s], shown[s].T, level=level, model=fold)

    return [_by_split(one, shown.mean(axis=1))], problem
