"""A conditional flow read as a regression: mean and variance of its columns, given the condition.

Source of the rule for one column: Trefethen and Weideman, "The exponentially convergent trapezoidal rule", 2014.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.stats import norm

from verax.errors import InputError

from ._flow import Flow


class FlowPrediction(eqx.Module):
    """Network ``x[condition] → (mean, variance)`` of a flow's columns, made by :func:`flow_prediction`.

    Both are numbers for one column, ``[column]`` for several. E[y | x] = ∫ y(z, x) φ(z) dz over the base's Gaussian: by
    the trapezoidal rule for one column, as a mean over 512 fixed points in opposite pairs for several (an error of a few
    per cent of a width).

    Parameters
    ----------
    flow : a flow that is conditional on the features
    """

    flow: Flow

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that the flow is conditional on."""
        return self.flow.condition

    def __call__(self, x: Float[jax.Array, " condition"], *, key: PRNGKeyArray | None = None) -> tuple[Any, Any]:
        z, share = _base(len(self.flow.columns))
        y = jax.vmap(lambda point: self.flow.from_base(point, x))(z)
        middle = y[0]  # the image of 0: small numbers, so that the variance is no difference of large ones
        shift = share @ (y - middle)
        variance = share @ (y - middle - shift) ** 2
        mean = middle + shift
        return (mean[0], variance[0]) if len(self.flow.columns) == 1 else (mean, variance)


def flow_prediction(members: Any) -> FlowPrediction:
    """Read flows as a regression, for :func:`verax.learn` with ``moments=flow_moments``.

    Parameters
    ----------
    members : a :class:`Flow`, or several stacked along a leading axis

    Raises
    ------
    InputError : for a flow that is conditional on nothing, which predicts the same for each event, and for members that
        are no flows: Laplace's linearised ones say how a log-density moves, not where its mean is

    >>> from verax.aleatoric import flow
    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(4), "y": np.arange(4.0)})
    >>> flow_prediction(flow(jax.random.key(0), table, ("y",), condition=("x",), layers=1, width=8, depth=1)).features
    ('x',)
    """
    if not isinstance(members, Flow):
        seen = f"members of type {type(members).__name__}"
        raise InputError("flow prediction", seen, "flows", "take members of another method, or Laplace's last layer")
    if not members.condition:
        raise InputError("flow prediction", "a flow without condition", "one that is given some columns")
    return FlowPrediction(members)


def flow_moments(output: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Read mean and variance of the columns: the ``moments`` for :func:`verax.learn`.

    Parameters
    ----------
    output : of a :class:`FlowPrediction` at one point

    >>> [float(v) for v in flow_moments((jnp.zeros(()), jnp.ones(())))]
    [0.0, 1.0]
    """
    return output


def _base(columns: int) -> tuple[Float[jax.Array, "point column"], Float[jax.Array, " point"]]:
    """Points of the base, 0 first, and the share of each."""
    if columns == 1:
        z = np.linspace(-5.5, 5.5, 111)  # the rule's error falls as exp(−2π²/step²): none
        z = z[np.argsort(np.abs(z), kind="stable")][:, None]
        share = norm.pdf(z[:, 0])
    else:
        half = np.random.default_rng(0).normal(size=(256, columns))
        z = np.concatenate([np.zeros((1, columns)), half, -half])
        share = np.append(0.0, np.ones(512))
    return jnp.asarray(z, jnp.float32), jnp.asarray(share / share.sum(), jnp.float32)
