"""Deep ensembles as in arXiv:1612.01474: 40 epochs, five networks, with and without adversaries; the rate by validation.

The paper says "Adam optimizer with fixed learning rate of 0.1". With target and features standardised that does not
converge on these sets: on a fifth of the rows to learn from, members' errors reach ten times the target's spread. The rate
is therefore chosen among :data:`RATES`, on such a fifth of each split; "deep ensemble as printed" keeps 0.1. Its table
agrees better with ensembles that have no adversaries (``benchmarks/README.md``), so both are rows.
"""

import functools
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, PRNGKeyArray

from verax.aleatoric import GaussianNLL, MeanVariance, gaussian, mean_variance
from verax.check import nll_gaussian
from verax.events import Events
from verax.learn import Loss, Training, classifier
from verax.results import FloatArray

from ._predictions import Fitted, Gaussian
from ._regression_data import TARGET
from ._regression_training import WIDTH, Task, predicted

PRINTED = 0.1
RATES = (0.03, 0.01, 0.003)
EPOCHS, BATCH, MEMBERS = 40, 100, 5
SHARE = 0.01
"""ε of the adversaries, of each feature's range."""


@functools.cache
def adam(rate: float) -> optax.GradientTransformation:
    """Adam at a fixed rate; one object for each, so that equal settings share one compiled loop."""
    return optax.adam(rate)


class SoftplusVariance(MeanVariance):
    """A mean-variance network with σ² = softplus(·) + 10⁻⁶ in units of the target's variance (there, section 2.2.1)."""

    def __call__(self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None) -> Float[jax.Array, "2"]:
        mean, raw = self.raw(x, key)
        centre, scale = self.units()
        return jnp.stack([centre + scale * mean, 0.5 * jnp.log(jax.nn.softplus(raw) + 1e-6) + jnp.log(scale)])


class Adversarial(eqx.Module):
    """ℓ(x, y) + ℓ(x + ε sign ∇ₓℓ, y): adversarial training by the fast gradient sign (there, algorithm 1).

    Parameters
    ----------
    step : ε for each column, 0 for those that are no features
    """

    loss: Loss
    step: Float[jax.Array, " column"]

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        def at(x: jax.Array) -> jax.Array:
            moved = Events(x, events.weight, events.process, events.number, events.columns, events.processes)
            return self.loss(network, moved, key)

        x = jnp.asarray(events.x)
        value, slope = jax.value_and_grad(at)(x)
        return value + at(x + self.step * jnp.sign(jax.lax.stop_gradient(slope)))


def adversarial(loss: Loss, table: Events, features: tuple[str, ...], share: float = SHARE) -> Adversarial:
    """Make a loss adversarial, with ε a share of each feature's range."""
    x = np.asarray(table.x)
    step = np.zeros(x.shape[1], np.float32)
    where = table.index(features)
    step[where] = share * np.ptp(x[:, where], axis=0)
    return Adversarial(loss, jnp.asarray(step))


def softplus_network(key: PRNGKeyArray, events: Events, *, features: tuple[str, ...]) -> SoftplusVariance:
    """Make a network of 50 hidden units in one layer, standardised to the events."""
    body = partial(classifier, width=WIDTH, depth=1)
    made = mean_variance(key, events, features=features, target=TARGET, make=body)
    return SoftplusVariance(made.body, made.scale, made.target)


def total_variance(networks: Any, x: FloatArray) -> Gaussian:
    """Combine the members of each split by the law of total variance; their outputs are (mean, ln σ)."""
    mean, variance = predicted(networks, x, gaussian)
    return Gaussian(mean.mean(axis=1), variance.mean(axis=1) + mean.var(axis=1))


def deep_ensemble(key: PRNGKeyArray, task: Task, *, share: float) -> Fitted:
    """The ensemble with the rate at which it predicts the last fifth of each split's rows best, trained on all of them."""
    choice, start = jax.random.split(key)
    points, data = task.points, task.data
    cut = int(0.8 * points.train.shape[1])
    learn, held = points.train[:, :cut], points.train[:, cut:]
    y, nll = data.y[held], []
    for i, rate in enumerate(RATES):
        found = total_variance(_fit(jax.random.fold_in(choice, i), task, learn, rate, share)[0], data.x[held])
        nll.append(nll_gaussian(found.mean.ravel(), found.variance.ravel(), y.ravel()).reshape(y.shape).mean(axis=1))
    best = np.argmin(nll, axis=0)
    mean, variance, problems = np.empty_like(points.y), np.empty_like(points.y), []
    for i in np.unique(best):
        splits = np.flatnonzero(best == i)
        networks, problem = _fit(jax.random.fold_in(start, i), task, points.train[splits], RATES[i], share)
        prediction = total_variance(networks, points.x[splits])
        mean[splits], variance[splits] = prediction.mean, prediction.variance
        problems += [problem] if problem else []
    return [Gaussian(mean, variance)], "; ".join(problems)


def as_printed(key: PRNGKeyArray, task: Task) -> Fitted:
    """The ensemble with the paper's rate of 0.1."""
    networks, problem = _fit(key, task, task.points.train, PRINTED, SHARE)
    return [total_variance(networks, task.points.x)], problem


def _fit(key: PRNGKeyArray, task: Task, rows: np.ndarray, rate: float, share: float) -> tuple[Any, str]:
    loss, features = GaussianNLL(TARGET), task.data.features
    return task.train(
        key,
        partial(softplus_network, features=features),
        adversarial(loss, task.table, features, share) if share else loss,
        rows,
        members=MEMBERS,
        training=Training(EPOCHS, BATCH, optimizer=adam(rate)),
    )
