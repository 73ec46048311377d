"""Mean-field variational inference: independent Gaussians over the weights, by gradients of the evidence lower bound.

Sources: Graves, NeurIPS 2011; Blundell et al., "Weight uncertainty in neural networks", arXiv:1505.05424. Independent
Gaussians have a known bias: of a Gaussian posterior with precision matrix Λ they find the variances 1/Λ_jj, which are
below the marginal variances (Λ⁻¹)_jj wherever weights are correlated.
"""

from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.errors import InputError
from verax.events import Events
from verax.learn import Loss, Make, Training, train

from ._posterior import Posterior, checked_members, checked_training
from ._power_likelihood import observations, precision_of, temper, weights


class MeanField(eqx.Module):
    """A network whose weights are independent Gaussians, made by :func:`mean_field`.

    Parameters
    ----------
    mean : the network with every weight at its mean
    spread : softplus⁻¹ of the weights' standard deviations, in the order of ``jax.flatten_util.ravel_pytree``
    """

    mean: Any
    spread: Float[jax.Array, "*member weight"]

    @property
    def features(self) -> tuple[str, ...]:
        """Columns that the network reads."""
        return self.mean.features

    @property
    def sigma(self) -> Float[jax.Array, "*member weight"]:
        """Standard deviations of the weights."""
        return jax.nn.softplus(self.spread)

    def vector(self) -> Float[jax.Array, " weight"]:
        """Give the means of the weights ``[weight]``."""
        return weights(self.mean).vector


def mean_field(network: Any, width: float = 0.03) -> MeanField:
    """Give the weights of a network independent Gaussians of one width around their values.

    Parameters
    ----------
    network : its weights are the means; constants (``Frozen``) stay as they are
    width : standard deviation of each weight

    >>> from verax.learn import blank
    >>> found = mean_field(blank(("x",), width=8, depth=1))
    >>> found.sigma.shape, round(float(found.sigma[0]), 4)  # 8 + 8 weights and 8 + 1 offsets
    ((25,), 0.03)
    """
    return MeanField(network, jnp.full(weights(network).vector.size, np.log(np.expm1(width)), jnp.float32))


class NegativeElbo(eqx.Module):
    """−ELBO per row: E_q[loss] + KL(q ‖ prior)/n, for a :class:`MeanField` and tempered events.

    The expectation is the mean over ``samples`` draws of the weights, each shared by the batch, in antithetic pairs; KL
    is in closed form, for the prior N(0, 1/precision).

    Parameters
    ----------
    loss : mean over rows of w·ℓ, ℓ a negative log-likelihood
    rows : n, rows of the whole training part
    precision : of the prior: one number, or one for each weight
    samples : antithetic pairs of draws in each step

    >>> from verax.events import make_events
    >>> from verax.learn import blank
    >>> network = mean_field(blank(("x",), width=8, depth=1), width=1.0)  # the prior itself: no divergence
    >>> elbo = NegativeElbo(lambda network, events, key: jnp.float32(0.5), 64, np.ones((), np.float32))
    >>> round(float(eqx.filter_jit(elbo)(network, make_events({"x": np.zeros(64)}), jax.random.key(1))), 4)
    0.5
    """

    loss: Loss
    rows: int = eqx.field(static=True)
    precision: Float[Array, "*weight"]
    samples: int = eqx.field(static=True, default=1)

    def __call__(self, network: MeanField, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        first, second = jax.random.split(key)
        held, sigma = weights(network.mean), network.sigma
        vector = held.vector
        noise = jax.random.normal(first, (self.samples, vector.size), vector.dtype)
        # w = μ + σ ⊙ ε (arXiv:1505.05424, section 3.2).
        # A pair of opposite draws has no error of first order: the means' gradient is less noisy for the same cost.
        draws = vector + sigma * jnp.concatenate([noise, -noise])
        expected = jnp.mean(jax.vmap(lambda v: self.loss(held.network(v), events, second))(draws))
        precision = jnp.asarray(self.precision, vector.dtype)
        # KL(N(μ, σ²) ‖ N(0, 1/τ)) = ½ Σ_j [τ_j (σ_j² + μ_j²) − 1 − ln(τ_j σ_j²)]
        kl = 0.5 * jnp.sum(precision * (sigma**2 + vector**2) - 1 - jnp.log(precision * sigma**2))
        return expected + kl / self.rows


@dataclass(frozen=True)
class Variational(Posterior):
    """Independent Gaussians over the weights, made by :func:`variational`; the history is that of −ELBO per row.

    Parameters
    ----------
    posterior : the network with means and standard deviations
    """

    posterior: MeanField

    @property
    def _left_out(self) -> str:
        return "independent Gaussians: the spread is too small where the posterior correlates weights"

    def members(self, key: PRNGKeyArray, n: int | None = None) -> Any:
        """Draw ``n`` networks from the Gaussians, stacked along a leading axis ``member``.

        Parameters
        ----------
        key : random key of the draws
        n : how many, by default 50

        Raises
        ------
        InputError : for fewer than one
        """
        held = weights(self.posterior.mean)
        noise = jax.random.normal(key, (checked_members(n), held.vector.size), held.vector.dtype)
        return held.networks(held.vector + self.posterior.sigma * noise)


def variational(
    key: PRNGKeyArray,
    make: Make,
    loss: Loss,
    events: Events,
    *,
    training: Training | None = Training(learning_rate=1e-2),
    precision: float | Array = 1.0,
    power: str = "effective",
    negative: str = "signed",
    width: float = 0.03,
    samples: int = 1,
) -> Variational:
    """Find independent Gaussians over the weights of a network, which minimise −ELBO on the events.

    Without a validation part: the prior is what holds the weights, and the last epoch is kept.

    Parameters
    ----------
    key : random key of the start, the order of events and the draws
    make : ``(key, training events) → network``: where the means start; constants (``Frozen``) stay as they are
    loss : mean over rows of w·ℓ, with ℓ a negative log-likelihood (constants in ℓ do not matter)
    events : training part; their weights count as ``power`` says
    training : epochs, batches and the like; its optimizer, where given, is best one without weight decay, which would be a
        second prior
    precision : τ of the prior N(0, 1/τ): one number, or one for each weight
    power : what the weights' sum counts as, see :func:`verax.epistemic.temper`
    negative : how negative weights count, see :func:`verax.epistemic.temper`
    width : standard deviation of each weight at the start
    samples : antithetic pairs of draws per step

    Raises
    ------
    InputError : for bad options or weights (see :func:`verax.epistemic.temper`)

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy, classifier
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> found = variational(jax.random.key(1), make, CrossEntropy(("s",)), table, training=Training(epochs=2))
    >>> found.posterior.sigma.shape, found.observations  # 8 + 8 weights and 8 + 1 offsets
    ((25,), 64.0)
    """
    for name, value in {"width": width, "samples": samples}.items():
        if not value > 0:
            raise InputError(name, str(value), "a value above zero")
    table = temper(events, power=power, negative=negative)
    start_key, run_key = jax.random.split(key)
    network = make(start_key, events)
    size = weights(network).vector.size
    elbo = NegativeElbo(loss, len(table), precision_of(precision, size).astype(np.float32), samples)
    options = replace(checked_training(training), decay=0.0)
    trained = train(run_key, mean_field(network, width), elbo, table, training=options)
    return Variational(trained.network, histories=trained.histories, observations=observations(table))
