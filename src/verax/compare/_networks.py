"""One network each: mean and variance, a mixture, quantiles."""

from functools import partial
from typing import Any

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
from verax.compare._deep_ensemble import total_variance
from verax.compare._predictions import QUANTILES, Fitted, Gaussian, Mixture, Quantiles
from verax.compare._regression_data import TARGET, Data, Partition
from verax.compare._regression_training import RegressionEffort, outputs, train_splits
from verax.learn import classifier
from verax.results import FloatArray


def with_head(data: Data, head: Any, effort: RegressionEffort, **options: Any) -> Any:
    """The maker of networks with a head, of the shape that all methods here share."""
    body = partial(classifier, width=effort.width, depth=1)
    return partial(head, features=data.features, target=TARGET, make=body, **options)


def single(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """A mean-variance network."""
    make = with_head(data, mean_variance, effort)
    networks, problem = train_splits(key, data, partition, effort, make, GaussianNLL(TARGET))
    return {"mean-variance network": total_variance(networks, partition.x)}, problem


def density(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """A mixture density network of three Gaussians."""
    make = with_head(data, mixture_density, effort, components=3)
    networks, problem = train_splits(key, data, partition, effort, make, MixtureNLL(TARGET))
    shown = only_outputs(networks, partition.x)
    share = np.exp(shown[:, :, 0])
    prediction = Mixture(share / share.sum(axis=-1, keepdims=True), shown[:, :, 1], np.exp(2 * shown[:, :, 2]))
    return {"mixture density network": prediction}, problem


def evidence(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """An evidential network: both parts of its variance, and the likelihood of its Student-t."""
    make = with_head(data, evidential, effort)
    networks, problem = train_splits(key, data, partition, effort, make, EvidentialNLL(TARGET))
    found = jnp.asarray(only_outputs(networks, partition.x), jnp.float32)
    mean, aleatoric, epistemic = (np.asarray(a, np.float64) for a in jax.vmap(jax.vmap(evidential_moments))(found))
    nll = -np.asarray(evidential_log_prob(found, jnp.asarray(partition.y, jnp.float32)), np.float64)
    return {"evidential network": Gaussian(mean, aleatoric + epistemic, nll)}, problem


def quantile(key: PRNGKeyArray, data: Data, partition: Partition, effort: RegressionEffort) -> Fitted:
    """Quantile regression."""
    make = with_head(data, quantiles, effort, levels=QUANTILES)
    networks, problem = train_splits(key, data, partition, effort, make, Pinball(TARGET, QUANTILES))
    return {"quantile regression": Quantiles(only_outputs(networks, partition.x))}, problem


def only_outputs(networks: Any, x: FloatArray) -> FloatArray:
    """Outputs of the only member of each split, [split, point, …], in float64."""
    return np.asarray(outputs(networks, jnp.asarray(x, jnp.float32)), np.float64)[:, 0]
