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
from verax.compare._dropout import SquaredError, mean_network
from verax.compare._networks import only_outputs, with_head
from verax.compare._predictions import LEVELS, QUANTILES, Bands, Fitted, Prediction, Quantiles
from verax.compare._regression_data import TARGET, Data, Partition
from verax.compare._regression_training import RegressionEffort, cut_rows, predicted, train_all, warnings
from verax.conformal import absolute, band, conformalize, cqr, cqr_band, jackknife, normalised
from verax.results import FloatArray


def _by_split(interval: Callable[[int, float], Any], value: FloatArray) -> Bands:
    """Intervals of each split and level from ``interval(split, level)``."""
    ends = {}
    for level in LEVELS:
        found = [interval(s, level) for s in range(len(value))]
        ends[level] = (np.stack([i.low for i in found]), np.stack([i.high for i in found]))
    return Bands(value, ends)


def split_conformal(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """Split conformal intervals around a mean-variance network: of one width, and scaled by its σ(x)."""
    cut, start = jax.random.split(key)
    learn, stop, held = cut_rows(cut, partition.train, 0.6, 0.15)
    make = with_head(data, mean_variance, effort)
    networks, history = train_all(start, data.events(), learn, stop, make, GaussianNLL(TARGET), effort.training)
    (mean, sigma), (at, width) = (
        (m[:, 0], np.sqrt(v[:, 0])) for m, v in (predicted(networks, x, gaussian) for x in (data.x[held], partition.x))
    )
    y = data.y[held]

    def plain(s: int, level: float) -> Any:
        return band(at[s], conformalize(absolute(y[s], mean[s]), level=level).value, level=level)

    def scaled(s: int, level: float) -> Any:
        quantile = conformalize(normalised(y[s], mean[s], sigma[s]), level=level).value
        return band(at[s], quantile, level=level, spread=width[s])

    rows: dict[str, Prediction] = {
        "split conformal": _by_split(plain, at),
        "normalised conformal": _by_split(scaled, at),
    }
    return rows, warnings(history)


def conformal_quantiles(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """Conformalised quantile regression."""
    cut, start = jax.random.split(key)
    learn, stop, held = cut_rows(cut, partition.train, 0.6, 0.15)
    make = with_head(data, quantiles, effort, levels=QUANTILES)
    networks, history = train_all(start, data.events(), learn, stop, make, Pinball(TARGET, QUANTILES), effort.training)
    before, shown = (Quantiles(only_outputs(networks, x)) for x in (data.x[held], partition.x))
    y = data.y[held]

    def one(s: int, level: float) -> Any:
        (low, high), (bottom, top) = before.interval(level), shown.interval(level)
        return cqr_band(bottom[s], top[s], conformalize(cqr(y[s], low[s], high[s]), level=level).value, level=level)

    return {"CQR": _by_split(one, shown.value[..., QUANTILES.index(0.5)])}, warnings(history)


def cv_plus(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """CV+ around networks of the mean, each blind to one fold."""
    cut, start = jax.random.split(key)
    (mixed,) = cut_rows(cut, partition.train)
    size = mixed.shape[1] // effort.folds
    mixed = mixed[:, : size * effort.folds]  # equal folds: one shape for all networks
    fold = np.repeat(np.arange(effort.folds), size)
    outside = [mixed[:, fold != f] for f in range(effort.folds)]
    rows = np.stack(outside, axis=1).reshape(-1, size * (effort.folds - 1))
    stop = round(0.2 * rows.shape[1])
    rows = np.stack(
        [r[np.asarray(jax.random.permutation(jax.random.fold_in(cut, i), len(r)))] for i, r in enumerate(rows)]
    )
    make = partial(mean_network, features=data.features, width=effort.width, rate=0.0, decay=0.0)
    networks, history = train_all(
        start, data.events(), rows[:, stop:], rows[:, :stop], make, SquaredError(), effort.training
    )
    splits = len(mixed)
    members = jax.tree.map(lambda a: a.reshape(splits, effort.folds, *a.shape[2:]) if eqx.is_array(a) else a, networks)
    moments = lambda m: (m, jnp.zeros_like(m))  # noqa: E731
    inside, _ = predicted(members, data.x[mixed], moments)
    shown, _ = predicted(members, partition.x, moments)
    blind = np.take_along_axis(inside, np.broadcast_to(fold, (splits, 1, len(fold))), axis=1)[:, 0]
    residual = np.abs(data.y[mixed] - blind)

    def one(s: int, level: float) -> Any:
        return jackknife(residual[s], shown[s].T, level=level, model=fold)

    return {"CV+": _by_split(one, shown.mean(axis=1))}, warnings(history)
