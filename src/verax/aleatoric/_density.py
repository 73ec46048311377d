"""Densities of one target given the features: a Gaussian of learnt mean and width, or a mixture of Gaussians.

Sources: Nix and Weigend, ICNN 1994; Bishop, NCRG/94/004, 1994; Seitzer et al., arXiv:2203.09168.

All losses are (1/n) Σ_i w_i ℓ_i over the n rows of a batch, with signed weights as they are (see
:class:`verax.learn.CrossEntropy`): unbiased, but without lower bound where a region's total weight is negative. There
the learnt width grows or shrinks without end; early stopping on a validation part ends it, and a loss that is not
finite is in the training's history. Pass |w| as training weights for a bounded, biased loss.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.stats import norm

from verax.errors import InputError, check_least
from verax.events import Events
from verax.learn import classifier

from ._head import Head, MakeBody, PerEvent, outputs, target_scale

_FLOOR = -2 * np.log(1e4)
"""Log of the smallest variance, in units of the target's own: 10⁻⁴ of its spread. A density of repeated values would
otherwise grow without end."""

_LOG_2PI = float(np.log(2 * np.pi))


class MeanVariance(Head):
    """Network ``x[feature] → (mean, ln σ)`` of the target, in its units; made by :func:`mean_variance`."""

    def __call__(self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None) -> Float[jax.Array, "2"]:
        mean, log_sigma = self.raw(x, key)
        centre, scale = self.units()
        return jnp.stack([centre + scale * mean, _floored(log_sigma) + jnp.log(scale)])


def mean_variance(
    key: PRNGKeyArray, events: Events, *, features: Sequence[str], target: str, make: MakeBody = classifier
) -> MeanVariance:
    """Make a fresh mean-variance network, standardised to ``events``; train it on :class:`GaussianNLL`.

    Parameters
    ----------
    key : random key of the initial weights
    events : training part only, with training weights
    features : columns that it reads
    target : column that it predicts
    make : ``(key, events, features=…, outputs=2) → network``

    Raises
    ------
    InputError : for an unknown column, a target that is a feature, or a target that is not finite

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(4), "y": np.arange(4.0)})
    >>> network = mean_variance(jax.random.key(0), table, features=("x",), target="y")
    >>> jax.eval_shape(network, jnp.zeros(1)).shape
    (2,)
    """
    scale = target_scale(events, target, features)
    return MeanVariance(make(key, events, features=tuple(features), outputs=2), scale, target)


class GaussianNLL(eqx.Module):
    """Weighted negative log-likelihood of a Gaussian, with constants: (1/n) Σ w [½ ((y − μ)/σ)² + ln σ + ½ ln 2π].

    Plain maximum likelihood learns slowly where σ is large, since the mean's gradient carries 1/σ². With ``beta`` an
    event's gradient is multiplied by σ^{2β} (β-NLL, Seitzer et al., arXiv:2203.09168; ½ is their advice). The value
    stays the negative log-likelihood itself, which is what early stopping must compare.

    Parameters
    ----------
    target : column that the network predicts
    beta : β in [0, 1]

    Raises
    ------
    InputError : for β outside [0, 1], and (in use) for a network of other outputs than (mean, ln σ)

    >>> from verax.events import make_events
    >>> table = make_events({"y": np.array([-1.0, 1.0])})
    >>> round(float(GaussianNLL("y")(lambda x: jnp.zeros(2), table, jax.random.key(0))), 4)  # ½ + ½ ln 2π
    1.4189
    """

    target: str = eqx.field(static=True)
    beta: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        if not 0 <= self.beta <= 1:
            raise InputError("beta", f"{self.beta}", "a power in [0, 1]")

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        out = outputs(network, events, key, (2,), "GaussianNLL")
        loss = -gaussian_log_prob(out, jnp.asarray(events.column(self.target)))
        if self.beta:
            factor = jax.lax.stop_gradient(jnp.exp(2 * self.beta * out[:, 1]))
            loss = jax.lax.stop_gradient(loss) + factor * (loss - jax.lax.stop_gradient(loss))
        return jnp.mean(events.weight * loss)

    def fisher(self, output: Float[jax.Array, "2"]) -> Float[jax.Array, "2 2"]:
        """Find the Hessian of an event's loss in (mean, ln σ), as expected where they are true: diag(1/σ², 2).

        Parameters
        ----------
        output : (mean, ln σ)
        """
        return jnp.diag(jnp.stack([jnp.exp(-2 * output[1]), jnp.full_like(output[1], 2.0)]))


def gaussian(output: Float[jax.Array, "2"]) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""]]:
    """Read mean and variance of the target from (mean, ln σ): the ``moments`` for :func:`verax.learn`.

    Parameters
    ----------
    output : of a mean-variance network at one point

    >>> [float(v) for v in gaussian(jnp.array([3.0, 0.0]))]
    [3.0, 1.0]
    """
    return output[0], jnp.exp(2 * output[1])


def gaussian_log_prob(output: Float[jax.Array, "*event 2"], y: PerEvent) -> PerEvent:
    """Evaluate the log-density of ``y`` where it is Gaussian.

    Parameters
    ----------
    output : (mean, ln σ) in the last axis
    y : the target, in its units

    >>> round(float(gaussian_log_prob(jnp.zeros(2), jnp.zeros(()))), 4)  # −½ ln 2π
    -0.9189
    """
    mean, log_sigma = output[..., 0], output[..., 1]
    return -0.5 * ((y - mean) * jnp.exp(-log_sigma)) ** 2 - log_sigma - 0.5 * _LOG_2PI


class MixtureDensity(Head):
    """Network ``x[feature] → [(ln share, mean, ln σ), component]`` of the target; made by :func:`mixture_density`.

    Parameters
    ----------
    components : number of Gaussians
    """

    components: int = eqx.field(static=True)

    def __call__(
        self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None
    ) -> Float[jax.Array, "3 component"]:
        share, mean, log_sigma = self.raw(x, key).reshape(3, self.components)
        centre, scale = self.units()
        # Components start apart, at the quantiles of a Gaussian: equal ones would learn the same thing.
        start = norm.ppf((np.arange(self.components) + 0.5) / self.components).astype(np.float32)
        width = _floored(log_sigma) + jnp.log(scale)
        return jnp.stack([jax.nn.log_softmax(share), centre + scale * (mean + start), width])


def mixture_density(
    key: PRNGKeyArray,
    events: Events,
    *,
    features: Sequence[str],
    target: str,
    components: int = 5,
    make: MakeBody = classifier,
) -> MixtureDensity:
    """Make a fresh mixture density network, standardised to ``events``; train it on :class:`MixtureNLL`.

    Parameters
    ----------
    key : random key of the initial weights
    events : training part only, with training weights
    features : columns that it reads
    target : column that it predicts
    components : number of Gaussians
    make : ``(key, events, features=…, outputs=3 * components) → network``

    Raises
    ------
    InputError : for no component, an unknown column, a target that is a feature, or one that is not finite

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(4), "y": np.arange(4.0)})
    >>> network = mixture_density(jax.random.key(0), table, features=("x",), target="y", components=2)
    >>> jax.eval_shape(network, jnp.zeros(1)).shape
    (3, 2)
    """
    check_least(components, 1, "components")
    scale = target_scale(events, target, features)
    body = make(key, events, features=tuple(features), outputs=3 * components)
    return MixtureDensity(body, scale, target, components)


class MixtureNLL(eqx.Module):
    """Weighted negative log-likelihood of a mixture of Gaussians: −(1/n) Σ w ln p(y | x).

    Parameters
    ----------
    target : column that the network predicts

    >>> from verax.events import make_events
    >>> table = make_events({"y": np.array([-1.0, 1.0])})
    >>> round(float(MixtureNLL("y")(lambda x: jnp.zeros((3, 1)), table, jax.random.key(0))), 4)  # ½ + ½ ln 2π
    1.4189
    """

    target: str = eqx.field(static=True)

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        shape = (3, getattr(network, "components", 1))
        out = outputs(network, events, key, shape, "MixtureNLL")
        return -jnp.mean(events.weight * mixture_log_prob(out, jnp.asarray(events.column(self.target))))


def mixture(output: Float[jax.Array, "3 component"]) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""]]:
    """Read mean and variance of a mixture from its parameters: the ``moments`` for :func:`verax.learn`.

    Parameters
    ----------
    output : (ln share, mean, ln σ) of each component

    >>> [round(float(v), 4) for v in mixture(jnp.array([[np.log(0.5)] * 2, [-1.0, 1.0], [0.0, 0.0]]))]
    [0.0, 2.0]
    """
    share = jnp.exp(output[0])
    mean = jnp.sum(share * output[1])
    return mean, jnp.sum(share * (jnp.exp(2 * output[2]) + (output[1] - mean) ** 2))


def mixture_log_prob(output: Float[jax.Array, "*event 3 component"], y: PerEvent) -> PerEvent:
    """Evaluate the log-density of ``y`` where it is a mixture of Gaussians.

    Parameters
    ----------
    output : (ln share, mean, ln σ) of each component, in the last two axes
    y : the target, in its units

    >>> round(float(mixture_log_prob(jnp.zeros((3, 1)), jnp.zeros(()))), 4)  # −½ ln 2π
    -0.9189
    """
    share, mean, log_sigma = (output[..., i, :] for i in range(3))
    each = gaussian_log_prob(jnp.stack([mean, log_sigma], axis=-1), jnp.broadcast_to(y[..., None], mean.shape))
    return jax.nn.logsumexp(share + each, axis=-1)


def _floored(log_sigma: jax.Array) -> jax.Array:
    return 0.5 * jnp.logaddexp(2 * log_sigma, _FLOOR)
