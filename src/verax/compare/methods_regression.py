"""Methods of regression on equal splits: each gives a prediction of every split's points, by the name of its row."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PRNGKeyArray
from threadpoolctl import threadpool_limits

from verax.aleatoric import (
    GaussianNLL,
    MixtureNLL,
    Pinball,
    gaussian,
    mean_variance,
    mixture_density,
    quantiles,
)
from verax.calibrate import absolute, band, conformalize, cqr, cqr_band, jackknife, normalised
from verax.compare.methods_data import TARGET, Data, Partition
from verax.compare.methods_dropout import SquaredError, dropout, mean_network
from verax.compare.methods_ensemble import as_printed, deep_ensemble, total
from verax.compare.methods_forms import LEVELS, QUANTILES, Bands, Form, Gaussian, Mixture, Quantiles
from verax.compare.methods_train import Effort, concerns, of_split, outputs, parts, predicted, train_all
from verax.epistemic import hmc, laplace
from verax.epistemic.posterior import weights
from verax.epistemic.variational import MeanField, NegativeElbo, Variational
from verax.errors import InputError
from verax.learn import classifier
from verax.learn.epoch import stack
from verax.results import FloatArray, Status

Fit: TypeAlias = Callable[[PRNGKeyArray, Data, Partition, Effort], tuple[dict[str, Form], str]]
"""``(key, data, partition, effort) → (prediction by row, what went wrong)``."""


@dataclass(frozen=True)
class Method:
    """A way to predict with uncertainty.

    Parameters
    ----------
    fit : trains and predicts; may give several rows of the table from one training
    rows : the names of its rows, each with what is guaranteed, and whether any model will do
    largest : rows of a split above which it is left out: it would take hours
    extra : only when it is asked for
    """

    fit: Fit
    rows: dict[str, tuple[str, str]]
    largest: float = np.inf
    extra: bool = False


# ------------------------------------------------------------------------------------------------------------ references


def linear(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """Least squares; variance of a prediction s² (1 + xᵀ(XᵀX)⁻¹x)."""
    means, variances = [], []
    for rows, x in zip(partition.train, partition.x, strict=True):
        centre, scale = data.x[rows].mean(axis=0), data.x[rows].std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        design, shown = (np.column_stack([np.ones(len(a)), (a - centre) / scale]) for a in (data.x[rows], x))
        inverse = np.linalg.pinv(design.T @ design)
        beta = inverse @ design.T @ data.y[rows]
        noise = np.sum((data.y[rows] - design @ beta) ** 2) / (len(rows) - np.linalg.matrix_rank(design))
        means.append(shown @ beta)
        variances.append(noise * (1 + np.einsum("ij,jk,ik->i", shown, inverse, shown)))
    return {"linear regression": Gaussian(np.stack(means), np.stack(variances))}, ""


def gaussian_process(
    key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort
) -> tuple[dict[str, Form], str]:
    """Squared-exponential kernel and noise, of the largest evidence on at most 300 rows; conditioned on more."""
    try:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    except ModuleNotFoundError as error:
        expected, action = "scikit-learn installed", "pip install scikit-learn, or choose other methods"
        raise InputError("method 'gaussian process'", "no package 'sklearn'", expected, action) from error
    import warnings

    means, variances = [], []
    (order,) = parts(key, partition.train)
    for rows, x in zip(order, partition.x, strict=True):
        rows = rows[: effort.largest]
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
    return {"Gaussian process": Gaussian(np.stack(means), np.stack(variances))}, ""


# --------------------------------------------------------------------------------------------------------- one network


def _make(data: Data, head: Any, effort: Effort, **options: Any) -> Any:
    body = partial(classifier, width=effort.width, depth=1)
    return partial(head, features=data.features, target=TARGET, make=body, **options)


def _house(effort: Effort) -> dict[str, Any]:
    return {"epochs": effort.epochs, "batch": effort.batch, "patience": effort.patience, "rate": effort.rate}


def single(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """A mean-variance network."""
    cut, start = jax.random.split(key)
    learn, stop = parts(cut, partition.train, 0.8)
    make = _make(data, mean_variance, effort)
    networks, history = train_all(start, data.events(), learn, stop, make, GaussianNLL(TARGET), **_house(effort))
    return {"mean-variance network": total(networks, partition.x)}, concerns(history)


def density(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """A mixture density network of three Gaussians."""
    cut, start = jax.random.split(key)
    learn, stop = parts(cut, partition.train, 0.8)
    make = _make(data, mixture_density, effort, components=3)
    networks, history = train_all(start, data.events(), learn, stop, make, MixtureNLL(TARGET), **_house(effort))
    said = np.asarray(outputs(networks, jnp.asarray(partition.x, jnp.float32)), np.float64)[:, 0]
    share = np.exp(said[:, :, 0])
    form = Mixture(share / share.sum(axis=-1, keepdims=True), said[:, :, 1], np.exp(2 * said[:, :, 2]))
    return {"mixture density network": form}, concerns(history)


def _quantile_networks(
    key: PRNGKeyArray, data: Data, learn: np.ndarray, stop: np.ndarray, effort: Effort
) -> tuple[Any, str]:
    make = _make(data, quantiles, effort, levels=QUANTILES)
    networks, history = train_all(key, data.events(), learn, stop, make, Pinball(TARGET, QUANTILES), **_house(effort))
    return networks, concerns(history)


def _said(networks: Any, x: np.ndarray) -> FloatArray:
    """Quantiles of the only member, [split, point, level]."""
    return np.asarray(outputs(networks, jnp.asarray(x, jnp.float32)), np.float64)[:, 0]


def quantile(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """Quantile regression."""
    cut, start = jax.random.split(key)
    learn, stop = parts(cut, partition.train, 0.8)
    networks, problem = _quantile_networks(start, data, learn, stop, effort)
    return {"quantile regression": Quantiles(_said(networks, partition.x))}, problem


# ------------------------------------------------------------------------------------------------------------- members


def bootstrap(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """Mean-variance networks, each on a Poisson replica of the rows."""
    cut, start = jax.random.split(key)
    learn, stop = parts(cut, partition.train, 0.8)
    networks, history = train_all(
        start,
        data.events(),
        learn,
        stop,
        _make(data, mean_variance, effort),
        GaussianNLL(TARGET),
        members=effort.members,
        bootstrap=True,
        **_house(effort),
    )
    return {"bootstrap ensemble": total(networks, partition.x)}, concerns(history)


def mean_ensemble(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """Networks of the mean alone; the interval is their spread: what an ensemble says that knows of no noise."""
    cut, start = jax.random.split(key)
    learn, stop = parts(cut, partition.train, 0.8)
    make = partial(mean_network, features=data.features, width=effort.width, rate=0.0, decay=0.0)
    networks, history = train_all(
        start, data.events(), learn, stop, make, SquaredError(), members=effort.members, **_house(effort)
    )
    mean, _ = predicted(networks, partition.x, lambda m: (m, jnp.zeros_like(m)))
    spread = np.maximum(mean.var(axis=1, ddof=1), 1e-300)
    return {"ensemble, epistemic only": Gaussian(mean.mean(axis=1), spread)}, concerns(history)


def variational(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """Independent Gaussians over the weights of a mean-variance network, prior N(0, 1); all rows."""
    start, draw = jax.random.split(key)
    n = partition.train.shape[1]
    inner = _make(data, mean_variance, effort)

    def make(key: PRNGKeyArray, events: Any) -> MeanField:
        network = inner(key, events)
        size = weights(network).vector.size
        return MeanField(network, jnp.full(size, np.log(np.expm1(0.03)), jnp.float32))

    networks, history = train_all(
        start,
        data.events(),
        partition.train,
        partition.train[:, :0],
        make,
        NegativeElbo(GaussianNLL(TARGET), n, np.ones((), np.float32)),
        epochs=effort.variational,
        batch=effort.batch,
        optimizer=_cooling,
    )
    drawn = []
    for s in range(len(partition.train)):
        posterior = of_split(of_split(networks, s), 0)
        found = Variational(posterior, history[s], float(n))
        drawn.append(found.members(jax.random.fold_in(draw, s), effort.draws))
    return {"variational": total(stack(drawn), partition.x)}, concerns(history)


@functools.cache
def _cooling(steps: int) -> optax.GradientTransformation:
    """Adam whose rate falls from 0.01 to zero, as :func:`verax.epistemic.variational` has it."""
    return optax.adam(optax.cosine_decay_schedule(1e-2, steps))


def laplace_all(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """A Gaussian over the last layer of a mean-variance network, at the mode that all rows have; largest evidence."""
    cut, start, draw = jax.random.split(key, 3)
    learn, stop = parts(cut, partition.train, 0.8)
    make, loss, table = _make(data, mean_variance, effort), GaussianNLL(TARGET), data.events()
    networks, history = train_all(start, table, learn, stop, make, loss, **_house(effort))
    drawn, problems = [], [p for p in [concerns(history)] if p]
    for s, rows in enumerate(partition.train):
        found = laplace(of_split(of_split(networks, s), 0), loss, table.take(rows))
        if found.status != Status.OK:
            problems.append(found.problem)
        drawn.append(found.members(jax.random.fold_in(draw, s), effort.draws))
    return {"Laplace": total(stack(drawn), partition.x)}, _first(problems, len(partition.train))


def chains(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """Hamiltonian Monte Carlo over all weights of a small mean-variance network, prior N(0, 1); all rows."""
    table, drawn, problems = data.events(), [], []
    small = partial(classifier, width=effort.units, depth=1)
    make = partial(mean_variance, features=data.features, target=TARGET, make=small)
    for s, rows in enumerate(partition.train):
        found = hmc(
            jax.random.fold_in(key, s),
            make,
            GaussianNLL(TARGET),
            table.take(rows),
            chains=effort.chains,
            warmup=effort.chain,
            draws=effort.chain,
            steps=30,
        )
        if found.status != Status.OK:
            problems.append(found.problem)
        drawn.append(found.members(min(effort.draws, effort.chains * effort.chain)))
    return {"HMC": total(stack(drawn), partition.x)}, _first(problems, len(partition.train))


def _first(problems: list[str], of: int) -> str:
    return f"{len(problems)} of {of} splits: {problems[0]}" if problems else ""


# ----------------------------------------------------------------------------------------------------------- conformal


def _by_split(form: Callable[[int, float], Any], value: FloatArray) -> Bands:
    """Intervals of each split and level from ``form(split, level)``."""
    ends = {}
    for level in LEVELS:
        found = [form(s, level) for s in range(len(value))]
        ends[level] = (np.stack([i.low for i in found]), np.stack([i.high for i in found]))
    return Bands(value, ends)


def split_conformal(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """Split conformal intervals around a mean-variance network: of one width, and scaled by its σ(x)."""
    cut, start = jax.random.split(key)
    learn, stop, held = parts(cut, partition.train, 0.6, 0.15)
    make = _make(data, mean_variance, effort)
    networks, history = train_all(start, data.events(), learn, stop, make, GaussianNLL(TARGET), **_house(effort))
    (mean, sigma), (at, width) = (
        (m[:, 0], np.sqrt(v[:, 0])) for m, v in (predicted(networks, x, gaussian) for x in (data.x[held], partition.x))
    )
    y = data.y[held]

    def plain(s: int, level: float) -> Any:
        return band(at[s], conformalize(absolute(y[s], mean[s]), level=level).value, level=level)

    def scaled(s: int, level: float) -> Any:
        quantile = conformalize(normalised(y[s], mean[s], sigma[s]), level=level).value
        return band(at[s], quantile, level=level, spread=width[s])

    rows: dict[str, Form] = {"split conformal": _by_split(plain, at), "normalised conformal": _by_split(scaled, at)}
    return rows, concerns(history)


def conformal_quantiles(
    key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort
) -> tuple[dict[str, Form], str]:
    """Conformalised quantile regression."""
    cut, start = jax.random.split(key)
    learn, stop, held = parts(cut, partition.train, 0.6, 0.15)
    networks, problem = _quantile_networks(start, data, learn, stop, effort)
    before, shown, y = Quantiles(_said(networks, data.x[held])), Quantiles(_said(networks, partition.x)), data.y[held]

    def one(s: int, level: float) -> Any:
        (low, high), (bottom, top) = before.interval(level), shown.interval(level)
        return cqr_band(bottom[s], top[s], conformalize(cqr(y[s], low[s], high[s]), level=level).value, level=level)

    return {"CQR": _by_split(one, shown.value[..., QUANTILES.index(0.5)])}, problem


def cv_plus(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """CV+ around networks of the mean, each blind to one fold."""
    cut, start = jax.random.split(key)
    (mixed,) = parts(cut, partition.train)
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
        start, data.events(), rows[:, stop:], rows[:, :stop], make, SquaredError(), **_house(effort)
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

    return {"CV+": _by_split(one, shown.mean(axis=1))}, concerns(history)


NONE = "none"
SPLIT = "marginal, finite n"
METHODS: dict[str, Method] = {
    "linear regression": Method(linear, {"linear regression": ("if linear", "no")}),
    "gaussian process": Method(gaussian_process, {"Gaussian process": ("if its prior is right", "no")}),
    "mean-variance": Method(single, {"mean-variance network": (NONE, "no")}),
    "mixture density": Method(density, {"mixture density network": (NONE, "no")}),
    "quantile regression": Method(quantile, {"quantile regression": ("asymptotic", "yes")}),
    "deep ensemble": Method(deep_ensemble, {"deep ensemble": (NONE, "yes")}),
    "deep ensemble as printed": Method(as_printed, {"deep ensemble as printed": (NONE, "yes")}, extra=True),
    "bootstrap": Method(bootstrap, {"bootstrap ensemble": (NONE, "yes")}),
    "dropout": Method(dropout, {"MC dropout": (NONE, "no"), "dropout, epistemic only": (NONE, "no")}),
    "variational": Method(variational, {"variational": ("none: a bound", "no")}),
    "laplace": Method(laplace_all, {"Laplace": ("posterior, asymptotic", "no")}),
    "hmc": Method(chains, {"HMC": ("posterior, asymptotic", "no")}, largest=2000),
    "ensemble of means": Method(mean_ensemble, {"ensemble, epistemic only": (NONE, "yes")}),
    "split conformal": Method(
        split_conformal, {"split conformal": (SPLIT, "yes"), "normalised conformal": (SPLIT, "yes")}
    ),
    "cqr": Method(conformal_quantiles, {"CQR": (SPLIT, "yes")}),
    "cv+": Method(cv_plus, {"CV+": ("≥ 2·level − 1", "yes")}),
}
"""Every method by the name that chooses it."""
