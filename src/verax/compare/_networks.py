"""One network each: mean and variance, a mixture, quantiles."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.aleatoric import (
    EvidentialNLL,
    GaussianNLL,
    MixtureNLL,
    Pinball,
    evidential,
    evidential_log_prob,
    evidential_moments,
    mean_variance,
    mixture_density,
    quantiles,
)

from ._deep_ensemble import total_variance
from ._predictions import QUANTILES, Fitted, Gaussian, Mixture, Quantiles
from ._regression_data import TARGET
from ._regression_training import Task, only_outputs


def single(key: PRNGKeyArray, task: Task) -> Fitted:
    """A mean-variance network."""
    networks, problem = task.train(key, task.network(mean_variance), GaussianNLL(TARGET))
    return [total_variance(networks, task.points.x)], problem


def density(key: PRNGKeyArray, task: Task) -> Fitted:
    """A mixture density network of three Gaussians."""
    networks, problem = task.train(key, task.network(mixture_density, components=3), MixtureNLL(TARGET))
    found = only_outputs(networks, task.points.x)
    share = np.exp(found[:, :, 0])
    share /= share.sum(axis=-1, keepdims=True)
    return [Mixture(share, found[:, :, 1], np.exp(2 * found[:, :, 2]))], problem


def evidence(key: PRNGKeyArray, task: Task) -> Fitted:
    """An evidential network: both parts of its variance, and the likelihood of its Student-t."""
    networks, problem = task.train(key, task.network(evidential), EvidentialNLL(TARGET))
    found = jnp.asarray(only_outputs(networks, task.points.x), jnp.float32)
    mean, aleatoric, epistemic = (np.asarray(a, np.float64) for a in jax.vmap(jax.vmap(evidential_moments))(found))
    nll = -np.asarray(evidential_log_prob(found, jnp.asarray(task.points.y, jnp.float32)), np.float64)
    return [Gaussian(mean, aleatoric + epistemic, nll)], problem


def quantile(key: PRNGKeyArray, task: Task) -> Fitted:
    """Quantile regression."""
    networks, problem = task.train(key, task.network(quantiles, levels=QUANTILES), Pinball(TARGET, QUANTILES))
    return [Quantiles(only_outputs(networks, task.points.x))], problem
