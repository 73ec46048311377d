"""Networks that differ: bootstrap, means alone, test-time augmentation, variational, Laplace and HMC."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.aleatoric import GaussianNLL, mean_variance
from verax.compare._deep_ensemble import total_variance
from verax.compare._dropout import SquaredError, mean_network
from verax.compare._networks import with_head
from verax.compare._predictions import Fitted, Gaussian, Prediction
from verax.compare._regression_data import TARGET, Data, Partition
from verax.compare._regression_training import (
    RESOLUTION,
    STOPPED,
    RegressionEffort,
    cut_rows,
    predicted,
    split_members,
    train_all,
    train_splits,
    warnings,
)
from verax.epistemic import Posterior, hmc, laplace, tta
from verax.epistemic.variational import MeanField, NegativeElbo, Variational, mean_field
from verax.learn import Training, classifier, start_from
from verax.learn.epoch import stack
from verax.results import Status

LAPLACE = {"Laplace, last layer": "last", "Laplace, all weights": "all"}
"""Rows, and the weights that each is over."""


def bootstrap(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """Mean-variance networks, each on a Poisson replica of the rows."""
    make, loss = with_head(data, mean_variance, effort), GaussianNLL(TARGET)
    networks, problem = train_splits(key, data, partition, effort, make, loss, members=effort.members, bootstrap=True)
    return {"bootstrap ensemble": total_variance(networks, partition.x)}, problem


def mean_ensemble(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """Networks of the mean alone, whose interval is their spread: an ensemble that knows of no noise."""
    make = partial(mean_network, features=data.features, width=effort.width, rate=0.0, decay=0.0)
    networks, problem = train_splits(key, data, partition, effort, make, SquaredError(), members=effort.members)
    mean, _ = predicted(networks, partition.x, lambda m: (m, jnp.zeros_like(m)))
    spread = np.maximum(mean.var(axis=1, ddof=1), 1e-300)
    return {"ensemble, epistemic only": Gaussian(mean.mean(axis=1), spread)}, problem


def augmented(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """A mean-variance network at draws of its inputs, each of a resolution of a twentieth of its spread."""
    widths = dict(zip(data.features, (RESOLUTION * data.x.std(axis=0)).tolist(), strict=True))
    method = partial(tta, resolution=widths)
    return posterior(key, data, partition, effort, row="test-time augmentation", method=method)


def posterior(
    key: PRNGKeyArray,
    data: Data,
    partition: Partition,
    effort: RegressionEffort,
    *,
    row: str,
    method: Callable[..., Posterior],
) -> Fitted:
    """The members of an epistemic method around mean-variance networks, split by split."""
    cut, start = jax.random.split(key)
    make, table, drawn, problems = with_head(data, mean_variance, effort), data.events(), [], []
    for s, (learn, stop) in enumerate(zip(*cut_rows(cut, partition.train, 0.8), strict=True)):
        here, options = jax.random.fold_in(start, s), {"training": effort.training, "validation": table.take(stop)}
        found = method(here, make, GaussianNLL(TARGET), table.take(learn), **options)
        problems += [found.problem] if found.problem else []
        drawn.append(found.members(jax.random.fold_in(here, 1), effort.draws))
    return {row: total_variance(stack(drawn), partition.x)}, _first(problems, len(drawn))


def variational(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """Independent Gaussians over the weights of a mean-variance network, prior N(0, 1); all rows."""
    start, draw = jax.random.split(key)
    n = partition.train.shape[1]
    inner = with_head(data, mean_variance, effort)

    def make(key: PRNGKeyArray, events: Any) -> MeanField:
        return mean_field(inner(key, events))

    networks, history = train_all(
        start,
        data.events(),
        partition.train,
        partition.train[:, :0],
        make,
        NegativeElbo(GaussianNLL(TARGET), n, np.ones((), np.float32)),
        training=Training(effort.variational, effort.batch, learning_rate=1e-2).annealed(),
    )
    drawn = []
    for s in range(len(partition.train)):
        posterior = split_members(split_members(networks, s), 0)
        found = Variational(posterior)
        drawn.append(found.members(jax.random.fold_in(draw, s), effort.draws))
    return {"variational": total_variance(stack(drawn), partition.x)}, warnings(history)


def gaussians(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """Gaussians over the last layer and over all weights of a mean-variance network.

    The last layer's is around the network where its training stopped, with the curvature of the rows that it learnt from:
    at the layer's own mode it would have unlearnt to stop. All weights' is where twenty steps towards the mode of all rows
    lead. Curvatures are Fisher's: away from the mode Gauss and Newton's of a Gaussian with free σ is not positive.
    """
    cut, start, draw = jax.random.split(key, 3)
    learn, stop = cut_rows(cut, partition.train, 0.8)
    make, loss, table = with_head(data, mean_variance, effort), GaussianNLL(TARGET), data.events()
    networks, history = train_all(start, table, learn, stop, make, loss, effort.training)
    predictions: dict[str, Prediction] = {}
    problems = [p for p in [warnings(history)] if p]
    for row, which in LAPLACE.items():
        rows, steps, fine = (learn, 0, STOPPED) if which == "last" else (partition.train, 20, (Status.OK,))
        drawn = []
        for s in range(len(rows)):
            network = split_members(split_members(networks, s), 0)
            given, events = start_from(network), table.take(rows[s])
            found = laplace(key, given, loss, events, training=None, which=which, curvature="fisher", steps=steps)
            if found.status not in fine:
                problems.append(f"{row}: {found.problem}")
            drawn.append(found.members(jax.random.fold_in(draw, s), effort.draws))
        predictions[row] = total_variance(stack(drawn), partition.x)
    return predictions, _first(problems, len(LAPLACE) * len(partition.train))


def chains(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
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
        drawn.append(found.members(key, min(effort.draws, effort.chains * effort.chain)))
    return {"HMC": total_variance(stack(drawn), partition.x)}, _first(problems, len(partition.train))


def _first(problems: list[str], of: int) -> str:
    return f"{len(problems)} of {of} splits: {problems[0]}" if problems else ""
