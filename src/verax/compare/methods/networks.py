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
from verax.compare.methods.data import TARGET, Data, Partition
from verax.compare.methods.ensemble import total
from verax.compare.methods.forms import QUANTILES, Form, Gaussian, Mixture, Quantiles
from verax.compare.methods.train import Effort, concerns, outputs, parts, train_all
from verax.learn import classifier
from verax.results import FloatArray


def with_head(data: Data, head: Any, effort: Effort, **options: Any) -> Any:
    """The maker of networks with a head, of the shape that all methods here share."""
    body = partial(classifier, width=effort.width, depth=1)
    return partial(head, features=data.features, target=TARGET, make=body, **options)


def single(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """A mean-variance network."""
    cut, start = jax.random.split(key)
    learn, stop = parts(cut, partition.train, 0.8)
    make = with_head(data, mean_variance, effort)
    networks, history = train_all(start, data.events(), learn, stop, make, GaussianNLL(TARGET), effort.training)
    return {"mean-variance network": total(networks, partition.x)}, concerns(history)


def density(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """A mixture density network of three Gaussians."""
    cut, start = jax.random.split(key)
    learn, stop = parts(cut, partition.train, 0.8)
    make = with_head(data, mixture_density, effort, components=3)
    networks, history = train_all(start, data.events(), learn, stop, make, MixtureNLL(TARGET), effort.training)
    shown = np.asarray(outputs(networks, jnp.asarray(partition.x, jnp.float32)), np.float64)[:, 0]
    share = np.exp(shown[:, :, 0])
    form = Mixture(share / share.sum(axis=-1, keepdims=True), shown[:, :, 1], np.exp(2 * shown[:, :, 2]))
    return {"mixture density network": form}, concerns(history)


def evidence(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """An evidential network: both parts of its variance, and the likelihood of its Student-t."""
    cut, start = jax.random.split(key)
    learn, stop = parts(cut, partition.train, 0.8)
    make = with_head(data, evidential, effort)
    networks, history = train_all(start, data.events(), learn, stop, make, EvidentialNLL(TARGET), effort.training)
    found = outputs(networks, jnp.asarray(partition.x, jnp.float32))[:, 0]
    mean, aleatoric, epistemic = (np.asarray(a, np.float64) for a in jax.vmap(jax.vmap(evidential_moments))(found))
    nll = -np.asarray(evidential_log_prob(found, jnp.asarray(partition.y, jnp.float32)), np.float64)
    return {"evidential network": Gaussian(mean, aleatoric + epistemic, nll)}, concerns(history)


def quantile_networks(
    key: PRNGKeyArray, data: Data, learn: np.ndarray, stop: np.ndarray, effort: Effort
) -> tuple[Any, str]:
    """Networks of quantiles, and what went wrong."""
    make = with_head(data, quantiles, effort, levels=QUANTILES)
    networks, history = train_all(key, data.events(), learn, stop, make, Pinball(TARGET, QUANTILES), effort.training)
    return networks, concerns(history)


def said(networks: Any, x: np.ndarray) -> FloatArray:
    """Quantiles of the only member, [split, point, level]."""
    return np.asarray(outputs(networks, jnp.asarray(x, jnp.float32)), np.float64)[:, 0]


def quantile(key: PRNGKeyArray, data: Data, partition: Partition, effort: Effort) -> tuple[dict[str, Form], str]:
    """Quantile regression."""
    cut, start = jax.random.split(key)
    learn, stop = parts(cut, partition.train, 0.8)
    networks, problem = quantile_networks(start, data, learn, stop, effort)
    return {"quantile regression": Quantiles(said(networks, partition.x))}, problem
