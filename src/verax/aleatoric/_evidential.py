"""Deep evidential regression (Amini et al., arXiv:1910.02600): one network gives both parts of the variance.

The outputs are the parameters of a normal-inverse-gamma density of the target's mean and variance at x, σ² ~ Γ⁻¹(α, β) and
μ ~ N(γ, σ²/ν). Then y is Student-t with 2α degrees of freedom, and (their equation 5)

    E[μ] = γ,     E[σ²] = β/(α − 1)  (aleatoric),     Var[μ] = β/(ν (α − 1))  (epistemic).

Known faults. The likelihood depends on ν and β by way of β(1 + ν)/ν alone: events determine the sum of both parts, and
their split is what the penalty and the start make of it (Meinert, Gawlikowski, Lavin, arXiv:2205.10060). The epistemic part
need not fall with more events, nor grow far from them (Bengs, Hüllermeier, Waegeman, arXiv:2203.06102). Use the sum, or an
ensemble of such networks; compare the split with another method before it is believed.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Float, PRNGKeyArray

from verax.errors import InputError
from verax.events import Events
from verax.learn import classifier

from ._head import Head, MakeBody, PerEvent, outputs, target_scale

_FLOOR = 1e-6
"""Smallest ν, α − 1 and β, the last in units of the target's variance."""


class Evidential(Head):
    """Network ``x[feature] → (γ, ν, α, β)`` of the normal-inverse-gamma density; made by :func:`evidential`."""

    def __call__(self, x: Float[jax.Array, " feature"], *, key: PRNGKeyArray | None = None) -> Float[jax.Array, "4"]:
        mean, *rest = self.raw(x, key)
        nu, above, beta = (jax.nn.softplus(each) + _FLOOR for each in rest)
        centre, scale = self.units()
        return jnp.stack([centre + scale * mean, nu, 1 + above, scale**2 * beta])


def evidential(
    key: PRNGKeyArray, events: Events, *, features: Sequence[str], target: str, make: MakeBody = classifier
) -> Evidential:
    """Make a fresh evidential network, standardised to ``events``; train it on :class:`EvidentialNLL`.

    Parameters
    ----------
    key : random key of the initial weights
    events : training part only, with training weights
    features : columns that it reads
    target : column that it predicts
    make : ``(key, events, features=…, outputs=4) → network``

    Raises
    ------
    InputError : for an unknown column, a target that is a feature, or a target that is not finite

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(4), "y": np.arange(4.0)})
    >>> network = evidential(jax.random.key(0), table, features=("x",), target="y")
    >>> jax.eval_shape(network, jnp.zeros(1)).shape
    (4,)
    """
    scale = target_scale(events, target, features)
    return Evidential(make(key, events, features=tuple(features), outputs=4), scale, target)


class EvidentialNLL(eqx.Module):
    """Weighted negative log-likelihood of the Student-t, and a penalty of evidence where the mean errs.

    (1/n) Σ w [−ln p(y) + λ |y − γ| (2ν + α)], their equations 8 to 10, with the error in units of the target's spread.

    Parameters
    ----------
    target : column that the network predicts
    penalty : λ; the paper's value is 0.01

    Raises
    ------
    InputError : for a penalty below zero, and (in use) for a network of other outputs than (γ, ν, α, β)

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(4), "y": np.arange(4.0)})
    >>> network = evidential(jax.random.key(0), table, features=("x",), target="y")
    >>> eqx.filter_eval_shape(EvidentialNLL("y"), network, table, jax.random.key(1)).shape
    ()
    """

    target: str = eqx.field(static=True)
    penalty: float = eqx.field(static=True, default=0.01)

    def __check_init__(self) -> None:
        if not (np.isfinite(self.penalty) and self.penalty >= 0):
            raise InputError("penalty", f"{self.penalty:g}", "a finite value, zero or above")

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        out = outputs(network, events, key, (4,), "EvidentialNLL")
        y = jnp.asarray(events.column(self.target))
        error = jnp.abs(y - out[:, 0]) / network.units()[1]
        penalty = self.penalty * error * (2 * out[:, 1] + out[:, 2])
        return jnp.mean(events.weight * (penalty - evidential_log_prob(out, y)))


def evidential_moments(
    output: Float[jax.Array, "4"],
) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""], Float[jax.Array, ""]]:
    """Read mean, aleatoric and epistemic variance of the target: the ``moments`` for :func:`verax.learn`.

    Parameters
    ----------
    output : (γ, ν, α, β)

    >>> [float(v) for v in evidential_moments(jnp.asarray([1.0, 4.0, 3.0, 2.0]))]
    [1.0, 1.0, 0.25]
    """
    mean, nu, alpha, beta = output
    aleatoric = beta / (alpha - 1)  # E[σ²]
    return mean, aleatoric, aleatoric / nu  # Var[μ] = E[σ²]/ν


def evidential_log_prob(output: Float[jax.Array, "*event 4"], y: PerEvent) -> PerEvent:
    """Evaluate the log-density of ``y``, Student-t with 2α degrees of freedom.

    Parameters
    ----------
    output : (γ, ν, α, β) in the last axis
    y : the target, in its units

    >>> round(float(evidential_log_prob(jnp.array([0.0, 1.0, 1.0, 1.0]), jnp.zeros(()))), 4)  # ln ¼
    -1.3863
    """
    mean, nu, alpha, beta = (output[..., i] for i in range(4))
    # St(y; γ, β(1 + ν)/(να), 2α) ∝ [1 + (y − γ)² ν/(2β(1 + ν))]^−(α + ½) (their equation 7)
    precision = nu / (2 * beta * (1 + nu))
    # ln Γ(α + ½) − ln Γ(α); by its series where float32 has no digits left for the difference (to 10⁻⁹ at α = 20).
    series = 0.5 * jnp.log(alpha) - 1 / (8 * alpha) + 1 / (192 * alpha**3)
    shape = jnp.where(alpha > 20, series, gammaln(alpha + 0.5) - gammaln(alpha))
    return shape + 0.5 * jnp.log(precision / np.pi) - (alpha + 0.5) * jnp.log1p(precision * (y - mean) ** 2)
